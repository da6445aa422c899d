/* SPDX-License-Identifier: MIT */
/*
 * version_builder.h - the next version while it is built: edits applied to a copy of the state,
 * which is looked at by nobody until the version set takes it over.
 */
#ifndef PT_VERSION_VERSION_BUILDER_H
#define PT_VERSION_VERSION_BUILDER_H

#include "version/version_set.h"

typedef struct pt_version_builder {
    pt_partition **partitions; /* references; unsorted until finished */
    size_t count, capacity;
    pt_table_ref **added; /* tables of this edit; references */
    size_t added_count, added_capacity;
    pt_state state;
    pt_log_end *log_ends;
    size_t log_end_count;
    bool has_log_ends;
} pt_version_builder;

/* A copy of the version set's state; an empty one while it has no version. */
peat_rc pt_version_builder_init(pt_version_builder *d, pt_version_set *c) PT_MUST_USE;
void pt_version_builder_done(pt_version_builder *d, pt_version_set *c);
peat_rc pt_version_builder_apply(pt_version_builder *d, pt_version_set *c,
                                 pt_slice payload) PT_MUST_USE;
/* The partitions, checked and in order, as a version; it takes their references over. */
peat_rc pt_version_builder_version(pt_version_builder *d, pt_version_set *c,
                                   pt_version **ret_version) PT_MUST_USE;

#endif
