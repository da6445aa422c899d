/* SPDX-License-Identifier: MIT */
/* test_read_only.c - a store that is only read: all of it is there and not a byte is written. */
#include "world/kit.h"

/* A store with tables and an unflushed log, as a killed process leaves it. */
static void make_unclean_store(kit *k)
{
    make_tiny(k);
    kit_must_open(k);
    put_many(k, 500, 100);
    assert_ok(peat_flush(k->db));
    put(k, "in the log", "only");
    sim_env *killed = sim_clone_killed(k->sim);
    kit_close(k);
    sim_free(k->sim);
    k->sim = killed;
    k->host.env = sim_peat(killed);
    k->options.read_only = true;
}

TEST_NEW(nothing_is_written_not_even_a_recovered_log)
{
    make_unclean_store(k);
    uint64_t changes = sim_count(k->sim, SIM_CHANGES);
    kit_must_open(k);
    expect_get(k, "in the log", "only");
    assert_int_equal(count_all(k->db), 501);
    assert_ok(peat_check(k->db, NULL, NULL));
    peat_snapshot *snapshot = NULL;
    assert_ok(peat_snapshot_open(k->db, &snapshot));
    peat_snapshot_close(snapshot);
    (void)stats_of(k->db);
    kit_close(k);
    assert_int_equal(sim_count(k->sim, SIM_CHANGES), changes);
    kit_must_open(k); /* and again */
    assert_int_equal(count_all(k->db), 501);
    kit_close(k);
    assert_int_equal(sim_count(k->sim, SIM_CHANGES), changes);
    k->options.read_only = false; /* the writer finds it all */
    kit_must_open(k);
    assert_int_equal(count_all(k->db), 501);
    expect_get(k, "in the log", "only");
}

TEST_NEW(calls_that_write_say_so)
{
    make_unclean_store(k);
    kit_must_open(k);
    peat_batch *batch = NULL;
    assert_ok(peat_batch_new(&batch));
    assert_ok(peat_batch_put(batch, peat_str("a"), peat_str("1")));
    assert_int_equal(peat_put(k->db, NULL, peat_str("a"), peat_str("1")), PEAT_READ_ONLY);
    assert_int_equal(peat_delete(k->db, NULL, peat_str("a")), PEAT_READ_ONLY);
    assert_int_equal(peat_write(k->db, NULL, batch), PEAT_READ_ONLY);
    assert_int_equal(peat_sync(k->db), PEAT_READ_ONLY);
    assert_int_equal(peat_flush(k->db), PEAT_READ_ONLY);
    assert_int_equal(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL), PEAT_READ_ONLY);
    peat_batch_free(batch);
    expect_absent(k, "a");
    assert_ok(peat_db_error(k->db, &k->error));
}

TEST_NEW(with_threads_nothing_is_written_either)
{
    make_unclean_store(k);
    k->options.threads = 2;
    uint64_t changes = sim_count(k->sim, SIM_CHANGES);
    kit_must_open(k);
    assert_int_equal(count_all(k->db), 501);
    kit_close(k);
    assert_int_equal(sim_count(k->sim, SIM_CHANGES), changes);
}

typedef struct file_sums {
    uint64_t log, all;
} file_sums;

static int add_file(void *arg, const char *name, bool regular_file, uint64_t size)
{
    file_sums *sums = arg;
    if (regular_file && strcmp(name, "LOCK") != 0)
        sums->all += size;
    if (strncmp(name, "w-", 2) == 0)
        sums->log += size;
    return 0;
}

/* What a reader says is on disk is what the folder holds; the lock's few bytes count nowhere. */
TEST_NEW(statistics_count_the_log_on_a_reader)
{
    make_unclean_store(k);
    kit_must_open(k);
    peat_statistics st = stats_of(k->db);
    file_sums sums = {0};
    assert_int_equal(sim_file_list(k->sim, "store", add_file, &sums), 0);
    assert_true(sums.log > 0);
    assert_int_equal(st.log_bytes, sums.log);
    assert_int_equal(st.disk_bytes, sums.all);
}

static bool keep_message(void *ctx, const peat_damage *damage)
{
    (void)snprintf(ctx, 256, "%s: %s", damage->file, damage->message);
    return true;
}

TEST_NEW(check_tells_why_a_table_cannot_be_read)
{
    char message[256] = "";
    peat_check_options options = {
        .size = sizeof options, .damage_fn = keep_message, .damage_ctx = message};
    make_unclean_store(k);
    kit_must_open(k);
    sim_fail(k->sim, .kinds = SIM_BIT(SIM_FILE_OPEN), .error = EIO, .sticky = true,
             .name_prefix = "t-");
    assert_int_equal(peat_check(k->db, &options, NULL), PEAT_CORRUPT);
    assert_non_null(strstr(message, "t-"));
    assert_non_null(strstr(message, "cannot be read: "));
    assert_non_null(strstr(message, strerror(EIO)));
    sim_faults_clear(k->sim);
}

/* That is nothing found about the table, but a check that could not be made. */
TEST_NEW(check_of_a_table_that_may_not_be_read_fails)
{
    static const int errors[] = {EACCES, EPERM};
    make_unclean_store(k);
    for (size_t i = 0; i < 2; i++) {
        char message[256] = "";
        peat_check_options options = {
            .size = sizeof options, .damage_fn = keep_message, .damage_ctx = message};
        peat_check_report report = {.size = sizeof report};
        kit_must_open(k);
        sim_fail(k->sim, .kinds = SIM_BIT(SIM_FILE_OPEN), .error = errors[i], .sticky = true,
                 .name_prefix = "t-");
        assert_int_equal(peat_check(k->db, &options, &report), PEAT_IO);
        assert_int_equal(report.damages, 0);
        assert_string_equal(message, "");
        assert_int_equal(peat_db_error(k->db, &k->error), PEAT_IO);
        assert_int_equal(k->error.os_errno, errors[i]);
        assert_non_null(strstr(k->error.message, "t-000001"));
        assert_non_null(strstr(k->error.message, strerror(errors[i])));
        sim_faults_clear(k->sim);
        assert_ok(peat_check(k->db, &options, &report));
        kit_close(k);
    }
}

TEST_NEW(estimates_work_on_a_reader)
{
    make_unclean_store(k);
    kit_must_open(k);
    uint64_t count = 0;
    assert_ok(peat_approximate_count(k->db, peat_unbounded(), peat_unbounded(), &count));
    assert_true(count >= 500);
}
