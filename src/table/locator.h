/* SPDX-License-Identifier: MIT */
/*
 * locator.h - from a key's hash straight to its place: a 32-bit word per cell whose XOR is
 * fingerprint | block | slot (top to bottom). doc/decisions/002-locator.md.
 *
 * Keys that are in the table get their exact place, others a wrong fingerprint, or a place where
 * comparing the key tells. The fingerprint has what block and slot leave over; when that is little,
 * the slot goes and the block's tags find the entry.
 */
#ifndef PT_TABLE_LOCATOR_H
#define PT_TABLE_LOCATOR_H

#include "table/fuse.h"

typedef struct pt_locator {
    pt_fuse fuse;
    const uint8_t *cells; /* u32 each */
    uint32_t slot_bits;   /* 0: no slots */
    uint32_t block_bits;
} pt_locator;

#define PT_LOCATOR_HEAD_BYTES (PT_FUSE_HEAD_BYTES + 8u) /* slot bits u8, block bits u8, zeros */
#define PT_LOCATOR_PRINT_MIN  6u /* one in 64: absent keys touch few blocks for nothing */

/* How words are cut for a table; false when block numbers leave no room for a fingerprint. */
bool pt_locator_bits(uint32_t block_count, uint32_t block_entries_max, uint32_t *ret_block_bits,
                     uint32_t *ret_slot_bits);

/* Appends the section. places[i]: block << slot_bits | slot of the order's key i. */
peat_rc pt_locator_encode(const pt_fuse_order *order, const uint32_t *places, uint32_t block_bits,
                          uint32_t slot_bits, pt_bytes *io_out) PT_MUST_USE;
/* Returns NULL or what is wrong. */
const char *pt_locator_view(pt_locator *ret_locator, pt_slice bytes);

static inline void pt_locator_prefetch(const pt_locator *l, uint64_t key_hash)
{
    pt_fuse_cells c = pt_fuse_place(&l->fuse, pt_fuse_mix(&l->fuse, key_hash));
    PT_PREFETCH(l->cells + (size_t)c.at[0] * 4);
    PT_PREFETCH(l->cells + (size_t)c.at[1] * 4);
    PT_PREFETCH(l->cells + (size_t)c.at[2] * 4);
}

/* False: the key is not in the table. */
static inline bool pt_locator_find(const pt_locator *l, uint64_t key_hash, uint32_t *ret_block,
                                   uint32_t *ret_slot)
{
    uint64_t mixed = pt_fuse_mix(&l->fuse, key_hash);
    pt_fuse_cells c = pt_fuse_place(&l->fuse, mixed);
    uint32_t word = pt_get_u32(l->cells + (size_t)c.at[0] * 4) ^
                    pt_get_u32(l->cells + (size_t)c.at[1] * 4) ^
                    pt_get_u32(l->cells + (size_t)c.at[2] * 4);
    uint32_t place_bits = l->block_bits + l->slot_bits;
    if ((word ^ pt_fuse_print(mixed)) >> place_bits != 0)
        return false;
    *ret_slot = word & ((1u << l->slot_bits) - 1);
    *ret_block = (word >> l->slot_bits) & ((1u << l->block_bits) - 1);
    return true;
}

#endif
