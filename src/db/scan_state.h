/* SPDX-License-Identifier: MIT */
/* scan_state.h - the inside of a scan, shared by scan.c (moves) and scan_fill.c (many rows per
 * call). */
#ifndef PT_DB_SCAN_STATE_H
#define PT_DB_SCAN_STATE_H

#include "db/scan.h"
#include "entry/iter.h"

typedef enum pt_scan_place {
    PT_SCAN_AT_NEW,
    PT_SCAN_AT_FORWARD,
    PT_SCAN_AT_BACKWARD,
    PT_SCAN_AT_BEYOND,
    PT_SCAN_AT_ENDED
} pt_scan_place;

struct pt_scan {
    pt_store *store;
    pt_view *view;
    pt_snapshot_link link;
    pt_iter *below;
    pt_bytes bounds;
    pt_slice lower, upper;
    bool keys_only;
    pt_scan_place place;
    peat_rc ended;       /* why, while PT_SCAN_AT_ENDED */
    bool below_ended;    /* PT_SCAN_AT_BACKWARD: below has no entry before */
    bool filled;         /* the entry it stands on was returned by a fill */
    bool stay;           /* `below` may not leave its block: rows point into it */
    pt_slice key, value; /* shown */
    pt_bytes saved_key;
    pt_bytes saved_value;
    pt_bytes *chunks; /* memory of the last fill's rows */
    size_t chunk_count, chunk_capacity;
    size_t row_bytes; /* in them */
};

/* A move that leaves `filled` alone. */
peat_rc pt_scan_step(pt_scan *c, pt_scan_move move);
/* The store is gone: PEAT_CLOSED, and the scan ended with it. */
peat_rc pt_scan_enter(pt_scan *c);

#endif
