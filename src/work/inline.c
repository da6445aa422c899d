/* SPDX-License-Identifier: MIT */
/*
 * inline.c - background work in a caller's thread: single units, settling, compacting a range, what
 * is due before a close, and the steps of committers. The inline worker does it, of which there is
 * one: inline_mu.
 */
#include "state/switch.h"
#include "work/install.h"
#include "work/quiet.h"
#include "work/work.h"

/* One unit as a whole: a merge in one step, beside which a writer flushes for itself. */
static peat_rc unit_inline(pt_store *s, const pt_work_request *request, bool *ret_did)
{
    pt_worker_outcome outcome;
    peat_rc rc;
    pt_mutex_lock(&s->work->inline_mu);
    do
        rc = pt_worker_step_for(&s->work->inline_worker, request, UINT64_MAX / 2, &outcome);
    while (rc == PEAT_OK && outcome == PT_WORKER_STEP);
    pt_mutex_unlock(&s->work->inline_mu);
    *ret_did = outcome != PT_WORKER_NOTHING;
    return rc;
}

peat_rc pt_work_unit(pt_store *s, bool idle, bool *ret_did)
{
    uint64_t change;
    *ret_did = false;
    if (s->settings.read_only)
        return PEAT_READ_ONLY;
    pt_work_sweep(s);
    (void)pt_quiet_look(s, &change);
    pt_work_request w = {.idle = idle, .idle_bytes_max = pt_quiet_allowance(s)};
    peat_rc rc = unit_inline(s, &w, ret_did);
    if (rc != PEAT_OK || *ret_did)
        return rc;
    return pt_quiet_rotate(s) == 0 ? unit_inline(s, &w, ret_did) : PEAT_OK;
}

/* A close waits for this at the most: what is merged is mostly gone. */
#define CLOSE_WRITE_BYTES_MAX ((uint64_t)8 << 20)

peat_rc pt_work_before_close(pt_store *s)
{
    pt_work_request due = {0};
    peat_rc rc = PEAT_OK;
    uint64_t before = s->work->state.merge_bytes_written, written = 0; /* no other thread is left */
    bool did = true;
    while (rc == PEAT_OK && did && written < CLOSE_WRITE_BYTES_MAX &&
           pt_work_due_below(s, CLOSE_WRITE_BYTES_MAX - written)) {
        rc = unit_inline(s, &due, &did);
        written = s->work->state.merge_bytes_written - before;
    }
    return rc;
}

/* A committer does one step, and one more for each so many bytes of its write. */
#define BYTES_PER_STEP ((uint64_t)16 << 10)

void pt_work_step(pt_store *s, uint64_t bytes)
{
    pt_work_request w = {0};
    pt_worker_outcome outcome = PT_WORKER_STEP;
    peat_rc rc = PEAT_OK;
    /* taken: another committer is at it, or this write comes from an event's receiver */
    if (!pt_mutex_try_lock(&s->work->inline_mu))
        return;
    /* what ends a unit may be a flush, and flushes alone would take up the steps of a writer of
     * batches: merges would never go on. A failure is kept for the next wait on a flush, and was
     * sent as an event. */
    uint64_t steps = 1 + bytes / BYTES_PER_STEP;
    uint64_t units = PT_VIEW_IMMUTABLES_MAX + steps;
    while (rc == PEAT_OK && outcome != PT_WORKER_NOTHING && steps != 0) {
        PT_DCHECK(pt_mutex_held(&s->work->inline_mu), "inline_mu guards the inline worker");
        rc = pt_worker_step_for(&s->work->inline_worker, &w, PT_WORK_STEP_BYTES, &outcome);
        if (outcome == PT_WORKER_UNIT && units != 0)
            units--;
        else
            steps--;
    }
    if (outcome == PT_WORKER_NOTHING)
        atomic_store_explicit(&s->inline_due, false, memory_order_relaxed);
    pt_mutex_unlock(&s->work->inline_mu);
}

/* False when the deadline has passed. */
static bool wait_for_others(pt_store *s, uint64_t deadline_ns)
{
    uint64_t now = s->env->now_ns(s->env->ctx);
    if (now >= deadline_ns)
        return false;
    pt_mutex_lock(&s->work->mu);
    /* short, because a unit may have ended since that was asked */
    if (s->work->state.claims.count != 0)
        (void)pt_cond_wait_for(&s->work->done_cond, &s->work->mu,
                               pt_min_u64(deadline_ns - now, 50 * 1000 * 1000));
    pt_mutex_unlock(&s->work->mu);
    return true;
}

/* All is in tables. */
static bool is_memory_empty(pt_store *s)
{
    pt_view *v = pt_store_view(s);
    bool empty = v->immutable_count == 0 && pt_memtable_get_stats(v->active->table).entries == 0;
    pt_view_unref(v);
    return empty;
}

static peat_rc settle_range(pt_store *s, const pt_work_request *w, uint64_t deadline_ns,
                            const peat_progress *progress)
{
    for (uint64_t units = 0;; units++) {
        bool did = false;
        if (progress != NULL && progress->fn != NULL &&
            !progress->fn(progress->ctx, "merging", units, 0))
            return PEAT_CANCELLED;
        if (deadline_ns != UINT64_MAX && s->env->now_ns(s->env->ctx) >= deadline_ns)
            return pt_work_due(s, w) ? PEAT_TIMEOUT : PEAT_OK;
        peat_rc rc = unit_inline(s, w, &did);
        if (rc != PEAT_OK)
            return rc;
        if (did)
            continue;
        /* asked again: what others had claimed may be free by now, and still due */
        if (!pt_work_due(s, w))
            return PEAT_OK;
        if (!wait_for_others(s, deadline_ns))
            return PEAT_TIMEOUT;
    }
}

peat_rc pt_work_settle(pt_store *s, uint64_t timeout_ms)
{
    pt_work_request w = {.idle = true, .idle_bytes_max = UINT64_MAX};
    uint64_t now = s->env->now_ns(s->env->ctx);
    uint64_t deadline =
        timeout_ms < (UINT64_MAX - now) / 1000000 ? now + timeout_ms * 1000000 : UINT64_MAX;
    if (s->settings.read_only)
        return PEAT_READ_ONLY;
    peat_rc rc = PEAT_OK;
    do {
        if (!is_memory_empty(s))
            rc = timeout_ms == 0 ? PEAT_TIMEOUT : pt_switch_flush(s);
        if (rc == PEAT_OK)
            rc = settle_range(s, &w, deadline, NULL);
    } while (rc == PEAT_OK && !is_memory_empty(s));
    if (rc == PEAT_OK)
        rc = pt_install_empty_log(s);
    if (rc == PEAT_OK)
        pt_work_rest(s);
    return rc;
}

peat_rc pt_work_compact(pt_store *s, pt_slice lower, pt_slice upper, const peat_progress *progress)
{
    pt_work_request w = {
        .idle = true, .idle_bytes_max = UINT64_MAX, .lower = lower, .upper = upper};
    peat_rc rc = pt_switch_flush(s);
    if (rc == PEAT_OK)
        rc = settle_range(s, &w, UINT64_MAX, progress);
    return rc == PEAT_OK ? pt_install_empty_log(s) : rc;
}
