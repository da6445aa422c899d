/* SPDX-License-Identifier: MIT */
/* shape.h - partitions are split and united: edits of the manifest, no bytes move. */
#ifndef PT_WORK_SHAPE_H
#define PT_WORK_SHAPE_H

#include "compact/pick.h"
#include "work/work.h"

/* Splits or unites what was claimed for that, and ends the claims. */
peat_rc pt_shape_change(pt_worker *w, const pt_pick_options *options, bool *ret_did) PT_MUST_USE;
/* What a flush has made due of changes of partitions, before the next flush, which is cut with
 * them, and not when the background has time for it: or much would lie above one partition, and its
 * first merge write all of the store beside all of it. */
void pt_shape_after_flush(pt_store *s);

#endif
