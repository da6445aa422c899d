/* SPDX-License-Identifier: MIT */
/*
 * work.c - background work: choose -> run -> install, in the store's own threads or in a caller's.
 *
 * A worker carries at most one merge, in steps; between steps a waiting flush goes first. A writer
 * never waits for a merge: when no worker flushes it does so itself. Partitions a unit works on are
 * claimed (work.mu) from choosing until it is installed or given up. A choice is made in the view
 * that is current while work.mu is held: what was unclaimed by then has shown its outcome, so
 * nobody works on what is gone already.
 */
#include "work/quiet.h"
#include "work/work.h"

#include "state/budget.h"
#include "state/event.h"
#include "work/install.h"
#include "work/sizes.h"
#include "work/work_result.h"
#include "state/snapshot.h"

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

/* Caller holds work.mu. */
static void unclaim(pt_worker *w)
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

/* Choose, in *ret_view, which is the caller's to unref. What a unit works on is claimed. The sizes
 * are taken before work.mu, which is a leaf: again, when the version has changed meanwhile. */
static pt_unit choose(pt_worker *w, const pt_work_request *request, pt_view **ret_view,
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

/* Splits or unites what was claimed for that. */
static peat_rc change_shape(pt_worker *w, const pt_pick_options *options, bool *ret_did)
{
    pt_store *s = w->store;
    peat_rc rc = pt_install_shape(s, options, w->claimed, w->claimed_count, ret_did);
    pt_mutex_lock(&s->work->mu);
    unclaim(w);
    s->work->state.partition_changes += *ret_did;
    pt_mutex_unlock(&s->work->mu);
    pt_event_send(s, PEAT_EVENT_PARTITION, rc, 0, 0, 0, NULL);
    if (rc != PEAT_OK || *ret_did)
        pt_work_note_result(s, rc);
    return rc;
}

void pt_work_shape(pt_store *s)
{
    pt_worker w = {.store = s};
    pt_work_request request = {.shape = true};
    pt_pick_options options;
    pt_merge_pick pick;
    uint64_t claims[PT_CLAIMS_LISTED_MAX];
    pt_view *v;
    bool did;
    if (choose(&w, &request, &v, &options, claims, &pick) != PT_UNIT_NONE)
        (void)change_shape(&w, &options, &did); /* which tells of its failure */
    pt_view_unref(v);
}

/* Of what was claimed for that. After an error end_merge ends the claims. */
static peat_rc begin_merge(pt_worker *w, pt_version *v, const pt_merge_pick *pick)
{
    pt_store *s = w->store;
    size_t count;
    PT_ASSERT(w->merge == NULL && w->claimed_count == pick->count,
              "I9: a worker has one merge, and has claimed what it reads");
    w->started_ns = s->env->now_ns(s->env->ctx);
    pt_budget_take_back(s);
    peat_rc rc = pt_snapshot_list(s, &w->snapshots, &count);
    if (rc != PEAT_OK)
        return rc;
    pt_sizes_context(s, v, w->snapshots, count, &w->ctx);
    if (pick->on_credit)
        pt_quiet_spend(s, (double)pick->write_bytes);
    rc = pt_merge_new(&w->ctx, v, pick, &w->merge);
    if (rc != PEAT_OK) {
        pt_free(s->env, w->snapshots);
        w->snapshots = NULL;
    }
    return rc;
}

static void count_merge(pt_worker *w)
{
    pt_work_state *state = &w->store->work->state;
    if (pt_merge_get_kind(w->merge) == PT_MERGE_INTERMEDIATE)
        state->mid_merges++;
    else
        state->bottom_merges++;
    state->merge_bytes_written += pt_merge_bytes_written(w->merge);
    state->merge_bytes_read += pt_merge_bytes_read(w->merge);
}

/* Damage among the inputs: these partitions are left as they are; the rest of the store works on.
 * Caller holds work.mu. */
static void avoid_claimed(pt_worker *w)
{
    for (size_t i = 0; i < w->claimed_count; i++)
        pt_claims_avoid(&w->store->work->state.claims, w->claimed[i]);
}

/* An input could not be read again and again: as good as damaged. Caller holds work.mu. */
static bool is_beyond_reading(const pt_worker *w, peat_rc rc)
{
    return rc == PEAT_IO && w->merge != NULL && pt_merge_is_unreadable(w->merge) &&
           w->store->work->state.failures + 1 >= PT_WORK_IO_FAILURES_MAX;
}

/* The merge is over: installed, given up, or not begun (w->merge NULL). */
static void end_merge(pt_worker *w, peat_rc rc)
{
    pt_store *s = w->store;
    uint64_t took = s->env->now_ns(s->env->ctx) - w->started_ns;
    uint64_t in = w->merge != NULL ? pt_merge_bytes_read(w->merge) : 0;
    uint64_t out = w->merge != NULL ? pt_merge_bytes_written(w->merge) : 0;
    pt_mutex_lock(&s->work->mu);
    if (rc == PEAT_OK && w->merge != NULL)
        count_merge(w);
    bool damaged = rc == PEAT_CORRUPT || is_beyond_reading(w, rc);
    if (damaged)
        avoid_claimed(w);
    unclaim(w);
    pt_mutex_unlock(&s->work->mu);
    pt_merge_free(w->merge);
    pt_free(s->env, w->snapshots);
    w->merge = NULL;
    w->snapshots = NULL;
    pt_epoch_collect(&s->epoch);
    pt_open_tables_sweep(&s->open_tables);
    pt_event_send(s, PEAT_EVENT_MERGE, rc, took, in, out, NULL);
    if (damaged)
        atomic_fetch_add(&s->damages, 1);
    /* damage does not go away by trying again */
    pt_work_note_result(s, damaged || rc == PEAT_CANCELLED ? PEAT_OK : rc);
    pt_work_take_debts(s);
}

/* Run, one step; install when it was the last. */
static peat_rc step_merge(pt_worker *w, uint64_t bytes)
{
    peat_rc rc = pt_sink_write_failure(&w->store->sink);
    if (rc == PEAT_OK)
        rc = pt_merge_step(w->merge, bytes);
    if (rc == PEAT_OK)
        return PEAT_OK;
    PT_ASSERT(rc != PEAT_END || w->claimed_count != 0,
              "I9: claims last until the outcome is shown");
    if (rc == PEAT_END)
        rc = pt_install_merge(w->store, w->merge);
    end_merge(w, rc);
    return rc == PEAT_CORRUPT ? PEAT_OK : rc;
}

/* A step of whatever is due. */
peat_rc pt_worker_step_for(pt_worker *w, const pt_work_request *request, uint64_t bytes,
                           pt_worker_outcome *ret_outcome)
{
    pt_store *s = w->store;
    bool did = false;
    /* Whoever has a merge holds its files, which the flush of another may wait for: it goes on. */
    peat_rc rc = w->merge != NULL ? pt_work_try_flush(s, &did) : pt_work_flush(s, &did);
    *ret_outcome = did ? PT_WORKER_UNIT : PT_WORKER_NOTHING;
    if (did || rc != PEAT_OK)
        return rc;
    if (w->merge != NULL) {
        uint64_t begin = s->env->now_ns(s->env->ctx);
        rc = step_merge(w, bytes);
        pt_work_note_merge_time(s, s->env->now_ns(s->env->ctx) - begin);
        *ret_outcome = w->merge == NULL ? PT_WORKER_UNIT : PT_WORKER_STEP;
        return rc;
    }
    pt_pick_options options;
    pt_merge_pick pick;
    uint64_t claims[PT_CLAIMS_LISTED_MAX];
    pt_view *v;
    pt_unit unit = choose(w, request, &v, &options, claims, &pick);
    if (unit == PT_UNIT_MERGE) {
        rc = begin_merge(w, v->version, &pick);
        *ret_outcome = PT_WORKER_STEP;
        if (rc != PEAT_OK)
            end_merge(w, rc);
    } else if (unit != PT_UNIT_NONE) {
        rc = change_shape(w, &options, &did);
        *ret_outcome = did ? PT_WORKER_UNIT : PT_WORKER_NOTHING;
    }
    pt_view_unref(v);
    return rc;
}

/* Chooses without claiming anything. *ret_claims: somebody has claimed something. */
static pt_unit ask(pt_store *s, const pt_work_request *request, pt_merge_pick *ret_pick,
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

bool pt_work_due(pt_store *s, const pt_work_request *request)
{
    pt_merge_pick pick;
    bool claims;
    return ask(s, request, &pick, &claims) != PT_UNIT_NONE || claims;
}

bool pt_work_due_below(pt_store *s, uint64_t write_bytes_max)
{
    pt_work_request due = {0};
    pt_merge_pick pick;
    bool claims;
    return ask(s, &due, &pick, &claims) == PT_UNIT_MERGE && pick.write_bytes <= write_bytes_max;
}

peat_rc pt_worker_step(pt_worker *w, bool idle, pt_worker_outcome *ret_outcome)
{
    pt_work_request request = {.idle = idle,
                               .idle_bytes_max = idle ? pt_quiet_allowance(w->store) : 0};
    return pt_worker_step_for(w, &request, PT_WORK_STEP_BYTES, ret_outcome);
}

void pt_worker_abandon(pt_worker *w)
{
    if (w->merge != NULL)
        end_merge(w, PEAT_CANCELLED);
}
