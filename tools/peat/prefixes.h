/* SPDX-License-Identifier: MIT
 *
 * prefixes.h - where the records of a store are, by the beginnings of their keys.
 */
#ifndef PEAT_CLI_PREFIXES_H
#define PEAT_CLI_PREFIXES_H

#include "bytes.h"
#include "cli.h"

/* The keys that begin with `text`, or the one key `text`. */
typedef struct cli_prefix {
    cli_bytes text;
    bool alone;
    uint64_t entries, bytes; /* estimates */
} cli_prefix;

typedef struct cli_prefixes {
    cli_prefix *items; /* in order of keys */
    size_t count;
    cli_bytes first, last; /* keys; not there when count is 0 */
} cli_prefixes;

enum { CLI_PREFIXES_MAX = 256 };

/* Finds at most `max` (1 to CLI_PREFIXES_MAX) beginnings that together have all keys: the largest
 * is divided as long as there is room for its parts. A few seeks for each. Returns PEAT_OK or a
 * read error. */
peat_rc cli_prefixes_find(peat_db *db, size_t max, cli_prefixes *ret_prefixes);
void cli_prefixes_done(cli_prefixes *prefixes);

#endif
