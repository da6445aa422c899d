/* SPDX-License-Identifier: MIT */
/* entries.h - entries in a sorted array, which what holds entries must agree with. */
#ifndef TEST_WORLD_ENTRIES_H
#define TEST_WORLD_ENTRIES_H

#include "entry/entry.h"
#include "world/test.h"

typedef struct model {
    pt_entry *entries; /* their bytes are owned */
    size_t count, capacity, sorted;
} model;

static inline pt_slice copy_slice(pt_slice s)
{
    uint8_t *p = malloc(s.size ? s.size : 1);
    assert_non_null(p);
    if (s.size != 0)
        memcpy(p, s.data, s.size);
    return pt_slice_of(p, s.size);
}

static inline void entry_free(pt_entry *e)
{
    free((void *)(uintptr_t)e->key.data);
    free((void *)(uintptr_t)e->value.data);
}

static inline bool entry_equal(const pt_entry *a, const pt_entry *b)
{
    return a->seq == b->seq && a->kind == b->kind && pt_slice_equal(a->key, b->key) &&
           pt_slice_equal(a->value, b->value);
}

static inline void model_add(model *m, pt_slice key, pt_slice value, uint64_t seq, pt_kind kind)
{
    if (m->count == m->capacity) {
        m->capacity = m->capacity ? m->capacity * 2 : 64;
        m->entries = realloc(m->entries, m->capacity * sizeof *m->entries);
        assert_non_null(m->entries);
    }
    if (kind == PT_KIND_DELETE)
        value.size = 0;
    m->entries[m->count++] =
        (pt_entry){.key = copy_slice(key), .value = copy_slice(value), .seq = seq, .kind = kind};
}

/* By key, newest first. */
static inline int model_order(const void *a, const void *b)
{
    const pt_entry *x = a, *y = b;
    int c = pt_slice_compare(x->key, y->key);
    if (c != 0)
        return c;
    return x->seq > y->seq ? -1 : x->seq < y->seq;
}

/* In order, without equal (key, seq). What is asked for by place is asked of a sorted one. */
static inline void model_sort(model *m)
{
    if (m->sorted == m->count)
        return;
    qsort(m->entries, m->count, sizeof *m->entries, model_order);
    size_t n = 0;
    for (size_t i = 0; i < m->count; i++) {
        if (n != 0 && model_order(&m->entries[n - 1], &m->entries[i]) == 0)
            entry_free(&m->entries[i]);
        else
            m->entries[n++] = m->entries[i];
    }
    m->count = m->sorted = n;
}

static inline void model_done(model *m)
{
    for (size_t i = 0; i < m->count; i++)
        entry_free(&m->entries[i]);
    free(m->entries);
    *m = (model){0};
}

/* The place of the first entry at or behind (key, seq). */
static inline size_t model_at(const model *m, pt_slice key, uint64_t seq)
{
    const pt_entry wanted = {.key = key, .seq = seq};
    size_t lo = 0, hi = m->count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (model_order(&m->entries[mid], &wanted) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Number of entries with key < `key` (<= `key` when `above`). */
static inline size_t model_bound(const model *m, pt_slice key, bool above)
{
    size_t i = model_at(m, key, above ? 0 : UINT64_MAX);
    return i + (above && i < m->count && pt_slice_equal(m->entries[i].key, key));
}

/* What a reader as of that sequence finds of the key; NULL: nothing. */
static inline const pt_entry *model_find(const model *m, pt_slice key, uint64_t seq_max)
{
    size_t i = model_at(m, key, seq_max);
    return i < m->count && pt_slice_equal(m->entries[i].key, key) ? &m->entries[i] : NULL;
}

#endif
