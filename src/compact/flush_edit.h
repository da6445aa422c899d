/* SPDX-License-Identifier: MIT */
/*
 * flush_edit.h - what a flush has made becomes an edit of the version of now, which may be another
 * than the one it ran on. A pure function of both.
 */
#ifndef PT_COMPACT_FLUSH_EDIT_H
#define PT_COMPACT_FLUSH_EDIT_H

#include "compact/output.h"
#include "version/version.h"

/* What a flush has made. */
typedef struct pt_flush_edit_input {
    const pt_env *env;
    pt_output_files runs, appended;
    uint64_t partition_bytes; /* target */
} pt_flush_edit_input;

/* may_split: no merge is at work on the last partition. */
peat_rc pt_flush_edit_make(const pt_flush_edit_input *in, const pt_version *current, bool may_split,
                           uint64_t *io_partition_next, pt_bytes *io_edit) PT_MUST_USE;

#endif
