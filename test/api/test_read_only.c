/* SPDX-License-Identifier: MIT */
/* test_read_only.c - a store that is only read: all of it is there and not a byte is written. */
#include "api/api_kit.h"

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

static void nothing_is_written_not_even_a_recovered_log(void **state)
{
    kit *k = *state;
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

static void calls_that_write_say_so(void **state)
{
    kit *k = *state;
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
    assert_int_equal(peat_db_error(k->db, &k->error), PEAT_OK);
}

static void with_threads_nothing_is_written_either(void **state)
{
    kit *k = *state;
    make_unclean_store(k);
    k->options.threads = 2;
    uint64_t changes = sim_count(k->sim, SIM_CHANGES);
    kit_must_open(k);
    assert_int_equal(count_all(k->db), 501);
    kit_close(k);
    assert_int_equal(sim_count(k->sim, SIM_CHANGES), changes);
}

static void estimates_work_on_a_reader(void **state)
{
    kit *k = *state;
    make_unclean_store(k);
    kit_must_open(k);
    uint64_t count = 0;
    assert_ok(peat_approximate_count(k->db, peat_unbounded(), peat_unbounded(), &count));
    assert_true(count >= 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_NEW(nothing_is_written_not_even_a_recovered_log),
        TEST_NEW(calls_that_write_say_so),
        TEST_NEW(with_threads_nothing_is_written_either),
        TEST_NEW(estimates_work_on_a_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
