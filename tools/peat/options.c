/* SPDX-License-Identifier: MIT
 *
 * options.c - the one table of options, and parsing by it.
 */
#include "cli.h"

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
     "the store, instead of the first argument; see also PEAT_DB"},
    {"key-format", 'k', CLI_CHOICE, FIELD(key_format), "FORMAT", encodings,
     "keys are text, hex or base64, in arguments, input and output"},
    {"value-format", 'v', CLI_CHOICE, FIELD(value_format), "FORMAT", encodings,
     "the same for values"},
    {"format", 'f', CLI_CHOICE, FIELD(format), "FORMAT", layouts,
     "records are tsv (key, tab, value on a line), jsonl (a JSON object on a line) or nul (key and "
     "value each ended by a NUL byte)"},
    {"separator", 't', CLI_STRING, FIELD(separator), "CHAR", NULL,
     "the byte between key and value in tsv, instead of a tab"},
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
     "print the value without a newline behind it"},
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
     "memory for the store, like 64M or 2G (default 256M, at least 1M)"},
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

/* N, or with a unit: 64K, 64M, 2G are powers of 1024. */
static bool parse_number(const char *text, bool with_unit, uint64_t *ret_number)
{
    static const char units[] = "KMGT";
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    unsigned shift = 0;
    const char *unit = *end == '\0' ? NULL : strchr(units, *end & ~0x20);
    if (with_unit && unit != NULL) {
        shift = 10 * (unsigned)(unit - units + 1);
        end++;
    }
    if (errno != 0 || *end != '\0' || number > UINT64_MAX >> shift)
        return false;
    *ret_number = (uint64_t)number << shift;
    return true;
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

static int set_option(const cli_option *option, const char *text, cli_args *args)
{
    char *field = (char *)args + option->field;
    bool good = true;
    if (option->kind == CLI_FLAG)
        *(bool *)(void *)field = true;
    else if (option->kind == CLI_STRING)
        *(const char **)(void *)field = text;
    else if (option->kind == CLI_CHOICE)
        good = parse_choice(option, text, (int *)(void *)field);
    else
        good = parse_number(text, option->kind == CLI_SIZE, (uint64_t *)(void *)field);
    if (good)
        return 0;
    return cli_fail(args, CLI_USAGE, "--%s cannot be '%s': %s", option->name, text, option->text);
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

static int parse_options(int argc, char **argv, const parser *p, cli_args *args)
{
    int code;
    opterr = 0;
    optind = 1;
    while ((code = getopt_long(argc, argv, p->shorts, p->longs, NULL)) != -1) {
        if (code == '?' || code == ':') {
            const char *what = optind > 0 && optind <= argc ? argv[optind - 1] : "";
            return cli_fail(args, CLI_USAGE,
                            code == ':' ? "%s needs an argument; see 'peat help %s'"
                                        : "unknown option %s (write -- before arguments that begin "
                                          "with -); see 'peat help %s'",
                            what, args->command->name);
        }
        int failed = set_option(find_parsed(p, code), optarg, args);
        if (failed)
            return failed;
    }
    return 0;
}

/* DIR is --db, or the first argument; PEAT_DB stands in when the arguments would not suffice. */
static int take_store(cli_args *args, int count, char *const *rest)
{
    const char *standing = getenv("PEAT_DB");
    args->dir = args->db;
    if (args->dir == NULL && count <= args->command->rest_min && standing != NULL && *standing)
        args->dir = standing;
    if (args->dir == NULL && count > 0) {
        args->dir = *rest++;
        count--;
    }
    if (args->dir == NULL)
        return cli_fail(args, CLI_USAGE, "no store named; give DIR, --db DIR or set PEAT_DB");
    if (*args->dir == '\0')
        return cli_fail(args, CLI_USAGE, "the name of the store is empty");
    args->rest = rest;
    args->rest_count = count;
    return 0;
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
    int min = command->rest_min, max = command->rest_max;
    if (ret_args->value_file != NULL)
        min = max = max - 1;
    ret_args->rest = argv + optind;
    ret_args->rest_count = argc - optind;
    if (command->place == CLI_TAKES_STORE)
        failed = take_store(ret_args, argc - optind, argv + optind);
    if (failed)
        return failed;
    if (ret_args->rest_count < min || (max >= 0 && ret_args->rest_count > max))
        return cli_fail(ret_args, CLI_USAGE, "%s arguments; usage: peat %s [options]%s%s%s",
                        ret_args->rest_count < min ? "too few" : "too many", command->name,
                        command->place == CLI_TAKES_STORE ? " DIR" : "",
                        *command->arguments ? " " : "", command->arguments);
    if (strlen(ret_args->separator) != 1 || *ret_args->separator == '\n' ||
        *ret_args->separator == '\\')
        return cli_fail(ret_args, CLI_USAGE,
                        "--separator must be one byte, not a newline or backslash");
    if (ret_args->batch == 0)
        return cli_fail(ret_args, CLI_USAGE, "--batch must be at least 1");
    if (ret_args->memory != 0 && ret_args->memory < PEAT_MEMORY_BYTES_MIN)
        return cli_fail(ret_args, CLI_USAGE, "--memory must be at least 1M");
    if (ret_args->keys_only && ret_args->values_only)
        return cli_fail(ret_args, CLI_USAGE, "--keys-only and --values-only exclude each other");
    return 0;
}
