/* SPDX-License-Identifier: MIT */
/*
 * scan_state.h - the inside of a scan, shared by the files that move it: scan.c (single moves),
 * scan_fill.c (many rows per call), scan_hidden.c (steps that lead to no row), scan_view.c (its
 * view), scan_state.c. `below` is the merged iterator under it, and a row is an entry that it
 * shows. The invariants of each place are in the head of scan.c.
 */
#ifndef PT_READ_SCAN_STATE_H
#define PT_READ_SCAN_STATE_H

#include "entry/iter.h"
#include "state/store.h"

typedef struct pt_scan pt_scan;

typedef enum pt_scan_place {
    PT_SCAN_AT_NEW,      /* on no row: it has not moved yet */
    PT_SCAN_AT_FORWARD,  /* on a row, and so is `below` */
    PT_SCAN_AT_BACKWARD, /* on a row; `below` has passed it on the way back */
    PT_SCAN_AT_BEYOND,   /* on the last row of a fill; `below` has passed it on the way forward */
    PT_SCAN_AT_KEY,      /* on a row whose key alone is kept: the view has changed */
    PT_SCAN_AT_ENDED     /* on no row: `ended` says why */
} pt_scan_place;

struct pt_scan {
    pt_store *store;
    pt_view *view;        /* NULL before the first move, and `below` too */
    uint64_t view_number; /* the store's when its view was last looked at; 0: look again */
    uint32_t wait;        /* counts down moves; at 1 replaced files alone are reason enough */
    pt_snapshot_link link;
    pt_iter *below;
    pt_bytes bounds;
    pt_slice lower, upper;
    bool keys_only, whole_table;
    bool at_snapshot; /* others read at its sequence, too */
    pt_scan_place place;
    peat_rc ended;       /* why, while PT_SCAN_AT_ENDED */
    bool below_ended;    /* PT_SCAN_AT_BACKWARD: below has no entry before */
    bool filled;         /* the row it stands on was returned by a fill: the next goes on */
    bool stay;           /* `below` may not leave its block: rows point into it */
    pt_slice key, value; /* of the row: in memory of `below`, or saved */
    pt_bytes saved_key, saved_value;
    pt_bytes *chunks; /* memory of the last fill's rows */
    size_t chunk_count, chunk_capacity;
    size_t row_bytes;      /* in them */
    size_t own_bytes;      /* of chunks and saved_value, as the store has it counted */
    uint64_t hidden_steps; /* not yet added to the store's */
    /* Of scan_hidden.c: where what this walk has found empty begins (back: ends), and a range that
     * was known before. */
    pt_bytes empty_from, empty_lower, empty_upper;
};

/* Hidden steps a scan counts for itself before they are the store's. */
#define PT_HIDDEN_STEPS_COUNTED 64u

/* The key is kept, where `below` may move without changing it. */
static inline peat_rc pt_scan_save_key(pt_scan *c, pt_slice key)
{
    c->saved_key.size = 0;
    return pt_bytes_append(&c->saved_key, key.data, key.size);
}
/* That of the row shown. */
static inline peat_rc pt_scan_keep_key(pt_scan *c)
{
    return c->key.data == c->saved_key.data ? PEAT_OK : pt_scan_save_key(c, c->key);
}

/* ---- scan_hidden.c ---- */

/* The steps of one move that have led to no row. */
typedef struct pt_hidden {
    uint32_t steps;
    uint32_t look_at; /* at this step it asks whether an earlier walk was here */
    uint32_t unknown; /* steps since `marked`; jumps after the first count, too */
    uint32_t jumps;   /* over ranges that were known */
    bool marked;      /* empty_from says what the walk has found empty so far */
} pt_hidden;

/* `below` stands on a hidden entry of this key, or (back) on one that is still to be looked at.
 * True: the key lies in a range [c->empty_lower, c->empty_upper) that is known to be empty. */
bool pt_hidden_look(pt_scan *c, pt_hidden *h, pt_slice key, bool back);
/* The move has reached the key of a row, or the bound of the scan; before it (back: behind it) all
 * was empty. */
void pt_hidden_end(pt_scan *c, const pt_hidden *h, pt_slice reached, bool back);
/* What it has counted is added to the store's. */
void pt_hidden_count(pt_scan *c);

/* Most moves have no such step: the rest is set by the first. */
static inline void pt_hidden_begin(pt_hidden *h)
{
    h->steps = 0;
}

static inline void pt_hidden_step(const pt_scan *c, pt_hidden *h)
{
    if (h->steps == 0)
        *h = (pt_hidden){.look_at = c->store->settings.hidden_steps_look};
    h->steps++;
    h->unknown += h->marked;
}

/* ---- scan_view.c ---- */

/* Takes the present view, if it has none or one that keeps what the store has replaced. Then it
 * stands AT_KEY, if on a row. Fails only when it has no view. `placing`: the move that follows does
 * not depend on its place (first, last, seek). */
peat_rc pt_scan_renew_view(pt_scan *c, bool placing) PT_MUST_USE;

/* ---- scan_state.c ---- */

/* It stands nowhere from now on, for `rc`, which is returned. */
peat_rc pt_scan_end(pt_scan *c, peat_rc rc);

bool pt_scan_forked(const pt_scan *c); /* this is a child of the process that opened it */
bool pt_scan_valid(const pt_scan *c);
pt_slice pt_scan_key(const pt_scan *c); /* internal */
pt_slice pt_scan_value(const pt_scan *c);
/* After a move forward: the entry of its row, all of it. */
const pt_entry *pt_scan_entry(const pt_scan *c);
/* Memory of a fill's rows, good until they are cleared; NULL: there is none. One chunk of the usual
 * size is kept then. */
uint8_t *pt_scan_row_room(pt_scan *c, size_t bytes) PT_MUST_USE;
void pt_scan_clear_rows(pt_scan *c);
/* The memory of its rows and value has changed. */
void pt_scan_count_memory(pt_scan *c);

#endif
