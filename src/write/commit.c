/* SPDX-License-Identifier: MIT */
/*
 * commit.c - the write path. One commit goes in seven steps:
 *   1  under commit_mu: room in the memtable is reserved, a new one is begun when there is none
 *   2  under commit_mu: the record goes to the log's buffer, sequences are taken
 *   3  the operations are inserted into the memtable, beside other committers
 *   4  the log is written to the operating system: one committer writes for all that wait
 *   5  the sequences are published in order: readers see them from now on
 *   6  with sync: the log is synced, one committer for all that wait
 *   7  the delay owed to the background is slept, outside all locks
 * The order of the log, of sequences and of publishing is one and the same.
 */
#include "base/coding.h"
#include "base/hash.h"
#include "state/store.h"
#include "entry/batch.h"

/* How often a committer looks again before it sleeps on a condition: inserts of others take about
 * a microsecond. */
#define PUBLISH_SPINS 2000

static uint64_t log_serial(pt_store *s)
{
    return s->log != NULL ? pt_log_serial(s->log) : 0;
}

/* What a switch of memtables needs, so that nothing can fail once it has begun. */
typedef struct switching {
    pt_view *next;
    pt_mem *fresh;
} switching;

static peat_rc switching_init(pt_store *s, switching *w)
{
    *w = (switching){.next = pt_view_alloc(s->env)};
    if (w->next == NULL)
        return PEAT_NOMEM;
    peat_rc rc = pt_mem_new(s, s->settings.memtable_bytes, s->seq_next, log_serial(s), &w->fresh);
    if (rc != PEAT_OK)
        pt_view_discard(w->next);
    return rc;
}

static void switching_drop(switching *w)
{
    pt_view_discard(w->next);
    pt_mem_unref(w->fresh);
}

/* The active memtable, and `side` (newer, may be NULL), become immutable. Caller holds commit_mu,
 * so the active memtable does not change meanwhile. */
static void switching_run(pt_store *s, switching *w, pt_mem *side)
{
    pt_mem *immutables[PT_VIEW_IMMUTABLES_MAX];
    size_t n = 0;
    pt_mutex_lock(&s->view_mu);
    pt_view *v = atomic_load_explicit(&s->view, memory_order_relaxed);
    v->active->seq_last = s->seq_next - 1;
    w->fresh->seq_first = side != NULL ? side->seq_last + 1 : s->seq_next;
    if (side != NULL)
        immutables[n++] = side;
    immutables[n++] = v->active;
    for (size_t i = 0; i < v->immutable_count; i++)
        immutables[n++] = v->immutables[i];
    pt_view_fill(w->next, w->fresh, immutables, n, v->version);
    pt_store_publish_view(s, w->next);
    pt_mutex_unlock(&s->view_mu);
    s->active = w->fresh;
    pt_mem_unref(w->fresh);
    atomic_store_explicit(&s->inline_due, true, memory_order_relaxed);
    pt_work_wake(s);
    pt_throttle_update(s);
}

/* Caller holds commit_mu. */
static peat_rc switch_memtable(pt_store *s)
{
    switching w;
    peat_rc rc = switching_init(s, &w);
    if (rc == PEAT_OK)
        switching_run(s, &w, NULL);
    return rc;
}

static size_t immutable_count(pt_store *s)
{
    pt_mutex_lock(&s->view_mu);
    size_t n = atomic_load_explicit(&s->view, memory_order_relaxed)->immutable_count;
    pt_mutex_unlock(&s->view_mu);
    return n;
}

/* The memory budget is the last brake: gives up commit_mu and waits until no more than so many are
 * immutable. On PEAT_OK commit_mu is held again, and anything may have changed. */
static peat_rc wait_for_flush(pt_store *s, size_t immutables_max)
{
    uint64_t begin = s->env->now_ns(s->env->ctx);
    pt_mutex_unlock(&s->commit_mu);
    peat_rc rc = pt_work_wait_flush(s, immutables_max);
    uint64_t waited = s->env->now_ns(s->env->ctx) - begin;
    if (rc == PEAT_OK)
        pt_event_send(s, PEAT_EVENT_STALL, PEAT_OK, waited, 0, 0, "memtables are full");
    pt_mutex_lock(&s->commit_mu);
    s->commits.waits++;
    s->commits.wait_ns += waited;
    return rc;
}

peat_rc pt_store_writable(pt_store *s)
{
    if (s->settings.read_only)
        return PEAT_READ_ONLY;
    return pt_sink_write_failure(&s->sink);
}

/* A memtable pins the log behind it; one that pins twice its size in log is switched as well. */
static bool pins_too_much_log(pt_store *s, const pt_mem *m)
{
    if (s->log == NULL || pt_log_serial(s->log) - m->log_serial < 8)
        return false;
    return pt_memtable_get_stats(m->table).entries != 0;
}

/* Step 1. Caller holds commit_mu, which may be given up and taken again. */
static peat_rc reserve(pt_store *s, const pt_commit *c, pt_mem **ret_mem)
{
    for (;;) {
        peat_rc rc = pt_store_writable(s);
        if (rc != PEAT_OK)
            return rc;
        pt_mem *m = s->active;
        if (PT_LIKELY(!pins_too_much_log(s, m)) &&
            PT_LIKELY(pt_memtable_reserve(m->table, c->count, c->key_bytes, c->value_bytes))) {
            *ret_mem = m;
            return PEAT_OK;
        }
        rc = immutable_count(s) < 2 ? switch_memtable(s) : wait_for_flush(s, 1);
        if (rc != PEAT_OK)
            return rc;
    }
}

static bool try_publish(pt_store *s, uint64_t first_seq, uint64_t last_seq)
{
    if (atomic_load_explicit(&s->seq_published, memory_order_acquire) != first_seq - 1)
        return false;
    /* seq_cst with the waiter's increment and load: either it sees this or we see it */
    atomic_store(&s->seq_published, last_seq);
    if (atomic_load(&s->publish_waiters) != 0) {
        pt_mutex_lock(&s->publish_mu);
        pt_cond_broadcast(&s->publish_cond);
        pt_mutex_unlock(&s->publish_mu);
    }
    return true;
}

void pt_store_wait_published(pt_store *s, uint64_t seq)
{
    for (int i = 0; i < PUBLISH_SPINS; i++) {
        if (atomic_load_explicit(&s->seq_published, memory_order_acquire) >= seq)
            return;
        pt_spin_pause();
    }
    pt_mutex_lock(&s->publish_mu);
    atomic_fetch_add(&s->publish_waiters, 1);
    while (atomic_load(&s->seq_published) < seq)
        pt_cond_wait(&s->publish_cond, &s->publish_mu);
    atomic_fetch_sub(&s->publish_waiters, 1);
    pt_mutex_unlock(&s->publish_mu);
}

/* Step 5. */
static void publish(pt_store *s, uint64_t first_seq, uint64_t last_seq)
{
    if (PT_LIKELY(try_publish(s, first_seq, last_seq)))
        return;
    pt_store_wait_published(s, first_seq - 1);
    bool done = try_publish(s, first_seq, last_seq);
    PT_ASSERT(done); /* nobody else may publish behind first_seq - 1 */
}

static void count_commit(pt_store *s, const pt_commit *c)
{
    s->commits.puts += c->count - c->deletes;
    s->commits.deletes += c->deletes;
    s->commits.batches += c->batch;
    s->commits.user_bytes += c->key_bytes + c->value_bytes - (uint64_t)c->count * PT_KEYSPACE_BYTES;
}

/* Step 2. Caller holds commit_mu. */
static peat_rc append(pt_store *s, const pt_commit *c, uint64_t hash, uint64_t *ret_position)
{
    *ret_position = 0;
    if (s->log == NULL)
        return PEAT_OK;
    return pt_log_append(s->log, s->seq_next, c->count, c->payload, hash, ret_position);
}

/* And once per segment the manifest hears of it, so that nobody loses synced records with the file
 * without noticing. They are safe meanwhile: when that fails, the write failure or the next time
 * tells. */
static peat_rc log_sync(pt_store *s, uint64_t position, bool waited_for)
{
    atomic_fetch_add_explicit(&s->sync_waiters, waited_for, memory_order_relaxed);
    bool timed = s->settings.host.event_fn != NULL;
    uint64_t begin = timed ? s->env->now_ns(s->env->ctx) : 0;
    uint64_t before = timed ? pt_log_synced_position(s->log) : 0;
    peat_rc rc = pt_log_sync(s->log, position), heard = PEAT_OK;
    if (rc == PEAT_OK && atomic_load(&s->durable_serial) != pt_log_serial(s->log))
        heard = pt_install_durable(s, false);
    if (timed)
        pt_event_send(s, PEAT_EVENT_SYNC, rc, s->env->now_ns(s->env->ctx) - begin, 0,
                      pt_log_synced_position(s->log) - before, NULL);
    if (rc != PEAT_OK || heard != PEAT_OK)
        pt_event_send(s, PEAT_EVENT_ERROR, rc != PEAT_OK ? rc : heard, 0, 0, 0, NULL);
    return rc;
}

/* Without threads the interval is looked at by each call that writes. */
static peat_rc sync_when_due(pt_store *s, uint64_t position)
{
    uint64_t since = atomic_load(&s->unsynced_since_ns);
    if (since == 0 || s->env->now_ns(s->env->ctx) - since < s->settings.sync_interval_ns)
        return PEAT_OK;
    atomic_store(&s->unsynced_since_ns, 0);
    return log_sync(s, position, false);
}

/* Something was written: the clock of the interval sync starts, and a thread that waits without a
 * timeout is woken. */
static peat_rc note_written(pt_store *s, uint64_t position)
{
    bool wake = PT_UNLIKELY(atomic_load(&s->sleepers) != 0); /* seq_cst with the thread's store and
                                                           its load of the published sequence */
    if (s->log != NULL && atomic_load_explicit(&s->unsynced_since_ns, memory_order_relaxed) == 0) {
        atomic_store(&s->unsynced_since_ns, s->env->now_ns(s->env->ctx) | 1);
        wake = true;
    }
    if (s->worker_count == 0)
        return s->log != NULL ? sync_when_due(s, position) : PEAT_OK;
    if (wake)
        pt_work_wake(s);
    return PEAT_OK;
}

/* Steps 3 to 7. Caller holds commit_mu, which is released, and has counted itself among the writers
 * of `m`, which ends before anything that may flush. */
static peat_rc finish(pt_store *s, const pt_commit *c, pt_mem *m, uint64_t position)
{
    peat_rc rc = PEAT_OK;
    uint64_t first = s->seq_next, last = first + c->count - 1;
    if (PT_UNLIKELY(pt_empty_ranges_watch(&s->empty_ranges)))
        pt_empty_ranges_note(&s->empty_ranges, c->payload);
    s->seq_next = last + 1;
    count_commit(s, c);
    uint64_t delay_ns = pt_throttle_owe(s, c->payload.size);
    pt_mutex_unlock(&s->commit_mu);

    pt_mem_insert(m, c->payload, first); /* 3 */
    if (s->log != NULL)
        rc = pt_log_write(s->log, position); /* 4 */
    publish(s, first, last);                 /* 5 */
    /* release: the inserts come before the flush that sees no writers */
    atomic_fetch_sub_explicit(&m->writers, 1, memory_order_release);
    if (rc == PEAT_OK && c->sync)
        rc = s->log != NULL ? log_sync(s, position, true) : pt_store_flush(s); /* 6 */
    else if (rc == PEAT_OK)
        rc = note_written(s, position);
    if (s->worker_count == 0 && atomic_load_explicit(&s->inline_due, memory_order_relaxed))
        pt_work_step_inline(s, c->payload.size);
    if (PT_UNLIKELY(delay_ns != 0))
        pt_throttle_pay(s, delay_ns); /* 7 */
    return rc;
}

/* A batch that would crowd out a memtable gets one of its own, which is immutable from the start;
 * its entries are invisible until they are published. */
static peat_rc commit_large(pt_store *s, const pt_commit *c, uint64_t hash, size_t capacity)
{
    switching w;
    pt_mem *side = NULL;
    uint64_t position;
    peat_rc rc = PEAT_OK;
    /* one that is larger than a memtable does not wait for its flush beside others */
    size_t others_max = capacity > s->settings.memtable_bytes ? 0 : 1;
    pt_mutex_lock(&s->commit_mu);
    TRY(pt_store_writable(s));
    while (immutable_count(s) > others_max)
        TRY(wait_for_flush(s, others_max));
    TRY(pt_store_writable(s));
    TRY(pt_mem_new(s, capacity, 0, 0, &side));
    TRY(switching_init(s, &w));
    bool fits = pt_memtable_reserve(side->table, c->count, c->key_bytes, c->value_bytes);
    PT_ASSERT(fits); /* pt_memtable_capacity_for said so */
    side->log_serial = log_serial(s);
    rc = append(s, c, hash, &position);
    if (rc != PEAT_OK) {
        switching_drop(&w);
        goto out;
    }
    side->seq_first = s->seq_next;
    side->seq_last = s->seq_next + c->count - 1;
    atomic_fetch_add_explicit(&side->writers, 1, memory_order_relaxed); /* before a flush sees it */
    switching_run(s, &w, side);
    rc = finish(s, c, side, position);
    pt_mem_unref(side);
    return rc;
out:
    pt_mutex_unlock(&s->commit_mu);
    pt_mem_unref(side);
    return rc;
}

peat_rc pt_store_commit(pt_store *s, const pt_commit *c)
{
    pt_mem *m;
    uint64_t position;
    uint64_t hash = pt_hash(c->payload.data, c->payload.size);
    if (PT_UNLIKELY(c->payload.size > s->settings.memtable_bytes / 16)) {
        size_t capacity = pt_memtable_capacity_for(c->count, c->key_bytes, c->value_bytes);
        if (capacity > s->settings.memtable_bytes / 4)
            return commit_large(s, c, hash, capacity);
    }
    pt_mutex_lock(&s->commit_mu);
    peat_rc rc = reserve(s, c, &m); /* 1 */
    if (rc == PEAT_OK)
        rc = append(s, c, hash, &position); /* 2 */
    if (rc != PEAT_OK) {
        pt_mutex_unlock(&s->commit_mu);
        return rc;
    }
    atomic_fetch_add_explicit(&m->writers, 1, memory_order_relaxed);
    return finish(s, c, m, position);
}

peat_rc pt_store_rotate(pt_store *s, bool may_wait)
{
    peat_rc rc = PEAT_OK;
    pt_mutex_lock(&s->commit_mu);
    pt_memtable_stats stats = pt_memtable_get_stats(s->active->table);
    while (rc == PEAT_OK && stats.entries != 0 && immutable_count(s) >= 2) {
        rc = may_wait ? wait_for_flush(s, 1) : PEAT_TIMEOUT;
        stats = pt_memtable_get_stats(s->active->table);
    }
    if (rc == PEAT_OK && stats.entries != 0)
        rc = switch_memtable(s);
    pt_mutex_unlock(&s->commit_mu);
    return rc;
}

peat_rc pt_store_sync_log(pt_store *s, bool waited_for)
{
    peat_rc rc = pt_store_writable(s);
    if (rc != PEAT_OK)
        return rc;
    if (s->log == NULL)
        return pt_store_flush(s);
    return log_sync(s, pt_log_position(s->log), waited_for);
}

peat_rc pt_store_sync(pt_store *s)
{
    return pt_store_sync_log(s, true);
}
