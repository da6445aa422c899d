/* SPDX-License-Identifier: MIT */
/*
 * cache.c - see cache.h: tables' block sources over the frames, misses that are read once, and
 * blocks in heap memory (large ones, and any when no frame can be had).
 *
 * A miss is a flight (flights.h). Its first half finds out whether somebody reads the block
 * already, and takes room for it; its second half, when the bytes are there, makes the block
 * visible and gives it to all who wait. What fetches does both, with the table's loader in between.
 *
 * Lock order: shard.mu, then frames.mu.
 */
#include "cache/cache.h"

#include "cache/flights.h"
#include "cache/frames.h"

typedef struct source source;

/* Counted without a lock and without a locked instruction: two threads that share a line may lose a
 * hit of the statistics now and then. */
typedef struct hit_counter {
    _Atomic uint64_t hits;
    uint8_t pad[56];
} hit_counter;

struct pt_cache {
    const pt_env *env;
    pt_epoch *epoch;
    pt_frames frames;
    pt_flights flights;
    hit_counter hit[PT_FLIGHT_SHARDS];
    pt_heap_blocks heap;
    _Atomic uint64_t heap_fetches;
    _Atomic uint32_t attached;
    _Atomic uint64_t attached_bytes; /* frames for all blocks of these tables */
};

struct source {
    pt_block_source base;
    pt_cache *cache;
    pt_cache_loader loader;
    size_t frame_bytes;
    const pt_env *env; /* outlives the cache, which may be gone when the source is released */
    pt_retired retired;
    _Atomic uint32_t frames[]; /* base.frame is in it */
};

/* ---- references ---- */

static bool in_slab(const pt_cache *c, const uint8_t *data)
{
    size_t bytes = (size_t)c->frames.slab.group_max * PT_SLAB_GROUP_BYTES;
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

static void count_hit(pt_cache *c)
{
    _Atomic uint64_t *hits = &c->hit[(pt_thread_hint() >> 40) % PT_FLIGHT_SHARDS].hits;
    uint64_t n = atomic_load_explicit(hits, memory_order_relaxed);
    atomic_store_explicit(hits, n + 1, memory_order_relaxed);
}

/* The block if it is resident. Only points give credit. */
static bool fetch_resident(source *s, uint32_t block, pt_fetch_hint hint, pt_block_ref *ret_ref)
{
    pt_cache *c = s->cache;
    pt_frame *frame = pt_frame_pin(&c->frames, &s->base.frame[block]);
    if (frame == NULL)
        return false;
    ref_of_frame(c, frame, ret_ref);
    _Atomic uint8_t *used = &c->frames.used[frame - c->frames.frame];
    if (hint == PT_FETCH_POINT && atomic_load_explicit(used, memory_order_relaxed) == 0)
        atomic_store_explicit(used, 1, memory_order_relaxed);
    count_hit(c);
    return true;
}

static bool source_pin(pt_block_source *base, uint32_t block, pt_block_ref *ret_ref)
{
    return fetch_resident(PT_CONTAINER(base, source, base), block, PT_FETCH_POINT, ret_ref);
}

/* ---- the first half of a miss ---- */

/* Room for who leads: a frame, or heap memory when the block is too large for one or none can be
 * had. */
static peat_rc take_room(source *s, pt_flight *fl, size_t size, pt_cache_fill *fill)
{
    pt_cache *c = s->cache;
    bool fits = size <= s->frame_bytes;
    fl->frame = fits ? pt_frames_take(&c->frames, s->frame_bytes > PT_FRAME_UNIT) : 0;
    if (fl->frame == 0) {
        if (fits)
            atomic_fetch_add_explicit(&c->heap_fetches, 1, memory_order_relaxed);
        fl->heap = pt_heap_block_new(&c->heap, size);
        if (fl->heap == NULL)
            return PEAT_NOMEM;
    }
    fill->room = fl->frame != 0 ? pt_slab_data(&c->frames.slab, fl->frame) : fl->heap->data;
    fill->room_size = fl->frame != 0 ? s->frame_bytes : size;
    return PEAT_OK;
}

static void give_room_back(pt_cache *c, const pt_flight *fl)
{
    if (fl->frame != 0)
        pt_frames_give_up(&c->frames, fl->frame);
    else if (fl->heap != NULL)
        pt_heap_block_unref(&c->heap, fl->heap);
}

/* This caller leads from now on. Room may be there, of one who has given up. */
static peat_rc take_lead(source *s, size_t size, pt_cache_fill *fill)
{
    pt_flight *fl = (pt_flight *)fill->flight;
    peat_rc rc = take_room(s, fl, size, fill);
    fill->state = PT_FILL_LEADS;
    if (rc != PEAT_OK) {
        pt_block_ref none = {0};
        rc = pt_cache_fill_end(&s->base, fill, rc, 0, &none);
    }
    return rc;
}

peat_rc pt_cache_fill_begin(pt_block_source *base, uint32_t block, size_t size, pt_fetch_hint hint,
                            pt_cache_fill *ret_fill, pt_block_ref *ret_ref)
{
    source *s = PT_CONTAINER(base, source, base);
    pt_flights *all = &s->cache->flights;
    PT_DCHECK(block < base->block_count, "a block of this table");
    *ret_fill = (pt_cache_fill){.state = PT_FILL_READY};
    if (fetch_resident(s, block, hint, ret_ref))
        return PEAT_OK;
    pt_flight_shard *sh = pt_flights_shard_of(all, base, block);
    pt_mutex_lock(&sh->mu);
    pt_flight *fl = pt_flights_find(sh, base, block);
    if (fl == NULL && fetch_resident(s, block, hint, ret_ref)) { /* landed since */
        pt_mutex_unlock(&sh->mu);
        return PEAT_OK;
    }
    bool leads = fl == NULL || fl->state == PT_FLIGHT_ABANDONED;
    if (fl == NULL) {
        fl = pt_flights_begin(all, sh, base, block, hint);
    } else {
        fl->holders++;
        fl->hint = hint < fl->hint ? hint : fl->hint;
        fl->state = PT_FLIGHT_LED;
    }
    pt_mutex_unlock(&sh->mu);
    if (fl == NULL)
        return PEAT_NOMEM;
    ret_fill->flight = fl;
    ret_fill->size = size;
    ret_fill->state = PT_FILL_WAITS;
    return leads ? take_lead(s, size, ret_fill) : PEAT_OK;
}

peat_rc pt_cache_fill_alone(pt_block_source *base, size_t size, pt_cache_fill *ret_fill)
{
    pt_heap_blocks *heap = &PT_CONTAINER(base, source, base)->cache->heap;
    pt_heap_block *b = pt_heap_block_new(heap, size);
    *ret_fill = (pt_cache_fill){.state = PT_FILL_READY};
    if (b == NULL)
        return PEAT_NOMEM;
    *ret_fill =
        (pt_cache_fill){.state = PT_FILL_LEADS, .room = b->data, .room_size = size, .heap = b};
    return PEAT_OK;
}

/* ---- the second half ---- */

static peat_rc end_alone(pt_cache *c, pt_cache_fill *fill, peat_rc rc, size_t loaded,
                         pt_block_ref *ret_ref)
{
    pt_heap_block *b = (pt_heap_block *)fill->heap;
    *fill = (pt_cache_fill){.state = PT_FILL_READY};
    if (rc == PEAT_OK)
        *ret_ref = (pt_block_ref){.data = b->data, .size = loaded, .pin = b};
    else
        pt_heap_block_unref(&c->heap, b);
    return rc;
}

peat_rc pt_cache_fill_end(pt_block_source *base, pt_cache_fill *fill, peat_rc rc, size_t loaded,
                          pt_block_ref *ret_ref)
{
    source *s = PT_CONTAINER(base, source, base);
    pt_cache *c = s->cache;
    pt_flight *fl = (pt_flight *)fill->flight;
    pt_block_ref ref = {0};
    PT_ASSERT(fill->state == PT_FILL_LEADS, "who ends a fill leads it");
    PT_ASSERT(rc != PEAT_OK || loaded <= fill->room_size,
              "a loader stays within the memory it was given");
    if (fl == NULL)
        return end_alone(c, fill, rc, loaded, ret_ref);
    if (rc != PEAT_OK) {
        give_room_back(c, fl);
    } else if (fl->frame != 0) {
        c->frames.frame[fl->frame].size = (uint32_t)loaded;
        ref_of_frame(c, &c->frames.frame[fl->frame], &ref);
    } else {
        ref = (pt_block_ref){.data = fl->heap->data, .size = loaded, .pin = fl->heap};
    }
    pt_flight_shard *sh = pt_flights_shard_of(&c->flights, base, fl->block);
    pt_mutex_lock(&sh->mu);
    sh->misses++;
    /* before the flight is gone: else a newcomer would find neither it nor the block */
    if (rc == PEAT_OK && fl->frame != 0) {
        if (fl->hint == PT_FETCH_ONCE)
            pt_frames_hold(&c->frames, fl->frame);
        else
            pt_frames_publish(&c->frames, fl->frame, &s->base.frame[fl->block],
                              fl->hint == PT_FETCH_POINT);
    }
    uint32_t others = fl->holders - 1;
    if (rc == PEAT_OK && others != 0)
        ref_add(c, &ref, others);
    for (uint32_t i = 0; rc == PEAT_OK && i < others; i++)
        count_hit(c);
    pt_flights_land(sh, fl, rc, &ref);
    pt_flights_leave(&c->flights, sh, fl);
    pt_mutex_unlock(&sh->mu);
    *fill = (pt_cache_fill){.state = PT_FILL_READY};
    if (rc == PEAT_OK)
        *ret_ref = ref;
    return rc;
}

/* ---- for who waits ---- */

/* With the shard's lock, which is given up. */
static peat_rc take_turn(source *s, pt_flight_shard *sh, pt_cache_fill *fill, pt_block_ref *ret_ref)
{
    pt_flight *fl = (pt_flight *)fill->flight;
    peat_rc rc = PEAT_OK;
    pt_flight_state was = fl->state;
    if (was == PT_FLIGHT_LANDED) {
        rc = fl->rc;
        if (rc == PEAT_OK)
            *ret_ref = fl->ref;
        pt_flights_leave(&s->cache->flights, sh, fl);
    } else if (was == PT_FLIGHT_ABANDONED) {
        fl->state = PT_FLIGHT_LED;
    }
    pt_mutex_unlock(&sh->mu);
    if (was == PT_FLIGHT_LANDED)
        *fill = (pt_cache_fill){.state = PT_FILL_READY};
    else if (was == PT_FLIGHT_ABANDONED)
        rc = take_lead(s, fill->size, fill);
    return rc;
}

peat_rc pt_cache_fill_poll(pt_block_source *base, pt_cache_fill *fill, pt_block_ref *ret_ref)
{
    source *s = PT_CONTAINER(base, source, base);
    const pt_flight *fl = (const pt_flight *)fill->flight;
    PT_ASSERT(fill->state == PT_FILL_WAITS, "who waits for a fill does not lead it");
    pt_flight_shard *sh = pt_flights_shard_of(&s->cache->flights, base, fl->block);
    pt_mutex_lock(&sh->mu);
    return take_turn(s, sh, fill, ret_ref);
}

peat_rc pt_cache_fill_wait(pt_block_source *base, pt_cache_fill *fill, pt_block_ref *ret_ref)
{
    source *s = PT_CONTAINER(base, source, base);
    const pt_flight *fl = (const pt_flight *)fill->flight;
    PT_ASSERT(fill->state == PT_FILL_WAITS, "who waits for a fill does not lead it");
    pt_flight_shard *sh = pt_flights_shard_of(&s->cache->flights, &s->base, fl->block);
    pt_mutex_lock(&sh->mu);
    while (fl->state == PT_FLIGHT_LED)
        pt_cond_wait(&sh->changed, &sh->mu);
    return take_turn(s, sh, fill, ret_ref);
}

void pt_cache_fill_abandon(pt_block_source *base, pt_cache_fill *fill)
{
    pt_cache *c = PT_CONTAINER(base, source, base)->cache;
    pt_flight *fl = (pt_flight *)fill->flight;
    bool led = fill->state == PT_FILL_LEADS;
    if (fl == NULL && led)
        (void)end_alone(c, fill, PEAT_CLOSED, 0, NULL);
    *fill = (pt_cache_fill){.state = PT_FILL_READY};
    if (fl == NULL)
        return;
    if (led)
        give_room_back(c, fl);
    pt_flight_shard *sh = pt_flights_shard_of(&c->flights, base, fl->block);
    pt_block_ref none = {0}, ref = none;
    pt_mutex_lock(&sh->mu);
    if (led) {
        fl->frame = 0;
        fl->heap = NULL;
        fl->state = PT_FLIGHT_ABANDONED;
    }
    if (fl->state == PT_FLIGHT_LANDED && fl->rc == PEAT_OK)
        ref = fl->ref;
    if (fl->state == PT_FLIGHT_ABANDONED && fl->holders == 1) {
        fl->state = PT_FLIGHT_LED; /* nobody is left */
        pt_flights_land(sh, fl, PEAT_CLOSED, &none);
    } else if (led) {
        pt_cond_broadcast(&sh->changed);
    }
    pt_flights_leave(&c->flights, sh, fl);
    pt_mutex_unlock(&sh->mu);
    source_release(base, &ref);
}

/* ---- both halves ---- */

static peat_rc miss(source *s, uint32_t block, pt_fetch_hint hint, pt_block_ref *ret_ref)
{
    pt_cache_fill fill;
    size_t size = s->loader.size(s->loader.ctx, block), loaded = 0;
    peat_rc rc = pt_cache_fill_begin(&s->base, block, size, hint, &fill, ret_ref);
    if (rc == PEAT_OK && fill.state == PT_FILL_WAITS)
        rc = pt_cache_fill_wait(&s->base, &fill, ret_ref);
    if (rc != PEAT_OK || fill.state == PT_FILL_READY)
        return rc;
    rc = s->loader.load(s->loader.ctx, block, fill.room, fill.room_size, &loaded);
    return pt_cache_fill_end(&s->base, &fill, rc, loaded, ret_ref);
}

static peat_rc source_fetch(pt_block_source *base, uint32_t block, pt_fetch_hint hint,
                            pt_block_ref *ret_block)
{
    source *s = PT_CONTAINER(base, source, base);
    PT_DCHECK(block < base->block_count, "a block of this table");
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
        f = atomic_load_explicit(&s->base.frame[block], memory_order_relaxed);
    if (f == 0)
        return NULL;
    PT_PREFETCH(&fs->frame[f]);
    PT_PREFETCH(&fs->used[f]);
    return base->slab + (size_t)f * PT_FRAME_UNIT;
}

/* ---- tables come and go ---- */

/* The first place in `frames` whose second number begins a cache line. */
static _Atomic uint32_t *lined_up(_Atomic uint32_t *frames)
{
    size_t behind = ((uintptr_t)&frames[1] % 64) / sizeof frames[0];
    return &frames[(16 - behind) % 16];
}

peat_rc pt_cache_attach(pt_cache *c, uint32_t block_count, size_t frame_bytes,
                        pt_cache_loader loader, pt_block_source **ret_source)
{
    PT_ASSERT(frame_bytes == PT_FRAME_UNIT || frame_bytes == PT_SLAB_GROUP_BYTES,
              "there are two frame sizes");
    /* sixteen more, so that frame 1 can begin a line */
    source *s = pt_alloc_zero(c->env, sizeof *s + (block_count + 16) * sizeof s->frames[0]);
    if (s == NULL)
        return PEAT_NOMEM;
    s->base = (pt_block_source){.frame = lined_up(s->frames),
                                .used = c->frames.used,
                                .slab = c->frames.slab.data,
                                .block_count = block_count,
                                .fetch = source_fetch,
                                .release = source_release,
                                .pin = source_pin,
                                .prefetch = source_prefetch};
    s->cache = c;
    s->env = c->env;
    s->loader = loader;
    s->frame_bytes = frame_bytes;
    atomic_fetch_add_explicit(&c->attached, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->attached_bytes, block_count * frame_bytes, memory_order_relaxed);
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
    PT_ASSERT(s->cache == c && atomic_load_explicit(&c->attached, memory_order_relaxed) != 0,
              "what is detached was attached here");
    pt_frames_unlink_all(&c->frames, base->frame, base->block_count);
    atomic_fetch_sub_explicit(&c->attached, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&c->attached_bytes, base->block_count * s->frame_bytes,
                              memory_order_relaxed);
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
    pt_flights_init(&c->flights, env);
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

bool pt_cache_has_spare(pt_cache *c, size_t bytes)
{
    return pt_frames_spare(&c->frames, bytes);
}

void pt_cache_watch(pt_cache *c, void (*low)(void *ctx), void *ctx)
{
    pt_frames_watch(&c->frames, low, ctx);
}

bool pt_cache_bring_memory(pt_cache *c, uint64_t *ret_again_ns)
{
    uint64_t bytes = atomic_load_explicit(&c->attached_bytes, memory_order_relaxed);
    return pt_frames_bring(&c->frames, bytes, ret_again_ns);
}

void pt_cache_free(pt_cache *c)
{
    if (c == NULL)
        return;
    PT_ASSERT(atomic_load(&c->attached) == 0, "the cache goes after its last table");
    pt_flights_done(&c->flights);
    pt_frames_done(&c->frames);
    pt_free(c->env, c);
}

void pt_cache_get_stats(pt_cache *c, pt_cache_stats *ret_stats)
{
    pt_cache_stats s = {0};
    for (unsigned i = 0; i < PT_FLIGHT_SHARDS; i++) {
        pt_mutex_lock(&c->flights.shard[i].mu);
        s.misses += c->flights.shard[i].misses;
        pt_mutex_unlock(&c->flights.shard[i].mu);
        s.hits_fetch += atomic_load_explicit(&c->hit[i].hits, memory_order_relaxed);
    }
    s.heap_bytes = atomic_load_explicit(&c->heap.bytes, memory_order_relaxed);
    s.heap_fetches = atomic_load_explicit(&c->heap_fetches, memory_order_relaxed);
    pt_frames_count(&c->frames, &s.evictions, &s.frame_bytes, &s.pinned);
    *ret_stats = s;
}
