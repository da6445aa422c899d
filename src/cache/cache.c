/* SPDX-License-Identifier: MIT */
/*
 * cache.c - see cache.h: tables' block sources over the frames, misses that are read once, and
 * blocks in heap memory (large ones, and any when no frame can be had).
 *
 * A miss is a "flight": the first thread to ask leads, reads and decodes without locks; others that
 * want the block meanwhile wait at the flight and are handed pinned references by the leader. A
 * flight and its waiters live on their threads' stacks.
 *
 * Lock order: shard.mu, then frames.mu. A shard's mu guards its flights and its counters.
 */
#include "cache/cache.h"

#include "cache/frames.h"
#include "cache/heap_block.h"

/* Flights are found by block; more shards than threads keep strangers apart. A power of two. */
#define SHARDS 16u

typedef struct source source;

typedef struct waiter {
    struct waiter *next;
    pt_block_ref ref;
    peat_rc rc;
    bool done;
} waiter;

typedef struct flight {
    struct flight *next;
    const source *source;
    uint32_t block;
    pt_fetch_hint hint; /* the keenest of all that want the block */
    waiter *waiters;
} flight;

typedef struct shard {
    pt_mutex mu;
    pt_cond landed;
    flight *flights;
    uint64_t misses;
    /* Counted without a lock and without a locked instruction: two threads that share a shard may
     * lose a hit of the statistics now and then. */
    _Atomic uint64_t hits;
    uint8_t pad[64];
} shard;

struct pt_cache {
    const pt_env *env;
    pt_epoch *epoch;
    pt_frames frames;
    shard shards[SHARDS];
    pt_heap_blocks heap;
    _Atomic uint64_t heap_fetches;
    _Atomic uint32_t attached;
};

struct source {
    pt_block_source base;
    pt_cache *cache;
    pt_block_loader loader;
    size_t frame_bytes;
    const pt_env *env; /* outlives the cache, which may be gone when the source is released */
    pt_retired retired;
    _Atomic uint32_t frame[];
};

/* ---- references ---- */

static bool in_slab(const pt_cache *c, const uint8_t *data)
{
    size_t bytes = (size_t)c->frames.slab.group_max * PT_GROUP_BYTES;
    return (uintptr_t)data - (uintptr_t)c->frames.slab.data < bytes;
}

static void ref_of_frame(const pt_cache *c, pt_frame *frame, pt_block_ref *ret_ref)
{
    uint32_t f = (uint32_t)(frame - c->frames.frame);
    ret_ref->data = pt_slab_data(&c->frames.slab, f);
    ret_ref->size = frame->size;
    ret_ref->pin = frame;
}

static void source_release(pt_block_source *base, pt_block_ref *block)
{
    pt_cache *c = PT_CONTAINER(base, source, base)->cache;
    if (block->pin == NULL)
        return;
    if (PT_LIKELY(in_slab(c, block->data)))
        pt_frame_unpin(block->pin);
    else
        pt_heap_block_unref(&c->heap, block->pin);
    *block = (pt_block_ref){0};
}

/* n more references for waiters; the caller holds one. */
static void ref_add(const pt_cache *c, const pt_block_ref *ref, uint32_t n)
{
    _Atomic uint32_t *count =
        in_slab(c, ref->data) ? &((pt_frame *)ref->pin)->pins : &((pt_heap_block *)ref->pin)->refs;
    atomic_fetch_add_explicit(count, n, memory_order_relaxed);
}

static shard *shard_of_thread(pt_cache *c)
{
    return &c->shards[(pt_thread_hint() >> 40) % SHARDS];
}

static void count_hit(pt_cache *c)
{
    _Atomic uint64_t *hits = &shard_of_thread(c)->hits;
    uint64_t n = atomic_load_explicit(hits, memory_order_relaxed);
    atomic_store_explicit(hits, n + 1, memory_order_relaxed);
}

/* The block if it is resident. Only points give credit. */
static bool fetch_resident(source *s, uint32_t block, pt_fetch_hint hint, pt_block_ref *ret_ref)
{
    pt_cache *c = s->cache;
    pt_frame *frame = pt_frame_pin(&c->frames, &s->frame[block]);
    if (frame == NULL)
        return false;
    ref_of_frame(c, frame, ret_ref);
    _Atomic uint8_t *used = &c->frames.used[frame - c->frames.frame];
    if (hint == PT_FETCH_POINT && atomic_load_explicit(used, memory_order_relaxed) == 0)
        atomic_store_explicit(used, 1, memory_order_relaxed);
    count_hit(c);
    return true;
}

/* ---- reading a block ---- */

static peat_rc load_to_heap(source *s, uint32_t block, size_t size, pt_block_ref *ret_ref)
{
    pt_cache *c = s->cache;
    pt_heap_block *b = pt_heap_block_new(&c->heap, size);
    if (b == NULL)
        return PEAT_NOMEM;
    size_t loaded = 0;
    peat_rc rc = s->loader.load(s->loader.ctx, block, b->data, size, &loaded);
    if (rc != PEAT_OK) {
        pt_heap_block_unref(&c->heap, b);
        return rc;
    }
    PT_ASSERT(loaded <= size);
    *ret_ref = (pt_block_ref){.data = b->data, .size = loaded, .pin = b};
    return PEAT_OK;
}

static peat_rc load_to_frame(source *s, uint32_t block, uint32_t f, pt_block_ref *ret_ref)
{
    pt_frames *fs = &s->cache->frames;
    size_t loaded = 0;
    peat_rc rc =
        s->loader.load(s->loader.ctx, block, pt_slab_data(&fs->slab, f), s->frame_bytes, &loaded);
    if (rc != PEAT_OK) {
        pt_frames_give_up(fs, f);
        return rc;
    }
    PT_ASSERT(loaded <= s->frame_bytes);
    fs->frame[f].size = (uint32_t)loaded;
    ref_of_frame(s->cache, &fs->frame[f], ret_ref);
    return PEAT_OK;
}

static peat_rc load(source *s, uint32_t block, pt_block_ref *ret_ref, uint32_t *ret_frame)
{
    size_t size = s->loader.size(s->loader.ctx, block);
    bool fits = size <= s->frame_bytes;
    uint32_t f = fits ? pt_frames_take(&s->cache->frames, s->frame_bytes > PT_FRAME_UNIT) : 0;
    *ret_frame = f;
    if (f != 0)
        return load_to_frame(s, block, f, ret_ref);
    if (fits)
        atomic_fetch_add_explicit(&s->cache->heap_fetches, 1, memory_order_relaxed);
    return load_to_heap(s, block, size, ret_ref);
}

/* ---- flights ---- */

static shard *shard_of_block(const source *s, uint32_t block)
{
    uint64_t h = ((uint64_t)(uintptr_t)s >> 4) + (uint64_t)block * 0x9e3779b97f4a7c15ULL;
    return &s->cache->shards[(h * 0x9e3779b97f4a7c15ULL >> 40) % SHARDS];
}

static flight *find_flight(const shard *sh, const source *s, uint32_t block)
{
    flight *fl = sh->flights;
    while (fl != NULL && (fl->source != s || fl->block != block))
        fl = fl->next;
    return fl;
}

static void remove_flight(shard *sh, const flight *fl)
{
    flight **at = &sh->flights;
    while (*at != fl)
        at = &(*at)->next;
    *at = fl->next;
}

/* Caller holds the shard's lock. */
static peat_rc join(shard *sh, flight *fl, pt_fetch_hint hint, pt_block_ref *ret_ref)
{
    waiter w = {.next = fl->waiters};
    fl->waiters = &w;
    if (hint < fl->hint)
        fl->hint = hint;
    while (!w.done)
        pt_cond_wait(&sh->landed, &sh->mu);
    if (w.rc == PEAT_OK)
        *ret_ref = w.ref;
    return w.rc;
}

/* Hands the result to everyone who waits. Caller holds the shard's lock; afterwards no waiter
 * looks at the flight again. */
static void land(shard *sh, source *s, flight *fl, peat_rc rc, const pt_block_ref *ref)
{
    uint32_t n = 0;
    remove_flight(sh, fl);
    for (waiter *w = fl->waiters; w != NULL; w = w->next, n++) {
        w->rc = rc;
        w->ref = *ref;
        w->done = true;
    }
    if (n == 0)
        return;
    if (rc == PEAT_OK) {
        ref_add(s->cache, ref, n);
        for (uint32_t i = 0; i < n; i++)
            count_hit(s->cache);
    }
    pt_cond_broadcast(&sh->landed);
}

static peat_rc lead(shard *sh, source *s, uint32_t block, flight *fl, pt_block_ref *ret_ref)
{
    uint32_t f = 0;
    pt_block_ref ref = {0};
    peat_rc rc = load(s, block, &ref, &f);
    pt_mutex_lock(&sh->mu);
    sh->misses++;
    /* Before the flight is gone: else a newcomer would find neither it nor the block. */
    if (rc == PEAT_OK && f != 0) {
        if (fl->hint == PT_FETCH_ONCE)
            pt_frames_hold(&s->cache->frames, f);
        else
            pt_frames_publish(&s->cache->frames, f, &s->frame[block], fl->hint == PT_FETCH_POINT);
    }
    land(sh, s, fl, rc, &ref);
    pt_mutex_unlock(&sh->mu);
    if (rc == PEAT_OK)
        *ret_ref = ref;
    return rc;
}

static peat_rc miss(source *s, uint32_t block, pt_fetch_hint hint, pt_block_ref *ret_ref)
{
    shard *sh = shard_of_block(s, block);
    pt_mutex_lock(&sh->mu);
    flight *found = find_flight(sh, s, block);
    if (found != NULL) {
        peat_rc rc = join(sh, found, hint, ret_ref);
        pt_mutex_unlock(&sh->mu);
        return rc;
    }
    if (fetch_resident(s, block, hint, ret_ref)) { /* landed since the caller looked */
        pt_mutex_unlock(&sh->mu);
        return PEAT_OK;
    }
    flight own = {.next = sh->flights, .source = s, .block = block, .hint = hint};
    sh->flights = &own;
    pt_mutex_unlock(&sh->mu);
    return lead(sh, s, block, &own, ret_ref);
}

static peat_rc source_fetch(pt_block_source *base, uint32_t block, pt_fetch_hint hint,
                            pt_block_ref *ret_block)
{
    source *s = PT_CONTAINER(base, source, base);
    PT_DCHECK(block < base->block_count);
    if (PT_LIKELY(fetch_resident(s, block, hint, ret_block)))
        return PEAT_OK;
    return miss(s, block, hint, ret_block);
}

/* What is looked at may be another block's by then: then it was for nothing. */
static const uint8_t *source_prefetch(pt_block_source *base, uint32_t block)
{
    source *s = PT_CONTAINER(base, source, base);
    const pt_frames *fs = &s->cache->frames;
    uint32_t f = 0;
    if (block < base->block_count)
        f = atomic_load_explicit(&s->frame[block], memory_order_relaxed);
    if (f == 0)
        return NULL;
    PT_PREFETCH(&fs->frame[f]);
    PT_PREFETCH(&fs->used[f]);
    return base->slab + (size_t)f * PT_FRAME_UNIT;
}

/* ---- tables come and go ---- */

peat_rc pt_cache_attach(pt_cache *c, uint32_t block_count, size_t frame_bytes,
                        pt_block_loader loader, pt_block_source **ret_source)
{
    PT_ASSERT(frame_bytes == PT_FRAME_UNIT || frame_bytes == PT_GROUP_BYTES);
    source *s = pt_alloc_zero(c->env, sizeof *s + block_count * sizeof s->frame[0]);
    if (s == NULL)
        return PEAT_NOMEM;
    s->base = (pt_block_source){.frame = s->frame,
                                .used = c->frames.used,
                                .slab = c->frames.slab.data,
                                .block_count = block_count,
                                .fetch = source_fetch,
                                .release = source_release,
                                .prefetch = source_prefetch};
    s->cache = c;
    s->env = c->env;
    s->loader = loader;
    s->frame_bytes = frame_bytes;
    atomic_fetch_add_explicit(&c->attached, 1, memory_order_relaxed);
    *ret_source = &s->base;
    return PEAT_OK;
}

static void release_source(pt_retired *r)
{
    source *s = PT_CONTAINER(r, source, retired);
    pt_free(s->env, s);
}

void pt_cache_detach(pt_cache *c, pt_block_source *base)
{
    source *s = PT_CONTAINER(base, source, base);
    pt_frames_unlink_all(&c->frames, s->frame, base->block_count);
    atomic_fetch_sub_explicit(&c->attached, 1, memory_order_relaxed);
    pt_epoch_retire(c->epoch, &s->retired, release_source);
}

/* ---- the cache ---- */

peat_rc pt_cache_new(const pt_env *env, pt_epoch *epoch, size_t bytes, pt_cache **ret_cache)
{
    pt_cache *c = pt_alloc_zero(env, sizeof *c);
    if (c == NULL)
        return PEAT_NOMEM;
    peat_rc rc = pt_frames_init(&c->frames, env, epoch, bytes);
    if (rc != PEAT_OK) {
        pt_free(env, c);
        return rc;
    }
    c->env = env;
    c->heap.env = env;
    c->epoch = epoch;
    for (unsigned i = 0; i < SHARDS; i++) {
        pt_mutex_init(&c->shards[i].mu);
        pt_cond_init(&c->shards[i].landed);
    }
    *ret_cache = c;
    return PEAT_OK;
}

void pt_cache_limit(pt_cache *c, size_t bytes)
{
    pt_frames_limit(&c->frames, bytes);
}

void pt_cache_trim(pt_cache *c)
{
    pt_frames_trim(&c->frames);
}

void pt_cache_free(pt_cache *c)
{
    if (c == NULL)
        return;
    PT_ASSERT(atomic_load(&c->attached) == 0);
    for (unsigned i = 0; i < SHARDS; i++) {
        PT_ASSERT(c->shards[i].flights == NULL);
        pt_cond_done(&c->shards[i].landed);
        pt_mutex_done(&c->shards[i].mu);
    }
    pt_frames_done(&c->frames);
    pt_free(c->env, c);
}

void pt_cache_get_stats(pt_cache *c, pt_cache_stats *ret_stats)
{
    pt_cache_stats s = {0};
    for (unsigned i = 0; i < SHARDS; i++) {
        pt_mutex_lock(&c->shards[i].mu);
        s.misses += c->shards[i].misses;
        pt_mutex_unlock(&c->shards[i].mu);
        s.hits_fetch += atomic_load_explicit(&c->shards[i].hits, memory_order_relaxed);
    }
    s.heap_bytes = atomic_load_explicit(&c->heap.bytes, memory_order_relaxed);
    s.heap_fetches = atomic_load_explicit(&c->heap_fetches, memory_order_relaxed);
    pt_frames_count(&c->frames, &s.evictions, &s.frame_bytes, &s.pinned);
    *ret_stats = s;
}
