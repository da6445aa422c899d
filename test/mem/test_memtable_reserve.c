/* SPDX-License-Identifier: MIT */
/*
 * test_memtable_reserve.c - what is reserved can be added, whatever the order and whoever else
 * writes; and little of the capacity is lost to that promise. An entry that does not fit traps.
 */
#include "mem/mem_model.h"
#include "world/sanitizer.h"
#include "world/settings.h"
#include "world/sim.h"

#define CAPACITY_MIN 65536u

typedef enum key_order { ORDER_RANDOM, ORDER_UP, ORDER_DOWN, ORDER_SAME, ORDER_COUNT } key_order;

static const peat_env *watched_env(void)
{
    static sim_env *sim;
    if (sim == NULL) {
        sim = sim_new(1);
        sim_heap_maps(sim);
    }
    return sim_peat(sim);
}

static pt_memtable *memtable_of(size_t capacity)
{
    pt_memtable *m = NULL;
    assert_ok(pt_memtable_new(watched_env(), capacity, &m));
    return m;
}

/* A key of `size` bytes, 12 at least unless all are the same. */
static void key_in_order(key_order o, uint64_t id, size_t size, uint8_t *key)
{
    memset(key, 0, size);
    pt_put_be32(key, PT_KEYSPACE_DEFAULT);
    uint64_t word = o == ORDER_RANDOM ? pt_mix(id) : o == ORDER_UP ? id : ~id;
    if (o != ORDER_SAME)
        pt_put_u64(key + 4, __builtin_bswap64(word));
}

static void add_one(pt_memtable *m, key_order o, uint64_t id, size_t key_size, size_t value_size)
{
    static const uint8_t zeros[1 << 20];
    uint8_t key[256];
    key_in_order(o, id, key_size, key);
    pt_memtable_add(m, &(pt_entry){.key = pt_slice_of(key, key_size),
                                   .value = pt_slice_of(zeros, value_size),
                                   .seq = id + 1,
                                   .kind = PT_KIND_PUT});
}

static uint64_t fill(pt_memtable *m, key_order o, uint64_t batch, size_t key_size,
                     size_t value_size)
{
    uint64_t n = 0;
    while (pt_memtable_reserve(m, batch, batch * key_size, batch * value_size))
        for (uint64_t i = 0; i < batch; i++)
            add_one(m, o, n++, key_size, value_size);
    return n;
}

static double payload_share(size_t capacity, key_order o, uint64_t batch)
{
    pt_memtable *m = memtable_of(capacity);
    uint64_t n = fill(m, o, batch, PT_KEYSPACE_BYTES + 16, 100);
    pt_memtable_stats s = pt_memtable_get_stats(m);
    assert_int_equal(s.entries, n);
    assert_true(s.used_bytes <= capacity);
    pt_memtable_unref(m);
    return (double)n * 116 / (double)capacity; /* the user's bytes */
}

TEST(three_quarters_of_a_full_memtable_are_payload)
{
    TEST_NOT_FOR_THREADS();
    assert_true(payload_share((size_t)64 << 20, ORDER_RANDOM, 1) >= 0.75);
    assert_true(payload_share((size_t)64 << 20, ORDER_UP, 1) >= 0.75);
    assert_true(payload_share((size_t)64 << 20, ORDER_RANDOM, 100) >= 0.72);
}

TEST(every_order_and_size_fills_up_without_a_trap)
{
    TEST_NOT_FOR_THREADS();
    static const size_t values[] = {0, 1, 7, 100, 5000, 65534, 65535, 70000};
    for (key_order o = 0; o < ORDER_COUNT; o++)
        for (size_t v = 0; v < PT_COUNT_OF(values); v++)
            for (uint64_t batch = 1; batch <= 7; batch += 6) {
                size_t key_size = o == ORDER_SAME ? PT_KEYSPACE_BYTES : 12 + v;
                size_t capacity = CAPACITY_MIN + 131072 * v + 13 * v;
                pt_memtable *m = memtable_of(capacity);
                uint64_t n = fill(m, o, batch, key_size, values[v]);
                assert_true(n > 0 || values[v] * batch > 400000);
                pt_memtable_unref(m);
            }
}

TEST(capacity_for_is_enough_and_one_byte_less_is_not)
{
    TEST_NOT_FOR_THREADS();
    static const struct {
        uint64_t count;
        size_t key, value;
    } shapes[] = {
        {1000, 12, 0}, {5000, 20, 100}, {20000, 13, 3}, {40, 200, 65535}, {2, 12, 100000}};
    for (size_t i = 0; i < PT_COUNT_OF(shapes); i++)
        for (key_order o = 0; o < ORDER_COUNT; o++)
            for (int delta = -1; delta <= 1; delta++) {
                uint64_t n = shapes[i].count, keys = n * shapes[i].key,
                         values = n * shapes[i].value;
                size_t capacity = pt_memtable_capacity_for(n, keys, values);
                assert_true(capacity > CAPACITY_MIN);
                pt_memtable *m = memtable_of((size_t)((int64_t)capacity + delta));
                assert_int_equal(pt_memtable_reserve(m, n, keys, values), delta >= 0);
                for (uint64_t id = 0; delta >= 0 && id < n; id++)
                    add_one(m, o, id, shapes[i].key, shapes[i].value);
                pt_memtable_unref(m);
            }
    assert_int_equal(pt_memtable_capacity_for(0, 0, 0), CAPACITY_MIN);
}

TEST(the_largest_value_that_fits_fits)
{
    pt_memtable *m = memtable_of((size_t)1 << 20);
    uint64_t lo = 0, hi = 1 << 20; /* lo fits, hi does not */
    while (hi - lo > 1) {
        pt_memtable *probe = memtable_of((size_t)1 << 20);
        uint64_t mid = (lo + hi) / 2;
        if (pt_memtable_reserve(probe, 1, 12, mid))
            lo = mid;
        else
            hi = mid;
        pt_memtable_unref(probe);
    }
    assert_false(pt_memtable_reserve(m, 1, 12, lo + 1));
    assert_true(pt_memtable_reserve(m, 1, 12, lo));
    add_one(m, ORDER_UP, 1, 12, lo);
    pt_entry found;
    uint8_t key[12];
    key_in_order(ORDER_UP, 1, sizeof key, key);
    assert_true(pt_memtable_get(m, pt_slice_of(key, sizeof key), PT_SEQ_MAX, &found));
    assert_int_equal(found.value.size, lo);
    pt_memtable_unref(m);
}

TEST(capacities_outside_the_limits_are_refused)
{
    pt_memtable *m = NULL;
    assert_int_equal(pt_memtable_new(watched_env(), CAPACITY_MIN - 1, &m), PEAT_INVALID);
    assert_ok(pt_memtable_new(watched_env(), CAPACITY_MIN, &m));
    pt_memtable_unref(m);
    assert_int_equal(pt_memtable_new(watched_env(), ((size_t)16 << 30) + 1, &m), PEAT_INVALID);
    assert_int_equal(pt_memtable_capacity_for(UINT64_MAX, 1, 1), SIZE_MAX);
    assert_int_equal(pt_memtable_capacity_for(1, UINT64_MAX, 1), SIZE_MAX);
    assert_int_equal(pt_memtable_capacity_for(1, 1, UINT64_MAX), SIZE_MAX);
}

TEST(a_refused_reservation_changes_nothing)
{
    pt_memtable *m = memtable_of(CAPACITY_MIN);
    pt_memtable_stats before, after;
    before = pt_memtable_get_stats(m);
    assert_false(pt_memtable_reserve(m, UINT64_MAX, 4, 4));
    assert_false(pt_memtable_reserve(m, 1, UINT64_MAX, 4));
    assert_false(pt_memtable_reserve(m, 1, 4, UINT64_MAX));
    assert_false(pt_memtable_reserve(m, 1, 4, CAPACITY_MIN));
    assert_false(pt_memtable_reserve(m, CAPACITY_MIN, 0, 0));
    after = pt_memtable_get_stats(m);
    assert_int_equal(after.used_bytes, before.used_bytes);
    assert_true(pt_memtable_reserve(m, 1, 12, 100));
    after = pt_memtable_get_stats(m);
    assert_true(after.used_bytes >= before.used_bytes + 112);
    pt_memtable_unref(m);
}

/* Beside what is added, up to the last byte, and as often as one likes. */
TEST(what_is_given_back_can_be_reserved_again)
{
    pt_memtable *m = memtable_of((size_t)1 << 20);
    uint64_t n = 0;
    for (;;) {
        size_t used = pt_memtable_get_stats(m).used_bytes;
        uint64_t held = 0;
        while (pt_memtable_reserve(m, 3, 3 * 20, 300))
            held++;
        if (held == 0)
            break;
        assert_true(pt_memtable_get_stats(m).used_bytes > used);
        for (uint64_t i = 0; i < held; i++)
            pt_memtable_unreserve(m, 3, 3 * 20, 300);
        assert_int_equal(pt_memtable_get_stats(m).used_bytes, used);
        for (uint64_t i = 0; i <= held / 2; i++) {
            assert_true(pt_memtable_reserve(m, 3, 3 * 20, 300));
            for (int j = 0; j < 3; j++)
                add_one(m, ORDER_RANDOM, n++, 20, 100);
        }
    }
    pt_memtable *other = memtable_of((size_t)1 << 20); /* nothing was ever given back in it */
    assert_int_equal(fill(other, ORDER_RANDOM, 3, 20, 100), n);
    pt_memtable_unref(other);
    pt_memtable_unref(m);
}

typedef struct filler {
    pt_memtable *m;
    key_order order;
    uint64_t number;
    uint64_t added;
} filler;

static void *fill_beside_others(void *arg)
{
    filler *f = arg;
    rng r = {.state = test_seed(1) + f->number};
    for (;;) {
        size_t value = rng_below(&r, 300);
        uint64_t batch = 1 + rng_below(&r, 4);
        if (!pt_memtable_reserve(f->m, batch, 12 * batch, value * batch))
            return NULL;
        if (rng_below(&r, 4) == 0) {
            pt_memtable_unreserve(f->m, batch, 12 * batch, value * batch);
            continue;
        }
        for (uint64_t i = 0; i < batch; i++)
            add_one(f->m, f->order, f->added++ * 4 + f->number, 12, value);
    }
}

TEST(writers_side_by_side_fill_up_without_a_trap)
{
    TEST_NOT_FOR_THREADS();
    for (int round = 0; round < 12; round++) {
        filler fillers[4];
        pthread_t threads[4];
        pt_memtable *m = memtable_of(((size_t)256 << 10) + 4096u * (size_t)round);
        for (uint64_t i = 0; i < 4; i++) {
            fillers[i] = (filler){.m = m, .order = (key_order)(round % 3), .number = i};
            assert_int_equal(pthread_create(&threads[i], NULL, fill_beside_others, &fillers[i]), 0);
        }
        uint64_t added = 0;
        for (int i = 0; i < 4; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            added += fillers[i].added;
        }
        pt_memtable_stats s = pt_memtable_get_stats(m);
        assert_int_equal(s.entries, added);
        pt_memtable_unref(m);
    }
}
