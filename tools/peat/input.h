/* SPDX-License-Identifier: MIT
 *
 * input.h - reads a file or pipe through one buffer that grows to the longest record, so that
 * records can be used where they lie.
 */
#ifndef PEAT_CLI_INPUT_H
#define PEAT_CLI_INPUT_H

#include "bytes.h"

typedef struct cli_input {
    int fd;
    int os_errno;     /* of a failed read, else 0 */
    bool at_end;      /* nothing more to read behind the buffer */
    bool too_long;    /* a field went on beyond its limit */
    cli_bytes buffer; /* bytes[start .. size) are not consumed yet */
    size_t start;
    uint64_t bytes_read; /* for progress, and for the place of an error */
} cli_input;

/* How long a field may be: bytes, and so many more for each backslash in it, because an escape is
 * longer than what it stands for; but no longer than if all of it were escapes. Input is hostile
 * until it ends: without a limit a file without a newline would take all memory. */
typedef struct cli_field_limit {
    size_t bytes;
    size_t per_escape;
    size_t most; /* with escapes */
} cli_field_limit;

/* open; a signal that does not end the command does not end it either. -1 and errno. */
int cli_open_file(const char *name, int flags);

void cli_input_init(cli_input *in, int fd);
void cli_input_done(cli_input *in); /* frees the buffer; the fd is the caller's */

/* The unconsumed bytes; moves when cli_input_find reads more. */
char *cli_input_data(const cli_input *in);
size_t cli_input_size(const cli_input *in);

/* Finds delimiter at or behind offset from of the unconsumed bytes, reading as needed. Returns true
 * and its offset, or false at the end of the input, on a failed read, when interrupted, or when it
 * is not within the limit (too_long). */
bool cli_input_find(cli_input *in, size_t from, char delimiter, cli_field_limit limit,
                    size_t *ret_offset);

void cli_input_consume(cli_input *in, size_t size);

/* How far into the input the unconsumed bytes begin. */
uint64_t cli_input_offset(const cli_input *in);

/* Reads until size bytes are there, or all there is. Returns false on a failed read or when
 * interrupted. */
bool cli_input_fill(cli_input *in, size_t size);

#endif
