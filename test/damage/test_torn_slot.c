/* SPDX-License-Identifier: MIT */
/*
 * test_torn_slot.c - a write of the superblock fails in its middle: writes have failed, what it
 * wrote half is not called damage, and the next open for writing mends it. Without that open, as
 * after a power cut, a check names the slot.
 */
#include "world/sim.h"

#include <peat.h>

#define SEEDS 24u

static peat_db *open_on(sim_env *sim, bool read_only)
{
    peat_host host = {.size = sizeof host, .env = sim_peat(sim)};
    peat_options o = {.size = sizeof o,
                      .host = &host,
                      .threads = PEAT_THREADS_NONE,
                      .memory_bytes = PEAT_MEMORY_BYTES_MIN,
                      .read_only = read_only};
    peat_db *db = NULL;
    assert_ok(peat_open("db", &o, &db, NULL));
    return db;
}

static bool count_damage(void *ctx, const peat_damage *damage)
{
    assert_string_equal(damage->file, "PEAT");
    assert_true(damage->offset == 0 || damage->offset == 4096);
    ++*(unsigned *)ctx;
    return true;
}

static unsigned damages(peat_db *db)
{
    unsigned n = 0;
    peat_check_options o = {.size = sizeof o, .damage_fn = count_damage, .damage_ctx = &n};
    peat_rc rc = peat_check(db, &o, NULL);
    assert_int_equal(rc, n == 0 ? PEAT_OK : PEAT_CORRUPT);
    return n;
}

/* Every other word of a slot is the same as before, so not every torn one is damaged. */
static unsigned tear_one(uint64_t seed)
{
    sim_env *sim = sim_new(sim_seed(seed));
    peat_db *db = open_on(sim, false);
    for (int i = 0; i < 3; i++) {
        assert_ok(peat_put(db, NULL, peat_str("a"), peat_str("1")));
        assert_ok(peat_flush(db));
    }
    sim_fail(sim, .kinds = SIM_BIT(SIM_FILE_WRITE), .error = EIO, .keep = SIM_KEEP_SOME,
             .name_prefix = "PEAT");
    assert_ok(peat_put(db, NULL, peat_str("b"), peat_str("2")));
    assert_int_equal(peat_flush(db), PEAT_IO);
    assert_int_equal(damages(db), 0);
    assert_int_equal(peat_put(db, NULL, peat_str("c"), peat_str("3")), PEAT_IO);
    (void)!peat_close(db);

    db = open_on(sim, true);
    unsigned named = damages(db);
    assert_true(named <= 1);
    assert_ok(peat_close(db));

    db = open_on(sim, false);
    assert_int_equal(damages(db), 0);
    assert_ok(peat_exists(db, NULL, peat_str("b")));
    assert_ok(peat_close(db));
    sim_end(sim);
    return named;
}

TEST(what_a_failed_write_tore_is_no_damage)
{
    unsigned named = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        named += tear_one(seed);
    assert_in_range(named, 1, SEEDS);
}
