/* SPDX-License-Identifier: MIT */
/* locator.c - filling and reading a locator section; see locator.h. */
#include "table/locator.h"

uint32_t pt_locator_bits(uint32_t block_entries_max)
{
    return block_entries_max <= 1 ? 0 : 32u - (uint32_t)__builtin_clz(block_entries_max - 1);
}

peat_rc pt_locator_encode(const pt_fuse_order *order, const uint32_t *slots, uint32_t slot_bits,
                          pt_bytes *io_out)
{
    size_t n = (size_t)pt_fuse_cell_count(&order->fuse) * 2;
    peat_rc rc = pt_bytes_reserve(io_out, PT_LOCATOR_HEAD_BYTES + n);
    if (rc != PEAT_OK)
        return rc;
    uint8_t *head = io_out->data + io_out->size, *cells = head + PT_LOCATOR_HEAD_BYTES;
    memset(head, 0, PT_LOCATOR_HEAD_BYTES + n);
    pt_fuse_encode(&order->fuse, head);
    head[PT_FUSE_HEAD_BYTES] = (uint8_t)slot_bits;
    uint32_t slot_mask = (1u << slot_bits) - 1;
    for (size_t i = order->count; i-- > 0;) {
        pt_fuse_cells c = pt_fuse_place(&order->fuse, order->mixed[i]);
        uint32_t word =
            ((pt_fuse_print(order->mixed[i]) >> 16) & ~slot_mask) | slots[order->key[i]];
        /* its own cell is still 0 */
        word ^= (uint32_t)pt_get_u16(cells + (size_t)c.at[0] * 2) ^
                pt_get_u16(cells + (size_t)c.at[1] * 2) ^ pt_get_u16(cells + (size_t)c.at[2] * 2);
        pt_put_u16(cells + (size_t)c.at[order->which[i]] * 2, (uint16_t)word);
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
    (void)pt_cursor_bytes(&c, 7);
    if (!fuse || !pt_cursor_ok(&c) || l.slot_bits > PT_LOCATOR_SLOT_BITS ||
        pt_cursor_left(&c) != (uint64_t)pt_fuse_cell_count(&l.fuse) * 2)
        return "locator with a bad head";
    l.cells = c.at;
    *ret_locator = l;
    return NULL;
}
