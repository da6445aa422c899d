/* SPDX-License-Identifier: MIT */
/* read_points.h - which sequences somebody still looks at, as the store has them; snapshot.h has
 * what can be done with them. */
#ifndef PT_STATE_READ_POINTS_H
#define PT_STATE_READ_POINTS_H

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
    _Atomic uint64_t held_before; /* by readers at older sequences, or of replaced files */
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
