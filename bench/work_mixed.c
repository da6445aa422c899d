/* SPDX-License-Identifier: MIT */
/* work_mixed.c - readers beside a writer, and the six YCSB workloads. */
#include "run.h"

#include <stdlib.h>

static int check_get(pb_worker *w, uint64_t id, int rc, pb_slice value)
{
    if (rc == PB_NOT_FOUND)
        return pb_wrong(w, id, "get: not found");
    if (rc == PB_OK && !pb_value_check(&w->bench->values, id, value, w->expect, true))
        return pb_wrong(w, id, "get: wrong value");
    w->bytes += value.size;
    return rc;
}

static int put_one(pb_worker *w, uint64_t id)
{
    const pb_bench *b = w->bench;
    char key_buf[PB_KEY_MAX + 1];
    pb_slice key = pb_key_make(&b->keys, id, key_buf);
    pb_slice value = pb_value_make(&b->values, id, w->gen, w->value);
    w->bytes += key.size + value.size;
    return b->engine->put(w->handle, key, value);
}

static int get_one(pb_worker *w, uint64_t id)
{
    const pb_bench *b = w->bench;
    char key_buf[PB_KEY_MAX + 1];
    pb_slice value = {NULL, 0};
    int rc = b->engine->get(w->handle, pb_key_make(&b->keys, id, key_buf), &value);
    return check_get(w, id, rc, value);
}

/* --- readwhilewriting ----------------------------------------------------------------------- */

static int write_until_readers_stop(pb_worker *w)
{
    pb_bench *b = w->bench;
    w->aside = true;
    for (uint64_t i = 0; atomic_load_explicit(&b->readers, memory_order_relaxed) > 0; i++) {
        uint64_t id = pb_perm_at(&w->perm, i % b->records), begun = pb_begin(w);
        if (put_one(w, id) != PB_OK)
            return PB_ERROR;
        pb_end(w, begun);
        w->ops++;
    }
    return PB_OK;
}

/* The last worker writes as fast as it can while the others read; its rate is reported apart. */
static int read_while_writing(pb_worker *w)
{
    pb_bench *b = w->bench;
    int rc = PB_OK;
    if (w->index == b->options->threads)
        return write_until_readers_stop(w);
    for (uint64_t i = w->begin; i < w->end && rc == PB_OK; i++) {
        uint64_t id = pb_rng_below(&w->rng, b->records), begun = pb_begin(w);
        rc = get_one(w, id);
        pb_end(w, begun);
        w->ops++;
    }
    atomic_fetch_sub(&b->readers, 1);
    return rc;
}

/* --- YCSB ----------------------------------------------------------------------------------- */

typedef struct mix {
    unsigned read, update, insert, scan, modify; /* percent */
    bool latest;                                 /* zipfian over age instead of over all */
} mix;

static const mix mixes[] = {
    ['a'] = {.read = 50, .update = 50},
    ['b'] = {.read = 95, .update = 5},
    ['c'] = {.read = 100},
    ['d'] = {.read = 95, .insert = 5, .latest = true},
    ['e'] = {.insert = 5, .scan = 95},
    ['f'] = {.read = 50, .modify = 50},
};

/* Each worker inserts ids of its own residue class, so that it knows which of them are there. */
static uint64_t inserted_id(const pb_worker *w, uint64_t nth)
{
    const pb_bench *b = w->bench;
    return b->records + b->inserted + nth * b->options->threads + w->index;
}

static uint64_t choose(const pb_worker *w, const mix *m, const pb_zipf *zipf, pb_rng *rng)
{
    uint64_t rank = pb_zipf_next(zipf, rng);
    if (!m->latest)
        return pb_perm_at(&w->perm, rank);
    if (rank < w->inserted)
        return inserted_id(w, w->inserted - 1 - rank);
    rank -= w->inserted;
    return w->bench->records - 1 - rank % w->bench->records;
}

static int scan_some(pb_worker *w, uint64_t id, uint64_t count)
{
    const pb_bench *b = w->bench;
    char key_buf[PB_KEY_MAX + 1], last[PB_KEY_MAX + 1];
    void *it;
    pb_row row;
    if (b->engine->iter_open(w->handle, &it) != PB_OK)
        return PB_ERROR;
    int rc = b->engine->iter_seek(it, pb_key_make(&b->keys, id, key_buf), &row);
    if (rc == PB_NOT_FOUND || (rc == PB_OK && pb_key_id(&b->keys, row.key) != id))
        rc = pb_wrong(w, id, "scan: does not begin at the key");
    for (uint64_t i = 0; rc == PB_OK; i++) {
        uint64_t at = pb_key_id(&b->keys, row.key);
        if (at == UINT64_MAX || (i > 0 && memcmp(row.key.data, last, b->keys.size) <= 0) ||
            !pb_value_check(&b->values, at, row.value, w->expect, b->options->verify_full)) {
            rc = pb_wrong(w, at, "scan: wrong row");
            break;
        }
        w->bytes += row.key.size + row.value.size;
        if (i + 1 >= count)
            break;
        memcpy(last, row.key.data, b->keys.size);
        rc = b->engine->iter_next(it, &row);
    }
    b->engine->iter_close(it);
    return rc == PB_NOT_FOUND ? PB_OK : rc;
}

static int ycsb_one(pb_worker *w, const mix *m, const pb_zipf *zipf)
{
    uint64_t dice = pb_rng_below(&w->rng, 100), id;
    if (dice < m->insert) {
        int rc = put_one(w, inserted_id(w, w->inserted));
        w->inserted++;
        return rc;
    }
    dice -= m->insert;
    id = choose(w, m, zipf, &w->rng);
    if (dice < m->read)
        return get_one(w, id);
    if (dice < m->read + m->update)
        return put_one(w, id);
    if (dice < m->read + m->update + m->scan)
        return scan_some(w, id, 1 + pb_rng_below(&w->rng, 100));
    int rc = get_one(w, id);
    return rc == PB_OK ? put_one(w, id) : rc;
}

static int ycsb(pb_worker *w)
{
    const mix *m = &mixes[w->workload->param];
    pb_zipf zipf;
    int rc = PB_OK;
    pb_zipf_init(&zipf, w->bench->records, 0.99);
    w->start_ns = pb_now_ns(); /* the sum above is not the engine's time */
    for (uint64_t i = w->begin; i < w->end && rc == PB_OK; i++) {
        uint64_t begun = pb_begin(w);
        rc = ycsb_one(w, m, &zipf);
        pb_end(w, begun);
        w->ops++;
    }
    return rc;
}

#define YCSB (PB_LOADED | PB_WRITES | PB_YCSB)

const pb_workload pb_mixed_workloads[] = {
    {"readwhilewriting", "--threads readers of random keys beside one unthrottled writer",
     PB_LOADED | PB_WRITES | PB_ONE_WRITER, 0, read_while_writing, NULL},
    {"ycsba", "50 % read, 50 % update, zipfian", YCSB, 'a', ycsb, NULL},
    {"ycsbb", "95 % read, 5 % update, zipfian", YCSB, 'b', ycsb, NULL},
    {"ycsbc", "read, zipfian", PB_LOADED | PB_YCSB, 'c', ycsb, NULL},
    {"ycsbd", "95 % read of the latest, 5 % insert", YCSB, 'd', ycsb, NULL},
    {"ycsbe", "95 % scan of 1 to 100 rows, 5 % insert, zipfian", YCSB, 'e', ycsb, NULL},
    {"ycsbf", "50 % read, 50 % read-modify-write, zipfian", YCSB, 'f', ycsb, NULL},
    {.name = NULL},
};
