/* SPDX-License-Identifier: MIT */
/*
 * get.h - a point read as an object: it says what it needs, whoever runs it brings that, and any
 * number may be under way in one thread. The blocking calls (read.h) run it with reads of their
 * own; one thread can run many, and read what they need in any way and order.
 *
 *   pt_get_begin(&g, store, &options, key);
 *   for (;;) {
 *       state = pt_get_step(&g);
 *       FOUND, ABSENT    the answer, in g.entry; nothing else until pt_get_end: an epoch is held
 *       NEEDS            read what pt_get_wanted_of names, then pt_get_supply the bytes or error
 *       WAITS            another one reads the same block: step again later
 *       FAILED           g.rc
 *   }
 *   pt_get_end(&g);      in any state: it gives up what it waits for or was to read
 *
 * Between steps it holds a reference on its view, and the block it was given last, but no epoch. It
 * answers as of its first step, whatever is written while it waits.
 */
#ifndef PT_READ_GET_H
#define PT_READ_GET_H

#include "read/read.h"
#include "version/version_find.h"

typedef enum pt_get_state {
    PT_GET_FOUND,
    PT_GET_ABSENT,
    PT_GET_NEEDS,
    PT_GET_WAITS,
    PT_GET_FAILED
} pt_get_state;

typedef struct pt_get {
    pt_store *s;
    pt_slice key; /* internal; the caller's */
    uint64_t seq;
    const pt_read_options *options;
    pt_view *held_view; /* referenced once I/O was needed; NULL before */
    pt_view *seen_view; /* by the last step, good for the epoch of it */
    pt_lookup lookup;
    pt_section_data *kept; /* the index that was loaded for it last, until it has ended */
    bool in_tables;        /* the memtables are behind it */
    bool counted;          /* in store.h's `calls`, from the first I/O on until it is done */
    bool in_epoch;         /* it has answered, and pt_get_end is to come */
    bool patient;          /* nobody is to wait for it, and it waits for nobody: see below */
    bool told;             /* it has answered once: that is counted */
    /* found */
    pt_entry entry;
    pt_mem *mem;        /* where, when not in a table */
    unsigned slot;      /* of its epoch (base/epoch.h) */
    peat_rc rc;         /* of FAILED */
    pt_cache_fill fill; /* of the block that it needs or waits for */
} pt_get;

typedef struct pt_get_sums {
    uint64_t gets, found, filter_checks, filter_skips;
} pt_get_sums;

/* What a get that NEEDS is to be supplied with. */
typedef struct pt_get_wanted {
    pt_table *table; /* pt_table_read reads of it */
    uint64_t offset;
    size_t size;
    const char *what; /* for texts of errors */
    uint8_t *room;    /* the bytes may be read to here, and are supplied from here; may be NULL */
} pt_get_wanted;

/* Options and key live until the end. */
void pt_get_begin(pt_get *g, pt_store *s, const pt_read_options *options, pt_slice key);
pt_get_state pt_get_step(pt_get *g);
void pt_get_wanted_of(const pt_get *g, pt_get_wanted *ret_wanted);
/* rc: PEAT_OK with the bytes, or why there are none; others who wait for the same get that, too. */
void pt_get_supply(pt_get *g, peat_rc rc, pt_slice bytes);
void pt_get_end(pt_get *g);

/* ---- for gets that may lie about for long between two steps (queue) ----
 *
 * A patient one leads no flight of a block while it is read, which others would wait for, and never
 * WAITS itself: what it is supplied with comes into the cache then, unless another thread brings
 * the same just now. Set after the beginning. */
static inline void pt_get_be_patient(pt_get *g)
{
    g->patient = true;
}
/* It has FOUND its entry: outside the epoch the get keeps what is needed to find it again by the
 * next step, in the same state. An entry of a memtable stays where it is, as one in a block that it
 * holds. */
void pt_get_hold(pt_get *g);
/* Begins as of this view and seq, which are one state. */
void pt_get_begin_in(pt_get *g, pt_store *s, const pt_read_options *options, pt_slice key,
                     pt_view *view, uint64_t seq);

/* ---- for many at one read point (multi_get.h) ---- */

/* Begins behind the memtables of this view, which did not have the key, as of seq. */
void pt_get_begin_at(pt_get *g, pt_store *s, const pt_read_options *options, pt_slice key,
                     pt_view *view, uint64_t seq);
/* One that NEEDS reads it by itself and is supplied. Blocking. */
void pt_get_read_alone(pt_get *g);
/* One that WAITS: until there is something to be stepped for. Only for who reads nothing itself at
 * the time, for this get or another: who leads may wait for just that. */
void pt_get_wait(pt_get *g);
/* Counts answers of lookups that were no pt_get. `slot`: of the epoch that the caller is in. */
void pt_get_count_many(pt_store *s, unsigned slot, const pt_get_sums *sums);

/* The entry that was found lies in the block that the get holds: it stays until pt_get_end, epoch
 * or not. */
bool pt_get_holds_entry(const pt_get *g);
void pt_get_leave_epoch(pt_get *g);

/* ---- for pinned gets, which find a block of their own to hold ---- */

/* A view is held, and the sequence set: until there is an answer, PEAT_OK or PEAT_NOT_FOUND, or an
 * error. No epoch is held afterwards. */
peat_rc pt_get_run_with_view(pt_get *g) PT_MUST_USE;
/* Reads what the last step needed, and waits for it. Outside the epoch. */
peat_rc pt_get_read(pt_get *g) PT_MUST_USE;
/* Counts an answer. */
void pt_get_count(pt_get *g, bool found);
/* The call ends with this error, which is kept for peat_call_error. */
peat_rc pt_get_failed(pt_get *g, peat_rc rc);

#endif
