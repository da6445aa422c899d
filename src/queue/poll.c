/* SPDX-License-Identifier: MIT */
/*
 * poll.c - what has ended is given out, and waited for.
 *
 * The event is signalled by reads that end, by whoever else has something for poll while somebody
 * waits or watches, and cleared before poll looks at what there is: so nothing is missed. Where
 * something is left when poll returns it is signalled again.
 */
#include <errno.h>

#include "queue/queue_state.h"

static pt_queue_op *take_done(peat_queue *q)
{
    pt_queue_op *op = q->done.first;
    if (op == NULL)
        return NULL;
    q->done.first = op->next;
    if (q->done.first == NULL)
        q->done.end = &q->done.first;
    return op;
}

static void recycle_given(peat_queue *q)
{
    for (pt_queue_op *op = q->given.first, *next; op != NULL; op = next) {
        next = op->next;
        pt_queue_recycle(q, op);
    }
    q->given.first = NULL;
    q->given.end = &q->given.first;
}

static void fill(peat_queue *q, pt_queue_op *op, peat_completion *ret)
{
    *ret = (peat_completion){.tag = op->tag, .kind = op->kind, .rc = op->rc, .error = op->error};
    if (op->kind == PEAT_QUEUE_GET && op->rc == PEAT_OK)
        ret->value = op->value;
    if (op->kind == PEAT_QUEUE_MULTI_GET && op->rc == PEAT_OK) {
        ret->n = op->get_count;
        ret->values = op->values;
        ret->rcs = op->rcs;
    }
    if (op->kind == PEAT_QUEUE_SCAN) {
        ret->n = op->row_count;
        ret->rows = op->row_count != 0 ? op->rows : NULL;
        ret->cursor = pt_queue_cursor_after(q, op);
    }
}

static void give(peat_queue *q, pt_queue_op *op, peat_completion *ret)
{
    PT_ASSERT(op->stage == PT_QUEUE_DONE, "I21: an operation of a queue is given out once");
    op->stage = PT_QUEUE_GIVEN;
    op->next = NULL;
    *q->given.end = op;
    q->given.end = &op->next;
    q->outstanding--;
    fill(q, op, ret);
}

/* done_mu held. There is something that has ended, or that a poll would move on. */
static bool has_news(const peat_queue *q)
{
    return q->done.first != NULL || q->back.first != NULL || q->hurried ||
           (q->outside != 0 && pt_service_wants_help(&q->all->service));
}

/* Who brings something from here on finds somebody who polls, and signals nothing. */
static void begin_polling(peat_queue *q)
{
    pt_mutex_lock(&q->done_mu);
    bool clear = q->signalled || q->may_signal;
    q->signalled = q->hurried = false;
    q->polling = true;
    pt_mutex_unlock(&q->done_mu);
    if (clear && q->reading == 0 && q->event >= 0) /* else the reaping of reads does it */
        q->s->env->event_clear(q->s->env->ctx, q->event);
    q->may_signal = q->reading != 0;
}

/* Up to n are given out. */
static size_t end_polling(peat_queue *q, peat_completion *ret_done, size_t n)
{
    size_t count = 0;
    pt_queue_op *op;
    pt_mutex_lock(&q->done_mu);
    q->polling = false;
    for (; count < n && (op = take_done(q)) != NULL; count++)
        give(q, op, &ret_done[count]);
    /* the next poll makes room by what was given out */
    bool makes_room = q->deferred.first != NULL && q->given.first != NULL;
    if (makes_room || has_news(q))
        pt_queue_signal(q);
    pt_mutex_unlock(&q->done_mu);
    return count;
}

/* done_mu held, given up meanwhile. False: the time is up. */
static bool wait_here(peat_queue *q, uint64_t timeout_ns)
{
    if (timeout_ns == UINT64_MAX)
        pt_cond_wait(&q->done_cond, &q->done_mu);
    else
        return pt_cond_wait_for(&q->done_cond, &q->done_mu, timeout_ns);
    return true;
}

/* No lock is held. Until there may be something; false: the time is up. */
static bool wait_for_news(peat_queue *q, uint64_t timeout_ns)
{
    const pt_env *env = q->s->env;
    bool in_time = true;
    pt_mutex_lock(&q->done_mu);
    q->waiting = true;
    q->polling = false;
    bool news = has_news(q);
    if (!news && q->event < 0) {
        in_time = wait_here(q, timeout_ns);
    } else if (!news) {
        pt_mutex_unlock(&q->done_mu);
        in_time = env->event_wait(env->ctx, q->event, timeout_ns) != ETIMEDOUT;
        pt_mutex_lock(&q->done_mu);
    }
    q->waiting = false;
    pt_mutex_unlock(&q->done_mu);
    return in_time;
}

static bool has_done(peat_queue *q)
{
    pt_mutex_lock(&q->done_mu);
    bool has = q->done.first != NULL;
    pt_mutex_unlock(&q->done_mu);
    return has;
}

static uint64_t time_left(const peat_queue *q, uint64_t end_ns)
{
    uint64_t now = q->s->env->now_ns(q->s->env->ctx);
    return end_ns == UINT64_MAX ? UINT64_MAX : now < end_ns ? end_ns - now : 0;
}

/* Until something has ended: PEAT_OK, or why not. mu held, given up meanwhile. */
static peat_rc find_done(peat_queue *q, uint64_t timeout_ns)
{
    uint64_t now = timeout_ns != 0 ? q->s->env->now_ns(q->s->env->ctx) : 0;
    uint64_t end = timeout_ns < UINT64_MAX - now ? now + timeout_ns : UINT64_MAX;
    for (bool late = false;;) {
        begin_polling(q);
        pt_queue_gets_drive(q);
        if (has_done(q))
            return PEAT_OK;
        if (q->outstanding == 0)
            return q->closed ? PEAT_CLOSED : PEAT_END;
        if (late)
            return PEAT_TIMEOUT;
        if (timeout_ns == UINT64_MAX && pt_queue_gets_read_lone(q))
            continue;
        pt_queue_gets_begin(q);
        pt_mutex_unlock(&q->mu);
        bool helped = pt_queues_help(q->all);
        if (helped) /* which may have taken its time */
            late = time_left(q, end) == 0;
        else
            late = timeout_ns == 0 || !wait_for_news(q, time_left(q, end));
        pt_mutex_lock(&q->mu);
        if (late && !helped && !has_done(q))
            return PEAT_TIMEOUT;
    }
}

peat_rc pt_queue_poll(peat_queue *q, peat_completion *ret_done, size_t n, uint64_t timeout_ns,
                      size_t *ret_n)
{
    pt_mutex_lock(&q->mu);
    recycle_given(q);
    q->in_poll = true;
    peat_rc rc = find_done(q, timeout_ns);
    q->in_poll = false;
    pt_queue_gets_begin(q);
    *ret_n = end_polling(q, ret_done, rc == PEAT_OK ? n : 0);
    pt_mutex_unlock(&q->mu);
    return rc;
}

int pt_queue_fd(peat_queue *q)
{
    pt_mutex_lock(&q->mu);
    q->at_once = true;
    pt_queue_gets_begin(q);
    pt_mutex_unlock(&q->mu);
    pt_mutex_lock(&q->done_mu);
    q->watched = true;
    if (q->done.first != NULL || q->back.first != NULL || q->outside != 0)
        pt_queue_signal(q); /* perhaps for nothing */
    pt_mutex_unlock(&q->done_mu);
    return q->event;
}

peat_rc pt_queue_cancel(peat_queue *q, uint64_t tag)
{
    peat_rc rc = PEAT_NOT_FOUND;
    pt_mutex_lock(&q->mu);
    for (size_t i = 0; i < q->depth; i++) {
        pt_queue_op *op = &q->ops[i];
        pt_mutex_lock(&q->done_mu);
        bool hit = op->stage == PT_QUEUE_UNDER_WAY && op->tag == tag;
        if (hit)
            atomic_store(&op->cancelled, true);
        pt_mutex_unlock(&q->done_mu);
        rc = hit ? PEAT_OK : rc;
    }
    if (rc == PEAT_OK)
        pt_queue_gets_cancel(q);
    if (q->closed)
        rc = PEAT_CLOSED;
    pt_mutex_unlock(&q->mu);
    return rc;
}

size_t pt_queue_outstanding(peat_queue *q)
{
    pt_mutex_lock(&q->mu);
    size_t n = q->outstanding;
    pt_mutex_unlock(&q->mu);
    return n;
}
