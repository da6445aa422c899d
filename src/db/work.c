/* SPDX-License-Identifier: MIT */
/*
 * work.c - background work: choose -> run -> install, in the store's own threads or in a caller's.
 *
 * A worker carries at most one merge, in steps; between steps a waiting flush goes first, so that a
 * writer never waits for a merge. Partitions a merge works on are claimed (work_mu) from choosing
 * until it is installed or given up.
 */
#include "db/store.h"
#include "db/worker.h"

/* One step of a merge: a few milliseconds. */
#define STEP_BYTES ((uint64_t)1 << 20)
/* A failed unit is tried again after this, doubling up to 64 times it: a full disk may have room
 * by then, and the log of errors stays short. */
#define RETRY_NS ((uint64_t)50 * 1000 * 1000)
/* A table write that fails with EIO this many times in a row fences the store. */
#define IO_FAILURES_MAX 3u

void pt_work_context_init(pt_store *s, const pt_version *v, const uint64_t *snapshots,
                          size_t snapshot_count, pt_work_context *ret_ctx)
{
    pt_pick_options o;
    pt_pick_options_init(s, v, &o);
    *ret_ctx = (pt_work_context){.env = s->env,
                                 .dir = s->dir,
                                 .sink = &s->sink,
                                 .store_id = s->store_id,
                                 .edit_number = s->catalog.state.edit_number + 1,
                                 .file_next = &s->file_next,
                                 .table_bytes = o.table_bytes,
                                 .partition_bytes = o.partition_bytes,
                                 .codec = s->settings.codec,
                                 .block_bytes = s->settings.block_bytes,
                                 .bottom_filter = pt_locators_overflow(s, v),
                                 .stream_bytes_max = s->settings.memory_bytes / 16,
                                 .snapshots = snapshots,
                                 .snapshot_count = snapshot_count};
}

static uint64_t store_bytes(const pt_version *v)
{
    uint64_t n = 0;
    for (size_t i = 0; i < v->count; i++)
        n += v->partitions[i]->slice_bytes + v->partitions[i]->bottom_bytes;
    return n;
}

/* Partitions: a 64th of the store, 8 to 128 MiB, larger only when there would be more than 512. */
void pt_pick_options_init(pt_store *s, const pt_version *v, pt_pick_options *ret_options)
{
    uint64_t bytes = store_bytes(v);
    uint64_t target = pt_min_u64(pt_max_u64(bytes / 64, (uint64_t)8 << 20), (uint64_t)128 << 20);
    target = pt_max_u64(target, bytes / 512);
    if (s->settings.partition_bytes != 0)
        target = s->settings.partition_bytes;
    uint64_t table = pt_max_u64(target / 8, (uint64_t)8 << 20);
    if (s->settings.table_bytes != 0)
        table = s->settings.table_bytes;
    *ret_options = (pt_pick_options){.partition_bytes = target,
                                     .table_bytes = pt_min_u64(table, target),
                                     .space_target = s->settings.space_target,
                                     .slices_max = s->settings.slices_max};
}

/* ---- failures ---- */

static void note_result(pt_store *s, peat_rc rc)
{
    pt_mutex_lock(&s->work_mu);
    pt_work_state *w = &s->work;
    w->error = rc;
    w->failures = rc == PEAT_OK ? 0 : w->failures + 1;
    if (rc != PEAT_OK) {
        uint64_t back_off = RETRY_NS << (w->failures < 7 ? w->failures - 1 : 6);
        w->retry_ns = s->env->now_ns(s->env->ctx) + back_off;
    }
    unsigned failures = w->failures;
    w->generation++;
    pt_cond_broadcast(&s->done_cond);
    pt_mutex_unlock(&s->work_mu);
    if (rc == PEAT_OK)
        return;
    if (rc == PEAT_IO && failures >= IO_FAILURES_MAX)
        pt_sink_fence(&s->sink, rc);
    pt_event_send(s, PEAT_EVENT_ERROR, rc, 0, 0, 0, NULL);
}

static void note_rate(pt_store *s, uint64_t bytes, uint64_t ns)
{
    if (ns == 0 || bytes < 65536)
        return; /* too short to say anything */
    double rate = (double)bytes * 1e9 / (double)ns;
    pt_mutex_lock(&s->work_mu);
    double *r = &s->work.bytes_per_second;
    *r = *r == 0 ? rate : *r * 0.75 + rate * 0.25;
    pt_mutex_unlock(&s->work_mu);
}

/* ---- flush ---- */

static pt_mem *oldest_immutable(const pt_view *v)
{
    return v->immutable_count != 0 ? v->immutables[v->immutable_count - 1] : NULL;
}

static void wait_for_writers(pt_store *s, pt_mem *m)
{
    pt_store_wait_published(s, m->seq_last);
    /* acquire: pairs with the committer's release after its inserts; they take microseconds */
    while (atomic_load_explicit(&m->writers, memory_order_acquire) != 0)
        pt_spin_pause();
}

static peat_rc run_flush(pt_store *s, const pt_view *v, pt_mem *m, pt_flush *ret_flush,
                         pt_work_context *ctx, uint64_t **ret_snapshots)
{
    peat_rc rc = PEAT_OK;
    pt_iter *entries = NULL;
    size_t count;
    pt_memtable_stats stats;
    wait_for_writers(s, m);
    TRY(pt_snapshot_list(s, ret_snapshots, &count));
    pt_work_context_init(s, v->version, *ret_snapshots, count, ctx);
    TRY(pt_memtable_iter_new(m->table, &entries));
    pt_memtable_get_stats(m->table, &stats);
    pt_flush_input input = {.entries = entries,
                            .seq_first = m->seq_first,
                            .seq_last = m->seq_last,
                            .bytes = stats.key_bytes + stats.value_bytes,
                            .epoch = &s->epoch};
    TRY(pt_flush_run(ret_flush, ctx, v->version, &input));
out:
    pt_iter_done(entries);
    return rc;
}

static void count_flush(pt_store *s, const pt_flush *f)
{
    pt_mutex_lock(&s->work_mu);
    s->work.flushes++;
    s->work.appends += f->appended != NULL;
    s->work.flush_bytes += pt_flush_bytes_written(f);
    pt_mutex_unlock(&s->work_mu);
}

/* Flushes the oldest immutable memtable; one at a time. */
static peat_rc flush_one(pt_store *s, bool *ret_did)
{
    peat_rc rc = PEAT_OK;
    pt_flush flush = {0};
    pt_work_context ctx;
    uint64_t *snapshots = NULL;
    pt_mutex_lock(&s->flush_mu);
    uint64_t begin = s->env->now_ns(s->env->ctx);
    pt_view *v = pt_store_view(s);
    pt_mem *m = oldest_immutable(v);
    *ret_did = m != NULL;
    if (m == NULL)
        goto out;
    TRY(pt_sink_fenced(&s->sink));
    TRY(run_flush(s, v, m, &flush, &ctx, &snapshots));
    TRY(pt_install_flush(s, &flush, m));
    count_flush(s, &flush);
out:
    if (m != NULL) {
        pt_memtable_stats stats;
        pt_memtable_get_stats(m->table, &stats);
        uint64_t bytes = stats.key_bytes + stats.value_bytes;
        uint64_t took = s->env->now_ns(s->env->ctx) - begin;
        if (rc == PEAT_OK)
            note_rate(s, bytes, took);
        pt_event_send(s, PEAT_EVENT_FLUSH, rc, took, bytes, pt_flush_bytes_written(&flush), NULL);
    }
    pt_flush_done(&flush);
    pt_view_unref(v);
    pt_free(s->env, snapshots);
    pt_mutex_unlock(&s->flush_mu);
    if (*ret_did) {
        note_result(s, rc);
        pt_pace_update(s);
    }
    return rc;
}

peat_rc pt_work_wait_flush(pt_store *s, size_t immutables_max)
{
    for (;;) {
        peat_rc rc = pt_sink_fenced(&s->sink);
        if (rc != PEAT_OK)
            return rc;
        pt_mutex_lock(&s->work_mu);
        uint64_t generation = s->work.generation;
        unsigned failures = s->work.failures;
        pt_mutex_unlock(&s->work_mu);
        pt_view *v = pt_store_view(s);
        size_t n = v->immutable_count;
        pt_view_unref(v);
        if (n <= immutables_max)
            return PEAT_OK;
        if (s->worker_count == 0 || failures != 0) {
            bool did;
            rc = flush_one(s,
                           &did); /* also after a failure: the caller finds out whether it lasts */
            if (rc != PEAT_OK)
                return rc;
            continue;
        }
        pt_work_wake(s);
        pt_mutex_lock(&s->work_mu);
        while (s->work.generation == generation)
            pt_cond_wait(&s->done_cond, &s->work_mu);
        pt_mutex_unlock(&s->work_mu);
    }
}

peat_rc pt_store_flush(pt_store *s)
{
    if (s->settings.read_only)
        return PEAT_READ_ONLY;
    peat_rc rc = pt_sink_fenced(&s->sink);
    if (rc == PEAT_OK)
        rc = pt_store_rotate(s, true);
    bool did = true;
    while (rc == PEAT_OK && did)
        rc = flush_one(s, &did);
    return rc;
}

/* ---- merges ---- */

static void options_with_claims(pt_store *s, pt_pick_options *o, uint64_t *io_claims)
{
    size_t n = 0;
    for (size_t i = 0; i < s->work.claimed_count; i++)
        io_claims[n++] = s->work.claimed[i];
    for (size_t i = 0; i < s->work.avoid_count; i++)
        io_claims[n++] = s->work.avoid[i];
    o->claimed = io_claims;
    o->claimed_count = n;
}

#define CLAIMS_MAX (PT_MERGE_PARTS_MAX * (PEAT_THREADS_MAX + 1) + 64)

static void claim(pt_worker *w, const pt_version *v, const pt_merge_pick *pick)
{
    pt_work_state *state = &w->store->work;
    w->claimed_count = 0;
    for (size_t i = 0; i < pick->count; i++) {
        uint64_t id = v->partitions[pick->first + i]->id;
        w->claimed[w->claimed_count++] = id;
        state->claimed[state->claimed_count++] = id;
    }
    state->merges_running++;
}

/* Caller holds work_mu. */
static void unclaim(pt_worker *w)
{
    pt_work_state *state = &w->store->work;
    size_t n = 0;
    for (size_t i = 0; i < state->claimed_count; i++) {
        bool mine = false;
        for (size_t j = 0; j < w->claimed_count; j++)
            mine = mine || w->claimed[j] == state->claimed[i];
        if (!mine)
            state->claimed[n++] = state->claimed[i];
    }
    state->claimed_count = n;
    state->merges_running--;
    w->claimed_count = 0;
}

/* What pt_compact or settling restricts the choice to. */
typedef struct pt_wish {
    bool idle;
    pt_slice lower, upper;
} pt_wish;

static void wish_options(pt_store *s, const pt_version *v, const pt_wish *wish,
                         pt_pick_options *ret_options)
{
    pt_pick_options_init(s, v, ret_options);
    ret_options->idle = wish->idle;
    ret_options->lower = wish->lower;
    ret_options->upper = wish->upper;
    ret_options->oldest_snapshot = pt_snapshot_oldest(s);
}

/* Choose. PEAT_OK with *ret_unit NONE when nothing is due. A merge is claimed. */
static pt_unit choose(pt_worker *w, pt_version *v, const pt_wish *wish,
                      pt_pick_options *ret_options, uint64_t *io_claims, pt_merge_pick *ret_pick)
{
    pt_store *s = w->store;
    wish_options(s, v, wish, ret_options);
    pt_mutex_lock(&s->work_mu);
    options_with_claims(s, ret_options, io_claims);
    pt_unit unit = pt_pick(v, ret_options, ret_pick);
    if (unit == PT_UNIT_MERGE)
        claim(w, v, ret_pick);
    pt_mutex_unlock(&s->work_mu);
    return unit;
}

static peat_rc begin_merge(pt_worker *w, pt_version *v, const pt_merge_pick *pick)
{
    pt_store *s = w->store;
    size_t count;
    w->started_ns = s->env->now_ns(s->env->ctx);
    peat_rc rc = pt_snapshot_list(s, &w->snapshots, &count);
    if (rc != PEAT_OK)
        return rc;
    pt_work_context_init(s, v, w->snapshots, count, &w->ctx);
    rc = pt_merge_new(&w->ctx, v, pick, &w->merge);
    if (rc != PEAT_OK) {
        pt_free(s->env, w->snapshots);
        w->snapshots = NULL;
    }
    return rc;
}

static void count_merge(pt_worker *w)
{
    pt_work_state *state = &w->store->work;
    if (pt_merge_get_kind(w->merge) == PT_MERGE_MID)
        state->mid_merges++;
    else
        state->bottom_merges++;
    state->merge_bytes_written += pt_merge_bytes_written(w->merge);
    state->merge_bytes_read += pt_merge_bytes_read(w->merge);
}

/* Damage among the inputs: these partitions are left as they are; the rest of the store works on.
 */
static void avoid_claimed(pt_worker *w)
{
    pt_work_state *state = &w->store->work;
    for (size_t i = 0; i < w->claimed_count && state->avoid_count < 64; i++)
        state->avoid[state->avoid_count++] = w->claimed[i];
}

/* The merge is over, installed or given up. */
static void end_merge(pt_worker *w, peat_rc rc)
{
    pt_store *s = w->store;
    uint64_t took = s->env->now_ns(s->env->ctx) - w->started_ns;
    uint64_t in = w->merge != NULL ? pt_merge_bytes_read(w->merge) : 0;
    uint64_t out = w->merge != NULL ? pt_merge_bytes_written(w->merge) : 0;
    pt_mutex_lock(&s->work_mu);
    if (rc == PEAT_OK && w->merge != NULL)
        count_merge(w);
    if (rc == PEAT_CORRUPT)
        avoid_claimed(w);
    unclaim(w);
    pt_mutex_unlock(&s->work_mu);
    pt_merge_free(w->merge);
    pt_free(s->env, w->snapshots);
    w->merge = NULL;
    w->snapshots = NULL;
    pt_epoch_collect(&s->epoch);
    pt_shelf_sweep(&s->shelf);
    pt_event_send(s, PEAT_EVENT_MERGE, rc, took, in, out, NULL);
    if (rc == PEAT_CORRUPT)
        atomic_fetch_add(&s->damages, 1);
    note_result(s, rc == PEAT_CORRUPT || rc == PEAT_CANCELLED
                       ? PEAT_OK
                       : rc); /* damage does not go away by trying again */
    pt_pace_update(s);
}

/* Run, one step; install when it was the last. */
static peat_rc step_merge(pt_worker *w, uint64_t bytes)
{
    peat_rc rc = pt_sink_fenced(&w->store->sink);
    if (rc == PEAT_OK)
        rc = pt_merge_step(w->merge, bytes);
    if (rc == PEAT_OK)
        return PEAT_OK;
    if (rc == PEAT_END)
        rc = pt_install_merge(w->store, w->merge);
    end_merge(w, rc);
    return rc == PEAT_CORRUPT ? PEAT_OK : rc;
}

/* A step of whatever is due. */
static peat_rc worker_step(pt_worker *w, const pt_wish *wish, uint64_t bytes,
                           pt_worker_outcome *ret_outcome)
{
    pt_store *s = w->store;
    bool did = false;
    peat_rc rc = flush_one(s, &did);
    *ret_outcome = did ? PT_WORKER_UNIT : PT_WORKER_NOTHING;
    if (did || rc != PEAT_OK)
        return rc;
    if (w->merge != NULL) {
        rc = step_merge(w, bytes);
        *ret_outcome = w->merge == NULL ? PT_WORKER_UNIT : PT_WORKER_STEP;
        return rc;
    }
    pt_pick_options options;
    pt_merge_pick pick;
    uint64_t claims[CLAIMS_MAX];
    pt_view *v = pt_store_view(s);
    pt_unit unit = choose(w, v->version, wish, &options, claims, &pick);
    if (unit == PT_UNIT_MERGE) {
        rc = begin_merge(w, v->version, &pick);
        *ret_outcome = PT_WORKER_STEP;
        if (rc != PEAT_OK)
            end_merge(w, rc);
    } else if (unit != PT_UNIT_NONE) {
        rc = pt_install_shape(s, &options, &did);
        *ret_outcome = did ? PT_WORKER_UNIT : PT_WORKER_NOTHING;
        pt_mutex_lock(&s->work_mu);
        s->work.partition_changes += did;
        pt_mutex_unlock(&s->work_mu);
        pt_event_send(s, PEAT_EVENT_PARTITION, rc, 0, 0, 0, NULL);
    }
    pt_view_unref(v);
    return rc;
}

peat_rc pt_worker_step(pt_worker *w, bool idle, pt_worker_outcome *ret_outcome)
{
    pt_wish wish = {.idle = idle};
    return worker_step(w, &wish, STEP_BYTES, ret_outcome);
}

void pt_worker_abandon(pt_worker *w)
{
    if (w->merge != NULL)
        end_merge(w, PEAT_CANCELLED);
}

/* ---- a caller's thread ---- */

static peat_rc unit_inline(pt_store *s, const pt_wish *wish, bool *ret_did)
{
    pt_worker_outcome outcome;
    peat_rc rc;
    pt_mutex_lock(&s->worker_mu);
    do
        rc = worker_step(&s->inline_worker, wish, UINT64_MAX / 2, &outcome);
    while (rc == PEAT_OK && outcome == PT_WORKER_STEP);
    pt_mutex_unlock(&s->worker_mu);
    *ret_did = outcome != PT_WORKER_NOTHING;
    return rc;
}

peat_rc pt_work_unit(pt_store *s, bool idle, bool *ret_did)
{
    pt_wish w = {.idle = idle};
    *ret_did = false;
    if (s->settings.read_only)
        return PEAT_READ_ONLY;
    return unit_inline(s, &w, ret_did);
}

void pt_work_step_inline(pt_store *s)
{
    pt_wish w = {0};
    pt_worker_outcome outcome;
    pt_mutex_lock(&s->worker_mu);
    /* a failure is kept for the next wait on a flush, and was sent as an event */
    (void)worker_step(&s->inline_worker, &w, STEP_BYTES, &outcome);
    if (outcome == PT_WORKER_NOTHING)
        atomic_store_explicit(&s->inline_due, false, memory_order_relaxed);
    pt_mutex_unlock(&s->worker_mu);
}

static bool others_run(pt_store *s)
{
    pt_mutex_lock(&s->work_mu);
    bool some = s->work.merges_running != 0;
    pt_mutex_unlock(&s->work_mu);
    return some;
}

/* False when the deadline has passed. */
static bool wait_for_others(pt_store *s, uint64_t deadline_ns)
{
    uint64_t now = s->env->now_ns(s->env->ctx);
    if (now >= deadline_ns)
        return false;
    pt_mutex_lock(&s->work_mu);
    /* short, because a unit may have ended since others_run was asked */
    if (s->work.merges_running != 0)
        (void)pt_cond_wait_for(&s->done_cond, &s->work_mu,
                               pt_min_u64(deadline_ns - now, 50 * 1000 * 1000));
    pt_mutex_unlock(&s->work_mu);
    return true;
}

static bool is_settled(pt_store *s)
{
    pt_view *v = pt_store_view(s);
    pt_memtable_stats stats;
    pt_memtable_get_stats(v->active->table, &stats);
    bool settled = v->immutable_count == 0 && stats.entries == 0;
    pt_view_unref(v);
    return settled;
}

/* Asks the chooser, without claiming anything. */
static bool anything_due(pt_store *s, const pt_wish *wish)
{
    pt_pick_options options;
    pt_merge_pick pick;
    uint64_t claims[CLAIMS_MAX];
    pt_view *v = pt_store_view(s);
    wish_options(s, v->version, wish, &options);
    pt_mutex_lock(&s->work_mu);
    options_with_claims(s, &options, claims);
    bool due = s->work.merges_running != 0 || pt_pick(v->version, &options, &pick) != PT_UNIT_NONE;
    pt_mutex_unlock(&s->work_mu);
    pt_view_unref(v);
    return due;
}

static peat_rc settle_range(pt_store *s, const pt_wish *w, uint64_t deadline_ns,
                            const peat_progress *progress)
{
    for (uint64_t units = 0;; units++) {
        bool did = false;
        if (progress != NULL && progress->fn != NULL &&
            !progress->fn(progress->ctx, "merging", units, 0))
            return PEAT_CANCELLED;
        if (deadline_ns != UINT64_MAX && s->env->now_ns(s->env->ctx) >= deadline_ns)
            return anything_due(s, w) ? PEAT_TIMEOUT : PEAT_OK;
        peat_rc rc = unit_inline(s, w, &did);
        if (rc != PEAT_OK)
            return rc;
        if (did)
            continue;
        if (!others_run(s))
            return PEAT_OK;
        if (!wait_for_others(s, deadline_ns))
            return PEAT_TIMEOUT;
    }
}

peat_rc pt_store_settle(pt_store *s, uint64_t timeout_ms)
{
    pt_wish w = {.idle = true};
    uint64_t now = s->env->now_ns(s->env->ctx);
    uint64_t deadline =
        timeout_ms < (UINT64_MAX - now) / 1000000 ? now + timeout_ms * 1000000 : UINT64_MAX;
    if (s->settings.read_only)
        return PEAT_READ_ONLY;
    peat_rc rc = PEAT_OK;
    do {
        if (!is_settled(s))
            rc = timeout_ms == 0 ? PEAT_TIMEOUT : pt_store_flush(s);
        if (rc == PEAT_OK)
            rc = settle_range(s, &w, deadline, NULL);
    } while (rc == PEAT_OK && !is_settled(s));
    if (rc == PEAT_OK)
        rc = pt_install_empty_log(s);
    return rc;
}

peat_rc pt_store_compact(pt_store *s, pt_slice lower, pt_slice upper, const peat_progress *progress)
{
    pt_wish w = {.idle = true, .lower = lower, .upper = upper};
    peat_rc rc = pt_store_flush(s);
    if (rc == PEAT_OK)
        rc = settle_range(s, &w, UINT64_MAX, progress);
    return rc == PEAT_OK ? pt_install_empty_log(s) : rc;
}
