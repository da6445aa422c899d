/* SPDX-License-Identifier: MIT */
/*
 * skiplist.h - a skiplist in an arena behind the same contract as mem/memtable.h: what the memtable
 * must beat (decision 003).
 */
#ifndef SKIPLIST_H
#define SKIPLIST_H

#include "mem/memtable.h"

typedef struct pt_skiplist pt_skiplist;

peat_rc pt_skiplist_new(const pt_env *env, size_t capacity_bytes,
                        pt_skiplist **ret_list) PT_MUST_USE;
pt_skiplist *pt_skiplist_ref(pt_skiplist *m);
void pt_skiplist_unref(pt_skiplist *m);
size_t pt_skiplist_capacity_for(uint64_t count, uint64_t key_bytes, uint64_t value_bytes);
bool pt_skiplist_reserve(pt_skiplist *m, uint64_t count, uint64_t key_bytes, uint64_t value_bytes);
void pt_skiplist_add(pt_skiplist *m, const pt_entry *entry);
bool pt_skiplist_get(const pt_skiplist *m, pt_slice key, uint64_t seq_max, pt_entry *ret_entry);
void pt_skiplist_get_stats(const pt_skiplist *m, pt_memtable_stats *ret_stats);
peat_rc pt_skiplist_iter_new(pt_skiplist *m, pt_iter **ret_iter) PT_MUST_USE;

#endif
