/* SPDX-License-Identifier: MIT */
/*
 * commit.c - the write path. Every commit, of one operation or of a million, goes through five
 * stages, each a function of that name:
 *
 *   reserved     commit_reserve        under commit_mu, which may be given up before the end of it
 *                room for the operations in a memtable: the active one, or, for a batch that would
 *                crowd it out, one of its own
 *                failed: nothing has happened, but that another memtable may be the active one
 *                Then whoever made the commit is asked (pt_write_request.validate_fn). Nobody else
 *                writes any more: what it finds stays true until this commit has its sequences.
 *                refused: the room is given back, nothing has happened
 *   logged       commit_log            under commit_mu, held since the room was found
 *                the record is in the log's buffer and the sequences are taken, so that both have
 *                one order
 *                failed: nothing has happened, or nobody knows what the file has: then the log has
 *                stopped all writes
 *   inserted     commit_insert         without a lock, beside other committers
 *                the operations are in the memtable, and cannot fail to be
 *                Then the record is given to the system, one committer for all that wait, so that a
 *                killed process loses nothing that readers have seen.
 *                failed: no more writes. The commit goes on to be published, for later ones wait
 *                for it, and returns the failure
 *   published    commit_publish        without a lock, in turn
 *                readers see it, and all before it, and the tap is told (taps.h); cannot fail
 *   durable      commit_make_durable   without a lock
 *                with sync: the log is synced, one committer for all that wait, and the tap is
 *                told. Else the interval is left to do it
 *                failed: no more writes. Readers see the commit, and the next open may not
 *
 * Last, what the commit owes the background is paid. The order of the log, of sequences and of
 * publishing is one and the same.
 */
#include "base/coding.h"
#include "base/hash.h"
#include "entry/batch.h"
#include "state/durable.h"
#include "state/switch.h"
#include "write/throttle.h"
#include "write/write.h"

/* On its way through the stages. */
typedef struct commit {
    const pt_write_request *request;
    uint64_t hash; /* of the payload */
    /* reserved */
    pt_mem *mem;
    bool apart;           /* mem is made for this commit alone: it is not the active one */
    pt_switch own_switch; /* when apart: prepared here, so that commit_log cannot fail at it */
    /* logged */
    uint64_t first_seq, last_seq;
    uint64_t position; /* of the end of its record */
    uint64_t delay_ns; /* owed to the background */
} commit;

/* A memtable keeps the log from its first record on. One that holds anything is switched before it
 * is full when eight segments have begun since. */
static bool pins_too_much_log(pt_store *s, const pt_mem *m)
{
    if (s->log == NULL || pt_log_serial(s->log) - m->log_serial < 8)
        return false;
    return pt_memtable_get_stats(m->table).entries != 0;
}

/* Caller holds commit_mu, which may be given up and taken again. */
static peat_rc reserve_in_active(pt_store *s, commit *c)
{
    const pt_write_request *r = c->request;
    for (;;) {
        peat_rc rc = pt_store_writable(s);
        if (rc != PEAT_OK)
            return rc;
        pt_mem *m = s->active;
        if (PT_LIKELY(!pins_too_much_log(s, m)) &&
            PT_LIKELY(pt_memtable_reserve(m->table, r->count, r->key_bytes, r->value_bytes))) {
            c->mem = m;
            return PEAT_OK;
        }
        rc = pt_switch_immutable_count(s) < 2 ? pt_switch_memtable(s) : pt_switch_wait(s, 1);
        if (rc != PEAT_OK)
            return rc;
    }
}

/* Caller holds commit_mu, which may be given up and taken again. */
static peat_rc reserve_apart(pt_store *s, commit *c, size_t capacity)
{
    const pt_write_request *r = c->request;
    pt_mem *m = NULL;
    peat_rc rc = PEAT_OK;
    /* one that is larger than a memtable does not wait for its flush beside others */
    size_t others_max = capacity > s->settings.memtable_bytes ? 0 : 1;
    TRY(pt_store_writable(s));
    while (pt_switch_immutable_count(s) > others_max)
        TRY(pt_switch_wait(s, others_max));
    TRY(pt_store_writable(s));
    TRY(pt_mem_new(&s->mems, capacity, 0, pt_switch_log_serial(s), &m));
    TRY(pt_switch_init(s, &c->own_switch));
    bool fits = pt_memtable_reserve(m->table, r->count, r->key_bytes, r->value_bytes);
    PT_ASSERT(fits, "pt_memtable_capacity_for is enough");
    (void)fits;
    c->mem = m;
    c->apart = true;
    return PEAT_OK;
out:
    pt_mem_unref(m);
    return rc;
}

static peat_rc commit_reserve(pt_store *s, commit *c)
{
    const pt_write_request *r = c->request;
    PT_DCHECK(pt_mutex_held(&s->commit_mu), "commit_mu guards the active memtable");
    if (PT_UNLIKELY(r->payload.size > s->settings.memtable_bytes / 16)) {
        size_t capacity = pt_memtable_capacity_for(r->count, r->key_bytes, r->value_bytes);
        if (capacity > s->settings.memtable_bytes / 4)
            return reserve_apart(s, c, capacity);
    }
    return reserve_in_active(s, c);
}

/* The commit was refused, or the log could not take it. Caller has held commit_mu since the room
 * was found. */
static void unreserve(commit *c)
{
    const pt_write_request *r = c->request;
    pt_memtable_unreserve(c->mem->table, r->count, r->key_bytes, r->value_bytes);
    if (c->apart) {
        pt_switch_drop(&c->own_switch);
        pt_mem_unref(c->mem);
    }
}

static void count_commit(pt_store *s, const pt_write_request *r)
{
    s->commits.puts += r->count - r->deletes;
    s->commits.deletes += r->deletes;
    s->commits.batches += r->batch;
    s->commits.user_bytes += r->key_bytes + r->value_bytes - (uint64_t)r->count * PT_KEYSPACE_BYTES;
}

/* The commit's own memtable is immutable from the start; its entries are invisible until they are
 * published. */
static void show_apart(pt_store *s, commit *c)
{
    c->mem->seq_first = c->first_seq;
    c->mem->seq_last = c->last_seq;
    pt_switch_run(s, &c->own_switch, c->mem);
    pt_mem_unref(c->mem); /* the view holds it until its flush, which waits for us */
}

static peat_rc commit_log(pt_store *s, commit *c)
{
    const pt_write_request *r = c->request;
    PT_DCHECK(pt_mutex_held(&s->commit_mu), "I2: sequences and records are in one order");
    PT_DCHECK(s->seq_next > atomic_load(&s->published.seq), "I2: a sequence is given out once");
    c->first_seq = s->seq_next;
    c->last_seq = c->first_seq + r->count - 1;
    peat_rc rc = PEAT_OK;
    if (PT_UNLIKELY(r->validate_fn != NULL))
        rc = r->validate_fn(r->validate_ctx, c->first_seq - 1, c->first_seq);
    if (rc == PEAT_OK && s->log != NULL)
        rc = pt_log_append(s->log, c->first_seq, r->count, r->payload, c->hash, &c->position);
    if (PT_UNLIKELY(rc != PEAT_OK)) {
        unreserve(c);
        return rc;
    }
    /* before a flush sees it, and before anything that may flush */
    atomic_fetch_add_explicit(&c->mem->writers, 1, memory_order_relaxed);
    if (PT_UNLIKELY(c->apart))
        show_apart(s, c);
    if (PT_UNLIKELY(pt_empty_ranges_watch(&s->empty_ranges)))
        pt_empty_ranges_note(&s->empty_ranges, r->payload);
    s->seq_next = c->last_seq + 1;
    count_commit(s, r);
    c->delay_ns = pt_throttle_owe(s, r->payload.size);
    return PEAT_OK;
}

static void commit_insert(const commit *c)
{
    PT_DCHECK(atomic_load(&c->mem->writers) != 0,
              "I17: who inserts is counted, or a flush would begin");
    pt_mem_insert(c->mem, c->request->payload, c->first_seq);
}

static void commit_publish(pt_store *s, const commit *c)
{
    pt_published_raise(&s->published, c->first_seq, c->last_seq);
    /* release: the inserts come before the flush that sees no writers */
    atomic_fetch_sub_explicit(&c->mem->writers, 1, memory_order_release);
    if (PT_UNLIKELY(s->tap.set))
        pt_taps_published(&s->tap, c->first_seq, c->last_seq, c->request->payload);
}

/* Without threads the interval is looked at by each call that writes. */
static peat_rc sync_when_due(pt_store *s, uint64_t position)
{
    uint64_t since = atomic_load(&s->unsynced_since_ns);
    if (since == 0 || s->env->now_ns(s->env->ctx) - since < s->settings.sync_interval_ns)
        return PEAT_OK;
    atomic_store(&s->unsynced_since_ns, 0);
    return pt_durable_sync(s, position, 0, false);
}

/* Something was written: the clock of the interval sync starts, and a thread that waits without a
 * timeout is woken. */
static peat_rc durable_later(pt_store *s, uint64_t position)
{
    /* seq_cst with the thread's store and its load of the published sequence (work/threads.c) */
    bool wake = PT_UNLIKELY(atomic_load(&s->sleepers) != 0);
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

static peat_rc commit_make_durable(pt_store *s, const commit *c)
{
    if (!c->request->sync)
        return durable_later(s, c->position);
    return s->log != NULL ? pt_durable_sync(s, c->position, c->last_seq, true) : pt_switch_flush(s);
}

/* No lock is held. Without threads by a step of work, else by sleeping. */
static void pay_background(pt_store *s, const commit *c)
{
    if (s->worker_count == 0 && atomic_load_explicit(&s->inline_due, memory_order_relaxed))
        s->background.step(s, c->request->payload.size);
    if (PT_UNLIKELY(c->delay_ns != 0))
        pt_throttle_pay(s, c->delay_ns);
}

peat_rc pt_write_commit(pt_store *s, const pt_write_request *request)
{
    commit c = {.request = request, .hash = pt_hash(request->payload.data, request->payload.size)};
    pt_mutex_lock(&s->commit_mu);
    peat_rc rc = commit_reserve(s, &c);
    if (PT_LIKELY(rc == PEAT_OK))
        rc = commit_log(s, &c);
    pt_mutex_unlock(&s->commit_mu);
    if (PT_UNLIKELY(rc != PEAT_OK))
        return rc;

    commit_insert(&c);
    if (s->log != NULL)
        rc = pt_log_write(s->log, c.position);
    commit_publish(s, &c);
    if (PT_LIKELY(rc == PEAT_OK))
        rc = commit_make_durable(s, &c);
    pay_background(s, &c);
    return rc;
}

peat_rc pt_write_sync(pt_store *s)
{
    peat_rc rc = pt_store_writable(s);
    if (rc != PEAT_OK)
        return rc;
    if (s->log == NULL)
        return pt_switch_flush(s);
    uint64_t seq = atomic_load(&s->published.seq); /* before the position: it lies beyond them */
    return pt_durable_sync(s, pt_log_position(s->log), seq, true);
}
