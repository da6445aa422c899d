/* SPDX-License-Identifier: MIT */
/*
 * test_torn_slot.c - a write of the superblock fails in its middle: writes have failed, what it
 * wrote half is not called damage, and the next open for writing mends it. Without that open, as
 * after a power cut, a check names the slot.
 */
#include "world/kit.h"

#define SEEDS     24u
#define SEEDS_MAX 1000u /* until one slot is torn so that a check names it */

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
    kit k;
    kit_begin(&k, sim_new(seed));
    k.options.memory_bytes = PEAT_MEMORY_BYTES_MIN;
    kit_must_open(&k);
    for (int i = 0; i < 3; i++) {
        put(&k, "a", "1");
        assert_ok(peat_flush(k.db));
    }
    sim_fail(k.sim, .kinds = SIM_BIT(SIM_FILE_WRITE), .error = EIO, .keep = SIM_KEEP_SOME,
             .name_prefix = "PEAT");
    put(&k, "b", "2");
    assert_int_equal(peat_flush(k.db), PEAT_IO);
    assert_int_equal(damages(k.db), 0);
    assert_int_equal(peat_put(k.db, NULL, peat_str("c"), peat_str("3")), PEAT_IO);
    (void)!peat_close(k.db);

    k.options.read_only = true;
    kit_must_open(&k);
    unsigned named = damages(k.db);
    assert_true(named <= 1);
    k.options.read_only = false;
    kit_reopen(&k);
    assert_int_equal(damages(k.db), 0);
    expect_get(&k, "b", "2");
    kit_done(&k);
    return named;
}

TEST(what_a_failed_write_tore_is_no_damage)
{
    unsigned named = 0;
    uint64_t first = sim_seed(1);
    for (uint64_t i = 0; i < SEEDS || (named == 0 && i < SEEDS_MAX); i++)
        named += tear_one(first + i);
    assert_int_not_equal(named, 0);
}
