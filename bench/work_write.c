/* SPDX-License-Identifier: MIT */
/*
 * work_write.c - filling, overwriting, deleting. "random" is a permutation: each id comes up
 * exactly once (db_bench draws with replacement and so leaves a third of the keys out).
 */
#include "run.h"

#include <stdlib.h>

static uint64_t in_order(const pb_worker *w, uint64_t i)
{
    (void)w;
    return i;
}

static uint64_t shuffled(const pb_worker *w, uint64_t i)
{
    return pb_perm_at(&w->perm, i);
}

static inline int fill(pb_worker *w, uint64_t (*id_of)(const pb_worker *w, uint64_t i))
{
    const pb_bench *b = w->bench;
    char key_buf[PB_KEY_MAX + 1];
    for (uint64_t i = w->begin; i < w->end; i++) {
        uint64_t id = id_of(w, i);
        pb_slice key = pb_key_make(&b->keys, id, key_buf);
        pb_slice value = pb_value_make(&b->values, id, w->gen, w->value);
        uint64_t begun = pb_begin(w);
        if (b->engine->put(w->handle, key, value) != PB_OK)
            return PB_ERROR;
        pb_end(w, begun);
        w->bytes += key.size + value.size;
        w->ops++;
    }
    return PB_OK;
}

static int fill_seq(pb_worker *w)
{
    return fill(w, in_order);
}

static int fill_random(pb_worker *w)
{
    return fill(w, shuffled);
}

static int delete_random(pb_worker *w)
{
    const pb_bench *b = w->bench;
    char key_buf[PB_KEY_MAX + 1];
    for (uint64_t i = w->begin; i < w->end; i++) {
        pb_slice key = pb_key_make(&b->keys, shuffled(w, i), key_buf);
        uint64_t begun = pb_begin(w);
        if (b->engine->del(w->handle, key) != PB_OK)
            return PB_ERROR;
        pb_end(w, begun);
        w->bytes += key.size;
        w->ops++;
    }
    return PB_OK;
}

/* The first row of this worker's part, as a fresh iterator finds it; it must be the expected one.
 */
static int pop_one(pb_worker *w, pb_slice from, pb_slice expected)
{
    const pb_engine *e = w->bench->engine;
    void *it;
    pb_row row;
    if (e->iter_open(w->handle, &it) != PB_OK)
        return PB_ERROR;
    int rc = e->iter_seek(it, from, &row);
    bool right = rc == PB_OK && row.key.size == expected.size &&
                 memcmp(row.key.data, expected.data, expected.size) == 0;
    e->iter_close(it);
    if (rc == PB_ERROR)
        return rc;
    return right ? e->del(w->handle, expected) : PB_NOT_FOUND;
}

/* A queue: what was deleted lies before each look. */
static int queue_pop(pb_worker *w)
{
    const pb_bench *b = w->bench;
    char from_buf[PB_KEY_MAX + 1], key_buf[PB_KEY_MAX + 1];
    pb_slice from = pb_key_make(&b->keys, w->begin, from_buf);
    if (b->keys.format == PB_KEY_HASHED)
        return pb_wrong(w, 0, "queuepop: hashed keys have no order to pop in");
    for (uint64_t i = w->begin; i < w->end; i++) {
        pb_slice key = pb_key_make(&b->keys, i, key_buf);
        uint64_t begun = pb_begin(w);
        int rc = pop_one(w, from, key);
        pb_end(w, begun);
        if (rc != PB_OK)
            return rc == PB_NOT_FOUND ? pb_wrong(w, i, "queuepop: wrong row") : rc;
        w->bytes += key.size;
        w->ops++;
    }
    return PB_OK;
}

typedef struct batch_room {
    pb_row *rows;
    char *keys, *values;
} batch_room;

static int write_batches(pb_worker *w, batch_room *room, uint64_t batch)
{
    const pb_bench *b = w->bench;
    for (uint64_t i = w->begin; i < w->end;) {
        size_t count = 0;
        for (; count < batch && i < w->end; count++, i++) {
            uint64_t id = shuffled(w, i);
            pb_row *row = &room->rows[count];
            row->key = pb_key_make(&b->keys, id, room->keys + count * (PB_KEY_MAX + 1));
            row->value =
                pb_value_make(&b->values, id, w->gen, room->values + count * b->values.size);
            w->bytes += row->key.size + row->value.size;
        }
        uint64_t begun = pb_begin(w);
        if (b->engine->write(w->handle, room->rows, count) != PB_OK)
            return PB_ERROR;
        pb_end(w, begun);
        w->ops += count;
    }
    return PB_OK;
}

/* Operations are records, latencies are those of whole batches. */
static int fill_batch(pb_worker *w)
{
    uint64_t batch = w->workload->param;
    batch_room room = {.rows = malloc(batch * sizeof *room.rows),
                       .keys = malloc(batch * (PB_KEY_MAX + 1)),
                       .values = malloc(batch * w->bench->values.size)};
    int rc = PB_ERROR;
    if (room.rows && room.keys && room.values)
        rc = write_batches(w, &room, batch);
    free(room.rows);
    free(room.keys);
    free(room.values);
    return rc;
}

const pb_workload pb_write_workloads[] = {
    {"fillseq", "put in key order", PB_FRESH | PB_WRITES, 0, fill_seq, NULL},
    {"fillrandom", "put in random order, each key once", PB_FRESH | PB_WRITES, 0, fill_random,
     NULL},
    {"fillbatch10", "random order, batches of 10", PB_FRESH | PB_WRITES, 10, fill_batch, NULL},
    {"fillbatch100", "random order, batches of 100", PB_FRESH | PB_WRITES, 100, fill_batch, NULL},
    {"fillbatch1000", "random order, batches of 1000", PB_FRESH | PB_WRITES, 1000, fill_batch,
     NULL},
    {"fillsync", "random order, every put synced", PB_FRESH | PB_WRITES | PB_SYNC, 0, fill_random,
     NULL},
    {"overwrite", "put every key again in another random order", PB_LOADED | PB_WRITES | PB_COVERS,
     0, fill_random, NULL},
    {"deleterandom", "delete every key in random order", PB_LOADED | PB_WRITES | PB_EMPTIES, 0,
     delete_random, NULL},
    {"queuepop", "find the first key with a fresh iterator, and delete it, until none is left",
     PB_LOADED | PB_WRITES | PB_EMPTIES, 0, queue_pop, NULL},
    {"ycsbload", "put the YCSB records: hashed keys, 1000-byte values",
     PB_FRESH | PB_WRITES | PB_YCSB, 0, fill_seq, NULL},
    {.name = NULL},
};
