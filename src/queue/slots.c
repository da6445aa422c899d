/* SPDX-License-Identifier: MIT */
/* slots.c - operations take a slot, hold bytes of the queue's, and end; see queue_state.h. */
#include "queue/queue_state.h"

static void charge(peat_queue *q, pt_queue_op *op, size_t bytes)
{
    PT_DCHECK(pt_mutex_held(&q->mu), "the queue's mu guards what it holds");
    q->bytes += bytes;
    op->bytes += bytes;
    atomic_fetch_add_explicit(&q->s->reader_bytes, bytes, memory_order_relaxed);
}

void pt_queue_unreserve(peat_queue *q, pt_queue_op *op, size_t bytes)
{
    PT_ASSERT(op->bytes >= bytes && q->bytes >= bytes, "what was reserved is given back");
    q->bytes -= bytes;
    op->bytes -= bytes;
    atomic_fetch_sub_explicit(&q->s->reader_bytes, bytes, memory_order_relaxed);
}

/* Alone an operation may hold more than the queue does: else it would never end. */
bool pt_queue_reserve(peat_queue *q, pt_queue_op *op, size_t bytes)
{
    bool alone = q->bytes == op->bytes || op == q->favoured;
    if (!alone && (bytes > q->bytes_max || q->bytes > q->bytes_max - bytes))
        return false;
    charge(q, op, bytes);
    return true;
}

peat_rc pt_queue_take(peat_queue *q, pt_queue_submit what, size_t bytes, pt_queue_op **ret_op)
{
    PT_DCHECK(pt_mutex_held(&q->mu), "the queue's mu guards its slots");
    if (q->closed || pt_store_gone(q->s))
        return PEAT_CLOSED;
    if (bytes > q->bytes_max)
        return PEAT_TOO_BIG;
    if (q->free == NULL || q->bytes > q->bytes_max - bytes)
        return PEAT_QUEUE_FULL;
    pt_queue_op *op = q->free;
    q->free = op->next;
    PT_ASSERT(op->stage == PT_QUEUE_FREE && op->bytes == 0, "a slot is taken once");
    op->stage = PT_QUEUE_UNDER_WAY;
    op->tag = what.tag;
    op->kind = what.kind;
    atomic_store_explicit(&op->cancelled, false, memory_order_relaxed);
    op->rc = PEAT_OK;
    op->value = (peat_slice){NULL, 0};
    charge(q, op, bytes);
    q->outstanding++;
    *ret_op = op;
    return PEAT_OK;
}

static void free_gets(const pt_env *env, pt_queue_op *op)
{
    for (size_t i = 0; i < op->get_count; i++)
        pt_free(env, op->gets[i].value);
    op->gets = NULL;
    op->get_count = 0;
}

void pt_queue_recycle(peat_queue *q, pt_queue_op *op)
{
    const pt_env *env = q->s->env;
    pt_queue_unreserve(q, op, op->bytes);
    free_gets(env, op);
    pt_free(env, op->memory);
    pt_free(env, op->error);
    pt_free(env, op->rows);
    if (op->row_bytes.env != NULL)
        pt_bytes_done(&op->row_bytes);
    op->memory = NULL;
    op->error = NULL;
    op->rows = NULL;
    op->row_count = op->row_capacity = 0;
    op->cursor = NULL;
    if (q->favoured == op)
        q->favoured = NULL;
    op->stage = PT_QUEUE_FREE;
    op->next = q->free;
    q->free = op;
}

void pt_queue_untake(peat_queue *q, pt_queue_op *op)
{
    q->outstanding--;
    pt_queue_recycle(q, op);
}

/* ---- the end of one ---- */

/* Without memory there is none. */
peat_error *pt_queue_error_text(peat_queue *q, peat_rc rc)
{
    if (rc >= 0 || rc == PEAT_CLOSED || rc == PEAT_CANCELLED)
        return NULL;
    peat_error *e = (peat_error *)pt_alloc_zero(q->s->env, sizeof *e);
    if (e == NULL)
        return NULL;
    pt_sink_thread_error(&q->s->sink, e);
    e->rc = rc;
    return e;
}

void pt_queue_signal(peat_queue *q)
{
    PT_DCHECK(pt_mutex_held(&q->done_mu), "done_mu guards who is told");
    if (q->waiting)
        pt_cond_broadcast(&q->done_cond);
    if (q->event < 0 || q->signalled || q->polling || !(q->waiting || q->watched))
        return;
    q->signalled = true;
    q->s->env->event_signal(q->s->env->ctx, q->event);
}

/* done_mu held. The last use of the queue by a lane. */
static void come_back(peat_queue *q)
{
    PT_ASSERT(q->outside != 0, "who comes back was outside");
    q->outside--;
    if (q->outside == 0)
        pt_cond_broadcast(&q->done_cond); /* for who closes */
}

static bool is_lanes(const pt_queue_op *op)
{
    return op->kind >= PEAT_QUEUE_PUT;
}

void pt_queue_done(pt_queue_op *op, peat_rc rc)
{
    peat_queue *q = op->queue;
    op->rc = rc;
    if (is_lanes(op) && rc < 0)
        op->error = pt_queue_error_text(q, rc);
    pt_mutex_lock(&q->done_mu);
    PT_ASSERT(op->stage == PT_QUEUE_UNDER_WAY, "I21: an operation ends once");
    op->stage = PT_QUEUE_DONE;
    op->next = NULL;
    *q->done.end = op;
    q->done.end = &op->next;
    pt_queue_signal(q);
    if (is_lanes(op))
        come_back(q);
    pt_mutex_unlock(&q->done_mu);
}

void pt_queue_back(pt_queue_key *g)
{
    peat_queue *q = g->op->queue;
    pt_mutex_lock(&q->done_mu);
    pt_queue_keys_push(&q->back, g);
    pt_queue_signal(q);
    come_back(q);
    pt_mutex_unlock(&q->done_mu);
}

void pt_queue_give_job(peat_queue *q, pt_service_lane_name lane, pt_service_job *job)
{
    pt_mutex_lock(&q->done_mu);
    q->outside++;
    pt_mutex_unlock(&q->done_mu);
    if (pt_service_add(&q->all->service, lane, job))
        return;
    pt_mutex_lock(&q->done_mu);
    pt_queue_signal(q); /* poll is to do it */
    pt_mutex_unlock(&q->done_mu);
}

/* Somebody may do the job, and close the queue, at once: but not before done_mu is given up. It is
 * never outside twice, or a poll could wait for one to come back that tells nobody. */
void pt_queue_pass_job(peat_queue *q, pt_service_lane_name lane, pt_service_job *job)
{
    pt_mutex_lock(&q->done_mu);
    if (!pt_service_add(&q->all->service, lane, job))
        pt_queue_signal(q); /* poll is to do it */
    pt_mutex_unlock(&q->done_mu);
}

peat_rc pt_queue_may_begin(pt_queue_op *op)
{
    if (atomic_load(&op->queue->ending))
        return PEAT_CLOSED;
    return atomic_load(&op->cancelled) ? PEAT_CANCELLED : PEAT_OK;
}
