/* SPDX-License-Identifier: MIT */
/* run_iter.h - the tables of a run as one iterator: disjoint ranges in key order. */
#ifndef PT_VERSION_RUN_ITER_H
#define PT_VERSION_RUN_ITER_H

#include "entry/iter.h"
#include "version/partition.h"

/* The tables of a run, in key order, as one iterator. The layers outlive it. `stream`: read ahead
 * in large pieces past the cache, for merges. */
peat_rc pt_run_iter_new(const pt_env *env, const pt_layer *layers, size_t count,
                        const pt_table_iter_options *options, bool stream,
                        pt_iter **ret_iter) PT_MUST_USE;
/* The same iterator over another run, as if it were new: its memory serves again. */
void pt_run_iter_reopen(pt_iter *it, const pt_layer *layers, size_t count,
                        const pt_table_iter_options *options);
/* It holds nothing but that memory, until it is reopened. */
void pt_run_iter_leave(pt_iter *it);

#endif
