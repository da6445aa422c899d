/* SPDX-License-Identifier: MIT */
/*
 * repair.h - a new store out of what can be read of a damaged one; see peat_repair in peat.h.
 *
 * repair_read.c finds out what there is: which tables in which order, the log. repair.c merges it,
 * tells certain entries from doubtful ones, and writes the new store.
 */
#ifndef PT_REPAIR_REPAIR_H
#define PT_REPAIR_REPAIR_H

#include "state/store.h"
#include "repair/table_salvage.h"

/* A table file, and what can be read of it once it was looked at. */
typedef struct pt_repair_table {
    pt_table *table;
    const pt_table_meta *meta;
    pt_salvage *salvage; /* NULL: not yet, or no longer */
} pt_repair_table;

/* The damaged store, opened by nobody. One thread. */
typedef struct pt_repair {
    const pt_env *env;
    const peat_repair_options *options;
    pt_dir *dir;
    peat_env_lock *lock; /* NULL: the store has no LOCK */
    pt_sink sink;
    pt_epoch epoch;
    pt_cache *cache;
    pt_open_tables open_tables;
    pt_version_set version_set;
    pt_superblock superblock;
    bool trusted; /* the version set says which table is newer */
    uint64_t seq_flushed;

    pt_repair_table *tables; /* by file number; when not trusted: newest first */
    size_t table_count, table_capacity;
    pt_memtable *log; /* what the log has above seq_flushed */

    uint64_t files; /* pt_repair_files */
    uint64_t bytes_done, bytes_total;
    peat_repair_report report;
    bool cancelled;
} pt_repair;

/* On failure too pt_repair_close must follow. */
peat_rc pt_repair_open(pt_repair *r, const char *dir, const pt_env *env,
                       const peat_repair_options *options) PT_MUST_USE;
void pt_repair_close(pt_repair *r);
/* Reads the table once and reports what is wrong; the second time does nothing. */
peat_rc pt_repair_look(pt_repair *r, pt_repair_table *t) PT_MUST_USE;
/* Of the names and sizes of the store's files in this directory; 0: there are none. */
uint64_t pt_repair_files(const pt_env *env, const char *path);
void pt_repair_let_go(pt_repair_table *t);
/* False: cancelled. */
bool pt_repair_go_on(pt_repair *r, const char *phase);

/* repair.c: everything. */
peat_rc pt_repair_store(const char *dir, const char *to_dir, const pt_env *env,
                        const pt_settings *settings, const peat_repair_options *options,
                        peat_repair_report *ret_report, peat_error *ret_error) PT_MUST_USE;

#endif
