/* SPDX-License-Identifier: MIT */
/*
 * merge_pick.h - which layers a merge takes: what pick.h chooses, merge.h does and merge_edit.h
 * installs.
 */
#ifndef PT_COMPACT_MERGE_PICK_H
#define PT_COMPACT_MERGE_PICK_H

#include "base/base.h"

typedef enum pt_merge_kind { PT_MERGE_INTERMEDIATE, PT_MERGE_BOTTOMMOST } pt_merge_kind;

/* What to merge: partitions first .. first + count - 1 of a version, and in each the upper runs
 * [run_from, run_from + run_count); bottom merges take everything. */
typedef struct pt_merge_part {
    size_t run_from, run_count;
} pt_merge_part;

#define PT_MERGE_PARTS_MAX 64

typedef struct pt_merge_pick {
    pt_merge_kind kind;
    size_t first, count;
    pt_merge_part parts[PT_MERGE_PARTS_MAX];
    uint64_t bytes;       /* of the inputs */
    uint64_t write_bytes; /* of the output, about */
    bool on_credit;       /* only idle_bytes_max of the options allowed it */
} pt_merge_pick;

#endif
