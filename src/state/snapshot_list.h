/* SPDX-License-Identifier: MIT */
/* snapshot_list.h - the list of sequences that somebody still looks at: the types alone, which
 * store.h needs. What can be done with them is in snapshot.h. */
#ifndef PT_STATE_SNAPSHOT_LIST_H
#define PT_STATE_SNAPSHOT_LIST_H

#include "base/sync.h"

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
    /* With held_back: only the end of a read at a sequence below this one lets anything go, or that
     * of a reader of replaced files. */
    _Atomic uint64_t held_before;
} pt_snapshots;

static inline void pt_snapshots_init(pt_snapshots *all)
{
    pt_mutex_init(&all->mu);
    all->ring.next = all->ring.prev = &all->ring;
}
static inline void pt_snapshots_done(pt_snapshots *all)
{
    pt_mutex_done(&all->mu);
}

#endif
