/* SPDX-License-Identifier: MIT */
/*
 * split.h - a partition as an edit, cut at table boundaries of its bottom run when it has outgrown
 * twice the target. A cut moves no bytes: upper runs get a layer in every part.
 *
 * Upper runs count as well where they outweigh the run below, as in a store that has just begun: as
 * one unit they would be merged beside all that they replace.
 */
#ifndef PT_COMPACT_SPLIT_H
#define PT_COMPACT_SPLIT_H

#include "version/edit.h"

typedef struct pt_split_plan {
    uint64_t id; /* of the first part, the partition that is replaced */
    pt_slice lower;
    const pt_layer *runs;
    size_t run_count;
    const pt_layer *bottom;
    size_t bottom_count;
} pt_split_plan;

typedef struct pt_split_size {
    uint64_t run_bytes, bottom_bytes;
    size_t bottom_count;
} pt_split_size;

bool pt_split_is_due(const pt_split_size *size, uint64_t partition_bytes);

/* Appends the partition, or the several it becomes, to the edit. */
peat_rc pt_split_edit(const pt_env *env, const pt_split_plan *plan, uint64_t partition_bytes,
                      uint64_t *io_partition_next, pt_bytes *io_edit) PT_MUST_USE;

#endif
