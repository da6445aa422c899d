/* SPDX-License-Identifier: MIT */
/*
 * merge.h - layers of neighbouring partitions become fewer. Resumable: a merge is stepped by so
 * many bytes at a time, so that a flush or a committer never waits for a whole one.
 *
 * Intermediate: some upper runs of each partition become one, all in one file. Bottommost: all
 * layers of the partitions become one run; several partitions become one, or one becomes several
 * (split.h).
 */
#ifndef PT_COMPACT_MERGE_H
#define PT_COMPACT_MERGE_H

#include "compact/output.h"
#include "compact/version_gc.h"
#include "entry/iter.h"
#include "version/version.h"

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

typedef struct pt_merge pt_merge;

/* What it was made with. */
const pt_compact_context *pt_merge_context(const pt_merge *m);
/* References the version; ctx and its snapshots outlive the merge. */
peat_rc pt_merge_new(const pt_compact_context *ctx, pt_version *version, const pt_merge_pick *pick,
                     pt_merge **ret_merge) PT_MUST_USE;
/* PEAT_OK: more to do; PEAT_END: the files are complete and durable, install them. */
peat_rc pt_merge_step(pt_merge *m, uint64_t bytes) PT_MUST_USE;
peat_rc pt_merge_edit(pt_merge *m, const pt_version *current, uint64_t *io_partition_next,
                      pt_bytes *io_edit) PT_MUST_USE;
void pt_merge_installed(pt_merge *m);
void pt_merge_free(pt_merge *m); /* without installed: the files go */

/* After a step that returned PEAT_IO: an input could not be read, the output is not to blame. */
bool pt_merge_is_unreadable(const pt_merge *m);
uint64_t pt_merge_bytes_written(const pt_merge *m);
uint64_t pt_merge_bytes_read(const pt_merge *m);
pt_merge_kind pt_merge_get_kind(const pt_merge *m);

#endif
