/* SPDX-License-Identifier: MIT */
/*
 * scan.h - iterators over the store (LevelDB: DBIter): entries of one keyspace, each key once, as
 * of one sequence. One scan is used by one thread at a time.
 */
#ifndef PT_READ_SCAN_H
#define PT_READ_SCAN_H

#include "read/scan_state.h"

typedef struct pt_scan_options {
    bool has_seq;
    uint64_t seq;          /* of an open snapshot, with has_seq; else as of now */
    pt_slice lower, upper; /* internal keys, [lower, upper), both given; copied */
    bool keys_only;
    bool whole_table; /* read past the cache: exports */
} pt_scan_options;

/* Holds the store, and registers its sequence. It takes a view at its first move, and newer ones
 * later (scan_view.c). */
peat_rc pt_scan_new(pt_store *s, const pt_scan_options *options, pt_scan **ret_scan) PT_MUST_USE;
void pt_scan_free(pt_scan *c);

/* Another one with the same bounds, at the present sequence. It stands where this one does: on the
 * entry of that key or, when that is gone, on the next one behind it, before it with `back`
 * (PEAT_END: there is none); on none, when this one stands on none. ret_scan is set with PEAT_OK
 * and PEAT_END. */
peat_rc pt_scan_again(const pt_scan *c, bool back, bool whole_table,
                      pt_scan **ret_scan) PT_MUST_USE;

typedef enum pt_scan_move { PT_SCAN_FIRST, PT_SCAN_LAST, PT_SCAN_NEXT, PT_SCAN_PREV } pt_scan_move;
/* PEAT_OK, PEAT_END, PEAT_CLOSED, a read error. */
peat_rc pt_scan_go(pt_scan *c, pt_scan_move move);
peat_rc pt_scan_seek(pt_scan *c, pt_slice key, bool for_prev); /* internal key */
peat_rc pt_scan_fill(pt_scan *c, bool back, peat_row *rows, size_t n, size_t *ret_n);

/* ---- for scan_fill.c ---- */

/* A move that leaves `filled` alone. */
peat_rc pt_scan_step(pt_scan *c, pt_scan_move move);
/* At the beginning of each call that moves it. PEAT_CLOSED when the store is gone, PEAT_NOMEM when
 * there is no memory to begin; the scan is ended with it. */
peat_rc pt_scan_enter(pt_scan *c, bool placing) PT_MUST_USE;
/* Of scan_columns.c: up to n rows out of the columns of the block in which `below` stands, from the
 * entry on that it stands on. Keys are copied, values stay where they are. Then the scan
 * stands on the last of them. 0: there are no such columns, or nothing is left of them. */
size_t pt_scan_take_columns(pt_scan *c, bool back, peat_row *rows, size_t n, peat_rc *ret_rc);
/* AT_KEY: stands on that row again. */
peat_rc pt_scan_show_again(pt_scan *c) PT_MUST_USE;

#endif
