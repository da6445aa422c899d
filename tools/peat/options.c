/* SPDX-License-Identifier: MIT
 *
 * options.c - the one table of options, and parsing by it.
 */
#include "cli.h"
#include "suggest.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const encodings[] = {"text", "hex", "base64", NULL};
static const char *const layouts[] = {"tsv", "jsonl", "nul", NULL};
static const char *const compressions[] = {"default", "none", "lz4", "zstd",
                                           NULL}; /* peat_compression */

#define FIELD(name) offsetof(cli_args, name)

static const cli_option options[] = {
    {"db", 'd', CLI_STRING, FIELD(db), "DIR", NULL,
     "the store; then, and when PEAT_DB is set, all arguments are the command's"},
    {"key-format", 'k', CLI_CHOICE, FIELD(key_format), "FORMAT", encodings,
     "keys are text, hex or base64, in arguments, input and output"},
    {"value-format", 'v', CLI_CHOICE, FIELD(value_format), "FORMAT", encodings,
     "the same for values"},
    {"format", 'f', CLI_CHOICE, FIELD(format), "FORMAT", layouts,
     "records are tsv (key, tab, value on a line), jsonl (a JSON object on a line) or nul (key and "
     "value each ended by a NUL byte)"},
    {"separator", 't', CLI_STRING, FIELD(separator), "CHAR", NULL,
     "the byte between key and value in tsv, instead of a tab; none that the key's format uses"},
    {"no-escapes", 'E', CLI_FLAG, FIELD(no_escapes), NULL, NULL,
     "in tsv, backslashes are ordinary bytes; what then needs an escape is an error"},
    {"key-field", 'F', CLI_STRING, FIELD(key_field), "NAME", NULL,
     "in jsonl, this member is the key and the whole line is the value"},
    {"prefix", 'p', CLI_STRING, FIELD(prefix), "KEY", NULL, "only keys that begin with KEY"},
    {"lower", 'l', CLI_STRING, FIELD(lower), "KEY", NULL, "only keys from KEY on"},
    {"upper", 'u', CLI_STRING, FIELD(upper), "KEY", NULL, "only keys before KEY"},
    {"reverse", 'r', CLI_FLAG, FIELD(reverse), NULL, NULL, "from the last key to the first"},
    {"limit", 'n', CLI_COUNT, FIELD(limit), "N", NULL, "stop after N records"},
    {"keys-only", 'K', CLI_FLAG, FIELD(keys_only), NULL, NULL, "print keys without values"},
    {"values-only", 'V', CLI_FLAG, FIELD(values_only), NULL, NULL, "print values without keys"},
    {"approximate", 'A', CLI_FLAG, FIELD(approximate), NULL, NULL,
     "estimate at once from indexes instead of counting"},
    {"value-file", 'i', CLI_STRING, FIELD(value_file), "FILE", NULL,
     "take the value from FILE, - is standard input; VALUE is then left out"},
    {"no-newline", 'N', CLI_FLAG, FIELD(no_newline), NULL, NULL,
     "print the value without a newline behind it, on a terminal and in hex or base64 too"},
    {"raw", 'R', CLI_FLAG, FIELD(raw), NULL, NULL,
     "send bytes to a terminal as they are; else control bytes stand as \\xHH there"},
    {"wait", 'w', CLI_SECONDS, FIELD(wait_ms), "SECONDS", NULL,
     "wait so long when another process has the store (default 0: an error at once)"},
    {"progress", 'P', CLI_FLAG, FIELD(progress), NULL, NULL,
     "draw the progress bar although standard output is a pipe"},
    {"counters", 'C', CLI_FLAG, FIELD(counters), NULL, NULL,
     "list every counter of the library, in units for people"},
    {"sync", 's', CLI_FLAG, FIELD(sync), NULL, NULL,
     "each batch is on disk before it counts as acknowledged"},
    {"batch", 'b', CLI_COUNT, FIELD(batch), "N", NULL,
     "write N records at a time, all or nothing (default 1000, and at most about 1 MiB)"},
    {"ack", 'a', CLI_STRING, FIELD(ack), "FILE", NULL,
     "after each batch, append a line with the number of records acknowledged so far to FILE, "
     "which "
     "is emptied first; - is standard output"},
    {"doubtful", 'D', CLI_STRING, FIELD(doubtful), "FILE", NULL,
     "write doubtful records to FILE, which load can read; it must not be there yet"},
    {"accept-doubtful", 'X', CLI_FLAG, FIELD(accept_doubtful), NULL, NULL,
     "put doubtful records into the new store as well"},
    {"no-log", 'L', CLI_FLAG, FIELD(no_log), NULL, NULL,
     "write no log: faster, but a killed load loses what was not flushed yet"},
    {"settle", 'S', CLI_FLAG, FIELD(settle), NULL, NULL,
     "at the end, wait until the store has merged all it wants to merge"},
    {"memory", 'm', CLI_SIZE, FIELD(memory), "SIZE", NULL,
     "memory for the store, like 64M or 2G: powers of 1024 (at least 1M; default: an eighth of the "
     "machine's)"},
    {"compression", 'c', CLI_CHOICE, FIELD(compression), "NAME", compressions,
     "of what is written from now on: default, none, lz4 or zstd"},
    {"json", 'j', CLI_FLAG, FIELD(json), NULL, NULL, "print JSON"},
    {"quiet", 'q', CLI_FLAG, FIELD(quiet), NULL, NULL, "no progress bar, no summary, no notes"},
    {"man", 0, CLI_FLAG, FIELD(man), NULL, NULL, "print the manual page in roff"},
    {"completion", 0, CLI_FLAG, FIELD(completion), NULL, NULL, "print the completion for bash"},
    {"write", 0, CLI_STRING, FIELD(write), "DIR", NULL,
     "write all manual pages and the completion into DIR"},
    {"help", 'h', CLI_FLAG, FIELD(help), NULL, NULL, "print this help"},
};

enum { OPTION_COUNT = sizeof options / sizeof options[0] };

const cli_option *cli_find_option(const char *name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

const cli_option *cli_next_option(const char **io_at)
{
    char name[32];
    size_t size = strcspn(*io_at, " ");
    if (size == 0 || size >= sizeof name)
        return NULL;
    memcpy(name, *io_at, size);
    name[size] = '\0';
    *io_at += size + ((*io_at)[size] == ' ');
    return cli_find_option(name);
}

/* K, KB or KiB and so on are powers of 1024; B is one. False: no unit. */
static bool parse_unit(const char *text, unsigned *ret_shift)
{
    static const char units[] = "KMGT";
    const char *unit = *text == '\0' ? NULL : strchr(units, *text & ~0x20);
    *ret_shift = unit == NULL ? 0 : 10 * (unsigned)(unit - units + 1);
    text += unit != NULL;
    if (unit != NULL && text[0] == 'i' && text[1] == 'B')
        text++;
    return *text == '\0' || (text[0] == 'B' && text[1] == '\0');
}

static bool parse_number(const char *text, bool with_unit, uint64_t *ret_number)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    unsigned shift = 0;
    if (errno != 0 || (with_unit ? !parse_unit(end, &shift) : *end != '\0') ||
        number > UINT64_MAX >> shift)
        return false;
    *ret_number = (uint64_t)number << shift;
    return true;
}

/* Seconds with up to three decimals that count, as milliseconds; at most what lock_wait_ms holds.
 */
static bool parse_seconds(const char *text, uint64_t *ret_ms)
{
    uint64_t ms = 0, unit = 1000;
    if (text[0] < '0' || text[0] > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++)
        if ((ms = ms * 10 + (uint64_t)(*text - '0') * 1000) > UINT32_MAX)
            return false;
    if (*text == '.')
        for (text++; *text >= '0' && *text <= '9'; text++)
            ms += (uint64_t)(*text - '0') * (unit /= 10);
    *ret_ms = ms;
    return *text == '\0' && ms <= UINT32_MAX;
}

static bool parse_choice(const cli_option *option, const char *text, int *ret_choice)
{
    for (int i = 0; option->choices[i] != NULL; i++)
        if (strcmp(option->choices[i], text) == 0) {
            *ret_choice = i;
            return true;
        }
    return false;
}

static bool set_field(const cli_option *option, const char *text, void *field)
{
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)field = true;
        return true;
    case CLI_STRING:
        *(const char **)field = text;
        return true;
    case CLI_CHOICE:
        return parse_choice(option, text, field);
    case CLI_SECONDS:
        return parse_seconds(text, field);
    case CLI_COUNT:
    case CLI_SIZE:
        break;
    }
    return parse_number(text, option->kind == CLI_SIZE, field);
}

static int bad_choice(const cli_args *args, const cli_option *option, const char *text)
{
    char all[64] = "";
    cli_guess guess = {0};
    for (const char *const *choice = option->choices; *choice != NULL; choice++) {
        size_t used = strlen(all);
        (void)snprintf(all + used, sizeof all - used, "%s%s", used == 0 ? "" : ", ", *choice);
        cli_guess_offer(&guess, text, strlen(text), *choice);
    }
    return cli_fail(args, CLI_USAGE, "--%s cannot be '%s': one of %s%s%s%s", option->name, text,
                    all, guess.name ? "; did you mean '" : "", guess.name ? guess.name : "",
                    guess.name ? "'?" : "");
}

/* What a number may be. */
static const char *allowed(const cli_option *option)
{
    switch (option->kind) {
    case CLI_SIZE:
        return "a whole number of bytes, or one with K, M, G or T, like 64M; at least 1M";
    case CLI_SECONDS:
        return "a number of seconds from 0 to 4294967.295, like 10 or 0.5";
    default:
        return option->field == FIELD(batch) ? "a whole number from 1 to 18446744073709551615"
                                             : "a whole number from 0 to 18446744073709551615";
    }
}

static int set_option(const cli_option *option, const char *text, cli_args *args)
{
    char *field = (char *)args + option->field;
    if (!set_field(option, text, field))
        return option->choices != NULL ? bad_choice(args, option, text)
                                       : cli_fail(args, CLI_USAGE, "--%s cannot be '%s': %s",
                                                  option->name, text, allowed(option));
    if (option->field == FIELD(memory) && args->memory < PEAT_MEMORY_BYTES_MIN)
        return cli_fail(args, CLI_USAGE,
                        "--memory must be at least 1M, not %s; leave it out for the default", text);
    args->format_given |= option->field == FIELD(format) || option->field == FIELD(separator) ||
                          option->field == FIELD(no_escapes);
    return 0;
}

/* What getopt_long wants, made from the table. */
typedef struct parser {
    struct option longs[OPTION_COUNT + 1];
    const cli_option *known[OPTION_COUNT + 1];
    char shorts[2 * OPTION_COUNT + 3];
} parser;

/* Long options come back as 256 + their place in known. */
enum { LONG_BASE = 256 };

static void prepare(const cli_command *command, parser *p)
{
    size_t n = 0, s = 0;
    const char *at = command->options;
    p->shorts[s++] = ':'; /* tells a missing argument from an unknown option */
    for (const cli_option *o; n < OPTION_COUNT && (o = cli_next_option(&at)) != NULL; n++) {
        p->known[n] = o;
        p->longs[n] = (struct option){
            .name = o->name,
            .has_arg = o->argument == NULL ? no_argument : required_argument,
            .val = LONG_BASE + (int)n,
        };
        if (o->short_name != 0) {
            p->shorts[s++] = o->short_name;
            if (o->argument != NULL)
                p->shorts[s++] = ':';
        }
    }
    p->longs[n] = (struct option){0};
    p->known[n] = NULL;
    p->shorts[s] = '\0';
}

static const cli_option *find_parsed(const parser *p, int code)
{
    if (code >= LONG_BASE)
        return p->known[code - LONG_BASE];
    for (size_t i = 0; p->known[i] != NULL; i++)
        if (p->known[i]->short_name == code)
            return p->known[i];
    return NULL;
}

static int unknown_option(const parser *p, const char *what, const cli_args *args)
{
    cli_guess guess = {0};
    bool is_long = strncmp(what, "--", 2) == 0;
    for (size_t i = 0; is_long && p->known[i] != NULL; i++)
        cli_guess_offer(&guess, what + 2, strcspn(what + 2, "="), p->known[i]->name);
    if (guess.name != NULL)
        return cli_fail(args, CLI_USAGE, "unknown option %s; did you mean --%s? See 'peat help %s'",
                        what, guess.name, args->command->name);
    return cli_fail(
        args, CLI_USAGE,
        "unknown option %s (write -- before arguments that begin with -); see 'peat help "
        "%s'",
        what, args->command->name);
}

static int parse_options(int argc, char **argv, const parser *p, cli_args *args)
{
    int code;
    opterr = 0;
    optind = 1;
    while ((code = getopt_long(argc, argv, p->shorts, p->longs, NULL)) != -1) {
        const char *what = optind > 0 && optind <= argc ? argv[optind - 1] : "";
        if (code == '?')
            return unknown_option(p, what, args);
        if (code == ':')
            return cli_fail(args, CLI_USAGE, "%s needs an argument; see 'peat help %s'", what,
                            args->command->name);
        int failed = set_option(find_parsed(p, code), optarg, args);
        if (failed)
            return failed;
    }
    return 0;
}

/* DIR is --db, or else PEAT_DB, or else the first argument. What names the store does not depend on
 * how many arguments there are: who sets PEAT_DB knows that all of them are the command's. */
static int take_store(cli_args *args, int count, char *const *rest)
{
    const char *standing = getenv("PEAT_DB");
    args->dir = args->db;
    if (args->dir == NULL && standing != NULL && *standing != '\0')
        args->dir = standing;
    if (args->dir == NULL && count > 0) {
        args->dir = *rest++;
        count--;
        args->dir_is_argument = true;
    }
    if (args->dir == NULL)
        return cli_fail(args, CLI_USAGE, "no store named; give DIR, --db DIR or set PEAT_DB");
    if (*args->dir == '\0')
        return cli_fail(args, CLI_USAGE, "the name of the store is empty");
    args->rest = rest;
    args->rest_count = count;
    return 0;
}

/* Why the arguments are too many or too few, or NULL. */
static const char *wrong_count(const cli_args *args)
{
    int min = args->command->rest_min, max = args->command->rest_max, n = args->rest_count;
    if (args->value_file != NULL) /* one key and no value */
        min = max = 1;
    else if (max == CLI_PAIRS && n % 2 != 0)
        return n < min ? "too few" : "a key without a value in the";
    return n < min ? "too few" : max >= 0 && n > max ? "too many" : NULL;
}

static int check_count(const cli_args *args)
{
    const char *why = wrong_count(args);
    const cli_command *command = args->command;
    bool takes = command->place == CLI_TAKES_STORE;
    if (why == NULL)
        return 0;
    return cli_fail(args, CLI_USAGE, "%s arguments; usage: peat %s [options]%s%s%s%s%s%s", why,
                    command->name, takes && args->dir_is_argument ? " DIR" : "",
                    *command->arguments ? " " : "", command->arguments,
                    takes && !args->dir_is_argument ? " (the store is " : "",
                    takes && !args->dir_is_argument ? args->dir : "",
                    takes && !args->dir_is_argument
                        ? (args->db ? ", by --db)" : ", by PEAT_DB; --db DIR names another)")
                        : "");
}

/* A key ends at the first separator: a byte that its format may write would end it too early. */
static int check_separator(const cli_args *args)
{
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                 "0123456789+/=";
    static const char *const used[] = {"\\ntrx0123456789abcdefABCDEF", "0123456789abcdefABCDEF",
                                       base64}; /* by cli_encoding */
    char c = *args->separator;
    bool as_is = args->key_format == CLI_TEXT && args->no_escapes;
    if (strlen(args->separator) != 1 || c == '\n' || c == '\\')
        return cli_fail(args, CLI_USAGE,
                        "--separator must be one byte, not a newline or backslash");
    if (args->format != CLI_TSV || as_is || strchr(used[args->key_format], c) == NULL)
        return 0;
    return cli_fail(args, CLI_USAGE, "--separator cannot be '%c': it may stand within a key in %s",
                    c,
                    args->key_format == CLI_TEXT ? "text with escapes (see --no-escapes)"
                                                 : encodings[args->key_format]);
}

int cli_parse(const cli_command *command, int argc, char **argv, cli_args *ret_args)
{
    parser p;
    *ret_args =
        (cli_args){.command = command, .separator = "\t", .limit = UINT64_MAX, .batch = 1000};
    prepare(command, &p);
    int failed = parse_options(argc, argv, &p, ret_args);
    if (failed || ret_args->help)
        return failed;
    ret_args->rest = argv + optind;
    ret_args->rest_count = argc - optind;
    if (command->place == CLI_TAKES_STORE)
        failed = take_store(ret_args, argc - optind, argv + optind);
    if (!failed)
        failed = check_count(ret_args);
    if (!failed)
        failed = check_separator(ret_args);
    if (failed)
        return failed;
    if (ret_args->batch == 0)
        return cli_fail(ret_args, CLI_USAGE, "--batch must be at least 1");
    if (ret_args->keys_only && ret_args->values_only)
        return cli_fail(ret_args, CLI_USAGE, "--keys-only and --values-only exclude each other");
    return 0;
}
