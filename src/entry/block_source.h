/* SPDX-License-Identifier: MIT */
/*
 * block_source.h - how a table reader sees its blocks: decoded, verified bytes, either resident (a
 * load away, under an epoch) or fetched (blocking, pinned). The cache implements it, and so does
 * the streaming reader that merges use; the table reader knows neither.
 *
 * Resident blocks live in frames of a slab: frame f of the slab is at slab + f * PT_FRAME_UNIT;
 * frame number 0 means "not resident". A large block (own heap memory) is never resident.
 */
#ifndef PT_ENTRY_BLOCK_SOURCE_H
#define PT_ENTRY_BLOCK_SOURCE_H

#include "base/base.h"

#define PT_FRAME_UNIT 4096u

typedef struct pt_block_ref {
    const uint8_t *data; /* decoded block */
    size_t size;
    void *pin; /* the source's own; NULL when there is nothing to give back */
} pt_block_ref;

/* How the block is wanted. */
typedef enum pt_fetch_hint {
    PT_FETCH_POINT, /* keep it: somebody asked for one key */
    PT_FETCH_SCAN,  /* insert without credit: goes first */
    PT_FETCH_ONCE,  /* do not keep */
} pt_fetch_hint;

typedef struct pt_block_source pt_block_source;
struct pt_block_source {
    _Atomic uint32_t *frame; /* one per block; NULL: nothing is ever resident. Number 1 begins a
                                cache line: those of blocks 8 n + 1 to 8 n + 8 lie in one */
    _Atomic uint8_t *used;   /* CLOCK counters, one per slab frame */
    const uint8_t *slab;
    uint32_t block_count;
    /* Blocking; may do I/O, so never inside an epoch. The ref holds until released. */
    peat_rc (*fetch)(pt_block_source *source, uint32_t block, pt_fetch_hint hint,
                     pt_block_ref *ret_block);
    void (*release)(pt_block_source *source, pt_block_ref *block);
    /* The same for a block that is resident, without I/O or a wait, also inside an epoch. False: it
     * is not. No such call: nothing is. */
    bool (*pin)(pt_block_source *source, uint32_t block, pt_block_ref *ret_block);
    /* The block will be fetched soon: asks the processor for what the fetch takes, and says where
     * the block lies, for no more than a prefetch. NULL: it is not resident. No such call: nothing
     * is. */
    const uint8_t *(*prefetch)(pt_block_source *source, uint32_t block);
};

/* A plain hint for CLOCK: written only when it changes, so that hot lines stay shared. */
static inline void pt_block_source_touch(const pt_block_source *source, uint32_t frame)
{
    if (atomic_load_explicit(&source->used[frame], memory_order_relaxed) == 0)
        atomic_store_explicit(&source->used[frame], 1, memory_order_relaxed);
}

/* Where the block is, if it is in memory; 0: it is not. Only inside an epoch, valid until it is
 * left. Who uses the block touches the frame. */
static inline uint32_t pt_block_source_frame(const pt_block_source *source, uint32_t block)
{
    PT_DCHECK(block < source->block_count, "a block of this table");
    if (source->frame == NULL)
        return 0;
    /* acquire: pairs with the release that published the frame after it was filled */
    return atomic_load_explicit(&source->frame[block], memory_order_acquire);
}

static inline const uint8_t *pt_block_source_data(const pt_block_source *source, uint32_t frame)
{
    return source->slab + (size_t)frame * PT_FRAME_UNIT;
}

/* The block's bytes if they are in memory. Only inside an epoch, valid until it is left. */
static inline const uint8_t *pt_block_peek(const pt_block_source *source, uint32_t block)
{
    uint32_t f = pt_block_source_frame(source, block);
    if (f == 0)
        return NULL;
    pt_block_source_touch(source, f);
    return pt_block_source_data(source, f);
}

#endif
