/* SPDX-License-Identifier: MIT */
/*
 * view.h - what a reader sees: the active memtable, the immutable ones, a version of the tables. A
 * view is immutable; one pointer of the store names the present one (store.h), replaced by
 * pt_store_publish_view and by nothing else.
 *
 * Point reads use it under an epoch; whatever lasts longer takes a reference. It is what RocksDB
 * calls a SuperVersion.
 *
 * A pt_memtable (mem/) holds entries; a pt_mem is one in its place: counted, between a first and a
 * last sequence, with its part of the log.
 */
#ifndef PT_STATE_VIEW_H
#define PT_STATE_VIEW_H

#include "base/epoch.h"
#include "mem/memtable.h"
#include "version/version.h"

/* What memtables are made of and counted by. */
typedef struct pt_mem_home {
    const pt_env *env;
    pt_memtable_pool pool;
    _Atomic uint64_t left_bytes; /* of those that were flushed and are still held by readers */
} pt_mem_home;

/* A memtable and its place in the order of writing. */
typedef struct pt_mem {
    atomic_uint refs;
    pt_mem_home *home;
    pt_memtable *table;
    /* Its records lie in this segment or later ones. Changed under commit_mu and view_mu, while it
     * is empty; read under either. */
    uint64_t log_serial;
    uint64_t seq_first; /* fixed before it is in a view */
    uint64_t seq_last;  /* set when it becomes immutable (under commit_mu) */
    /* Committers that are still inserting; a flush waits for 0. Pairs: increment under commit_mu,
     * decrement (release) after the insert, acquire load by the flush. */
    _Atomic uint32_t writers;
    size_t left_bytes; /* its size when it left the present view, 0 before; set under view_mu */
} pt_mem;

/* Two are immutable in the steady state; recovery and large batches add their own. */
#define PT_VIEW_IMMUTABLES_MAX 24u

typedef struct pt_view {
    pt_retired retired;
    atomic_uint refs;
    const pt_env *env;
    pt_mem *active;
    pt_mem *immutables[PT_VIEW_IMMUTABLES_MAX]; /* newest first */
    size_t immutable_count;
    pt_version *version;
} pt_view;

peat_rc pt_mem_new(pt_mem_home *home, size_t capacity, uint64_t seq_first, uint64_t log_serial,
                   pt_mem **ret_mem) PT_MUST_USE;
static inline pt_mem *pt_mem_ref(pt_mem *m)
{
    PT_DCHECK(atomic_load(&m->refs) != 0, "who takes a reference has one");
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}
void pt_mem_unref(pt_mem *m);
/* The present view has it no longer: what readers still hold of it is counted. */
void pt_mem_leave(pt_mem *m);
/* Adds the operations of a batch, the first at first_seq. They were made by this library or
 * verified at recovery, and room for them is reserved. */
void pt_mem_insert(pt_mem *m, pt_slice payload, uint64_t first_seq);

/* Room for a view; filled by pt_view_fill, which cannot fail. */
pt_view *pt_view_alloc(const pt_env *env);
void pt_view_discard(pt_view *unfilled);
/* Takes references of its own; the caller has the first one on the view. `active` is NULL only in a
 * view that a reader keeps for itself, when the active memtable was empty. */
void pt_view_fill(pt_view *v, pt_mem *active, pt_mem *const *immutables, size_t immutable_count,
                  pt_version *version);
bool pt_view_has(const pt_view *v, const pt_mem *m);
/* Every sequence before this one is in the view's version. The view has an active memtable. */
static inline uint64_t pt_view_seq_first(const pt_view *v)
{
    return v->immutable_count != 0 ? v->immutables[v->immutable_count - 1]->seq_first
                                   : v->active->seq_first;
}
static inline pt_view *pt_view_ref(pt_view *v)
{
    PT_DCHECK(atomic_load(&v->refs) != 0, "I19: who takes a reference has one, or is in an epoch");
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    return v;
}
void pt_view_unref(pt_view *v);

#endif
