/* SPDX-License-Identifier: MIT */
/*
 * test_recovered_end.c - what a recovery has shown, and what was synced, is promised from then on:
 * damage to it is told by the next open, and not taken for a torn tail.
 */
#include "peat.h"
#include "world/sim.h"

#define KEYS 20u

static peat_rc open_store(sim_env *sim, peat_db **ret_db)
{
    peat_host host = {.size = sizeof host, .env = sim_peat(sim)};
    peat_options options = {.size = sizeof options,
                            .threads = PEAT_THREADS_NONE,
                            .sync_interval_ms = 100000,
                            .host = &host};
    return peat_open("db", &options, ret_db, NULL);
}

static void put(peat_db *db, unsigned i)
{
    char key[2] = {(char)('a' + (int)i), '\0'};
    assert_ok(peat_put(db, NULL, peat_str(key), peat_str("some value")));
}

static unsigned count(peat_db *db)
{
    unsigned rows = 0;
    peat_iter *it = NULL;
    assert_ok(peat_iter_open(db, NULL, &it));
    while (peat_iter_next(it) == PEAT_OK)
        rows++;
    peat_iter_close(it);
    return rows;
}

/* A process that is killed leaves its handle to nobody: the test closes it after looking. */
static sim_env *kill_store(sim_env *sim, peat_db *db)
{
    sim_env *after = sim_clone_killed(sim);
    assert_ok(peat_close(db));
    sim_end(sim);
    return after;
}

TEST(damage_to_what_recovery_showed_is_told)
{
    peat_db *db = NULL;
    sim_env *sim = sim_new(sim_seed(1));
    assert_ok(open_store(sim, &db));
    for (unsigned i = 0; i < KEYS; i++)
        put(db, i);
    sim = kill_store(sim, db);
    assert_ok(open_store(sim, &db)); /* recovers, and writes nothing itself */
    assert_int_equal(count(db), KEYS);
    sim = kill_store(sim, db);
    assert_true(sim_file_flip(sim, "db", "w-000001", 128 + 48 * 10, 1)); /* in the tenth record */
    assert_int_equal(open_store(sim, &db), PEAT_CORRUPT);
    sim_end(sim);
}

/* After `flushes`, each of which ends a segment, the newest one holds synced records: the files
 * of the log cannot go unnoticed. */
static void lose_log(unsigned flushes, bool by_sync)
{
    peat_db *db = NULL;
    peat_write_options synced = {.size = sizeof synced, .sync = true};
    unsigned lost = 0;
    sim_env *sim = sim_new(sim_seed(2));
    assert_ok(open_store(sim, &db));
    for (unsigned i = 0; i < flushes; i++) {
        put(db, i);
        assert_ok(peat_flush(db));
    }
    if (by_sync) {
        put(db, 0);
        assert_ok(peat_sync(db));
    } else {
        assert_ok(peat_put(db, &synced, peat_str("k"), peat_str("v")));
    }
    sim = kill_store(sim, db);
    for (unsigned slot = 1; slot < 9; slot++) {
        char name[16];
        (void)snprintf(name, sizeof name, "w-%06u", slot);
        lost += sim_file_delete(sim, "db", name);
    }
    assert_int_not_equal(lost, 0);
    assert_int_equal(open_store(sim, &db), PEAT_CORRUPT);
    sim_end(sim);
}

TEST(a_synced_segment_that_is_lost_is_noticed)
{
    for (unsigned flushes = 0; flushes < 3; flushes++) {
        lose_log(flushes, true);
        lose_log(flushes, false);
    }
}
