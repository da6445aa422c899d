/* SPDX-License-Identifier: MIT */
/*
 * layout_hint.h - where keys and values lie in the blocks of a table, from one that was seen: 16
 * bits each for the offset of keys, their width, the offset of values, their width; 0: none seen.
 *
 * Blocks of one table are alike, so that the lines of an entry can be asked for together with the
 * block's head, not after it: one wait for memory instead of two. A wrong hint costs a load for
 * nothing. Relaxed everywhere: it pairs with nothing.
 */
#ifndef PT_TABLE_LAYOUT_HINT_H
#define PT_TABLE_LAYOUT_HINT_H

#include "table/block.h"

#define PT_LAYOUT_LINE_BYTES 64u

#define PT_LAYOUT_AHEAD_BYTES ((size_t)12 * PT_LAYOUT_LINE_BYTES) /* what memory serves at once */

static inline void pt_layout_prefetch_lines(const uint8_t *from, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += PT_LAYOUT_LINE_BYTES)
        PT_PREFETCH(from + at);
}

static inline bool pt_layout_is_noted(const _Atomic uint64_t *hint)
{
    return PT_LIKELY(atomic_load_explicit(hint, memory_order_relaxed) != 0);
}

/* Once per table: the line it is in stays shared. */
static inline void pt_layout_note(_Atomic uint64_t *hint, const uint8_t *data, const pt_block *b)
{
    if (pt_layout_is_noted(hint))
        return;
    uint64_t layout = (uint64_t)(b->keys - data) | (uint64_t)b->key_width << 16 |
                      (uint64_t)(b->values - data) << 32 | (uint64_t)b->value_width << 48;
    if (b->values - data <= UINT16_MAX && b->key_width <= UINT16_MAX &&
        b->value_width <= UINT16_MAX)
        atomic_store_explicit(hint, layout, memory_order_relaxed);
}

static inline void pt_layout_prefetch_entry(const _Atomic uint64_t *hint, const uint8_t *data,
                                            uint32_t slot)
{
    uint64_t layout = atomic_load_explicit(hint, memory_order_relaxed);
    size_t width = (size_t)(layout >> 48);
    const uint8_t *value = data + (layout >> 32 & 0xffff) + (size_t)slot * width;
    PT_PREFETCH(data);
    PT_PREFETCH(data + (layout & 0xffff)); /* the prefix's end */
    PT_PREFETCH(data + (layout & 0xffff) + (size_t)slot * (layout >> 16 & 0xffff));
    PT_PREFETCH(value);
    PT_PREFETCH(value + PT_LAYOUT_LINE_BYTES);
    PT_PREFETCH(value + width); /* of 100 bytes, every second lies in three lines */
}

/* What a search for a key goes through: head and suffixes. */
static inline void pt_layout_prefetch_keys(const _Atomic uint64_t *hint, const uint8_t *data)
{
    uint64_t layout = atomic_load_explicit(hint, memory_order_relaxed);
    size_t at = layout & 0xffff, end = layout >> 32 & 0xffff;
    PT_PREFETCH(data);
    pt_layout_prefetch_lines(data + at, pt_min_u64(end - at, PT_LAYOUT_AHEAD_BYTES));
}

/* The first values. */
static inline void pt_layout_prefetch_values(const _Atomic uint64_t *hint, const uint8_t *data)
{
    uint64_t layout = atomic_load_explicit(hint, memory_order_relaxed);
    pt_layout_prefetch_lines(data + (layout >> 32 & 0xffff), PT_LAYOUT_AHEAD_BYTES);
}

#endif
