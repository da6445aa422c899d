/* SPDX-License-Identifier: MIT */
/*
 * clock.h - a clock cheap enough to read around every operation.
 *
 * On x86-64 with an invariant time stamp counter a reading is one rdtsc (about 10 ns in a virtual
 * machine) against CLOCK_MONOTONIC, measured once at start. No fence: out-of-order execution may
 * move a reading by some nanoseconds, which is below the histogram's resolution for anything but
 * the shortest calls. Elsewhere a tick is a nanosecond of CLOCK_MONOTONIC.
 */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

typedef struct pb_clock {
    bool tsc;
    double ns_per_tick;
    double ns_per_stamp; /* what one pair of readings costs */
} pb_clock;

void pb_clock_init(pb_clock *clock);

static inline uint64_t pb_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t pb_ticks(const pb_clock *clock)
{
#if defined(__x86_64__)
    if (clock->tsc)
        return __rdtsc();
#endif
    (void)clock;
    return pb_now_ns();
}

#endif
