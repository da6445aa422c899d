/* SPDX-License-Identifier: MIT */
/*
 * draft.h - the next version while it is built: edits applied to a copy of the state, which is
 * looked at by nobody until the version set takes it over.
 */
#ifndef PT_VERSION_DRAFT_H
#define PT_VERSION_DRAFT_H

#include "version/version_set.h"

typedef struct pt_draft {
    pt_partition **partitions; /* references; unsorted until finished */
    size_t count, capacity;
    pt_tref **added; /* tables of this edit; references */
    size_t added_count, added_capacity;
    pt_state state;
    pt_log_end *log_ends;
    size_t log_end_count;
    bool has_log_ends;
} pt_draft;

/* A copy of the version set's state; an empty one while it has no version. */
peat_rc pt_draft_init(pt_draft *d, pt_version_set *c) PT_MUST_USE;
void pt_draft_done(pt_draft *d, pt_version_set *c);
peat_rc pt_draft_apply(pt_draft *d, pt_version_set *c, pt_slice payload) PT_MUST_USE;
/* The partitions, checked and in order, as a version; it takes their references over. */
peat_rc pt_draft_version(pt_draft *d, pt_version_set *c, pt_version **ret_version) PT_MUST_USE;

#endif
