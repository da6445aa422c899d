/* SPDX-License-Identifier: MIT */
/*
 * flights.h - blocks on their way into memory. A flight is one block that is being read: who asked
 * first leads and brings the bytes, who asks meanwhile waits for the same flight. It belongs to the
 * cache and not to a thread, so that any number may be under way for one thread, and so that who
 * leads may give up: then the next one who asks or waits leads.
 *
 * Flights lie in shards by block, so that strangers do not meet. A shard's mu guards its flights
 * and what they hold. Those that have ended are kept for the next ones.
 */
#ifndef PT_CACHE_FLIGHTS_H
#define PT_CACHE_FLIGHTS_H

#include "base/sync.h"
#include "cache/heap_block.h"
#include "entry/block_source.h"

typedef enum pt_flight_state {
    PT_FLIGHT_LED,
    PT_FLIGHT_ABANDONED, /* who led has given up, and others wait */
    PT_FLIGHT_LANDED     /* no newcomer finds it; those who wait take what it has brought */
} pt_flight_state;

typedef struct pt_flight {
    struct pt_flight *next; /* under way, or ended and kept */
    const pt_block_source *source;
    uint32_t block;
    pt_fetch_hint hint; /* the keenest of all that want the block */
    pt_flight_state state;
    uint32_t holders; /* who leads, and those who wait */
    bool own_memory;  /* not the shard's */
    /* where the bytes go, once somebody has taken room: a frame, or else heap memory */
    uint32_t frame;
    pt_heap_block *heap;
    /* landed: what each of those who wait gets */
    peat_rc rc;
    pt_block_ref ref;
} pt_flight;

/* Shards: more than threads. A power of two. In each so many flights need no allocation. */
#define PT_FLIGHT_SHARDS 16u
#define PT_FLIGHTS_KEPT  4u

typedef struct pt_flight_shard {
    pt_mutex mu;
    pt_cond changed; /* a flight has landed or was abandoned */
    pt_flight *under_way, *ended;
    uint64_t misses; /* flights that landed, for the statistics */
    pt_flight kept[PT_FLIGHTS_KEPT];
} pt_flight_shard;

typedef struct pt_flights {
    const pt_env *env;
    pt_flight_shard shard[PT_FLIGHT_SHARDS];
} pt_flights;

void pt_flights_init(pt_flights *all, const pt_env *env);
void pt_flights_done(pt_flights *all); /* none is under way */

pt_flight_shard *pt_flights_shard_of(pt_flights *all, const pt_block_source *source,
                                     uint32_t block);

/* The rest with the shard's mu held. */

/* The flight with this block; NULL: none. */
pt_flight *pt_flights_find(const pt_flight_shard *sh, const pt_block_source *source,
                           uint32_t block);
/* A new one, led by the caller. NULL: no memory. */
pt_flight *pt_flights_begin(pt_flights *all, pt_flight_shard *sh, const pt_block_source *source,
                            uint32_t block, pt_fetch_hint hint);
/* Who leads has brought the block, or failed to: no newcomer finds the flight any more. */
void pt_flights_land(pt_flight_shard *sh, pt_flight *fl, peat_rc rc, const pt_block_ref *ref);
/* One holder less; the last one ends the flight. */
void pt_flights_leave(pt_flights *all, pt_flight_shard *sh, pt_flight *fl);

#endif
