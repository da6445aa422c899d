/* SPDX-License-Identifier: MIT */
/*
 * crash_queue.c - the commits of a plan go through a queue: some are outstanding at any time, and
 * what is known of them is what poll has told. One that was told of is there after a kill, one with
 * sync after a cut, and all that were submitted before it: writes of one queue have no hole.
 */
#include "crash/crash.h"
#include "base/hash.h"
#include "peat_queue.h"

#include <stdlib.h>

#define SLOTS    24u
#define A_SYNC   ((uint64_t)1 << 32) /* the tag's other half: the last commit before it */
#define POLL_MAX 5u

typedef struct crash_queue {
    peat_queue *queue;
    rng random;
    uint64_t low_closed; /* the first commit that was not done; UINT64_MAX: none */
    struct {
        uint64_t commit;
        peat_batch *batch; /* NULL: none */
    } slot[SLOTS];
} crash_queue;

static crash_queue *queue_of(crash_run *r)
{
    peat_queue_options o = {.size = sizeof o, .depth = SLOTS};
    if (r->queue != NULL)
        return r->queue;
    r->queue = calloc(1, sizeof *r->queue);
    r->queue->random = (rng){pt_mix(r->plan->seed ^ pt_mix(atomic_load(r->begun)))};
    r->queue->low_closed = UINT64_MAX;
    crash_expect_ok(r, peat_queue_open(r->db, &o, &r->queue->queue), "peat_queue_open");
    return r->queue;
}

/* ---- what has ended ---- */

static void free_batch(crash_queue *q, uint64_t commit)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (q->slot[i].batch != NULL && q->slot[i].commit == commit) {
            peat_batch_free(q->slot[i].batch);
            q->slot[i].batch = NULL;
        }
}

/* `closed`: with the store. */
static void take(crash_run *r, const peat_completion *c, bool closed)
{
    crash_queue *q = r->queue;
    bool is_sync = (c->tag & A_SYNC) != 0;
    uint64_t commit = c->tag & ~A_SYNC;
    if (!is_sync)
        free_batch(q, commit);
    if (closed && c->rc == PEAT_CLOSED) {
        if (!is_sync && commit < q->low_closed)
            q->low_closed = commit;
        return;
    }
    crash_expect_ok(r, c->rc, is_sync ? "a sync of a queue" : "a write of a queue");
    if (!is_sync && commit > atomic_load(r->returned))
        atomic_store(r->returned, commit);
    bool durable = is_sync || r->plan->commits[commit].sync;
    if (durable && !r->open.options.no_log && commit > atomic_load(r->durable))
        crash_promise(r, commit);
}

static peat_rc poll_once(crash_run *r, size_t n, uint64_t timeout_ms, bool closed)
{
    peat_completion done[SLOTS];
    size_t count;
    peat_rc rc = peat_queue_poll(r->queue->queue, done, n, timeout_ms, &count);
    for (size_t i = 0; i < count; i++)
        take(r, &done[i], closed);
    return rc;
}

void crash_queue_drain(crash_run *r)
{
    peat_rc rc = r->queue != NULL ? PEAT_OK : PEAT_END;
    while (rc == PEAT_OK)
        rc = poll_once(r, SLOTS, PEAT_QUEUE_WAIT, false);
    if (rc != PEAT_END)
        crash_fail(r, "polling to the end: %s", peat_rc_name(rc));
}

/* ---- submitting ---- */

static peat_rc submit_one(const crash_run *r, uint64_t i)
{
    const crash_commit *c = &r->plan->commits[i];
    const crash_write *w = &r->plan->writes[c->first];
    peat_write_options o = {.size = sizeof o, .sync = c->sync};
    peat_slice key = r->plan->keys.by_rank[w->rank];
    peat_queue *queue = r->queue->queue;
    if (w->deleted)
        return peat_queue_delete(queue, NULL, &o, key, i);
    uint8_t *bytes = malloc((size_t)w->value.size + 1);
    model_value_fill(w->value, bytes);
    peat_rc rc = peat_queue_put(queue, NULL, &o, key, peat_bytes(bytes, w->value.size), i);
    free(bytes); /* they were copied */
    return rc;
}

static peat_rc submit_batch(const crash_run *r, uint64_t i)
{
    crash_queue *q = r->queue;
    peat_write_options o = {.size = sizeof o, .sync = r->plan->commits[i].sync};
    unsigned slot = 0;
    while (slot < SLOTS && q->slot[slot].batch != NULL)
        slot++;
    if (slot == SLOTS)
        return PEAT_QUEUE_FULL;
    peat_batch *batch = NULL;
    peat_rc rc = crash_batch(r, i, &batch);
    if (rc == PEAT_OK)
        rc = peat_queue_write(q->queue, &o, batch, i);
    q->slot[slot].commit = i;
    q->slot[slot].batch = batch;
    if (rc != PEAT_OK)
        free_batch(q, i);
    return rc;
}

static peat_rc submit(const crash_run *r, uint64_t i)
{
    if ((i & A_SYNC) != 0)
        return peat_queue_sync(r->queue->queue, i);
    return r->plan->commits[i].single ? submit_one(r, i) : submit_batch(r, i);
}

/* A poll now and then, also one that does not wait: what it tells of is not all there is. */
static void submit_and_poll(crash_run *r, uint64_t tag)
{
    crash_queue *q = queue_of(r);
    peat_rc rc;
    while ((rc = submit(r, tag)) == PEAT_QUEUE_FULL)
        (void)poll_once(r, 1 + rng_below(&q->random, POLL_MAX), PEAT_QUEUE_WAIT, false);
    crash_expect_ok(r, rc, "submitting to a queue");
    uint64_t dice = rng_below(&q->random, 12);
    if (dice < 3)
        (void)poll_once(r, 1 + rng_below(&q->random, POLL_MAX), dice == 0 ? PEAT_QUEUE_WAIT : 0,
                        false);
}

void crash_queue_commit(crash_run *r, uint64_t i)
{
    submit_and_poll(r, i);
}

void crash_queue_sync(crash_run *r)
{
    submit_and_poll(r, A_SYNC | atomic_load(r->begun));
}

/* ---- the end ---- */

static void forget_queue(crash_run *r)
{
    peat_queue_close(r->queue->queue);
    for (unsigned i = 0; i < SLOTS; i++)
        peat_batch_free(r->queue->slot[i].batch);
    free(r->queue);
    r->queue = NULL;
}

/* The queue goes first, and nobody is told what became of its writes: some of the first of them
 * were done. Else the store does, and all is told of. */
void crash_queue_before_close(crash_run *r)
{
    if (r->queue == NULL || rng_below(&r->queue->random, 3) != 0)
        return;
    forget_queue(r);
    uint64_t at = crash_identify(r, atomic_load(r->returned), atomic_load(r->begun));
    atomic_store(r->returned, at);
    atomic_store(r->begun, at);
}

void crash_queue_after_close(crash_run *r)
{
    if (r->queue == NULL)
        return;
    peat_rc rc;
    do
        rc = poll_once(r, SLOTS, PEAT_QUEUE_WAIT, true);
    while (rc == PEAT_OK);
    if (rc != PEAT_CLOSED)
        crash_fail(r, "polling after the close of the store: %s", peat_rc_name(rc));
    uint64_t returned = atomic_load(r->returned), low_closed = r->queue->low_closed;
    uint64_t not_done = low_closed != UINT64_MAX ? low_closed : atomic_load(r->begun) + 1;
    if (not_done != returned + 1)
        crash_fail(r, "commit %u was not done, the last that was is %u", (unsigned)not_done,
                   (unsigned)returned);
    atomic_store(r->begun, returned);
    forget_queue(r);
}
