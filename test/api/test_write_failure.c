/* SPDX-License-Identifier: MIT */
/*
 * test_write_failure.c - after a failed sync of the manifest every write is refused at once, with
 * and without a log, until the store is opened again; reads go on. When it was a thread of the
 * store that failed, an event tells of it.
 */
#include "world/kit.h"

#include <sched.h>
#include <stdatomic.h>

static peat_rc get(kit *k, const char *key)
{
    return peat_get(k->db, NULL, peat_str(key), &k->buf);
}

static void fail_a_flush(kit *k)
{
    assert_ok(peat_put(k->db, NULL, peat_str("before"), peat_str("1")));
    sim_fail(k->sim, .kinds = SIM_BIT(SIM_FILE_SYNC), .error = EIO, .name_prefix = "m-");
    assert_int_equal(peat_flush(k->db), PEAT_IO);
    sim_faults_clear(k->sim);
}

static void expect_refusal(kit *k)
{
    peat_batch *batch = NULL;
    assert_ok(peat_batch_new(&batch));
    assert_ok(peat_batch_put(batch, peat_str("batch"), peat_str("2")));
    assert_int_equal(peat_put(k->db, NULL, peat_str("after"), peat_str("2")), PEAT_IO);
    assert_int_equal(peat_delete(k->db, NULL, peat_str("before")), PEAT_IO);
    assert_int_equal(peat_write(k->db, NULL, batch), PEAT_IO);
    assert_int_equal(peat_sync(k->db), PEAT_IO);
    peat_batch_free(batch);
    assert_ok(get(k, "before"));
    assert_int_equal(get(k, "after"), PEAT_NOT_FOUND);
    assert_int_equal(get(k, "batch"), PEAT_NOT_FOUND);
}

/* A fenced store says so once more; the next one takes writes. */
static void expect_mended(kit *k)
{
    (void)!peat_close(k->db);
    kit_must_open(k);
    put(k, "after", "3");
    expect_get(k, "after", "3");
}

TEST_OPEN(a_failed_manifest_refuses_writes_until_reopen)
{
    fail_a_flush(k);
    expect_refusal(k);
    expect_mended(k);
}

/* Waiting for room does not mend it, so it is not told as a lack of room. */
TEST(a_sync_without_room_refuses_writes_as_any_other)
{
    static const int errors[] = {ENOSPC, EDQUOT, ENOMEM, EIO};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        kit other;
        peat_error e;
        kit_begin(&other, sim_new(sim_seed(1)));
        kit_must_open(&other);
        put(&other, "before", "1");
        sim_fail(other.sim, .kinds = SIM_BIT(SIM_FILE_SYNC), .error = errors[i],
                 .name_prefix = "w-");
        assert_int_equal(peat_put(other.db, &synced, peat_str("before"), peat_str("2")), PEAT_IO);
        assert_int_equal(peat_call_error(other.db, &e), PEAT_IO);
        assert_int_equal(e.rc, PEAT_IO);
        assert_int_equal(e.os_errno, errors[i]);
        sim_faults_clear(other.sim);
        expect_refusal(&other);
        expect_mended(&other);
        kit_done(&other);
    }
}

TEST_NEW(without_a_log_too)
{
    k->options.no_log = true;
    kit_must_open(k);
    fail_a_flush(k);
    expect_refusal(k);
    expect_mended(k);
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

static void see_errors(kit *k, errors_seen *seen)
{
    k->host.event_fn = see_error;
    k->host.event_ctx = seen;
}

static void open_with_thread(kit *k, errors_seen *seen)
{
    see_errors(k, seen);
    k->options.threads = 1;
    k->options.sync_interval_ms = 1;
    kit_must_open(k);
}

/* The next sync of the manifest fails; a thread comes to it, as nobody else does. */
static unsigned break_manifest(kit *k)
{
    return sim_fail(k->sim, .kinds = SIM_BIT(SIM_FILE_SYNC), .error = EIO, .name_prefix = "m-");
}

static void expect_told(kit *k, unsigned fault, const errors_seen *seen)
{
    while (sim_fault_hits(k->sim, fault) == 0)
        (void)sched_yield();
    assert_int_equal(peat_close(k->db), PEAT_IO); /* no thread runs any more */
    assert_int_equal(sim_fault_hits(k->sim, fault), 1);
    assert_true(atomic_load(&seen->count) >= 1);
    assert_int_equal(seen->rc, PEAT_IO);
    assert_non_null(strstr(seen->message, "m-000001 cannot be synced"));
    k->db = NULL;
}

TEST_NEW(a_promise_that_fails_after_the_interval_is_told)
{
    errors_seen seen = {0};
    open_with_thread(k, &seen);
    unsigned fault = break_manifest(k);
    put(k, "a", "1");
    expect_told(k, fault, &seen);
}

/* What was synced is, and the sync succeeds: the event alone tells, and before the call returns. */
TEST_NEW(a_promise_that_fails_behind_a_sync_is_told_at_once)
{
    errors_seen seen = {0};
    see_errors(k, &seen);
    kit_must_open(k);
    unsigned fault = break_manifest(k);
    put(k, "a", "1");
    assert_int_equal(atomic_load(&seen.count), 0);
    assert_ok(peat_sync(k->db));
    assert_int_equal(atomic_load(&seen.count), 1);
    expect_told(k, fault, &seen);
}

/* All is in tables: an idle store lets go of the log. */
TEST_NEW(an_emptied_log_that_fails_is_told)
{
    errors_seen seen = {0};
    static char value[3000];
    k->test.segment_bytes = 8192;
    open_with_thread(k, &seen);
    for (int i = 0; i < 20; i++)
        assert_ok(peat_put(k->db, &synced, peat_str("a"), peat_bytes(value, sizeof value)));
    assert_ok(peat_flush(k->db));
    unsigned fault = break_manifest(k);
    expect_told(k, fault, &seen);
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
TEST_NEW(a_rewrite_of_the_manifest_that_fails_is_told)
{
    errors_seen seen = {0};
    bool armed = false;
    k->test.table_bytes = 4096;
    see_errors(k, &seen);
    kit_must_open(k);
    sim_hook_set(k->sim, break_rewrite, &armed);
    for (int i = 0; i < 1000 && !armed; i++) {
        put(k, "a", "1");
        assert_ok(peat_flush(k->db));
        if (!armed)
            assert_ok(peat_work(k->db, 1, NULL));
    }
    sim_hook_set(k->sim, NULL, NULL);
    assert_true(armed);
    assert_int_equal(atomic_load(&seen.count), 1);
    assert_int_equal(seen.rc, PEAT_IO);
    assert_non_null(strstr(seen.message, "PEAT cannot be synced"));
    assert_int_equal(peat_put(k->db, NULL, peat_str("a"), peat_str("2")), PEAT_IO);
    assert_ok(get(k, "a"));
    sim_faults_clear(k->sim);
    expect_mended(k);
    kit_close(k); /* while there is somebody to tell */
}
