/* SPDX-License-Identifier: MIT */
/*
 * space.c - a load of test/space in the long world (space_world.c), the bound on space judged at
 * every sample.
 *
 *   space LOAD DIR BUDGET_MIB THREADS SECONDS [SEED]
 *
 * THREADS is 1 to 16, or -1 (PEAT_THREADS_NONE): then peat_work is called at each sample, and such
 * a run is the same each time. SECONDS is how long the steady loads go on; the sizes of the others
 * follow from it and from the budget. Exit code 0 when the bound held.
 */
#include "space_world.h"

#include <stdlib.h>
#include <string.h>

#define FULL_SECONDS  100u /* from so many on, idle and amplification are as large as promised */
#define PROMISE_BYTES (256 * MIB) /* written in an hour, on a store of 10 GB */
#define SPEND_NS      50000u      /* an operation, where time does not go by itself */
#define QUIET         20.0        /* so much faster loads go that mostly wait */
#define ROW           1000u

typedef struct long_load {
    const char *name;
    void (*run)(space *s);
    space_size size; /* `count` is of a second where full_count is not 0 */
    uint64_t full_count;
    double speed;
} long_load;

#define EACH_SECOND UINT64_MAX

static const long_load loads[] = {
    {"trickle", load_trickle, {.value_bytes = ROW}, 0, QUIET},
    {"retention", load_retention, {2000, 10000, 8000, 500000}, EACH_SECOND, 1.0},
    {"queue", load_queue, {10000, 5000, 1000, SPEND_NS}, EACH_SECOND, 1.0},
    {"cache", load_cache, {10000, 20000, 4000, SPEND_NS}, EACH_SECOND, 1.0},
    {"shrink", load_shrink, {.value_bytes = 3000}, 0, QUIET},
    {"large", load_large, {25, 10, 1000000, 1000 * SPEND_NS}, 2000, 1.0},
    {"uniform", load_uniform, {30000, 50000, 1000, SPEND_NS}, EACH_SECOND, 1.0},
    {"sizes", load_sizes, {30000, 50000, 1000, SPEND_NS}, EACH_SECOND, 1.0},
    {"ranges", load_ranges, {200, 500, 1000, 0}, EACH_SECOND, 1.0},
    {"snapshot", load_snapshot, {.value_bytes = ROW}, 0, QUIET},
    {"iterator", load_iterator, {.value_bytes = ROW}, 0, QUIET},
    {"iterator_standing", load_iterator_standing, {.value_bytes = ROW}, 0, QUIET},
    {"pin", load_pin, {.value_bytes = ROW}, 0, QUIET},
    {"quiet_delete", load_quiet_delete, {.count = 20, .value_bytes = 10000000}, 0, QUIET},
    {"quiet_shrink", load_quiet_shrink, {.count = 20, .value_bytes = 10000000}, 0, QUIET},
    {"shell", load_shell, {.count = 20, .value_bytes = 10000000}, 0, 1.0},
    {"idle", load_idle, {.count = 512 * MIB / ROW, .value_bytes = ROW}, 0, 0},
    {"amplification", load_amplification, {8 * MIB / 416, 0, 400, 0}, 2048 * MIB / 416, 1.0},
    {"amplification_small", load_amplification, {8 * MIB / 116, 0, 100, 0}, 2048 * MIB / 116, 1.0},
};

static void set_size(space *s, const long_load *load, uint64_t seconds)
{
    bool full = seconds >= FULL_SECONDS;
    s->load = load->name;
    s->size = load->size;
    s->speed = load->speed;
    if (load->full_count == EACH_SECOND || (load->full_count != 0 && !full))
        s->size.count *= seconds;
    else if (load->full_count != 0)
        s->size.count = load->full_count;
    if (load->run != load_idle)
        return;
    s->speed = 3600.0 / (double)seconds;
    if (full) {
        s->size.count = 10240 * MIB / ROW;
        s->idle_max = PROMISE_BYTES;
    }
}

static void report(space *s, const space_world *w)
{
    const space_sample *worst = &s->worst;
    (void)printf("%-19s %4" PRIu64
                 " MiB, threads %2d: worst %.2f of the bound (%.1f MiB for %.1f live, %.1f "
                 "allowed); in the end %.2f",
                 s->load, w->budget_bytes / MIB, w->threads, worst->ratio, mib(worst->dir_bytes),
                 mib(worst->live_bytes), mib(worst->allowed_bytes), s->last.ratio);
    if (s->burst_end_ns != 0 && s->over_last_ns > s->burst_end_ns && s->last.ratio <= 1.0)
        (void)printf("; too much until %.1f s after",
                     (double)(s->over_last_ns - s->burst_end_ns) / 1e9);
    if (s->obsolete_high != 0)
        (void)printf("; estimate %.2f to %.2f of the truth", s->obsolete_low, s->obsolete_high);
    (void)printf("; %" PRIu64 " of %" PRIu64 " samples above; %.2f written for each byte\n",
                 s->over, s->samples,
                 (double)world_written_bytes(s) / (double)atomic_load(&s->user_bytes));
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        (void)fprintf(stderr, "usage: space LOAD DIR BUDGET_MIB THREADS SECONDS [SEED]\n");
        return 2;
    }
    space_world world = {.dir = argv[2],
                         .budget_bytes = strtoull(argv[3], NULL, 10) * MIB,
                         .threads = atoi(argv[4])};
    space s = {.random = {argc > 6 ? strtoull(argv[6], NULL, 10) : 1}};
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
        if (strcmp(loads[i].name, argv[1]) != 0)
            continue;
        set_size(&s, &loads[i], strtoull(argv[5], NULL, 10));
        world_begin(&s, &world);
        loads[i].run(&s);
        space_end(&s);
        if (s.over != 0)
            space_violation(&s, "%.2f of the bound", s.worst.ratio);
        if (s.workers != 0 && s.speed != 1.0 && world_waits() == 0)
            space_violation(&s, "no timed wait of the store was shortened");
        report(&s, &world);
        return s.violations != 0;
    }
    (void)fprintf(stderr, "space: no load %s\n", argv[1]);
    return 2;
}
