/* SPDX-License-Identifier: MIT */
/*
 * test_write_failure.c - after a failed sync of the manifest every write is refused at once, with
 * and without a log, until the store is opened again; reads go on. When it was a thread of the
 * store that failed, an event tells of it.
 */
#include "peat.h"
#include "world/sim.h"

#include <sched.h>
#include <stdatomic.h>

typedef struct site {
    sim_env *sim;
    peat_host host;
    peat_options options;
    peat_db *db;
} site;

static void site_open(site *s, bool no_log)
{
    *s = (site){.sim = sim_new(sim_seed(1))};
    s->host = (peat_host){.size = sizeof s->host, .env = sim_peat(s->sim)};
    s->options = (peat_options){.size = sizeof s->options,
                                .threads = PEAT_THREADS_NONE,
                                .no_log = no_log,
                                .host = &s->host};
    assert_ok(peat_open("db", &s->options, &s->db, NULL));
}

static peat_rc get(site *s, const char *key)
{
    peat_buf value = PEAT_BUF_INIT;
    peat_rc rc = peat_get(s->db, NULL, peat_str(key), &value);
    peat_buf_free(&value);
    return rc;
}

static void fail_a_flush(site *s)
{
    assert_ok(peat_put(s->db, NULL, peat_str("before"), peat_str("1")));
    sim_fail(s->sim, .kinds = SIM_BIT(SIM_FILE_SYNC), .error = EIO, .name_prefix = "m-");
    assert_int_equal(peat_flush(s->db), PEAT_IO);
    sim_faults_clear(s->sim);
}

static void expect_refusal(site *s)
{
    peat_batch *batch = NULL;
    assert_ok(peat_batch_new(&batch));
    assert_ok(peat_batch_put(batch, peat_str("batch"), peat_str("2")));
    assert_int_equal(peat_put(s->db, NULL, peat_str("after"), peat_str("2")), PEAT_IO);
    assert_int_equal(peat_delete(s->db, NULL, peat_str("before")), PEAT_IO);
    assert_int_equal(peat_write(s->db, NULL, batch), PEAT_IO);
    assert_int_equal(peat_sync(s->db), PEAT_IO);
    peat_batch_free(batch);
    assert_ok(get(s, "before"));
    assert_int_equal(get(s, "after"), PEAT_NOT_FOUND);
    assert_int_equal(get(s, "batch"), PEAT_NOT_FOUND);
}

static void site_close(site *s)
{
    (void)!peat_close(s->db); /* a fenced store says so once more */
    assert_ok(peat_open("db", &s->options, &s->db, NULL));
    assert_ok(peat_put(s->db, NULL, peat_str("after"), peat_str("3")));
    assert_ok(get(s, "after"));
    assert_ok(peat_close(s->db));
    sim_end(s->sim);
}

TEST(a_failed_manifest_refuses_writes_until_reopen)
{
    site s;
    site_open(&s, false);
    fail_a_flush(&s);
    expect_refusal(&s);
    site_close(&s);
}

/* Waiting for room does not mend it, so it is not told as a lack of room. */
TEST(a_sync_without_room_refuses_writes_as_any_other)
{
    static const int errors[] = {ENOSPC, EDQUOT, ENOMEM, EIO};
    const peat_write_options sync = {.size = sizeof sync, .sync = true};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        site s;
        peat_error e;
        site_open(&s, false);
        assert_ok(peat_put(s.db, NULL, peat_str("before"), peat_str("1")));
        sim_fail(s.sim, .kinds = SIM_BIT(SIM_FILE_SYNC), .error = errors[i], .name_prefix = "w-");
        assert_int_equal(peat_put(s.db, &sync, peat_str("before"), peat_str("2")), PEAT_IO);
        assert_int_equal(peat_call_error(s.db, &e), PEAT_IO);
        assert_int_equal(e.rc, PEAT_IO);
        assert_int_equal(e.os_errno, errors[i]);
        sim_faults_clear(s.sim);
        expect_refusal(&s);
        site_close(&s);
    }
}

TEST(without_a_log_too)
{
    site s;
    site_open(&s, true);
    fail_a_flush(&s);
    expect_refusal(&s);
    site_close(&s);
}

/* --- in a thread --- */

typedef struct errors_seen {
    atomic_int count;
    peat_rc rc;
    char message[160]; /* of the first; read when no thread runs */
} errors_seen;

static void see_error(void *ctx, const peat_event *e)
{
    errors_seen *seen = ctx;
    if (e->kind != PEAT_EVENT_ERROR || atomic_fetch_add(&seen->count, 1) != 0)
        return;
    seen->rc = e->rc;
    (void)snprintf(seen->message, sizeof seen->message, "%s", e->message);
}

static void site_open_with_thread(site *s, const peat_test_options *test, errors_seen *seen)
{
    *s = (site){.sim = sim_new(sim_seed(1))};
    s->host = (peat_host){
        .size = sizeof s->host, .env = sim_peat(s->sim), .event_fn = see_error, .event_ctx = seen};
    s->options = (peat_options){.size = sizeof s->options,
                                .threads = 1,
                                .sync_interval_ms = 1,
                                .host = &s->host,
                                .test = test};
    assert_ok(peat_open("db", &s->options, &s->db, NULL));
}

/* The next sync of the manifest fails; a thread comes to it, as nobody else does. */
static unsigned break_manifest(site *s)
{
    return sim_fail(s->sim, .kinds = SIM_BIT(SIM_FILE_SYNC), .error = EIO, .name_prefix = "m-");
}

static void expect_told(site *s, unsigned fault, const errors_seen *seen)
{
    while (sim_fault_hits(s->sim, fault) == 0)
        (void)sched_yield();
    assert_int_equal(peat_close(s->db), PEAT_IO); /* no thread runs any more */
    assert_int_equal(sim_fault_hits(s->sim, fault), 1);
    assert_true(atomic_load(&seen->count) >= 1);
    assert_int_equal(seen->rc, PEAT_IO);
    assert_non_null(strstr(seen->message, "m-000001 cannot be synced"));
    sim_end(s->sim);
}

TEST(a_promise_that_fails_after_the_interval_is_told)
{
    site s;
    errors_seen seen = {0};
    site_open_with_thread(&s, NULL, &seen);
    unsigned fault = break_manifest(&s);
    assert_ok(peat_put(s.db, NULL, peat_str("a"), peat_str("1")));
    expect_told(&s, fault, &seen);
}

/* What was synced is, and the sync succeeds: the event alone tells, and before the call returns. */
TEST(a_promise_that_fails_behind_a_sync_is_told_at_once)
{
    site s = {.sim = sim_new(sim_seed(1))};
    errors_seen seen = {0};
    s.host = (peat_host){
        .size = sizeof s.host, .env = sim_peat(s.sim), .event_fn = see_error, .event_ctx = &seen};
    s.options =
        (peat_options){.size = sizeof s.options, .threads = PEAT_THREADS_NONE, .host = &s.host};
    assert_ok(peat_open("db", &s.options, &s.db, NULL));
    unsigned fault = break_manifest(&s);
    assert_ok(peat_put(s.db, NULL, peat_str("a"), peat_str("1")));
    assert_int_equal(atomic_load(&seen.count), 0);
    assert_ok(peat_sync(s.db));
    assert_int_equal(atomic_load(&seen.count), 1);
    expect_told(&s, fault, &seen);
}

/* All is in tables: an idle store lets go of the log. */
TEST(an_emptied_log_that_fails_is_told)
{
    site s;
    errors_seen seen = {0};
    peat_test_options test = {.size = sizeof test, .segment_bytes = 8192};
    peat_write_options sync = {.size = sizeof sync, .sync = true};
    static char value[3000];
    site_open_with_thread(&s, &test, &seen);
    for (int i = 0; i < 20; i++)
        assert_ok(peat_put(s.db, &sync, peat_str("a"), peat_bytes(value, sizeof value)));
    assert_ok(peat_flush(s.db));
    unsigned fault = break_manifest(&s);
    expect_told(&s, fault, &seen);
}

/* --- a rewrite of the manifest --- */

/* The superblock's next sync fails once the new manifest is being made. */
static void break_rewrite(void *arg, sim_env *sim, const sim_boundary *b)
{
    bool *armed = arg;
    if (*armed || b->kind != SIM_FILE_CREATE || strcmp(b->name, "m-000002") != 0)
        return;
    *armed = true;
    sim_fail(sim, .kinds = SIM_BIT(SIM_FILE_SYNC), .error = EIO, .name_prefix = "PEAT");
}

/* What was to be installed is durable, and its unit has not failed: only the event tells. */
TEST(a_rewrite_of_the_manifest_that_fails_is_told)
{
    site s = {.sim = sim_new(sim_seed(1))};
    errors_seen seen = {0};
    bool armed = false;
    peat_test_options test = {.size = sizeof test, .table_bytes = 4096};
    s.host = (peat_host){
        .size = sizeof s.host, .env = sim_peat(s.sim), .event_fn = see_error, .event_ctx = &seen};
    s.options = (peat_options){
        .size = sizeof s.options, .threads = PEAT_THREADS_NONE, .host = &s.host, .test = &test};
    assert_ok(peat_open("db", &s.options, &s.db, NULL));
    sim_hook_set(s.sim, break_rewrite, &armed);
    for (int i = 0; i < 1000 && !armed; i++) {
        assert_ok(peat_put(s.db, NULL, peat_str("a"), peat_str("1")));
        assert_ok(peat_flush(s.db));
        if (!armed)
            assert_ok(peat_work(s.db, 1, NULL));
    }
    sim_hook_set(s.sim, NULL, NULL);
    assert_true(armed);
    assert_int_equal(atomic_load(&seen.count), 1);
    assert_int_equal(seen.rc, PEAT_IO);
    assert_non_null(strstr(seen.message, "PEAT cannot be synced"));
    assert_int_equal(peat_put(s.db, NULL, peat_str("a"), peat_str("2")), PEAT_IO);
    assert_ok(get(&s, "a"));
    sim_faults_clear(s.sim);
    site_close(&s);
}
