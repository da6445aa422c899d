/* SPDX-License-Identifier: MIT */
/*
 * open_tables.h - open tables, counted: where a table file meets the cache, and where its end is
 * decided.
 *
 * A pt_table_ref is shared by every partition (of any version) that has a layer in the file. When
 * the last reference goes it is put into the trash of the open tables; pt_open_tables_sweep
 * detaches it from the cache, closes it and, when no durable state refers to the file (`dead`),
 * removes the file. So the thread that lets go last, perhaps a reader, does no I/O.
 *
 * Tables keep descriptors only as a cache of them: whatever opens a file of the store and finds
 * none left has some of theirs closed (env/fd_reclaim.h).
 */
#ifndef PT_VERSION_OPEN_TABLES_H
#define PT_VERSION_OPEN_TABLES_H

#include "base/epoch.h"
#include "base/fail.h"
#include "cache/cache.h"
#include "env/env.h"
#include "table/table.h"

typedef struct pt_table_ref pt_table_ref;

typedef struct pt_open_tables {
    /* fixed after init */
    const pt_env *env;
    pt_dir *dir;
    pt_sink *sink;
    pt_epoch *epoch;
    pt_cache *cache;
    pt_table_files files;          /* descriptors of the tables, lent to the sink as its reclaim;
                                    memory of their sections */
    _Atomic uint64_t bytes_read;   /* blocks read for the cache, decoded size */
    _Atomic uint32_t around_turns; /* misses to come that are read alone (around.c); a hint */
    /* one thread at a time lets go of sections (state/budget.c), which then has its place among the
     * partitions to itself. Acquire and release. */
    atomic_bool letting_go;
    size_t hand;
    _Atomic uint64_t left_bytes; /* of sections, when that was done last; a hint */
    _Atomic uint64_t dead_bytes; /* of files that go once their last reader has left */
    /* guarded by mu */
    pt_mutex mu;
    pt_table_ref *trash;
    bool removing; /* dead files are removed (false: read-only, or closed) */
    uint64_t files_removed;
} pt_open_tables;

struct pt_table_ref {
    atomic_uint refs;
    atomic_bool dead;    /* set once the manifest no longer needs the file */
    atomic_uint damages; /* places found damaged since open */
    pt_table *table;
    pt_block_source *source; /* the cache's view of it */
    const pt_table_meta *meta;
    pt_open_tables *open_tables;
    uint64_t layers, live_sum; /* of the current version; the version set's */
    /* of the current version's layers in it; set by the version set, read as a hint. Less than the
     * blocks take: merges have left parts of an upper run file behind. */
    _Atomic uint64_t live_bytes;
    /* So many of the snapshots that were open when it was written are older than some of it: for
     * them it keeps versions. Set when it is installed; a hint. 0: for none, or not known. */
    _Atomic uint32_t kept_for;
    bool kept_noted;    /* guarded by the lock of installs */
    pt_table_ref *next; /* in the trash */
};

void pt_open_tables_init(pt_open_tables *open_tables, const pt_env *env, pt_dir *dir, pt_sink *sink,
                         pt_epoch *epoch, pt_cache *cache);
/* Sweeps a last time; every reference is gone. Nothing for a set of open tables of zeros. */
void pt_open_tables_done(pt_open_tables *open_tables);
/* Not from inside an epoch. Returns how many tables were closed. */
size_t pt_open_tables_sweep(pt_open_tables *open_tables);
/* There is something to sweep. */
bool pt_open_tables_has_trash(pt_open_tables *open_tables);
void pt_open_tables_stop_removing(pt_open_tables *open_tables);

/* One reference. No I/O. */
peat_rc pt_table_ref_new(pt_open_tables *open_tables, const pt_table_meta *meta,
                         pt_table_ref **ret_ref) PT_MUST_USE;
static inline pt_table_ref *pt_table_ref_retain(pt_table_ref *t)
{
    PT_DCHECK(atomic_load(&t->refs) != 0, "I11: who takes a reference has one, or a lock");
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}
void pt_table_ref_release(pt_table_ref *t);
/* Of a list that ascends by number: how many are below this one; the one of this number, or NULL.
 */
size_t pt_table_ref_rank(pt_table_ref *const *list, size_t count, uint64_t file_number);
pt_table_ref *pt_table_ref_find(pt_table_ref *const *list, size_t count, uint64_t file_number);
/* A block is read, verified and decoded into dst, as for the cache. */
peat_rc pt_table_ref_read_block(pt_table_ref *t, uint32_t block, uint8_t *dst, size_t dst_size,
                                size_t *ret_size) PT_MUST_USE;
/* A block whose extent somebody has read is verified and decoded into dst. */
peat_rc pt_table_ref_take_block(pt_table_ref *t, uint32_t block, uint64_t offset, pt_slice extent,
                                uint8_t *dst, size_t dst_size, size_t *ret_size) PT_MUST_USE;

#endif
