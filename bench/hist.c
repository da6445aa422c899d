/* SPDX-License-Identifier: MIT */
/* hist.c - reading a latency histogram. */
#include "hist.h"

void pb_hist_merge(pb_hist *io_into, const pb_hist *from)
{
    io_into->count += from->count;
    if (from->max > io_into->max)
        io_into->max = from->max;
    for (unsigned i = 0; i < PB_HIST_BUCKETS; i++)
        io_into->buckets[i] += from->buckets[i];
}

/* The upper end of a bucket: a percentile is never flattered. */
static uint64_t bucket_high(unsigned bucket)
{
    unsigned exp = bucket >> PB_HIST_STEP_BITS;
    uint64_t step = bucket & ((1u << PB_HIST_STEP_BITS) - 1);
    if (exp == 0)
        return step;
    return (((1ull << PB_HIST_STEP_BITS) + step + 1) << (exp - 1)) - 1;
}

uint64_t pb_hist_percentile(const pb_hist *h, double percent)
{
    uint64_t want = (uint64_t)((double)h->count * percent / 100.0), seen = 0;
    for (unsigned i = 0; i < PB_HIST_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > want)
            return bucket_high(i) < h->max ? bucket_high(i) : h->max;
    }
    return h->max;
}
