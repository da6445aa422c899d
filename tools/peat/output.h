/* SPDX-License-Identifier: MIT
 *
 * output.h - buffered standard output that remembers the first failed write, and entries written
 * to it. The formats are described in README.md of this folder.
 */
#ifndef PEAT_CLI_OUTPUT_H
#define PEAT_CLI_OUTPUT_H

#include "bytes.h"
#include "cli.h"

typedef struct cli_output {
    cli_bytes bytes; /* append here, then cli_output_flow */
    int os_errno;    /* of the first failed write, else 0; nothing is written after it */
    bool shown;      /* to a person: rows are made fit for a terminal (cli_show) */
} cli_output;

/* Whether standard output is a terminal that nobody asked raw bytes for. */
bool cli_is_shown(const cli_args *args);

/* What was appended from an offset on becomes fit for a terminal when it goes to one. */
void cli_output_show(cli_output *out, size_t from);

/* Writes when enough has gathered. false: the output is lost, stop. */
bool cli_output_flow(cli_output *out);

/* Writes everything and frees the buffer. Returns code, or the exit code of a lost output: CLI_PIPE
 * in silence, CLI_INTERRUPTED, CLI_STORE with a line on stderr. */
int cli_output_finish(cli_output *out, const cli_args *args, int code);

/* Whether an argument or result can be printed in the layout asked for. */
typedef struct cli_row_format {
    cli_layout layout;
    cli_encoding key_encoding;
    cli_encoding value_encoding;
    char separator;
    bool escapes;
    bool keys;
    bool values;
} cli_row_format;

cli_row_format cli_row_format_of(const cli_args *args);

/* Appends one entry. Returns NULL, or why it cannot be written so (a static string). */
const char *cli_output_row(cli_output *out, const cli_row_format *format, peat_slice key,
                           peat_slice value);

#endif
