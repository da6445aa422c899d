/* SPDX-License-Identifier: MIT */
/* multi_get.h - many point reads in one call, all as of one read point. */
#ifndef PT_READ_MULTI_GET_H
#define PT_READ_MULTI_GET_H

#include "read/read.h"

typedef struct pt_multi_get {
    uint32_t keyspace;
    size_t n;
    const peat_slice *keys; /* of users; checked; key_size_max is the largest one's */
    size_t key_size_max;
    peat_buf *ret_values; /* one of these two, or none: only whether they are there */
    peat_pinned *ret_pinned;
    peat_rc *ret_rcs; /* PEAT_OK, PEAT_NOT_FOUND, a read error, PEAT_NOMEM: of each key */
} pt_multi_get;

/* PEAT_OK: every key has its code. PEAT_CLOSED, PEAT_NOMEM: nothing was done. */
peat_rc pt_read_multi_get(pt_store *s, const pt_read_options *options,
                          const pt_multi_get *request) PT_MUST_USE;

#endif
