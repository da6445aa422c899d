/* SPDX-License-Identifier: MIT */
/*
 * epoch.h - readers that take no lock, and memory that waits for them.
 *
 * A reader enters, loads shared pointers, uses what they point to, exits. A writer unlinks an
 * object first, then retires it; it is freed once every reader that might have seen it has left
 * (epoch-based reclamation: Fraser, "Practical lock-freedom", 2004).
 * An epoch is never held across I/O, a lock wait, a callback or a return to the program.
 *
 * Slots: a fixed array; a reader claims one with a compare-and-swap at a place hinted by its
 * thread, so that an uncontended enter is one locked instruction. When all are taken a counted
 * overflow slot serves (it holds back reclamation, never correctness).
 *
 * Lock rule: mu guards the limbo list only; nothing is called under it. Release functions run
 * without it and may retire more.
 */
#ifndef PT_BASE_EPOCH_H
#define PT_BASE_EPOCH_H

#include "base/base.h"
#include "base/sync.h"

#define PT_EPOCH_SLOTS 64

typedef struct pt_retired pt_retired;
/* Embedded in what is retired. `release` runs on whatever thread collects. */
struct pt_retired {
    pt_retired *next;
    uint64_t epoch;
    void (*release)(pt_retired *self);
};

/* One cache line each, wherever the array begins: padded, because memory of an environment's
 * allocator need not be aligned to lines. */
typedef struct pt_epoch_slot {
    _Atomic uint64_t active; /* 0 free, else the epoch its reader entered in (or an older one) */
    uint8_t pad[56];
} pt_epoch_slot;

typedef struct pt_epoch {
    pt_epoch_slot slots[PT_EPOCH_SLOTS];
    _Atomic uint64_t now; /* starts at 1; read by every enter, so it has its line for itself */
    uint8_t pad[56];
    _Atomic uint64_t passed; /* no reader of this epoch or an older one is inside; only grows */
    _Atomic uint64_t overflow_readers;
    _Atomic uint64_t limbo_count;
    pt_mutex mu;
    pt_retired *limbo_first, *limbo_last; /* guarded by mu; oldest first */
} pt_epoch;

void pt_epoch_init(pt_epoch *e);
/* No reader may be inside; everything retired is released. */
void pt_epoch_done(pt_epoch *e);

/* Returns a slot to give to pt_epoch_exit. */
unsigned pt_epoch_enter(pt_epoch *e);
void pt_epoch_exit(pt_epoch *e, unsigned slot);

/* `r` is no longer reachable for readers that enter from now on. May be called inside an epoch; it
 * takes a lock but waits for nobody. */
void pt_epoch_retire(pt_epoch *e, pt_retired *r, void (*release)(pt_retired *));
/* Releases what nobody can see any more; cheap when there is nothing. Not from inside an epoch. */
void pt_epoch_collect(pt_epoch *e);

/* For those that keep their own lists (the cache): unlink, take the old epoch from
 * pt_epoch_advance, and reuse once pt_epoch_passed of it is true. Neither locks nor waits. */
uint64_t pt_epoch_advance(pt_epoch *e);            /* a new epoch; returns the old one */
bool pt_epoch_passed(pt_epoch *e, uint64_t epoch); /* no reader of `epoch` or older is inside */

#endif
