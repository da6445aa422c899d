/* SPDX-License-Identifier: MIT */
/*
 * snapshot.h - which sequences somebody still looks at: snapshots, and iterators, which are
 * snapshots of their own.
 */
#ifndef PT_STATE_SNAPSHOT_H
#define PT_STATE_SNAPSHOT_H

#include "state/store.h"

/* Links it at the present end of the published order. */
void pt_snapshot_link_add(pt_store *s, pt_snapshot_link *link);
/* The same at the sequence of a snapshot that is open, and stays so until this returns. */
void pt_snapshot_link_add_at(pt_store *s, pt_snapshot_link *link, uint64_t seq);
void pt_snapshot_link_remove(pt_store *s, pt_snapshot_link *link);
/* The oldest of their sequences, one of each, ascending, `max` at most: returns how many.
 * *ret_more: there may be others. */
size_t pt_snapshot_oldest(pt_store *s, uint64_t *ret_seqs, size_t max, bool *ret_more);
/* All sequences, ascending, without repeats; env memory. */
peat_rc pt_snapshot_list(pt_store *s, uint64_t **ret_seqs, size_t *ret_count) PT_MUST_USE;

/* A reader has let go of what it held, and of this sequence (UINT64_MAX: of none): wakes the
 * background when that was what it waits for. */
void pt_snapshot_released(pt_store *s, uint64_t seq);

#endif
