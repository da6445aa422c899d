/* SPDX-License-Identifier: MIT */
/*
 * arena.h - one mapping that records fill from below and tree nodes from above, and the promise
 * that they never meet. Offsets count 8 bytes from its start; 0 is "none".
 *
 * Promise: an entry is counted at its worst before it is added, by either of two rules.
 *   static   entries promised so far, each at its worst record and its worst share of nodes, fit.
 *            The share follows from nodes never being less than half full, but for the right edge.
 *   exact    what is allocated now, plus the worst record of every entry promised and not yet
 *            added, plus one full path of splits for each of them, fits.
 * The static rule needs one compare-and-swap; the exact one sums the counters below and serves the
 * last part of the arena, which the static rule's pessimism would leave empty. Either rule, once
 * satisfied for all that is promised, stays satisfied while those entries are added, and when the
 * promise of others is taken back.
 */
#ifndef PT_MEM_ARENA_H
#define PT_MEM_ARENA_H

#include "env/env.h"
#include "mem/record.h"

#define PT_ARENA_UNIT 8u
/* promised counts bytes in 35 bits: twice the capacity, because the static worst case of what fits
 * exactly may be that much */
#define PT_ARENA_BYTES_MAX ((uint64_t)16 << 30)

/* Sizes of tree nodes, and how full they are at least; tree.h asserts them. */
#define PT_LEAF_BYTES      1024u
#define PT_LEAF_FILL_MIN   41u /* entries */
#define PT_INNER_BYTES     1024u
#define PT_INNER_FILL_MIN  31u /* children */
#define PT_TREE_LEVELS_MAX 8u  /* above the leaves; 31^6 leaves are more than the arena holds */

/* The node of a version that is not the first of its key (versions.h). Such an entry takes no slot
 * in the tree: its node is counted in the place of its share of the tree's. */
#define PT_LATER_BYTES 16u

#define PT_ARENA_SHARDS 8u /* writers that count at once without sharing a cache line */

/* Added so far. A writer claims a shard with one exchange and then needs no other. */
typedef struct pt_arena_shard {
    _Atomic uint32_t claimed;
    _Atomic uint32_t entries; /* this and the rest: written by who claimed it */
    _Atomic uint32_t tombstones;
    uint32_t unused1;
    _Atomic uint64_t key_bytes;
    _Atomic uint64_t value_bytes;
    uint64_t unused2[4]; /* one cache line each */
} pt_arena_shard;

typedef struct pt_arena {
    const pt_env *env; /* fixed after init, down to node_top */
    uint8_t *base;
    size_t capacity;
    size_t overhead; /* head, and nodes beyond the entries' share */
    size_t node_top; /* nodes end here */
    bool used;       /* the mapping was another memtable's: its bytes are not zero */
    uint64_t unused1[2];
    /* One cache line, since every put needs both words, one soon after the other. */
    _Atomic uint64_t tail;       /* units of records handed out */
    _Atomic uint64_t promised;   /* bytes, and entries from bit 35; what was added stays in */
    _Atomic uint64_t node_bytes; /* written under the tree's mutex */
    uint64_t unused2[5];
    pt_arena_shard shards[PT_ARENA_SHARDS];
} pt_arena;

/* `head_bytes` at the start of the mapping are the caller's. */
void pt_arena_init(pt_arena *a, const pt_env *env, void *base, size_t capacity, size_t head_bytes);
size_t pt_arena_capacity_for(uint64_t count, uint64_t key_bytes, uint64_t value_bytes,
                             size_t head_bytes);
bool pt_arena_reserve(pt_arena *a, uint64_t count, uint64_t key_bytes, uint64_t value_bytes);
/* The same entries, as they were reserved, and none of them was added. */
void pt_arena_unreserve(pt_arena *a, uint64_t count, uint64_t key_bytes, uint64_t value_bytes);
/* The entry is in the tree with all the nodes that took. */
void pt_arena_added(pt_arena *a, const pt_entry *entry);
/* An offset; the bytes are zero. Under the tree's mutex. */
uint32_t pt_arena_node(pt_arena *a, size_t bytes);

/* What was touched between records and nodes goes back to the system. Nothing is reserved that is
 * not in the tree, and nobody reserves meanwhile. */
void pt_arena_trim(pt_arena *a);

typedef struct pt_arena_sums {
    uint64_t entries, tombstones, key_bytes, value_bytes;
} pt_arena_sums;
pt_arena_sums pt_arena_sum(const pt_arena *a);
/* Allocated and promised. */
size_t pt_arena_used(const pt_arena *a);

static inline void *pt_arena_at(const pt_arena *a, uint32_t offset)
{
    PT_DCHECK((size_t)offset * PT_ARENA_UNIT < a->capacity, "an offset leads into the arena");
    return a->base + (size_t)offset * PT_ARENA_UNIT;
}

static inline pt_record *pt_record_at(const pt_arena *a, uint32_t offset)
{
    return (pt_record *)pt_arena_at(a, offset);
}

/* Room for a record; reserved before. */
static inline uint32_t pt_arena_record(pt_arena *a, size_t bytes)
{
    uint64_t units = pt_round_up(bytes, PT_ARENA_UNIT) / PT_ARENA_UNIT;
    /* relaxed: publishes nothing, the record's owner does */
    uint64_t at = atomic_fetch_add_explicit(&a->tail, units, memory_order_relaxed);
    PT_ASSERT((at + units) * PT_ARENA_UNIT <= a->node_top,
              "I13: what is promised fits: records and nodes never meet");
    return (uint32_t)at;
}

#endif
