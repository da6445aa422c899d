/* SPDX-License-Identifier: MIT */
/*
 * ring.h - many lookups in what is in memory, by turns: each asks for the lines that it looks at
 * next and gives way to the others, so that a wait for memory is everybody's and not one after the
 * other's. A lookup that has ended leaves its place to the next one at once: there are always as
 * many under way as there are places, never a batch that waits for its slowest.
 *
 *   inside an epoch
 *   pt_ring_begin(r, number, key) ...            while there is a place, and a key
 *   while ((p = pt_ring_turn(r)) != NULL) {
 *       p->state: FOUND (p->lookup.found.entry), ABSENT, MISSES
 *       pt_ring_replace(r, number, key);         the next key in its place
 *       or pt_ring_end(r);                       there is none
 *   }
 */
#ifndef PT_READ_RING_H
#define PT_READ_RING_H

#include "entry/probe.h"
#include "state/view.h"
#include "version/version_find.h"

/* Lookups at once: enough to cover a wait for memory by steps of the others. Of 8, 12, 16 and 24
 * twelve and sixteen are the best, by a few hundredths. */
#define PT_RING_PLACES 12u

typedef struct pt_ring_probe {
    size_t number; /* the caller's */
    pt_probe_state state;
    const pt_mem *mem; /* that it looks at, or found it in; NULL: tables */
    size_t passed;     /* memtables behind it */
    pt_memtable_probe in_mem;
    pt_lookup lookup;
    pt_lookup_probe in_tables;
    uint8_t *key; /* room for the internal key */
} pt_ring_probe;

#define PT_RING_KEY_BYTES 64u /* that need no memory of the heap */

typedef struct pt_ring {
    const pt_env *env;
    const pt_view *view;
    uint64_t seq;
    uint32_t keyspace;
    size_t active, turn;
    unsigned checks, skips;               /* of filters, of those that have ended */
    pt_ring_probe *place[PT_RING_PLACES]; /* the first `active` are under way */
    pt_ring_probe probe[PT_RING_PLACES];
    uint8_t *long_keys; /* NULL: they fit in */
    uint8_t short_keys[PT_RING_PLACES][PT_RING_KEY_BYTES];
} pt_ring;

/* For user keys of up to key_size_max bytes. The view is the caller's until done. PEAT_NOMEM. */
peat_rc pt_ring_init(pt_ring *r, const pt_env *env, const pt_view *view, uint64_t seq,
                     uint32_t keyspace, size_t key_size_max) PT_MUST_USE;
void pt_ring_done(pt_ring *r);
static inline bool pt_ring_has_place(const pt_ring *r)
{
    return r->active < PT_RING_PLACES;
}
void pt_ring_begin(pt_ring *r, size_t number, peat_slice key);
/* One that has ended; NULL: none is under way. */
pt_ring_probe *pt_ring_turn(pt_ring *r);
/* The one that was returned last leaves its place: to the next one, or for good. */
void pt_ring_replace(pt_ring *r, size_t number, peat_slice key);
void pt_ring_end(pt_ring *r);

#endif
