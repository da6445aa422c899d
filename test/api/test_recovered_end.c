/* SPDX-License-Identifier: MIT */
/*
 * test_recovered_end.c - what a recovery has shown, and what was synced, is promised from then on:
 * damage to it is told by the next open, and not taken for a torn tail.
 */
#include "world/kit.h"

#define KEYS 20u

static void put_letter(kit *k, unsigned i)
{
    char key[2] = {(char)('a' + (int)i), '\0'};
    put(k, key, "some value");
}

static void expect_corrupt(kit *k)
{
    assert_int_equal(kit_open(k), PEAT_CORRUPT);
    sim_end(k->sim);
}

TEST(damage_to_what_recovery_showed_is_told)
{
    kit k;
    kit_begin(&k, sim_new(sim_seed(1)));
    k.options.sync_interval_ms = 100000;
    kit_must_open(&k);
    for (unsigned i = 0; i < KEYS; i++)
        put_letter(&k, i);
    kit_kill(&k);
    kit_must_open(&k); /* recovers, and writes nothing itself */
    assert_int_equal(count_all(k.db), KEYS);
    kit_kill(&k);
    /* in the tenth record */
    assert_true(sim_file_flip(k.sim, "store", "w-000001", 128 + 48 * 10, 1));
    expect_corrupt(&k);
}

/* After `flushes`, each of which ends a segment, the newest one holds synced records: the files
 * of the log cannot go unnoticed. */
static void lose_log(unsigned flushes, bool by_sync)
{
    kit k;
    unsigned lost = 0;
    kit_begin(&k, sim_new(sim_seed(2)));
    k.options.sync_interval_ms = 100000;
    kit_must_open(&k);
    for (unsigned i = 0; i < flushes; i++) {
        put_letter(&k, i);
        assert_ok(peat_flush(k.db));
    }
    if (by_sync) {
        put_letter(&k, 0);
        assert_ok(peat_sync(k.db));
    } else {
        assert_ok(peat_put(k.db, &synced, peat_str("k"), peat_str("v")));
    }
    kit_kill(&k);
    for (unsigned slot = 1; slot < 9; slot++) {
        char name[16];
        (void)snprintf(name, sizeof name, "w-%06u", slot);
        lost += sim_file_delete(k.sim, "store", name);
    }
    assert_int_not_equal(lost, 0);
    expect_corrupt(&k);
}

TEST(a_synced_segment_that_is_lost_is_noticed)
{
    for (unsigned flushes = 0; flushes < 3; flushes++) {
        lose_log(flushes, true);
        lose_log(flushes, false);
    }
}
