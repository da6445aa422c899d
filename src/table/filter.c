/* SPDX-License-Identifier: MIT */
/* filter.c - filling and reading a filter section; see filter.h. */
#include "table/filter.h"

peat_rc pt_filter_encode(const pt_fuse_order *order, pt_bytes *io_out)
{
    size_t n = pt_fuse_cell_count(&order->fuse);
    peat_rc rc = pt_bytes_reserve(io_out, PT_FUSE_HEAD_BYTES + n);
    if (rc != PEAT_OK)
        return rc;
    uint8_t *head = io_out->data + io_out->size, *cells = head + PT_FUSE_HEAD_BYTES;
    pt_fuse_encode(&order->fuse, head);
    memset(cells, 0, n);
    for (size_t i = order->count; i-- > 0;) {
        pt_fuse_cells c = pt_fuse_place(&order->fuse, order->mixed[i]);
        uint8_t print = (uint8_t)(pt_fuse_print(order->mixed[i]) >> 24);
        /* its own cell is still 0 */
        cells[c.at[order->which[i]]] = print ^ cells[c.at[0]] ^ cells[c.at[1]] ^ cells[c.at[2]];
    }
    io_out->size += PT_FUSE_HEAD_BYTES + n;
    return PEAT_OK;
}

const char *pt_filter_view(pt_filter *ret_filter, pt_slice bytes)
{
    pt_cursor c = pt_cursor_of(bytes.data, bytes.size);
    pt_filter f;
    if (!pt_fuse_decode(&c, &f.fuse) || pt_cursor_left(&c) != pt_fuse_cell_count(&f.fuse))
        return "filter with a bad head";
    f.cells = c.at;
    *ret_filter = f;
    return NULL;
}
