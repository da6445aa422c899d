/* SPDX-License-Identifier: MIT */
/*
 * threads.c - the store's own threads: a loop around the work of work.c, the interval sync, and
 * idleness. A store that has nothing to do, and has settled and synced, waits without a timeout: it
 * uses no CPU at all.
 */
#include "state/budget.h"
#include "state/durable.h"
#include "state/event.h"
#include "work/install.h"
#include "work/sizes.h"
#include "work/quiet.h"
#include "work/work.h"

/* Between two looks while something waits for patience or credit (unsettled), or for a reader in an
 * epoch to leave (limbo). */
#define UNSETTLED_NS_MIN ((uint64_t)1000 * 1000 * 1000)
#define UNSETTLED_NS_MAX ((uint64_t)10 * 1000 * 1000 * 1000)
#define LIMBO_NS         ((uint64_t)100 * 1000 * 1000)

static uint64_t now_ns(pt_store *s)
{
    return s->env->now_ns(s->env->ctx);
}

/* What no caller waits for is told as an event when it fails. */
static void send_error_event(pt_store *s, peat_rc rc)
{
    if (rc != PEAT_OK)
        pt_event_send(s, PEAT_EVENT_ERROR, rc, 0, 0, 0, NULL);
}

/* Syncs what is due. Returns the time until the next sync is due, UINT64_MAX when nothing waits. */
static uint64_t sync_due(pt_store *s)
{
    if (s->log == NULL || pt_sink_write_failure(&s->sink) != PEAT_OK)
        return UINT64_MAX;
    uint64_t since = atomic_load(&s->unsynced_since_ns), now = now_ns(s);
    if (since == 0)
        return UINT64_MAX;
    if (now < since + s->settings.sync_interval_ns)
        return since + s->settings.sync_interval_ns - now;
    atomic_store(&s->unsynced_since_ns, 0);
    (void)!pt_durable_sync(s, pt_log_position(s->log), 0, false); /* tells of its failure itself */
    return UINT64_MAX;
}

/* The log has gone quiet: that its last record is synced is written down, in the log and in the
 * manifest. */
static void mark_durable_when_quiet(pt_store *s)
{
    if (s->log == NULL || pt_sink_write_failure(&s->sink) != PEAT_OK)
        return;
    pt_mutex_lock(&s->commit_mu);
    peat_rc rc = pt_log_idle(s->log);
    pt_mutex_unlock(&s->commit_mu);
    if (rc == PEAT_OK) {
        pt_taps_durable(&s->tap, pt_log_durable(s->log));
        rc = pt_durable_note(s, true);
    }
    send_error_event(s, rc);
}

static bool prepare_log(pt_store *s)
{
    bool did = false;
    if (s->log == NULL || pt_sink_write_failure(&s->sink) != PEAT_OK)
        return false;
    /* a full disk is the next append's matter, which can wait for room */
    return pt_log_prepare(s->log, &did) == PEAT_OK && did;
}

/* False: the worker is to end. */
static bool goes_on(pt_store *s, uint64_t *ret_signals)
{
    pt_mutex_lock(&s->work->mu);
    bool on = !s->work->state.stopping;
    *ret_signals = s->work->state.signals;
    pt_mutex_unlock(&s->work->mu);
    return on;
}

/* Time to wait after a failed unit; 0 when there was none. */
static uint64_t back_off(pt_store *s)
{
    uint64_t now = now_ns(s);
    pt_mutex_lock(&s->work->mu);
    uint64_t until = s->work->state.failures != 0 ? s->work->state.retry_ns : 0;
    pt_mutex_unlock(&s->work->mu);
    return until > now ? until - now : 0;
}

/* Without a timeout: until somebody writes. seq_cst: the writer publishes, then looks at
 * `sleepers`. */
static void wait_for_write(pt_worker *w)
{
    pt_store *s = w->store;
    PT_DCHECK(pt_mutex_held(&s->work->mu), "work.mu guards what threads wait for");
    atomic_fetch_add(&s->sleepers, 1);
    if (atomic_load(&s->published.seq) == w->seen_seq)
        pt_cond_wait(&s->work->due_cond, &s->work->mu);
    atomic_fetch_sub(&s->sleepers, 1);
}

static void wait_for_work(pt_worker *w, uint64_t signals, uint64_t timeout_ns)
{
    pt_store *s = w->store;
    pt_mutex_lock(&s->work->mu);
    if (!s->work->state.stopping && s->work->state.signals == signals) {
        if (timeout_ns == UINT64_MAX)
            wait_for_write(w);
        else
            (void)pt_cond_wait_for(&s->work->due_cond, &s->work->mu, timeout_ns);
    }
    pt_mutex_unlock(&s->work->mu);
}

void pt_work_sweep(pt_store *s)
{
    pt_epoch_collect(&s->epoch);
    if (pt_open_tables_has_trash(&s->open_tables))
        pt_open_tables_sweep(&s->open_tables);
}

/* Notes what readers hold back, for pt_snapshot_released. Called before it looks what is due, so
 * that a reader who leaves meanwhile wakes us: `held_back` is set, then the list is read; the
 * reader leaves the list, then reads `held_back`. */
static void note_held_back(pt_store *s, const pt_version *v)
{
    pt_pick_options o;
    uint64_t before;
    atomic_store(&s->snapshots.held_before, UINT64_MAX);
    atomic_store(&s->snapshots.held_back, true);
    pt_sizes_options(s, v, &o);
    bool kept = pt_pick_held_back(v, &o, &before);
    atomic_store(&s->snapshots.held_before, before);
    if (!kept && atomic_load_explicit(&s->open_tables.dead_bytes, memory_order_relaxed) == 0)
        atomic_store(&s->snapshots.held_back, false);
}

/* Nothing may be done now. How long until something may, though nobody writes. */
static uint64_t unsettled_in(pt_worker *w)
{
    pt_store *s = w->store;
    pt_work_request all = {.idle = true, .idle_bytes_max = UINT64_MAX};
    pt_view *v = pt_store_view(s);
    if (w->first)
        note_held_back(s, v->version);
    pt_view_unref(v);
    bool unsettled = pt_work_due(s, &all); /* after it: who has let go before is seen here */
    if (atomic_load(&s->epoch.limbo_count) != 0)
        return LIMBO_NS;
    uint64_t left = pt_max_u64(pt_quiet_patience_left(s), UNSETTLED_NS_MIN);
    return unsettled ? pt_min_u64(left, UNSETTLED_NS_MAX) : UINT64_MAX;
}

/* What only the first thread does, for all. Returns how long the memtable may wait. */
static uint64_t do_for_all(pt_store *s, pt_quiet_tempo tempo, bool synced)
{
    if (tempo == PT_TEMPO_STILL && synced)
        mark_durable_when_quiet(s);
    return pt_quiet_rotate(s);
}

/* One round; returns how long to wait before the next. */
static uint64_t round_of_work(pt_worker *w)
{
    pt_store *s = w->store;
    w->seen_seq = atomic_load(&s->published.seq);
    uint64_t sync_in = w->first ? sync_due(s) : UINT64_MAX, change, wait = back_off(s);
    uint64_t ahead_in = UINT64_MAX;
    if (wait != 0)
        return pt_min_u64(wait, sync_in);
    pt_work_sweep(s);
    bool busy = w->first && prepare_log(s);
    pt_quiet_tempo tempo = pt_quiet_look(s, &change);
    if (w->first)
        sync_in = pt_min_u64(sync_in, do_for_all(s, tempo, sync_in == UINT64_MAX));
    if (w->first && pt_cache_bring_memory(s->cache, &ahead_in))
        busy = true;
    sync_in = pt_min_u64(sync_in, ahead_in);
    pt_worker_outcome outcome;
    peat_rc rc = pt_worker_step(w, tempo != PT_TEMPO_BUSY, &outcome);
    if (outcome != PT_WORKER_NOTHING || busy)
        pt_budget_check(s, NULL);
    if (rc != PEAT_OK)
        return pt_min_u64(back_off(s), sync_in);
    if (outcome != PT_WORKER_NOTHING)
        w->rests = 0;
    if (outcome != PT_WORKER_NOTHING || busy)
        return 0;
    wait = pt_min_u64(change, sync_in); /* what a store that becomes idle may do */
    if (tempo == PT_TEMPO_STILL && w->first) {
        send_error_event(s, pt_install_empty_log(s));
        wait = pt_min_u64(wait, pt_worker_rest(w));
    }
    return tempo == PT_TEMPO_BUSY ? wait : pt_min_u64(wait, unsettled_in(w));
}

static void worker_main(void *arg)
{
    pt_worker *w = (pt_worker *)arg;
    pt_store *s = w->store;
    uint64_t signals;
    while (goes_on(s, &signals)) {
        uint64_t wait = round_of_work(w);
        if (wait != 0)
            wait_for_work(w, signals, wait);
    }
    pt_worker_abandon(w);
}

void pt_work_wake(pt_store *s)
{
    pt_mutex_lock(&s->work->mu);
    s->work->state.signals++;
    pt_cond_broadcast(&s->work->due_cond);
    pt_mutex_unlock(&s->work->mu);
}

static void wake_for_memory(void *ctx)
{
    pt_work_wake((pt_store *)ctx);
}

peat_rc pt_work_start(pt_store *s)
{
    size_t n = s->settings.threads > 0 && !s->settings.read_only ? (size_t)s->settings.threads : 0;
    if (n == 0)
        return PEAT_OK;
    s->work->workers = (pt_worker *)pt_alloc_zero(s->env, n * sizeof *s->work->workers);
    if (s->work->workers == NULL)
        return PEAT_NOMEM;
    pt_cache_watch(s->cache, wake_for_memory, s);
    for (size_t i = 0; i < n; i++) {
        pt_worker *w = &s->work->workers[i];
        w->store = s;
        w->first = i == 0;
        int e = s->env->thread_start(s->env->ctx, worker_main, w, &w->thread);
        if (e != 0)
            return pt_fail_os(&s->sink, e, "starting a background thread");
        s->worker_count++;
    }
    return PEAT_OK;
}

void pt_work_stop(pt_store *s)
{
    pt_mutex_lock(&s->work->mu);
    s->work->state.stopping = true;
    pt_cond_broadcast(&s->work->due_cond);
    pt_cond_broadcast(&s->work->done_cond);
    pt_mutex_unlock(&s->work->mu);
    for (size_t i = 0; i < s->worker_count; i++)
        s->env->thread_join(s->env->ctx, s->work->workers[i].thread);
    s->worker_count = 0;
    pt_free(s->env, s->work->workers);
    s->work->workers = NULL;
    pt_worker_abandon(&s->work->inline_worker);
    PT_ASSERT(s->work->state.claims.count == 0, "I9: a claim ends with its worker");
}
