/* SPDX-License-Identifier: MIT */
/*
 * versions.h - the versions of one key in a memtable.
 *
 * The first version of a key that arrives stands in the tree, for good. Each later arrival gets a
 * node (pt_later); the nodes of a key form a list, newest first, which begins at the link of the
 * record in the tree. That record takes its own place among them by its sequence. So a put of a new
 * key costs one record and no list, and an overwrite is a node and one compare-and-swap.
 *
 * A node also names one further down, its `jump`: the skew-binary scheme of Myers' "An
 * applicative random-access stack" (1983), by which the list is searched in at most some 3 log2(n)
 * looks. The jump is chosen from the node behind at the time of the insertion and never changes. It
 * is right for ever, since the list only grows: a jump leads to an older version. Versions that
 * arrive late, out of the order of their sequences, are put in where they belong; each one that
 * lies on a search's way makes it a step longer. They are as many as there are writers at once,
 * or, beside a batch that writes one key often, a run of them, with jumps of its own.
 *
 * Published nodes and records do not change, but for `next` and the link in the tree.
 */
#ifndef PT_MEM_VERSIONS_H
#define PT_MEM_VERSIONS_H

#include "mem/arena.h"

typedef struct pt_later {
    uint32_t record;
    _Atomic uint32_t next; /* node of the next older of the later arrivals, or 0 */
    uint32_t jump;         /* an older node, or 0: behind the last */
    uint32_t depth;        /* nodes behind it when it was put in, and itself; 0 is the end's */
} pt_later;

_Static_assert(sizeof(pt_later) == PT_LATER_BYTES, "arena.h counts it");

static inline pt_later *pt_later_at(const pt_arena *a, uint32_t node)
{
    return (pt_later *)pt_arena_at(a, node);
}

static inline uint32_t pt_later_next(const pt_later *l)
{
    /* acquire: pairs with the compare-and-swap in pt_versions_add */
    return atomic_load_explicit(&l->next, memory_order_acquire);
}

static inline const pt_record *pt_later_record(const pt_arena *a, uint32_t node)
{
    return pt_record_at(a, pt_later_at(a, node)->record);
}

static inline bool pt_later_is_newer(const pt_arena *a, uint32_t node, uint64_t seq,
                                     uint32_t *io_looks)
{
    *io_looks += node != 0 ? 1 : 0;
    return node != 0 && pt_record_seq(pt_later_record(a, node)) > seq;
}

/* Of the list from `first` on the last node whose version is newer than `seq`, or 0. *io_looks
 * grows by the versions looked at. */
static inline uint32_t pt_versions_last_newer(const pt_arena *a, uint32_t first, uint64_t seq,
                                              uint32_t *io_looks)
{
    uint32_t newer = 0, at = first;
    bool is_newer = pt_later_is_newer(a, at, seq, io_looks);
    while (is_newer) {
        const pt_later *l = pt_later_at(a, at);
        newer = at;
        at = l->jump;
        is_newer = pt_later_is_newer(a, at, seq, io_looks);
        uint32_t next = pt_later_next(l);
        if (!is_newer && next != at) {
            at = next;
            is_newer = pt_later_is_newer(a, at, seq, io_looks);
        }
    }
    return newer;
}

/* The newest version with a sequence of `seq_max` at the most, or NULL. */
static inline const pt_record *pt_versions_visible(const pt_arena *a, const pt_record *in_tree,
                                                   uint64_t seq_max, uint32_t *io_looks)
{
    uint64_t own = pt_record_seq(in_tree);
    uint32_t at = pt_record_link(in_tree);
    if (PT_UNLIKELY(at != 0)) {
        uint32_t newer = pt_versions_last_newer(a, at, seq_max, io_looks);
        at = newer != 0 ? pt_later_next(pt_later_at(a, newer)) : at;
        /* what came in behind `newer` meanwhile is newer than all that this reader may see */
        while (at != 0 && pt_record_seq(pt_later_record(a, at)) > seq_max)
            at = pt_later_next(pt_later_at(a, at));
    }
    const pt_record *found = at != 0 ? pt_later_record(a, at) : NULL;
    bool own_is_it = own <= seq_max && (found == NULL || own > pt_record_seq(found));
    return own_is_it ? in_tree : found;
}

/* Puts a complete record, which nobody has seen yet, among the versions of the key that `in_tree`
 * stands for. */
void pt_versions_add(pt_arena *a, pt_record *in_tree, uint32_t record);

/* All versions of a key in turn. The last two return NULL behind the end. */
const pt_record *pt_versions_newest(const pt_arena *a, const pt_record *in_tree);
const pt_record *pt_versions_oldest(const pt_arena *a, const pt_record *in_tree);
const pt_record *pt_versions_older(const pt_arena *a, const pt_record *in_tree, const pt_record *r);
const pt_record *pt_versions_newer(const pt_arena *a, const pt_record *in_tree, const pt_record *r);

#endif
