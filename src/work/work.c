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
#include "work/choose.h"
#include "work/quiet.h"
#include "work/shape.h"
#include "work/work.h"

#include "state/budget.h"
#include "state/event.h"
#include "work/install.h"
#include "work/sizes.h"
#include "work/work_result.h"
#include "state/snapshot.h"

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
    pt_choose_end_claims(w);
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
    pt_unit unit = pt_choose(w, request, &v, &options, claims, &pick);
    if (unit == PT_UNIT_MERGE) {
        rc = begin_merge(w, v->version, &pick);
        *ret_outcome = PT_WORKER_STEP;
        if (rc != PEAT_OK)
            end_merge(w, rc);
    } else if (unit != PT_UNIT_NONE) {
        rc = pt_shape_change(w, &options, &did);
        *ret_outcome = did ? PT_WORKER_UNIT : PT_WORKER_NOTHING;
    }
    pt_view_unref(v);
    return rc;
}

bool pt_work_due(pt_store *s, const pt_work_request *request)
{
    pt_merge_pick pick;
    bool claims;
    return pt_choose_ask(s, request, &pick, &claims) != PT_UNIT_NONE || claims;
}

bool pt_work_due_below(pt_store *s, uint64_t write_bytes_max)
{
    pt_work_request due = {0};
    pt_merge_pick pick;
    bool claims;
    return pt_choose_ask(s, &due, &pick, &claims) == PT_UNIT_MERGE &&
           pick.write_bytes <= write_bytes_max;
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
