/* SPDX-License-Identifier: MIT
 *
 * manual.h - texts that the help and the manual pages share.
 */
#ifndef PEAT_CLI_MANUAL_H
#define PEAT_CLI_MANUAL_H

#define MANUAL_TAGLINE "an embedded, ordered, persistent key-value store"

#define MANUAL_ABOUT                                                                               \
    "A store is a directory that maps keys to values, both any bytes, in the order of the keys. "  \
    "DIR names it. When --db DIR is given, or the environment variable PEAT_DB is set, that is "   \
    "the store, and all arguments are the command's. Commands that only read open the store "      \
    "read-only, change nothing, and run side by side; one that writes needs it alone, and waits "  \
    "for that with --wait."

#define MANUAL_FORMATS                                                                             \
    "Keys and values in arguments are taken as they are (text), or as hex or base64.\n\n"          \
    "tsv: key, tab, value, newline. In key and value, backslash, tab, newline and carriage "       \
    "return stand "                                                                                \
    "as \\\\ \\t \\n \\r, and the separator and other control bytes as \\xHH; every other byte "   \
    "stands for itself, so any bytes survive a dump and a load.\n\n"                               \
    "jsonl: one object per line with the members key and value. Bytes that are not UTF-8 stand "   \
    "as key_base64, value_base64; key_hex and value_hex are read too, and written for hex. "       \
    "Other members are ignored. What is not a string is stored as its JSON text. Blank lines "     \
    "are passed over, and so is a byte order mark at the beginning of tsv and jsonl.\n\n"          \
    "nul: key, NUL, value, NUL. Bytes that contain NUL need hex or base64."

#define MANUAL_PEAT_DB                                                                             \
    "The store, unless --db names another: no argument is taken for DIR while it is set."

typedef struct manual_exit {
    const char *code;
    const char *text;
} manual_exit;

static const manual_exit manual_exits[] = {
    {"0", "done; found"},
    {"1", "the key, or any record, is not there; a repair is not complete"},
    {"2", "the command line or the input makes no sense"},
    {"3", "the store, or the output, failed; a damaged store"},
    {"130", "interrupted by SIGINT; the store is closed properly"},
    {"143", "ended by SIGTERM; the store is closed properly"},
    {"141", "the reader of the output went away"},
    {0, 0},
};

#endif
