/* SPDX-License-Identifier: MIT */
/* locator.c - filling and reading a locator section; see locator.h. */
#include "table/locator.h"

static uint32_t bits_for(uint32_t count)
{
    return count <= 1 ? 0 : 32u - (uint32_t)__builtin_clz(count - 1);
}

bool pt_locator_bits(uint32_t block_count, uint32_t block_entries_max, uint32_t *ret_block_bits,
                     uint32_t *ret_slot_bits)
{
    uint32_t block_bits = bits_for(block_count), slot_bits = bits_for(block_entries_max);
    if (block_bits + slot_bits + PT_LOCATOR_PRINT_MIN > 32)
        slot_bits = 0;
    *ret_block_bits = block_bits;
    *ret_slot_bits = slot_bits;
    return block_bits + slot_bits + PT_LOCATOR_PRINT_MIN <= 32;
}

peat_rc pt_locator_encode(const pt_fuse_order *order, const uint32_t *places, uint32_t block_bits,
                          uint32_t slot_bits, pt_bytes *io_out)
{
    size_t n = (size_t)pt_fuse_cell_count(&order->fuse) * 4;
    peat_rc rc = pt_bytes_reserve(io_out, PT_LOCATOR_HEAD_BYTES + n);
    if (rc != PEAT_OK)
        return rc;
    uint8_t *head = io_out->data + io_out->size, *cells = head + PT_LOCATOR_HEAD_BYTES;
    memset(head, 0, PT_LOCATOR_HEAD_BYTES + n);
    pt_fuse_encode(&order->fuse, head);
    head[PT_FUSE_HEAD_BYTES] = (uint8_t)slot_bits;
    head[PT_FUSE_HEAD_BYTES + 1] = (uint8_t)block_bits;
    uint32_t place_mask = (uint32_t)((1ULL << (block_bits + slot_bits)) - 1);
    for (size_t i = order->count; i-- > 0;) {
        pt_fuse_cells c = pt_fuse_place(&order->fuse, order->mixed[i]);
        uint32_t word = (pt_fuse_print(order->mixed[i]) & ~place_mask) | places[order->key[i]];
        /* its own cell is still 0 */
        word ^= pt_get_u32(cells + (size_t)c.at[0] * 4) ^ pt_get_u32(cells + (size_t)c.at[1] * 4) ^
                pt_get_u32(cells + (size_t)c.at[2] * 4);
        pt_put_u32(cells + (size_t)c.at[order->which[i]] * 4, word);
    }
    io_out->size += PT_LOCATOR_HEAD_BYTES + n;
    return PEAT_OK;
}

const char *pt_locator_view(pt_locator *ret_locator, pt_slice bytes)
{
    pt_cursor c = pt_cursor_of(bytes.data, bytes.size);
    pt_locator l;
    bool fuse = pt_fuse_decode(&c, &l.fuse);
    l.slot_bits = pt_cursor_u8(&c);
    l.block_bits = pt_cursor_u8(&c);
    (void)pt_cursor_bytes(&c, 6);
    if (!fuse || !pt_cursor_ok(&c) || l.slot_bits + l.block_bits + PT_LOCATOR_PRINT_MIN > 32 ||
        pt_cursor_left(&c) != (uint64_t)pt_fuse_cell_count(&l.fuse) * 4)
        return "locator with a bad head";
    l.cells = c.at;
    *ret_locator = l;
    return NULL;
}
