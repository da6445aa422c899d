/* SPDX-License-Identifier: MIT */
/* test_memtable_edges.c - the smallest, the largest, many versions, iterators that outlive. */
#include "mem/mem_fixture.h"

TEST_MEMTABLE(an_empty_memtable_has_nothing, 65536, 0)
{
    uint8_t key[4] = {0, 0, 0, 1};
    must_find(f, pt_slice_of(key, 4), PT_SEQ_MAX);
    pt_iter *it = NULL;
    assert_ok(pt_memtable_iter_new(f->m, &it));
    must_seek(f, it, pt_slice_of(key, 4));
    assert_int_equal(pt_iter_first(it), PEAT_END);
    assert_int_equal(pt_iter_last(it), PEAT_END);
    pt_iter_done(it);
}

TEST_MEMTABLE(the_empty_user_key_is_a_key, 65536, 0)
{
    add_text(f, "", "nothing before the slash", 1);
    add_text(f, "a", "", 2);
    add_text(f, "", "again", 3);
    must_agree(f, KEYS_NESTED, 1);
}

TEST_MEMTABLE(many_versions_of_one_key_come_newest_first, (size_t)8 << 20, 0)
{
    add_text(f, "before", "x", 1);
    for (uint64_t i = 0; i < 3000; i++)
        add_text(f, "hot", "y", 2 + (i * 1237) % 3000);
    add_text(f, "zero", "at sequence 0", 0);
    f->next_seq = 3002;
    must_walk_both_ways(f);
    for (uint64_t seq = 0; seq < 3010; seq += 7)
        must_find(f, f->model.entries[1].key, seq);
    for (uint64_t seq = 0; seq < 3010; seq += 601)
        must_walk_as_of(f, seq);
}

static void add_sized(fixture *f, size_t key_size, size_t value_size, uint8_t fill)
{
    uint8_t *bytes = malloc(key_size + value_size);
    assert_non_null(bytes);
    memset(bytes, 'k', key_size);
    pt_put_be32(bytes, PT_KEYSPACE_DEFAULT);
    bytes[key_size - 1] = fill;
    memset(bytes + key_size, fill, value_size);
    pt_entry e = {.key = pt_slice_of(bytes, key_size),
                  .value = pt_slice_of(bytes + key_size, value_size),
                  .seq = f->next_seq++,
                  .kind = PT_KIND_PUT};
    add(f, &e);
    free(bytes);
}

TEST_MEMTABLE(the_largest_keys_and_large_values_are_kept, (size_t)64 << 20, 0)
{
    for (uint8_t i = 0; i < 120; i++)
        add_sized(f, PT_KEY_BYTES_MAX - (i % 3), i, (uint8_t)(i * 37));
    static const size_t sizes[] = {65533, 65534, 65535, 65536, 65537, 1 << 20, 5000001};
    for (size_t i = 0; i < PT_COUNT_OF(sizes); i++)
        add_sized(f, 20 + i, sizes[i], (uint8_t)i);
    must_agree(f, KEYS_NESTED, 1);
    for (size_t i = 0; i < f->model.count; i++)
        must_find(f, f->model.entries[i].key, PT_SEQ_MAX);
}

TEST_MEMTABLE(stats_count_what_was_added, (size_t)1 << 20, 0)
{
    uint64_t tombstones = 0, key_bytes = 0, value_bytes = 0;
    for (uint64_t i = 0; i < 500; i++)
        add_random(f, KEYS_NESTED, 0, f->next_seq++);
    for (size_t i = 0; i < f->model.count; i++) {
        tombstones += f->model.entries[i].kind == PT_KIND_DELETE;
        key_bytes += f->model.entries[i].key.size;
        value_bytes += f->model.entries[i].value.size;
    }
    pt_memtable_stats s = pt_memtable_get_stats(f->m);
    assert_int_equal(s.entries, 500);
    assert_int_equal(s.tombstones, tombstones);
    assert_int_equal(s.key_bytes, key_bytes);
    assert_int_equal(s.value_bytes, value_bytes);
    assert_int_equal(s.capacity_bytes, 1 << 20);
    assert_true(s.used_bytes >= key_bytes + value_bytes && s.used_bytes <= s.capacity_bytes);
}

TEST_MEMTABLE(an_iterator_outlives_the_callers_reference, 65536, 0)
{
    add_text(f, "k", "v", 7);
    pt_iter *it = NULL;
    assert_ok(pt_memtable_iter_new(f->m, &it));
    pt_memtable_unref(pt_memtable_ref(f->m));
    pt_memtable_unref(f->m);
    must_stand_on(f, "first", it, pt_iter_first(it), 0);
    pt_iter_done(it);
    f->m = NULL;
}

TEST_MEMTABLE(an_iterator_sees_what_was_added_before_its_seek, (size_t)4 << 20, 99)
{
    pt_iter *it = NULL;
    assert_ok(pt_memtable_iter_new(f->m, &it));
    for (uint64_t i = 0; i < 6000; i++) {
        add_random(f, KEYS_RANDOM, i, f->next_seq++);
        const pt_entry *e = &f->model.entries[f->model.count - 1];
        assert_ok(pt_iter_seek(it, e->key));
        must_equal(f, "seek", &it->at, e);
        /* Later additions may be seen or not, but the order holds. */
        uint8_t last[MODEL_KEY_MAX];
        for (int step = 0; step < 3; step++) {
            size_t n = it->at.key.size;
            memcpy(last, it->at.key.data, n);
            if (step == 1)
                add_random(f, KEYS_RANDOM, ++i, f->next_seq++);
            if (pt_iter_next(it) != PEAT_OK)
                break;
            assert_true(pt_slice_compare(it->at.key, pt_slice_of(last, n)) > 0);
        }
        f->model.sorted = f->model.count; /* only the newest item is looked at */
    }
    f->model.sorted = 0;
    pt_iter_done(it);
    must_walk_both_ways(f);
}

static void add_decimal(fixture *f, uint64_t id)
{
    uint8_t key[MODEL_KEY_MAX];
    pt_entry e = {.key = pt_slice_of(key, key_make(KEYS_DECIMAL, &f->rng, id, key)),
                  .value = pt_slice_of("v", 1),
                  .seq = f->next_seq++,
                  .kind = PT_KIND_PUT};
    add(f, &e);
}

/* Splits behind an iterator must not hide what was there when it was placed. */
TEST_MEMTABLE(walking_back_misses_nothing_when_leaves_split_meanwhile, (size_t)16 << 20, 5)
{
    pt_iter *it = NULL;
    assert_ok(pt_memtable_iter_new(f->m, &it));
    for (uint64_t i = 0; i < 2000; i++)
        add_decimal(f, i * 1000);
    for (uint64_t round = 0; round < 100; round++) {
        uint64_t from = 200 + rng_below(&f->rng, 1800), back = 1 + rng_below(&f->rng, 80);
        uint8_t key[MODEL_KEY_MAX];
        size_t n = key_make(KEYS_DECIMAL, &f->rng, from * 1000, key);
        assert_ok(pt_iter_seek(it, pt_slice_of(key, n)));
        for (uint64_t i = 1; i <= 100; i++)
            add_decimal(f, (from - back) * 1000 + i * 9 + round % 9);
        uint64_t left = from; /* of the keys that were there from the start */
        while (left > 0 && pt_iter_prev(it) == PEAT_OK) {
            n = key_make(KEYS_DECIMAL, &f->rng, (left - 1) * 1000, key);
            int c = pt_slice_compare(it->at.key, pt_slice_of(key, n));
            assert_true(c >= 0);
            left -= c == 0;
        }
        assert_int_equal(left, 0);
    }
    pt_iter_done(it);
    must_walk_both_ways(f);
}

TEST(without_memory_nothing_is_made_and_nothing_leaks)
{
    sim_env *sim = sim_new(1);
    pt_memtable *m = NULL;
    pt_iter *it = NULL;
    peat_rc rc = PEAT_NOMEM;
    for (uint64_t at = 1; rc == PEAT_NOMEM && at <= 10; at++) {
        sim_fail(sim, .kinds = SIM_MEMORY, .at = at, .error = ENOMEM);
        rc = pt_memtable_new(sim_peat(sim), 65536, &m);
        sim_faults_clear(sim);
        if (rc == PEAT_NOMEM)
            assert_true(sim_is_clean(sim));
    }
    assert_ok(rc);
    sim_fail(sim, .kinds = SIM_MEMORY, .error = ENOMEM);
    assert_int_equal(pt_memtable_iter_new(m, &it), PEAT_NOMEM);
    pt_memtable_unref(m);
    pt_memtable_unref(NULL);
    sim_end(sim);
}
