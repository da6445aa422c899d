/* SPDX-License-Identifier: MIT */
/*
 * worker.h - one thread's share of the background work: at most one merge, carried on step by step.
 */
#ifndef PT_WORK_WORKER_H
#define PT_WORK_WORKER_H

#include "compact/merge.h"

typedef struct pt_store pt_store;
typedef struct pt_worker pt_worker;

struct pt_worker {
    pt_store *store;
    pt_merge *merge;        /* NULL: none under way */
    pt_compact_context ctx; /* of that merge */
    uint64_t *snapshots;    /* of that merge; own memory */
    uint64_t started_ns;
    uint64_t claimed[PT_MERGE_PARTS_MAX]; /* partitions; also in pt_work_state, for the others */
    size_t claimed_count;
    uint64_t seen_seq;   /* published when its round began */
    uint64_t rested_seq; /* seen_seq at its last rest */
    unsigned rests;      /* since then, or since it last worked */
    /* The one thread that also does what is done once for the store: syncs by the interval,
     * switches of a memtable that is not full, rests. */
    bool first;
    peat_env_thread *thread; /* NULL: the inline worker */
};

typedef enum pt_worker_outcome {
    PT_WORKER_NOTHING, /* nothing is due */
    PT_WORKER_STEP,    /* a merge went on */
    PT_WORKER_UNIT,    /* a unit has ended */
} pt_worker_outcome;

/* What is asked of the chooser (compact/pick.h): only what is due, or (idle) also what an idle
 * store does, in a range. */
typedef struct pt_work_request {
    bool shape; /* only changes of partitions */
    bool idle;
    uint64_t idle_bytes_max; /* that a merge may write which is not due */
    pt_slice lower, upper;   /* upper.data NULL: open */
} pt_work_request;

/* One step of a merge: a few milliseconds. */
#define PT_WORK_STEP_BYTES ((uint64_t)1 << 20)

/* A step of whatever is due: a flush; else at most so many bytes of the merge under way; else the
 * beginning of one, or a change of partitions. */
peat_rc pt_worker_step_for(pt_worker *w, const pt_work_request *request, uint64_t bytes,
                           pt_worker_outcome *ret_outcome) PT_MUST_USE;
/* Something is due, or a unit is under way, by which something may become so. Claims nothing. */
bool pt_work_due(pt_store *s, const pt_work_request *request);
/* A merge that is due and writes no more than this, about, is the next thing to do. */
bool pt_work_due_below(pt_store *s, uint64_t write_bytes_max);
/* `idle`: also what only an idle store does, within its allowance (quiet.h). *ret_outcome is set in
 * every case. */
peat_rc pt_worker_step(pt_worker *w, bool idle, pt_worker_outcome *ret_outcome) PT_MUST_USE;
/* Nothing is due: the store gives back what it does not need (rest.c). Returns how long to wait
 * before this is called again; UINT64_MAX: not before the next write. */
uint64_t pt_worker_rest(pt_worker *w);
/* Gives up the merge under way; its files go. */
void pt_worker_abandon(pt_worker *w);

#endif
