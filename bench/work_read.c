/* SPDX-License-Identifier: MIT */
/*
 * work_read.c - gets, scans and seeks. Every result is checked: a get compares the whole value, a
 * scan knows the next key to the byte (or, with hashed keys, that it is ours and in order), and
 * checks each value's size, binding, generation and last bytes.
 */
#include "run.h"

#include <stdlib.h>

static int get_one(pb_worker *w, uint64_t id)
{
    const pb_bench *b = w->bench;
    char key_buf[PB_KEY_MAX + 1];
    pb_slice key = pb_key_make(&b->keys, id, key_buf), value;
    uint64_t begun = pb_begin(w);
    int rc = b->engine->get(w->handle, key, &value);
    pb_end(w, begun);
    if (rc == PB_NOT_FOUND)
        return pb_wrong(w, id, "get: not found");
    if (rc != PB_OK)
        return PB_ERROR;
    if (!pb_value_check(&b->values, id, value, w->expect, true))
        return pb_wrong(w, id, "get: wrong value");
    w->bytes += key.size + value.size;
    w->ops++;
    return PB_OK;
}

int pb_read_random(pb_worker *w)
{
    for (uint64_t i = w->begin; i < w->end; i++)
        if (get_one(w, pb_rng_below(&w->rng, w->bench->records)) != PB_OK)
            return PB_ERROR;
    return PB_OK;
}

static int read_hot(pb_worker *w)
{
    pb_zipf zipf;
    pb_zipf_init(&zipf, w->bench->records, 0.99);
    w->start_ns = pb_now_ns(); /* the sum above is not the engine's time */
    for (uint64_t i = w->begin; i < w->end; i++)
        if (get_one(w, pb_perm_at(&w->perm, pb_zipf_next(&zipf, &w->rng))) != PB_OK)
            return PB_ERROR;
    return PB_OK;
}

static int read_missing(pb_worker *w)
{
    const pb_bench *b = w->bench;
    char key_buf[PB_KEY_MAX + 1];
    for (uint64_t i = w->begin; i < w->end; i++) {
        uint64_t id = pb_rng_below(&w->rng, b->records);
        pb_slice key = pb_key_make_absent(&b->keys, id, key_buf), value;
        uint64_t begun = pb_begin(w);
        int rc = b->engine->get(w->handle, key, &value);
        pb_end(w, begun);
        if (rc != PB_NOT_FOUND)
            return rc == PB_OK ? pb_wrong(w, id, "get of an absent key: found") : PB_ERROR;
        w->ops++;
    }
    return PB_OK;
}

/* --- many keys ------------------------------------------------------------------------------ */

static int check_one(pb_worker *w, uint64_t id, size_t key_size, pb_slice value)
{
    if (!value.data)
        return pb_wrong(w, id, "get of many: not found");
    if (!pb_value_check(&w->bench->values, id, value, w->expect, true))
        return pb_wrong(w, id, "get of many: wrong value");
    w->bytes += key_size + value.size;
    w->ops++;
    return PB_OK;
}

/* Where the engine has no such call, its get for each key. */
static int get_each(pb_worker *w, const uint64_t *ids, const pb_slice *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pb_slice value = {NULL, 0};
        if (w->bench->engine->get(w->handle, keys[i], &value) == PB_ERROR ||
            check_one(w, ids[i], keys[i].size, value) != PB_OK)
            return PB_ERROR;
    }
    return PB_OK;
}

static int get_many(pb_worker *w, const uint64_t *ids, const pb_slice *keys, size_t count)
{
    pb_slice values[PB_MANY_MAX];
    if (!w->bench->engine->get_many)
        return get_each(w, ids, keys, count);
    if (w->bench->engine->get_many(w->handle, keys, count, values) != PB_OK)
        return PB_ERROR;
    for (size_t i = 0; i < count; i++)
        if (check_one(w, ids[i], keys[i].size, values[i]) != PB_OK)
            return PB_ERROR;
    return PB_OK;
}

static int read_many(pb_worker *w)
{
    const pb_bench *b = w->bench;
    char key_buf[PB_MANY_MAX][PB_KEY_MAX + 1];
    uint64_t ids[PB_MANY_MAX];
    pb_slice keys[PB_MANY_MAX];
    for (uint64_t i = w->begin; i < w->end;) {
        size_t count = 0;
        for (; count < w->workload->param && i < w->end; count++, i++) {
            ids[count] = pb_rng_below(&w->rng, b->records);
            keys[count] = pb_key_make(&b->keys, ids[count], key_buf[count]);
            pb_value_expect(&b->values, ids[count], w->expect);
        }
        uint64_t begun = pb_begin(w);
        if (get_many(w, ids, keys, count) != PB_OK)
            return PB_ERROR;
        pb_end(w, begun);
    }
    return PB_OK;
}

/* --- scans ---------------------------------------------------------------------------------- */

/* What the next row must be. With ordered keys the key itself is known, kept as two numbers that
 * are counted up or down: formatting each key would cost as much as the row. Hashed keys carry
 * their id and must follow the one before. */
typedef struct scan {
    const pb_bench *b;
    pb_expect expect;
    bool full, back, ordered, any;
    uint64_t next;            /* ordered: the id that must come */
    uint64_t high, low;       /* ordered: its key's first 16 bytes, big-endian */
    char key[PB_KEY_MAX + 1]; /* hashed: the row before, if any */
    uint64_t rows, bytes;
} scan;

static inline uint64_t load_be64(const char *at)
{
    uint64_t v;
    memcpy(&v, at, 8);
    return __builtin_bswap64(v);
}

static void scan_place(scan *s)
{
    pb_key_make(&s->b->keys, s->next, s->key);
    s->high = load_be64(s->key);
    s->low = load_be64(s->key + 8);
}

static void scan_begin(scan *s, const pb_worker *w, bool back, uint64_t first)
{
    *s = (scan){.b = w->bench,
                .expect = w->expect,
                .full = w->bench->options->verify_full,
                .back = back,
                .ordered = w->bench->keys.format != PB_KEY_HASHED,
                .next = first};
    if (s->ordered)
        scan_place(s);
}

static inline void scan_step(scan *s)
{
    uint64_t step = s->back ? UINT64_MAX : 1;
    s->next += step;
    if (s->b->keys.format == PB_KEY_BINARY) {
        s->high += step;
        return;
    }
    s->low += step;
    if ((s->low & 0xff) - '0' > 9)
        scan_place(s);
}

static bool hashed_row(scan *s, const pb_row *row, uint64_t *ret_id)
{
    size_t size = s->b->keys.size;
    int order = s->any ? memcmp(row->key.data, s->key, size) : s->back ? -1 : 1;
    *ret_id = pb_key_id(&s->b->keys, row->key);
    if (*ret_id == UINT64_MAX || (s->back ? order >= 0 : order <= 0))
        return false;
    memcpy(s->key, row->key.data, size);
    s->any = true;
    return true;
}

static inline bool scan_row(scan *s, const pb_row *row)
{
    size_t size = s->b->keys.size;
    uint64_t id = s->next;
    if (row->key.size != size)
        return false;
    if (!s->ordered) {
        if (!hashed_row(s, row, &id))
            return false;
    } else {
        if (load_be64(row->key.data) != s->high || load_be64(row->key.data + 8) != s->low)
            return false;
        if (size > PB_KEY_MIN &&
            memcmp(row->key.data + PB_KEY_MIN, s->key + PB_KEY_MIN, size - PB_KEY_MIN) != 0)
            return false;
    }
    if (!pb_value_check(&s->b->values, id, row->value, s->expect, s->full))
        return false;
    if (s->ordered)
        scan_step(s);
    s->rows++;
    s->bytes += size + row->value.size;
    return true;
}

static void scan_end(const scan *s, pb_worker *w)
{
    w->ops += s->rows;
    w->bytes += s->bytes;
}

/* Places the iterator on this worker's part; a part begins in the middle only with ordered keys. */
static int place(pb_worker *w, void *it, bool back, pb_row *ret_row)
{
    const pb_engine *e = w->bench->engine;
    char key_buf[PB_KEY_MAX + 1];
    uint64_t first = back ? w->bench->records - 1 - w->begin : w->begin;
    if (w->begin == 0 || w->bench->keys.format == PB_KEY_HASHED)
        return back ? e->iter_last(it, ret_row) : e->iter_first(it, ret_row);
    return e->iter_seek(it, pb_key_make(&w->bench->keys, first, key_buf), ret_row);
}

static int scan_rows(pb_worker *w, void *it, bool back)
{
    const pb_engine *e = w->bench->engine;
    uint64_t left = w->end - w->begin;
    scan s;
    pb_row row;
    scan_begin(&s, w, back, back ? w->bench->records - 1 - w->begin : w->begin);
    int rc = place(w, it, back, &row);
    for (; rc == PB_OK && left > 0; left--) {
        if (!scan_row(&s, &row))
            return pb_wrong(w, s.next, "scan: wrong row");
        if (left > 1)
            rc = back ? e->iter_prev(it, &row) : e->iter_next(it, &row);
    }
    if (rc == PB_NOT_FOUND)
        return pb_wrong(w, s.next, "scan: ended too early");
    scan_end(&s, w);
    return rc;
}

static int read_scan(pb_worker *w)
{
    const pb_engine *e = w->bench->engine;
    void *it;
    if (e->iter_open(w->handle, &it) != PB_OK)
        return PB_ERROR;
    int rc = scan_rows(w, it, w->workload->param != 0);
    e->iter_close(it);
    return rc;
}

#define FILL_ROWS 256

static int fill_rows(pb_worker *w, void *it, bool back)
{
    const pb_engine *e = w->bench->engine;
    uint64_t left = w->end - w->begin;
    pb_row rows[FILL_ROWS];
    size_t count = 0;
    scan s;
    scan_begin(&s, w, back, back ? w->bench->records - 1 - w->begin : w->begin);
    int rc = w->begin == 0 ? PB_OK : place(w, it, back, rows);
    while (rc == PB_OK && left > 0) {
        rc = e->iter_fill(it, back, rows, left < FILL_ROWS ? left : FILL_ROWS, &count);
        for (size_t i = 0; rc == PB_OK && i < count; i++) {
            if (!scan_row(&s, &rows[i]))
                return pb_wrong(w, s.next, "batch scan: wrong row");
        }
        left -= rc == PB_OK ? count : 0;
    }
    if (rc == PB_NOT_FOUND)
        return pb_wrong(w, s.next, "batch scan: ended too early");
    scan_end(&s, w);
    return rc;
}

static int read_fill(pb_worker *w)
{
    const pb_engine *e = w->bench->engine;
    void *it;
    if (e->iter_open(w->handle, &it) != PB_OK)
        return PB_ERROR;
    int rc = fill_rows(w, it, w->workload->param != 0);
    e->iter_close(it);
    return rc;
}

/* --- seeks ---------------------------------------------------------------------------------- */

/* Rows from a present key on: the row of the key, then nexts until param more, or the end. */
static int seek_one(pb_worker *w, void *it, uint64_t id)
{
    const pb_engine *e = w->bench->engine;
    char key_buf[PB_KEY_MAX + 1];
    pb_row row;
    scan s;
    scan_begin(&s, w, false, id);
    int rc = e->iter_seek(it, pb_key_make(&w->bench->keys, id, key_buf), &row);
    for (uint64_t left = w->workload->param; rc == PB_OK; left--) {
        if (!scan_row(&s, &row))
            return pb_wrong(w, s.next, "seek: wrong row");
        if (left == 0)
            break;
        rc = e->iter_next(it, &row);
    }
    if (rc == PB_NOT_FOUND && s.ordered && s.next != w->bench->records)
        return pb_wrong(w, s.next, "seek: ended too early");
    w->bytes += s.bytes;
    return rc == PB_NOT_FOUND ? PB_OK : rc;
}

static int seek_fill_one(pb_worker *w, void *it, uint64_t id)
{
    const pb_engine *e = w->bench->engine;
    char key_buf[PB_KEY_MAX + 1];
    pb_row rows[FILL_ROWS];
    size_t left = w->workload->param + 1, count = 0;
    scan s;
    scan_begin(&s, w, false, id);
    int rc = e->iter_fill_seek(it, pb_key_make(&w->bench->keys, id, key_buf));
    for (; rc == PB_OK && left > 0; left -= count) {
        rc = e->iter_fill(it, false, rows, left, &count);
        for (size_t i = 0; i < count; i++) {
            if (!scan_row(&s, &rows[i]))
                return pb_wrong(w, s.next, "seek and fill: wrong row");
        }
    }
    if (rc == PB_NOT_FOUND && s.ordered && s.next != w->bench->records)
        return pb_wrong(w, s.next, "seek and fill: ended too early");
    w->bytes += s.bytes;
    return rc == PB_NOT_FOUND ? PB_OK : rc;
}

static inline int seek_loop(pb_worker *w, int (*one)(pb_worker *w, void *it, uint64_t id))
{
    const pb_engine *e = w->bench->engine;
    bool fresh = w->bench->options->fresh_iter;
    void *it = NULL;
    int rc = PB_OK;
    for (uint64_t i = w->begin; i < w->end && rc == PB_OK; i++) {
        uint64_t id = pb_rng_below(&w->rng, w->bench->records), begun = pb_begin(w);
        if (!it)
            rc = e->iter_open(w->handle, &it);
        if (rc == PB_OK)
            rc = one(w, it, id);
        if (fresh && it) {
            e->iter_close(it);
            it = NULL;
        }
        pb_end(w, begun);
        w->ops++;
    }
    if (it)
        e->iter_close(it);
    return rc;
}

static int seek_random(pb_worker *w)
{
    return seek_loop(w, seek_one);
}

static int seek_fill(pb_worker *w)
{
    return seek_loop(w, seek_fill_one);
}

#define SCAN (PB_LOADED | PB_NO_LATENCY)

const pb_workload pb_read_workloads[] = {
    {"readrandom", "get present keys, uniform", PB_LOADED, 0, pb_read_random, NULL},
    {"readmissing", "get absent keys between present ones", PB_LOADED, 0, read_missing, NULL},
    {"readhot", "get present keys, zipfian .99", PB_LOADED, 0, read_hot, NULL},
    {"readmany1", "get 1 key per call of the call for many", PB_LOADED, 1, read_many, NULL},
    {"readmany8", "8 keys, uniform, per call", PB_LOADED, 8, read_many, NULL},
    {"readmany64", "64", PB_LOADED, 64, read_many, NULL},
    {"readmany100", "100", PB_LOADED, 100, read_many, NULL},
    {"readmany256", "256", PB_LOADED, PB_MANY_MAX, read_many, NULL},
    {"readseq", "iterate over all, forward", SCAN, 0, read_scan, NULL},
    {"readreverse", "iterate over all, backward", SCAN, 1, read_scan, NULL},
    {"readseqbatch", "the same, many rows per call", SCAN | PB_NEEDS_FILL, 0, read_fill, NULL},
    {"readreversebatch", "backward", SCAN | PB_NEEDS_FILL, 1, read_fill, NULL},
    {"seekrandom10", "seek to a present key and 10 nexts", PB_LOADED, 10, seek_random, NULL},
    {"seekrandom100", "seek to a present key and 100 nexts", PB_LOADED, 100, seek_random, NULL},
    {"seekfill10", "the same with one batch call", PB_LOADED | PB_NEEDS_FILL, 10, seek_fill, NULL},
    {"seekfill100", "the same with one batch call", PB_LOADED | PB_NEEDS_FILL, 100, seek_fill,
     NULL},
    {.name = NULL},
};
