/* SPDX-License-Identifier: MIT */
/* test_memtable.c - one thread: the memtable agrees with a sorted array. */
#include "mem/mem_env.h"
#include "mem/mem_model.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

typedef struct fixture {
    mem_env env;
    pt_memtable *m;
    model model;
    rng rng;
    uint64_t seed;
    uint64_t next_seq;
} fixture;

static void fixture_init(fixture *f, size_t capacity, uint64_t salt)
{
    *f = (fixture){.seed = test_seed(), .next_seq = 1};
    mem_env_init(&f->env);
    f->rng.state = pt_mix(f->seed) + salt;
    assert_int_equal(pt_memtable_new(&f->env.env, capacity, &f->m), PEAT_OK);
}

static void fixture_done(fixture *f)
{
    pt_memtable_unref(f->m);
    assert_int_equal(atomic_load(&f->env.live), 0);
    model_done(&f->model);
}

static void add(fixture *f, const pt_entry *e)
{
    assert_true(pt_memtable_reserve(f->m, 1, e->key.size, e->value.size));
    pt_memtable_add(f->m, e);
    model_add(&f->model, e);
}

static void add_text(fixture *f, const char *key, const char *value, uint64_t seq)
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

static void must_equal(const fixture *f, const char *what, const pt_entry *found,
                       const pt_entry *expected)
{
    if (!entry_equal(found, expected))
        fail_msg("%s: found seq %llu key size %zu, expected seq %llu key size %zu; repeat with "
                 "PEAT_TEST_SEED=%llu",
                 what, (unsigned long long)found->seq, found->key.size,
                 (unsigned long long)expected->seq, expected->key.size,
                 (unsigned long long)f->seed);
}

/* The iterator stands on entry `i` of the model, or `rc` is END and i is outside. */
static void must_stand_on(const fixture *f, const char *what, const pt_iter *it, peat_rc rc,
                          size_t i)
{
    if ((rc == PEAT_OK) != (i < f->model.count))
        fail_msg("%s: rc %d at %zu of %zu; repeat with PEAT_TEST_SEED=%llu", what, (int)rc, i,
                 f->model.count, (unsigned long long)f->seed);
    if (rc == PEAT_OK)
        must_equal(f, what, &it->at, &f->model.items[i]);
    else
        assert_int_equal(rc, PEAT_END);
}

static void must_walk_both_ways(fixture *f)
{
    model_sort(&f->model);
    pt_iter *it = NULL;
    assert_int_equal(pt_memtable_iter_new(f->m, &it), PEAT_OK);
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

static void must_find(fixture *f, pt_slice key, uint64_t seq)
{
    size_t i = model_find(&f->model, key, seq);
    bool expected = i < f->model.count && pt_slice_equal(f->model.items[i].key, key);
    pt_entry found = {0};
    assert_int_equal(pt_memtable_get(f->m, key, seq, &found), expected);
    if (expected)
        must_equal(f, "get", &found, &f->model.items[i]);
}

static void must_seek(fixture *f, pt_iter *it, pt_slice key)
{
    size_t i = model_find(&f->model, key, UINT64_MAX);
    must_stand_on(f, "seek", it, pt_iter_seek(it, key), i);
    size_t behind = model_find(&f->model, key, 0);
    if (behind < f->model.count && pt_slice_equal(f->model.items[behind].key, key))
        behind++; /* a version with sequence 0 */
    must_stand_on(f, "seek_for_prev", it, pt_iter_seek_for_prev(it, key), behind - 1);
}

/* Steps back and forth from a random place, turning inside versions of one key too. */
static void must_wander(fixture *f, pt_iter *it)
{
    if (f->model.count == 0)
        return;
    size_t i = rng_below(&f->rng, f->model.count);
    peat_rc rc = pt_iter_seek(it, f->model.items[i].key);
    i = model_find(&f->model, f->model.items[i].key, UINT64_MAX);
    must_stand_on(f, "wander", it, rc, i);
    for (int step = 0; step < 40 && rc == PEAT_OK; step++) {
        bool forward = rng_below(&f->rng, 2);
        rc = forward ? pt_iter_next(it) : pt_iter_prev(it);
        i += forward ? 1 : (size_t)-1;
        must_stand_on(f, "wander", it, rc, i);
    }
}

static void must_agree(fixture *f, key_shape shape, uint64_t id_max)
{
    must_walk_both_ways(f);
    pt_iter *it = NULL;
    assert_int_equal(pt_memtable_iter_new(f->m, &it), PEAT_OK);
    for (int i = 0; i < 300; i++) {
        uint8_t bytes[MODEL_KEY_MAX];
        size_t n = key_make(shape, &f->rng, rng_below(&f->rng, id_max), bytes);
        if (rng_below(&f->rng, 4) == 0)
            bytes[rng_below(&f->rng, n)] ^= (uint8_t)(1u << rng_below(&f->rng, 8));
        uint64_t seq = rng_below(&f->rng, 3) ? PT_SEQ_MAX : rng_below(&f->rng, f->next_seq + 1);
        must_find(f, pt_slice_of(bytes, n), seq);
        must_seek(f, it, pt_slice_of(bytes, n));
        must_wander(f, it);
    }
    pt_iter_done(it);
}

static void add_random(fixture *f, key_shape shape, uint64_t id, uint64_t seq)
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

static void run_shape(key_shape shape, bool ascending, size_t count, uint64_t id_max)
{
    fixture f;
    fixture_init(&f, (size_t)32 << 20, shape);
    uint64_t batch[8];
    for (size_t done = 0; done < count;) {
        /* Sequences of a batch arrive in any order, as from writers side by side. */
        size_t n = 1 + rng_below(&f.rng, 8);
        for (size_t i = 0; i < n; i++)
            batch[i] = f.next_seq++;
        for (size_t i = n; i-- > 0; done++) {
            size_t pick = rng_below(&f.rng, i + 1);
            uint64_t seq = batch[pick];
            batch[pick] = batch[i];
            add_random(&f, shape, ascending ? done : rng_below(&f.rng, id_max), seq);
        }
        if (done % 4096 < n || done < 40)
            must_agree(&f, shape, id_max);
    }
    must_agree(&f, shape, id_max);
    fixture_done(&f);
}

static void random_keys_match_a_sorted_array(void **state)
{
    (void)state;
    run_shape(KEYS_RANDOM, false, 20000, 15000);
}

static void decimal_keys_match_a_sorted_array(void **state)
{
    (void)state;
    run_shape(KEYS_DECIMAL, false, 20000, 1000000);
}

static void ascending_keys_match_a_sorted_array(void **state)
{
    (void)state;
    run_shape(KEYS_DECIMAL, true, 20000, 20000);
}

static void prefixes_of_each_other_match_a_sorted_array(void **state)
{
    (void)state;
    run_shape(KEYS_NESTED, false, 15000, 1);
}

static void paths_match_a_sorted_array(void **state)
{
    (void)state;
    run_shape(KEYS_PATHS, false, 20000, 10000000);
}

static void several_keyspaces_match_a_sorted_array(void **state)
{
    (void)state;
    run_shape(KEYS_SPACES, false, 20000, 1);
}

static void keys_outside_the_common_prefix_match_a_sorted_array(void **state)
{
    (void)state;
    run_shape(KEYS_LATE_OUTSIDE, false, 20000, 1000000);
    run_shape(KEYS_LATE_OUTSIDE, true, 20000, 20000);
}

static void an_empty_memtable_has_nothing(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f, 65536, 0);
    uint8_t key[4] = {0, 0, 0, 1};
    must_find(&f, pt_slice_of(key, 4), PT_SEQ_MAX);
    pt_iter *it = NULL;
    assert_int_equal(pt_memtable_iter_new(f.m, &it), PEAT_OK);
    must_seek(&f, it, pt_slice_of(key, 4));
    assert_int_equal(pt_iter_first(it), PEAT_END);
    assert_int_equal(pt_iter_last(it), PEAT_END);
    pt_iter_done(it);
    fixture_done(&f);
}

static void the_empty_user_key_is_a_key(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f, 65536, 0);
    add_text(&f, "", "nothing before the slash", 1);
    add_text(&f, "a", "", 2);
    add_text(&f, "", "again", 3);
    must_agree(&f, KEYS_NESTED, 1);
    fixture_done(&f);
}

static void many_versions_of_one_key_come_newest_first(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f, (size_t)8 << 20, 0);
    add_text(&f, "before", "x", 1);
    for (uint64_t i = 0; i < 3000; i++)
        add_text(&f, "hot", "y", 2 + (i * 1237) % 3000);
    add_text(&f, "zero", "at sequence 0", 0);
    f.next_seq = 3002;
    must_walk_both_ways(&f);
    for (uint64_t seq = 0; seq < 3010; seq += 7)
        must_find(&f, f.model.items[1].key, seq);
    fixture_done(&f);
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

static void the_largest_keys_and_large_values_are_kept(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f, (size_t)64 << 20, 0);
    for (uint8_t i = 0; i < 120; i++)
        add_sized(&f, PT_KEY_BYTES_MAX - (i % 3), i, (uint8_t)(i * 37));
    static const size_t sizes[] = {65533, 65534, 65535, 65536, 65537, 1 << 20, 5000001};
    for (size_t i = 0; i < PT_COUNT_OF(sizes); i++)
        add_sized(&f, 20 + i, sizes[i], (uint8_t)i);
    must_agree(&f, KEYS_NESTED, 1);
    for (size_t i = 0; i < f.model.count; i++)
        must_find(&f, f.model.items[i].key, PT_SEQ_MAX);
    fixture_done(&f);
}

static void stats_count_what_was_added(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f, (size_t)1 << 20, 0);
    uint64_t tombstones = 0, key_bytes = 0, value_bytes = 0;
    for (uint64_t i = 0; i < 500; i++)
        add_random(&f, KEYS_NESTED, 0, f.next_seq++);
    for (size_t i = 0; i < f.model.count; i++) {
        tombstones += f.model.items[i].kind == PT_KIND_DELETE;
        key_bytes += f.model.items[i].key.size;
        value_bytes += f.model.items[i].value.size;
    }
    pt_memtable_stats s;
    pt_memtable_get_stats(f.m, &s);
    assert_int_equal(s.entries, 500);
    assert_int_equal(s.tombstones, tombstones);
    assert_int_equal(s.key_bytes, key_bytes);
    assert_int_equal(s.value_bytes, value_bytes);
    assert_int_equal(s.capacity_bytes, 1 << 20);
    assert_true(s.used_bytes >= key_bytes + value_bytes && s.used_bytes <= s.capacity_bytes);
    fixture_done(&f);
}

static void an_iterator_outlives_the_callers_reference(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f, 65536, 0);
    add_text(&f, "k", "v", 7);
    pt_iter *it = NULL;
    assert_int_equal(pt_memtable_iter_new(f.m, &it), PEAT_OK);
    pt_memtable_unref(pt_memtable_ref(f.m));
    pt_memtable_unref(f.m);
    must_stand_on(&f, "first", it, pt_iter_first(it), 0);
    pt_iter_done(it);
    f.m = NULL;
    fixture_done(&f);
}

static void an_iterator_sees_what_was_added_before_its_seek(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f, (size_t)4 << 20, 99);
    pt_iter *it = NULL;
    assert_int_equal(pt_memtable_iter_new(f.m, &it), PEAT_OK);
    for (uint64_t i = 0; i < 6000; i++) {
        add_random(&f, KEYS_RANDOM, i, f.next_seq++);
        const pt_entry *e = &f.model.items[f.model.count - 1];
        assert_int_equal(pt_iter_seek(it, e->key), PEAT_OK);
        must_equal(&f, "seek", &it->at, e);
        /* Later additions may be seen or not, but the order holds. */
        uint8_t last[MODEL_KEY_MAX];
        for (int step = 0; step < 3; step++) {
            size_t n = it->at.key.size;
            memcpy(last, it->at.key.data, n);
            if (step == 1)
                add_random(&f, KEYS_RANDOM, ++i, f.next_seq++);
            if (pt_iter_next(it) != PEAT_OK)
                break;
            assert_true(pt_slice_compare(it->at.key, pt_slice_of(last, n)) > 0);
        }
        f.model.sorted = f.model.count; /* only the newest item is looked at */
    }
    f.model.sorted = 0;
    pt_iter_done(it);
    must_walk_both_ways(&f);
    fixture_done(&f);
}

static void without_memory_nothing_is_made_and_nothing_leaks(void **state)
{
    (void)state;
    mem_env env;
    mem_env_init(&env);
    pt_memtable *m = NULL;
    peat_rc rc = PEAT_NOMEM;
    for (long allowed = 0; rc == PEAT_NOMEM && allowed < 10; allowed++) {
        atomic_store(&env.allowed, allowed);
        rc = pt_memtable_new(&env.env, 65536, &m);
        if (rc == PEAT_NOMEM)
            assert_int_equal(atomic_load(&env.live), 0);
    }
    assert_int_equal(rc, PEAT_OK);
    atomic_store(&env.allowed, 0);
    pt_iter *it = NULL;
    assert_int_equal(pt_memtable_iter_new(m, &it), PEAT_NOMEM);
    pt_memtable_unref(m);
    pt_memtable_unref(NULL);
    assert_int_equal(atomic_load(&env.live), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_memtable_has_nothing),
        cmocka_unit_test(the_empty_user_key_is_a_key),
        cmocka_unit_test(random_keys_match_a_sorted_array),
        cmocka_unit_test(decimal_keys_match_a_sorted_array),
        cmocka_unit_test(ascending_keys_match_a_sorted_array),
        cmocka_unit_test(prefixes_of_each_other_match_a_sorted_array),
        cmocka_unit_test(paths_match_a_sorted_array),
        cmocka_unit_test(several_keyspaces_match_a_sorted_array),
        cmocka_unit_test(keys_outside_the_common_prefix_match_a_sorted_array),
        cmocka_unit_test(many_versions_of_one_key_come_newest_first),
        cmocka_unit_test(the_largest_keys_and_large_values_are_kept),
        cmocka_unit_test(stats_count_what_was_added),
        cmocka_unit_test(an_iterator_outlives_the_callers_reference),
        cmocka_unit_test(an_iterator_sees_what_was_added_before_its_seek),
        cmocka_unit_test(without_memory_nothing_is_made_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
