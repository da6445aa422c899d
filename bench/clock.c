/* SPDX-License-Identifier: MIT */
/* clock.c - calibrate the time stamp counter, once per process. */
#include "clock.h"

#include <stdio.h>
#include <string.h>

/* 20 ms gives the rate to about 1e-5 with readings that are some 100 ns apart. */
#define CALIBRATE_NS 20000000u

static bool tsc_is_invariant(void)
{
#if defined(__x86_64__)
    char line[8192];
    bool found = false;
    FILE *f = fopen("/proc/cpuinfo", "r");
    if (!f)
        return false;
    while (!found && fgets(line, sizeof line, f))
        found = strncmp(line, "flags", 5) == 0 && strstr(line, "constant_tsc") &&
                strstr(line, "nonstop_tsc");
    fclose(f);
    return found;
#else
    return false;
#endif
}

static double measure_rate(const pb_clock *clock)
{
    uint64_t ns0 = pb_now_ns(), tick0 = pb_ticks(clock), ns1;
    do
        ns1 = pb_now_ns();
    while (ns1 - ns0 < CALIBRATE_NS);
    return (double)(ns1 - ns0) / (double)(pb_ticks(clock) - tick0);
}

static double measure_stamp(const pb_clock *clock)
{
    enum { ROUNDS = 20000 };
    uint64_t sum = 0, start = pb_now_ns();
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t t = pb_ticks(clock);
        sum += pb_ticks(clock) - t;
    }
    uint64_t took = pb_now_ns() - start;
    return sum ? (double)took / ROUNDS : 0; /* sum keeps the readings alive */
}

void pb_clock_init(pb_clock *clock)
{
    clock->tsc = tsc_is_invariant();
    clock->ns_per_tick = clock->tsc ? measure_rate(clock) : 1.0;
    clock->ns_per_stamp = measure_stamp(clock);
}
