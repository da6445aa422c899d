/* SPDX-License-Identifier: MIT */
/* test_durability.c - what each kind of write has on disk when it returns, and what it asks of the
 * system. */
#include "world/kit.h"

/* Entries that are there when the power goes now and everything unsynced is lost. */
static int left_after_cut(kit *k)
{
    kit after;
    kit_begin(&after, sim_clone_cut(k->sim, &(sim_cut){.mode = SIM_CUT_LOST}));
    kit_must_open(&after);
    int n = count_all(after.db);
    kit_done(&after);
    return n;
}

TEST_OPEN(a_new_store_survives_a_cut_at_once)
{
    assert_int_equal(left_after_cut(k), 0);
}

TEST_OPEN(a_write_with_sync_is_on_disk_and_so_is_all_before)
{
    put_many(k, 50, 100);
    assert_true(left_after_cut(k) < 50);
    assert_ok(peat_put(k->db, &synced, peat_str("a"), peat_str("1")));
    assert_int_equal(left_after_cut(k), 51);
    assert_ok(peat_delete(k->db, &synced, peat_str("a")));
    assert_int_equal(left_after_cut(k), 50);
}

TEST_OPEN(peat_sync_and_peat_flush_make_everything_durable)
{
    put_many(k, 50, 100);
    assert_ok(peat_sync(k->db));
    assert_int_equal(left_after_cut(k), 50);
    put(k, "a", "1");
    assert_ok(peat_flush(k->db));
    assert_int_equal(left_after_cut(k), 51);
}

TEST_OPEN(a_close_makes_everything_durable)
{
    put_many(k, 50, 100);
    kit_close(k);
    assert_int_equal(left_after_cut(k), 50);
    kit_must_open(k);
}

/* Without threads the interval is looked at by each call that writes. */
TEST_OPEN(the_sync_interval_bounds_what_a_cut_takes)
{
    put_many(k, 50, 100);
    sim_clock_advance(k->sim, (uint64_t)(PEAT_SYNC_INTERVAL_MS_DEFAULT + 1) * 1000000);
    put(k, "a", "1");
    assert_true(left_after_cut(k) >= 50);
    assert_int_equal(stats_of(k->db).sync_waiters, 0);
}

TEST_OPEN(without_a_log_a_flush_makes_it_durable)
{
    k->options.no_log = true;
    kit_reopen(k);
    put_many(k, 50, 100);
    assert_int_equal(left_after_cut(k), 0);
    assert_ok(peat_flush(k->db));
    assert_int_equal(left_after_cut(k), 50);
    put(k, "a", "1");
    assert_ok(peat_sync(k->db));
    assert_int_equal(left_after_cut(k), 51);
    put(k, "b", "2");
    kit_close(k);
    assert_int_equal(left_after_cut(k), 52);
    kit_must_open(k);
}

TEST_OPEN(a_plain_put_asks_the_system_for_no_sync_and_little_else)
{
    put_many(k, 100, 100);
    uint64_t syncs = sim_count(k->sim, SIM_BIT(SIM_FILE_SYNC) | SIM_BIT(SIM_DIR_SYNC));
    uint64_t allocations = sim_count(k->sim, SIM_MEMORY);
    for (int i = 0; i < 100; i++)
        put(k, "a", "1");
    assert_int_equal(sim_count(k->sim, SIM_BIT(SIM_FILE_SYNC) | SIM_BIT(SIM_DIR_SYNC)), syncs);
    assert_int_equal(sim_count(k->sim, SIM_MEMORY), allocations);
}

/* A synced write costs one sync of one file. */
TEST_OPEN(a_synced_put_is_one_sync)
{
    assert_ok(peat_put(k->db, &synced, peat_str("a"), peat_str("1")));
    uint64_t syncs = sim_count(k->sim, SIM_BIT(SIM_FILE_SYNC) | SIM_BIT(SIM_DIR_SYNC));
    for (int i = 0; i < 20; i++)
        assert_ok(peat_put(k->db, &synced, peat_str("a"), peat_str("1")));
    assert_int_equal(sim_count(k->sim, SIM_BIT(SIM_FILE_SYNC) | SIM_BIT(SIM_DIR_SYNC)), syncs + 20);
    assert_int_equal(stats_of(k->db).syncs, 21);
    assert_int_equal(stats_of(k->db).sync_waiters, 21);
    assert_ok(peat_put(k->db, NULL, peat_str("a"), peat_str("1"))); /* waits for none */
    assert_ok(peat_sync(k->db));
    assert_int_equal(stats_of(k->db).sync_waiters, 22);
}

/* What failed is there or not after the next open, and stays so. */
TEST_OPEN(a_failed_sync_stops_writing_until_the_next_open)
{
    assert_ok(peat_put(k->db, &synced, peat_str("a"), peat_str("1")));
    sim_fail(k->sim, .kinds = SIM_BIT(SIM_FILE_SYNC), .error = EIO);
    assert_int_equal(peat_put(k->db, &synced, peat_str("b"), peat_str("2")), PEAT_IO);
    sim_faults_clear(k->sim);
    assert_int_equal(peat_put(k->db, NULL, peat_str("c"), peat_str("3")), PEAT_IO);
    assert_int_equal(peat_sync(k->db), PEAT_IO);
    expect_get(k, "a", "1");
    expect_absent(k, "c");
    peat_db *db = k->db;
    k->db = NULL;
    assert_int_equal(peat_close(db), PEAT_IO);
    kit_must_open(k);
    expect_get(k, "a", "1");
    expect_absent(k, "c");
    int n = count_all(k->db);
    kit_reopen(k);
    assert_int_equal(count_all(k->db), n);
    put(k, "c", "3");
}
