/* SPDX-License-Identifier: MIT */
/*
 * faults_queue.c - many operations of a queue under way while calls fail; see faults.h. Each ends
 * once, and says what the blocking call would. Reads and writes go in turns: what is right for a
 * read is then known.
 */
#include "faults/faults.h"
#include "peat_queue.h"

#include <stdlib.h>

enum { OPS = 2 * FAULTS_KEYS + 8 };

typedef struct expected {
    bool outstanding, sync;
    unsigned key;    /* FAULTS_KEYS: of no single one */
    uint32_t commit; /* 0: a read */
} expected;

typedef struct lot {
    faults_world *w;
    peat_queue *queue;
    peat_cursor *cursor;
    peat_batch *batch;
    size_t n;
    expected ops[OPS];
} lot;

static void taken(lot *l, peat_rc rc, unsigned key, uint32_t commit, bool sync)
{
    if (rc == PEAT_QUEUE_FULL)
        faults_wrong(l->w, "a queue with room says that it is full");
    l->ops[l->n++] = (expected){.outstanding = faults_judge(l->w, rc, "submitting to a queue"),
                                .key = key,
                                .commit = commit,
                                .sync = sync};
}

static void judge_multi_get(const lot *l, const peat_completion *c)
{
    if (c->n != FAULTS_KEYS)
        faults_wrong(l->w, "a multi-get of a queue has %zu keys", c->n);
    for (unsigned k = 0; k < FAULTS_KEYS; k++)
        if (faults_judge(l->w, c->rcs[k], "a key of a queue's multi-get"))
            (void)faults_source(l->w, k, c->rcs[k] == PEAT_OK ? &c->values[k] : NULL, UINT32_MAX);
}

static void judge(lot *l, const peat_completion *c)
{
    faults_world *w = l->w;
    if (c->tag >= l->n || !l->ops[c->tag].outstanding)
        faults_wrong(w, "operation %u of a queue was told of again", (unsigned)c->tag);
    expected *e = &l->ops[c->tag];
    bool done = faults_judge(w, c->rc, "an operation of a queue");
    e->outstanding = false;
    if (c->rc < 0 && w->only != PEAT_NOMEM && c->error == NULL)
        faults_wrong(w, "an operation of a queue failed without a word");
    if (c->kind == PEAT_QUEUE_SCAN)
        l->cursor = c->cursor;
    if (done && c->kind == PEAT_QUEUE_GET)
        (void)faults_source(w, e->key, c->rc == PEAT_OK ? &c->value : NULL, UINT32_MAX);
    if (done && c->kind == PEAT_QUEUE_EXISTS && c->rc == PEAT_NOT_FOUND)
        (void)faults_source(w, e->key, NULL, UINT32_MAX);
    if (done && c->kind == PEAT_QUEUE_MULTI_GET)
        judge_multi_get(l, c);
    if (e->commit != 0 && c->kind != PEAT_QUEUE_SYNC)
        w->book.acked[e->commit] = done;
    if (e->sync && done && e->commit > w->book.durable)
        w->book.durable = e->commit;
}

static void poll_all(lot *l)
{
    peat_completion done[7];
    size_t n;
    peat_rc rc;
    while ((rc = peat_queue_poll(l->queue, done, 7, PEAT_QUEUE_WAIT, &n)) == PEAT_OK)
        for (size_t i = 0; i < n; i++)
            judge(l, &done[i]);
    if (rc != PEAT_END)
        faults_wrong(l->w, "peat_queue_poll returned %s", peat_rc_name(rc));
    for (size_t i = 0; i < l->n; i++)
        if (l->ops[i].outstanding)
            faults_wrong(l->w, "operation %zu of a queue was never told of", i);
    l->n = 0;
    faults_note(l->w);
}

static void read_all(lot *l)
{
    peat_slice keys[FAULTS_KEYS];
    for (unsigned k = 0; k < FAULTS_KEYS; k++) {
        keys[k] = faults_key(l->w, k);
        if (k % 4 == 3)
            taken(l, peat_queue_exists(l->queue, NULL, NULL, keys[k], l->n), k, 0, false);
        else
            taken(l, peat_queue_get(l->queue, NULL, NULL, keys[k], l->n), k, 0, false);
    }
    taken(l, peat_queue_multi_get(l->queue, NULL, NULL, FAULTS_KEYS, keys, l->n), FAULTS_KEYS, 0,
          false);
    taken(l, peat_queue_scan(l->queue, NULL, NULL, false, 10, l->n), FAULTS_KEYS, 0, false);
    poll_all(l);
    if (l->cursor != NULL)
        taken(l, peat_queue_scan_next(l->queue, l->cursor, 100, l->n), FAULTS_KEYS, 0, false);
    poll_all(l);
}

static void put_one(lot *l, unsigned key, uint32_t size, bool sync)
{
    peat_write_options o = {.size = sizeof o, .sync = sync};
    model_value value = faults_note_write(l->w, key, size, size == 0);
    uint8_t *bytes = malloc((size_t)size + 1);
    model_value_fill(value, bytes);
    peat_slice k = faults_key(l->w, key);
    peat_rc rc = size == 0 ? peat_queue_delete(l->queue, NULL, &o, k, l->n)
                           : peat_queue_put(l->queue, NULL, &o, k, peat_bytes(bytes, size), l->n);
    free(bytes); /* they were copied */
    taken(l, rc, key, l->w->book.commits, sync && !l->w->open.options.no_log);
}

static void put_batch(lot *l)
{
    peat_write_options o = {.size = sizeof o, .sync = true};
    peat_rc rc = l->batch != NULL ? PEAT_OK : peat_batch_new(&l->batch);
    l->w->book.commits++;
    for (unsigned k = 0; rc == PEAT_OK && k < 9; k++) {
        void *room = NULL;
        model_value value = faults_note_item(l->w, 3 * k, 300);
        rc = peat_batch_put_reserve(l->batch, faults_key(l->w, 3 * k), value.size, &room);
        if (rc == PEAT_OK)
            model_value_fill(value, room);
    }
    if (rc == PEAT_OK)
        rc = peat_queue_write(l->queue, &o, l->batch, l->n);
    taken(l, rc, FAULTS_KEYS, l->w->book.commits, !l->w->open.options.no_log);
}

static void write_some(lot *l)
{
    for (unsigned i = 0; i < 14; i++)
        put_one(l, (i * 7) % FAULTS_KEYS, i % 5 == 4 ? 0 : 150 + 90 * i, i % 3 == 2);
    put_batch(l);
    put_one(l, 2, 5000, false);
    taken(l, peat_queue_sync(l->queue, l->n), FAULTS_KEYS, l->w->book.commits,
          !l->w->open.options.no_log);
    poll_all(l);
}

void faults_queue(faults_world *w)
{
    lot *l = calloc(1, sizeof *l);
    l->w = w;
    peat_queue_options o = {.size = sizeof o, .depth = OPS};
    if (w->db != NULL && faults_judge(w, peat_queue_open(w->db, &o, &l->queue), "peat_queue_open"))
        for (int i = 0; i < 2; i++) {
            l->cursor = NULL;
            read_all(l);
            write_some(l);
            peat_batch_free(l->batch);
            l->batch = NULL;
        }
    peat_queue_close(l->queue);
    free(l);
}
