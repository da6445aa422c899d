/* SPDX-License-Identifier: MIT */
/*
 * space.c - one load, with the truth known, and the bound on space judged at every sample.
 *
 *   space LOAD DIR BUDGET_MIB THREADS SECONDS [SEED]
 *
 * THREADS is 1 to 16, or -1 (PEAT_THREADS_NONE). SECONDS is how long the steady loads go on; the
 * sizes of the others follow from it and from the budget. Exit code 0 when the bound held.
 */
#include "space.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    void (*run)(space *s);
} loads[] = {
    {"trickle", load_trickle},
    {"retention", load_retention},
    {"queue", load_queue},
    {"cache", load_cache},
    {"shrink", load_shrink},
    {"large", load_large},
    {"uniform", load_uniform},
    {"ranges", load_ranges},
    {"snapshot", load_snapshot},
    {"iterator", load_iterator},
    {"iterator_standing", load_iterator_standing},
    {"pin", load_pin},
    {"quiet_delete", load_quiet_delete},
    {"quiet_shrink", load_quiet_shrink},
    {"shell", load_shell},
    {"idle", load_idle},
    {"amplification", load_amplification},
    {"amplification_small", load_amplification_small},
};

static void report(space *s)
{
    const space_sample *w = &s->worst;
    (void)printf("%-19s %4" PRIu64
                 " MiB, threads %2d: worst %.2f of the bound (%.1f MiB for %.1f live, %.1f "
                 "allowed); in the end %.2f",
                 s->load, s->budget_bytes / MIB, s->threads, w->ratio, mib(w->dir_bytes),
                 mib(w->live_bytes), mib(w->allowed_bytes), s->last.ratio);
    if (s->burst_ns != 0 && s->over_last_ns > s->burst_ns && s->last.ratio <= 1.0)
        (void)printf("; too much until %.1f s after",
                     (double)(s->over_last_ns - s->burst_ns) / 1e9);
    if (s->obsolete_high != 0)
        (void)printf("; estimate %.2f to %.2f of the truth", s->obsolete_low, s->obsolete_high);
    (void)printf("; %" PRIu64 " of %" PRIu64 " samples above; %.2f written for each byte\n",
                 s->over, s->samples,
                 (double)atomic_load(&s->written_bytes) / (double)atomic_load(&s->user_bytes));
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        (void)fprintf(stderr, "usage: space LOAD DIR BUDGET_MIB THREADS SECONDS [SEED]\n");
        return 2;
    }
    space s = {.load = argv[1],
               .dir = argv[2],
               .budget_bytes = strtoull(argv[3], NULL, 10) * MIB,
               .threads = atoi(argv[4]),
               .seconds = strtoull(argv[5], NULL, 10),
               .random = {argc > 6 ? strtoull(argv[6], NULL, 10) : 1},
               .speed = 1.0};
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
        if (strcmp(loads[i].name, argv[1]) != 0)
            continue;
        loads[i].run(&s);
        space_end(&s);
        if (s.over != 0)
            space_violation(&s, "%.2f of the bound", s.worst.ratio);
        if (s.threads != PEAT_THREADS_NONE && s.speed != 1.0 && space_waits() == 0)
            space_violation(&s, "no timed wait of the store was shortened");
        report(&s);
        return s.violations != 0;
    }
    (void)fprintf(stderr, "space: no load %s\n", argv[1]);
    return 2;
}
