/* SPDX-License-Identifier: MIT */
/*
 * pool.h - mappings of memtables that died, kept for the next ones. The kernel gives memory out
 * zeroed and a page at a time; for a memtable filled in a tenth of a second that is a fifth of
 * the time of a put. Only mappings of the store's usual capacity are kept. Thread-safe.
 */
#ifndef PT_MEM_POOL_H
#define PT_MEM_POOL_H

#include "base/sync.h"
#include "env/env.h"

/* Memtables in use and mappings kept together, which is the budget's share: one active, two to be
 * flushed. More are in use at times, and none is kept then. */
#define PT_POOL_MAPPINGS 3u
/* Below a huge page little is saved, and stores that small count every page. */
#define PT_POOL_CAPACITY_MIN ((size_t)2 << 20)

typedef struct pt_memtable_pool {
    const pt_env *env;
    size_t capacity;
    pt_mutex mu;
    size_t in_use; /* guarded by mu, of this capacity; so are the next two */
    void *kept[PT_POOL_MAPPINGS];
    size_t count;
} pt_memtable_pool;

void pt_memtable_pool_init(pt_memtable_pool *pool, const pt_env *env, size_t capacity);
void pt_memtable_pool_done(pt_memtable_pool *pool);
/* NULL: no memory. *ret_used: it was one's before, so it is not zero. */
void *pt_memtable_pool_take(pt_memtable_pool *pool, size_t capacity, bool *ret_used);
void pt_memtable_pool_give(pt_memtable_pool *pool, void *mapping, size_t capacity);
/* What is kept goes back to the system. */
void pt_memtable_pool_trim(pt_memtable_pool *pool);
/* Bytes kept. */
size_t pt_memtable_pool_bytes(pt_memtable_pool *pool);

#endif
