/* SPDX-License-Identifier: MIT */
/*
 * switch.h - a new memtable takes the place of the active one, which becomes immutable and waits
 * for its flush (LevelDB: MakeRoomForWrite). Callers hold commit_mu, so that the active memtable
 * does not change meanwhile.
 */
#ifndef PT_STATE_SWITCH_H
#define PT_STATE_SWITCH_H

#include "state/store.h"

/* What a switch needs, so that nothing can fail once it has begun. */
typedef struct pt_switch {
    pt_view *next;
    pt_mem *fresh; /* the next active memtable; a reference */
} pt_switch;

/* Either pt_switch_run or pt_switch_drop follows, and takes what is in it. */
peat_rc pt_switch_init(pt_store *s, pt_switch *w) PT_MUST_USE;
void pt_switch_drop(pt_switch *w);
/* `side` is newer than the active one and becomes immutable with it; may be NULL. The caller keeps
 * its reference on it. */
void pt_switch_run(pt_store *s, pt_switch *w, pt_mem *side);
/* Init and run in one. */
peat_rc pt_switch_memtable(pt_store *s) PT_MUST_USE;

/* The memory budget is the last brake: gives up commit_mu and waits until no more than so many are
 * immutable. Whatever it returns, commit_mu is held again, and anything may have changed. */
peat_rc pt_switch_wait(pt_store *s, size_t immutables_max) PT_MUST_USE;

/* For callers without commit_mu. */

/* Switches when the active memtable holds anything. PEAT_TIMEOUT when that would have to wait for a
 * flush and may not: the thread that flushes must not wait for itself. */
peat_rc pt_switch_rotate(pt_store *s, bool may_wait) PT_MUST_USE;
/* Everything that is in memory now becomes tables: returns when it is in them. */
peat_rc pt_switch_flush(pt_store *s) PT_MUST_USE;

/* How many wait for their flush. */
size_t pt_switch_immutable_count(pt_store *s);
/* The segment that a new memtable's records begin in; 0 without a log. */
uint64_t pt_switch_log_serial(pt_store *s);

#endif
