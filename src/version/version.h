/* SPDX-License-Identifier: MIT */
/*
 * version.h - what exists: all partitions at one point. Immutable once made, counted. The first
 * partition has no lower bound, so every key belongs to exactly one.
 */
#ifndef PT_VERSION_VERSION_H
#define PT_VERSION_VERSION_H

#include "version/partition.h"

typedef struct pt_version {
    atomic_uint refs;
    const pt_env *env;
    pt_partition **partitions;
    size_t count;       /* >= 1 */
    pt_key_index index; /* of the lower bounds */
} pt_version;

/* Takes over the references in `partitions` (ascending by lower) on success; copies the array. */
peat_rc pt_version_new(const pt_env *env, pt_partition **partitions, size_t count,
                       pt_version **ret_version) PT_MUST_USE;
static inline pt_version *pt_version_ref(pt_version *v)
{
    PT_DCHECK(atomic_load(&v->refs) != 0, "who takes a reference has one");
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    return v;
}
void pt_version_unref(pt_version *v);

/* Index of the partition that key belongs to. */
static inline size_t pt_version_partition_of(const pt_version *v, pt_slice key)
{
    size_t n = pt_key_index_upper(&v->index, key);
    return n == 0 ? 0 : n - 1;
}

/* The partition's upper bound; data NULL for the last one. */
static inline pt_slice pt_version_upper(const pt_version *v, size_t i)
{
    return i + 1 < v->count ? v->partitions[i + 1]->lower : (pt_slice){0};
}

/* The largest key any table holds; false when there is none. */
bool pt_version_last_key(const pt_version *v, pt_slice *ret_key);

#endif
