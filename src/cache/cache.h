/* SPDX-License-Identifier: MIT */
/*
 * cache.h - decoded blocks in fixed frames of one slab (huge pages asked for), inside a byte
 * budget.
 *
 * Each attached table owns an array of frame numbers, so that a hit is one load (block_source.h).
 * Eviction: CLOCK over the frames; an evicted frame is reused only after the epoch in which it was
 * unlinked has passed and its pins are gone. Two frame sizes: 4 KiB and 16 KiB. Blocks larger than
 * 16 KiB get counted heap memory for the time of the fetch. Concurrent misses on one block read it
 * once. Scans insert without credit. No allocation on a hit, none on a miss that finds a frame.
 */
#ifndef PT_CACHE_CACHE_H
#define PT_CACHE_CACHE_H

#include "base/epoch.h"
#include "base/fail.h"
#include "entry/block_source.h"
#include "env/env.h"

typedef struct pt_cache pt_cache;

typedef struct pt_cache_stats {
    uint64_t hits_fetch; /* fetches answered from memory (peeks are not counted) */
    uint64_t misses;     /* blocks read */
    uint64_t evictions;
    uint64_t frame_bytes;  /* in use */
    uint64_t heap_bytes;   /* large blocks held now, and blocks that found no frame */
    uint64_t heap_fetches; /* blocks that would have fitted a frame but found none */
    uint64_t pinned;       /* frames pinned now */
} pt_cache_stats;

/* How a table reads and decodes one block; given by whoever joins table and cache. Called without
 * locks, from any thread. */
typedef struct pt_cache_loader {
    void *ctx;
    /* Decoded size of a block, known without I/O (or an upper bound). */
    size_t (*size)(void *ctx, uint32_t block);
    /* Reads, verifies, decodes into dst; ret_size <= size(block). */
    peat_rc (*load)(void *ctx, uint32_t block, uint8_t *dst, size_t dst_size, size_t *ret_size);
} pt_cache_loader;

/* `bytes` is the budget, what describes the frames included. */
peat_rc pt_cache_new(const pt_env *env, pt_epoch *epoch, size_t bytes,
                     pt_cache **ret_cache) PT_MUST_USE;
/* The budget from now on, up to what it was made with. Blocks that have no room in a smaller one
 * go, whichever they are, and their memory with them. */
void pt_cache_limit(pt_cache *c, size_t bytes);
/* Frames without a block give their memory back; blocks stay. */
void pt_cache_trim(pt_cache *c);
/* There is room for what nobody has asked for yet: so many bytes of it drive nothing out. */
bool pt_cache_has_spare(pt_cache *c, size_t bytes);
/* Memory ahead of use: from now on `low` is called, without a lock, when misses use up fresh memory
 * quickly. Before anybody else is in. */
void pt_cache_watch(pt_cache *c, void (*low)(void *ctx), void *ctx);
/* Then this brings some, in the calling thread, one thread at a time: memory that the next misses
 * need not wait for. False: there is enough, or some that nobody came to within a second has gone
 * back; *ret_again_ns is how long until this is called again, UINT64_MAX: not before `low`. */
bool pt_cache_bring_memory(pt_cache *c, uint64_t *ret_again_ns);
void pt_cache_free(pt_cache *c); /* every table is detached */
void pt_cache_get_stats(pt_cache *c, pt_cache_stats *ret_stats);

/* The source is the cache's own memory until detached; frame_bytes is 4096 or 16384 (the table's
 * block size), larger blocks go to the heap. */
peat_rc pt_cache_attach(pt_cache *c, uint32_t block_count, size_t frame_bytes,
                        pt_cache_loader loader, pt_block_source **ret_source) PT_MUST_USE;
/* No fetch is running and no ref is held on it; readers in an epoch may still peek (the array is
 * retired). Its frames are free at once. */
void pt_cache_detach(pt_cache *c, pt_block_source *source);

/* ---- a block comes in, in two halves ----
 *
 * What `fetch` does in one call, for callers that bring the bytes themselves: from a ring, from one
 * read for many blocks. Any number may be under way in one thread. No half does I/O or waits, and
 * nothing of the cache points into a caller's fill.
 */
typedef enum pt_cache_fill_state {
    PT_FILL_READY, /* nothing is under way; after a call that has set a reference: it is there */
    PT_FILL_LEADS, /* this caller brings the decoded block into `room` and calls end, or abandon */
    PT_FILL_WAITS  /* another caller brings it: poll, or abandon */
} pt_cache_fill_state;

typedef struct pt_cache_fill {
    pt_cache_fill_state state;
    uint8_t *room; /* of who leads */
    size_t room_size;
    size_t size;
    void *flight; /* the cache's own; NULL: of a fill alone */
    void *heap;   /* likewise, of a fill alone */
} pt_cache_fill;

/* `size`: an upper bound of the decoded size. PEAT_OK, with ret_ref set (to be released) when the
 * state is READY; PEAT_NOMEM, with nothing under way. */
peat_rc pt_cache_fill_begin(pt_block_source *source, uint32_t block, size_t size,
                            pt_fetch_hint hint, pt_cache_fill *ret_fill,
                            pt_block_ref *ret_ref) PT_MUST_USE;
/* Who leads has brought `size` bytes, or failed with rc, which all who wait get as well. Returns
 * rc; ret_ref is set with PEAT_OK. */
peat_rc pt_cache_fill_end(pt_block_source *source, pt_cache_fill *fill, peat_rc rc, size_t size,
                          pt_block_ref *ret_ref) PT_MUST_USE;
/* For who waits: READY with ret_ref set; WAITS, still; LEADS, when who led has given up; or the
 * error that it ended with. */
peat_rc pt_cache_fill_poll(pt_block_source *source, pt_cache_fill *fill,
                           pt_block_ref *ret_ref) PT_MUST_USE;
/* As poll, but WAITS no longer: blocks until it has ended, or this caller leads. Only for callers
 * that lead no other fill, or two of them could wait for each other. */
peat_rc pt_cache_fill_wait(pt_block_source *source, pt_cache_fill *fill,
                           pt_block_ref *ret_ref) PT_MUST_USE;
/* A fill that nobody else hears of, in memory of its own, which the cache does not keep: for who
 * has the bytes, but may not wait for who leads. LEADS, or PEAT_NOMEM with nothing under way. */
peat_rc pt_cache_fill_alone(pt_block_source *source, size_t size,
                            pt_cache_fill *ret_fill) PT_MUST_USE;
/* Gives up, in any state; the next of those who wait leads. */
void pt_cache_fill_abandon(pt_block_source *source, pt_cache_fill *fill);

#endif
