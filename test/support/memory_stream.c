/* SPDX-License-Identifier: MIT */
/* memory_stream.c - see memory_stream.h. */
#include "support/memory_stream.h"

#include <stdlib.h>
#include <string.h>

peat_rc memory_stream_write(void *ctx, const void *data, size_t size)
{
    memory_stream *s = ctx;
    if (s->size + size > s->capacity) {
        size_t capacity = 2 * (s->size + size);
        uint8_t *grown = realloc(s->data, capacity);
        if (grown == NULL)
            return PEAT_NOMEM;
        s->data = grown;
        s->capacity = capacity;
    }
    memcpy(s->data + s->size, data, size);
    s->size += size;
    return PEAT_OK;
}

peat_rc memory_stream_read(void *ctx, void *buf, size_t size, size_t *ret_n)
{
    memory_stream *s = ctx;
    size_t n = s->size - s->at;
    if (n == 0)
        return PEAT_END;
    n = n > size ? size : n;
    n = s->piece_max != 0 && n > s->piece_max ? s->piece_max : n;
    memcpy(buf, s->data + s->at, n);
    s->at += n;
    *ret_n = n;
    return PEAT_OK;
}
