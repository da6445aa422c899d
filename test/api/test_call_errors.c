/* SPDX-License-Identifier: MIT */
/* test_call_errors.c - peat_call_error: why the last call of this thread failed. */
#include "world/kit.h"

#include <pthread.h>

static void expect_error(peat_db *db, peat_rc rc, const char *text)
{
    peat_error error;
    if (peat_call_error(db, &error) != rc || error.rc != rc || strstr(error.message, text) == NULL)
        fail_msg("expected %s with \"%s\", found %s: %s", peat_rc_name(rc), text,
                 peat_rc_name(error.rc), error.message);
}

#define expect_refused(k, call, rc, text)                                                          \
    do {                                                                                           \
        assert_int_equal((call), (rc));                                                            \
        expect_error((k)->db, (rc), (text));                                                       \
    } while (0)

TEST_OPEN(a_refused_argument_is_named)
{
    peat_slice bad = peat_bytes(NULL, 3), a = peat_str("a");
    peat_slice large = peat_bytes("", PEAT_KEY_SIZE_MAX + 1), huge = peat_bytes("", SIZE_MAX / 2);
    peat_write_options w = {.size = 3};
    peat_read_options r = {.size = 3};
    peat_progress p = {.size = 3};
    peat_iter_options o = {.size = sizeof o, .prefix = bad};
    peat_statistics stats = {.size = 0};
    peat_iter *it = NULL;
    peat_row rows[1];
    bool there;
    size_t n;
    expect_error(k->db, PEAT_OK, "");
    expect_refused(k, peat_put(k->db, NULL, bad, a), PEAT_INVALID,
                   "peat_put: key: data is NULL, but size is not 0");
    expect_refused(k, peat_put(k->db, NULL, a, bad), PEAT_INVALID, "peat_put: value: ");
    expect_refused(k, peat_put(k->db, NULL, large, a), PEAT_TOO_BIG,
                   "peat_put: key: 65536 bytes are more than 65535");
    expect_refused(k, peat_put(k->db, NULL, a, huge), PEAT_TOO_BIG, "peat_put: value: ");
    expect_refused(k, peat_put(k->db, &w, a, a), PEAT_INVALID, "peat_put: options: size");
    expect_refused(k, peat_delete(k->db, NULL, peat_str(NULL)), PEAT_INVALID, "peat_delete: key: ");
    expect_refused(k, peat_get(k->db, &r, a, &k->buf), PEAT_INVALID, "peat_get: options: size");
    expect_refused(k, peat_get(k->db, NULL, a, NULL), PEAT_INVALID, "peat_get: there is nowhere");
    expect_refused(k, peat_exists(k->db, NULL, large), PEAT_TOO_BIG, "peat_exists: key: ");
    expect_refused(k, peat_has(k->db, NULL, bad, &there), PEAT_INVALID, "peat_has: key: ");
    expect_refused(k, peat_write(k->db, NULL, NULL), PEAT_INVALID, "peat_write: batch is NULL");
    expect_refused(k, peat_snapshot_open(k->db, NULL), PEAT_INVALID, "ret_snapshot is NULL");
    expect_refused(k, peat_iter_open(k->db, &o, &it), PEAT_INVALID,
                   "peat_iter_open: options: prefix: ");
    o = (peat_iter_options){.size = sizeof o, .upper = bad};
    expect_refused(k, peat_iter_open(k->db, &o, &it), PEAT_INVALID,
                   "peat_iter_open: options: upper: ");
    assert_ok(peat_iter_open(k->db, NULL, &it));
    expect_refused(k, peat_iter_seek(it, bad), PEAT_INVALID, "peat_iter_seek: key: ");
    expect_refused(k, peat_iter_seek_for_prev(it, huge), PEAT_TOO_BIG, "peat_iter_seek_for_prev: ");
    expect_refused(k, peat_iter_fill_back(it, rows, 0, &n), PEAT_INVALID, "peat_iter_fill_back: ");
    peat_iter_close(it);
    expect_refused(k, peat_compact(k->db, a, bad, NULL), PEAT_INVALID, "peat_compact: upper: ");
    expect_refused(k, peat_compact(k->db, a, a, &p), PEAT_INVALID, "peat_compact: progress: size");
    expect_refused(k, peat_approximate_size(k->db, bad, a, NULL), PEAT_INVALID, "nowhere");
    expect_refused(k, peat_stats(k->db, &stats), PEAT_INVALID, "peat_stats: ret_stats");
    expect_refused(k, peat_stats_json(k->db, NULL), PEAT_INVALID, "ret_json is NULL");
    expect_refused(k, peat_shape(k->db, NULL, NULL), PEAT_INVALID, "peat_shape: fn is NULL");
    expect_refused(k, peat_export(k->db, NULL, NULL, NULL), PEAT_INVALID,
                   "peat_export: fn is NULL");
    expect_refused(k, peat_export_fd(k->db, NULL, -1), PEAT_INVALID, "peat_export_fd: fd");
    assert_ok(peat_db_error(k->db, &k->error)); /* no trouble of the store's */
    assert_ok(peat_put(k->db, NULL, a, a));
    expect_error(k->db, PEAT_INVALID, "peat_export_fd: fd"); /* still the last that failed */
}

TEST_OPEN(a_null_handle_has_nobody_to_ask)
{
    assert_int_equal(peat_put(NULL, NULL, peat_str("a"), peat_str("a")), PEAT_INVALID);
    assert_int_equal(peat_call_error(NULL, &k->error), PEAT_INVALID);
    assert_string_equal(k->error.message, "the handle is NULL");
    assert_int_equal(peat_call_error(k->db, NULL), PEAT_INVALID);
    expect_error(k->db, PEAT_OK, "");
}

TEST_OPEN(a_snapshot_of_another_store_is_named)
{
    peat_db *second = NULL;
    peat_snapshot *snapshot = NULL;
    assert_ok(peat_open("second", &k->options, &second, NULL));
    assert_ok(peat_snapshot_open(second, &snapshot));
    peat_read_options r = {.size = sizeof r, .snapshot = snapshot};
    expect_refused(k, peat_get(k->db, &r, peat_str("a"), &k->buf), PEAT_INVALID,
                   "peat_get: options.snapshot: of another store");
    assert_ok(peat_close(second));
    expect_refused(k, peat_get(k->db, &r, peat_str("a"), &k->buf), PEAT_CLOSED, "is closed");
    peat_snapshot_close(snapshot);
}

/* Each of two calls that fail for different reasons has its own, the store keeps the first. */
TEST_OPEN(trouble_of_the_disk_is_told_for_each_call)
{
    put_many(k, 2000, 100);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    kit_reopen(k);
    sim_fail(k->sim, .kinds = SIM_BIT(SIM_FILE_READ), .error = EIO, .sticky = true);
    expect_refused(k, peat_get(k->db, NULL, peat_str("key-000100"), &k->buf), PEAT_IO, "t-");
    sim_faults_clear(k->sim);
    expect_refused(k, peat_get(k->db, NULL, peat_str(NULL), &k->buf), PEAT_INVALID, "key");
    sim_fail(k->sim, .kinds = SIM_BIT(SIM_FILE_READ), .error = EIO, .sticky = true);
    peat_iter *it = NULL;
    assert_ok(peat_iter_open(k->db, NULL, &it));
    expect_refused(k, peat_iter_first(it), PEAT_IO, "t-");
    expect_refused(k, peat_iter_next(it), PEAT_IO, "t-");
    sim_faults_clear(k->sim);
    sim_fail(k->sim, .kinds = SIM_BIT(SIM_ALLOC), .error = ENOMEM, .sticky = true);
    peat_snapshot *snapshot = NULL;
    expect_refused(k, peat_snapshot_open(k->db, &snapshot), PEAT_NOMEM,
                   peat_rc_text(PEAT_NOMEM)); /* not the text of an earlier call */
    sim_faults_clear(k->sim);
    peat_iter_close(it);
    assert_int_equal(peat_db_error(k->db, &k->error), PEAT_IO);
}

TEST_OPEN(a_refused_write_tells_what_stopped_the_writes)
{
    assert_ok(peat_put(k->db, &synced, peat_str("a"), peat_str("0"))); /* the log has its segment */
    sim_fail(k->sim, .kinds = SIM_BIT(SIM_FILE_SYNC), .error = EIO, .sticky = true);
    assert_int_equal(peat_put(k->db, &synced, peat_str("a"), peat_str("1")), PEAT_IO);
    peat_error first, again;
    assert_int_equal(peat_call_error(k->db, &first), PEAT_IO);
    assert_int_not_equal(first.message[0], '\0');
    assert_int_equal(peat_put(k->db, NULL, peat_str("a"), peat_str("2")), PEAT_IO);
    assert_int_equal(peat_call_error(k->db, &again), PEAT_IO);
    assert_string_equal(again.message, first.message);
    assert_int_equal(again.os_errno, EIO);
    assert_int_equal(peat_close(k->db), PEAT_IO);
    k->db = NULL;
}

/* A thread that only succeeds has nothing to tell, whatever others are told. */
static void *succeed(void *arg)
{
    kit *k = arg;
    peat_error error;
    bool there;
    if (peat_has(k->db, NULL, peat_str("a"), &there) != PEAT_OK ||
        peat_call_error(k->db, &error) != PEAT_OK)
        return "told what another thread did";
    if (peat_has(k->db, NULL, peat_str(NULL), &there) != PEAT_INVALID ||
        peat_call_error(k->db, &error) != PEAT_INVALID || strstr(error.message, "peat_has") == NULL)
        return "not told its own";
    return NULL;
}

TEST_OPEN(each_thread_is_told_its_own)
{
    pthread_t thread;
    void *wrong = NULL;
    expect_refused(k, peat_put(k->db, NULL, peat_str(NULL), peat_str("")), PEAT_INVALID,
                   "peat_put");
    assert_int_equal(pthread_create(&thread, NULL, succeed, k), 0);
    assert_int_equal(pthread_join(thread, &wrong), 0);
    if (wrong != NULL)
        fail_msg("%s", (const char *)wrong);
    expect_error(k->db, PEAT_INVALID, "peat_put");
}
