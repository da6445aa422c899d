/* SPDX-License-Identifier: MIT */
/* test_open.c - options, defaults, opening again, closing, destroying. */
#include "world/kit.h"
#include "world/files.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

TEST(a_store_with_all_defaults_works_on_the_real_disk)
{
    char dir[256];
    peat_db *db = NULL;
    peat_buf buf = PEAT_BUF_INIT;
    files_new_dir(dir);
    assert_ok(peat_open(dir, NULL, &db, NULL));
    assert_ok(peat_put(db, NULL, peat_str("a"), peat_str("1")));
    assert_ok(peat_get(db, NULL, peat_str("a"), &buf));
    assert_ok(peat_close(db));
    db = NULL;
    assert_ok(peat_open(dir, NULL, &db, NULL));
    assert_ok(peat_get(db, NULL, peat_str("a"), &buf));
    expect_bytes(buf.data, buf.size, "1");
    assert_ok(peat_close(db));
    assert_ok(peat_destroy(dir, NULL));
    assert_int_not_equal(access(dir, F_OK), 0);
    assert_int_equal(peat_destroy(dir, NULL), PEAT_NOT_FOUND);
    peat_buf_free(&buf);
}

TEST(destroying_leaves_other_files_alone)
{
    char dir[256];
    peat_db *db = NULL;
    peat_error error;
    files_new_dir(dir);
    assert_ok(peat_open(dir, NULL, &db, NULL));
    assert_ok(peat_put(db, NULL, peat_str("a"), peat_str("1")));
    assert_ok(peat_close(db));
    files_write(dir, "letter.txt", "Dear Anna,", 10);
    (void)!peat_destroy(dir, &error);
    picture p = files_look(dir);
    assert_int_equal(p.count, 1);
    assert_string_equal(p.file[0].name, "letter.txt");
    files_forget(&p);
    files_remove_dir(dir);
}

TEST_NEW(everything_is_there_after_many_opens)
{
    char key[32];
    for (int i = 0; i < 40; i++) {
        kit_must_open(k);
        assert_int_equal(count_all(k->db), i);
        (void)snprintf(key, sizeof key, "%04d", i);
        put(k, key, key);
        if (i % 5 == 0)
            assert_ok(peat_flush(k->db));
        kit_close(k);
    }
    kit_must_open(k);
}

TEST_NEW(options_that_make_no_sense_are_refused_by_name)
{
    static const struct {
        const char *name;
        peat_options options;
    } cases[] = {
        {"memory_bytes", {.size = sizeof(peat_options), .memory_bytes = PEAT_MEMORY_BYTES_MIN - 1}},
        {"space_target", {.size = sizeof(peat_options), .space_target = 1.04}},
        {"space_target", {.size = sizeof(peat_options), .space_target = 10.1}},
        {"space_target", {.size = sizeof(peat_options), .space_target = -2}},
        {"threads", {.size = sizeof(peat_options), .threads = -2}},
        {"threads", {.size = sizeof(peat_options), .threads = PEAT_THREADS_MAX + 1}},
        {"compression", {.size = sizeof(peat_options), .compression = (peat_compression)9}},
        {"create", {.size = sizeof(peat_options), .create = (peat_create)2}},
        {"size", {.size = 0}},
        {"size", {.size = sizeof(peat_options) + 8}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        k->options = cases[i].options;
        assert_int_equal(kit_open(k), PEAT_INVALID);
        if (strstr(k->error.message, cases[i].name) == NULL)
            fail_msg("case %zu does not name %s: %s", i, cases[i].name, k->error.message);
    }
    assert_int_equal(sim_count(k->sim, SIM_CHANGES), 0);
    k->options = (peat_options){.size = sizeof k->options, .threads = PEAT_THREADS_NONE};
}

TEST_NEW(options_at_their_limits_work)
{
    static const peat_options cases[] = {
        {.memory_bytes = PEAT_MEMORY_BYTES_MIN, .threads = -1},
        {.memory_bytes = PEAT_MEMORY_BYTES_MIN + 1, .space_target = PEAT_SPACE_TARGET_MIN},
        {.space_target = PEAT_SPACE_TARGET_MAX, .threads = PEAT_THREADS_MAX},
        {.sync_interval_ms = 1, .threads = 1, .compression = PEAT_COMPRESSION_NONE},
        {.sync_interval_ms = UINT32_MAX, .compression = PEAT_COMPRESSION_LZ4},
        {.no_log = true, .create = PEAT_CREATE_NEVER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        k->options = cases[i];
        k->options.size = sizeof k->options;
        kit_must_open(k);
        put_many(k, 300, 50);
        assert_int_equal(count_all(k->db), 300);
        kit_close(k);
    }
    k->options = (peat_options){.size = sizeof k->options, .threads = PEAT_THREADS_NONE};
}

TEST_NEW(hosts_and_test_options_of_a_wrong_size_are_refused)
{
    k->host.size = 4;
    assert_int_equal(kit_open(k), PEAT_INVALID);
    k->host.size = sizeof k->host;
    k->test.size = 4;
    assert_int_equal(kit_open(k), PEAT_INVALID);
    k->test.size = sizeof k->test;
    kit_must_open(k);
}

TEST_NEW(null_arguments_are_invalid)
{
    assert_int_equal(peat_open(NULL, NULL, &k->db, &k->error), PEAT_INVALID);
    assert_int_equal(k->error.rc, PEAT_INVALID);
    assert_int_equal(peat_open("store", NULL, NULL, NULL), PEAT_INVALID);
    assert_int_equal(peat_open("", NULL, &k->db, NULL) < 0, true);
    assert_int_equal(peat_destroy(NULL, NULL), PEAT_INVALID);
    assert_null(k->db);
    assert_ok(peat_close(NULL));
}

/* Without a clean close; the batches of the last open are in the log. */
TEST_NEW(what_was_not_closed_is_recovered)
{
    kit_must_open(k);
    put_many(k, 100, 20);
    kit_kill(k);
    kit_must_open(k);
    assert_int_equal(count_all(k->db), 100);
    assert_int_equal(stats_of(k->db).recovered_records, 100);
    assert_true(stats_of(k->db).recovered_bytes > 2000);
    assert_ok(peat_flush(k->db)); /* a close leaves a little in the log; a flush leaves nothing */
    kit_reopen(k);
    assert_int_equal(stats_of(k->db).recovered_records, 0);
}

TEST_NEW(two_stores_do_not_disturb_each_other)
{
    peat_db *second = NULL;
    kit_must_open(k);
    assert_ok(peat_open("second", &k->options, &second, NULL));
    put(k, "a", "1");
    assert_ok(peat_put(second, NULL, peat_str("b"), peat_str("2")));
    expect_absent(k, "b");
    assert_int_equal(peat_exists(second, NULL, peat_str("a")), PEAT_NOT_FOUND);
    assert_ok(peat_close(second));
}

TEST_NEW(few_file_descriptors_are_enough)
{
    make_tiny(k);
    sim_limit_files(k->sim, 16);
    kit_must_open(k);
    put_many(k, 4000, 60);
    assert_int_equal(count_all(k->db), 4000);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    assert_int_equal(count_all(k->db), 4000);
    kit_close(k);
    kit_must_open(k);
    assert_int_equal(count_all(k->db), 4000);
    peat_check_report report = {.size = sizeof report};
    assert_ok(peat_check(k->db, NULL, &report));
    assert_true(report.files > 16);
    assert_true(sim_get_held(k->sim).files < 16);
}

/* --- closing beside a call --- */

static struct {
    peat_env env;
    void *(*resize)(void *ctx, void *p, size_t size);
    peat_db *db;
    peat_buf buf;
    peat_rc rc;
    atomic_bool armed, inside, closed, closed_early;
} beside;

/* The get has found its value, and asks for room. The other thread has long enough to close. */
static void *resize_beside(void *ctx, void *p, size_t size)
{
    if (atomic_exchange(&beside.armed, false)) {
        atomic_store(&beside.inside, true);
        for (int i = 0; i < 100000 && !atomic_load(&beside.closed); i++)
            (void)sched_yield();
        atomic_store(&beside.closed_early, atomic_load(&beside.closed));
    }
    return beside.resize(ctx, p, size);
}

static void *get_beside(void *arg)
{
    (void)arg;
    beside.rc = peat_get(beside.db, NULL, peat_str("a"), &beside.buf);
    return NULL;
}

TEST_NEW(a_close_waits_for_a_get_that_makes_room_for_its_value)
{
    pthread_t thread;
    char value[500] = {0};
    beside.env = *k->host.env;
    beside.resize = beside.env.resize;
    beside.env.resize = resize_beside;
    k->host.env = &beside.env;
    kit_must_open(k);
    assert_ok(peat_put(k->db, NULL, peat_str("a"), peat_bytes(value, sizeof value)));
    beside.db = k->db;
    k->db = NULL;
    atomic_store(&beside.armed, true);
    assert_int_equal(pthread_create(&thread, NULL, get_beside, NULL), 0);
    while (!atomic_load(&beside.inside))
        (void)sched_yield();
    peat_rc rc = peat_close(beside.db);
    atomic_store(&beside.closed, true);
    (void)pthread_join(thread, NULL);
    assert_ok(rc);
    assert_false(atomic_load(&beside.closed_early));
    assert_ok(beside.rc);
    assert_int_equal(beside.buf.size, sizeof value);
    peat_buf_free(&beside.buf);
}
