/* SPDX-License-Identifier: MIT */
/*
 * ahead.h - while the cache grows, the memory of the frames to come is touched by somebody else, so
 * that no miss waits for it: where the machine has to find it first, a huge page of it takes
 * milliseconds.
 *
 * It follows what is used. A MiB used up within a second is quick, and then there is memory ahead
 * for as much as is used already, up to 8 MiB and up to what tables still have. What nobody came to
 * for a second goes back: a store that rests holds none.
 *
 * No lock of its own: everything happens under the owner's of the slab (frames.h).
 */
#ifndef PT_CACHE_AHEAD_H
#define PT_CACHE_AHEAD_H

#include "cache/slab.h"

typedef struct pt_ahead {
    void (*low)(void *ctx); /* fixed; NULL: nobody brings any */
    void *low_ctx;
    uint32_t noted_top; /* the slab's top when it was last noted, and when that was */
    uint64_t noted_ns;
    bool quick; /* what was used before that took no longer than a second */
} pt_ahead;

/* Notes what was used; true: `low` is to be called, when no lock is held. */
bool pt_ahead_note(pt_ahead *a, const pt_slab *s);
/* What to touch next, as pt_slab_come says it, where all blocks take no more than bytes_max. NULL:
 * enough is there, or some that nobody came to has gone back; *ret_again_ns as pt_frames_bring. */
uint8_t *pt_ahead_next(pt_ahead *a, pt_slab *s, uint64_t bytes_max, uint64_t *ret_again_ns,
                       size_t *ret_bytes);

#endif
