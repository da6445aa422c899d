/* SPDX-License-Identifier: MIT */
/*
 * work.h - the background: what is due is chosen, run, and installed, in threads of the store's own
 * or in a caller's. work.c has the way a unit goes, threads.c the loop around it, inline.c what
 * callers ask for, background.c the beginning and the end.
 */
#ifndef PT_WORK_WORK_H
#define PT_WORK_WORK_H

#include "compact/merge.h"
#include "state/store.h"
#include "work/claims.h"
#include "work/worker.h"

/* Before the first unit was timed: a modest disk, 100 MB a second. */
#define PT_WORK_NS_PER_BYTE_GUESS 10.0

/* Guarded by work.mu. */
typedef struct pt_work_state {
    bool stopping;
    uint64_t signals; /* counts wake-ups, so that none is missed */
    pt_claims claims;
    uint64_t retry_ns; /* not before: back-off after a failure */
    unsigned failures; /* in a row */
    uint64_t flushes, mid_merges, bottom_merges, appends, partition_changes;
    uint64_t flush_bytes, merge_bytes_written, merge_bytes_read;
    /* time per byte of user data taken in, smoothed: of flushes, and with the merges that went on
     * meanwhile; 0: unknown */
    double flush_ns_per_byte, ns_per_byte;
    uint64_t merge_ns; /* spent in steps of merges since the last flush that was counted */
} pt_work_state;

/* How fast the store is being written to. */
typedef enum pt_quiet_tempo {
    PT_TEMPO_BUSY,
    PT_TEMPO_SLOW,  /* so that merging takes a small part of the time */
    PT_TEMPO_STILL, /* not at all, for half a second */
} pt_quiet_tempo;

/* What quiet.c keeps; quiet.h says what credit and patience are. Guarded by work.mu. */
typedef struct pt_quiet {
    pt_quiet_tempo tempo;
    double credit_bytes;
    uint64_t looked_ns, looked_user_bytes; /* when the rate of writing was taken last */
    uint64_t seen_seq, still_since_ns;     /* since when nothing has been published */
    uint64_t patience_ns;
    uint64_t patience_user_bytes;   /* what had been written when much writing last reset it */
    bool indulged;                  /* more than the credit was used, without a write since */
    uint64_t mem_seq, mem_since_ns; /* the active memtable, and since when it holds anything */
    double trust;                   /* what flushes found hidden, over what was guessed; 0..1 */
} pt_quiet;

/* The room's own part of the store. */
typedef struct pt_work {
    pt_mutex flush_mu;       /* one flush at a time */
    pt_mutex inline_mu;      /* one caller works at a time; before flush_mu */
    pt_worker inline_worker; /* of the callers' threads together; guarded by inline_mu */

    pt_mutex mu;       /* a leaf; guards what follows */
    pt_cond due_cond;  /* something to do */
    pt_cond done_cond; /* something was done */
    pt_work_state state;
    pt_quiet quiet;

    pt_worker *workers; /* store.h has their count */
} pt_work;

/* Makes it, and sets what others need of it (state/background.h). PEAT_NOMEM. */
peat_rc pt_work_new(pt_store *s) PT_MUST_USE;
void pt_work_free(pt_store *s);
/* The threads, if the store has any; after an error those that have begun are pt_work_stop's. */
peat_rc pt_work_start(pt_store *s) PT_MUST_USE;
/* Waits for them, and gives up what is under way, the inline worker's too. */
void pt_work_stop(pt_store *s);

void pt_work_wake(pt_store *s);
/* Closes tables, and removes files, that the last reader has let go of. */
void pt_work_sweep(pt_store *s);
/* One unit in the calling thread; *ret_did false: nothing to do. */
peat_rc pt_work_unit(pt_store *s, bool idle, bool *ret_did) PT_MUST_USE;
/* What is due and costs next to nothing: a store that is opened only for moments, as by a command,
 * has no other time for it. */
peat_rc pt_work_before_close(pt_store *s) PT_MUST_USE;
/* Flushes the oldest immutable memtable, after the flush under way. *ret_did false: there is
 * none. */
peat_rc pt_work_flush(pt_store *s, bool *ret_did) PT_MUST_USE;
peat_rc pt_work_settle(pt_store *s, uint64_t timeout_ms) PT_MUST_USE;
peat_rc pt_work_compact(pt_store *s, pt_slice lower, pt_slice upper,
                        const peat_progress *progress) PT_MUST_USE;
/* What is in memory would make much of the store obsolete. */
bool pt_work_hides_much(pt_store *s);

/* ---- inside the room ---- */

/* As pt_work_flush, but does nothing while another flush is under way. */
peat_rc pt_work_try_flush(pt_store *s, bool *ret_did) PT_MUST_USE;
/* Two of what state/background.h asks for, make_room and step. */
peat_rc pt_work_make_room(pt_store *s, size_t immutables_max) PT_MUST_USE;
void pt_work_step(pt_store *s, uint64_t bytes);
/* The debts anew, and the rate at which writers pay for them. */
void pt_work_take_debts(pt_store *s);
/* Memory that holds nothing and files that are not in use go back to the system. */
void pt_work_rest(pt_store *s);

#endif
