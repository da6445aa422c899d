/* SPDX-License-Identifier: MIT */
/*
 * test_memory_loads.c - hostile loads, and every byte the store holds meanwhile: allocations and
 * whole mappings, counted by the simulated environment. The most there was is at most 1.25 times
 * options.memory_bytes.
 *
 *   --campaign      the loads in full size, in the real number of keys: a million
 *
 * ctest: timeout=240
 */
#include "world/kit.h"
#include "world/random.h"
#include "world/settings.h"

#define MIB ((uint64_t)1 << 20)
/* 12 make a merge due; a bottom merge under way takes so many batches that as many again, and more,
 * arrive meanwhile. Without threads nobody sleeps for the background: with them it is about 20. */
#define SLICES_WORST 48
/* The largest value for which the promise holds: it is in the memtable, read from two layers by a
 * merge, and twice in the table being written. */
#define LARGEST_SHARE 32

static bool campaign;

/* Opens the store anew with the budget; what is held from now on is counted. */
static void begin(kit *k, uint64_t budget)
{
    k->options.memory_bytes = (size_t)budget;
    kit_reopen(k);
    sim_peak_reset(k->sim);
}

static void end(kit *k, const char *load)
{
    uint64_t lent = KIT_LENT(k->options.memory_bytes);
    double peak = (double)(sim_get_held(k->sim).bytes_peak - lent);
    double budget = (double)k->options.memory_bytes;
    (void)printf("memory %s: %.2f of %.0f MiB\n", load, peak / budget, budget / (double)MIB);
    if (peak > 1.25 * budget)
        fail_msg("%s: %.0f bytes at the peak, %.2f times what was allowed", load, peak,
                 peak / budget);
}

static peat_slice key_of(uint64_t i, char key[8])
{
    uint64_t x = rng_hash(i + 1);
    memcpy(key, &x, 8);
    return peat_bytes(key, 8);
}

static void put_tiny(kit *k, uint64_t count)
{
    char key[8];
    for (uint64_t i = 0; i < count; i++)
        assert_ok(peat_put(k->db, NULL, key_of(i, key), peat_bytes("", 0)));
}

TEST_OPEN(tiny_keys)
{
    uint64_t count = campaign ? 1000000 : 120000;
    begin(k, campaign ? 16 * MIB : 4 * MIB);
    put_tiny(k, count);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    assert_int_equal(count_all(k->db), count);
    end(k, "tiny keys");
}

TEST_OPEN(tombstones)
{
    char key[8];
    uint64_t count = campaign ? 1000000 : 60000;
    begin(k, campaign ? 16 * MIB : 4 * MIB);
    put_tiny(k, count);
    for (uint64_t i = 0; i < count; i++)
        assert_ok(peat_delete(k->db, NULL, key_of(i, key)));
    assert_int_equal(count_all(k->db), 0);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    assert_int_equal(count_all(k->db), 0);
    assert_int_equal(stats_of(k->db).entries, 0);
    end(k, "tombstones");
}

TEST_OPEN(large_values)
{
    char key[8];
    size_t size = (size_t)(campaign ? 64 * MIB : MIB);
    begin(k, size * LARGEST_SHARE);
    uint8_t *value = malloc(size);
    for (size_t i = 0; i < size; i++)
        value[i] = (uint8_t)rng_hash(i / 2);
    for (uint64_t i = 0; i < 6; i++) {
        value[0] = (uint8_t)i;
        assert_ok(peat_put(k->db, NULL, key_of(i, key), peat_bytes(value, size)));
    }
    assert_ok(peat_flush(k->db));
    for (uint64_t i = 0; i < 6; i++) {
        peat_pinned pinned = PEAT_PINNED_INIT;
        value[0] = (uint8_t)i;
        assert_ok(peat_get_pinned(k->db, NULL, key_of(i, key), &pinned));
        assert_int_equal(pinned.size, size);
        assert_memory_equal(pinned.data, value, size);
        peat_unpin(&pinned);
    }
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    end(k, "large values");
    free(value);
}

TEST_OPEN(iterators)
{
    enum { COUNT = 2000 };
    static peat_iter *it[COUNT];
    char key[8];
    begin(k, 64 * MIB);
    put_many(k, 200000, 100);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    for (int i = 0; i < COUNT; i++) {
        char text[32];
        assert_ok(peat_iter_open(k->db, NULL, &it[i]));
        (void)snprintf(text, sizeof text, "key-%06d", i * 100);
        assert_ok(peat_iter_seek(it[i], peat_str(text)));
        if (i % 20 == 0) /* the store moves on under them */
            assert_ok(peat_put(k->db, NULL, key_of((uint64_t)i, key), peat_str("v")));
    }
    for (int i = 0; i < COUNT; i++) {
        for (int n = 0; n < 50; n++)
            assert_ok(peat_iter_next(it[i]));
        peat_iter_close(it[i]);
    }
    end(k, "thousands of iterators");
}

/* A store many times its memory, written in batches as fast as it takes them: merges keep
 * up, so that no read has many slices to ask. */
TEST_OPEN(tiny_memory_leaves_few_slices)
{
    char key[8];
    uint8_t value[100];
    uint64_t count = campaign ? 1000000 : 300000, worst = 0;
    peat_batch *batch = NULL;
    begin(k, MIB);
    assert_ok(peat_batch_new(&batch));
    for (uint64_t i = 0; i < count; i++) {
        for (size_t b = 0; b < sizeof value; b++)
            value[b] = (uint8_t)rng_hash(i * 16 + b % 16);
        assert_ok(peat_batch_put(batch, key_of(i, key), peat_bytes(value, sizeof value)));
        if (i % 250 != 0)
            continue;
        assert_ok(peat_write(k->db, NULL, batch));
        peat_batch_clear(batch);
        uint64_t debt = stats_of(k->db).read_debt;
        worst = debt > worst ? debt : worst;
    }
    peat_batch_free(batch);
    (void)printf("slices: %" PRIu64 " at most, memory %.2f of 1 MiB\n", worst,
                 (double)sim_get_held(k->sim).bytes_peak / (double)MIB);
    if (worst > SLICES_WORST)
        fail_msg("%" PRIu64 " slices in one partition", worst);
}

int main(int argc, char **argv)
{
    campaign = test_is_campaign(argc, argv);
    return test_run_all();
}
