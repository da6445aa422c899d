/* SPDX-License-Identifier: MIT */
/*
 * frames.h - what is in the slab's frames: which are free, being loaded, linked to a block, or on
 * their way out. Life of a frame:
 *
 *   free -> loading (take; pinned by the loader) -> linked (publish)  -> limbo -> free
 *                                                -> held (not kept)            -> free
 *   linked -> limbo: unlinked by the clock or a detach; waits for its epoch.
 *   limbo -> held: the epoch has passed but somebody still pins it.
 *
 * Pins without an epoch: a fetcher pins the frame whose number it read and then reads the number
 * again; when it has changed, the pin is taken back. Whoever reuses a frame looks at its pins by a
 * read-modify-write after the unlinking, so one of the two sees the other. Pins may therefore rise
 * for a moment on any frame, also on a free one; nothing depends on their exact value there.
 *
 * Lock rule: mu guards everything but pins, used and the bytes in frames. Under it only the epoch's
 * lock-free calls are made. Callers may hold a lock of a flight shard (cache.c); nothing is locked
 * under mu.
 */
#ifndef PT_CACHE_FRAMES_H
#define PT_CACHE_FRAMES_H

#include "base/epoch.h"
#include "cache/ahead.h"

/* Blocks inserted by scans that are remembered as first to go, per frame size. A power of two. */
#define PT_FRAME_RING_SLOTS 1024u

typedef enum pt_frame_state {
    PT_FRAME_FREE,
    PT_FRAME_LOADING,
    PT_FRAME_LINKED,
    PT_FRAME_LIMBO,
    PT_FRAME_HELD
} pt_frame_state;

typedef struct pt_frame {
    _Atomic uint32_t pins;
    uint32_t next;          /* in limbo or held */
    _Atomic uint32_t *link; /* where its number stands while linked */
    uint64_t epoch;         /* in limbo: reusable once passed */
    uint32_t size;          /* of the block; written by the loader before publication */
    uint8_t state;          /* pt_frame_state */
    bool scanned;           /* inserted by a scan, in a ring */
} pt_frame;

typedef struct pt_frame_list {
    uint32_t first, last;
    uint64_t count;
} pt_frame_list;

typedef struct pt_frame_ring {
    uint32_t frame[PT_FRAME_RING_SLOTS];
    uint32_t head, count;
} pt_frame_ring;

typedef struct pt_frames {
    /* fixed */
    pt_epoch *epoch;
    pt_frame *frame;       /* by unit */
    _Atomic uint8_t *used; /* by unit: CLOCK counters, 0 or 1 */
    /* guarded by mu */
    pt_mutex mu;
    pt_slab slab;                     /* slab.data is fixed */
    uint32_t hand;                    /* the clock's next group */
    uint32_t turn;                    /* evictions asked for, scans against clock */
    pt_frame_list limbo, held, batch; /* batch: unlinked but not yet stamped with an epoch */
    pt_frame_ring ring[2];            /* small, large */
    uint64_t evictions;
    pt_ahead ahead;
} pt_frames;

peat_rc pt_frames_init(pt_frames *fs, const pt_env *env, pt_epoch *epoch, size_t bytes) PT_MUST_USE;
/* So many at most from now on, up to what it was made with. Blocks beyond go, from the end. */
void pt_frames_limit(pt_frames *fs, size_t bytes);
void pt_frames_done(pt_frames *fs); /* nothing is linked or pinned */

/* A frame to load into, pinned once; 0 when all are pinned or waited for. */
uint32_t pt_frames_take(pt_frames *fs, bool large);
/* More than an eighth of the frames holds nothing, and at least so many bytes. */
bool pt_frames_spare(pt_frames *fs, size_t bytes);
/* The loaded frame becomes visible at *link, with or without credit. The pin stays. */
void pt_frames_publish(pt_frames *fs, uint32_t f, _Atomic uint32_t *link, bool credit);
/* The loaded frame is not kept: free when its pins are gone. */
void pt_frames_hold(pt_frames *fs, uint32_t f);
/* Nothing was loaded into it: drops the pin, too. */
void pt_frames_give_up(pt_frames *fs, uint32_t f);
/* Every frame linked from links[0 .. count) leaves. */
void pt_frames_unlink_all(pt_frames *fs, _Atomic uint32_t *links, size_t count);
/* The memory of free frames goes back to the system; of those, too, that have just become free. */
void pt_frames_trim(pt_frames *fs);
/* From now on `low` is called, without a lock, when fresh memory is being used up quickly. Before
 * anybody else is in. Nothing where memory cannot be asked for. */
void pt_frames_watch(pt_frames *fs, void (*low)(void *ctx), void *ctx);
/* Then this brings memory for frames to come: a step, in the calling thread, one thread at a time.
 * No more than for frames of bytes_max altogether. False: there is enough, or some that nobody came
 * to within a second has gone back; *ret_again_ns is how long until this is to be called again,
 * UINT64_MAX: not before `low`. */
bool pt_frames_bring(pt_frames *fs, uint64_t bytes_max, uint64_t *ret_again_ns);

/* For the statistics; walks all frames for the pins. */
void pt_frames_count(pt_frames *fs, uint64_t *ret_evictions, uint64_t *ret_bytes,
                     uint64_t *ret_pinned);

static inline void pt_frame_unpin(pt_frame *frame)
{
    PT_DCHECK(atomic_load(&frame->pins) != 0, "I14: a pin is taken back once");
    /* release: what was read through the pin comes before the frame's reuse */
    atomic_fetch_sub_explicit(&frame->pins, 1, memory_order_release);
}

/* Pins the frame *link names. NULL: none, or it was just unlinked. */
static inline pt_frame *pt_frame_pin(const pt_frames *fs, _Atomic uint32_t *link)
{
    /* acquire, here and below: pairs with the publication */
    uint32_t f = atomic_load_explicit(link, memory_order_acquire);
    if (f == 0)
        return NULL;
    pt_frame *frame = &fs->frame[f];
    /* acq_rel: pairs with the read-modify-write of whoever wants to reuse the frame */
    atomic_fetch_add_explicit(&frame->pins, 1, memory_order_acq_rel);
    if (PT_LIKELY(atomic_load_explicit(link, memory_order_acquire) == f))
        return frame;
    pt_frame_unpin(frame);
    return NULL;
}

#endif
