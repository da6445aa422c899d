/* SPDX-License-Identifier: MIT */
/*
 * model_async.c - the calls of peat_queue.h: a lot of operations, submitted at once and polled in
 * pieces. A write is of the oracle from its submission on. A read may see it or not until it was
 * told of: what is right is a span of commits, and all that one operation reads is of one of them.
 *
 * A lot leaves no write outstanding. By its slot it waits for the reads, too (0, 1), closes the
 * queue with them (2), or leaves them to the next lot, or to the close of the store (3).
 */
#include "model/model_state.h"
#include "peat_queue.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PENDING = 48, MANY = 12, CURSORS = 4 };

typedef struct pending {
    bool used, asked; /* asked to be cancelled */
    peat_queue_kind kind;
    uint64_t low, high; /* of a read; of a write its commit is high */
    size_t n, ranks[MANY];
    peat_batch *batch;
    int cursor;
} pending;

typedef struct reading {
    peat_cursor *cursor; /* NULL: none, or busy */
    bool used, backward;
    uint64_t states; /* bit i: that of commit low + i may be what it shows */
    uint64_t low, high;
    int64_t at; /* the next rank */
} reading;

struct model_async {
    peat_queue *queue;
    rng r;
    size_t depth;
    pending ops[PENDING];
    reading readings[CURSORS];
};

static bool is_write(const pending *p)
{
    return p->used && p->kind >= PEAT_QUEUE_PUT && p->kind <= PEAT_QUEUE_WRITE;
}

/* ---- what is right ---- */

static bool shows(const model_state *m, size_t rank, uint64_t seq, peat_rc rc,
                  const peat_slice *value)
{
    const model_version *v = model_oracle_get(&m->oracle, rank, seq);
    if (v == NULL)
        return rc == PEAT_NOT_FOUND;
    return rc == PEAT_OK && (value == NULL || model_value_is(v->value, *value));
}

static void expect_keys(model_state *m, const pending *p, const peat_completion *c)
{
    for (uint64_t seq = p->low; seq <= p->high; seq++) {
        bool all = true;
        for (size_t i = 0; i < p->n && all; i++) {
            bool many = p->kind == PEAT_QUEUE_MULTI_GET;
            const peat_slice *value = many ? &c->values[i] : &c->value;
            all = shows(m, p->ranks[i], seq, many ? c->rcs[i] : c->rc,
                        p->kind == PEAT_QUEUE_EXISTS ? NULL : value);
        }
        if (all)
            return;
    }
    model_fail(m,
               "a read of kind %d of rank %zu and others by a queue: %s, not of one of the"
               " commits %" PRIu64 " to %" PRIu64,
               (int)p->kind, p->n != 0 ? p->ranks[0] : 0, peat_rc_name(c->rc), p->low, p->high);
}

static int64_t next_rank(const model_state *m, const reading *g, uint64_t seq, int64_t from)
{
    if (from < 0)
        return -1;
    return g->backward ? model_oracle_down(&m->oracle, seq, from, 0)
                       : model_oracle_up(&m->oracle, seq, from, (int64_t)m->oracle.ranks);
}

/* The place behind the rows, when they are those of this commit; -2: they are not. */
static int64_t follow(const model_state *m, const reading *g, uint64_t seq,
                      const peat_completion *c)
{
    int64_t at = g->at;
    for (size_t i = 0; i < c->n; i++) {
        at = next_rank(m, g, seq, at);
        if (at < 0 || scan_compare(c->rows[i].key, m->keys.by_rank[at]) != 0 ||
            !shows(m, (size_t)at, seq, PEAT_OK, &c->rows[i].value))
            return -2;
        at += g->backward ? -1 : 1;
    }
    bool ended = c->rc == PEAT_END || c->cursor == NULL;
    return ended && next_rank(m, g, seq, at) >= 0 ? -2 : at;
}

static void expect_rows(model_state *m, reading *g, const peat_completion *c)
{
    int64_t found = -2;
    if ((c->rc == PEAT_END) != (c->n == 0) || (c->rc == PEAT_END && c->cursor != NULL))
        model_fail(m, "a scan by a queue: %s with %zu rows", peat_rc_name(c->rc), c->n);
    for (uint64_t seq = g->low; seq <= g->high; seq++) {
        uint64_t bit = (uint64_t)1 << (seq - g->low);
        int64_t at = (g->states & bit) != 0 ? follow(m, g, seq, c) : -2;
        if (at == -2)
            g->states &= ~bit;
        else
            found = at;
    }
    if (found == -2)
        model_fail(m,
                   "a scan by a queue: %zu rows from rank %" PRId64 " %s, not of one of the"
                   " commits %" PRIu64 " to %" PRIu64 " as before",
                   c->n, g->at, g->backward ? "backward" : "forward", g->low, g->high);
    g->at = found;
}

/* ---- polling ---- */

static void forget(model_state *m, const pending *p)
{
    for (size_t i = 0; i < p->n; i++) {
        model_history *h = &m->oracle.of_rank[p->ranks[i]];
        size_t kept = 0;
        for (size_t v = 0; v < h->count; v++)
            if (h->versions[v].seq != p->high)
                h->versions[kept++] = h->versions[v];
        h->count = kept;
    }
}

static void take_scan(model_state *m, const pending *p, const peat_completion *c)
{
    reading *g = &m->async->readings[p->cursor];
    if (c->rc == PEAT_OK || c->rc == PEAT_END)
        expect_rows(m, g, c);
    if (c->rc == PEAT_CANCELLED && c->cursor == NULL)
        model_fail(m, "a cancelled scan of a queue has lost its cursor");
    g->cursor = c->cursor;
    g->used = g->cursor != NULL;
}

/* `closed`: the store was closed with it. */
static void take(model_state *m, const peat_completion *c, bool closed)
{
    if (c->tag >= PENDING || !m->async->ops[c->tag].used)
        model_fail(m, "a queue told of operation %" PRIu64 ", which is not outstanding", c->tag);
    pending *p = &m->async->ops[c->tag];
    bool no = (c->rc == PEAT_CANCELLED && p->asked) || (c->rc == PEAT_CLOSED && closed);
    bool may_miss = p->kind <= PEAT_QUEUE_EXISTS && c->rc == PEAT_NOT_FOUND;
    bool may_end = p->kind == PEAT_QUEUE_SCAN && c->rc == PEAT_END;
    if (c->kind != p->kind || (c->rc != PEAT_OK && !no && !may_miss && !may_end))
        model_fail(m, "an operation of kind %d of a queue: kind %d, %s", (int)p->kind, (int)c->kind,
                   peat_rc_name(c->rc));
    if (p->kind == PEAT_QUEUE_SCAN)
        take_scan(m, p, c);
    else if (p->kind <= PEAT_QUEUE_MULTI_GET && !no)
        expect_keys(m, p, c);
    else if (is_write(p) && no)
        forget(m, p);
    peat_batch_free(p->batch);
    *p = (pending){0};
}

static void poll_some(model_state *m)
{
    peat_completion done[8];
    size_t n = 0, max = 1 + rng_below(&m->async->r, 8);
    uint64_t timeout = rng_below(&m->async->r, 3) == 0 ? 0 : PEAT_QUEUE_WAIT;
    peat_rc rc = peat_queue_poll(m->async->queue, done, max, timeout, &n);
    if (rc != PEAT_OK && rc != PEAT_END && !(rc == PEAT_TIMEOUT && timeout == 0))
        model_fail(m, "peat_queue_poll: %s", peat_rc_name(rc));
    for (size_t i = 0; i < n; i++)
        take(m, &done[i], false);
}

static void drain(model_state *m, bool writes_only)
{
    for (int i = 0; i < PENDING; i++)
        while (writes_only ? is_write(&m->async->ops[i]) : m->async->ops[i].used)
            poll_some(m);
    if (!writes_only && peat_queue_outstanding(m->async->queue) != 0)
        model_fail(m, "a queue has operations that were never submitted");
}

/* ---- submitting ---- */

/* A read from here on sees at least this. */
static uint64_t told(const model_state *m)
{
    uint64_t low = m->oracle.seq;
    for (int i = 0; i < PENDING; i++)
        if (is_write(&m->async->ops[i]) && m->async->ops[i].high <= low)
            low = m->async->ops[i].high - 1;
    return low;
}

static peat_rc submit_read(model_state *m, pending *p, uint64_t tag, bool no_fill)
{
    peat_slice keys[MANY];
    peat_snapshot *snapshot = NULL;
    peat_queue *q = m->async->queue;
    if (rng_below(&m->async->r, 4) == 0)
        model_expect(m, peat_snapshot_open(m->db, &snapshot), PEAT_OK, "peat_snapshot_open");
    peat_read_options o = {.size = sizeof o, .snapshot = snapshot, .no_cache_fill = no_fill};
    for (size_t i = 0; i < p->n; i++)
        keys[i] = m->keys.by_rank[p->ranks[i]];
    peat_rc rc = p->kind == PEAT_QUEUE_GET ? peat_queue_get(q, NULL, &o, keys[0], tag)
                 : p->kind == PEAT_QUEUE_EXISTS
                     ? peat_queue_exists(q, m->db, &o, keys[0], tag)
                     : peat_queue_multi_get(q, NULL, &o, p->n, keys, tag);
    peat_snapshot_close(snapshot); /* they have what they need */
    return rc;
}

static peat_rc submit_batch(model_state *m, pending *p, const peat_write_options *o,
                            const model_value *values, uint64_t tag)
{
    uint8_t *bytes = malloc(4096);
    if (p->batch == NULL)
        model_expect(m, peat_batch_new(&p->batch), PEAT_OK, "peat_batch_new");
    peat_batch_clear(p->batch);
    for (size_t i = 0; i < p->n; i++) {
        model_value_fill(values[i], bytes);
        model_expect(m,
                     peat_batch_put(p->batch, m->keys.by_rank[p->ranks[i]],
                                    peat_bytes(bytes, values[i].size)),
                     PEAT_OK, "peat_batch_put");
    }
    free(bytes);
    return peat_queue_write(m->async->queue, o, p->batch, tag);
}

static peat_rc submit_write(model_state *m, pending *p, const model_value *values, uint64_t tag)
{
    peat_write_options o = {.size = sizeof o, .sync = rng_below(&m->async->r, 4) == 0};
    peat_slice key = m->keys.by_rank[p->ranks[0]];
    uint8_t bytes[4096];
    if (p->kind == PEAT_QUEUE_WRITE)
        return submit_batch(m, p, &o, values, tag);
    if (p->kind == PEAT_QUEUE_DELETE)
        return peat_queue_delete(m->async->queue, NULL, &o, key, tag);
    model_value_fill(values[0], bytes);
    peat_rc rc =
        peat_queue_put(m->async->queue, m->db, &o, key, peat_bytes(bytes, values[0].size), tag);
    memset(bytes, 0xdd, sizeof bytes); /* it was copied */
    return rc;
}

static peat_rc submit_scan(model_state *m, pending *p, uint64_t tag)
{
    struct model_async *a = m->async;
    reading *g = &a->readings[p->cursor];
    size_t n = 1 + rng_below(&a->r, 30);
    if (g->used)
        return peat_queue_scan_next(a->queue, g->cursor, n, tag);
    *g = (reading){.backward = rng_below(&a->r, 2) != 0, .low = p->low, .high = p->high};
    g->states = UINT64_MAX;
    g->at = g->backward ? (int64_t)m->oracle.ranks - 1 : 0;
    return peat_queue_scan(a->queue, NULL, NULL, g->backward, n, tag);
}

static peat_rc submit(model_state *m, pending *p, const model_value *values, uint64_t tag,
                      bool no_fill)
{
    p->low = told(m); /* also when it is submitted again */
    p->high = m->oracle.seq;
    if (p->kind <= PEAT_QUEUE_MULTI_GET)
        return submit_read(m, p, tag, no_fill);
    if (p->kind == PEAT_QUEUE_SYNC)
        return peat_queue_sync(m->async->queue, tag);
    if (p->kind == PEAT_QUEUE_SCAN)
        return submit_scan(m, p, tag);
    return submit_write(m, p, values, tag);
}

static void write_down(model_state *m, pending *p, const model_value *values)
{
    p->high = ++m->oracle.seq;
    for (size_t i = 0; i < p->n; i++)
        model_oracle_set(&m->oracle, p->ranks[i], p->kind == PEAT_QUEUE_DELETE ? NULL : &values[i]);
}

static void choose(model_state *m, const model_op *op, pending *p, model_value *ret_values)
{
    static const peat_queue_kind kinds[] = {
        PEAT_QUEUE_GET,  PEAT_QUEUE_GET,  PEAT_QUEUE_GET,  PEAT_QUEUE_EXISTS, PEAT_QUEUE_MULTI_GET,
        PEAT_QUEUE_PUT,  PEAT_QUEUE_PUT,  PEAT_QUEUE_PUT,  PEAT_QUEUE_DELETE, PEAT_QUEUE_WRITE,
        PEAT_QUEUE_SYNC, PEAT_QUEUE_SCAN, PEAT_QUEUE_SCAN,
    };
    rng *r = &m->async->r;
    bool wide = rng_below(r, 3) == 0;
    p->kind = kinds[rng_below(r, sizeof kinds / sizeof *kinds)];
    p->cursor = (int)rng_below(r, CURSORS);
    p->n = p->kind == PEAT_QUEUE_MULTI_GET ? rng_below(r, MANY + 1)
           : p->kind == PEAT_QUEUE_WRITE   ? 1 + rng_below(r, MANY)
           : p->kind >= PEAT_QUEUE_SYNC    ? 0
                                           : 1;
    for (size_t i = 0; i < p->n; i++) {
        p->ranks[i] = model_rank_of(m, op->key + (int64_t)rng_below(r, wide ? m->keys.ids : 6));
        ret_values[i] = (model_value){(uint32_t)rng_below(r, rng_below(r, 8) ? 60 : 4000),
                                      UINT32_C(0x40000000) + (uint32_t)rng_below(r, 1u << 29)};
    }
}

static pending *free_slot(model_state *m)
{
    for (;;) {
        for (int i = 0; i < PENDING; i++)
            if (!m->async->ops[i].used)
                return &m->async->ops[i];
        poll_some(m);
    }
}

static void submit_one(model_state *m, const model_op *op)
{
    struct model_async *a = m->async;
    model_value values[MANY];
    if (m->oracle.seq - told(m) > 60) /* `states` has 64 bits */
        drain(m, true);
    pending *p = free_slot(m);
    uint64_t tag = (uint64_t)(p - a->ops);
    choose(m, op, p, values);
    if (p->kind == PEAT_QUEUE_SCAN && a->readings[p->cursor].used &&
        a->readings[p->cursor].cursor == NULL)
        return; /* busy */
    peat_rc rc = submit(m, p, values, tag, op->flag);
    for (int i = 0; rc == PEAT_QUEUE_FULL && i < 1000000; i++) {
        poll_some(m);
        rc = submit(m, p, values, tag, op->flag);
    }
    bool large = rc == PEAT_TOO_BIG; /* a key of 64 KiB in a small queue */
    if (!large)
        model_expect(m, rc, PEAT_OK, "submitting to a queue");
    p->used = !large;
    if (large)
        peat_batch_free(p->batch);
    if (large)
        *p = (pending){0};
    if (p->used && p->kind == PEAT_QUEUE_SCAN)
        a->readings[p->cursor].cursor = NULL;
    a->readings[p->cursor].used = a->readings[p->cursor].used || p->kind == PEAT_QUEUE_SCAN;
    if (is_write(p))
        write_down(m, p, values);
    m->operations++;
}

static void cancel_one(model_state *m)
{
    uint64_t tag = rng_below(&m->async->r, PENDING);
    peat_rc rc = peat_queue_cancel(m->async->queue, tag);
    if (rc != PEAT_NOT_FOUND)
        model_expect(m, rc, PEAT_OK, "peat_queue_cancel");
    if (rc == PEAT_OK && !m->async->ops[tag].used)
        model_fail(m, "peat_queue_cancel found an operation that is not outstanding");
    m->async->ops[tag].asked |= rc == PEAT_OK;
}

/* ---- the life of the queue ---- */

static void open_queue(model_state *m, const model_op *op)
{
    static const size_t depths[] = {1, 3, 16, 256};
    struct model_async *a = m->async = calloc(1, sizeof *a);
    a->r.state = (uint64_t)op->key * 1000003 + (uint64_t)op->n + m->oracle.seq;
    peat_queue_options o = {.size = sizeof o, .depth = depths[rng_below(&a->r, 4)]};
    o.bytes = rng_below(&a->r, 2) ? 0 : PEAT_QUEUE_BYTES_MIN;
    model_expect(m, peat_queue_open(m->db, &o, &a->queue), PEAT_OK, "peat_queue_open");
}

static void close_queue(model_state *m)
{
    peat_queue_close(m->async->queue);
    for (int i = 0; i < PENDING; i++)
        peat_batch_free(m->async->ops[i].batch);
    free(m->async);
    m->async = NULL;
}

void model_async_before_close(model_state *m)
{
    if (m->async != NULL && rng_below(&m->async->r, 3) == 0)
        close_queue(m);
}

void model_async_after_close(model_state *m)
{
    peat_completion done[5];
    size_t n;
    peat_rc rc;
    if (m->async == NULL)
        return;
    while ((rc = peat_queue_poll(m->async->queue, done, 5, PEAT_QUEUE_WAIT, &n)) == PEAT_OK)
        for (size_t i = 0; i < n; i++)
            take(m, &done[i], true);
    model_expect(m, rc, PEAT_CLOSED, "peat_queue_poll behind the close of the store");
    for (int i = 0; i < PENDING; i++)
        if (m->async->ops[i].used)
            model_fail(m, "operation %d of a queue was never told of", i);
    model_expect(m, peat_queue_sync(m->async->queue, 1), PEAT_CLOSED, "peat_queue_sync");
    close_queue(m);
}

size_t model_async_cursors(const model_state *m, bool busy)
{
    size_t n = 0;
    for (int i = 0; m->async != NULL && i < CURSORS; i++)
        n += m->async->readings[i].used && (m->async->readings[i].cursor == NULL) == busy;
    return n;
}

void model_async_op(model_state *m, const model_op *op)
{
    if (m->async == NULL)
        open_queue(m, op);
    for (int64_t i = 0; i < op->n; i++) {
        submit_one(m, op);
        uint64_t dice = rng_below(&m->async->r, 12);
        if (dice < 3)
            poll_some(m);
        else if (dice == 3)
            cancel_one(m);
        else if (dice == 4 && op->flag)
            model_expect(m, peat_flush(m->db), PEAT_OK, "peat_flush");
    }
    drain(m, op->slot >= 2);
    if (op->slot == 2)
        close_queue(m);
}
