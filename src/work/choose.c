/* SPDX-License-Identifier: MIT */
/* choose.c - see choose.h. */
#include "work/choose.h"

#include "work/sizes.h"

static void options_with_claims(pt_store *s, pt_pick_options *o, uint64_t *io_claims)
{
    PT_DCHECK(pt_mutex_held(&s->work->mu), "I9: work.mu guards the claims");
    o->claimed_count = pt_claims_list(&s->work->state.claims, io_claims);
    o->claimed = io_claims;
}

static void claim(pt_worker *w, const pt_version *v, const pt_merge_pick *pick)
{
    PT_DCHECK(pt_mutex_held(&w->store->work->mu), "I9: work.mu guards the claims");
    PT_ASSERT(w->claimed_count == 0, "I9: a worker ends its claims before it makes others");
    for (size_t i = 0; i < pick->count; i++) {
        uint64_t id = v->partitions[pick->first + i]->id;
        pt_claims_add(&w->store->work->state.claims, id);
        w->claimed[w->claimed_count++] = id;
    }
}

void pt_choose_end_claims(pt_worker *w)
{
    PT_DCHECK(pt_mutex_held(&w->store->work->mu), "I9: work.mu guards the claims");
    while (w->claimed_count != 0)
        pt_claims_end(&w->store->work->state.claims, w->claimed[--w->claimed_count]);
}

static void request_options(pt_store *s, const pt_version *v, const pt_work_request *request,
                            pt_pick_options *ret_options)
{
    pt_sizes_options(s, v, ret_options);
    ret_options->idle = request->idle;
    ret_options->idle_bytes_max = request->idle_bytes_max;
    ret_options->lower = request->lower;
    ret_options->upper = request->upper;
}

/* The sizes
 * are taken before work.mu, which is a leaf: again, when the version has changed meanwhile. */
pt_unit pt_choose(pt_worker *w, const pt_work_request *request, pt_view **ret_view,
                  pt_pick_options *ret_options, uint64_t *io_claims, pt_merge_pick *ret_pick)
{
    pt_store *s = w->store;
    pt_view *v = NULL, *now = pt_store_view(s);
    do {
        pt_view_unref(v);
        v = now;
        request_options(s, v->version, request, ret_options);
        pt_mutex_lock(&s->work->mu);
        now = pt_store_view(s);
        if (now->version != v->version)
            pt_mutex_unlock(&s->work->mu);
    } while (now->version != v->version);
    options_with_claims(s, ret_options, io_claims);
    pt_unit unit = request->shape ? pt_pick_shape(v->version, ret_options, ret_pick)
                                  : pt_pick(v->version, ret_options, ret_pick);
    if (unit != PT_UNIT_NONE)
        claim(w, v->version, ret_pick);
    pt_mutex_unlock(&s->work->mu);
    pt_view_unref(now);
    *ret_view = v;
    return unit;
}

pt_unit pt_choose_ask(pt_store *s, const pt_work_request *request, pt_merge_pick *ret_pick,
                      bool *ret_claims)
{
    pt_pick_options options;
    uint64_t claims[PT_CLAIMS_LISTED_MAX];
    pt_view *v = pt_store_view(s);
    request_options(s, v->version, request, &options);
    pt_mutex_lock(&s->work->mu);
    options_with_claims(s, &options, claims);
    pt_unit unit = pt_pick(v->version, &options, ret_pick);
    *ret_claims = s->work->state.claims.count != 0;
    pt_mutex_unlock(&s->work->mu);
    pt_view_unref(v);
    return unit;
}
