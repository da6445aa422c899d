/* SPDX-License-Identifier: MIT */
/* test_estimates.c - what approximate_count and _size say, against what is there.
 * ctest: label=single */
#include "world/kit.h"

#include "world/random.h"

static peat_slice key_of(char *room, size_t capacity, int n)
{
    return peat_bytes(room, (size_t)snprintf(room, capacity, "key-%08d", n));
}

static void put_numbers(kit *k, int from, int to, size_t value_size)
{
    char key[32];
    char *value = calloc(1, value_size + 1);
    for (int i = from; i < to; i++)
        assert_ok(peat_put(k->db, NULL, key_of(key, sizeof key, i), peat_bytes(value, value_size)));
    free(value);
}

static uint64_t count_of(kit *k, int from, int to)
{
    char a[32], b[32];
    uint64_t n = 0;
    assert_ok(
        peat_approximate_count(k->db, key_of(a, sizeof a, from), key_of(b, sizeof b, to), &n));
    return n;
}

static uint64_t size_of(kit *k, int from, int to)
{
    char a[32], b[32];
    uint64_t n = 0;
    assert_ok(peat_approximate_size(k->db, key_of(a, sizeof a, from), key_of(b, sizeof b, to), &n));
    return n;
}

/* Random ranges, and a few of note, of the numbers from 0 to n - 1, each there once. */
static void expect_exact_counts(kit *k, int n, size_t value_size)
{
    rng r = {.state = sim_seed(7)};
    static const int lengths[] = {0, 1, 2, 499, 4095, 4096, 4097};
    for (int i = 0; i < 200; i++) {
        int from = (int)rng_below(&r, (uint64_t)n + 1), to = (int)rng_below(&r, (uint64_t)n + 1);
        if (i < 14) {
            from = i < 7 ? 0 : n / 3;
            to = from + lengths[i % 7] < n ? from + lengths[i % 7] : n;
        }
        uint64_t expected = from < to ? (uint64_t)(to - from) : 0;
        assert_int_equal(count_of(k, from, to), expected);
        /* what memory counts is less than what a block and the indexes take */
        assert_true(size_of(k, from, to) <= expected * (value_size + 80) + 8192);
    }
    uint64_t all = 0;
    assert_ok(peat_approximate_count(k->db, peat_unbounded(), peat_unbounded(), &all));
    assert_int_equal(all, n);
}

TEST_OPEN(counts_of_what_is_in_memory_are_exact)
{
    uint64_t n = 1;
    assert_ok(peat_approximate_count(k->db, peat_unbounded(), peat_unbounded(), &n));
    assert_int_equal(n, 0);
    put_numbers(k, 0, 5000, 20);
    expect_exact_counts(k, 5000, 20);
    put_numbers(k, 5000, 60000, 20);
    expect_exact_counts(k, 60000, 20);
    put_numbers(k, 10000, 20000, 30); /* each counts once, however often it was written */
    expect_exact_counts(k, 60000, 30);
    assert_int_equal(stats_of(k->db).tables, 0);
}

TEST_OPEN(counts_of_a_settled_store_are_exact)
{
    reopen_tiny(k, PEAT_COMPRESSION_LZ4);
    put_numbers(k, 0, 20000, 33);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    assert_true(stats_of(k->db).partitions > 2);
    assert_true(stats_of(k->db).tables > 2);
    expect_exact_counts(k, 20000, 33);
}

/* Each layer knows its own: a key counts once in every layer that has it. */
TEST_OPEN(layers_add_up)
{
    put_numbers(k, 0, 9000, 20);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    put_numbers(k, 3000, 6000, 20);
    assert_int_equal(count_of(k, 0, 3000), 3000);
    assert_int_equal(count_of(k, 3000, 6000), 6000);
    assert_int_equal(count_of(k, 6000, 9000), 3000);
    for (int i = 2000; i < 2010; i++) {
        char key[32];
        assert_ok(peat_delete(k->db, NULL, key_of(key, sizeof key, i)));
    }
    assert_int_equal(count_of(k, 0, 3000), 3010);
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    assert_int_equal(count_of(k, 0, 3000), 2990);
    assert_int_equal(count_of(k, 3000, 6000), 3000);
}

/* Among small ones, in memory and settled: its bytes are in its own range and in no other. */
TEST_OPEN(a_large_value_is_in_its_own_range)
{
    enum { LARGE = 3 << 20, SMALL = 500 };
    char *large = malloc(LARGE);
    rng r = {.state = 11};
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (char)rng_next(&r);
    put_numbers(k, 0, SMALL, 100);
    put_numbers(k, SMALL + 1, 2 * SMALL, 100);
    char key[32];
    assert_ok(peat_put(k->db, NULL, key_of(key, sizeof key, SMALL), peat_bytes(large, LARGE)));
    free(large);
    for (int round = 0; round < 2; round++) {
        uint64_t own = size_of(k, SMALL, SMALL + 1);
        uint64_t left = size_of(k, 0, SMALL), right = size_of(k, SMALL + 1, 2 * SMALL);
        uint64_t all = size_of(k, 0, 2 * SMALL);
        assert_true(own >= LARGE && own < LARGE + LARGE / 10);
        assert_true(left > 0 && left < SMALL * 200 && right > 0 && right < SMALL * 200);
        assert_true(all >= own + left + right - 2 && all <= own + left + right + 2);
        assert_int_equal(count_of(k, SMALL, SMALL + 1), 1);
        assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
        assert_int_equal(stats_of(k->db).tables, 1);
    }
}

/* The sizes of the parts of a store are together that of its tables, sections included. */
TEST_OPEN(sizes_of_parts_add_up_to_the_files)
{
    reopen_tiny(k, PEAT_COMPRESSION_DEFAULT);
    put_numbers(k, 0, 20000, 50);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    peat_statistics stats = stats_of(k->db);
    uint64_t files = stats.bottom_bytes + stats.mid_bytes + stats.fresh_bytes, sum = 0;
    int parts = 16;
    for (int i = 0; i < parts; i++) {
        uint64_t part = size_of(k, i * 20000 / parts, (i + 1) * 20000 / parts);
        assert_true(part > files / (uint64_t)parts * 9 / 10);
        assert_true(part < files / (uint64_t)parts * 11 / 10);
        sum += part;
    }
    assert_true(sum <= files && sum >= files - (uint64_t)parts * (2 + stats.tables));
}

/* Two blocks of each table that the range ends in, however long it is. */
TEST_OPEN(an_estimate_reads_the_blocks_at_the_ends_only)
{
    put_numbers(k, 0, 40000, 100);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    kit_reopen(k);
    uint64_t before = stats_of(k->db).cache_misses;
    assert_int_equal(count_of(k, 1234, 38765), 38765 - 1234);
    assert_true(stats_of(k->db).cache_misses <= before + 2);
}
