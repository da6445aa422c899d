/* SPDX-License-Identifier: MIT
 *
 * store.h - opening and closing the store with texts for people, and bounds of ranges.
 */
#ifndef PEAT_CLI_STORE_H
#define PEAT_CLI_STORE_H

#include "bytes.h"
#include "cli.h"

typedef enum cli_access { CLI_READ, CLI_WRITE, CLI_WRITE_CREATE } cli_access;

/* The library's options out of the command's. */
peat_options cli_store_options(const cli_args *args, cli_access access);

/* Returns CLI_OK, or CLI_STORE after a line on stderr. */
int cli_open(const cli_args *args, cli_access access, peat_db **ret_db);
/* peat_open with --wait; PEAT_CANCELLED when a signal came meanwhile. */
peat_rc cli_try_open(const cli_args *args, cli_access access, peat_db **ret_db,
                     peat_error *ret_error);
/* The same for any call that takes a store: attempts, with a piece of the wait in lock_wait_ms,
 * until it is free. */
peat_rc cli_wait(const cli_args *args, peat_options *io_options, peat_rc (*attempt)(void *ctx),
                 void *ctx);
/* What to do about a failure, behind a semicolon, or nothing; may be in text. */
enum { CLI_ADVICE_SIZE = 64 };
const char *cli_advice(const cli_args *args, peat_rc rc, char text[CLI_ADVICE_SIZE]);
/* The line on stderr about it; returns the exit code. */
int cli_open_failed(const cli_args *args, peat_rc rc, const peat_error *error);

/* Closes and returns code, or CLI_STORE after a line on stderr when only the close failed. */
int cli_close(const cli_args *args, peat_db *db, int code);

/* A line on stderr about a failed call, with the cause the store kept; what: "read", "write".
 * Returns CLI_STORE, or CLI_INTERRUPTED in silence for PEAT_CANCELLED. */
int cli_store_fail(const cli_args *args, peat_db *db, peat_rc rc, const char *what);
/* The same with more at the end of the line. */
int cli_store_fail_with(const cli_args *args, peat_db *db, peat_rc rc, const char *what,
                        const char *more);

/* Whether what is to be made at the path lies in the store's directory, also deep inside and
 * through links. */
bool cli_lies_in_store(const char *path, const char *dir);

/* A key from the command line in --key-format. Returns CLI_OK, or CLI_USAGE after a line. */
int cli_take_key(const cli_args *args, const char *text, cli_bytes *scratch, peat_slice *ret_key);

/* A key, or its first bytes and "..", in at most width bytes and a NUL that are fit for a terminal.
 */
void cli_shorten_key(const cli_args *args, peat_slice key, size_t width, char *ret_text);

/* In the order of keys: below 0, 0, above 0. */
int cli_compare(peat_slice a, peat_slice b);

/* The smallest bytes that are behind all keys with the prefix, in scratch; unbounded when there are
 * none. */
peat_slice cli_behind_prefix(peat_slice prefix, cli_bytes *scratch);

typedef struct cli_range {
    peat_slice lower;
    peat_slice upper;
    peat_slice prefix;
    cli_bytes scratch[3];
    cli_bytes behind;
} cli_range;

/* --lower, --upper, --prefix. Returns as cli_take_key; cli_range_done in every case. */
int cli_range_init(cli_range *range, const cli_args *args);
/* The three as one range of keys [lower, upper), good as long as range. */
void cli_range_bounds(cli_range *range, peat_slice *ret_lower, peat_slice *ret_upper);
void cli_range_done(cli_range *range);

#endif
