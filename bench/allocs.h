/* SPDX-License-Identifier: MIT */
/*
 * allocs.h - how often malloc and its kin are called.
 *
 * The executable defines malloc, calloc, realloc, memalign and free on top of glibc's own, which
 * also catches the C++ engines (operator new) and shared libraries. While counting is off the cost
 * is one predictable branch. Calls by the benchmark's own threads (pb_allocs_mine) and by the
 * engine's background threads are told apart. Not available without glibc or under a sanitizer.
 */
#ifndef BENCH_ALLOCS_H
#define BENCH_ALLOCS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pb_allocs {
    uint64_t foreground, background;
    uint64_t bytes; /* asked for, both */
} pb_allocs;

bool pb_allocs_available(void);
void pb_allocs_start(void); /* counts from zero */
void pb_allocs_stop(pb_allocs *ret_seen);
void pb_allocs_mine(bool foreground); /* of the calling thread */

#endif
