/* SPDX-License-Identifier: MIT */
/*
 * file_reader.h - a moving window over a file, for decoders that walk forward.
 *
 * It reads in large pieces and never holds more than the file has: a declared length that the file
 * cannot satisfy is refused by the caller before it asks. One caller at a time.
 */
#ifndef PT_ENV_FILE_READER_H
#define PT_ENV_FILE_READER_H

#include "env/env.h"

#define PT_FILE_READER_STEP_BYTES                                                                  \
    ((size_t)1 << 20) /* one read of this size costs the same per byte */

typedef struct pt_file_reader {
    const pt_env *env;
    pt_file *file;
    uint64_t limit; /* nothing is read at or beyond */
    uint64_t at;    /* file offset of data[0] */
    uint8_t *data;
    size_t size, capacity;
} pt_file_reader;

void pt_file_reader_init(pt_file_reader *w, const pt_env *env);
void pt_file_reader_done(pt_file_reader *w);
/* Another file; the memory is kept. */
void pt_file_reader_set(pt_file_reader *w, pt_file *file, uint64_t limit);
/* `n` bytes at `offset`, valid until the next call; offset + n <= limit. 0 or an errno: EIO when
 * the file ends earlier than its limit said. */
int pt_file_reader_get(pt_file_reader *w, uint64_t offset, size_t n,
                       const uint8_t **ret_data) PT_MUST_USE;

#endif
