/* SPDX-License-Identifier: MIT */
/*
 * iter.h - the iterator contract (pt_iter): how memtables, tables, runs and merges of them are
 * walked. An implementation embeds pt_iter first and sets `at` on every successful move.
 *
 * Moves return PEAT_OK (on an entry), PEAT_END (before the first or behind the last), or an error;
 * after anything but PEAT_OK only first, last, seek, seek_for_prev and done may be called. `at`
 * stays valid until the next move; the key of a seek must not lie in the iterator's own memory
 * (copy `at.key` before seeking to it). All versions of a key are seen: forward newest first,
 * backward oldest first. One thread at a time.
 */
#ifndef PT_ENTRY_ITER_H
#define PT_ENTRY_ITER_H

#include "entry/columns.h"
#include "entry/entry.h"

typedef struct pt_iter pt_iter;

typedef struct pt_iter_ops {
    peat_rc (*last)(pt_iter *it);
    peat_rc (*seek)(pt_iter *it, pt_slice key);          /* first entry whose key is >= key */
    peat_rc (*seek_for_prev)(pt_iter *it, pt_slice key); /* last entry whose key is <= key */
    peat_rc (*next)(pt_iter *it);
    peat_rc (*prev)(pt_iter *it);
    void (*done)(pt_iter *it); /* frees the iterator itself where it came from a _new */
    /* NULL where there are no blocks. From an entry: true, if its block has columns; the caller
     * will look at `n` of them, the current one first, forward or back. */
    bool (*columns)(pt_iter *it, bool back, uint32_t n, pt_columns *ret_columns);
    /* To entry i of these columns, within [lo, hi). */
    void (*go)(pt_iter *it, uint32_t i);
} pt_iter_ops;

#define PT_ITER_GROUP 8u

/* Neighbours of one block that were made together; `entries[at]` is the current entry. Their memory
 * stays until a move that leaves the group, that of the values until one that leaves the block. */
typedef struct pt_iter_group {
    uint32_t at, count;
    bool more_before, more_behind; /* the block goes on, and moves there do no I/O */
    pt_entry entries[PT_ITER_GROUP];
} pt_iter_group;

struct pt_iter {
    const pt_iter_ops *ops;
    pt_entry at;
    /* NULL, or: whoever owns the iterator may move inside the group by setting group->at, which
     * costs no call. `at` then lags behind until the next move. */
    pt_iter_group *group;
};

/* Copies word by word. The one below has just written these words one by one; a wider load of two
 * of them waits until both have reached the cache (no store forwarding), which costs more than all
 * the rest of a step (doc/decisions/005-merge.md). The fences are for the compiler only, against
 * pairing; no instruction. */
static inline void pt_slice_copy(pt_slice *to, const pt_slice *from)
{
    to->data = from->data;
    atomic_signal_fence(memory_order_seq_cst);
    to->size = from->size;
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void pt_entry_copy(pt_entry *to, const pt_entry *from)
{
    pt_slice_copy(&to->key, &from->key);
    pt_slice_copy(&to->value, &from->value);
    to->seq = from->seq;
    atomic_signal_fence(memory_order_seq_cst);
    to->kind = from->kind;
}

/* The current entry, also after moves inside the group. */
static inline const pt_entry *pt_iter_entry(const pt_iter *it)
{
    PT_DCHECK(it->group == NULL || it->group->at < it->group->count, "it stands in its group");
    return it->group != NULL ? &it->group->entries[it->group->at] : &it->at;
}

/* A step leaves the current value's memory in place, as far as that is known. */
static inline bool pt_iter_value_stays(const pt_iter *it, bool back)
{
    const pt_iter_group *g = it->group;
    return g != NULL &&
           (back ? g->at > 0 || g->more_before : g->at + 1 < g->count || g->more_behind);
}

static inline peat_rc pt_iter_first(pt_iter *it)
{
    return it->ops->seek(it, pt_slice_of("", 0));
}

static inline peat_rc pt_iter_last(pt_iter *it)
{
    return it->ops->last(it);
}

static inline peat_rc pt_iter_seek(pt_iter *it, pt_slice key)
{
    return it->ops->seek(it, key);
}

static inline peat_rc pt_iter_seek_for_prev(pt_iter *it, pt_slice key)
{
    return it->ops->seek_for_prev(it, key);
}

static inline peat_rc pt_iter_next(pt_iter *it)
{
    return it->ops->next(it);
}

static inline peat_rc pt_iter_prev(pt_iter *it)
{
    return it->ops->prev(it);
}

static inline bool pt_iter_columns(pt_iter *it, bool back, uint32_t n, pt_columns *ret_columns)
{
    return it->ops->columns != NULL && it->ops->columns(it, back, n, ret_columns);
}

static inline void pt_iter_done(pt_iter *it)
{
    if (it != NULL)
        it->ops->done(it);
}

#endif
