/* SPDX-License-Identifier: MIT */
/* sizes.h - what is derived from the size of the store, for choosing and for a unit of work. */
#ifndef PT_WORK_SIZES_H
#define PT_WORK_SIZES_H

#include "compact/output.h"
#include "compact/pick.h"
#include "state/store.h"

/* For one unit; `snapshots` stays the caller's, and must outlive it. Takes install_mu. */
void pt_sizes_context(pt_store *s, const pt_version *v, const uint64_t *snapshots,
                      size_t snapshot_count, pt_compact_context *ret_ctx);
/* For choosing; what is claimed is left to the caller. Takes snapshots.mu. */
void pt_sizes_options(pt_store *s, const pt_version *v, pt_pick_options *ret_options);

#endif
