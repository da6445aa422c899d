/* SPDX-License-Identifier: MIT */
/* queue.c - queues come and go, one by one and with their store; see queue.h. */
#include "queue/queue_state.h"

/* Of reads under way for one queue, by a ring; more wait for their turn. Without one so many
 * threads read. */
#define READS_MAX    256u
#define READ_THREADS 16u

/* ---- of a store ---- */

static bool hurry(void *ctx)
{
    pt_queues *all = (pt_queues *)ctx;
    bool reached = true;
    pt_mutex_lock(&all->mu);
    for (peat_queue *q = all->first; q != NULL; q = q->next) {
        /* who holds it may be the one that asks, and whoever does goes on */
        if (!pt_mutex_try_lock(&q->mu)) {
            reached = false;
            continue;
        }
        pt_queue_gets_hurry(q);
        pt_mutex_unlock(&q->mu);
    }
    pt_mutex_unlock(&all->mu);
    return reached;
}

peat_rc pt_queues_new(pt_store *s)
{
    pt_queues *all = (pt_queues *)pt_alloc_zero(s->env, sizeof *all);
    if (all == NULL)
        return PEAT_NOMEM;
    all->s = s;
    pt_mutex_init(&all->life_mu);
    pt_mutex_init(&all->mu);
    pt_service_init(&all->service, s->env, s->settings.threads != 0, pt_queue_sync_all, all);
    s->queues = all;
    return PEAT_OK;
}

void pt_queues_watch_files(pt_store *s)
{
    s->open_tables.files.hurry = (pt_table_files_hurry){hurry, s->queues};
}

void pt_queues_free(pt_store *s)
{
    pt_queues *all = s->queues;
    if (all == NULL)
        return;
    pt_service_done(&all->service);
    pt_mutex_done(&all->mu);
    pt_mutex_done(&all->life_mu);
    pt_free(s->env, all);
    s->queues = NULL;
}

static void end_gets(peat_queue *q)
{
    pt_mutex_lock(&q->mu);
    q->closed = true;
    atomic_store(&q->ending, true);
    pt_queue_gets_end(q);
    pt_mutex_unlock(&q->mu);
}

static void tell_end(peat_queue *q)
{
    pt_mutex_lock(&q->done_mu);
    q->signalled = false; /* the reaping of reads may have cleared it */
    pt_queue_signal(q);
    pt_mutex_unlock(&q->done_mu);
}

/* Jobs are left that no thread will do. Who added one while somebody was at its lane waits for what
 * becomes of it, in poll, in a close, or for the descriptor. */
static void tell_of_jobs(pt_queues *all)
{
    pt_mutex_lock(&all->mu);
    for (peat_queue *q = all->first; q != NULL; q = q->next) {
        pt_mutex_lock(&q->done_mu);
        if (q->outside != 0) {
            pt_queue_signal(q);
            pt_cond_broadcast(&q->done_cond); /* for who closes */
        }
        pt_mutex_unlock(&q->done_mu);
    }
    pt_mutex_unlock(&all->mu);
}

bool pt_queues_help(pt_queues *all)
{
    bool did = pt_service_help(&all->service);
    if (did && pt_service_wants_help(&all->service))
        tell_of_jobs(all);
    return did;
}

void pt_queues_close(pt_store *s)
{
    pt_queues *all = s->queues;
    pt_mutex_lock(&all->life_mu);
    pt_mutex_lock(&all->mu);
    all->closing = true;
    pt_mutex_unlock(&all->mu);
    for (peat_queue *q = all->first; q != NULL; q = q->next)
        end_gets(q);
    pt_service_drain(&all->service);
    pt_service_stop(&all->service);
    for (peat_queue *q = all->first; q != NULL; q = q->next) {
        end_gets(q); /* that have come back from a lane */
        tell_end(q); /* also where nothing was outstanding */
    }
    pt_mutex_unlock(&all->life_mu);
}

void pt_queues_count(pt_store *s, pt_queue_counts *ret_counts)
{
    pt_queues *all = s->queues;
    *ret_counts = (pt_queue_counts){0};
    pt_mutex_lock(&all->mu);
    for (const peat_queue *q = all->first; q != NULL; q = q->next) {
        pt_reads_kind kind = pt_reads_kind_of(q->reads);
        ret_counts->queues++;
        ret_counts->by_ring += kind == PT_READS_RING;
        ret_counts->by_threads += kind == PT_READS_THREADS;
        ret_counts->outstanding += atomic_load(&q->outstanding);
    }
    pt_mutex_unlock(&all->mu);
}

/* ---- open and close ---- */

static peat_rc make_slots(peat_queue *q)
{
    size_t bytes = q->depth * sizeof *q->ops;
    q->ops = (pt_queue_op *)pt_alloc_zero(q->s->env, bytes);
    if (q->ops == NULL)
        return PEAT_NOMEM;
    for (size_t i = q->depth; i > 0; i--) {
        pt_queue_op *op = &q->ops[i - 1];
        op->queue = q;
        op->next = q->free;
        q->free = op;
    }
    atomic_fetch_add_explicit(&q->s->reader_bytes, bytes, memory_order_relaxed);
    return PEAT_OK;
}

static void ops_init(pt_queue_ops *l)
{
    l->first = NULL;
    l->end = &l->first;
}

static void init(peat_queue *q, pt_store *s, uint32_t keyspace, size_t depth, size_t bytes)
{
    q->all = s->queues;
    q->s = pt_store_ref(s);
    q->keyspace = keyspace;
    q->depth = depth;
    q->bytes_max = bytes;
    q->event = -1;
    ops_init(&q->given);
    ops_init(&q->done);
    pt_queue_keys_init(&q->wanting);
    pt_queue_keys_init(&q->deferred);
    pt_queue_keys_init(&q->back);
    pt_mutex_init(&q->mu);
    pt_mutex_init(&q->done_mu);
    pt_cond_init(&q->done_cond);
}

static void free_queue(peat_queue *q)
{
    pt_store *s = q->s;
    const pt_env *env = s->env;
    if (q->ops != NULL)
        atomic_fetch_sub_explicit(&s->reader_bytes, q->depth * sizeof *q->ops,
                                  memory_order_relaxed);
    pt_free(env, q->ops);
    pt_reads_free(q->reads);
    pt_cond_done(&q->done_cond);
    pt_mutex_done(&q->done_mu);
    pt_mutex_done(&q->mu);
    pt_free(env, q);
    pt_store_unref(s);
}

/* It is one of the store's from now on. */
static peat_rc join(peat_queue *q)
{
    pt_queues *all = q->all;
    pt_mutex_lock(&all->mu);
    bool closing = all->closing;
    if (!closing) {
        q->next = all->first;
        all->first = q;
    }
    pt_mutex_unlock(&all->mu);
    return closing ? PEAT_CLOSED : PEAT_OK;
}

peat_rc pt_queue_open(pt_store *s, uint32_t keyspace, size_t depth, size_t bytes,
                      peat_queue **ret_queue)
{
    peat_rc rc = PEAT_OK;
    peat_queue *q = (peat_queue *)pt_alloc_zero(s->env, sizeof *q);
    if (q == NULL)
        return PEAT_NOMEM;
    init(q, s, keyspace, depth, bytes);
    q->reading_max = pt_min_u64(depth, READS_MAX);
    TRY(make_slots(q));
    TRY(pt_reads_new(s->env, (unsigned)q->reading_max, s->settings.threads != 0 ? READ_THREADS : 0,
                     &q->reads));
    q->reads_ahead = pt_reads_kind_of(q->reads) != PT_READS_PLAIN;
    q->event = pt_reads_fd(q->reads);
    TRY(join(q));
    *ret_queue = q;
    return PEAT_OK;
out:
    free_queue(q);
    return rc;
}

/* Nobody finds it any more. With the last one the threads end: they have nothing to do, so that who
 * joins meanwhile does not wait long. */
static void leave(peat_queue *q)
{
    pt_queues *all = q->all;
    pt_mutex_lock(&all->life_mu);
    pt_mutex_lock(&all->mu);
    peat_queue **at = &all->first;
    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
    if (all->first == NULL)
        pt_service_stop(&all->service);
    pt_mutex_unlock(&all->mu);
    pt_mutex_unlock(&all->life_mu);
}

/* Without threads the lanes are run here. */
static void wait_for_lanes(peat_queue *q)
{
    pt_mutex_lock(&q->done_mu);
    while (q->outside != 0) {
        pt_mutex_unlock(&q->done_mu);
        bool helped = pt_queues_help(q->all);
        pt_mutex_lock(&q->done_mu);
        if (!helped && q->outside != 0 && !pt_service_wants_help(&q->all->service))
            pt_cond_wait(&q->done_cond, &q->done_mu);
    }
    pt_mutex_unlock(&q->done_mu);
}

static void recycle_all(peat_queue *q, pt_queue_ops *l)
{
    for (pt_queue_op *op = l->first, *next; op != NULL; op = next) {
        next = op->next;
        pt_queue_recycle(q, op);
    }
    ops_init(l);
}

void pt_queue_close(peat_queue *q)
{
    end_gets(q);
    wait_for_lanes(q);
    end_gets(q);
    leave(q);
    recycle_all(q, &q->done);
    recycle_all(q, &q->given);
    PT_ASSERT(q->bytes == 0, "I21: what operations hold is given back with them");
    for (peat_cursor *c = q->cursors, *next; c != NULL; c = next) {
        next = c->next;
        pt_queue_cursor_free(c);
    }
    free_queue(q);
}

pt_store *pt_queue_store(const peat_queue *q)
{
    return q->s;
}

uint32_t pt_queue_keyspace(const peat_queue *q)
{
    return q->keyspace;
}
