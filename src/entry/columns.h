/* SPDX-License-Identifier: MIT */
/*
 * columns.h - the entries of a block as they lie there: keys and values in columns. Who wants many
 * takes from them what it looks at, without an entry being made for each (pt_iter_columns).
 */
#ifndef PT_ENTRY_COLUMNS_H
#define PT_ENTRY_COLUMNS_H

#include "base/coding.h"

/* Each entry is a put, and the only one of its key in the block; all have one sequence. Entry i has
 * the prefix and suffix i as its key. */
typedef struct pt_columns {
    uint64_t seq;
    uint32_t lo, at, hi; /* those in bounds: [lo, hi); the current one */
    uint32_t key_width, value_width;
    const uint8_t *key_ends; /* u16 each; NULL: all suffixes have key_width bytes */
    const uint8_t *value_ends;
    const uint8_t *prefix, *keys, *values;
    size_t prefix_size;
} pt_columns;

static inline pt_slice pt_columns_at(const uint8_t *from, uint32_t width, const uint8_t *ends,
                                     uint32_t i)
{
    if (ends == NULL)
        return pt_slice_of(from + (size_t)i * width, width);
    uint32_t begin = i != 0 ? pt_get_u16(ends + 2 * (i - 1)) : 0;
    return pt_slice_of(from + begin, pt_get_u16(ends + 2 * i) - begin);
}

static inline pt_slice pt_columns_suffix(const pt_columns *c, uint32_t i)
{
    return pt_columns_at(c->keys, c->key_width, c->key_ends, i);
}

static inline pt_slice pt_columns_value(const pt_columns *c, uint32_t i)
{
    return pt_columns_at(c->values, c->value_width, c->value_ends, i);
}

#endif
