/* SPDX-License-Identifier: MIT */
/* test_table_files.c - tables that share descriptors: how many, whose go, and what happens when the
 * system has none left. */
#include "base/hash.h"
#include "support/sim_env.h"
#include "table/table_file.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TABLES 6

typedef struct fixture {
    sim_env *sim;
    const pt_env *env;
    pt_dir *dir;
    pt_sink sink;
    pt_epoch epoch;
    pt_table_files files;
    pt_table *tables[TABLES];
} fixture;

static void value_of(int i, char ret_value[16])
{
    (void)snprintf(ret_value, 16, "value %03d", i);
}

/* One key in a file of its own. */
static pt_table *make_table(fixture *f, int i)
{
    pt_table_writer_options o = {
        .store_id = 1, .file_number = (uint64_t)i + 1, .run_kind = PT_RUN_BOTTOM};
    pt_table_writer *w = NULL;
    pt_table_meta meta;
    pt_table *t = NULL;
    char value[16];
    value_of(i, value);
    pt_entry e = {.key = pt_slice_of("\0\0\0\1k", 5),
                  .value = pt_slice_of(value, strlen(value)),
                  .kind = PT_KIND_PUT};
    assert_int_equal(pt_table_writer_new(f->env, f->dir, &f->sink, &o, &w), PEAT_OK);
    assert_int_equal(pt_table_writer_add(w, &e, pt_hash(e.key.data, e.key.size)), PEAT_OK);
    assert_int_equal(pt_table_writer_finish(w, &meta), PEAT_OK);
    assert_int_equal(pt_table_new(f->env, f->dir, &f->sink, &f->epoch, &meta, &t), PEAT_OK);
    pt_table_writer_free(w);
    pt_table_join(t, &f->files);
    return t;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->sim = sim_new(sim_seed(5));
    f->env = sim_peat(f->sim);
    pt_sink_init(&f->sink);
    pt_epoch_init(&f->epoch);
    pt_table_files_init(&f->files);
    assert_int_equal(f->env->dir_open(f->env->ctx, "db", PEAT_ENV_DIR_CREATE, &f->dir), 0);
    for (int i = 0; i < TABLES; i++)
        f->tables[i] = make_table(f, i);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < TABLES; i++)
        pt_table_free(f->tables[i]);
    pt_table_files_done(&f->files);
    pt_epoch_done(&f->epoch);
    pt_sink_done(&f->sink);
    f->env->dir_close(f->env->ctx, f->dir);
    bool clean = sim_is_clean(f->sim);
    sim_free(f->sim);
    free(f);
    return clean ? 0 : 1;
}

static peat_rc read_table(fixture *f, int i)
{
    uint8_t block[4096];
    size_t size = 0;
    char value[16];
    value_of(i, value);
    peat_rc rc = pt_table_read_block(f->tables[i], 0, block, sizeof block, &size);
    if (rc == PEAT_OK && memmem(block, size, value, strlen(value)) == NULL)
        return PEAT_CORRUPT;
    return rc;
}

static uint64_t files_held(fixture *f)
{
    return sim_get_held(f->sim).files;
}

static uint64_t opens(fixture *f)
{
    return sim_count(f->sim, SIM_BIT(SIM_FILE_OPEN));
}

/* Sets the process's limit so that tables may have `count` files open; the directory is one more.
 */
static void leave_descriptors(fixture *f, uint64_t count)
{
    sim_limit_files(f->sim, count + 1);
}

/* ---- without a shortage ---- */

static void files_stay_open_below_the_limit(void **state)
{
    fixture *f = *state;
    uint64_t before = opens(f);
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < TABLES; i++)
            assert_int_equal(read_table(f, i), PEAT_OK);
    assert_int_equal(opens(f) - before, TABLES);
    assert_int_equal(pt_table_files_count(&f->files), TABLES);
    assert_int_equal(files_held(f), TABLES);
}

static void no_more_than_the_limit_are_open(void **state)
{
    fixture *f = *state;
    f->files.limit = 2;
    for (int n = 0; n < 5 * TABLES; n++) {
        assert_int_equal(read_table(f, n * 5 % TABLES), PEAT_OK);
        assert_true(files_held(f) <= 2);
    }
    assert_int_equal(files_held(f), 2);
}

static void what_was_used_again_stays_before_what_was_not(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < TABLES; i++)
        assert_int_equal(read_table(f, i), PEAT_OK); /* the index and the block: used */
    f->files.limit = 3;
    assert_true(pt_table_files_relieve(&f->files)); /* 3 to 5 are left, not used since */
    assert_int_equal(read_table(f, 3), PEAT_OK);
    assert_int_equal(read_table(f, 0), PEAT_OK); /* takes the place of 4 */
    uint64_t before = opens(f);
    assert_int_equal(read_table(f, 3), PEAT_OK);
    assert_int_equal(read_table(f, 5), PEAT_OK);
    assert_int_equal(opens(f), before);
    assert_int_equal(read_table(f, 4), PEAT_OK);
    assert_int_equal(opens(f), before + 1);
}

static void a_freed_table_gives_its_place_back(void **state)
{
    fixture *f = *state;
    assert_int_equal(read_table(f, 0), PEAT_OK);
    assert_int_equal(read_table(f, 1), PEAT_OK);
    pt_table_free(f->tables[0]);
    f->tables[0] = NULL;
    assert_int_equal(pt_table_files_count(&f->files), 1);
    assert_int_equal(files_held(f), 1);
}

static void a_table_on_its_own_keeps_its_file(void **state)
{
    fixture *f = *state;
    pt_table *alone = NULL;
    assert_int_equal(
        pt_table_new(f->env, f->dir, &f->sink, &f->epoch, pt_table_get_meta(f->tables[0]), &alone),
        PEAT_OK);
    assert_int_equal(pt_table_load(alone, PT_SECTION_INDEX), PEAT_OK);
    assert_false(pt_table_files_relieve(&f->files));
    assert_int_equal(files_held(f), 1);
    pt_table_free(alone);
    assert_int_equal(files_held(f), 0);
}

/* ---- the system has none left ---- */

static void a_shortage_halves_what_is_open_and_reads_go_on(void **state)
{
    fixture *f = *state;
    leave_descriptors(f, 4);
    for (int i = 0; i < TABLES; i++)
        assert_int_equal(read_table(f, i), PEAT_OK);
    assert_int_equal(f->files.limit, 2);
    assert_int_equal(files_held(f), 2);
    assert_int_equal(read_table(f, 0), PEAT_OK);
    assert_int_equal(files_held(f), 2);
}

static void a_single_descriptor_is_enough(void **state)
{
    fixture *f = *state;
    leave_descriptors(f, 1);
    for (int n = 0; n < 3 * TABLES; n++)
        assert_int_equal(read_table(f, n % TABLES), PEAT_OK);
    uint64_t bytes = 0;
    assert_int_equal(pt_table_check(f->tables[3], NULL, NULL, &bytes), PEAT_OK);
    assert_true(bytes > 0);
}

static void without_any_the_read_fails_and_later_ones_do_not(void **state)
{
    fixture *f = *state;
    peat_error e;
    leave_descriptors(f, 0);
    assert_int_equal(read_table(f, 0), PEAT_IO);
    pt_sink_get(&f->sink, &e);
    assert_int_equal(e.os_errno, EMFILE);
    assert_non_null(strstr(e.message, "cannot open table t-000001"));
    leave_descriptors(f, 1);
    assert_int_equal(read_table(f, 0), PEAT_OK);
}

static void a_full_system_is_a_shortage_too(void **state)
{
    fixture *f = *state;
    assert_int_equal(read_table(f, 0), PEAT_OK);
    unsigned fault = sim_fault_add(
        f->sim, (sim_fault){.kinds = SIM_BIT(SIM_FILE_OPEN), .at = 1, .error = ENFILE});
    assert_int_equal(read_table(f, 1), PEAT_OK);
    assert_int_equal(sim_fault_hits(f->sim, fault), 1);
    assert_int_equal(files_held(f), 1);
}

static void another_error_closes_nothing(void **state)
{
    fixture *f = *state;
    assert_int_equal(read_table(f, 0), PEAT_OK);
    (void)sim_fault_add(f->sim,
                        (sim_fault){.kinds = SIM_BIT(SIM_FILE_OPEN), .at = 1, .error = EIO});
    assert_int_equal(read_table(f, 1), PEAT_IO);
    assert_int_equal(files_held(f), 1);
    assert_int_equal(f->files.limit, PT_TABLE_FILES_MAX);
}

static void relief_closes_half_and_says_when_there_is_nothing(void **state)
{
    fixture *f = *state;
    assert_false(pt_table_files_relieve(&f->files));
    assert_int_equal(f->files.limit, PT_TABLE_FILES_MAX);
    for (int i = 0; i < TABLES; i++)
        assert_int_equal(read_table(f, i), PEAT_OK);
    static const size_t left[] = {3, 1, 0};
    for (size_t i = 0; i < PT_COUNT_OF(left); i++) {
        assert_true(pt_table_files_relieve(&f->files));
        assert_int_equal(files_held(f), left[i]);
    }
    assert_false(pt_table_files_relieve(&f->files));
    assert_int_equal(read_table(f, 0), PEAT_OK);
}

static void the_limit_grows_again_in_quiet_times(void **state)
{
    fixture *f = *state;
    assert_int_equal(read_table(f, 0), PEAT_OK);
    assert_true(pt_table_files_relieve(&f->files));
    assert_int_equal(f->files.limit, 1);
    for (unsigned n = 0; n < PT_TABLE_FILES_CALM - 1; n++)
        assert_int_equal(read_table(f, n % 2 != 0), PEAT_OK);
    assert_int_equal(f->files.limit, 1);
    assert_int_equal(read_table(f, 2), PEAT_OK);
    assert_int_equal(f->files.limit, 2);
    f->files.limit = PT_TABLE_FILES_MAX;
    f->files.calm = PT_TABLE_FILES_CALM;
    assert_int_equal(read_table(f, 3), PEAT_OK);
    assert_int_equal(f->files.limit, PT_TABLE_FILES_MAX);
}

/* ---- threads ---- */

typedef struct call {
    fixture *f;
    int table;
    int reads;
    atomic_bool done;
    bool answer;
    peat_rc rc;
} call;

static void *run_read(void *arg)
{
    call *c = arg;
    c->rc = read_table(c->f, c->table);
    atomic_store(&c->done, true);
    return NULL;
}

static void *run_relief(void *arg)
{
    call *c = arg;
    c->answer = pt_table_files_relieve(&c->f->files);
    atomic_store(&c->done, true);
    return NULL;
}

static void wait_for_leaving(fixture *f)
{
    for (size_t leaving = 0; leaving == 0; (void)sched_yield()) {
        pt_mutex_lock(&f->files.mu);
        leaving = f->files.leaving;
        pt_mutex_unlock(&f->files.mu);
    }
}

/* The thread can go on only when the file that is in use is given back. */
static void wait_behind_a_reader(fixture *f, void *(*run)(void *), call *c)
{
    pthread_t thread;
    pt_file *file = NULL;
    assert_int_equal(pt_table_pin(f->tables[0], &file), PEAT_OK);
    assert_int_equal(pthread_create(&thread, NULL, run, c), 0);
    wait_for_leaving(f);
    assert_false(atomic_load(&c->done));
    uint64_t size = 0; /* the file is still good */
    assert_int_equal(f->env->file_size(f->env->ctx, file, &size), 0);
    assert_int_equal(size, pt_table_get_meta(f->tables[0])->file_bytes);
    pt_table_unpin(f->tables[0]);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_newcomer_waits_for_a_read_to_end(void **state)
{
    fixture *f = *state;
    call c = {.f = f, .table = 1};
    f->files.limit = 1;
    wait_behind_a_reader(f, run_read, &c);
    assert_int_equal(c.rc, PEAT_OK);
    assert_int_equal(files_held(f), 1);
    assert_int_equal(read_table(f, 0), PEAT_OK);
}

static void a_file_that_is_leaving_is_opened_again_behind_its_end(void **state)
{
    fixture *f = *state;
    call c = {.f = f, .table = 0}; /* the same table */
    pthread_t relief;
    call r = {.f = f};
    pt_file *file = NULL;
    assert_int_equal(pt_table_pin(f->tables[0], &file), PEAT_OK);
    assert_int_equal(pthread_create(&relief, NULL, run_relief, &r), 0);
    wait_for_leaving(f);
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, run_read, &c), 0);
    pt_table_unpin(f->tables[0]);
    assert_int_equal(pthread_join(relief, NULL), 0);
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_true(r.answer);
    assert_int_equal(c.rc, PEAT_OK);
    assert_int_equal(files_held(f), 1);
}

static void relief_waits_for_a_read_to_end(void **state)
{
    fixture *f = *state;
    call c = {.f = f};
    wait_behind_a_reader(f, run_relief, &c);
    assert_true(c.answer);
    assert_int_equal(files_held(f), 0);
}

static void *run_many(void *arg)
{
    call *c = arg;
    for (int n = 0; n < c->reads && c->rc == PEAT_OK; n++) {
        c->rc = read_table(c->f, (c->table + n) % TABLES);
        /* what the writers of a store do now and then */
        if (n % 50 == 0)
            (void)pt_table_files_relieve(&c->f->files);
    }
    return NULL;
}

static void many_readers_share_two_descriptors(void **state)
{
    fixture *f = *state;
    call calls[5];
    pthread_t threads[5];
    leave_descriptors(f, 2);
    for (int i = 0; i < 5; i++) {
        calls[i] = (call){.f = f, .table = i, .reads = 1000};
        assert_int_equal(pthread_create(&threads[i], NULL, run_many, &calls[i]), 0);
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(calls[i].rc, PEAT_OK);
    }
    assert_true(files_held(f) <= 2);
    assert_int_equal(f->files.leaving, 0);
    assert_int_equal(f->files.opening, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_stay_open_below_the_limit),
        TEST(no_more_than_the_limit_are_open),
        TEST(what_was_used_again_stays_before_what_was_not),
        TEST(a_freed_table_gives_its_place_back),
        TEST(a_table_on_its_own_keeps_its_file),
        TEST(a_shortage_halves_what_is_open_and_reads_go_on),
        TEST(a_single_descriptor_is_enough),
        TEST(without_any_the_read_fails_and_later_ones_do_not),
        TEST(a_full_system_is_a_shortage_too),
        TEST(another_error_closes_nothing),
        TEST(relief_closes_half_and_says_when_there_is_nothing),
        TEST(the_limit_grows_again_in_quiet_times),
        TEST(a_newcomer_waits_for_a_read_to_end),
        TEST(a_file_that_is_leaving_is_opened_again_behind_its_end),
        TEST(relief_waits_for_a_read_to_end),
        TEST(many_readers_share_two_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
