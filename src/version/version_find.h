/* SPDX-License-Identifier: MIT */
/*
 * version_find.h - a point lookup through the layers of one partition, newest first, that stops
 * where it would need I/O and goes on from there.
 *
 *   pt_lookup_begin(&l, key, hash, seq_max);
 *   inside an epoch:   while ((f = pt_lookup_step(&l, version)) == needs something)
 *   outside, with a reference on the version:   pt_lookup_fetch(&l);
 *   at the end:        pt_lookup_done(&l);
 */
#ifndef PT_VERSION_VERSION_FIND_H
#define PT_VERSION_VERSION_FIND_H

#include "table/table_probe.h"
#include "version/version.h"

typedef struct pt_lookup {
    pt_slice key; /* internal */
    uint64_t hash;
    uint64_t seq_max;
    /* where it stands: layers passed so far, and what it waits for */
    size_t layer;
    bool prefetched;
    pt_table_ref *table_ref; /* borrowed from the version */
    pt_find_result found;
    pt_find need;
    pt_block_ref held; /* data NULL: nothing is held */
    uint32_t held_block;
    pt_table_ref *held_table;
    pt_fetch_hint hint;
    unsigned checks, skips; /* upper runs asked, upper runs a filter answered for */
} pt_lookup;

static inline void pt_lookup_begin(pt_lookup *l, pt_slice key, uint64_t hash, uint64_t seq_max)
{
    l->key = key;
    l->hash = hash;
    l->seq_max = seq_max;
    l->layer = 0;
    l->prefetched = false;
    l->held = (pt_block_ref){0};
    l->held_table = NULL;
    l->hint = PT_FETCH_POINT;
    l->checks = l->skips = 0;
}

/* PT_FIND_FOUND: l->found.entry (a tombstone is an entry) in a resident block, valid inside the
 * epoch, or in the held one, valid until pt_lookup_done. The version must be the same at every
 * step. */
pt_find pt_lookup_step(pt_lookup *l, const pt_version *v);
/* The same as a probe (entry/probe.h): the lookup stands afterwards where a step that reads may go
 * on. */
typedef struct pt_lookup_probe {
    const pt_partition *partition;
    pt_table_probe table;
    bool in_table; /* else it waits for the filters of the upper runs */
} pt_lookup_probe;
pt_probe_state pt_lookup_probe_begin(pt_lookup *l, const pt_version *v, pt_lookup_probe *p);
/* Where it goes on when the table has not got the key, or the filters have come. */
pt_probe_state pt_lookup_probe_next(pt_lookup *l, pt_lookup_probe *p);
static inline pt_probe_state pt_lookup_probe_step(pt_lookup *l, pt_lookup_probe *p)
{
    pt_probe_state s = PT_PROBE_ABSENT;
    if (PT_LIKELY(p->in_table))
        s = pt_table_probe_step(&p->table, l->key, l->hash, l->seq_max, &l->found);
    return PT_LIKELY(s != PT_PROBE_ABSENT) ? s : pt_lookup_probe_next(l, p);
}

/* Gets what the last step needed. Blocking; outside the epoch; the version is referenced. */
peat_rc pt_lookup_fetch(pt_lookup *l) PT_MUST_USE;

/* What pt_lookup_fetch does for a block, in halves, for who brings the bytes itself (cache.h): the
 * states and codes are those of pt_cache_fill_begin and _poll. READY: the next step has the block.
 * LEADS: the extent that `found` names is to be read, and supplied. */
peat_rc pt_lookup_fill_begin(pt_lookup *l, pt_cache_fill *ret_fill) PT_MUST_USE;
/* The same for who has the extent already, and may not wait: never WAITS. */
peat_rc pt_lookup_fill_late(pt_lookup *l, pt_cache_fill *ret_fill) PT_MUST_USE;
peat_rc pt_lookup_fill_poll(pt_lookup *l, pt_cache_fill *fill) PT_MUST_USE;
/* As poll, but not before it is no longer to be waited for. */
peat_rc pt_lookup_fill_wait(pt_lookup *l, pt_cache_fill *fill) PT_MUST_USE;
/* The extent's bytes, or rc for why there are none. Returns what came of it: all who wait get the
 * same. */
peat_rc pt_lookup_fill_supply(pt_lookup *l, pt_cache_fill *fill, peat_rc rc,
                              pt_slice extent) PT_MUST_USE;
/* The same, read here. Blocking. */
peat_rc pt_lookup_fill_read(pt_lookup *l, pt_cache_fill *fill) PT_MUST_USE;
void pt_lookup_fill_abandon(pt_lookup *l, pt_cache_fill *fill);

/* Lets go of the block that is held, if one is. */
void pt_lookup_done(pt_lookup *l);

#endif
