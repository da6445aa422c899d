/* SPDX-License-Identifier: MIT */
/*
 * memtable.h - the newest writes, ordered, in memory. Many writers at once, readers never wait.
 *
 * All memory is one mapping of fixed capacity, taken when the memtable is made; a writer reserves
 * its worst case before it logs, so that adding cannot fail afterwards. Nothing is freed before the
 * memtable dies and published bytes never change.
 */
#ifndef PT_MEM_MEMTABLE_H
#define PT_MEM_MEMTABLE_H

#include "entry/entry.h"
#include "entry/iter.h"
#include "entry/probe.h"
#include "env/env.h"
#include "mem/pool.h"

typedef struct pt_memtable pt_memtable;

/* Capacity in bytes of all that is stored, nodes included; 64 KiB to 16 GiB, else PEAT_INVALID.
 * Touched pages only count against the machine. One reference. */
peat_rc pt_memtable_new(const pt_env *env, size_t capacity_bytes,
                        pt_memtable **ret_memtable) PT_MUST_USE;
/* The same with a mapping from the pool, which outlives the memtable and gets it back. */
peat_rc pt_memtable_new_from(pt_memtable_pool *pool, size_t capacity_bytes,
                             pt_memtable **ret_memtable) PT_MUST_USE;
pt_memtable *pt_memtable_ref(pt_memtable *m);
void pt_memtable_unref(pt_memtable *m); /* NULL is fine */

/* Capacity that is certain to hold `count` entries of these sizes in total, reserved at once or one
 * by one; for private ones. SIZE_MAX: no memtable holds that much. */
size_t pt_memtable_capacity_for(uint64_t count, uint64_t key_bytes, uint64_t value_bytes);
/* Sets the worst case of these entries aside. False: does not fit, nothing changed. Thread-safe.
 * What is reserved must be added, or given back whole. Full at 116-byte records means 75 % of the
 * capacity in their bytes, 73 % when they come in batches of 100. */
bool pt_memtable_reserve(pt_memtable *m, uint64_t count, uint64_t key_bytes, uint64_t value_bytes);
/* Gives back one reservation, of which nothing was added. Thread-safe. */
void pt_memtable_unreserve(pt_memtable *m, uint64_t count, uint64_t key_bytes,
                           uint64_t value_bytes);
/* Adds a reserved entry (key and value are copied). Thread-safe. Sequences are unique: every
 * operation of a batch has its own. Keys begin with their keyspace. */
void pt_memtable_add(pt_memtable *m, const pt_entry *entry);

/* Memory beyond what is stored goes back to the system. All that was reserved has been added, and
 * nobody reserves meanwhile; reads may go on. */
void pt_memtable_trim(pt_memtable *m);

/* Newest version with seq <= seq_max; its bytes live as long as the memtable. */
bool pt_memtable_get(const pt_memtable *m, pt_slice key, uint64_t seq_max, pt_entry *ret_entry);

/* The same as a probe (entry/probe.h); never MISSES. */
typedef struct pt_memtable_probe {
    const pt_memtable *m;
    struct pt_node *node; /* where it stands; while its version is the same, what follows is true */
    uint64_t version;
    uint32_t ref;    /* the child to go on in */
    uint32_t record; /* or, in a leaf, the record to be compared */
} pt_memtable_probe;
pt_probe_state pt_memtable_probe_begin(pt_memtable_probe *p, const pt_memtable *m, pt_slice key);
pt_probe_state pt_memtable_probe_step(pt_memtable_probe *p, pt_slice key, uint64_t seq_max,
                                      pt_entry *ret_entry);

typedef struct pt_memtable_stats {
    size_t used_bytes; /* of the capacity, reservations included */
    size_t capacity_bytes;
    uint64_t entries; /* versions */
    uint64_t tombstones;
    uint64_t key_bytes, value_bytes;
} pt_memtable_stats;
pt_memtable_stats pt_memtable_get_stats(const pt_memtable *m);

/* Keys in [lower, upper) (lower <= upper, internal keys), each once however often it was written,
 * tombstones included; and the bytes of keys and newest values, for which every record in the range
 * is looked at: NULL when they are not asked for. Exact, but for what is written meanwhile. */
void pt_memtable_measure(const pt_memtable *m, pt_slice lower, pt_slice upper,
                         uint64_t *ret_entries, uint64_t *ret_bytes);

/* Hold a reference. See entries added while they walk, or not; never a torn one. The first shows
 * every version of every key. The second, for who reads as of `seq`, shows one of each: the newest
 * that may be seen, or, where all are newer, one of those. However many there are, it looks at a
 * number that grows with their logarithm. */
peat_rc pt_memtable_iter_new(pt_memtable *m, pt_iter **ret_iter) PT_MUST_USE;
peat_rc pt_memtable_iter_new_at(pt_memtable *m, uint64_t seq, pt_iter **ret_iter) PT_MUST_USE;

#endif
