/* SPDX-License-Identifier: MIT */
/* options.c - parsing the command line from one table. */
#include "options.h"

#include "engine.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind { TEXT, NUMBER, REAL, FLAG } kind;

typedef struct option_row {
    const char *name;
    kind kind;
    size_t offset;
    const char *standard; /* the default, as text */
    const char *help;
} option_row;

#define AT(field) offsetof(pb_options, field)

static const option_row rows[] = {
    {"engine", TEXT, AT(engines), "peat", "engines to run, a,b,...; several: a process each"},
    {"workloads", TEXT, AT(workloads), "core", "comma list, or core, ycsb, all (see --list)"},
    {"compare", TEXT, AT(compare), "",
     "engines a,b,...: interleaved runs, ratios of a to the rest"},
    {"pairs", NUMBER, AT(pairs), "3", "rounds of --compare, a fresh process for each run"},
    {"records", NUMBER, AT(records), "5000000", "records of a full store"},
    {"reads", NUMBER, AT(reads), "0", "operations of the reading workloads; 0: as many as records"},
    {"threads", NUMBER, AT(threads), "1", "threads, each with its own handle; they share the work"},
    {"memory", NUMBER, AT(memory_mib), "1024", "MiB the engine may use, as far as it can be told"},
    {"defaults", FLAG, AT(defaults), "",
     "peat: opened without options; the others get as much memory, and LZ4"},
    {"key-size", NUMBER, AT(key_size), "16", "bytes, 16 to 64"},
    {"value-size", NUMBER, AT(value_size), "100", "bytes, at least 8"},
    {"keys", TEXT, AT(keys), "decimal", "decimal, binary or hashed"},
    {"compression", TEXT, AT(compression), "none", "none, lz4, zstd, snappy (see README)"},
    {"ratio", REAL, AT(ratio), "0.5", "part of a value that does not compress"},
    {"sync-ops", NUMBER, AT(sync_ops), "10000", "records of fillsync"},
    {"ycsb-records", NUMBER, AT(ycsb_records), "1000000", "records of ycsbload, 1000 bytes each"},
    {"ycsb-ops", NUMBER, AT(ycsb_ops), "1000000", "operations of each YCSB workload"},
    {"kill-mib", NUMBER, AT(kill_mib), "56", "MiB written before the kill of reopenkill"},
    {"dir", TEXT, AT(dir), "/tmp/peat-bench", "where stores are made; a folder per engine"},
    {"keep", FLAG, AT(keep), "", "leave the store behind"},
    {"use-existing", FLAG, AT(use_existing), "", "the store is there and holds --records records"},
    {"seed", NUMBER, AT(seed), "1", "of every order and value"},
    {"verify-full", FLAG, AT(verify_full), "", "scans compare every byte (gets always do)"},
    {"no-latency", FLAG, AT(no_latency), "", "no clock around operations: pure throughput"},
    {"no-settle", FLAG, AT(no_settle), "", "do not wait for background work after writing"},
    {"count-allocs", FLAG, AT(count_allocs), "", "allocator calls per operation"},
    {"fresh-iter", FLAG, AT(fresh_iter), "", "seekrandom opens an iterator per seek"},
    {"pinned", FLAG, AT(pinned), "", "peat: read with peat_get_pinned"},
    {"lmdb-batch", NUMBER, AT(lmdb_batch), "1", "lmdb: puts per transaction"},
    {"rocksdb-block", NUMBER, AT(rocksdb_block), "4096", "rocksdb: block size"},
    {"output", TEXT, AT(output), "auto", "table, json, or auto: table on a terminal"},
    {"json", TEXT, AT(json), "", "also append JSON lines to this file"},
    {"list", FLAG, AT(list), "", "engines and workloads of this build"},
    {"help", FLAG, AT(help), "", "this text"},
    {"generation", NUMBER, AT(generation), "0", NULL}, /* reopenkill tells its child */
};

#define ROW_COUNT (sizeof rows / sizeof rows[0])

static int usage_error(const char *what, const char *which)
{
    fprintf(stderr, "peat-bench: %s '%s'; try --help\n", what, which);
    return 2;
}

/* Numbers may end in k, m or g (thousands, as records are counted). */
static int parse_number(const char *text, uint64_t *ret_number)
{
    static const char suffixes[] = "kmg";
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    const char *suffix = *end ? strchr(suffixes, *end) : NULL;
    if (suffix) {
        for (const char *p = suffixes; p <= suffix; p++)
            v *= 1000;
        end++;
    }
    if (end == text || *end || errno || !(v >= 0 && v < 1e18))
        return 1;
    *ret_number = (uint64_t)v;
    return 0;
}

static int set(pb_options *o, const option_row *row, const char *text)
{
    char *at = (char *)o + row->offset;
    switch (row->kind) {
    case TEXT:
        *(const char **)(void *)at = text;
        return 0;
    case NUMBER:
        return parse_number(text, (uint64_t *)(void *)at);
    case REAL: {
        char *end;
        *(double *)(void *)at = strtod(text, &end);
        return end == text || *end != '\0';
    }
    case FLAG:
        *(bool *)(void *)at = *text != '\0';
        return 0;
    }
    return 1;
}

static const option_row *find(const char *arg, const char **ret_value)
{
    size_t name_size = strcspn(arg, "=");
    *ret_value = arg[name_size] == '=' ? arg + name_size + 1 : NULL;
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strlen(rows[i].name) == name_size && memcmp(rows[i].name, arg, name_size) == 0)
            return &rows[i];
    return NULL;
}

static int validate(const pb_options *o)
{
    if (o->key_size < 16 || o->key_size > 64)
        return usage_error("out of range: ", "--key-size");
    if (o->value_size < 8 || o->value_size > (1u << 30))
        return usage_error("out of range: ", "--value-size");
    if (o->threads < 1 || o->threads > 1024)
        return usage_error("out of range: ", "--threads");
    if (o->memory_mib < 8)
        return usage_error("out of range: ", "--memory");
    if (o->records < 1 || o->sync_ops < 1 || o->ycsb_records < 2 || o->ycsb_ops < 1)
        return usage_error("must not be zero: ", "--records, --sync-ops, --ycsb-...");
    if (!(o->ratio > 0 && o->ratio <= 1))
        return usage_error("out of range: ", "--ratio");
    return 0;
}

static int take_defaults(pb_options *o)
{
#ifdef BENCH_HAVE_PEAT
    o->memory_mib = pb_peat_defaults_mib();
    o->compression = "lz4";
    return 0;
#else
    (void)o;
    return usage_error("needs Peat in the build: ", "--defaults");
#endif
}

int pb_options_parse(int argc, char **argv, pb_options *ret_options)
{
    memset(ret_options, 0, sizeof *ret_options);
    for (size_t i = 0; i < ROW_COUNT; i++)
        (void)set(ret_options, &rows[i], rows[i].standard); /* the table is right */
    for (int i = 1; i < argc; i++) {
        const char *value, *arg = argv[i];
        const option_row *row = strncmp(arg, "--", 2) == 0 ? find(arg + 2, &value) : NULL;
        if (!row)
            return usage_error("unknown argument", arg);
        if (!value)
            value = row->kind == FLAG ? "1" : i + 1 < argc ? argv[++i] : NULL;
        if (!value || set(ret_options, row, value) != 0)
            return usage_error("needs another value:", arg);
    }
    if (ret_options->defaults && take_defaults(ret_options) != 0)
        return 2;
    return validate(ret_options);
}

void pb_options_help(void)
{
    printf("usage: peat-bench [--option value | --option=value | --flag]...\n\n");
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (!rows[i].help)
            continue;
        printf("  --%-14s %s", rows[i].name, rows[i].help);
        if (rows[i].kind != FLAG && rows[i].standard[0])
            printf(" [%s]", rows[i].standard);
        printf("\n");
    }
}
