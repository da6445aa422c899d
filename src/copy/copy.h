/* SPDX-License-Identifier: MIT */
/* copy.h - streaming a state of the store out, and a store in (copy_format.md). */
#ifndef PT_COPY_COPY_H
#define PT_COPY_COPY_H

#include "state/store.h"

/* Internal keys, [lower, upper); without data: all keyspaces but the internal one. */
peat_rc pt_copy_export(pt_store *s, pt_slice lower, pt_slice upper, const peat_progress *progress,
                       peat_write_fn fn, void *ctx) PT_MUST_USE;
/* Into an open, empty store; what is wrong with the stream goes to its sink. */
peat_rc pt_copy_import(pt_store *s, peat_read_fn fn, void *ctx) PT_MUST_USE;

#endif
