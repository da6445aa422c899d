/* SPDX-License-Identifier: MIT */
/* test_sim.c - the simulator's faults, limits, locks, clock, hook and counts. */
#include "env/sim_fixture.h"

TEST_F(a_failed_sync_is_not_made_good_by_a_second_one)
{
    peat_env_file *file = make_durable(f, "x");
    put(f, file, 0, 'b', SECTOR);
    unsigned fault =
        sim_fail(f->sim, .kinds = SIM_BIT(SIM_FILE_SYNC), .error = EIO, .keep = SIM_KEEP_NONE);
    assert_int_equal(f->env->file_sync(f->env->ctx, file), EIO);
    assert_int_equal(sim_fault_hits(f->sim, fault), 1);
    sync_file(f, file); /* says 0 */
    expect_after(sim_clone_killed(f->sim), "x", "ba");
    expect_after(cut(f, SIM_CUT_KEPT, 0, 0), "x", "aa");
    /* whoever drops the cache sees it */
    assert_int_equal(f->env->file_advise(f->env->ctx, file, 0, 0, PEAT_ENV_ADVISE_DONTNEED), 0);
    expect_after(sim_clone_killed(f->sim), "x", "aa");
    /* and who writes it again and syncs has it */
    put(f, file, 0, 'c', SECTOR);
    sync_file(f, file);
    expect_after(cut(f, SIM_CUT_LOST, 0, 0), "x", "ca");
    close_file(f, file);
}

TEST_F(a_rewrite_after_a_failed_sync_is_dirty_again)
{
    peat_env_file *file = make_durable(f, "x");
    put(f, file, 0, 'b', SECTOR);
    sim_fail(f->sim, .kinds = SIM_BIT(SIM_FILE_SYNC), .error = EIO, .keep = SIM_KEEP_NONE);
    assert_int_equal(f->env->file_sync(f->env->ctx, file), EIO);
    put(f, file, 0, 'c', SECTOR);
    assert_int_equal(f->env->file_advise(f->env->ctx, file, 0, 0, PEAT_ENV_ADVISE_DONTNEED), 0);
    expect_after(sim_clone_killed(f->sim), "x", "ca");
    close_file(f, file);
}

TEST_F(dropping_the_cache_keeps_dirty_sectors)
{
    peat_env_file *file = make_durable(f, "x");
    put(f, file, 0, 'b', SECTOR);
    assert_int_equal(f->env->file_advise(f->env->ctx, file, 0, 0, PEAT_ENV_ADVISE_DONTNEED), 0);
    expect_after(sim_clone_killed(f->sim), "x", "ba");
    close_file(f, file);
}

TEST_F(a_failed_write_leaves_a_prefix)
{
    static const struct {
        sim_keep keep;
        size_t least, most;
    } cases[] = {{SIM_KEEP_NONE, 0, 0}, {SIM_KEEP_ALL, 1000, 1000}, {SIM_KEEP_SOME, 0, 1000}};
    for (size_t i = 0; i < 3; i++) {
        uint8_t data[1000];
        memset(data, 'b', sizeof data);
        char name[2] = {(char)('x' + i), '\0'};
        peat_env_file *file = make(f, name);
        sim_faults_clear(f->sim);
        sim_fail(f->sim, .kinds = SIM_BIT(SIM_FILE_WRITE), .error = EIO, .keep = cases[i].keep);
        assert_int_equal(f->env->file_write(f->env->ctx, file, 0, data, sizeof data), EIO);
        size_t n = 0;
        uint8_t *found = sim_file_get(f->sim, "db", name, &n);
        assert_in_range(n, cases[i].least, cases[i].most);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(found[k], 'b');
        free(found);
        close_file(f, file);
    }
}

TEST_F(the_nth_matching_call_fails_once_or_from_then_on)
{
    peat_env_file *x = make(f, "x"), *y = make(f, "y");
    unsigned once = sim_fail(f->sim, .kinds = SIM_BIT(SIM_FILE_SYNC), .at = 2, .error = EIO,
                             .name_prefix = "x");
    unsigned always = sim_fail(f->sim, .kinds = SIM_BIT(SIM_FILE_SIZE), .at = 2, .error = ENOLINK,
                               .sticky = true);
    static const int syncs_of_x[] = {0, EIO, 0}, sizes[] = {0, ENOLINK, ENOLINK};
    for (int i = 0; i < 3; i++) {
        uint64_t size = 0;
        sync_file(f, y);
        assert_int_equal(f->env->file_sync(f->env->ctx, x), syncs_of_x[i]);
        assert_int_equal(f->env->file_size(f->env->ctx, y, &size), sizes[i]);
    }
    assert_int_equal(sim_fault_hits(f->sim, once), 1);
    assert_int_equal(sim_fault_hits(f->sim, always), 2);
    assert_int_equal(sim_count(f->sim, SIM_BIT(SIM_FILE_SYNC)), 6);
    close_file(f, x);
    close_file(f, y);
}

TEST_F(the_nth_allocation_fails_and_leaks_are_counted)
{
    sim_fail(f->sim, .kinds = SIM_MEMORY, .at = 2, .error = ENOMEM);
    void *p = f->env->alloc(f->env->ctx, 100);
    assert_non_null(p);
    assert_null(f->env->resize(f->env->ctx, p, 200));
    p = f->env->resize(f->env->ctx, p, 200);
    void *m = f->env->map(f->env->ctx, 10000);
    assert_non_null(p);
    assert_non_null(m);
    sim_held held = sim_get_held(f->sim);
    assert_int_equal(held.allocations, 1);
    assert_int_equal(held.maps, 1);
    assert_in_range(held.bytes, 10200, 11000);
    f->env->release(f->env->ctx, p);
    f->env->unmap(f->env->ctx, m, 10000);
    held = sim_get_held(f->sim);
    assert_int_equal(held.bytes, 0);
    assert_in_range(held.bytes_peak, 10200, 11000);
}

TEST_F(a_full_disk_takes_what_fits)
{
    static uint8_t data[3 * 4096];
    peat_env_file *file = make(f, "x");
    sim_limit_disk(f->sim, (uint64_t)2 * 4096);
    assert_int_equal(f->env->file_write(f->env->ctx, file, 0, data, sizeof data), ENOSPC);
    assert_int_equal(sim_disk_bytes(f->sim), 2 * 4096);
    assert_int_equal(f->env->file_write(f->env->ctx, file, 0, data, (size_t)2 * 4096), 0);
    assert_int_equal(f->env->file_allocate(f->env->ctx, file, 0, (uint64_t)3 * 4096), ENOSPC);
    assert_int_equal(f->env->dir_remove(f->env->ctx, f->dir, "x"), 0);
    assert_int_equal(sim_disk_bytes(f->sim), 2 * 4096); /* open files hold their space */
    close_file(f, file);
    assert_int_equal(sim_disk_bytes(f->sim), 0);
}

TEST_F(too_many_open_files_are_refused)
{
    sim_limit_files(f->sim, 2); /* the directory is one */
    peat_env_file *x = make(f, "x"), *y = NULL;
    assert_int_equal(f->env->file_open(f->env->ctx, f->dir, "x", 0, &y), EMFILE);
    close_file(f, x);
}

TEST_F(a_read_only_disk_refuses_every_change)
{
    peat_env_file *x = make_durable(f, "x"), *y = NULL;
    peat_env_lock *lock = NULL;
    int64_t pid = 0;
    sim_read_only(f->sim, true);
    assert_int_equal(f->env->file_write(f->env->ctx, x, 0, "z", 1), EROFS);
    assert_int_equal(f->env->file_truncate(f->env->ctx, x, 1), EROFS);
    assert_int_equal(f->env->dir_remove(f->env->ctx, f->dir, "x"), EROFS);
    assert_int_equal(f->env->file_open(f->env->ctx, f->dir, "x", PEAT_ENV_FILE_WRITE, &y), EROFS);
    assert_int_equal(f->env->dir_lock(f->env->ctx, f->dir, "LOCK", false, &lock, &pid), EROFS);
    assert_int_equal(f->env->file_open(f->env->ctx, f->dir, "x", 0, &y), 0);
    close_file(f, y);
    close_file(f, x);
    expect_after(sim_clone_killed(f->sim), "x", "aa");
}

TEST_F(locks_conflict_and_go_with_the_process)
{
    peat_env_lock *one = NULL, *two = NULL;
    int64_t pid = -1;
    assert_int_equal(f->env->dir_lock(f->env->ctx, f->dir, "LOCK", true, &one, &pid), ENOENT);
    assert_int_equal(f->env->dir_lock(f->env->ctx, f->dir, "LOCK", false, &one, &pid), 0);
    assert_int_equal(f->env->dir_lock(f->env->ctx, f->dir, "LOCK", false, &two, &pid), EWOULDBLOCK);
    assert_int_equal(pid, f->env->pid(f->env->ctx));
    assert_int_equal(f->env->dir_lock(f->env->ctx, f->dir, "LOCK", true, &two, &pid), EWOULDBLOCK);

    sim_env *after = sim_clone_killed(f->sim);
    const peat_env *env = sim_peat(after);
    peat_env_dir *dir = NULL;
    assert_int_equal(env->dir_open(env->ctx, "db", 0, &dir), 0);
    assert_int_equal(env->dir_lock(env->ctx, dir, "LOCK", false, &two, &pid), 0);
    env->dir_unlock(env->ctx, two);
    env->dir_close(env->ctx, dir);
    sim_end(after);

    f->env->dir_unlock(f->env->ctx, one);
    assert_int_equal(f->env->dir_lock(f->env->ctx, f->dir, "LOCK", true, &one, &pid), 0);
    assert_int_equal(f->env->dir_lock(f->env->ctx, f->dir, "LOCK", true, &two, &pid), 0);
    f->env->dir_unlock(f->env->ctx, one);
    assert_int_equal(f->env->dir_lock(f->env->ctx, f->dir, "LOCK", false, &one, &pid), EWOULDBLOCK);
    assert_int_equal(pid, 0); /* a reader leaves no name */
    f->env->dir_unlock(f->env->ctx, two);
}

typedef struct walk {
    fixture *f;
    unsigned cuts;
    char kinds[256];
} walk;

static void cut_here(void *arg, sim_env *sim, const sim_boundary *b)
{
    walk *w = arg;
    (void)snprintf(w->kinds + strlen(w->kinds), sizeof w->kinds - strlen(w->kinds), "%s ",
                   sim_kind_name(b->kind));
    sim_env *after = sim_clone_cut(sim, &(sim_cut){.mode = SIM_CUT_KEPT, .seed = b->index});
    assert_int_equal(w->f->sim == sim, true);
    w->cuts++;
    sim_free(after);
}

TEST_F(the_hook_runs_before_every_change)
{
    walk w = {.f = f};
    sim_hook_set(f->sim, cut_here, &w);
    sim_split_writes(f->sim, 1000);
    uint64_t before = sim_boundaries(f->sim);
    peat_env_file *file = make(f, "x");
    put(f, file, 0, 'a', 2500);
    sync_file(f, file);
    sync_names(f);
    close_file(f, file);
    assert_int_equal(f->env->dir_remove(f->env->ctx, f->dir, "x"), 0);
    assert_string_equal(w.kinds, "file_create file_write file_write file_write file_sync dir_sync "
                                 "dir_remove ");
    assert_int_equal(sim_boundaries(f->sim) - before, w.cuts);
}

TEST_F(damage_from_outside_is_durable)
{
    sim_file_put(f->sim, "db", "x", "hello", 5);
    assert_true(sim_file_flip(f->sim, "db", "x", 1, 4));
    assert_false(sim_file_flip(f->sim, "db", "x", 5, 1));
    assert_true(sim_file_cut(f->sim, "db", "x", 3));
    sim_plant_link(f->sim, "db", "y");
    sim_env *after = cut(f, SIM_CUT_LOST, 0, 0);
    size_t n = 0;
    uint8_t *data = sim_file_get(after, "db", "x", &n);
    assert_int_equal(n, 3);
    assert_memory_equal(data, "hal", 3);
    free(data);
    sim_free(after);
    peat_env_file *file = NULL;
    assert_int_equal(f->env->file_open(f->env->ctx, f->dir, "y", 0, &file), ELOOP);
    assert_true(sim_file_delete(f->sim, "db", "x"));
    assert_false(sim_file_exists(f->sim, "db", "x"));
}

TEST_F(clock_and_chance_repeat)
{
    sim_env *one = sim_new(5), *two = sim_new(5);
    const peat_env *a = sim_peat(one), *b = sim_peat(two);
    uint64_t x = 0, y = 1;
    assert_int_equal(a->random(a->ctx, &x, sizeof x), 0);
    assert_int_equal(b->random(b->ctx, &y, sizeof y), 0);
    assert_true(x == y);
    uint64_t t = a->now_ns(a->ctx);
    assert_true(t == b->now_ns(b->ctx));
    a->sleep_ns(a->ctx, 5000);
    assert_true(a->now_ns(a->ctx) == t + 6000); /* the sleep and one step */
    sim_wall_set(one, 77);
    assert_in_range(a->wall_ms(a->ctx), 77, 78);
    sim_free(one);
    sim_free(two);
    (void)f;
}

typedef struct worker {
    fixture *f;
    int number;
} worker;

static void write_and_sync(void *arg)
{
    worker *w = arg;
    char name[8];
    (void)snprintf(name, sizeof name, "t%d", w->number);
    peat_env_file *file = make(w->f, name);
    for (int i = 0; i < 50; i++) {
        put(w->f, file, (uint64_t)i * 100, 'a' + w->number, 100);
        void *p = w->f->env->alloc(w->f->env->ctx, 64);
        (void)w->f->env->now_ns(w->f->env->ctx);
        w->f->env->release(w->f->env->ctx, p);
        sync_file(w->f, file);
    }
    close_file(w->f, file);
}

TEST_F(threads_share_a_disk)
{
    worker workers[4];
    peat_env_thread *threads[4];
    for (int i = 0; i < 4; i++) {
        workers[i] = (worker){.f = f, .number = i};
        assert_int_equal(
            f->env->thread_start(f->env->ctx, write_and_sync, &workers[i], &threads[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        f->env->thread_join(f->env->ctx, threads[i]);
    sync_names(f);
    expect_after(cut(f, SIM_CUT_LOST, 0, 0), "t3", "dddddddddd");
    assert_int_equal(sim_count(f->sim, SIM_BIT(SIM_FILE_SYNC)), 200);
}
