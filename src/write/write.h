/* SPDX-License-Identifier: MIT */
/*
 * write.h - how a put, a delete or a batch becomes part of the store: commit.c has the way it goes,
 * throttle.c what a writer owes to those who work in the background.
 */
#ifndef PT_WRITE_WRITE_H
#define PT_WRITE_WRITE_H

#include "state/store.h"

/* The room's own part of the store. */
typedef struct pt_write {
    double delay_owed_ns; /* guarded by commit_mu */
} pt_write;

typedef struct pt_write_request {
    pt_slice payload; /* operations (batch_format.md) */
    uint32_t count;
    uint32_t deletes;
    uint64_t key_bytes, value_bytes; /* of all operations; keys with their keyspaces */
    bool sync;
    bool batch; /* came as one: for the statistics */
    /* Asked once, when only the log can still fail: the last sequence that any commit has taken,
     * published or not, and the first that this one would take. Whatever it returns but PEAT_OK
     * ends the commit with that, and without a trace. Called under commit_mu: it holds up all
     * writers and may not write here; it may read, and wait for others to publish. NULL: nobody is
     * asked. */
    peat_rc (*validate_fn)(void *ctx, uint64_t taken_seq, uint64_t first_seq);
    void *validate_ctx;
} pt_write_request;

/* The request and what it points to are the caller's, and needed until this returns only. An error
 * after the record was logged leaves the commit visible: see commit.c. */
peat_rc pt_write_commit(pt_store *s, const pt_write_request *request) PT_MUST_USE;
/* Everything written so far is durable. */
peat_rc pt_write_sync(pt_store *s) PT_MUST_USE;

#endif
