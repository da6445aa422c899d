/* SPDX-License-Identifier: MIT */
/*
 * mem_model.h - a sorted array that a memtable must agree with, and the ways of making keys that
 * the tests use. Failures print the seed; SEED=n repeats a run.
 */
#ifndef TEST_MEM_MEM_MODEL_H
#define TEST_MEM_MEM_MODEL_H

#include "base/coding.h"
#include "base/hash.h"
#include "mem/memtable.h"
#include "world/random.h"

#include <stdio.h>
#include <stdlib.h>

/* Shapes of keys; each stresses another part of the order. */
typedef enum key_shape {
    KEYS_RANDOM,  /* 16 random bytes in one keyspace */
    KEYS_DECIMAL, /* 16 digits, zero-padded: long common prefix */
    KEYS_NESTED,  /* 0 to 6 bytes of a two-letter alphabet with zeros: prefixes of each other */
    KEYS_PATHS,   /* common prefixes longer than any head */
    KEYS_SPACES,  /* several keyspaces, short keys */
    KEYS_LATE_OUTSIDE, /* like decimal, but now and then a key that shares no byte with the rest */
    KEY_SHAPE_COUNT,
} key_shape;

#define MODEL_KEY_MAX 128

static inline size_t key_make(key_shape shape, rng *r, uint64_t id, uint8_t *key)
{
    pt_put_be32(key, PT_KEYSPACE_DEFAULT);
    uint8_t *p = key + PT_KEYSPACE_BYTES;
    int n = 0;
    switch (shape) {
    case KEYS_RANDOM:
        pt_put_u64(p, pt_mix(id));
        pt_put_u64(p + 8, id);
        return 20;
    case KEYS_DECIMAL:
        n = snprintf((char *)p, 100, "%016llu", (unsigned long long)id);
        break;
    case KEYS_NESTED:
        n = (int)rng_below(r, 7);
        for (int i = 0; i < n; i++)
            p[i] = (uint8_t)(rng_below(r, 3) == 0 ? 0 : 'a' + rng_below(r, 2));
        break;
    case KEYS_PATHS:
        n = snprintf((char *)p, 100, "/usr/share/doc/a-rather-long-package-name-%llu/%s%llu",
                     (unsigned long long)(id % 7), id % 3 ? "copyright/of/everything/" : "",
                     (unsigned long long)id);
        break;
    case KEYS_SPACES:
        pt_put_be32(key, (uint32_t)rng_below(r, 4) * 0x01010101u);
        n = (int)rng_below(r, 4);
        for (int i = 0; i < n; i++)
            p[i] = (uint8_t)rng_next(r);
        break;
    case KEYS_LATE_OUTSIDE:
    default:
        n = snprintf((char *)p, 100, "%016llu", (unsigned long long)id);
        if (rng_below(r, 500) == 0)
            key[rng_below(r, 12)] = (uint8_t)rng_next(r);
        break;
    }
    return PT_KEYSPACE_BYTES + (size_t)n;
}

typedef struct model {
    pt_entry *items;
    size_t count, capacity, sorted;
} model;

static inline int model_compare(const void *a, const void *b)
{
    const pt_entry *x = a, *y = b;
    int c = pt_slice_compare(x->key, y->key);
    if (c != 0)
        return c;
    return x->seq > y->seq ? -1 : x->seq < y->seq;
}

static inline pt_slice model_copy(pt_slice s)
{
    uint8_t *p = malloc(s.size ? s.size : 1);
    if (p == NULL)
        abort();
    if (s.size)
        memcpy(p, s.data, s.size);
    return pt_slice_of(p, s.size);
}

static inline void model_add(model *m, const pt_entry *e)
{
    if (m->count == m->capacity) {
        m->capacity = m->capacity ? 2 * m->capacity : 64;
        m->items = realloc(m->items, m->capacity * sizeof *m->items);
        if (m->items == NULL)
            abort();
    }
    m->items[m->count] = *e;
    m->items[m->count].key = model_copy(e->key);
    m->items[m->count++].value = model_copy(e->value);
}

static inline void model_sort(model *m)
{
    if (m->sorted != m->count)
        qsort(m->items, m->count, sizeof *m->items, model_compare);
    m->sorted = m->count;
}

/* Index of the first entry at or behind (key, seq). */
static inline size_t model_find(model *m, pt_slice key, uint64_t seq)
{
    model_sort(m);
    pt_entry wanted = {.key = key, .seq = seq};
    size_t lo = 0, hi = m->count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (model_compare(&m->items[mid], &wanted) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static inline void model_done(model *m)
{
    for (size_t i = 0; i < m->count; i++) {
        free((void *)(uintptr_t)m->items[i].key.data);
        free((void *)(uintptr_t)m->items[i].value.data);
    }
    free(m->items);
}

static inline bool entry_equal(const pt_entry *a, const pt_entry *b)
{
    return a->seq == b->seq && a->kind == b->kind && pt_slice_equal(a->key, b->key) &&
           pt_slice_equal(a->value, b->value);
}

#endif
