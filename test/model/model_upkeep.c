/* SPDX-License-Identifier: MIT */
/* model_upkeep.c - sync, flush, compact, settle, work, check and what looks inside. */
#include "model/model_state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static peat_slice bound_of(const model_state *m, int64_t id)
{
    return id < 0 ? peat_unbounded() : m->keys.by_id[(uint64_t)id % m->keys.ids];
}

static bool tell_damage(void *ctx, const peat_damage *damage)
{
    model_state *m = ctx;
    model_fail(m, "peat_check: %s at %" PRIu64 ": %s", damage->file, damage->offset,
               damage->message);
}

void model_check_op(model_state *m)
{
    peat_check_options options = {
        .size = sizeof options, .damage_fn = tell_damage, .damage_ctx = m};
    peat_check_report report = {.size = sizeof report};
    peat_error error;
    model_expect(m, peat_check(m->db, &options, &report), PEAT_OK, "peat_check");
    model_expect(m, peat_db_error(m->db, &error), PEAT_OK, "peat_db_error");
}

static void size_op(model_state *m, const model_op *op)
{
    uint64_t bytes = UINT64_MAX, count = UINT64_MAX;
    peat_slice lower = bound_of(m, op->key), upper = bound_of(m, op->key2);
    model_expect(m, peat_approximate_size(m->db, lower, upper, &bytes), PEAT_OK,
                 "peat_approximate_size");
    model_expect(m, peat_approximate_count(m->db, lower, upper, &count), PEAT_OK,
                 "peat_approximate_count");
    if (bytes > UINT64_MAX / 2 || count > UINT64_MAX / 2)
        model_fail(m, "%" PRIu64 " bytes, %" PRIu64 " entries: not set, or below zero", bytes,
                   count);
}

static void stats_op(model_state *m)
{
    peat_statistics stats = {.size = sizeof stats};
    uint64_t iters = 0, snapshots = 0;
    for (int i = 0; i < MODEL_SLOTS; i++) {
        iters += m->iters[i].iter != NULL;
        snapshots += m->snapshots[i].snapshot != NULL;
    }
    model_expect(m, peat_stats(m->db, &stats), PEAT_OK, "peat_stats");
    iters += model_async_cursors(m, false); /* those of scans under way may have gone */
    uint64_t iters_max = iters + model_async_cursors(m, true);
    if (stats.iterators < iters || stats.iterators > iters_max || stats.snapshots != snapshots)
        model_fail(m,
                   "peat_stats: expected %" PRIu64 " iterators and %" PRIu64
                   " snapshots, found %" PRIu64 " and %" PRIu64,
                   iters, snapshots, stats.iterators, stats.snapshots);
}

static void compact_op(model_state *m, const model_op *op)
{
    model_expect(m, peat_compact(m->db, bound_of(m, op->key), bound_of(m, op->key2), NULL), PEAT_OK,
                 "peat_compact");
}

static void work_op(model_state *m, const model_op *op)
{
    size_t done = SIZE_MAX;
    model_expect(m, peat_work(m->db, (size_t)op->n, &done), PEAT_OK, "peat_work");
    if (done > (size_t)op->n)
        model_fail(m, "peat_work: asked for %zu units, did %zu", (size_t)op->n, done);
}

static void settle_op(model_state *m, const model_op *op)
{
    peat_rc rc = peat_settle(m->db, op->flag ? 0 : PEAT_WAIT_FOREVER);
    if (!op->flag || rc != PEAT_TIMEOUT)
        model_expect(m, rc, PEAT_OK, "peat_settle");
}

/* --- the shape ---------------------------------------------------------------------------- */

typedef struct shape_state {
    model_state *m;
    uint64_t next; /* index expected */
    size_t lower_size;
    uint8_t lower[PEAT_KEY_SIZE_MAX];
} shape_state;

static peat_rc see_partition(void *ctx, const peat_partition_info *p)
{
    shape_state *s = ctx;
    if (p->index != s->next || p->index >= p->count || p->damages != 0)
        model_fail(s->m, "peat_shape: partition %" PRIu64 " of %" PRIu64 ", %" PRIu64 " expected",
                   p->index, p->count, s->next);
    if (p->index != 0 && p->lower.data == NULL)
        model_fail(s->m, "peat_shape: partition %" PRIu64 " has no lower bound", p->index);
    if (p->index > 1 && scan_compare(peat_bytes(s->lower, s->lower_size), p->lower) >= 0)
        model_fail(s->m, "peat_shape: partition %" PRIu64 " does not follow", p->index);
    if (p->lower.size != 0)
        memcpy(s->lower, p->lower.data, p->lower.size);
    s->lower_size = p->lower.size;
    s->next = p->index + 1 == p->count ? 0 : p->index + 1;
    return PEAT_OK;
}

static void shape_op(model_state *m)
{
    shape_state *s = calloc(1, sizeof *s);
    s->m = m;
    model_expect(m, peat_shape(m->db, see_partition, s), PEAT_OK, "peat_shape");
    if (s->next != 0)
        model_fail(m, "peat_shape: ends before partition %" PRIu64, s->next);
    free(s);
    model_expect(m, peat_stats_json(m->db, &m->buf), PEAT_OK, "peat_stats_json");
    const char *text = m->buf.data;
    if (m->buf.size < 2 || text[0] != '{' || text[m->buf.size - 1] != '}')
        model_fail(m, "peat_stats_json: no object, %zu bytes", m->buf.size);
}

/* --- stopped calls ------------------------------------------------------------------------ */

typedef struct stopper {
    uint64_t reports; /* left */
    bool stopped;
} stopper;

static bool count_report(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    stopper *s = ctx;
    (void)phase;
    (void)done;
    (void)total;
    s->stopped = s->stopped || s->reports-- <= 1;
    return !s->stopped;
}

static peat_rc count_bytes(void *ctx, const void *data, size_t size)
{
    (void)data;
    return count_report(ctx, "", size, 0) ? PEAT_OK : PEAT_CONFLICT;
}

static void cancel_op(model_state *m, const model_op *op)
{
    stopper s = {.reports = (uint64_t)op->n / 3 + 1};
    peat_progress progress = {.size = sizeof progress, .fn = count_report, .ctx = &s};
    peat_check_options check = {.size = sizeof check, .progress = &progress};
    peat_rc rc, stopped = PEAT_CANCELLED;
    if (op->n % 3 == 0) {
        rc = peat_compact(m->db, peat_unbounded(), peat_unbounded(), &progress);
    } else if (op->n % 3 == 1) {
        rc = peat_check(m->db, &check, NULL);
    } else {
        rc = peat_export(m->db, NULL, count_bytes, &s);
        stopped = PEAT_CONFLICT;
    }
    model_expect(m, rc, s.stopped ? stopped : PEAT_OK, "a call to be stopped");
}

/* The store is open: nobody else gets it, whatever they ask for. */
static void busy_op(model_state *m, const model_op *op)
{
    peat_options options = m->open.options;
    peat_db *second = NULL;
    options.read_only = op->flag;
    model_expect(m, peat_open(m->dir, &options, &second, NULL), PEAT_BUSY,
                 "peat_open of an open store");
}

void model_upkeep_op(model_state *m, const model_op *op)
{
    if (op->kind == MODEL_sync)
        model_expect(m, peat_sync(m->db), PEAT_OK, "peat_sync");
    else if (op->kind == MODEL_flush)
        model_expect(m, peat_flush(m->db), PEAT_OK, "peat_flush");
    else if (op->kind == MODEL_compact)
        compact_op(m, op);
    else if (op->kind == MODEL_settle)
        settle_op(m, op);
    else if (op->kind == MODEL_work)
        work_op(m, op);
    else if (op->kind == MODEL_check)
        model_check_op(m);
    else if (op->kind == MODEL_size)
        size_op(m, op);
    else if (op->kind == MODEL_shape)
        shape_op(m);
    else if (op->kind == MODEL_cancel)
        cancel_op(m, op);
    else if (op->kind == MODEL_busy)
        busy_op(m, op);
    else
        stats_op(m);
}
