/* SPDX-License-Identifier: MIT */
/* options.h - the command line. One table gives the fields, the parser and --help. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pb_options {
    const char *engines;
    const char *compare; /* empty: off */
    uint64_t pairs;
    const char *workloads;
    const char *dir;
    const char *json; /* a file to append JSON lines to; empty: none */
    const char *output;
    const char *keys;
    const char *compression;
    double ratio;
    uint64_t records, reads, sync_ops, ycsb_records, ycsb_ops, kill_mib;
    uint64_t key_size, value_size, threads, memory_mib, seed;
    uint64_t lmdb_batch, rocksdb_block;
    uint64_t generation; /* of an existing store; 0: any */
    bool pinned, fresh_iter, verify_full, no_latency, no_settle, count_allocs, defaults;
    bool keep, use_existing, list, help;
} pb_options;

/* 0, or 2 after a message on stderr. */
int pb_options_parse(int argc, char **argv, pb_options *ret_options);
void pb_options_help(void);

#endif
