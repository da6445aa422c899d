/* SPDX-License-Identifier: MIT */
/* test_sim_cut.c - a power cut loses what was not synced and keeps what was. */
#include "env/sim_fixture.h"

TEST_F(synced_bytes_survive_every_cut)
{
    peat_env_file *file = make_durable(f, "x");
    for (uint64_t seed = 0; seed < 50; seed++) {
        expect_after(cut(f, SIM_CUT_RANDOM, seed, 0), "x", "aa");
        expect_after(cut(f, SIM_CUT_PREFIX, seed, 0), "x", "aa");
        expect_after(cut(f, SIM_CUT_GARBAGE, seed, 4096), "x", "aa");
    }
    expect_after(cut(f, SIM_CUT_LOST, 0, 0), "x", "aa");
    close_file(f, file);
}

TEST_F(unsynced_bytes_are_lost_or_kept_by_mode)
{
    peat_env_file *file = make_durable(f, "x");
    put(f, file, SECTOR, 'b', (size_t)2 * SECTOR);
    expect_after(cut(f, SIM_CUT_LOST, 0, 0), "x", "aa");
    expect_after(cut(f, SIM_CUT_KEPT, 0, 0), "x", "abb");
    expect_after(sim_clone_killed(f->sim), "x", "abb");
    sync_file(f, file);
    expect_after(cut(f, SIM_CUT_LOST, 0, 0), "x", "abb");
    close_file(f, file);
}

/* Which of the expected outcomes 400 cuts have shown, as bits; any other outcome fails. */
static unsigned outcomes(fixture *f, sim_cut_mode mode, uint32_t sector_bytes, const char *name,
                         const char *const *expected, unsigned n)
{
    unsigned seen = 0;
    for (uint64_t seed = 0; seed < 400; seed++) {
        sim_env *after = cut(f, mode, f->seed * 1000 + seed, sector_bytes);
        char found[64];
        describe(after, name, found, sizeof found);
        unsigned k = 0;
        while (k < n && strcmp(found, expected[k]) != 0)
            k++;
        if (k == n)
            fail_msg("\"%s\" must not be; %s", found, sim_story(after));
        seen |= 1u << k;
        sim_free(after);
    }
    return seen;
}

TEST_F(random_cuts_show_every_subset_of_sectors)
{
    static const char *const all[] = {"aa", "ab", "ba", "bb"};
    peat_env_file *file = make_durable(f, "x");
    put(f, file, 0, 'b', (size_t)2 * SECTOR);
    assert_int_equal(outcomes(f, SIM_CUT_RANDOM, 512, "x", all, 4), 0xf);
    close_file(f, file);
}

TEST_F(sectors_of_one_group_go_together)
{
    static const char *const all[] = {"aa", "bb", "ba"};
    peat_env_file *file = make_durable(f, "x");
    put(f, file, 0, 'b', (size_t)2 * SECTOR);
    /* "ba": the page was written out while the write was copying into it; never "ab" */
    assert_int_equal(outcomes(f, SIM_CUT_RANDOM, 4096, "x", all, 3) & 3, 3);
    close_file(f, file);
}

TEST_F(an_older_unsynced_version_can_survive)
{
    static const char *const all[] = {"aa", "ba", "ca"};
    peat_env_file *file = make_durable(f, "x");
    put(f, file, 0, 'b', SECTOR);
    put(f, file, 0, 'c', SECTOR);
    assert_int_equal(outcomes(f, SIM_CUT_RANDOM, 0, "x", all, 3), 7);
    close_file(f, file);
}

TEST_F(a_prefix_cut_never_reorders)
{
    static const char *const all[] = {"aa", "ba", "bb", "bb0", "bbc"};
    peat_env_file *file = make_durable(f, "x");
    put(f, file, 0, 'b', (size_t)2 * SECTOR);
    put(f, file, (uint64_t)2 * SECTOR, 'c', SECTOR);
    /* "bb0": the size is there, the data is not */
    assert_int_equal(outcomes(f, SIM_CUT_PREFIX, 0, "x", all, 5), 0x1f);
    close_file(f, file);
}

TEST_F(size_and_contents_survive_apart)
{
    static const char *const all[] = {"aa", "aa0", "aab"};
    peat_env_file *file = make_durable(f, "x");
    put(f, file, (uint64_t)2 * SECTOR, 'b', SECTOR);
    assert_int_equal(outcomes(f, SIM_CUT_RANDOM, 0, "x", all, 3), 7);
    close_file(f, file);
}

TEST_F(a_shrunk_file_comes_back_whole_or_not_at_all)
{
    static const char *const all[] = {"aa", "a", "a0", "ab"};
    peat_env_file *file = make_durable(f, "x");
    assert_int_equal(f->env->file_truncate(f->env->ctx, file, SECTOR), 0);
    put(f, file, SECTOR, 'b', SECTOR);
    assert_int_equal(outcomes(f, SIM_CUT_RANDOM, 0, "x", all, 4), 0xf);
    sync_file(f, file);
    expect_after(cut(f, SIM_CUT_LOST, 0, 0), "x", "ab");
    close_file(f, file);
}

TEST_F(a_surviving_shrink_leaves_nothing_of_the_old_bytes)
{
    static const char *const all[] = {"aa", "a", "a00"};
    peat_env_file *file = make_durable(f, "x");
    assert_int_equal(f->env->file_truncate(f->env->ctx, file, SECTOR), 0);
    assert_int_equal(f->env->file_allocate(f->env->ctx, file, 0, (uint64_t)3 * SECTOR), 0);
    assert_int_equal(outcomes(f, SIM_CUT_RANDOM, 0, "x", all, 3), 7); /* never "aa0" */
    close_file(f, file);
}

TEST_F(what_was_cut_off_reads_as_zero_when_the_file_grows)
{
    peat_env_file *file = make_durable(f, "x");
    assert_int_equal(f->env->file_truncate(f->env->ctx, file, 100), 0);
    assert_int_equal(f->env->file_allocate(f->env->ctx, file, 0, (uint64_t)2 * SECTOR), 0);
    sync_file(f, file);
    sim_env *after = cut(f, SIM_CUT_LOST, 0, 0);
    size_t n = 0;
    uint8_t *data = sim_file_get(after, "db", "x", &n);
    assert_int_equal(n, 2 * SECTOR);
    assert_int_equal(data[99], 'a');
    for (size_t i = 100; i < n; i++)
        assert_int_equal(data[i], 0);
    free(data);
    sim_free(after);
    close_file(f, file);
}

TEST_F(garbage_touches_only_sectors_being_written)
{
    peat_env_file *file = make_durable(f, "x");
    put(f, file, SECTOR, 'b', SECTOR);
    unsigned noisy = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        sim_env *after = cut(f, SIM_CUT_GARBAGE, seed, 0);
        char found[64];
        describe(after, "x", found, sizeof found);
        assert_int_equal(found[0], 'a');
        noisy += found[1] == '?';
        sim_free(after);
    }
    assert_in_range(noisy, 1, 99);
    close_file(f, file);
}

TEST_F(a_name_needs_the_directory_sync)
{
    static const char *const all[] = {"-", "aa"};
    peat_env_file *file = make(f, "x");
    put(f, file, 0, 'a', (size_t)2 * SECTOR);
    sync_file(f, file);
    expect_after(cut(f, SIM_CUT_LOST, 0, 0), "x", "-");
    expect_after(sim_clone_killed(f->sim), "x", "aa");
    assert_int_equal(outcomes(f, SIM_CUT_RANDOM, 0, "x", all, 2), 3);
    sync_names(f);
    expect_after(cut(f, SIM_CUT_LOST, 0, 0), "x", "aa");
    close_file(f, file);
}

TEST_F(a_removed_name_comes_back_without_the_directory_sync)
{
    static const char *const all[] = {"-", "aa"};
    close_file(f, make_durable(f, "x"));
    assert_int_equal(f->env->dir_remove(f->env->ctx, f->dir, "x"), 0);
    expect_after(cut(f, SIM_CUT_LOST, 0, 0), "x", "aa");
    expect_after(cut(f, SIM_CUT_KEPT, 0, 0), "x", "-");
    assert_int_equal(outcomes(f, SIM_CUT_RANDOM, 0, "x", all, 2), 3);
    sync_names(f);
    expect_after(cut(f, SIM_CUT_LOST, 0, 0), "x", "-");
}

TEST_F(names_survive_independently)
{
    unsigned seen = 0;
    close_file(f, make(f, "x"));
    close_file(f, make(f, "y"));
    for (uint64_t seed = 0; seed < 200; seed++) {
        sim_env *after = cut(f, SIM_CUT_RANDOM, seed, 0);
        seen |= 1u << (sim_file_exists(after, "db", "x") + 2 * sim_file_exists(after, "db", "y"));
        sim_free(after);
    }
    assert_int_equal(seen, 0xf);
}

TEST_F(a_recreated_name_can_be_the_old_file)
{
    static const char *const all[] = {"aa", "-", "b", "0", ""};
    close_file(f, make_durable(f, "x"));
    assert_int_equal(f->env->dir_remove(f->env->ctx, f->dir, "x"), 0);
    peat_env_file *file = make(f, "x");
    put(f, file, 0, 'b', SECTOR);
    assert_int_equal(outcomes(f, SIM_CUT_RANDOM, 0, "x", all, 5), 0x1f);
    close_file(f, file);
}

TEST_F(equal_seeds_give_equal_disks)
{
    peat_env_file *file = make_durable(f, "x");
    for (int i = 0; i < 40; i++)
        put(f, file, (uint64_t)i * 700, 'a' + i % 26, 700);
    for (uint64_t seed = 0; seed < 20; seed++) {
        sim_env *one = cut(f, SIM_CUT_GARBAGE, seed, 0), *two = cut(f, SIM_CUT_GARBAGE, seed, 0);
        size_t n = 0, m = 0;
        uint8_t *p = sim_file_get(one, "db", "x", &n), *q = sim_file_get(two, "db", "x", &m);
        assert_int_equal(n, m);
        assert_memory_equal(p, q, n);
        free(p);
        free(q);
        sim_free(one);
        sim_free(two);
    }
    close_file(f, file);
}

/* A killed process's page cache is lost by a later power cut all the same. */
TEST_F(unsynced_bytes_stay_unsynced_over_a_kill)
{
    peat_env_file *file = make_durable(f, "x");
    put(f, file, 0, 'b', SECTOR);
    sim_env *killed = sim_clone_killed(f->sim);
    expect_after(sim_clone_cut(killed, &(sim_cut){.mode = SIM_CUT_LOST}), "x", "aa");
    expect_after(sim_clone_cut(killed, &(sim_cut){.mode = SIM_CUT_KEPT}), "x", "ba");
    sim_free(killed);
    close_file(f, file);
}

TEST_F(a_deleted_directory_may_come_back)
{
    peat_env_dir *dir = NULL;
    assert_int_equal(f->env->dir_open(f->env->ctx, "db2", 0, &dir), ENOENT);
    assert_int_equal(f->env->dir_open(f->env->ctx, "no/db", PEAT_ENV_DIR_CREATE, &dir), ENOENT);
    assert_int_equal(f->env->dir_delete(f->env->ctx, "no"), ENOENT);
    assert_int_equal(f->env->dir_open(f->env->ctx, "./db2/", PEAT_ENV_DIR_CREATE, &dir), 0);
    f->env->dir_close(f->env->ctx, dir);
    sim_env *after = cut(f, SIM_CUT_LOST, 0, 0); /* created: durable */
    assert_int_equal(sim_peat(after)->dir_delete(after, "db2"), 0);
    sim_free(after);
    close_file(f, make(f, "x"));
    assert_int_equal(f->env->dir_delete(f->env->ctx, "db"), ENOTEMPTY);
    assert_int_equal(f->env->dir_delete(f->env->ctx, "db2"), 0);
    after = cut(f, SIM_CUT_LOST, 0, 0);
    assert_int_equal(sim_peat(after)->dir_delete(after, "db2"), 0);
    sim_free(after);
    after = cut(f, SIM_CUT_KEPT, 0, 0);
    assert_int_equal(sim_peat(after)->dir_delete(after, "db2"), ENOENT);
    sim_free(after);
}
