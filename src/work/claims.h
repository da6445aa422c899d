/* SPDX-License-Identifier: MIT */
/*
 * claims.h - which partitions units work on (I9), and which are left alone. A partition is claimed
 * from choosing until what came of it is shown: by a worker for its merge, or by a flush that may
 * cut the last one. The caller holds work.mu.
 */
#ifndef PT_WORK_CLAIMS_H
#define PT_WORK_CLAIMS_H

#include "base/base.h"
#include "compact/merge_pick.h"

/* Of each thread's unit, of the callers' together, and of the flush under way. */
#define PT_CLAIMS_MAX (PT_MERGE_PARTS_MAX * (PEAT_THREADS_MAX + 1) + 1)
/* Damaged partitions beyond these are tried again and again. */
#define PT_CLAIMS_AVOIDED_MAX 64u

typedef struct pt_claims {
    uint64_t ids[PT_CLAIMS_MAX]; /* of partitions */
    size_t count;
    uint64_t avoided[PT_CLAIMS_AVOIDED_MAX]; /* their merge met damage: until the next open */
    size_t avoided_count;
} pt_claims;

bool pt_claims_has(const pt_claims *c, uint64_t id);
/* It is nobody's. */
void pt_claims_add(pt_claims *c, uint64_t id);
/* It was added. */
void pt_claims_end(pt_claims *c, uint64_t id);
/* No unit works on it any more, even when nobody claims it. */
void pt_claims_avoid(pt_claims *c, uint64_t id);

/* What a choice leaves alone: those claimed, and those avoided. Returns how many. */
#define PT_CLAIMS_LISTED_MAX (PT_CLAIMS_MAX + PT_CLAIMS_AVOIDED_MAX)
size_t pt_claims_list(const pt_claims *c, uint64_t ret_ids[PT_CLAIMS_LISTED_MAX]);

#endif
