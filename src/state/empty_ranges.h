/* SPDX-License-Identifier: MIT */
/*
 * empty_ranges.h - where a walk over rows that nobody sees any more led to, so that the next one
 * need not go there again: the head of a queue, the end of a stack, a prefix that was deleted.
 *
 * A range [lower, upper) of internal keys is remembered as a fact about history, which nothing that
 * happens later changes:
 *   EXACT    as of one sequence no key in it was to be seen: for readers at a snapshot of old
 *   KNOWN    the same as of its sequence and, since every put is watched from then on, of each
 *            later one so far. A put into it cuts it; deletes do not matter.
 *   PENDING  puts are watched since `since`, which came after the walk that found it empty: no fact
 *            yet. A walk at `since` or later that finds it empty makes it KNOWN.
 *
 * Watching begins under commit_mu, where sequences are given out; puts are looked at there too
 * (pt_empty_ranges_note), but only while anything is watched. Readers only try for that lock: who
 * does not get it remembers nothing this time. What no walk has used for a while is forgotten, so
 * that writers stop paying for it. No memory: a range is forgotten. Nothing here is ever needed.
 *
 * Lock: mu, a leaf below commit_mu.
 */
#ifndef PT_STATE_EMPTY_RANGES_H
#define PT_STATE_EMPTY_RANGES_H

#include "base/sync.h"
#include "env/env.h"

/* A queue needs three at a time: the last one, the one before for readers a little older, and one
 * that is pending. Each is two comparisons per put. */
#define PT_EMPTY_RANGES_MAX 16u

typedef enum pt_empty_range_state {
    PT_EMPTY_FREE,
    PT_EMPTY_EXACT,
    PT_EMPTY_PENDING,
    PT_EMPTY_KNOWN
} pt_empty_range_state;

typedef struct pt_empty_range {
    pt_empty_range_state state;
    bool covered;  /* a larger one is known; it goes when a second such becomes known */
    bool found;    /* a later walk has used it: such stay longer than what was never used */
    uint32_t cuts; /* since a walk used it */
    uint64_t seq;  /* EXACT, KNOWN; `since` while PENDING */
    uint64_t used; /* the turn of the walk that used it last */
    uint64_t puts; /* how many were seen by then */
    pt_bytes lower, upper;
} pt_empty_range;

typedef struct pt_empty_ranges {
    /* PENDING and KNOWN. Grows under commit_mu and mu, so that who holds commit_mu and reads 0 has
     * nothing to watch for. */
    _Atomic uint32_t watched;
    const pt_env *env;
    pt_mutex *order_mu;       /* of the order of writing */
    const uint64_t *seq_next; /* guarded by it */
    pt_mutex mu;              /* guards the rest */
    uint64_t turns;           /* uses so far: the clock of `used` */
    uint64_t puts;            /* seen so far, while anything was watched */
    pt_empty_range ranges[PT_EMPTY_RANGES_MAX];
} pt_empty_ranges;

/* order_mu: the lock of the order of writing, under which *seq_next is the next to be taken. */
void pt_empty_ranges_init(pt_empty_ranges *e, const pt_env *env, pt_mutex *order_mu,
                          const uint64_t *seq_next);
void pt_empty_ranges_done(pt_empty_ranges *e);

/* Is any range watched? Caller holds commit_mu. */
static inline bool pt_empty_ranges_watch(const pt_empty_ranges *e)
{
    return atomic_load_explicit(&e->watched, memory_order_relaxed) != 0;
}
/* The operations are about to get their sequences. Caller holds commit_mu. */
void pt_empty_ranges_note(pt_empty_ranges *e, pt_slice payload);

/* The range around `key` in which a reader as of `seq` sees nothing; of several the one that
 * reaches furthest in its direction. False: none is known. */
bool pt_empty_ranges_find(pt_empty_ranges *e, pt_slice key, uint64_t seq, bool back,
                          pt_bytes *ret_lower, pt_bytes *ret_upper);

/* A reader as of `seq` has found [lower, upper) empty. `old`: `seq` is a snapshot's, so that others
 * may read at it, too; once it is not the newest any more the range is kept for them alone (EXACT).
 */
void pt_empty_ranges_add(pt_empty_ranges *e, uint64_t seq, bool old, pt_slice lower,
                         pt_slice upper);

#endif
