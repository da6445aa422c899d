/* SPDX-License-Identifier: MIT */
/*
 * model_state.h - a script being run: the store, the oracle and the slots. Shared by model_run.c
 * (writes, reads), model_upkeep.c, model_scan.c (iterators), model_async.c (a queue) and
 * model_life.c (open, close, kill, copy).
 */
#ifndef TEST_MODEL_MODEL_STATE_H
#define TEST_MODEL_MODEL_STATE_H

#include "model/model.h"
#include "support/sim_env.h"

#include <stdatomic.h>

typedef struct model_snapshot_slot {
    peat_snapshot *snapshot;
    uint64_t seq;
} model_snapshot_slot;

typedef struct model_pin_slot {
    bool held;
    peat_pinned pin;
    size_t rank;
    model_value value;
} model_pin_slot;

#define MODEL_AT_START (-1)
#define MODEL_AT_NONE  (-2)

typedef struct model_iter_slot {
    peat_iter *iter;
    uint64_t seq;
    int64_t lower, upper; /* ranks */
    int64_t at;           /* a rank, or MODEL_AT_... */
    bool filled;          /* a fill returned the entry it stands on */
    bool keys_only;
    bool back;        /* the last movement */
    bool of_snapshot; /* it cannot be refreshed */
} model_iter_slot;

typedef struct model_state {
    const model_script *script;
    size_t op; /* the one being run */
    FILE *report;
    uint64_t operations;
    model_keys keys;
    model_oracle oracle;
    model_options options; /* of the open in force */
    model_open open;
    uint64_t option_sets;
    _Atomic(peat_db *) event_db; /* what events read; NULL while it is opened or closed */
    sim_env *sim;                /* NULL: the real disk */
    const struct peat_env *env;
    char dir[256], copy_dir[256], home[256]; /* home: what the names on a real disk begin with */
    unsigned deaths;
    peat_db *db;
    peat_buf buf;
    peat_batch *batch;
    peat_batch *part;         /* what is appended to it */
    const model_op *batch_op; /* what is in it */
    size_t batch_bytes_min;
    uint8_t *expected; /* scratch for values */
    size_t expected_capacity;
    model_snapshot_slot snapshots[MODEL_SLOTS];
    model_pin_slot pins[MODEL_SLOTS];
    model_iter_slot iters[MODEL_SLOTS];
    struct model_async *async; /* NULL: no queue is open */
} model_state;

/* Reports what went wrong in the operation being run and ends the process. */
void model_fail(model_state *m, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));
/* Fails unless rc is what was expected. */
void model_expect(model_state *m, peat_rc found, peat_rc expected, const char *call);
/* Fails unless the bytes are those of the value. */
void model_expect_value(model_state *m, size_t rank, peat_slice found, model_value value,
                        const char *call);
/* A get of one key at a moment, compared. */
void model_expect_get(model_state *m, const peat_snapshot *snapshot, uint64_t seq, size_t rank,
                      bool no_fill);

/* The whole store against the oracle: forwards, backwards and by fills. */
void model_expect_all(model_state *m, peat_db *db, const peat_snapshot *snapshot, uint64_t seq);
void model_scan_op(model_state *m, const model_op *op);
/* Of the queue; with the store it may be left. */
void model_async_op(model_state *m, const model_op *op);
size_t model_async_cursors(const model_state *m, bool busy);
void model_async_before_close(model_state *m);
void model_async_after_close(model_state *m);
void model_upkeep_op(model_state *m, const model_op *op);
size_t model_rank_of(const model_state *m, int64_t id);

void model_life_begin(model_state *m, const model_op *op);
void model_life_op(model_state *m, const model_op *op);
void model_life_end(model_state *m);
/* Lets go of snapshots, pins and iterators. */
void model_drop_slots(model_state *m);
void model_check_op(model_state *m);
void model_unpin(model_state *m, model_pin_slot *slot);

#endif
