/* SPDX-License-Identifier: MIT */
/*
 * crash.h - workloads whose every state is known beforehand, and stores that are compared with
 * them.
 *
 * A plan is made from a seed before anything runs: commits in order, with syncs, flushes, merges
 * and reopens between them, and the hash of the state after each commit. A store that comes back
 * from a power cut must be in one of these states, not before the last commit that was promised
 * durable and not after the last that had begun: then it is a prefix of the commit order and its
 * batches are whole. As the plan goes on from any state, a store that has come back can follow it
 * further and be cut again.
 */
#ifndef TEST_CRASH_CRASH_H
#define TEST_CRASH_CRASH_H

#include "model/model.h"
#include "support/sim_env.h"

#include <stdatomic.h>

typedef struct crash_write {
    uint32_t rank;
    bool deleted;
    model_value value; /* its seed names the commit: crash_commit_of */
} crash_write;

typedef struct crash_commit {
    size_t first, count; /* of plan.writes; one write that is no batch when single */
    bool single, sync;
} crash_commit;

typedef enum crash_step_kind {
    CRASH_COMMIT,
    CRASH_SYNC,
    CRASH_FLUSH,
    CRASH_WORK,
    CRASH_COMPACT,
    CRASH_SETTLE,
    CRASH_REOPEN,
    CRASH_SNAPSHOT, /* opens one, or closes it */
    CRASH_COPY,     /* makes another store of it, see crash_copy.c */
    CRASH_STEP_COUNT
} crash_step_kind;

#define CRASH_VALUE_MAX 12000 /* more than a small segment holds */
#define CRASH_BRANCH    8192  /* more commits than a plan has */

/* A kind of work. Figures are percent of the commits or of the writes where nothing else is said.
 */
typedef struct crash_load {
    const char *name;
    unsigned sync, deletes, batches;
    unsigned hot;       /* to one of five keys */
    unsigned batch_max; /* writes */
    uint32_t value_max, huge_max;
    unsigned huge;                      /* of huge_max bytes */
    bool ascending;                     /* keys in order, and deletes too */
    bool waves;                         /* some commits that write, then some that delete */
    bool any_options;                   /* those of a store are chosen by chance */
    bool queue;                         /* commits and syncs go through one: crash_queue.c */
    unsigned after[CRASH_STEP_COUNT];   /* followed by this step */
    int64_t option[MODEL_OPTION_COUNT]; /* sizes and interval: 0 is the smallest that makes sense */
} crash_load;

/* All of them by number, NULL behind the last; by name, NULL when there is none. */
const crash_load *crash_load_at(size_t i);
const crash_load *crash_load_of(const char *name);
const crash_load *crash_load_afterwards(void);

typedef struct crash_plan {
    uint64_t seed;
    const crash_load *load;
    bool owns_keys;
    model_options options;
    model_keys keys;
    size_t commit_count, write_count, write_capacity;
    crash_commit *commits; /* 1 .. commit_count; 0 is the empty store */
    crash_write *writes;
    uint64_t *write_hash;
    uint64_t *hash; /* of the state after commit i */
    size_t step_count;
    crash_step_kind *steps;
} crash_plan;

/* The load "any". */
void crash_plan_init(crash_plan *p, uint64_t seed, size_t commits);
void crash_plan_init_load(crash_plan *p, const crash_load *load, uint64_t seed, size_t commits);
/* The plan `from` up to commit `at` and then `more` other commits, whose values are in no other
 * plan: what a lost future had written is told from what was written instead. `from` lives longer.
 */
void crash_plan_branch(crash_plan *p, const crash_plan *from, const crash_load *load, uint64_t at,
                       size_t more, uint64_t seed);
void crash_plan_done(crash_plan *p);
/* Modulo CRASH_BRANCH the number in its plan; 0 is nothing. */
static inline uint32_t crash_commit_of(model_value value)
{
    return value.seed / 64;
}

/* A plan being followed. The counters are what the disk must agree with. */
typedef struct crash_run {
    const crash_plan *plan;
    sim_env *sim; /* NULL: the real disk */
    const char *dir;
    FILE *report;
    char story[512]; /* what happened before, for the report */
    model_open open;
    peat_db *db;
    struct crash_queue *queue; /* NULL: none is open */
    peat_snapshot *snapshot;
    _Atomic uint64_t *begun;    /* the last commit handed to the store, or to a queue of it */
    _Atomic uint64_t *returned; /* the last that came back, or was told of */
    _Atomic uint64_t *durable;  /* the last that a power cut must spare */
    _Atomic uint64_t counters[3];
    const atomic_bool *cut; /* the disk is being cut off: PEAT_IO ends the process; may be NULL */
    /* The newest copy is number `copies`, of the state after commit copy_at. */
    _Atomic uint64_t copies, copy_at;
    atomic_bool copy_whole; /* the import has returned */
} crash_run;

#define CRASH_EXIT_CUT 4 /* see cut above */

/* Ends the process with a report. */
void crash_fail(const crash_run *r, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));
void crash_run_init(crash_run *r, const crash_plan *plan, sim_env *sim, FILE *report);
void crash_open(crash_run *r, bool read_only);
void crash_close(crash_run *r);
/* Follows the plan from the first step behind commit `from` until commit `to` is in. */
void crash_go_on(crash_run *r, uint64_t from, uint64_t to);
/* The state of the open store: the number of a commit in [low, high], or a failure. Prefers the
 * highest. */
uint64_t crash_identify(const crash_run *r, uint64_t low, uint64_t high);
/* All that the open store holds, in order; `hash` is the entry's part of the state's. */
typedef void (*crash_row_fn)(void *arg, size_t rank, peat_slice value, uint64_t hash);
void crash_read(const crash_run *r, crash_row_fn each, void *arg);
void crash_copy(crash_run *r); /* CRASH_COPY */
/* What is in the directory of copy `number`: the state after commit `at`, all of it, or no store
 * unless `whole`. */
void crash_identify_copy(const crash_run *r, uint64_t number, uint64_t at, bool whole);
/* Every byte verifies. */
void crash_check(const crash_run *r);
/* Hands commit i to the store. */
peat_rc crash_apply(const crash_run *r, uint64_t i);
/* What commit i writes, as a batch. */
peat_rc crash_batch(const crash_run *r, uint64_t i, peat_batch **ret_batch);
/* Fails unless it is PEAT_OK; ends the process when the cut under way explains it. */
void crash_expect_ok(const crash_run *r, peat_rc rc, const char *call);
/* Commit `commit`, and all before it, is durable. */
void crash_promise(crash_run *r, uint64_t commit);

/* ---- crash_queue.c ---- */

/* Hands commit i, or a sync, to the queue, which is opened for the first one. */
void crash_queue_commit(crash_run *r, uint64_t i);
void crash_queue_sync(crash_run *r);
/* Until all has been told of. */
void crash_queue_drain(crash_run *r);
/* Around the close of the store, whatever is outstanding. `begun` is then the last commit that was
 * done: those behind it were not. */
void crash_queue_before_close(crash_run *r);
void crash_queue_after_close(crash_run *r);

#endif
