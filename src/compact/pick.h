/* SPDX-License-Identifier: MIT */
/*
 * pick.h - choose: which unit of background work is due. A pure function of a version and options.
 *
 * Space debt: when the store's obsolete bytes come near what the space target allows, the
 * partition in which a merge frees most for what it writes is due; one where it frees more than it
 * writes always is. So what is deleted in order of age goes at almost no cost. Read debt: something
 * is due when a get has to ask too many upper runs; an intermediate merge when these are small
 * beside the bottommost run (tiered, after Dostoevsky's lazy leveling), a bottommost merge when
 * they outweigh it. Idle: any partition with more than one run is due.
 */
#ifndef PT_COMPACT_PICK_H
#define PT_COMPACT_PICK_H

#include "compact/merge_pick.h"
#include "version/version.h"

/* With more that are older than a table none of what it keeps for them is counted as free. */
#define PT_PICK_SNAPSHOTS_MAX 16u

typedef struct pt_pick_options {
    uint64_t partition_bytes;
    uint64_t table_bytes, entries_max; /* of a table; entries_max 0: any number */
    double space_target;
    double space_due;        /* merges are due at so much of what the target allows; 1: at all */
    uint64_t memtable_bytes; /* what one flush adds at most */
    size_t runs_max;         /* a partition with more is due */
    /* A merge holds one entry of each upper run: beyond so many bytes of these it is due. 0: any.
     *  */
    uint64_t held_bytes_max;
    bool idle; /* settle: where a merge writes at most 8 bytes for each that was written or goes */
    uint64_t idle_bytes_max; /* and where it writes at most so many, about */
    /* the oldest sequences that somebody reads at, one of each, ascending; more_snapshots: there
     * are others. What bottom runs keep for snapshots that are closed can go. */
    uint64_t snapshots[PT_PICK_SNAPSHOTS_MAX];
    size_t snapshot_count;
    bool more_snapshots;
    /* partitions some other unit works on, or that are not to be touched */
    const uint64_t *claimed;
    size_t claimed_count;
    /* only partitions that meet [lower, upper) are asked; upper.data NULL: open */
    pt_slice lower, upper;
} pt_pick_options;

typedef enum pt_unit {
    PT_UNIT_NONE,
    PT_UNIT_MERGE, /* ret_pick says which */
    PT_UNIT_SPLIT, /* partition ret_pick->first is cut; an edit only */
    PT_UNIT_UNITE, /* ret_pick->count partitions from ret_pick->first, without upper runs, become
                      one; an edit only */
} pt_unit;

pt_unit pt_pick(const pt_version *v, const pt_pick_options *o, pt_merge_pick *ret_pick);

/* The changes of the manifest alone: SPLIT, UNITE or NONE. */
pt_unit pt_pick_shape(const pt_version *v, const pt_pick_options *o, pt_merge_pick *ret_pick);

/* How hard writers are to be braked by the worst debt, without what is claimed, which is being
 * worked off: 0, not at all; 1, to the pace of merging, which is where the bound on space ends; and
 * on beyond. */
double pt_pick_brake(const pt_version *v, const pt_pick_options *o);
/* Bytes of obsolete data above what the target allows, and of all that a bottom run keeps for
 * snapshots. */
uint64_t pt_pick_space_debt(const pt_version *v, double space_target);
/* Bottom runs keep something for snapshots that are still open: these are older than
 * *ret_before. */
bool pt_pick_held_back(const pt_version *v, const pt_pick_options *o, uint64_t *ret_before);

#endif
