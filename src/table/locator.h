/* SPDX-License-Identifier: MIT */
/*
 * locator.h - from a key's hash to its slot: a 16-bit word per cell whose XOR is fingerprint | slot
 * (top to bottom) of the key's newest version. The index tells the block meanwhile, from memory
 * that is near; so that the lines of head, key and value are asked for at once.
 * doc/decisions/002-locator.md.
 *
 * Keys that are in the table get their exact slot, others mostly a wrong fingerprint (so it is a
 * filter too), else a slot where comparing the key tells.
 */
#ifndef PT_TABLE_LOCATOR_H
#define PT_TABLE_LOCATOR_H

#include "table/fuse.h"

typedef struct pt_locator {
    pt_fuse fuse;
    const uint8_t *cells; /* u16 each */
    uint32_t slot_bits;
} pt_locator;

#define PT_LOCATOR_HEAD_BYTES (PT_FUSE_HEAD_BYTES + 8u) /* slot bits u8, seven zeros */
#define PT_LOCATOR_SLOT_BITS  10u /* at most: leaves a fingerprint of 6, one absent key in 64 */

/* Bits for the slots of blocks of up to this many entries; above PT_LOCATOR_SLOT_BITS there is no
 * locator. */
uint32_t pt_locator_bits(uint32_t block_entries_max);

/* Appends the section. slots[i] is that of the order's key i. */
peat_rc pt_locator_encode(const pt_fuse_order *order, const uint32_t *slots, uint32_t slot_bits,
                          pt_bytes *io_out) PT_MUST_USE;
/* Returns NULL or what is wrong. */
const char *pt_locator_view(pt_locator *ret_locator, pt_slice bytes);

/* Where a key's word is. */
typedef struct pt_locator_cells {
    const uint8_t *at[3];
    uint32_t print;
} pt_locator_cells;

static inline pt_locator_cells pt_locator_cells_of(const pt_locator *l, uint64_t key_hash)
{
    uint64_t mixed = pt_fuse_mix(&l->fuse, key_hash);
    pt_fuse_cells c = pt_fuse_place(&l->fuse, mixed);
    return (pt_locator_cells){.at = {l->cells + (size_t)c.at[0] * 2, l->cells + (size_t)c.at[1] * 2,
                                     l->cells + (size_t)c.at[2] * 2},
                              .print = pt_fuse_print(mixed) >> 16};
}

static inline void pt_locator_cells_prefetch(const pt_locator_cells *c)
{
    PT_PREFETCH(c->at[0]);
    PT_PREFETCH(c->at[1]);
    PT_PREFETCH(c->at[2]);
}

/* False: the key is not in the table. */
static inline bool pt_locator_look(const pt_locator *l, const pt_locator_cells *c,
                                   uint32_t *ret_slot)
{
    uint32_t word = (uint32_t)pt_get_u16(c->at[0]) ^ pt_get_u16(c->at[1]) ^ pt_get_u16(c->at[2]);
    *ret_slot = word & ((1u << l->slot_bits) - 1);
    return (word ^ c->print) >> l->slot_bits == 0;
}

static inline void pt_locator_prefetch(const pt_locator *l, uint64_t key_hash)
{
    pt_locator_cells c = pt_locator_cells_of(l, key_hash);
    pt_locator_cells_prefetch(&c);
}

static inline bool pt_locator_find(const pt_locator *l, uint64_t key_hash, uint32_t *ret_slot)
{
    pt_locator_cells c = pt_locator_cells_of(l, key_hash);
    return pt_locator_look(l, &c, ret_slot);
}

#endif
