/* SPDX-License-Identifier: MIT */
/*
 * choose.h - the first step of background work: what is due is chosen (compact/pick.h) in the view
 * that is current while work.mu is held, and claimed with it.
 */
#ifndef PT_WORK_CHOOSE_H
#define PT_WORK_CHOOSE_H

#include "compact/pick.h"
#include "work/work.h"

/* In *ret_view, which is the caller's to unref. What a unit works on is claimed by the worker. */
pt_unit pt_choose(pt_worker *w, const pt_work_request *request, pt_view **ret_view,
                  pt_pick_options *ret_options, uint64_t *io_claims, pt_merge_pick *ret_pick);
/* Without claiming anything. *ret_claims: somebody has claimed something. */
pt_unit pt_choose_ask(pt_store *s, const pt_work_request *request, pt_merge_pick *ret_pick,
                      bool *ret_claims);
/* All of the worker's. Caller holds work.mu. */
void pt_choose_end_claims(pt_worker *w);

#endif
