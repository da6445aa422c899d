/* SPDX-License-Identifier: MIT */
/* read.h - point reads that block: one machine (get.h) is behind get, exists and pinned gets. */
#ifndef PT_READ_READ_H
#define PT_READ_READ_H

#include "state/store.h"

typedef struct pt_read_options {
    bool has_seq;
    uint64_t seq; /* of a snapshot, with has_seq; else as of now */
    bool no_cache_fill;
} pt_read_options;

/* PEAT_OK, PEAT_NOT_FOUND, PEAT_CLOSED, a read error. `key` is an internal key. Without ret_value:
 * only whether it is there. */
peat_rc pt_read_get(pt_store *s, const pt_read_options *options, pt_slice key,
                    peat_buf *ret_value) PT_MUST_USE;
/* The same without a copy where that can be: *ret_value holds the store until pt_read_unpin. */
peat_rc pt_read_pinned(pt_store *s, const pt_read_options *options, pt_slice key,
                       peat_pinned *ret_value) PT_MUST_USE;
void pt_read_unpin(peat_pinned *pinned);

/* Room for `size` bytes in the caller's buffer. */
peat_rc pt_read_buf_reserve(const pt_env *env, peat_buf *io_buf, size_t size) PT_MUST_USE;
/* The value, if there is room for it; inside the epoch that its bytes last for. */
static inline bool pt_read_buf_take(peat_buf *ret_buf, pt_slice value)
{
    if (value.size > ret_buf->capacity)
        return false;
    if (value.size != 0)
        memcpy(ret_buf->data, value.data, value.size);
    ret_buf->size = value.size;
    return true;
}

#endif
