/* SPDX-License-Identifier: MIT */
/*
 * taps.h - who is told of commits, inside the library: a function for what is published, another
 * for what is durable. They are set at open (pt_settings) and called until pt_db_close returns.
 *
 *   published   once for every commit, in the order of sequences, without a gap from the first
 *               after the open: readers see it, and all before it. The payload is the committer's,
 *               as it is in the log (batch_format.md), and stays for the call only. A commit whose
 *               record could not be written is told as well, for readers see it. The commit returns
 *               to its caller afterwards.
 *   durable     every sequence up to this one is on disk and was told to be published; each time a
 *               larger one. With a log it is told when that was synced: by a commit, by peat_sync,
 *               by the interval, when the log goes quiet, by a close; so never of a commit that has
 *               failed, for a log that fails is not synced again. Without a log, when a memtable
 *               was flushed; of a commit whose own flush has failed, too, if a later one succeeds.
 *               Who waits for the sync, or the flush, returns afterwards.
 *
 * Each is called by one thread at a time, the one that has committed or synced; never under
 * commit_mu. It holds up those who are to be told next. It may read the store; it may not write to
 * it, sync or flush it. Nobody pays for a tap that is not set but a branch for each commit.
 */
#ifndef PT_STATE_TAPS_H
#define PT_STATE_TAPS_H

#include "base/base.h"
#include "base/sync.h"
#include "state/published.h"

typedef struct pt_taps {
    void (*published_fn)(void *ctx, uint64_t first_seq, uint64_t last_seq, pt_slice payload);
    void *published_ctx;
    void (*durable_fn)(void *ctx, uint64_t seq);
    void *durable_ctx;
} pt_taps;

/* Of an open store. */
typedef struct pt_tap_state {
    const pt_published *seen; /* what readers see */
    pt_taps taps;             /* fixed before the first commit; both NULL until then */
    bool set;                 /* one of them is not NULL */
    pt_mutex published_mu;
    pt_cond published_cond;
    _Atomic uint64_t published; /* told so far; stored under published_mu */
    pt_mutex durable_mu;
    uint64_t durable;         /* told so far; guarded by durable_mu */
    _Atomic uint64_t on_disk; /* may be told as soon as it is published; stored under durable_mu */
} pt_tap_state;

void pt_taps_init(pt_tap_state *t, const pt_published *published);
void pt_taps_done(pt_tap_state *t);
/* Of what is there at open nobody is told. */
void pt_taps_begin(pt_tap_state *t, const pt_taps *taps);
/* These were published by the caller, whose turn comes when all before them were told. */
void pt_taps_published(pt_tap_state *t, uint64_t first_seq, uint64_t last_seq, pt_slice payload);
/* Every sequence up to here is on disk. Caller holds no lock but, perhaps, flush_mu or
 * inline_mu. */
void pt_taps_durable(pt_tap_state *t, uint64_t seq);

#endif
