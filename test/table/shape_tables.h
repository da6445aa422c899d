/* SPDX-License-Identifier: MIT */
/* shape_tables.h - tables of many shapes, in every layout, each with the array it was made from. */
#ifndef PT_TEST_TABLE_SHAPE_TABLES_H
#define PT_TEST_TABLE_SHAPE_TABLES_H

#include "table_kit.h"

/* ---- shapes of records ---- */

typedef void (*shape_fn)(rng *r, size_t i, pt_bytes *key, pt_bytes *value, pt_kind *kind);

static inline void put(pt_bytes *b, const void *data, size_t n)
{
    b->size = 0;
    assert_ok(pt_bytes_append(b, data, n));
}

static inline void fill(rng *r, pt_bytes *b, size_t n)
{
    b->size = 0;
    assert_ok(pt_bytes_reserve(b, n + 8));
    for (size_t i = 0; i < n; i += 8)
        pt_put_u64(b->data + i, rng_next(r));
    b->size = n;
}

static inline void decimal(rng *r, size_t i, pt_bytes *key, pt_bytes *value, pt_kind *kind)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%c%c%c%c%016zu", 0, 0, 0, 1, i * 3);
    put(key, text, (size_t)n);
    fill(r, value, 100);
    *kind = PT_KIND_PUT;
}

/* Few distinct keys: many versions, over block borders. */
static inline void versions(rng *r, size_t i, pt_bytes *key, pt_bytes *value, pt_kind *kind)
{
    char text[32];
    (void)i;
    int n = snprintf(text, sizeof text, "user/%u", (unsigned)rng_below(r, 12));
    put(key, text, (size_t)n);
    fill(r, value, rng_below(r, 300));
    *kind = rng_below(r, 4) == 0 ? PT_KIND_DELETE : PT_KIND_PUT;
}

/* Short keys over a small alphabet, the empty one too, prefixes of each other; empty values. */
static inline void tiny(rng *r, size_t i, pt_bytes *key, pt_bytes *value, pt_kind *kind)
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
static inline void long_keys(rng *r, size_t i, pt_bytes *key, pt_bytes *value, pt_kind *kind)
{
    (void)i;
    size_t n = 1 + rng_below(r, 900);
    key->size = 0;
    assert_ok(pt_bytes_reserve(key, n));
    memset(key->data, 'k', n);
    key->data[n - 1] = (uint8_t)rng_below(r, 256);
    key->size = n;
    fill(r, value, rng_below(r, 40));
    *kind = PT_KIND_PUT;
}

/* Keys that share more than a block holds, of three kinds; some leave the others early, some are
 * there in several versions, some have a value that fills most of a block. */
static inline void shared_prefix(rng *r, size_t i, pt_bytes *key, pt_bytes *value, pt_kind *kind)
{
    static const size_t sizes[] = {16500, 40000, PT_KEY_BYTES_MAX - 400};
    size_t of = rng_below(r, 3), rest = rng_below(r, 8) == 0 ? 400 : 2 + rng_below(r, 3);
    (void)i;
    fill(r, key, sizes[of] + rest);
    memset(key->data, 'a' + (int)of, sizes[of]);
    if (rest < 400)
        memset(key->data + sizes[of], 'x' + (int)rng_below(r, 3), rest);
    if (rng_below(r, 12) == 0)
        key->data[sizes[of] - rng_below(r, 9000)] = 'z';
    fill(r, value, rng_below(r, 10) == 0 ? rng_below(r, 15000) : rng_below(r, 300));
    *kind = rng_below(r, 6) == 0 ? PT_KIND_DELETE : PT_KIND_PUT;
}

/* From nothing to far above a block, keys up to the limit. */
static inline void mixed_sizes(rng *r, size_t i, pt_bytes *key, pt_bytes *value, pt_kind *kind)
{
    (void)i;
    size_t k = rng_below(r, 50) == 0 ? PT_KEY_BYTES_MAX : 4 + rng_below(r, 30);
    size_t v = rng_below(r, 1ULL << (1 + rng_below(r, 17)));
    fill(r, key, k);
    fill(r, value, v);
    *kind = rng_below(r, 10) == 0 ? PT_KIND_DELETE : PT_KIND_PUT;
}

/* Around the limit from which an entry gets its own block. */
static inline void block_sized(rng *r, size_t i, pt_bytes *key, pt_bytes *value, pt_kind *kind)
{
    (void)i;
    fill(r, key, 16);
    fill(r, value, (rng_below(r, 2) ? 4016u : 16304u) + rng_below(r, 100));
    *kind = PT_KIND_PUT;
}

static inline void text_values(rng *r, size_t i, pt_bytes *key, pt_bytes *value, pt_kind *kind)
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
    {"shared_prefix", shared_prefix, 250, false},
    {"block_sized", block_sized, 120, false},
    {"text_values", text_values, 4000, false},
    {"one", decimal, 1, true},
    {"none", decimal, 0, true},
};

static inline void make_model(model *m, const shape *s, uint64_t seed)
{
    sim_env *sim = sim_new(1);
    rng r = {seed};
    pt_bytes key, value;
    pt_bytes_init(&key, sim_peat(sim));
    pt_bytes_init(&value, sim_peat(sim));
    for (size_t i = 0; i < s->count; i++) {
        pt_kind kind;
        s->make(&r, i, &key, &value, &kind);
        model_add(m, pt_slice_of(key.data, key.size), pt_slice_of(value.data, value.size),
                  s->zero_seqs ? 0 : 1 + i, kind);
    }
    pt_bytes_done(&key);
    pt_bytes_done(&value);
    sim_end(sim);
    model_sort(m);
}

static const pt_table_writer_options layouts[] = {
    {.store_id = 7, .file_number = 1, .run_kind = PT_RUN_FLUSHED},
    {.store_id = 7, .file_number = 2, .run_kind = PT_RUN_FLUSHED, .want_filter = true},
    {.store_id = 7,
     .file_number = 3,
     .run_kind = PT_RUN_BOTTOMMOST,
     .want_filter = true,
     .want_locator = true},
    {.store_id = 7,
     .file_number = 4,
     .run_kind = PT_RUN_INTERMEDIATE,
     .packed = true,
     .want_locator = true},
    {.store_id = 7, .file_number = 5, .run_kind = PT_RUN_BOTTOMMOST, .codec = PT_CODEC_LZ4},
    {.store_id = 7,
     .file_number = 6,
     .run_kind = PT_RUN_BOTTOMMOST,
     .codec = PT_CODEC_LZ4,
     .block_bytes = 4096,
     .want_locator = true},
#ifdef PT_HAVE_ZSTD
    {.store_id = 7, .file_number = 8, .run_kind = PT_RUN_BOTTOMMOST, .codec = PT_CODEC_ZSTD},
#endif
};

static inline void each_table(void (*check)(kit *k, const model *m, uint64_t seed))
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

#endif
