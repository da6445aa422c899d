/* SPDX-License-Identifier: MIT */
/*
 * merge_edit.h - what a merge has made becomes an edit of the version of now, which may be another
 * than the one it has read. A pure function of both.
 */
#ifndef PT_COMPACT_MERGE_EDIT_H
#define PT_COMPACT_MERGE_EDIT_H

#include "compact/merge_pick.h"
#include "compact/output.h"
#include "version/version.h"

/* What a merge has made, and of what. */
typedef struct pt_merge_edit_input {
    const pt_env *env;
    const pt_version *version; /* what was merged is of this one */
    const pt_merge_pick *pick;
    const uint64_t *dropped_bytes; /* of each part */
    pt_output_files files;
    uint64_t partition_bytes; /* target */
} pt_merge_edit_input;

/* Its partitions are claimed: in `current` they hold what they held, and what was flushed into them
 * meanwhile. */
peat_rc pt_merge_edit_make(const pt_merge_edit_input *in, const pt_version *current,
                           uint64_t *io_partition_next, pt_bytes *io_edit) PT_MUST_USE;

#endif
