/* SPDX-License-Identifier: MIT */
/*
 * space.h - loads whose truth is known, and the bound on space judged while they run: the directory
 * stays within space_target times what is live and a constant, whatever is overwritten and deleted,
 * and what is left alone settles.
 *
 *   space_truth.c    time, samples, keys and values, and what is there in truth
 *   space_judge.c    what the directory holds against what is live
 *   space_steady.c   loads that write and free without end
 *   space_quiet.c    much is freed at once; then hardly anything is written, or nothing
 *   space_idle.c     a trickle on a large store, and amplification
 *
 * Two worlds run them: the quick one (test_space.c: small sizes, a simulated disk and clock) and
 * the long one (stress/programs/space.c: real files, the sizes of the field, with a thread or
 * without). Each defines the functions world_... below.
 */
#ifndef SPACE_SPACE_H
#define SPACE_SPACE_H

#include "peat.h"
#include "world/random.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#define MIB   ((uint64_t)1 << 20)
#define MS_NS ((uint64_t)1000000)
#define S_NS  (1000 * MS_NS)

#define KEY_BYTES 16u

static inline double mib(uint64_t n)
{
    return (double)n / (double)MIB;
}

typedef struct space_sample {
    double ratio; /* of the directory to what is allowed */
    uint64_t dir_bytes, live_bytes, allowed_bytes, at_ns;
} space_sample;

/* What a load asks of its numbers. */
typedef struct space_size {
    uint64_t count; /* of steps, ranges or keys; 0: rows enough that half of them pass the bound */
    uint64_t alive; /* how many of these are there at a time */
    uint32_t value_bytes;
    uint64_t spend_ns; /* what an operation takes where time does not go by itself */
} space_size;

struct space_world;

typedef struct space {
    /* fixed from the start of a load */
    const char *load;
    space_size size;
    struct space_world *world;
    uint64_t memtable_bytes, partition_bytes_min, partition_bytes_max, entry_bytes_max;
    uint64_t sample_ns;
    uint64_t burst_ns; /* so long after a burst the bound is not held against it */
    unsigned workers;  /* threads of the store; without any, time moves when a load says so */
    bool works;        /* and peat_work is called at each sample */
    double fill_max;   /* how many bytes a fill may write for each */
    uint64_t idle_max; /* and the idle load; 0: as much as the rule says */
    bool bounded;      /* amplification is not only told */
    double speed;      /* where time goes by itself, it goes so much faster */
    peat_db *db;
    uint64_t sample_next_ns;

    /* the truth */
    uint32_t *sizes; /* of the values by the number of the key; 0: not there */
    bool scattered;  /* the order of keys is not that of their numbers */
    bool halved;     /* the second half of a value repeats the first */
    _Atomic uint64_t live_bytes, held_bytes, user_bytes;
    bool holding;                    /* what is freed is seen by an open read point */
    _Atomic uint64_t standing_bytes; /* tables that an iterator left standing keeps as they were */
    uint8_t *pool;
    rng random;

    /* the judge; samples are taken by one thread at a time */
    _Atomic uint64_t strict_from_ns; /* until then a burst is worked off */
    space_sample worst, last;
    uint64_t samples, over;
    uint64_t burst_end_ns, over_last_ns; /* of a burst; when there was too much the last time */
    double obsolete_low, obsolete_high;  /* the estimate over the truth, where that is large */
    unsigned violations;
} space;

/* ---- the world ---- */
void must(peat_rc rc, const char *what);
void world_open(space *s);
void world_close(space *s);
uint64_t world_now(space *s);
void world_wait_until(space *s, uint64_t ns); /* nobody looks meanwhile */
/* Where time goes by itself a thread takes samples between these two; elsewhere they do nothing. */
void world_sampling_start(space *s);
void world_sampling_stop(space *s);
/* What the directory holds, files without a name included that somebody keeps open. */
uint64_t world_dir_bytes(space *s);
uint64_t world_written_bytes(space *s);
/* The store is closed. Somebody opens it, deletes one key, and closes it. */
void world_delete_apart(space *s, uint64_t number);
/* For a while: nothing is written and nobody runs. */
void world_expect_rest(space *s);

/* ---- space_truth.c ---- */
void space_begin(space *s, uint64_t key_count, uint64_t entry_bytes_max);
void space_end(space *s);
/* Until then, by the store's clock. */
void space_wait_until(space *s, uint64_t ns);
void space_wait(space *s, uint64_t ns);
/* What an operation takes where time does not go by itself. */
void space_spend(space *s, uint64_t ns);

/* The truth: from now on the value has this size, or is not there. */
void space_account(space *s, uint64_t number, uint32_t size);
peat_slice space_key(const space *s, uint64_t number, char key[32]);
void space_put(space *s, uint64_t number, uint32_t value_bytes);
void space_delete(space *s, uint64_t number);
/* Numbers from..to, in the order of a shuffled deck when the keys are scattered. */
void space_fill(space *s, uint64_t from, uint64_t to, uint32_t value_bytes);

/* ---- space_judge.c ---- */
/* What the directory may hold beyond space_target x live. */
uint64_t space_constant(const space *s);
peat_statistics space_stats(space *s);
void space_sample_now(space *s);
/* Between these two much may be freed at once: what is due is worked off until some time after. */
void space_burst_begin(space *s);
void space_burst_end(space *s);
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
void load_sizes(space *s);
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

#endif
