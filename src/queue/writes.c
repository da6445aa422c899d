/* SPDX-License-Identifier: MIT */
/*
 * writes.c - puts, deletes, batches and syncs of queues. All of them pass through the write lane,
 * one thread for the store, in the order in which they were submitted; those that are to be durable
 * go on to the sync lane, where all that have come meanwhile share one sync.
 */
#include "queue/queue_state.h"
#include "entry/batch.h"

static void run_write(pt_service_job *job)
{
    pt_queue_op *op = PT_CONTAINER(job, pt_queue_op, job);
    pt_queues *all = op->queue->all;
    peat_rc rc = pt_queue_may_begin(op);
    bool sync = op->request.sync;
    if (rc == PEAT_OK && op->request.count != 0) {
        op->request.sync = false; /* the next lane does it */
        rc = pt_write_commit(all->s, &op->request);
    }
    if (rc == PEAT_OK && sync) {
        pt_queue_pass_job(op->queue, PT_SERVICE_SYNC, &op->job);
        return;
    }
    if (rc < 0)
        pt_sink_call(&all->s->sink, rc, NULL);
    pt_queue_done(op, rc);
}

void pt_queue_sync_all(void *ctx, pt_service_jobs *jobs)
{
    pt_queues *all = (pt_queues *)ctx;
    peat_rc rc = pt_write_sync(all->s);
    if (rc < 0)
        pt_sink_call(&all->s->sink, rc, NULL);
    for (pt_service_job *job; (job = pt_service_jobs_pop(jobs)) != NULL;)
        pt_queue_done(PT_CONTAINER(job, pt_queue_op, job), rc);
}

static void begin_write(peat_queue *q, pt_queue_op *op)
{
    op->job.run = run_write;
    pt_queue_give_job(q, PT_SERVICE_WRITE, &op->job);
}

static uint8_t *put_bytes(uint8_t *p, peat_slice s)
{
    if (s.size != 0)
        memcpy(p, s.data, s.size);
    return p + s.size;
}

/* The operation as it will be in the log. */
static peat_rc encode(peat_queue *q, pt_queue_op *op, pt_kind kind, uint32_t keyspace,
                      peat_slice key, peat_slice value)
{
    size_t most = PT_OP_HEAD_BYTES_MAX + key.size + value.size;
    uint8_t *bytes = op->inline_bytes;
    if (most > sizeof op->inline_bytes)
        bytes = op->memory = (uint8_t *)pt_alloc(q->s->env, most);
    if (bytes == NULL)
        return PEAT_NOMEM;
    uint8_t *end = pt_op_head(bytes, kind, keyspace, key.size, value.size);
    end = put_bytes(put_bytes(end, key), value);
    op->request = (pt_write_request){.payload = pt_slice_of(bytes, (size_t)(end - bytes)),
                                     .count = 1,
                                     .deletes = kind == PT_KIND_DELETE,
                                     .key_bytes = key.size + PT_KEYSPACE_BYTES,
                                     .value_bytes = value.size};
    return PEAT_OK;
}

peat_rc pt_queue_write_one(peat_queue *q, pt_queue_submit what, pt_kind kind, uint32_t keyspace,
                           peat_slice key, peat_slice value, bool sync)
{
    pt_queue_op *op = NULL;
    size_t bytes = PT_OP_HEAD_BYTES_MAX + key.size + value.size;
    pt_mutex_lock(&q->mu);
    peat_rc rc = pt_queue_take(q, what, bytes > PT_QUEUE_OP_BYTES ? bytes : 0, &op);
    if (rc == PEAT_OK) {
        rc = encode(q, op, kind, keyspace, key, value);
        op->request.sync = sync;
        if (rc == PEAT_OK)
            begin_write(q, op);
        else
            pt_queue_untake(q, op);
    }
    pt_mutex_unlock(&q->mu);
    return rc;
}

peat_rc pt_queue_write(peat_queue *q, pt_queue_submit what, const pt_write_request *request)
{
    pt_queue_op *op = NULL;
    pt_mutex_lock(&q->mu);
    peat_rc rc = pt_queue_take(q, what, 0, &op);
    if (rc == PEAT_OK) {
        op->request = *request;
        begin_write(q, op);
    }
    pt_mutex_unlock(&q->mu);
    return rc;
}
