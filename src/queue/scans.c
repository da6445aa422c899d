/* SPDX-License-Identifier: MIT */
/*
 * scans.c - scans of queues: so many rows by an operation, copied by a job of the read lane. The
 * cursor keeps the scan between two of them; it looks one row ahead, so that the last rows are
 * known to be the last.
 */
#include "queue/queue_state.h"

#define ROW_BYTES_MAX ((size_t)256 << 10)
#define ROWS_MAX      4096u

/* ---- in the lane ---- */

/* The row it stands on. Its bytes move as more come: for the time being rows hold sizes alone. */
static peat_rc copy_row(pt_queue_op *op)
{
    pt_bytes *b = &op->row_bytes;
    pt_slice key = pt_scan_key(op->cursor->scan), value = pt_scan_value(op->cursor->scan);
    if (!pt_grow(b->env, &op->rows, &op->row_capacity, op->row_count + 1, sizeof *op->rows))
        return PEAT_NOMEM;
    peat_row *row = &op->rows[op->row_count];
    row->key = peat_bytes(NULL, key.size - PT_KEYSPACE_BYTES);
    row->value = peat_bytes(NULL, value.size);
    size_t before = b->size;
    peat_rc rc = pt_bytes_append(b, key.data + PT_KEYSPACE_BYTES, row->key.size);
    if (rc == PEAT_OK)
        rc = pt_bytes_append(b, value.data, value.size);
    if (rc == PEAT_OK)
        op->row_count++;
    else
        b->size = before;
    return rc;
}

static bool fits(const pt_queue_op *op)
{
    const pt_scan *c = op->cursor->scan;
    size_t bytes = op->row_bytes.size + op->row_count * sizeof(peat_row);
    size_t more = pt_scan_key(c).size + pt_scan_value(c).size + sizeof(peat_row);
    return op->row_count == 0 || (op->row_count < op->row_max && bytes + more <= op->bytes);
}

static peat_rc go_on(peat_cursor *c)
{
    peat_rc rc = pt_scan_go(c->scan, c->backward ? PT_SCAN_PREV : PT_SCAN_NEXT);
    c->stands = rc == PEAT_OK;
    return rc;
}

/* PEAT_OK: there are more rows. */
static peat_rc copy_rows(pt_queue_op *op)
{
    peat_cursor *c = op->cursor;
    peat_rc rc = c->stands ? PEAT_OK : go_on(c);
    while (rc == PEAT_OK && fits(op)) {
        rc = copy_row(op);
        if (rc == PEAT_OK)
            rc = go_on(c);
        if (atomic_load(&op->queue->ending))
            rc = PEAT_CLOSED;
    }
    return rc;
}

static void place_rows(pt_queue_op *op)
{
    const uint8_t *p = op->row_bytes.data;
    for (size_t i = 0; i < op->row_count; i++) {
        peat_row *row = &op->rows[i];
        row->key.data = p != NULL ? p : (const uint8_t *)"";
        p += row->key.size;
        row->value.data = p != NULL ? p : (const uint8_t *)"";
        p += row->value.size;
    }
}

/* Rows that were copied are given out first: what ended them, but for the end itself and a close,
 * is told by the next operation. */
static peat_rc end_scan(pt_queue_op *op, peat_rc rc)
{
    if (rc == PEAT_CLOSED)
        op->row_count = 0;
    bool rows = op->row_count != 0;
    op->more = rc == PEAT_OK || rc == PEAT_CANCELLED || (rows && rc != PEAT_END);
    place_rows(op);
    if (!op->more) { /* what it holds goes here, where it may take its time */
        pt_scan_free(op->cursor->scan);
        op->cursor->scan = NULL;
    }
    return rows ? PEAT_OK : rc;
}

static void run_scan(pt_service_job *job)
{
    pt_queue_op *op = PT_CONTAINER(job, pt_queue_op, job);
    peat_rc rc = pt_queue_may_begin(op);
    if (rc == PEAT_OK)
        rc = copy_rows(op);
    if (rc < 0)
        pt_sink_call(&op->queue->s->sink, rc, NULL);
    pt_queue_done(op, end_scan(op, rc));
}

/* ---- submitting ---- */

static void begin_scan(peat_queue *q, pt_queue_op *op, peat_cursor *c, size_t n)
{
    c->busy = true;
    op->cursor = c;
    op->row_max = n < ROWS_MAX ? n : ROWS_MAX;
    pt_bytes_init(&op->row_bytes, q->s->env);
    op->job.run = run_scan;
    pt_queue_give_job(q, PT_SERVICE_READ, &op->job);
}

static size_t row_bytes(const peat_queue *q)
{
    return pt_min_u64(q->bytes_max / 16, ROW_BYTES_MAX);
}

peat_rc pt_queue_scan(peat_queue *q, pt_queue_submit what, pt_scan *scan, bool backward, size_t n)
{
    pt_queue_op *op = NULL;
    peat_cursor *c = (peat_cursor *)pt_alloc_zero(q->s->env, sizeof *c);
    if (c == NULL)
        return PEAT_NOMEM;
    pt_mutex_lock(&q->mu);
    peat_rc rc = pt_queue_take(q, what, row_bytes(q), &op);
    if (rc == PEAT_OK) {
        *c = (peat_cursor){.queue = q, .next = q->cursors, .scan = scan, .backward = backward};
        q->cursors = c;
        begin_scan(q, op, c, n);
    }
    pt_mutex_unlock(&q->mu);
    if (rc != PEAT_OK)
        pt_free(q->s->env, c);
    return rc;
}

/* mu held; NULL: it is none of this queue's, or busy. */
static peat_cursor **find_idle(peat_queue *q, const peat_cursor *cursor)
{
    peat_cursor **at = &q->cursors;
    while (*at != NULL && *at != cursor)
        at = &(*at)->next;
    return *at != NULL && !(*at)->busy ? at : NULL;
}

peat_rc pt_queue_scan_next(peat_queue *q, pt_queue_submit what, peat_cursor *cursor, size_t n)
{
    pt_queue_op *op = NULL;
    pt_mutex_lock(&q->mu);
    peat_rc rc = find_idle(q, cursor) != NULL ? PEAT_OK : PEAT_INVALID;
    if (rc == PEAT_OK)
        rc = pt_queue_take(q, what, row_bytes(q), &op);
    if (rc == PEAT_OK)
        begin_scan(q, op, cursor, n);
    pt_mutex_unlock(&q->mu);
    return rc;
}

void pt_queue_cursor_free(peat_cursor *cursor)
{
    const pt_env *env = cursor->queue->s->env;
    if (cursor->scan != NULL)
        pt_scan_free(cursor->scan);
    pt_free(env, cursor);
}

peat_cursor *pt_queue_cursor_after(peat_queue *q, pt_queue_op *op)
{
    peat_cursor *c = op->cursor;
    op->cursor = NULL;
    c->busy = false;
    if (op->more)
        return c;
    *find_idle(q, c) = c->next;
    pt_queue_cursor_free(c);
    return NULL;
}

void pt_queue_scan_close(peat_queue *q, peat_cursor *cursor)
{
    pt_mutex_lock(&q->mu);
    peat_cursor **at = find_idle(q, cursor);
    if (at != NULL)
        *at = cursor->next;
    pt_mutex_unlock(&q->mu);
    if (at != NULL)
        pt_queue_cursor_free(cursor);
}
