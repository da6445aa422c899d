/* SPDX-License-Identifier: MIT */
/*
 * blocks.h - made-up tables for the cache's tests: every block says on each of its words which
 * table and block it is, so that a stale, mixed or torn block is seen.
 */
#ifndef TEST_CACHE_BLOCKS_H
#define TEST_CACHE_BLOCKS_H

#include "cache/cache.h"
#include "world/random.h"
#include "world/sim.h"

typedef struct fake_table {
    uint32_t id;
    uint32_t block_count;
    size_t frame_bytes;
    bool some_large; /* one block in eight is larger than a frame */
    pt_block_source *source;
    atomic_uint loads;
    atomic_int fail; /* peat_rc of every load, PEAT_OK: none */
    void (*before_load)(struct fake_table *t);
    void *arg;
} fake_table;

static inline uint64_t fake_word(const fake_table *t, uint32_t block, size_t i)
{
    uint64_t x = ((uint64_t)t->id << 40 | (uint64_t)block << 12 | i) * 0x9e3779b97f4a7c15ULL;
    return x ^ x >> 29;
}

static inline size_t fake_size(void *ctx, uint32_t block)
{
    const fake_table *t = ctx;
    if (t->some_large && block % 8 == 7)
        return t->frame_bytes + 8 + block % 100 * 8;
    return t->frame_bytes - block % 100 * 8;
}

static inline peat_rc fake_load(void *ctx, uint32_t block, uint8_t *dst, size_t dst_size,
                                size_t *ret_size)
{
    fake_table *t = ctx;
    atomic_fetch_add(&t->loads, 1);
    if (t->before_load != NULL)
        t->before_load(t);
    size_t size = fake_size(t, block);
    PT_ASSERT(dst_size >= size, "the block fits");
    peat_rc rc = (peat_rc)atomic_load(&t->fail);
    for (size_t i = 0; i < size / 8; i++) {
        uint64_t word = rc == PEAT_OK ? fake_word(t, block, i) : 0xbadbadbadbadbadULL;
        memcpy(dst + i * 8, &word, 8);
    }
    *ret_size = size;
    return rc;
}

/* Whether these are the bytes of that block. */
static inline bool fake_is(const fake_table *t, uint32_t block, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size / 8; i++) {
        uint64_t word;
        memcpy(&word, data + i * 8, 8);
        if (word != fake_word(t, block, i))
            return false;
    }
    return true;
}

static inline bool fake_ref_is(fake_table *t, uint32_t block, const pt_block_ref *ref)
{
    return ref->size == fake_size(t, block) && fake_is(t, block, ref->data, ref->size);
}

static inline peat_rc fake_attach(pt_cache *c, fake_table *t)
{
    pt_cache_loader loader = {.ctx = t, .size = fake_size, .load = fake_load};
    return pt_cache_attach(c, t->block_count, t->frame_bytes, loader, &t->source);
}

static inline peat_rc fake_fetch(fake_table *t, uint32_t block, pt_fetch_hint hint,
                                 pt_block_ref *ret_ref)
{
    return t->source->fetch(t->source, block, hint, ret_ref);
}

static inline void fake_release(fake_table *t, pt_block_ref *ref)
{
    t->source->release(t->source, ref);
}

#endif
