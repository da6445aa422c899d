/* SPDX-License-Identifier: MIT */
/*
 * hist.h - latency histogram: 64 linear steps in each power of two, so a percentile is within
 * 1.6 % of the truth; the maximum is exact. Counts ticks of pb_clock; the reader converts.
 */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>

#define PB_HIST_STEP_BITS 6
#define PB_HIST_BUCKETS   ((64 - PB_HIST_STEP_BITS + 1) << PB_HIST_STEP_BITS)

typedef struct pb_hist {
    uint64_t count;
    uint64_t max;
    uint64_t buckets[PB_HIST_BUCKETS];
} pb_hist;

static inline unsigned pb_hist_bucket(uint64_t v)
{
    if (v < (1u << PB_HIST_STEP_BITS))
        return (unsigned)v;
    unsigned exp = 63u - (unsigned)__builtin_clzll(v) - PB_HIST_STEP_BITS;
    return ((exp + 1) << PB_HIST_STEP_BITS) +
           (unsigned)((v >> exp) & ((1u << PB_HIST_STEP_BITS) - 1));
}

static inline void pb_hist_add(pb_hist *h, uint64_t v)
{
    h->buckets[pb_hist_bucket(v)]++;
    h->count++;
    if (v > h->max)
        h->max = v;
}

void pb_hist_merge(pb_hist *io_into, const pb_hist *from);
uint64_t pb_hist_percentile(const pb_hist *h, double percent); /* 0 when empty */

#endif
