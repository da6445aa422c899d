/* SPDX-License-Identifier: MIT */
/*
 * version_builder.h - the next version while it is built: edits applied to a copy of the state,
 * which is looked at by nobody until the version set takes it over (LevelDB: VersionSet::Builder).
 */
#ifndef PT_VERSION_VERSION_BUILDER_H
#define PT_VERSION_VERSION_BUILDER_H

#include "version/edit.h"
#include "version/open_tables.h"
#include "version/version.h"

typedef struct pt_version_builder {
    const pt_env *env;
    pt_open_tables *open_tables;
    const pt_state *current;     /* the set's, for texts */
    pt_table_ref *const *tables; /* the set's, ascending by number */
    size_t table_count;
    pt_partition **partitions; /* references; unsorted until finished */
    size_t count, capacity;
    pt_table_ref **added; /* tables of this edit; references */
    size_t added_count, added_capacity;
    pt_state state;
    pt_log_end *log_ends;
    size_t log_end_count;
    bool has_log_ends;
} pt_version_builder;

/* Empty, in that state. */
void pt_version_builder_init(pt_version_builder *d, pt_open_tables *open_tables,
                             const pt_state *current);
/* Begins with what the set has. */
peat_rc pt_version_builder_begin(pt_version_builder *d, const pt_version *version,
                                 pt_table_ref *const *tables, size_t table_count) PT_MUST_USE;
void pt_version_builder_done(pt_version_builder *d);
/* One edit. */
peat_rc pt_version_builder_apply(pt_version_builder *d, pt_slice payload) PT_MUST_USE;
/* The partitions, checked and in order, as a version; it takes their references over. */
peat_rc pt_version_builder_finish(pt_version_builder *d, pt_version **ret_version) PT_MUST_USE;

#endif
