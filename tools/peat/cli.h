/* SPDX-License-Identifier: MIT
 *
 * cli.h - what the files of the peat command share.
 *
 * Each command is one function that takes the parsed arguments and returns the exit code. The
 * tables in options.c and commands.c drive parsing, --help, the man pages and the completion, so
 * that the four cannot disagree. The command sees the store through peat.h only.
 */
#ifndef PEAT_CLI_H
#define PEAT_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <peat.h>

/* Exit codes, documented in every man page. */
enum {
    CLI_OK = 0,
    CLI_NOT_FOUND = 1,
    CLI_USAGE = 2,
    CLI_STORE = 3,
    CLI_INTERRUPTED = 130, /* 128 + SIGINT, what a shell reports for a killed program; becomes 143
                              (SIGTERM) at the end when that was the signal */
    CLI_PIPE = 141         /* 128 + SIGPIPE: the reader of our output went away */
};

/* How keys and values stand in arguments, lines and output. The order is that of the option's
 * choices. */
typedef enum cli_encoding { CLI_TEXT, CLI_HEX, CLI_BASE64 } cli_encoding;
typedef enum cli_layout { CLI_TSV, CLI_JSONL, CLI_NUL } cli_layout;

/* Every option of every command, filled by cli_parse. Choices are ints so that one table can set
 * them through an offset. */
typedef struct cli_args {
    const struct cli_command *command;
    const char *dir; /* the store */
    bool dir_is_argument;
    struct cli_progress *bar; /* taken off the screen before a line is written; may be NULL */
    char *const *rest;        /* arguments behind it */
    int rest_count;

    const char *db;
    int key_format;   /* cli_encoding */
    int value_format; /* cli_encoding */
    int format;       /* cli_layout */
    bool format_given;
    const char *separator;
    bool no_escapes;
    const char *key_field;
    const char *prefix;
    const char *lower;
    const char *upper;
    bool reverse;
    bool keys_only;
    bool values_only;
    uint64_t limit;
    bool approximate;
    const char *value_file;
    bool no_newline;
    bool raw;
    bool progress;
    bool counters;
    uint64_t wait_ms;
    bool sync;
    uint64_t batch;
    const char *ack;
    const char *doubtful;
    bool accept_doubtful;
    bool no_log;
    bool settle;
    uint64_t memory;
    int compression; /* peat_compression */
    bool json;
    bool quiet;
    bool man;
    bool completion;
    const char *write;
    bool help;
} cli_args;

typedef enum cli_option_kind {
    CLI_FLAG,
    CLI_STRING,
    CLI_COUNT,
    CLI_SIZE,
    CLI_SECONDS, /* decimal, kept as milliseconds */
    CLI_CHOICE
} cli_option_kind;

typedef struct cli_option {
    const char *name;
    char short_name; /* 0: none */
    cli_option_kind kind;
    size_t field;               /* offset in cli_args */
    const char *argument;       /* NULL for flags */
    const char *const *choices; /* NULL-terminated, for CLI_CHOICE */
    const char *text;           /* one sentence without the full stop */
} cli_option;

/* For rest_max: any number of arguments, and any even number. */
enum { CLI_ANY = -1, CLI_PAIRS = -2 };

/* Where a command finds its store. */
typedef enum cli_place { CLI_NO_STORE, CLI_TAKES_STORE } cli_place;

typedef struct cli_command {
    const char *name;
    const char *arguments; /* as shown behind DIR in the usage line */
    const char *summary;   /* half a line */
    const char *text;      /* paragraphs separated by an empty line */
    const char *examples;  /* lines */
    cli_place place;
    int rest_min; /* arguments behind DIR */
    int rest_max; /* or CLI_ANY, CLI_PAIRS */
    int (*run)(cli_args *args);
    const char *options; /* names from the option table, separated by spaces */
} cli_command;

/* commands.c: the table ends with a name of NULL. */
extern const cli_command cli_commands[];
const cli_command *cli_find_command(const char *name);
/* A line on stderr with what may have been meant. Returns CLI_USAGE. */
int cli_no_command(const cli_args *args, const char *name);

/* options.c */
const cli_option *cli_find_option(const char *name);
/* Steps through the options of a command, then NULL; *io_at starts as command->options. */
const cli_option *cli_next_option(const char **io_at);
/* Returns 0, or CLI_USAGE after a line on stderr. argv[0] is the command's name. */
int cli_parse(const cli_command *command, int argc, char **argv, cli_args *ret_args);

struct cli_bytes;
/* help.c, man.c, completion.c: append the document. A NULL command is peat itself. */
void cli_help(struct cli_bytes *out, const cli_command *command);
void cli_man(struct cli_bytes *out, const cli_command *command);
void cli_completion(struct cli_bytes *out);
/* Writes text to stdout; returns an exit code. */
int cli_print(const cli_args *args, struct cli_bytes *text);

/* report.c: one line on stderr, "peat COMMAND: ...". Each returns code. */
int cli_fail(const cli_args *args, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void cli_note(const cli_args *args, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* signals.c: SIGINT and SIGTERM only set a flag that the loops ask for; SIGPIPE is ignored, so that
 * a lost reader is an error of write() and the store still closes properly. A call that blocks
 * returns EINTR soon after the flag is set: who loops over EINTR asks for it. */
void cli_signals_init(void);
bool cli_interrupted(void);
/* The exit code of a program that was ended by the signal that came. */
int cli_signal_code(void);

/* The commands. */
int cli_run_get(cli_args *args);
int cli_run_put(cli_args *args);
int cli_run_del(cli_args *args);
int cli_run_scan(cli_args *args);
int cli_run_dump(cli_args *args);
int cli_run_count(cli_args *args);
int cli_run_load(cli_args *args);
int cli_run_info(cli_args *args);
int cli_run_stats(cli_args *args);
int cli_run_check(cli_args *args);
int cli_run_repair(cli_args *args);
int cli_run_compact(cli_args *args);
int cli_run_export(cli_args *args);
int cli_run_import(cli_args *args);
int cli_run_help(cli_args *args);
int cli_run_version(cli_args *args);

#endif
