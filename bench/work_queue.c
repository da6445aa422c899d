/* SPDX-License-Identifier: MIT */
/*
 * work_queue.c - one thread with so many operations under way, and what it stands against: a pool
 * of threads that each wait for theirs. Latencies are from submission to when the thread has it in
 * hand, so they grow with the number under way.
 */
#include "run.h"

#include <stdlib.h>

#define UNDER_WAY_MAX 256

typedef struct pending {
    uint64_t id, begun;
} pending;

typedef struct line {
    pb_worker *w;
    void *queue;
    size_t max; /* under way */
    size_t free_count;
    uint16_t free[UNDER_WAY_MAX]; /* tags; each is a place in `pending` */
    pending pending[UNDER_WAY_MAX];
    pb_done done[UNDER_WAY_MAX];
} line;

static line *line_new(pb_worker *w)
{
    line *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->w = w;
    l->max = w->workload->param;
    for (; l->free_count < l->max; l->free_count++)
        l->free[l->free_count] = (uint16_t)l->free_count;
    if (w->bench->engine->queue_open(w->handle, l->max, &l->queue) != PB_OK) {
        free(l);
        return NULL;
    }
    return l;
}

static void line_free(line *l)
{
    l->w->bench->engine->queue_close(l->queue);
    free(l);
}

static uint64_t enter(line *l, uint64_t id)
{
    uint64_t tag = l->free[--l->free_count];
    l->pending[tag] = (pending){id, pb_begin(l->w)};
    return tag;
}

/* One at least; `check` looks at each. */
static int collect(line *l, int (*check)(pb_worker *w, uint64_t id, pb_slice value))
{
    size_t count = 0;
    if (l->w->bench->engine->queue_poll(l->queue, l->done, l->max, &count) != PB_OK)
        return PB_ERROR;
    for (size_t i = 0; i < count; i++) {
        const pb_done *d = &l->done[i];
        if (d->tag >= l->max)
            return pb_wrong(l->w, d->tag, "queue: a tag that was not given");
        pb_end(l->w, l->pending[d->tag].begun);
        if (check(l->w, l->pending[d->tag].id, d->value) != PB_OK)
            return PB_ERROR;
        l->free[l->free_count++] = (uint16_t)d->tag;
    }
    return PB_OK;
}

static int check_get(pb_worker *w, uint64_t id, pb_slice value)
{
    if (!value.data)
        return pb_wrong(w, id, "get by a queue: not found");
    if (!pb_value_check(&w->bench->values, id, value, w->expect, true))
        return pb_wrong(w, id, "get by a queue: wrong value");
    w->bytes += w->bench->keys.size + value.size;
    w->ops++;
    return PB_OK;
}

static int check_put(pb_worker *w, uint64_t id, pb_slice value)
{
    (void)id;
    (void)value;
    w->bytes += w->bench->keys.size + w->bench->values.size;
    w->ops++;
    return PB_OK;
}

static int submit_get(line *l, uint64_t i)
{
    const pb_bench *b = l->w->bench;
    char key_buf[PB_KEY_MAX + 1];
    (void)i;
    uint64_t id = pb_rng_below(&l->w->rng, b->records);
    pb_slice key = pb_key_make(&b->keys, id, key_buf);
    return b->engine->queue_get(l->queue, key, enter(l, id));
}

static int submit_put(line *l, uint64_t i)
{
    const pb_bench *b = l->w->bench;
    pb_worker *w = l->w;
    char key_buf[PB_KEY_MAX + 1];
    uint64_t id = pb_perm_at(&w->perm, i);
    pb_slice key = pb_key_make(&b->keys, id, key_buf);
    pb_slice value = pb_value_make(&b->values, id, w->gen, w->value);
    return b->engine->queue_put(l->queue, key, value, enter(l, id));
}

static int run_line(pb_worker *w, int (*submit)(line *l, uint64_t i),
                    int (*check)(pb_worker *w, uint64_t id, pb_slice value))
{
    int rc = PB_OK;
    uint64_t next = w->begin;
    line *l = line_new(w);
    if (!l)
        return PB_ERROR;
    while (rc == PB_OK && (next < w->end || l->free_count < l->max)) {
        if (next < w->end && l->free_count > 0)
            rc = submit(l, next++);
        else
            rc = collect(l, check);
    }
    line_free(l);
    return rc;
}

static int queue_get(pb_worker *w)
{
    return run_line(w, submit_get, check_get);
}

static int queue_put(pb_worker *w)
{
    return run_line(w, submit_put, check_put);
}

#define GETS (PB_LOADED | PB_NEEDS_QUEUE)
#define PUTS (PB_FRESH | PB_WRITES | PB_NEEDS_QUEUE)

const pb_workload pb_queue_workloads[] = {
    {"queueget1", "get present keys by a queue, 1 under way for each thread", GETS, 1, queue_get,
     NULL},
    {"queueget8", "8 under way", GETS, 8, queue_get, NULL},
    {"queueget64", "64", GETS, 64, queue_get, NULL},
    {"queueget256", "256", GETS, UNDER_WAY_MAX, queue_get, NULL},
    {"readthreads64", "readrandom by 64 threads", PB_LOADED | PB_POOL, 64, pb_read_random, NULL},
    {"queueput", "put in random order by a queue, 256 under way", PUTS, UNDER_WAY_MAX, queue_put,
     NULL},
    {"queuesync1", "each put synced, by a queue, 1 under way", PUTS | PB_SYNC, 1, queue_put, NULL},
    {"queuesync256", "256 under way", PUTS | PB_SYNC, UNDER_WAY_MAX, queue_put, NULL},
    {.name = NULL},
};
