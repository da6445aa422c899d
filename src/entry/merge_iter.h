/* SPDX-License-Identifier: MIT */
/*
 * merge_iter.h - several iterators seen as one, in entry order. Children are given newest run
 * first; equal keys come out in child order (all versions of one child before the next's), which
 * is newest first. See merge_iter.c for the tree.
 */
#ifndef PT_ENTRY_MERGE_ITER_H
#define PT_ENTRY_MERGE_ITER_H

#include "entry/iter.h"
#include "env/env.h"

/* Takes ownership of the children (on success only); the array itself is copied. n may be 0; for
 * n = 1 the iterator is the child itself, so that a settled store pays nothing. An error of any
 * child is the answer of the move; next and prev repeat it until the merge is positioned anew.
 * It has no group for n >= 2. */
peat_rc pt_merge_iter_new(const pt_env *env, pt_iter **children, size_t n,
                          pt_iter **ret_iter) PT_MUST_USE;
/* For one set of children after another, which stay their owner's, and of which there may be 0 or
 * 1: *io_merge is NULL, or what an earlier call has made, whose memory serves again if it can. It
 * is done with, or given again, before its children are. */
peat_rc pt_merge_iter_again(const pt_env *env, pt_iter **children, size_t n,
                            pt_iter **io_merge) PT_MUST_USE;
/* Index of the child the current entry comes from. */
size_t pt_merge_iter_child(const pt_iter *it);

#endif
