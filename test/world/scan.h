/* SPDX-License-Identifier: MIT */
/* scan.h - all rows of an iterator, in the ways there are to walk it. */
#ifndef TEST_WORLD_SCAN_H
#define TEST_WORLD_SCAN_H

#include "peat.h"

/* By steps or by fills, forward or back. */
typedef enum scan_way {
    SCAN_STEPS,
    SCAN_STEPS_BACK,
    SCAN_FILLS,
    SCAN_FILLS_BACK,
    SCAN_WAYS
} scan_way;

typedef void (*scan_row_fn)(void *arg, peat_slice key, peat_slice value);

/* From one end to the other. Returns how it ended: PEAT_END, an error, or PEAT_INVALID when a key
 * was not behind the one before it. */
peat_rc scan_rows(peat_iter *it, scan_way way, scan_row_fn each, void *arg);

/* As bytes, a shorter one first. */
int scan_compare(peat_slice a, peat_slice b);

#endif
