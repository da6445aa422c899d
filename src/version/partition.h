/* SPDX-License-Identifier: MIT */
/*
 * partition.h - a range of keys and the layers that hold it. Immutable once made, counted.
 *
 * Layers, newest first: upper runs (flushed and intermediate, each in one table file), then one
 * bottommost run of tables in key order. A layer means the file clipped to the partition's range: a
 * file may have layers in many partitions, and a split leaves one in both halves.
 */
#ifndef PT_VERSION_PARTITION_H
#define PT_VERSION_PARTITION_H

#include "version/key_index.h"
#include "version/open_tables.h"

typedef struct pt_layer {
    pt_table_ref *table_ref;
    /* of this partition's share of the file; estimates after a split */
    uint64_t bytes;
    uint64_t entries;
    uint64_t tombstones;
    uint64_t obsolete_bytes; /* of older layers below, estimated to be hidden by this one */
} pt_layer;

typedef struct pt_partition {
    atomic_uint refs;
    const pt_env *env;
    uint64_t id;    /* never reused in a store */
    pt_slice lower; /* internal key; empty for the first partition; own memory */
    pt_layer *runs; /* newest first */
    size_t run_count;
    pt_layer *bottom; /* key order, ranges disjoint */
    size_t bottom_count;
    pt_key_index bottom_index; /* of key_min */
    /* sums over the layers */
    uint64_t run_bytes, bottom_bytes, entries, tombstones;
    uint64_t run_obsolete_bytes; /* hidden in layers below, about */
    uint64_t obsolete_bytes;     /* with what the bottom run keeps for snapshots */
} pt_partition;

/* Copies the layers and takes references to their tables. One reference. */
peat_rc pt_partition_new(const pt_env *env, uint64_t id, pt_slice lower, const pt_layer *runs,
                         size_t run_count, const pt_layer *bottom, size_t bottom_count,
                         pt_partition **ret_partition) PT_MUST_USE;
static inline pt_partition *pt_partition_ref(pt_partition *p)
{
    PT_DCHECK(atomic_load(&p->refs) != 0, "who takes a reference has one");
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}
void pt_partition_unref(pt_partition *p);

#endif
