/* SPDX-License-Identifier: MIT */
/* memory_stream.h - an exported store in memory: the sink of an export and the source of imports.
 */
#ifndef TEST_SUPPORT_MEMORY_STREAM_H
#define TEST_SUPPORT_MEMORY_STREAM_H

#include "peat.h"

/* Begins as all zero; a copy of one that is at 0 reads the same bytes again. */
typedef struct memory_stream {
    uint8_t *data; /* free() it */
    size_t size, capacity;
    size_t at; /* what was read so far */
    size_t
        piece_max; /* a read gives no more at once, so that none ends where a record does; 0: all */
} memory_stream;

/* A peat_write_fn and a peat_read_fn; ctx is the stream. */
peat_rc memory_stream_write(void *ctx, const void *data, size_t size);
peat_rc memory_stream_read(void *ctx, void *buf, size_t size, size_t *ret_n);

#endif
