/* SPDX-License-Identifier: MIT */
/*
 * frames.c - see frames.h.
 *
 * Eviction runs ahead of need: while fewer than `reserve` frames are free, a miss unlinks a few
 * more, and by the time they are wanted their epoch has usually passed. Who goes first: what scans
 * brought in and nobody asked for since (in order of arrival, from a ring), else what the clock
 * finds. Every eighth eviction is the clock's in any case, so that old blocks nobody wants do not
 * survive for ever behind a stream of scans.
 */
#include "cache/frames.h"

/* Enough for the misses of a few threads during one epoch; at most a 16th of a small cache. */
#define RESERVE_MAX 16u
/* Groups the clock passes before it takes a block in spite of its credit: bounds the worst miss
 * (some 10 us of cold lines); the average is two, for an insertion gives one credit to take away.
 */
#define CLOCK_STEPS_MAX 256u
/* Frames unlinked per locking: some 20 us at most. */
#define FRAMES_AT_ONCE 4096u
/* Groups given back at once, under the lock: 2 MiB take some 0.1 ms. */
#define GIVE_BACK_GROUPS 128u
/* Held frames looked at per collection. */
#define HELD_LOOKS 8u

_Static_assert((PT_FRAME_RING_SLOTS & (PT_FRAME_RING_SLOTS - 1)) == 0,
               "rings are indexed by masking");

/* What a group costs with everything that describes it. */
#define GROUP_COST                                                                                 \
    (PT_SLAB_GROUP_BYTES + PT_SLAB_GROUP_UNITS * (sizeof(pt_frame) + 1) + sizeof(pt_slab_group))

_Static_assert(sizeof(pt_frame) == 32, "two frames' words to a line");

/* ---- leaving ---- */

static void append(pt_frames *fs, pt_frame_list *list, uint32_t f)
{
    fs->frame[f].next = 0;
    if (list->last != 0)
        fs->frame[list->last].next = f;
    else
        list->first = f;
    list->last = f;
    list->count++;
}

static uint32_t pop_first(pt_frames *fs, pt_frame_list *list)
{
    PT_ASSERT(list->count != 0, "a list that counts is not empty");
    uint32_t f = list->first;
    list->first = fs->frame[f].next;
    if (list->first == 0)
        list->last = 0;
    list->count--;
    return f;
}

/* See "pins without an epoch" in frames.h. acquire: what fetchers read comes before the reuse. */
static bool pinned_in_order(pt_frame *frame)
{
    return atomic_fetch_add_explicit(&frame->pins, 0, memory_order_acq_rel) != 0;
}

static bool pinned_hint(const pt_frame *frame)
{
    return atomic_load_explicit(&frame->pins, memory_order_relaxed) != 0;
}

static void free_or_hold(pt_frames *fs, uint32_t f)
{
    PT_DCHECK(pt_mutex_held(&fs->mu), "frames.mu guards what frames are for");
    PT_ASSERT(fs->frame[f].link == NULL, "I14: a frame that is free is nobody's");
    if (pinned_in_order(&fs->frame[f])) {
        fs->frame[f].state = PT_FRAME_HELD;
        append(fs, &fs->held, f);
    } else {
        fs->frame[f].state = PT_FRAME_FREE;
        pt_slab_push(&fs->slab, f);
    }
}

static void unlink_frame(pt_frames *fs, uint32_t f)
{
    pt_frame *frame = &fs->frame[f];
    PT_DCHECK(pt_mutex_held(&fs->mu), "frames.mu guards what frames are for");
    PT_ASSERT(frame->state == PT_FRAME_LINKED, "only a linked frame is unlinked");
    /* release: ordered before the epoch's advance and the look at the pins anyway */
    atomic_store_explicit(frame->link, 0, memory_order_release);
    frame->link = NULL;
    frame->state = PT_FRAME_LIMBO;
    append(fs, &fs->batch, f);
}

/* One advance for all that were unlinked: every advance costs each reader a miss on `now`. */
static void stamp_batch(pt_frames *fs)
{
    if (fs->batch.count == 0)
        return;
    PT_DCHECK(pt_mutex_held(&fs->mu), "frames.mu guards what frames are for");
    uint64_t epoch = pt_epoch_advance(fs->epoch);
    while (fs->batch.count != 0) {
        uint32_t f = pop_first(fs, &fs->batch);
        fs->frame[f].epoch = epoch;
        append(fs, &fs->limbo, f);
    }
}

static void look_at_held(pt_frames *fs, unsigned looks)
{
    for (uint64_t i = pt_min_u64(fs->held.count, looks); i > 0; i--)
        free_or_hold(fs, pop_first(fs, &fs->held));
}

static void collect(pt_frames *fs)
{
    while (fs->limbo.count != 0 && pt_epoch_passed(fs->epoch, fs->frame[fs->limbo.first].epoch))
        free_or_hold(fs, pop_first(fs, &fs->limbo));
    look_at_held(fs, HELD_LOOKS);
    (void)pt_slab_give_back(&fs->slab, GIVE_BACK_GROUPS);
}

/* ---- who goes ---- */

static bool scan_ring_evict(pt_frames *fs, bool large)
{
    pt_frame_ring *ring = &fs->ring[large];
    while (ring->count != 0) {
        uint32_t f = ring->frame[(ring->head - ring->count) & (PT_FRAME_RING_SLOTS - 1)];
        ring->count--;
        pt_frame *frame = &fs->frame[f];
        bool gone = frame->state != PT_FRAME_LINKED || !frame->scanned ||
                    pt_slab_is_large(&fs->slab, f) != large;
        if (gone || pinned_hint(frame) ||
            atomic_load_explicit(&fs->used[f], memory_order_relaxed) != 0)
            continue; /* what somebody asked for is the clock's from now on */
        unlink_frame(fs, f);
        return true;
    }
    return false;
}

static void scan_ring_add(pt_frames *fs, uint32_t f)
{
    pt_frame_ring *ring = &fs->ring[pt_slab_is_large(&fs->slab, f)];
    ring->frame[ring->head++ & (PT_FRAME_RING_SLOTS - 1)] = f;
    if (ring->count < PT_FRAME_RING_SLOTS)
        ring->count++;
    fs->frame[f].scanned = true;
}

/* May this linked frame go? Takes one credit where there is one. */
static bool evictable(pt_frames *fs, uint32_t f, bool force)
{
    if (pinned_hint(&fs->frame[f]))
        return false;
    uint8_t credit = atomic_load_explicit(&fs->used[f], memory_order_relaxed);
    if (credit == 0 || force)
        return true;
    atomic_store_explicit(&fs->used[f], (uint8_t)(credit - 1), memory_order_relaxed);
    return false;
}

/* A group of small frames as one large: all of it or nothing. */
static bool evict_group(pt_frames *fs, uint32_t first, bool force)
{
    bool all = true, any = false;
    for (uint32_t f = first; f < first + PT_SLAB_GROUP_UNITS; f++) {
        unsigned state = fs->frame[f].state;
        bool linked = state == PT_FRAME_LINKED;
        all = (linked ? evictable(fs, f, force)
                      : state == PT_FRAME_FREE || state == PT_FRAME_LIMBO) &&
              all;
        any = any || linked;
    }
    for (uint32_t f = first; all && any && f < first + PT_SLAB_GROUP_UNITS; f++)
        if (fs->frame[f].state == PT_FRAME_LINKED)
            unlink_frame(fs, f);
    return all && any;
}

static bool sweep(pt_frames *fs, uint32_t g, bool large, bool force)
{
    uint32_t first = g * PT_SLAB_GROUP_UNITS;
    pt_slab_group_mode mode = pt_slab_mode(&fs->slab, first);
    if (mode == PT_SLAB_FREE)
        return false;
    if (mode == PT_SLAB_SMALL && large)
        return evict_group(fs, first, force);
    bool any = false;
    uint32_t units = mode == PT_SLAB_LARGE ? 1 : PT_SLAB_GROUP_UNITS;
    for (uint32_t f = first; f < first + units; f++)
        if (fs->frame[f].state == PT_FRAME_LINKED && evictable(fs, f, force)) {
            unlink_frame(fs, f);
            any = true;
        }
    return any;
}

static bool clock_evict(pt_frames *fs, bool large)
{
    uint32_t end = fs->slab.top;
    /* twice round takes away every credit and then finds whatever is not pinned */
    for (uint32_t step = 0; step < 2 * (end - 1); step++) {
        if (fs->hand == 0 || fs->hand >= end)
            fs->hand = 1;
        if (sweep(fs, fs->hand++, large, step >= CLOCK_STEPS_MAX))
            return true;
    }
    return false;
}

static bool evict_some(pt_frames *fs, bool large)
{
    bool scans_first = ++fs->turn % 8 != 0;
    return (scans_first && scan_ring_evict(fs, large)) || clock_evict(fs, large);
}

/* ---- for the cache ---- */

static uint32_t reserve(const pt_frames *fs)
{
    return 1 + (uint32_t)pt_min_u64(fs->slab.limit / 16, RESERVE_MAX - 1);
}

static void make_room(pt_frames *fs, bool large)
{
    uint32_t wanted = reserve(fs);
    if (pt_slab_available(&fs->slab, large) >= wanted)
        return;
    collect(fs);
    uint32_t have = pt_slab_available(&fs->slab, large);
    if (have >= wanted || fs->limbo.count >= wanted)
        return;
    uint64_t before = fs->batch.count;
    while (have + fs->batch.count < wanted && evict_some(fs, large))
        continue;
    fs->evictions += fs->batch.count - before;
    stamp_batch(fs);
    if (have == 0)
        collect(fs);
}

uint32_t pt_frames_take(pt_frames *fs, bool large)
{
    pt_mutex_lock(&fs->mu);
    make_room(fs, large);
    uint32_t f = pt_slab_pop(&fs->slab, large);
    bool low = pt_ahead_note(&fs->ahead, &fs->slab);
    if (f != 0) {
        pt_frame *frame = &fs->frame[f];
        PT_ASSERT(frame->state == PT_FRAME_FREE && frame->link == NULL,
                  "I14: a frame is loaded into when nobody can see it");
        frame->state = PT_FRAME_LOADING;
        frame->link = NULL;
        frame->scanned = false;
        atomic_fetch_add_explicit(&frame->pins, 1, memory_order_relaxed);
    }
    pt_mutex_unlock(&fs->mu);
    if (PT_UNLIKELY(low))
        fs->ahead.low(fs->ahead.low_ctx);
    return f;
}

void pt_frames_watch(pt_frames *fs, void (*low)(void *ctx), void *ctx)
{
    if (!PT_ENV_HAS(fs->slab.env, needed))
        return;
    fs->ahead.low_ctx = ctx;
    fs->ahead.low = low;
}

bool pt_frames_bring(pt_frames *fs, uint64_t bytes_max, uint64_t *ret_again_ns)
{
    size_t bytes = 0;
    pt_mutex_lock(&fs->mu);
    uint8_t *data = pt_ahead_next(&fs->ahead, &fs->slab, bytes_max, ret_again_ns, &bytes);
    pt_mutex_unlock(&fs->mu);
    if (data == NULL)
        return false;
    pt_needed(fs->slab.env, data, bytes); /* what others write into it meanwhile stays */
    pt_mutex_lock(&fs->mu);
    pt_slab_came(&fs->slab, data, bytes);
    pt_mutex_unlock(&fs->mu);
    return true;
}

bool pt_frames_spare(pt_frames *fs, size_t bytes)
{
    pt_mutex_lock(&fs->mu);
    uint64_t groups = pt_slab_available(&fs->slab, true), limit = fs->slab.limit;
    pt_mutex_unlock(&fs->mu);
    return groups * 8 > limit && groups * PT_SLAB_GROUP_BYTES >= 2 * bytes;
}

static void hold(pt_frames *fs, uint32_t f)
{
    PT_ASSERT(fs->frame[f].state == PT_FRAME_LOADING, "what is held was loaded");
    look_at_held(fs, 2); /* so that a long pass without keeping does not pile them up */
    fs->frame[f].state = PT_FRAME_HELD;
    append(fs, &fs->held, f);
}

void pt_frames_hold(pt_frames *fs, uint32_t f)
{
    pt_mutex_lock(&fs->mu);
    hold(fs, f);
    pt_mutex_unlock(&fs->mu);
}

void pt_frames_give_up(pt_frames *fs, uint32_t f)
{
    pt_mutex_lock(&fs->mu);
    pt_frame_unpin(&fs->frame[f]);
    free_or_hold(fs, f);
    pt_mutex_unlock(&fs->mu);
}

void pt_frames_publish(pt_frames *fs, uint32_t f, _Atomic uint32_t *link, bool credit)
{
    pt_mutex_lock(&fs->mu);
    PT_ASSERT(fs->frame[f].state == PT_FRAME_LOADING, "what is shown was loaded");
    PT_ASSERT(atomic_load_explicit(link, memory_order_relaxed) == 0,
              "I14: a block is in one frame at the most");
    if (f / PT_SLAB_GROUP_UNITS >= fs->slab.limit) { /* the limit has come down meanwhile */
        hold(fs, f);
        pt_mutex_unlock(&fs->mu);
        return;
    }
    fs->frame[f].state = PT_FRAME_LINKED;
    fs->frame[f].link = link;
    atomic_store_explicit(&fs->used[f], credit, memory_order_relaxed);
    if (!credit)
        scan_ring_add(fs, f);
    /* release: the block's bytes and size; pairs with peek and pin */
    atomic_store_explicit(link, f, memory_order_release);
    pt_mutex_unlock(&fs->mu);
}

void pt_frames_unlink_all(pt_frames *fs, _Atomic uint32_t *links, size_t count)
{
    size_t chunk = FRAMES_AT_ONCE;
    for (size_t at = 0; at < count; at += chunk) {
        pt_mutex_lock(&fs->mu);
        for (size_t i = at; i < at + chunk && i < count; i++) {
            uint32_t f = atomic_load_explicit(&links[i], memory_order_relaxed);
            if (f != 0)
                unlink_frame(fs, f);
        }
        stamp_batch(fs);
        collect(fs);
        pt_mutex_unlock(&fs->mu);
    }
}

static uint32_t groups_of_budget(size_t bytes)
{
    return 1 + (uint32_t)pt_min_u64(bytes / GROUP_COST, UINT32_MAX / PT_SLAB_GROUP_UNITS - 1);
}

/* What is linked beyond the limit leaves. What is being loaded is not linked any more. */
static bool leave_beyond(pt_frames *fs, uint32_t *io_from, uint32_t frames_max)
{
    uint32_t end = fs->slab.top * PT_SLAB_GROUP_UNITS, f = *io_from;
    for (; f < end && frames_max != 0; f++, frames_max--)
        if (fs->frame[f].state == PT_FRAME_LINKED)
            unlink_frame(fs, f);
    *io_from = f;
    stamp_batch(fs);
    collect(fs);
    return f < end;
}

void pt_frames_limit(pt_frames *fs, size_t bytes)
{
    uint32_t limit = (uint32_t)pt_min_u64(groups_of_budget(bytes), fs->slab.group_max);
    uint32_t from = limit * PT_SLAB_GROUP_UNITS;
    bool more = true;
    pt_mutex_lock(&fs->mu);
    pt_slab_limit(&fs->slab, limit);
    while (more) {
        more = fs->slab.limit == limit && leave_beyond(fs, &from, FRAMES_AT_ONCE);
        pt_mutex_unlock(&fs->mu); /* who misses gets a turn */
        pt_mutex_lock(&fs->mu);
    }
    while (pt_slab_give_back(&fs->slab, GIVE_BACK_GROUPS)) {
        pt_mutex_unlock(&fs->mu);
        pt_mutex_lock(&fs->mu);
    }
    pt_mutex_unlock(&fs->mu);
}

void pt_frames_trim(pt_frames *fs)
{
    pt_mutex_lock(&fs->mu);
    collect(fs);
    look_at_held(fs, UINT32_MAX);
    pt_slab_trim(&fs->slab);
    pt_mutex_unlock(&fs->mu);
}

void pt_frames_count(pt_frames *fs, uint64_t *ret_evictions, uint64_t *ret_bytes,
                     uint64_t *ret_pinned)
{
    pt_mutex_lock(&fs->mu);
    *ret_evictions = fs->evictions;
    *ret_bytes = fs->slab.units_in_use * PT_FRAME_UNIT;
    uint32_t end = fs->slab.top * PT_SLAB_GROUP_UNITS;
    pt_mutex_unlock(&fs->mu);
    uint64_t pinned = 0;
    for (uint32_t f = PT_SLAB_GROUP_UNITS; f < end; f++)
        pinned += pinned_hint(&fs->frame[f]);
    *ret_pinned = pinned;
}

peat_rc pt_frames_init(pt_frames *fs, const pt_env *env, pt_epoch *epoch, size_t bytes)
{
    *fs = (pt_frames){.epoch = epoch, .hand = 1};
    pt_mutex_init(&fs->mu);
    uint32_t group_max = groups_of_budget(bytes);
    size_t units = (size_t)group_max * PT_SLAB_GROUP_UNITS;
    peat_rc rc = pt_slab_init(&fs->slab, env, group_max);
    if (rc == PEAT_OK) {
        fs->frame = env->map(env->ctx, units * sizeof(pt_frame));
        fs->used = env->map(env->ctx, units);
        if (fs->frame == NULL || fs->used == NULL)
            rc = PEAT_NOMEM;
    }
    if (rc != PEAT_OK)
        pt_frames_done(fs);
    return rc;
}

void pt_frames_done(pt_frames *fs)
{
    const pt_env *env = fs->slab.env;
    size_t units = (size_t)fs->slab.group_max * PT_SLAB_GROUP_UNITS;
    if (fs->frame != NULL)
        env->unmap(env->ctx, fs->frame, units * sizeof(pt_frame));
    if (fs->used != NULL)
        env->unmap(env->ctx, (void *)fs->used, units);
    pt_slab_done(&fs->slab);
    pt_mutex_done(&fs->mu);
}
