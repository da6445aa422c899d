/* SPDX-License-Identifier: MIT */
/* Mappings go from a dead memtable to the next one, and nothing of the dead one is seen. */
#include "mem_fixture.h"

#define CAPACITY PT_POOL_CAPACITY_MIN
#define ENTRIES  8000u

typedef struct numbered {
    uint8_t key[PT_KEYSPACE_BYTES + 8], value[24];
} numbered;

/* Entry i of a round; rounds share no key. */
static pt_entry numbered_entry(numbered *n, uint64_t round, uint64_t i)
{
    pt_put_be32(n->key, PT_KEYSPACE_DEFAULT);
    pt_put_be32(n->key + PT_KEYSPACE_BYTES, (uint32_t)i);
    pt_put_be32(n->key + PT_KEYSPACE_BYTES + 4, (uint32_t)round);
    memset(n->value, (int)round + 1, sizeof n->value);
    return (pt_entry){.key = pt_slice_of(n->key, sizeof n->key),
                      .value = pt_slice_of(n->value, sizeof n->value),
                      .seq = round * ENTRIES + i + 1,
                      .kind = PT_KIND_PUT};
}

static void fill(pt_memtable *m, uint64_t round)
{
    numbered n;
    for (uint64_t i = 0; i < ENTRIES; i++) {
        pt_entry e = numbered_entry(&n, round, i * 7919 % ENTRIES);
        assert_true(pt_memtable_reserve(m, 1, e.key.size, e.value.size));
        pt_memtable_add(m, &e);
    }
}

static void must_hold_exactly(pt_memtable *m, uint64_t round)
{
    pt_iter *it = NULL;
    numbered n;
    uint64_t count = 0;
    assert_ok(pt_memtable_iter_new(m, &it));
    for (peat_rc rc = pt_iter_first(it); rc == PEAT_OK; rc = it->ops->next(it), count++) {
        pt_entry want = numbered_entry(&n, round, count);
        assert_true(entry_equal(&it->at, &want));
    }
    it->ops->done(it);
    assert_int_equal(count, ENTRIES);
    for (uint64_t i = 0; i < ENTRIES; i += 97) {
        pt_entry found, want = numbered_entry(&n, round, i);
        assert_true(pt_memtable_get(m, want.key, UINT64_MAX >> 8, &found));
        assert_true(entry_equal(&found, &want));
        want = numbered_entry(&n, round + 1, i);
        assert_false(pt_memtable_get(m, want.key, UINT64_MAX >> 8, &found));
    }
}

TEST(nothing_of_the_one_before_is_seen)
{
    sim_env *sim = sim_new(1);
    pt_memtable_pool pool;
    const void *first = NULL;
    pt_memtable_pool_init(&pool, sim_peat(sim), CAPACITY);
    for (uint64_t round = 0; round < 4; round++) {
        pt_memtable *m = NULL;
        assert_ok(pt_memtable_new_from(&pool, CAPACITY, &m));
        if (round == 0)
            first = m;
        assert_ptr_equal(m, first);
        fill(m, round);
        must_hold_exactly(m, round);
        pt_memtable_unref(m);
        assert_int_equal(pt_memtable_pool_bytes(&pool), CAPACITY);
    }
    pt_memtable_pool_trim(&pool);
    assert_int_equal(pt_memtable_pool_bytes(&pool), 0);
    assert_true(sim_is_clean(sim));
    pt_memtable_pool_done(&pool);
    sim_free(sim);
}

TEST(no_more_than_the_share_is_kept)
{
    enum { MANY = PT_POOL_MAPPINGS + 2 };
    sim_env *sim = sim_new(1);
    pt_memtable_pool pool;
    pt_memtable *m[MANY];
    pt_memtable_pool_init(&pool, sim_peat(sim), CAPACITY);
    for (size_t i = 0; i < MANY; i++)
        assert_ok(pt_memtable_new_from(&pool, CAPACITY, &m[i]));
    for (size_t i = 0; i < MANY; i++) {
        pt_memtable_unref(m[i]);
        size_t in_use = (MANY - 1 - i) * CAPACITY;
        assert_true(in_use + pt_memtable_pool_bytes(&pool) <=
                    pt_max_u64(PT_POOL_MAPPINGS * CAPACITY, in_use));
    }
    assert_int_equal(pt_memtable_pool_bytes(&pool), PT_POOL_MAPPINGS * CAPACITY);
    pt_memtable_pool_done(&pool);
    sim_end(sim);
}

TEST(other_capacities_are_not_kept)
{
    sim_env *sim = sim_new(1);
    pt_memtable_pool pool;
    pt_memtable *m = NULL;
    pt_memtable_pool_init(&pool, sim_peat(sim), CAPACITY);
    assert_ok(pt_memtable_new_from(&pool, 2 * CAPACITY, &m));
    pt_memtable_unref(m);
    assert_int_equal(pt_memtable_pool_bytes(&pool), 0);
    assert_int_equal(pt_memtable_new_from(&pool, 1, &m), PEAT_INVALID);
    sim_fail(sim, .kinds = SIM_MEMORY, .error = ENOMEM, .sticky = true);
    assert_int_equal(pt_memtable_new_from(&pool, CAPACITY, &m), PEAT_NOMEM);
    pt_memtable_pool_done(&pool);
    sim_end(sim);
}
