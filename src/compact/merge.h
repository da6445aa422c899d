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

#include "compact/merge_pick.h"
#include "compact/output.h"
#include "compact/version_gc.h"
#include "entry/iter.h"
#include "version/version.h"

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
