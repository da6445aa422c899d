/* SPDX-License-Identifier: MIT */
/* install.h - what a unit made becomes part of the store: an edit of the manifest, then a new view.
 * All take install_mu. */
#ifndef PT_WORK_INSTALL_H
#define PT_WORK_INSTALL_H

#include "compact/flush.h"
#include "compact/merge.h"
#include "compact/pick.h"
#include "state/store.h"

/* Of the oldest immutable memtable: it leaves the view, and its part of the log may be
 * overwritten. */
peat_rc pt_install_flush(pt_store *s, pt_flush *flush, pt_mem *mem) PT_MUST_USE;
/* The caller has claimed its partitions, and ends the claims afterwards. */
peat_rc pt_install_merge(pt_store *s, pt_merge *merge) PT_MUST_USE;
/* A split or union of partitions, if one is due; only of partitions that the caller has claimed. */
peat_rc pt_install_shape(pt_store *s, const pt_pick_options *options, const uint64_t *claimed,
                         size_t claimed_count, bool *ret_did) PT_MUST_USE;
/* When everything is in tables: lets go of the log's segments but one of the smallest size. */
peat_rc pt_install_empty_log(pt_store *s) PT_MUST_USE;

#endif
