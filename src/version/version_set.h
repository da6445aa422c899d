/* SPDX-License-Identifier: MIT */
/*
 * version_set.h - the current version and how it changes: an edit is tried on a copy, made durable
 * in the manifest, and then becomes the current one. Recovery applies the same edits in the same
 * way.
 *
 * Lock rule: one caller at a time for everything that changes it (the store's install lock).
 */
#ifndef PT_VERSION_VERSION_SET_H
#define PT_VERSION_VERSION_SET_H

#include "version/edit.h"
#include "version/manifest.h"
#include "version/manifest_file.h"
#include "version/version.h"

typedef struct pt_version_set {
    const pt_env *env;
    pt_dir *dir;
    pt_sink *sink;
    pt_open_tables *open_tables;
    pt_manifest *manifest;
    pt_version *version; /* one reference */
    pt_state state;
    pt_log_end *log_ends; /* of segments recovered in earlier opens that are still live */
    size_t log_end_count;
    pt_table_ref **tables; /* every table file of the state, ascending by number; references */
    size_t table_count, table_capacity;
    uint64_t live_bytes; /* of a snapshot of the state, for the rewrite rule */
} pt_version_set;

/* Makes the durable beginnings of an empty store. */
peat_rc pt_version_set_create(pt_version_set *c, pt_open_tables *open_tables, uint64_t store_id,
                              uint32_t app_id, bool unfinished) PT_MUST_USE;
/* Reads the manifest. Opens no table; compares the directory's names and sizes with the state:
 * PEAT_CORRUPT for a table that is missing or has another size. */
peat_rc pt_version_set_open(pt_version_set *c, pt_open_tables *open_tables) PT_MUST_USE;
/* For repair: the state as this manifest tells it, whatever became of the tables; to be read, never
 * committed to. Where its records end. */
peat_rc pt_version_set_read(pt_version_set *c, pt_open_tables *open_tables, pt_file *file,
                            const pt_superblock *superblock,
                            pt_manifest_place *ret_place) PT_MUST_USE;
/* For a writer, after open: counts the open durably, removes files that no state refers to. */
peat_rc pt_version_set_begin(pt_version_set *c) PT_MUST_USE;
void pt_version_set_done(pt_version_set *c);

/* Edit under construction: the items without the state, which commit adds. */
peat_rc pt_version_set_commit(pt_version_set *c, pt_bytes *io_edit,
                              const pt_state *state) PT_MUST_USE;
/* Rewrites the manifest when it has grown beyond that and what is live; harmless to fail. */
peat_rc pt_version_set_tidy(pt_version_set *c, uint64_t manifest_bytes_min) PT_MUST_USE;

pt_table_ref *pt_version_set_table(const pt_version_set *c, uint64_t file_number); /* NULL: none */

#endif
