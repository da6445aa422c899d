/* SPDX-License-Identifier: MIT */
/* shape.c - see shape.h. */
#include "work/shape.h"

#include "state/event.h"
#include "work/choose.h"
#include "work/install.h"
#include "work/work_result.h"

peat_rc pt_shape_change(pt_worker *w, const pt_pick_options *options, bool *ret_did)
{
    pt_store *s = w->store;
    peat_rc rc = pt_install_shape(s, options, w->claimed, w->claimed_count, ret_did);
    pt_mutex_lock(&s->work->mu);
    pt_choose_end_claims(w);
    s->work->state.partition_changes += *ret_did;
    pt_mutex_unlock(&s->work->mu);
    pt_event_send(s, PEAT_EVENT_PARTITION, rc, 0, 0, 0, NULL);
    if (rc != PEAT_OK || *ret_did)
        pt_work_note_result(s, rc);
    return rc;
}

void pt_shape_after_flush(pt_store *s)
{
    pt_worker w = {.store = s};
    pt_work_request request = {.shape = true};
    pt_pick_options options;
    pt_merge_pick pick;
    uint64_t claims[PT_CLAIMS_LISTED_MAX];
    pt_view *v;
    bool did;
    if (pt_choose(&w, &request, &v, &options, claims, &pick) != PT_UNIT_NONE)
        (void)!pt_shape_change(&w, &options, &did); /* which tells of its failure */
    pt_view_unref(v);
}
