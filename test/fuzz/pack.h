/* SPDX-License-Identifier: MIT */
/*
 * pack.h - a corpus as one file: inputs one after another, each behind its size as u32. One file a
 * target is easier to keep than hundreds.
 */
#ifndef TEST_FUZZ_PACK_H
#define TEST_FUZZ_PACK_H

#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#define PACK_BYTES_MAX ((size_t)50 << 10) /* of a corpus in the tree */

/* The whole file; free() it. NULL: it cannot be read. */
static inline uint8_t *pack_read_file(const char *path, size_t *ret_size)
{
    FILE *in = fopen(path, "rb");
    if (in == NULL)
        return NULL;
    uint8_t *data = NULL;
    size_t size = 0, n;
    do {
        data = realloc(data, size + 65536);
        FUZZ_REQUIRE(data != NULL, "there is memory");
        n = fread(data + size, 1, 65536, in);
        size += n;
    } while (n != 0);
    (void)fclose(in);
    *ret_size = size;
    return data;
}

static inline bool pack_next(pt_cursor *c, pt_slice *ret_input)
{
    if (pt_cursor_left(c) == 0)
        return false;
    *ret_input = pt_cursor_bytes(c, pt_cursor_u32(c));
    return pt_cursor_ok(c);
}

static inline void pack_add(FILE *out, const void *data, size_t size)
{
    uint8_t head[4];
    pt_put_u32(head, (uint32_t)size);
    FUZZ_REQUIRE(fwrite(head, 1, 4, out) == 4 && fwrite(data, 1, size, out) == size,
                 "the disk is not full");
}

#endif
