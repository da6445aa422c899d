/* SPDX-License-Identifier: MIT */
/* mem_fixture.h - a memtable, the model it must agree with, and the comparisons between them. */
#ifndef TEST_MEM_MEM_FIXTURE_H
#define TEST_MEM_MEM_FIXTURE_H

#include "mem/mem_model.h"
#include "world/settings.h"
#include "world/sim.h"

typedef struct fixture {
    sim_env *sim;
    pt_memtable *m;
    model model;
    rng rng;
    uint64_t seed;
    uint64_t next_seq;
} fixture;

static inline void fixture_init(fixture *f, size_t capacity, uint64_t salt)
{
    *f = (fixture){.seed = test_seed(1), .next_seq = 1};
    f->sim = sim_new(1);
    sim_heap_maps(f->sim);
    f->rng.state = pt_mix(f->seed) + salt;
    assert_ok(pt_memtable_new(sim_peat(f->sim), capacity, &f->m));
}

static inline void fixture_done(fixture *f)
{
    pt_memtable_unref(f->m);
    sim_end(f->sim);
    model_done(&f->model);
}

static inline void add(fixture *f, const pt_entry *e)
{
    assert_true(pt_memtable_reserve(f->m, 1, e->key.size, e->value.size));
    pt_memtable_add(f->m, e);
    model_add(&f->model, e->key, e->value, e->seq, e->kind);
}

static inline void add_text(fixture *f, const char *key, const char *value, uint64_t seq)
{
    uint8_t bytes[100];
    pt_put_be32(bytes, PT_KEYSPACE_DEFAULT);
    memcpy(bytes + PT_KEYSPACE_BYTES, key, strlen(key));
    pt_entry e = {.key = pt_slice_of(bytes, PT_KEYSPACE_BYTES + strlen(key)),
                  .value = pt_slice_of(value, strlen(value)),
                  .seq = seq,
                  .kind = PT_KIND_PUT};
    add(f, &e);
}

static inline void must_equal(const fixture *f, const char *what, const pt_entry *found,
                              const pt_entry *expected)
{
    if (!entry_equal(found, expected))
        fail_msg("%s: found seq %llu key size %zu, expected seq %llu key size %zu; repeat with "
                 "SEED=%llu",
                 what, (unsigned long long)found->seq, found->key.size,
                 (unsigned long long)expected->seq, expected->key.size,
                 (unsigned long long)f->seed);
}

/* The iterator stands on entry `i` of the model, or `rc` is END and i is outside. */
static inline void must_stand_on(const fixture *f, const char *what, const pt_iter *it, peat_rc rc,
                                 size_t i)
{
    if ((rc == PEAT_OK) != (i < f->model.count))
        fail_msg("%s: rc %d at %zu of %zu; repeat with SEED=%llu", what, (int)rc, i, f->model.count,
                 (unsigned long long)f->seed);
    if (rc == PEAT_OK)
        must_equal(f, what, &it->at, &f->model.entries[i]);
    else
        assert_int_equal(rc, PEAT_END);
}

static inline void must_walk_both_ways(fixture *f)
{
    model_sort(&f->model);
    pt_iter *it = NULL;
    assert_ok(pt_memtable_iter_new(f->m, &it));
    size_t i = 0;
    peat_rc rc = pt_iter_first(it);
    for (; rc == PEAT_OK; rc = pt_iter_next(it))
        must_stand_on(f, "next", it, rc, i++);
    must_stand_on(f, "next", it, rc, i);
    i = f->model.count;
    for (rc = pt_iter_last(it); rc == PEAT_OK; rc = pt_iter_prev(it))
        must_stand_on(f, "prev", it, rc, --i);
    must_stand_on(f, "prev", it, rc, i - 1);
    pt_iter_done(it);
}

static inline void must_find(fixture *f, pt_slice key, uint64_t seq)
{
    model_sort(&f->model);
    const pt_entry *expected = model_find(&f->model, key, seq);
    pt_entry found = {0};
    assert_int_equal(pt_memtable_get(f->m, key, seq, &found), expected != NULL);
    if (expected != NULL)
        must_equal(f, "get", &found, expected);
}

static inline void must_seek(fixture *f, pt_iter *it, pt_slice key)
{
    model_sort(&f->model);
    must_stand_on(f, "seek", it, pt_iter_seek(it, key), model_bound(&f->model, key, false));
    must_stand_on(f, "seek_for_prev", it, pt_iter_seek_for_prev(it, key),
                  model_bound(&f->model, key, true) - 1);
}

/* Steps back and forth from a random place, turning inside versions of one key too. */
static inline void must_wander(fixture *f, pt_iter *it)
{
    if (f->model.count == 0)
        return;
    model_sort(&f->model);
    size_t i = rng_below(&f->rng, f->model.count);
    peat_rc rc = pt_iter_seek(it, f->model.entries[i].key);
    i = model_bound(&f->model, f->model.entries[i].key, false);
    must_stand_on(f, "wander", it, rc, i);
    for (int step = 0; step < 40 && rc == PEAT_OK; step++) {
        bool forward = rng_below(&f->rng, 2);
        rc = forward ? pt_iter_next(it) : pt_iter_prev(it);
        i += forward ? 1 : (size_t)-1;
        must_stand_on(f, "wander", it, rc, i);
    }
}

/* Keys of the model in [lower, upper), and the bytes of their newest versions. */
static inline void must_measure(fixture *f, pt_slice lower, pt_slice upper)
{
    uint64_t entries = 0, bytes = 0, have_entries, have_bytes, alone;
    model_sort(&f->model);
    size_t end = model_bound(&f->model, upper, false);
    for (size_t i = model_bound(&f->model, lower, false); i < end; i++) {
        const pt_entry *e = &f->model.entries[i];
        if (i > 0 && pt_slice_equal(e->key, f->model.entries[i - 1].key))
            continue;
        entries++;
        bytes += e->key.size - PT_KEYSPACE_BYTES + e->value.size;
    }
    pt_memtable_measure(f->m, lower, upper, &have_entries, &have_bytes);
    pt_memtable_measure(f->m, lower, upper, &alone, NULL);
    if (have_entries != entries || have_bytes != bytes || alone != entries)
        fail_msg("measure: found %llu entries, %llu bytes, expected %llu, %llu; repeat with "
                 "SEED=%llu",
                 (unsigned long long)have_entries, (unsigned long long)have_bytes,
                 (unsigned long long)entries, (unsigned long long)bytes,
                 (unsigned long long)f->seed);
}

/* The entry `it` stands on is what a reader as of `seq` gets of the key of item `i`: the newest it
 * may see, or one that is too new when there is none. */
static inline void must_be_readable(const fixture *f, const char *what, const pt_iter *it,
                                    uint64_t seq, size_t i)
{
    pt_slice key = f->model.entries[i].key;
    const pt_entry *e = model_find(&f->model, key, seq);
    if (e != NULL)
        must_equal(f, what, &it->at, e);
    else if (!pt_slice_equal(it->at.key, key) || it->at.seq <= seq)
        fail_msg("%s: found seq %llu where all are newer; repeat with SEED=%llu", what,
                 (unsigned long long)it->at.seq, (unsigned long long)f->seed);
}

/* The newest version of the key before, or SIZE_MAX. */
static inline size_t model_key_before(const model *m, size_t i)
{
    return i == 0 ? SIZE_MAX : model_bound(m, m->entries[i - 1].key, false);
}

/* One entry of each key, both ways, and turning on the way. */
static inline void must_walk_as_of(fixture *f, uint64_t seq)
{
    pt_iter *it = NULL;
    model_sort(&f->model);
    assert_ok(pt_memtable_iter_new_at(f->m, seq, &it));
    size_t i = 0, last = model_key_before(&f->model, f->model.count);
    for (peat_rc rc = pt_iter_first(it); rc == PEAT_OK; rc = pt_iter_next(it)) {
        assert_true(i < f->model.count);
        must_be_readable(f, "next as of", it, seq, i);
        if (rng_below(&f->rng, 8) == 0 && i != 0) {
            assert_ok(pt_iter_prev(it));
            must_be_readable(f, "turn as of", it, seq, model_key_before(&f->model, i));
            assert_ok(pt_iter_next(it));
        }
        i = model_bound(&f->model, f->model.entries[i].key, true);
    }
    assert_int_equal(i, f->model.count);
    for (peat_rc rc = pt_iter_last(it); rc == PEAT_OK; rc = pt_iter_prev(it)) {
        assert_true(last != SIZE_MAX);
        must_be_readable(f, "prev as of", it, seq, last);
        last = model_key_before(&f->model, last);
    }
    assert_true(last == SIZE_MAX);
    pt_iter_done(it);
}

static inline void must_agree(fixture *f, key_shape shape, uint64_t id_max)
{
    must_walk_both_ways(f);
    must_measure(f, pt_slice_of("", 0), pt_slice_of("\377\377\377\377\377", 5));
    pt_iter *it = NULL;
    assert_ok(pt_memtable_iter_new(f->m, &it));
    for (int i = 0; i < 300; i++) {
        uint8_t bytes[MODEL_KEY_MAX];
        size_t n = key_make(shape, &f->rng, rng_below(&f->rng, id_max), bytes);
        if (rng_below(&f->rng, 4) == 0)
            bytes[rng_below(&f->rng, n)] ^= (uint8_t)(1u << rng_below(&f->rng, 8));
        uint64_t seq = rng_below(&f->rng, 3) ? PT_SEQ_MAX : rng_below(&f->rng, f->next_seq + 1);
        must_find(f, pt_slice_of(bytes, n), seq);
        must_seek(f, it, pt_slice_of(bytes, n));
        must_wander(f, it);
        if (i % 8 != 0)
            continue;
        uint8_t other[MODEL_KEY_MAX];
        pt_slice a = pt_slice_of(bytes, n);
        pt_slice b =
            pt_slice_of(other, key_make(shape, &f->rng, rng_below(&f->rng, id_max), other));
        bool turn = pt_slice_compare(a, b) > 0;
        must_measure(f, turn ? b : a, turn ? a : b);
    }
    pt_iter_done(it);
    must_walk_as_of(f, rng_below(&f->rng, f->next_seq + 1));
    must_walk_as_of(f, PT_SEQ_MAX);
}

static inline void add_random(fixture *f, key_shape shape, uint64_t id, uint64_t seq)
{
    uint8_t key[MODEL_KEY_MAX], value[200];
    size_t value_size = rng_below(&f->rng, 10) ? rng_below(&f->rng, 40) : rng_below(&f->rng, 200);
    memset(value, (int)(seq & 0xff), sizeof value);
    bool dead = rng_below(&f->rng, 10) == 0;
    pt_entry e = {.key = pt_slice_of(key, key_make(shape, &f->rng, id, key)),
                  .value = pt_slice_of(value, dead ? 0 : value_size),
                  .seq = seq,
                  .kind = dead ? PT_KIND_DELETE : PT_KIND_PUT};
    add(f, &e);
}

#define TEST_MEMTABLE(name, ...)                                                                   \
    TEST_BETWEEN(name, fixture, f, fixture_init, fixture_done, __VA_ARGS__)

#endif
