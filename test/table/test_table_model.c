/* SPDX-License-Identifier: MIT */
/*
 * test_table_model.c - tables of many shapes against a sorted array: lookups at any sequence,
 * iterators both ways with bounds, streams.
 */
#include "table_kit.h"
#include "table/table_file.h"

/* ---- shapes of records ---- */

typedef void (*shape_fn)(rng *r, size_t i, pt_bytes *key, pt_bytes *value, pt_kind *kind);

static void put(pt_bytes *b, const void *data, size_t n)
{
    b->size = 0;
    assert_int_equal(pt_bytes_append(b, data, n), PEAT_OK);
}

static void fill(rng *r, pt_bytes *b, size_t n)
{
    b->size = 0;
    assert_int_equal(pt_bytes_reserve(b, n + 8), PEAT_OK);
    for (size_t i = 0; i < n; i += 8)
        pt_put_u64(b->data + i, rng_next(r));
    b->size = n;
}

static void decimal(rng *r, size_t i, pt_bytes *key, pt_bytes *value, pt_kind *kind)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%c%c%c%c%016zu", 0, 0, 0, 1, i * 3);
    put(key, text, (size_t)n);
    fill(r, value, 100);
    *kind = PT_KIND_PUT;
}

/* Few distinct keys: many versions, over block borders. */
static void versions(rng *r, size_t i, pt_bytes *key, pt_bytes *value, pt_kind *kind)
{
    char text[32];
    (void)i;
    int n = snprintf(text, sizeof text, "user/%u", (unsigned)rng_below(r, 12));
    put(key, text, (size_t)n);
    fill(r, value, rng_below(r, 300));
    *kind = rng_below(r, 4) == 0 ? PT_KIND_DELETE : PT_KIND_PUT;
}

/* Short keys over a small alphabet, the empty one too, prefixes of each other; empty values. */
static void tiny(rng *r, size_t i, pt_bytes *key, pt_bytes *value, pt_kind *kind)
{
    uint8_t k[6];
    (void)i;
    size_t n = rng_below(r, sizeof k);
    for (size_t j = 0; j < n; j++)
        k[j] = (uint8_t[]){0, 1, 'a', 0xff}[rng_below(r, 4)];
    put(key, k, n);
    fill(r, value, rng_below(r, 3));
    *kind = rng_below(r, 8) == 0 ? PT_KIND_DELETE : PT_KIND_PUT;
}

/* Long keys that differ at their end only, of different lengths. */
static void long_keys(rng *r, size_t i, pt_bytes *key, pt_bytes *value, pt_kind *kind)
{
    (void)i;
    size_t n = 1 + rng_below(r, 900);
    key->size = 0;
    assert_int_equal(pt_bytes_reserve(key, n), PEAT_OK);
    memset(key->data, 'k', n);
    key->data[n - 1] = (uint8_t)rng_below(r, 256);
    key->size = n;
    fill(r, value, rng_below(r, 40));
    *kind = PT_KIND_PUT;
}

/* From nothing to far above a block, keys up to the limit. */
static void mixed_sizes(rng *r, size_t i, pt_bytes *key, pt_bytes *value, pt_kind *kind)
{
    (void)i;
    size_t k = rng_below(r, 50) == 0 ? PT_KEY_BYTES_MAX : 4 + rng_below(r, 30);
    size_t v = rng_below(r, 1ULL << (1 + rng_below(r, 17)));
    fill(r, key, k);
    fill(r, value, v);
    *kind = rng_below(r, 10) == 0 ? PT_KIND_DELETE : PT_KIND_PUT;
}

/* Around the limit from which an entry gets its own block. */
static void block_sized(rng *r, size_t i, pt_bytes *key, pt_bytes *value, pt_kind *kind)
{
    (void)i;
    fill(r, key, 16);
    fill(r, value, (rng_below(r, 2) ? 4016u : 16304u) + rng_below(r, 100));
    *kind = PT_KIND_PUT;
}

static void text_values(rng *r, size_t i, pt_bytes *key, pt_bytes *value, pt_kind *kind)
{
    char k[64], v[256];
    int n = snprintf(k, sizeof k, "path/%05zu/%u", i / 7, (unsigned)rng_below(r, 100));
    put(key, k, (size_t)n);
    n = snprintf(v, sizeof v, "the quick brown fox %zu jumps over the lazy dog %zu", i, i % 10);
    put(value, v, (size_t)n);
    *kind = PT_KIND_PUT;
}

typedef struct shape {
    const char *name;
    shape_fn make;
    size_t count;
    bool zero_seqs; /* as a bottom merge leaves them: keys distinct */
} shape;

static const shape shapes[] = {
    {"decimal", decimal, 3000, true},
    {"decimal_seqs", decimal, 3000, false},
    {"versions", versions, 2000, false},
    {"tiny", tiny, 3000, false},
    {"tiny_zero", tiny, 3000, true},
    {"long_keys", long_keys, 1500, false},
    {"mixed_sizes", mixed_sizes, 300, false},
    {"block_sized", block_sized, 120, false},
    {"text_values", text_values, 4000, false},
    {"one", decimal, 1, true},
    {"none", decimal, 0, true},
};

static void make_model(model *m, const shape *s, uint64_t seed)
{
    memory_env heap;
    memory_env_init(&heap);
    rng r = {seed};
    pt_bytes key, value;
    pt_bytes_init(&key, &heap.env);
    pt_bytes_init(&value, &heap.env);
    for (size_t i = 0; i < s->count; i++) {
        pt_kind kind;
        s->make(&r, i, &key, &value, &kind);
        model_add(m, pt_slice_of(key.data, key.size), pt_slice_of(value.data, value.size),
                  s->zero_seqs ? 0 : 1 + i, kind);
    }
    pt_bytes_done(&key);
    pt_bytes_done(&value);
    model_sort(m);
}

static const pt_table_writer_options layouts[] = {
    {.store_id = 7, .file_number = 1, .run_kind = PT_RUN_FRESH},
    {.store_id = 7, .file_number = 2, .run_kind = PT_RUN_FRESH, .want_filter = true},
    {.store_id = 7,
     .file_number = 3,
     .run_kind = PT_RUN_BOTTOM,
     .want_filter = true,
     .want_locator = true},
    {.store_id = 7, .file_number = 4, .run_kind = PT_RUN_MID, .packed = true, .want_locator = true},
    {.store_id = 7, .file_number = 5, .run_kind = PT_RUN_BOTTOM, .codec = PT_CODEC_LZ4},
    {.store_id = 7,
     .file_number = 6,
     .run_kind = PT_RUN_BOTTOM,
     .codec = PT_CODEC_LZ4,
     .block_bytes = 4096,
     .want_locator = true},
#ifdef PT_HAVE_ZSTD
    {.store_id = 7, .file_number = 8, .run_kind = PT_RUN_BOTTOM, .codec = PT_CODEC_ZSTD},
#endif
};

static void each_table(void (*check)(kit *k, const model *m, uint64_t seed))
{
    for (size_t s = 0; s < PT_COUNT_OF(shapes); s++) {
        for (size_t l = 0; l < PT_COUNT_OF(layouts); l++) {
            model m = {0};
            uint64_t seed = s * 100 + l;
            make_model(&m, &shapes[s], seed);
            kit k;
            kit_build(&k, &layouts[l], &m);
            print_message("%s, layout %zu: %u blocks of %u\n", shapes[s].name, l,
                          k.meta.block_count, k.meta.block_bytes);
            check(&k, &m, seed);
            kit_done(&k);
            model_done(&m);
        }
    }
}

static void expect_entry(const pt_entry *have, const pt_entry *want)
{
    assert_true(pt_slice_equal(have->key, want->key));
    assert_true(pt_slice_equal(have->value, want->value));
    assert_int_equal(have->seq, want->seq);
    assert_int_equal(have->kind, want->kind);
}

/* A key that is there or nearly: its last byte changed, cut, or longer. */
static pt_slice some_key(rng *r, const model *m)
{
    static uint8_t buf[PT_KEY_BYTES_MAX + 1];
    pt_slice key = {buf, 0};
    if (m->count != 0) {
        pt_slice k = m->entries[rng_below(r, m->count)].key;
        memcpy(buf, k.data, k.size);
        key.size = k.size;
    }
    switch (rng_below(r, 6)) {
    case 0:
        if (key.size != 0)
            buf[key.size - 1] = (uint8_t)rng_next(r);
        break;
    case 1:
        key.size = rng_below(r, key.size + 1);
        break;
    case 2:
        buf[key.size++] = (uint8_t)rng_below(r, 2);
        break;
    default:
        break;
    }
    return key;
}

/* ---- lookups ---- */

static void check_find(kit *k, kit_source *s, const model *m, pt_slice key, uint64_t seq_max)
{
    pt_entry have;
    const pt_entry *want = model_find(m, key, seq_max);
    peat_rc rc = kit_find(k, s, key, seq_max, &have);
    assert_int_equal(rc, want != NULL ? PEAT_OK : PEAT_NOT_FOUND);
    if (want != NULL) {
        have.key = key;
        expect_entry(&have, want);
        free((void *)(uintptr_t)have.value.data);
    }
}

static void find_agrees(kit *k, const model *m, uint64_t seed)
{
    rng r = {seed};
    kit_source s;
    kit_source_init(&s, k);
    for (int pass = 0; pass < 3; pass++) {
        for (size_t i = 0; i < m->count; i++) {
            check_find(k, &s, m, m->entries[i].key, m->entries[i].seq);
            if (i % 4 == 0)
                check_find(k, &s, m, m->entries[i].key, PT_SEQ_MAX);
            if (i % 16 == 0)
                check_find(k, &s, m, some_key(&r, m), rng_below(&r, m->count + 2));
        }
        /* the same without what helps it */
        pt_table_deny(k->table, PT_SECTION_LOCATOR, true);
        pt_table_unload(k->table, PT_SECTION_LOCATOR);
        if (pass == 1) {
            pt_table_deny(k->table, PT_SECTION_FILTER, true);
            pt_table_unload(k->table, PT_SECTION_FILTER);
        }
        pt_epoch_collect(&k->epoch);
    }
    check_find(k, &s, m, pt_slice_of("", 0), PT_SEQ_MAX);
    assert_int_equal(s.held, 0);
}

static void find_answers_like_a_sorted_array(void **state)
{
    (void)state;
    each_table(find_agrees);
}

/* ---- iterators ---- */

typedef struct span {
    size_t lo, hi;
} span;

static void expect_at(pt_iter *it, peat_rc rc, const model *m, span in, size_t i)
{
    if (i < in.lo || i >= in.hi) {
        assert_int_equal(rc, PEAT_END);
        return;
    }
    assert_int_equal(rc, PEAT_OK);
    expect_entry(&it->at, &m->entries[i]);
    if (it->stable_until.data != NULL)
        assert_true(pt_slice_compare(it->at.key, it->stable_until) <= 0);
}

static void walk_whole(pt_iter *it, const model *m, span in)
{
    peat_rc rc = pt_iter_first(it);
    for (size_t i = in.lo; i < in.hi; i++, rc = pt_iter_next(it))
        expect_at(it, rc, m, in, i);
    assert_int_equal(rc, PEAT_END);
    rc = pt_iter_last(it);
    for (size_t i = in.hi; i > in.lo; i--, rc = pt_iter_prev(it))
        expect_at(it, rc, m, in, i - 1);
    assert_int_equal(rc, PEAT_END);
}

static size_t clamp(size_t i, span in)
{
    return i < in.lo ? in.lo : i;
}

static void walk_random(pt_iter *it, const model *m, span in, rng *r)
{
    for (int n = 0; n < 60; n++) {
        pt_slice key = some_key(r, m);
        size_t at;
        peat_rc rc;
        if (rng_below(r, 2)) {
            at = clamp(model_bound(m, key, false), in);
            rc = pt_iter_seek(it, key);
        } else {
            at = model_bound(m, key, true);
            at = (at < in.hi ? at : in.hi) - 1; /* wraps below the first: out of the span */
            rc = pt_iter_seek_for_prev(it, key);
        }
        expect_at(it, rc, m, in, at);
        for (int step = 0; step < 40 && rc == PEAT_OK; step++) {
            bool on = rng_below(r, 3) != 0;
            rc = on ? pt_iter_next(it) : pt_iter_prev(it);
            at = on ? at + 1 : at - 1;
            expect_at(it, rc, m, in, at);
        }
    }
}

static void iterate_agrees(kit *k, const model *m, uint64_t seed)
{
    rng r = {seed};
    kit_source s;
    kit_source_init(&s, k);
    pt_iter *it;
    span all = {0, m->count};
    assert_int_equal(pt_table_iter_new(&k->mem.env, k->table, &s.base, NULL, &it), PEAT_OK);
    walk_whole(it, m, all);
    walk_random(it, m, all, &r);
    pt_iter_done(it);
    for (int n = 0; n < 8; n++) {
        pt_slice lower = copy_slice(some_key(&r, m)), upper = copy_slice(some_key(&r, m));
        pt_table_iter_options o = {.lower = lower, .upper = upper, .hint = PT_FETCH_SCAN};
        if (n == 1)
            o.lower = (pt_slice){0};
        if (n == 2)
            o.upper = (pt_slice){0};
        span in = {o.lower.data ? model_bound(m, o.lower, false) : 0,
                   o.upper.data ? model_bound(m, o.upper, false) : m->count};
        assert_int_equal(pt_table_iter_new(&k->mem.env, k->table, &s.base, &o, &it), PEAT_OK);
        if (in.lo <= in.hi) {
            walk_whole(it, m, in);
            walk_random(it, m, in, &r);
        } else {
            assert_int_equal(pt_iter_first(it), PEAT_END);
            assert_int_equal(pt_iter_last(it), PEAT_END);
        }
        pt_iter_done(it);
        free((void *)(uintptr_t)lower.data);
        free((void *)(uintptr_t)upper.data);
    }
    assert_int_equal(s.held, 0);
}

static void iterators_agree_with_a_sorted_array(void **state)
{
    (void)state;
    each_table(iterate_agrees);
}

static void stream_agrees(kit *k, const model *m, uint64_t seed)
{
    rng r = {seed};
    pt_block_source *source;
    pt_iter *it;
    assert_int_equal(pt_table_stream_new(&k->mem.env, k->table, PT_STREAM_MERGE, &source), PEAT_OK);
    assert_int_equal(pt_table_iter_new(&k->mem.env, k->table, source, NULL, &it), PEAT_OK);
    uint64_t reads = k->mem.reads;
    peat_rc rc = pt_iter_first(it);
    for (size_t i = 0; i < m->count; i++, rc = pt_iter_next(it))
        expect_at(it, rc, m, (span){0, m->count}, i);
    assert_int_equal(rc, PEAT_END);
    /* 256 KiB first, then more at a time; a large entry on its own at worst */
    assert_true(k->mem.reads - reads <= 2 + k->meta.file_bytes / (128 << 10));
    walk_random(it, m, (span){0, m->count}, &r);
    pt_iter_done(it);
    pt_table_stream_free(&k->mem.env, source);
}

static void streams_agree_with_a_sorted_array(void **state)
{
    (void)state;
    each_table(stream_agrees);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_answers_like_a_sorted_array),
        cmocka_unit_test(iterators_agree_with_a_sorted_array),
        cmocka_unit_test(streams_agree_with_a_sorted_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
