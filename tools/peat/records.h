/* SPDX-License-Identifier: MIT
 *
 * records.h - entries out of TSV, JSON lines or NUL-delimited input. The formats are described in
 * README.md of this folder.
 */
#ifndef PEAT_CLI_RECORDS_H
#define PEAT_CLI_RECORDS_H

#include "bytes.h"
#include "cli.h"
#include "input.h"

typedef struct cli_records {
    cli_input *in;
    cli_layout layout;
    cli_encoding key_encoding;
    cli_encoding value_encoding;
    char separator;
    bool escapes;
    const char *key_field; /* JSON lines: the key is this member, the value the whole line */
    bool detect;           /* TSV, or JSON lines when the input begins with a brace */
    size_t key_max;        /* the store's limits, from which those of fields follow */
    size_t value_max;

    uint64_t number; /* of the record last returned, from 1: the line number for lines */
    uint64_t offset; /* where in the input it begins */
    size_t used;     /* bytes of the input it took, consumed by the next call */
    const char *error;
    char error_text[100]; /* what error points to when it is no constant */
    cli_bytes key_scratch;
    cli_bytes value_scratch;
    cli_bytes text_scratch;
} cli_records;

void cli_records_init(cli_records *records, const cli_args *args, cli_input *in);
void cli_records_done(cli_records *records);

/* The next entry, good until the next call: true; false at the end of the input, or at an error:
 * then error is set (bad input) or in->os_errno (failed read) or cli_interrupted(). */
bool cli_records_next(cli_records *records, peat_slice *ret_key, peat_slice *ret_value);

#endif
