/* SPDX-License-Identifier: MIT */
/*
 * fuse.h - binary fuse arrays (Graf and Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor
 * Filters", 2022): every key has three cells in three neighbouring segments, and an order of the
 * keys exists in which each has a cell of its own that no later one touches. Filling cells against
 * that order makes the XOR of a key's three cells any value one wants: a fingerprint (filter.h) or
 * a place (locator.h).
 */
#ifndef PT_TABLE_FUSE_H
#define PT_TABLE_FUSE_H

#include "base/coding.h"
#include "base/hash.h"
#include "env/env.h"

/* Where the cells of a key are. */
typedef struct pt_fuse {
    uint64_t seed;
    uint32_t segment_length; /* a power of two */
    uint32_t segment_count;  /* that a first cell may lie in; there are two more */
} pt_fuse;

#define PT_FUSE_HEAD_BYTES  16u /* seed u64, segment length u32, segment count u32 */
#define PT_FUSE_SEGMENT_MAX (1u << 18)

static inline uint32_t pt_fuse_cell_count(const pt_fuse *f)
{
    return (f->segment_count + 2) * f->segment_length;
}

static inline uint64_t pt_fuse_mix(const pt_fuse *f, uint64_t key_hash)
{
    return pt_mix(key_hash + f->seed);
}

typedef struct pt_fuse_cells {
    uint32_t at[3];
} pt_fuse_cells;

/* The cells of a mixed hash. */
static inline pt_fuse_cells pt_fuse_place(const pt_fuse *f, uint64_t mixed)
{
    uint64_t span = (uint64_t)f->segment_count * f->segment_length;
    uint32_t mask = f->segment_length - 1;
    uint32_t first = (uint32_t)((uint64_t)((unsigned __int128)mixed * span >> 64));
    return (pt_fuse_cells){{first, (first + f->segment_length) ^ ((uint32_t)(mixed >> 18) & mask),
                            (first + 2 * f->segment_length) ^ ((uint32_t)mixed & mask)}};
}

/* Bits of a mixed hash for fingerprints, best ones on top. */
static inline uint32_t pt_fuse_print(uint64_t mixed)
{
    return (uint32_t)(mixed * 0x9e3779b97f4a7c15ULL >> 32);
}

/* The order: fill cells from the last to the first. */
typedef struct pt_fuse_order {
    const pt_env *env;
    pt_fuse fuse;
    size_t count;
    uint64_t *mixed; /* the memory of all three */
    uint32_t *key;   /* which of the caller's hashes */
    uint8_t *which;  /* which of its three cells is its own */
} pt_fuse_order;

/* ret_found false: no order was found, which means that some hashes are equal. */
peat_rc pt_fuse_order_init(pt_fuse_order *ret_order, const pt_env *env, const uint64_t *hashes,
                           size_t count, uint64_t seed, bool *ret_found) PT_MUST_USE;
void pt_fuse_order_done(pt_fuse_order *order);

/* Sorts and removes repetitions in place; returns how many are left. */
size_t pt_fuse_unique(uint64_t *io_hashes, size_t count);

/* Head of a section: bounds are those of a hostile file. */
void pt_fuse_encode(const pt_fuse *f, uint8_t *dst);
bool pt_fuse_decode(pt_cursor *c, pt_fuse *ret_fuse);

#endif
