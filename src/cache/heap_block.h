/* SPDX-License-Identifier: MIT */
/*
 * heap_block.h - a block in heap memory of its own: one too large for a frame, or any when no frame
 * can be had. Counted references; the last one frees it.
 */
#ifndef PT_CACHE_HEAP_BLOCK_H
#define PT_CACHE_HEAP_BLOCK_H

#include "env/env.h"

#include <stdatomic.h>

/* All of a cache. */
typedef struct pt_heap_blocks {
    const pt_env *env;
    _Atomic uint64_t bytes;
} pt_heap_blocks;

typedef struct pt_heap_block {
    _Atomic uint32_t refs;
    size_t bytes; /* counted */
    _Alignas(16) uint8_t data[];
} pt_heap_block;

/* One reference; NULL: no memory. */
static inline pt_heap_block *pt_heap_block_new(pt_heap_blocks *all, size_t size)
{
    size_t bytes = sizeof(pt_heap_block) + size;
    pt_heap_block *b = pt_alloc(all->env, bytes);
    if (b == NULL)
        return NULL;
    atomic_init(&b->refs, 1);
    b->bytes = bytes;
    atomic_fetch_add_explicit(&all->bytes, bytes, memory_order_relaxed);
    return b;
}

static inline void pt_heap_block_unref(pt_heap_blocks *all, pt_heap_block *b)
{
    PT_DCHECK(atomic_load(&b->refs) != 0, "a reference is given back once");
    /* acq_rel: everyone's reads come before the memory goes */
    if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    atomic_fetch_sub_explicit(&all->bytes, b->bytes, memory_order_relaxed);
    pt_free(all->env, b);
}

#endif
