/* SPDX-License-Identifier: MIT */
/*
 * snapshot.h - which sequences somebody still looks at: snapshots, and iterators, which are
 * snapshots of their own.
 */
#ifndef PT_STATE_SNAPSHOT_H
#define PT_STATE_SNAPSHOT_H

#include "base/sync.h"

typedef struct pt_store pt_store;

/* In the store's list of snapshots, which is sorted by seq. */
typedef struct pt_snapshot_link {
    struct pt_snapshot_link *prev, *next;
    uint64_t seq;
} pt_snapshot_link;

typedef struct pt_snapshots {
    pt_mutex mu;           /* a leaf; guards the ring */
    pt_snapshot_link ring; /* its head */
    uint64_t count;
    /* Set by a thread that goes to sleep while readers hold back what could go: who ends a read
     * wakes it. seq_cst with the reader's unlinking and its load of this. */
    atomic_bool held_back;
    _Atomic uint64_t held_before; /* by readers at older sequences, or of replaced files */
} pt_snapshots;

void pt_snapshots_init(pt_snapshots *all);
void pt_snapshots_done(pt_snapshots *all);
/* Links it at the present end of the published order. */
void pt_snapshot_link_add(pt_store *s, pt_snapshot_link *link);
/* The same at the sequence of a snapshot that is open. */
void pt_snapshot_link_add_at(pt_store *s, pt_snapshot_link *link, uint64_t seq);
void pt_snapshot_link_remove(pt_store *s, pt_snapshot_link *link);
/* The oldest of their sequences, one of each, ascending, `max` at most: returns how many.
 * *ret_more: there may be others. */
size_t pt_snapshot_oldest(pt_store *s, uint64_t *ret_seqs, size_t max, bool *ret_more);
/* All sequences, ascending, without repeats; env memory. */
peat_rc pt_snapshot_list(pt_store *s, uint64_t **ret_seqs, size_t *ret_count) PT_MUST_USE;

/* A reader has let go of what it held, and of this sequence (UINT64_MAX: of none): wakes the
 * background when that was what it waits for. */
void pt_snapshot_released(pt_store *s, uint64_t seq);

#endif
