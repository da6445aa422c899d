/* SPDX-License-Identifier: MIT */
/*
 * filter.h - is the key perhaps in the table? Eight bits per cell, about 9 bits per key; one absent
 * key in 256 passes.
 */
#ifndef PT_TABLE_FILTER_H
#define PT_TABLE_FILTER_H

#include "table/fuse.h"

typedef struct pt_filter {
    pt_fuse fuse;
    const uint8_t *cells;
} pt_filter;

/* Appends the section. */
peat_rc pt_filter_encode(const pt_fuse_order *order, pt_bytes *io_out) PT_MUST_USE;
/* Returns NULL or what is wrong. */
const char *pt_filter_view(pt_filter *ret_filter, pt_slice bytes);

static inline void pt_filter_prefetch(const pt_filter *f, uint64_t key_hash)
{
    pt_fuse_cells c = pt_fuse_place(&f->fuse, pt_fuse_mix(&f->fuse, key_hash));
    PT_PREFETCH(f->cells + c.at[0]);
    PT_PREFETCH(f->cells + c.at[1]);
    PT_PREFETCH(f->cells + c.at[2]);
}

static inline bool pt_filter_may_contain(const pt_filter *f, uint64_t key_hash)
{
    uint64_t mixed = pt_fuse_mix(&f->fuse, key_hash);
    pt_fuse_cells c = pt_fuse_place(&f->fuse, mixed);
    uint8_t print = (uint8_t)(pt_fuse_print(mixed) >> 24);
    return (f->cells[c.at[0]] ^ f->cells[c.at[1]] ^ f->cells[c.at[2]]) == print;
}

#endif
