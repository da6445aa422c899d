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

static inline void pt_locator_prefetch(const pt_locator *l, uint64_t key_hash)
{
    pt_fuse_cells c = pt_fuse_place(&l->fuse, pt_fuse_mix(&l->fuse, key_hash));
    PT_PREFETCH(l->cells + (size_t)c.at[0] * 2);
    PT_PREFETCH(l->cells + (size_t)c.at[1] * 2);
    PT_PREFETCH(l->cells + (size_t)c.at[2] * 2);
}

/* False: the key is not in the table. */
static inline bool pt_locator_find(const pt_locator *l, uint64_t key_hash, uint32_t *ret_slot)
{
    uint64_t mixed = pt_fuse_mix(&l->fuse, key_hash);
    pt_fuse_cells c = pt_fuse_place(&l->fuse, mixed);
    uint32_t word = (uint32_t)pt_get_u16(l->cells + (size_t)c.at[0] * 2) ^
                    pt_get_u16(l->cells + (size_t)c.at[1] * 2) ^
                    pt_get_u16(l->cells + (size_t)c.at[2] * 2);
    *ret_slot = word & ((1u << l->slot_bits) - 1);
    return (word ^ pt_fuse_print(mixed) >> 16) >> l->slot_bits == 0;
}

#endif
