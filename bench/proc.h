/* SPDX-License-Identifier: MIT */
/* proc.h - what the process cost: bytes written, memory, CPU, room on disk. Linux's /proc. */
#ifndef BENCH_PROC_H
#define BENCH_PROC_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pb_usage {
    double user_s, sys_s;     /* all threads */
    uint64_t submitted_bytes; /* handed to write calls; stores into a file map are not seen */
    uint64_t dirtied_bytes;   /* page cache dirtied, in whole pages; also by stores into a map */
    uint64_t read_bytes;      /* fetched from the device */
} pb_usage;

typedef struct pb_memory {
    uint64_t anon_bytes; /* resident heap */
    uint64_t file_bytes; /* resident file maps: page cache that another program could use */
    uint64_t peak_bytes; /* highest sum since the start */
} pb_memory;

void pb_usage_read(pb_usage *ret_usage);
void pb_memory_read(pb_memory *ret_memory);
uint64_t pb_disk_bytes(const char *dir); /* allocated blocks of every file below */
int pb_remove_tree(const char *dir);
int pb_make_dirs(const char *dir);

/* For engines without a call that waits for their background work: returns when the process has
 * submitted no byte and burnt under 1 % of a CPU for quiet_ms. False after timeout_s. */
bool pb_wait_quiet(unsigned quiet_ms, unsigned timeout_s);

#endif
