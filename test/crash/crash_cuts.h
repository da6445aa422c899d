/* SPDX-License-Identifier: MIT */
/*
 * crash_cuts.h - the power fails at every boundary of a plan, in every way there is room for: what
 * comes back is compared with the plan, written to, and cut again, down to CRASH_DEPTH cuts.
 *
 * An image is what one cut leaves. Images are told apart by a hash of their files; one that was
 * seen with the same bounds is not opened again. Of each new one:
 *   - opening succeeds and shows a state within the bounds; sometimes without writing first, and
 *     sometimes twice: a store that dies right after its recovery recovers the same again
 *   - a cut during the recovery leaves that same state
 *   - commits that no other future has are accepted; after a cut among them the state is one of
 *     theirs: nothing that was lost before comes back
 *   - every byte verifies, and nothing is left open
 */
#ifndef TEST_CRASH_CRASH_CUTS_H
#define TEST_CRASH_CRASH_CUTS_H

#include "crash/crash.h"

#define CRASH_DEPTH 3

/* Shared with the child processes that follow the plans, one at a time. */
typedef struct crash_tally {
    uint64_t images; /* distinct */
    uint64_t cuts;   /* made, the same image again included */
    uint64_t boundaries, commits, plans;
    uint64_t rewrites;                  /* of the manifest, by plans alone */
    uint64_t at_depth[CRASH_DEPTH + 1]; /* images verified */
    uint64_t twice, read_only, copies, killed;
    uint64_t broken; /* images with garbage that did not come back whole */
    size_t capacity; /* of seen, a power of two */
    uint64_t *seen;
} crash_tally;

/* `images` is about how many there is room for; more are counted no longer. */
crash_tally *crash_tally_new(size_t images);
void crash_tally_free(crash_tally *t);
/* Of hashes; `capacity` is a power of two. False when it was there, or there is no room. */
bool crash_set_add(uint64_t *set, size_t capacity, uint64_t hash);

typedef struct crash_job {
    const crash_load *load;
    uint64_t seed;
    size_t commits;
    unsigned one_in; /* boundaries */
    size_t go_on;    /* commits after a last recovery; 0: one */
    bool garbage;    /* sectors being written may hold anything: one cut, findings are told */
    FILE *report;    /* of the child */
    crash_tally *tally;
} crash_job;

/* A model_child_fn; `arg` is a crash_job. */
void crash_cut_plan(void *arg, FILE *report);

#endif
