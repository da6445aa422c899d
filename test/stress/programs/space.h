/* SPDX-License-Identifier: MIT */
/*
 * space.h - loads with the truth known, and the bound on space judged while they run.
 *
 *   space_world.c    the environment (clock, bytes written), the store, keys and values, the truth
 *   space_judge.c    samples: what the directory holds against what is live
 *   space_steady.c   loads that write and free without end
 *   space_quiet.c    much is freed at once; then hardly anything is written, or nothing
 *   space_idle.c     a trickle on a large store, and amplification
 *   space.c          the table of loads
 *
 * Time is the store's own. With threads it is the real one, faster by `speed`: the clock runs
 * ahead, sleeps and timed waits are as much shorter. Without threads it moves when a load says so,
 * and peat_work is called at each sample: such a run is the same each time.
 */
#ifndef SPACE_H
#define SPACE_H

#include "peat.h"
#include "peat_env.h"
#include "world/random.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define MIB   ((uint64_t)1 << 20)
#define MS_NS ((uint64_t)1000000)
#define S_NS  (1000 * MS_NS)

#define SAMPLE_NS (250 * MS_NS)

static inline double mib(uint64_t n)
{
    return (double)n / (double)MIB;
}

typedef struct space_sample {
    double ratio; /* of the directory to what is allowed */
    uint64_t dir_bytes, live_bytes, allowed_bytes, at_ns;
} space_sample;

typedef struct space {
    /* fixed from the start of a load */
    const char *load, *dir;
    uint64_t budget_bytes, seconds, entry_bytes_max;
    int threads;
    double speed;
    peat_env env;
    peat_host host;
    peat_options options;
    peat_db *db;

    /* clock and disk */
    uint64_t real_zero_ns;
    _Atomic uint64_t stepped_ns; /* without threads: what the clock says */
    uint64_t sample_next_ns;     /* without threads */
    _Atomic uint64_t written_bytes;

    /* the truth */
    uint32_t *sizes; /* of the values by the number of the key; 0: not there */
    uint64_t key_count;
    bool scattered;          /* the order of keys is not that of their numbers */
    bool halved;             /* the second half of a value repeats the first */
    uint64_t overhead_bytes; /* an entry's in a table, counted as live */
    _Atomic uint64_t live_bytes, held_bytes, freed_bytes, user_bytes;
    bool holding;                    /* what is freed is seen by an open read point */
    _Atomic uint64_t standing_bytes; /* tables that an iterator left standing keeps as they were */
    uint8_t *pool;
    rng random;

    /* the judge; samples are taken by one thread at a time */
    _Atomic uint64_t strict_from_ns; /* until then a burst is worked off */
    _Atomic bool sampling;
    space_sample worst, last;
    uint64_t samples, over;
    uint64_t burst_ns, over_last_ns; /* when a burst ended, when there was too much the last time */
    double obsolete_low, obsolete_high; /* the estimate over the truth, where that is large */
    double amplification;
    unsigned violations;
} space;

/* ---- space_world.c ---- */
void space_begin(space *s, uint64_t key_count, uint64_t entry_bytes_max);
void space_end(space *s);
void space_open(space *s);
void space_close(space *s);
void must(peat_rc rc, const char *what);
uint64_t space_now(space *s);
/* Until then, by the store's clock. */
void space_wait_until(space *s, uint64_t ns);
void space_wait(space *s, uint64_t ns);
/* What an operation takes where time does not go by itself. */
void space_spend(space *s, uint64_t ns);
/* Timed waits of the store that were shortened. */
uint64_t space_waits(void);

peat_slice space_key(const space *s, uint64_t number, char key[32]);
void space_put(space *s, uint64_t number, uint32_t value_bytes);
void space_delete(space *s, uint64_t number);
/* Numbers from..to, in the order of a shuffled deck when the keys are scattered. */
void space_fill(space *s, uint64_t from, uint64_t to, uint32_t value_bytes);

/* ---- space_judge.c ---- */
/* What the directory may hold beyond space_target x live. */
uint64_t space_constant(const space *s);
uint64_t space_tables_constant(const space *s);
uint64_t space_dir_bytes(const space *s);
peat_statistics space_stats(space *s);
void space_sample_now(space *s);
void space_sampling_start(space *s);
void space_sampling_stop(space *s);
/* Between these two much may be freed at once: what is due is worked off until some time after. */
void space_burst_begin(space *s);
void space_burst_end(space *s);
/* Waits until a burst must have been worked off, and `more_ns` longer. */
void space_wait_settled(space *s, uint64_t more_ns);
/* Flushes, and compares the estimate of obsolete bytes with the truth. */
void space_check_obsolete(space *s);
void space_violation(space *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- the loads ---- */
void load_trickle(space *s);
void load_retention(space *s);
void load_queue(space *s);
void load_cache(space *s);
void load_shrink(space *s);
void load_large(space *s);
void load_uniform(space *s);
void load_ranges(space *s);
void load_snapshot(space *s);
void load_iterator(space *s);
void load_iterator_standing(space *s);
void load_pin(space *s);
void load_quiet_delete(space *s);
void load_quiet_shrink(space *s);
void load_shell(space *s);
void load_idle(space *s);
void load_amplification(space *s);
void load_amplification_small(space *s);

#endif
