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
#include "state/durable.h"
#include "state/event.h"
#include "state/switch.h"
#include "write/throttle.h"
#include "write/write.h"
#include "entry/batch.h"

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
        rc = pt_switch_immutable_count(s) < 2 ? pt_switch_memtable(s) : pt_switch_wait(s, 1);
        if (rc != PEAT_OK)
            return rc;
    }
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

/* Without threads the interval is looked at by each call that writes. */
static peat_rc sync_when_due(pt_store *s, uint64_t position)
{
    uint64_t since = atomic_load(&s->unsynced_since_ns);
    if (since == 0 || s->env->now_ns(s->env->ctx) - since < s->settings.sync_interval_ns)
        return PEAT_OK;
    atomic_store(&s->unsynced_since_ns, 0);
    return pt_durable_sync(s, position, false);
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
        s->background.wake(s);
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
        rc = pt_log_write(s->log, position);        /* 4 */
    pt_published_raise(&s->published, first, last); /* 5 */
    /* release: the inserts come before the flush that sees no writers */
    atomic_fetch_sub_explicit(&m->writers, 1, memory_order_release);
    if (rc == PEAT_OK && c->sync)
        rc = s->log != NULL ? pt_durable_sync(s, position, true) : pt_switch_flush(s); /* 6 */
    else if (rc == PEAT_OK)
        rc = note_written(s, position);
    if (s->worker_count == 0 && atomic_load_explicit(&s->inline_due, memory_order_relaxed))
        s->background.step(s, c->payload.size);
    if (PT_UNLIKELY(delay_ns != 0))
        pt_throttle_pay(s, delay_ns); /* 7 */
    return rc;
}

/* A batch that would crowd out a memtable gets one of its own, which is immutable from the start;
 * its entries are invisible until they are published. */
static peat_rc commit_large(pt_store *s, const pt_commit *c, uint64_t hash, size_t capacity)
{
    pt_switch w;
    pt_mem *side = NULL;
    uint64_t position;
    peat_rc rc = PEAT_OK;
    /* one that is larger than a memtable does not wait for its flush beside others */
    size_t others_max = capacity > s->settings.memtable_bytes ? 0 : 1;
    pt_mutex_lock(&s->commit_mu);
    TRY(pt_store_writable(s));
    while (pt_switch_immutable_count(s) > others_max)
        TRY(pt_switch_wait(s, others_max));
    TRY(pt_store_writable(s));
    TRY(pt_mem_new(s, capacity, 0, 0, &side));
    TRY(pt_switch_init(s, &w));
    bool fits = pt_memtable_reserve(side->table, c->count, c->key_bytes, c->value_bytes);
    PT_ASSERT(fits); /* pt_memtable_capacity_for said so */
    side->log_serial = pt_switch_log_serial(s);
    rc = append(s, c, hash, &position);
    if (rc != PEAT_OK) {
        pt_switch_drop(&w);
        goto out;
    }
    side->seq_first = s->seq_next;
    side->seq_last = s->seq_next + c->count - 1;
    atomic_fetch_add_explicit(&side->writers, 1, memory_order_relaxed); /* before a flush sees it */
    pt_switch_run(s, &w, side);
    rc = finish(s, c, side, position);
    pt_mem_unref(side);
    return rc;
out:
    pt_mutex_unlock(&s->commit_mu);
    pt_mem_unref(side);
    return rc;
}

peat_rc pt_write_commit(pt_store *s, const pt_commit *c)
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

peat_rc pt_write_sync(pt_store *s)
{
    peat_rc rc = pt_store_writable(s);
    if (rc != PEAT_OK)
        return rc;
    if (s->log == NULL)
        return pt_switch_flush(s);
    return pt_durable_sync(s, pt_log_position(s->log), true);
}
