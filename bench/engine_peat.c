/* SPDX-License-Identifier: MIT */
/*
 * engine_peat.c - Peat, through its public header only.
 *
 * All options at their defaults except the memory and the codec. Without sync a put is in the log
 * file when it returns (a killed process loses nothing) and the store syncs by itself every
 * 100 ms, which the peers do not do.
 */
#include "engine.h"

#include <peat_env.h>
#include <peat_queue.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(pb_row) == sizeof(peat_row) &&
                   offsetof(pb_row, key.data) == offsetof(peat_row, key.data) &&
                   offsetof(pb_row, key.size) == offsetof(peat_row, key.size) &&
                   offsetof(pb_row, value.data) == offsetof(peat_row, value.data) &&
                   offsetof(pb_row, value.size) == offsetof(peat_row, value.size),
               "peat_iter_fill writes rows of the benchmark in place");

typedef struct pe_store {
    peat_db *db;
    peat_write_options write_options;
    bool pinned;
} pe_store;

typedef struct pe_handle {
    pe_store *store;
    peat_batch *batch;
    peat_buf value;     /* of the last get */
    peat_pinned pinned; /* the same with settings.pinned */
    peat_buf many[PB_MANY_MAX];
    peat_pinned many_pinned[PB_MANY_MAX];
    size_t many_count; /* pinned now */
} pe_handle;

static int fail(pe_store *store, const char *what, peat_rc rc)
{
    peat_error cause;
    if (store && peat_db_error(store->db, &cause) < 0 && cause.message[0])
        return pb_engine_fail("peat", what, cause.message);
    return pb_engine_fail("peat", what, peat_rc_text(rc));
}

static void pe_describe(const pb_settings *s, char *buf, size_t buf_size)
{
    snprintf(buf, buf_size, "Peat %s, %smemory %llu MiB, %s, compression %s, %s", peat_version(),
             s->defaults ? "no options: " : "", (unsigned long long)(s->memory_bytes >> 20),
             s->sync ? "every write synced" : "log in the system per put, synced every 100 ms",
             s->compression, s->pinned ? "get_pinned" : "get copies into a reused buffer");
}

static peat_compression compression_of(const char *name)
{
    if (strcmp(name, "lz4") == 0)
        return PEAT_COMPRESSION_LZ4;
    return strcmp(name, "zstd") == 0 ? PEAT_COMPRESSION_ZSTD : PEAT_COMPRESSION_NONE;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* As peat.h says of memory_bytes. */
uint64_t pb_peat_defaults_mib(void)
{
    const peat_env *env = peat_env_default();
    uint64_t limit = env->memory_limit(env->ctx);
    uint64_t bytes = least(limit / 8, PEAT_MEMORY_BYTES_DEFAULT_MAX);
    if (bytes < PEAT_MEMORY_BYTES_DEFAULT_MIN)
        bytes = least(limit / 4, PEAT_MEMORY_BYTES_DEFAULT_MIN);
    return (limit != 0 ? bytes : PEAT_MEMORY_BYTES_DEFAULT) >> 20;
}

/* The peers are given what the store has taken. */
static int check_defaults(const pb_settings *s, peat_db *db)
{
    peat_statistics stats = {.size = sizeof stats};
    if (!s->defaults || (peat_stats(db, &stats) == PEAT_OK &&
                         stats.memory_budget_bytes >> 20 == s->memory_bytes >> 20))
        return PB_OK;
    return pb_engine_fail("peat", "open", "--defaults gives the peers another budget");
}

static int pe_open(const pb_settings *s, bool create, void **ret_store)
{
    peat_options options = {.size = sizeof options,
                            .memory_bytes = s->memory_bytes,
                            .compression = compression_of(s->compression),
                            .create = create ? PEAT_CREATE_IF_MISSING : PEAT_CREATE_NEVER};
    peat_error error;
    if (strcmp(s->compression, "snappy") == 0)
        return pb_engine_fail("peat", "open", "there is no snappy; use lz4, zstd or none");
    pe_store *store = calloc(1, sizeof *store);
    if (!store)
        return pb_engine_fail("peat", "open", "no memory");
    store->write_options =
        (peat_write_options){.size = sizeof(peat_write_options), .sync = s->sync};
    store->pinned = s->pinned;
    if (peat_open(s->dir, s->defaults ? NULL : &options, &store->db, &error) != PEAT_OK) {
        free(store);
        return pb_engine_fail("peat", "open", error.message);
    }
    *ret_store = store;
    return check_defaults(s, store->db);
}

static int pe_close(void *s)
{
    pe_store *store = s;
    peat_rc rc = peat_close(store->db);
    free(store);
    return rc == PEAT_OK ? PB_OK : fail(NULL, "close", rc);
}

static int pe_handle_open(void *s, void **ret_handle)
{
    pe_handle *h = calloc(1, sizeof *h);
    if (!h || peat_batch_new(&h->batch) != PEAT_OK) {
        free(h);
        return pb_engine_fail("peat", "handle", "no memory");
    }
    h->store = s;
    *ret_handle = h;
    return PB_OK;
}

static void unpin_many(pe_handle *h)
{
    for (size_t i = 0; i < h->many_count; i++)
        peat_unpin(&h->many_pinned[i]);
    h->many_count = 0;
}

static void pe_handle_close(void *handle)
{
    pe_handle *h = handle;
    peat_unpin(&h->pinned);
    unpin_many(h);
    for (size_t i = 0; i < PB_MANY_MAX; i++)
        peat_buf_free(&h->many[i]);
    peat_buf_free(&h->value);
    peat_batch_free(h->batch);
    free(h);
}

static peat_slice slice(pb_slice s)
{
    return peat_bytes(s.data, s.size);
}

static int pe_put(void *handle, pb_slice key, pb_slice value)
{
    pe_store *s = ((pe_handle *)handle)->store;
    peat_rc rc = peat_put(s->db, &s->write_options, slice(key), slice(value));
    return rc == PEAT_OK ? PB_OK : fail(s, "put", rc);
}

static int pe_del(void *handle, pb_slice key)
{
    pe_store *s = ((pe_handle *)handle)->store;
    peat_rc rc = peat_delete(s->db, &s->write_options, slice(key));
    return rc == PEAT_OK ? PB_OK : fail(s, "delete", rc);
}

static int pe_write(void *handle, const pb_row *rows, size_t count)
{
    pe_handle *h = handle;
    peat_rc rc = PEAT_OK;
    peat_batch_clear(h->batch);
    for (size_t i = 0; i < count && rc == PEAT_OK; i++)
        rc = peat_batch_put(h->batch, slice(rows[i].key), slice(rows[i].value));
    if (rc == PEAT_OK)
        rc = peat_write(h->store->db, &h->store->write_options, h->batch);
    return rc == PEAT_OK ? PB_OK : fail(h->store, "batch", rc);
}

static int pe_get(void *handle, pb_slice key, pb_slice *ret_value)
{
    pe_handle *h = handle;
    peat_rc rc;
    if (h->store->pinned) {
        peat_unpin(&h->pinned);
        rc = peat_get_pinned(h->store->db, NULL, slice(key), &h->pinned);
        *ret_value = (pb_slice){h->pinned.data, h->pinned.size};
    } else {
        rc = peat_get(h->store->db, NULL, slice(key), &h->value);
        *ret_value = (pb_slice){h->value.data, h->value.size};
    }
    if (rc == PEAT_NOT_FOUND)
        return PB_NOT_FOUND;
    return rc == PEAT_OK ? PB_OK : fail(h->store, "get", rc);
}

static int pe_get_many(void *handle, const pb_slice *keys, size_t count, pb_slice *ret_values)
{
    pe_handle *h = handle;
    peat_slice slices[PB_MANY_MAX];
    peat_rc rcs[PB_MANY_MAX], rc;
    bool pinned = h->store->pinned;
    for (size_t i = 0; i < count; i++)
        slices[i] = slice(keys[i]);
    unpin_many(h);
    h->many_count = pinned ? count : 0;
    rc = pinned ? peat_multi_get_pinned(h->store->db, NULL, count, slices, h->many_pinned, rcs)
                : peat_multi_get(h->store->db, NULL, count, slices, h->many, rcs);
    if (rc != PEAT_OK)
        return fail(h->store, "multi-get", rc);
    for (size_t i = 0; i < count; i++) {
        if (rcs[i] < 0)
            return fail(h->store, "multi-get of a key", rcs[i]);
        ret_values[i] = pinned ? (pb_slice){h->many_pinned[i].data, h->many_pinned[i].size}
                               : (pb_slice){h->many[i].data, h->many[i].size};
        if (rcs[i] == PEAT_NOT_FOUND)
            ret_values[i].data = NULL;
    }
    return PB_OK;
}

static int pe_iter_open(void *handle, void **ret_iter)
{
    pe_store *s = ((pe_handle *)handle)->store;
    peat_iter *it = NULL;
    peat_rc rc = peat_iter_open(s->db, NULL, &it);
    if (rc != PEAT_OK)
        return fail(s, "iterator", rc);
    *ret_iter = it;
    return PB_OK;
}

static int row_of(peat_iter *it, peat_rc rc, pb_row *ret_row)
{
    if (rc == PEAT_END)
        return PB_NOT_FOUND;
    if (rc != PEAT_OK)
        return fail(NULL, "iterate", rc);
    peat_slice key = peat_iter_key(it), value = peat_iter_value(it);
    ret_row->key = (pb_slice){key.data, key.size};
    ret_row->value = (pb_slice){value.data, value.size};
    return PB_OK;
}

static int pe_iter_first(void *iter, pb_row *ret_row)
{
    return row_of(iter, peat_iter_first(iter), ret_row);
}

static int pe_iter_last(void *iter, pb_row *ret_row)
{
    return row_of(iter, peat_iter_last(iter), ret_row);
}

static int pe_iter_seek(void *iter, pb_slice key, pb_row *ret_row)
{
    return row_of(iter, peat_iter_seek(iter, slice(key)), ret_row);
}

static int pe_iter_next(void *iter, pb_row *ret_row)
{
    return row_of(iter, peat_iter_next(iter), ret_row);
}

static int pe_iter_prev(void *iter, pb_row *ret_row)
{
    return row_of(iter, peat_iter_prev(iter), ret_row);
}

static int pe_iter_fill(void *iter, bool back, pb_row *rows, size_t rows_max, size_t *ret_count)
{
    peat_row *out = (peat_row *)(void *)rows;
    peat_rc rc = back ? peat_iter_fill_back(iter, out, rows_max, ret_count)
                      : peat_iter_fill(iter, out, rows_max, ret_count);
    if (rc == PEAT_END)
        return PB_NOT_FOUND;
    return rc == PEAT_OK ? PB_OK : fail(NULL, "fill", rc);
}

static int pe_iter_fill_seek(void *iter, pb_slice key)
{
    peat_rc rc = peat_iter_seek(iter, slice(key));
    if (rc == PEAT_END)
        return PB_NOT_FOUND;
    return rc == PEAT_OK ? PB_OK : fail(NULL, "seek", rc);
}

static void pe_iter_close(void *iter)
{
    peat_iter_close(iter);
}

static int pe_sync(void *s)
{
    peat_rc rc = peat_sync(((pe_store *)s)->db);
    return rc == PEAT_OK ? PB_OK : fail(s, "sync", rc);
}

/* --- a queue -------------------------------------------------------------------------------- */

typedef struct pe_queue {
    pe_store *store;
    peat_queue *queue;
    peat_completion done[PB_MANY_MAX];
} pe_queue;

/* Twice as deep: what a poll has given out keeps its place until the next one. */
static int pe_queue_open(void *handle, size_t depth, void **ret_queue)
{
    peat_queue_options options = {.size = sizeof options, .depth = 2 * depth};
    pe_queue *q = calloc(1, sizeof *q);
    if (!q)
        return pb_engine_fail("peat", "queue", "no memory");
    q->store = ((pe_handle *)handle)->store;
    peat_rc rc = peat_queue_open(q->store->db, &options, &q->queue);
    if (rc != PEAT_OK) {
        int failed = fail(q->store, "queue", rc);
        free(q);
        return failed;
    }
    *ret_queue = q;
    return PB_OK;
}

static int pe_queue_get(void *queue, pb_slice key, uint64_t tag)
{
    pe_queue *q = queue;
    peat_rc rc = peat_queue_get(q->queue, NULL, NULL, slice(key), tag);
    return rc == PEAT_OK ? PB_OK : fail(q->store, "get by a queue", rc);
}

static int pe_queue_put(void *queue, pb_slice key, pb_slice value, uint64_t tag)
{
    pe_queue *q = queue;
    peat_rc rc =
        peat_queue_put(q->queue, NULL, &q->store->write_options, slice(key), slice(value), tag);
    return rc == PEAT_OK ? PB_OK : fail(q->store, "put by a queue", rc);
}

static int pe_queue_poll(void *queue, pb_done *ret_done, size_t done_max, size_t *ret_count)
{
    pe_queue *q = queue;
    size_t n = done_max < PB_MANY_MAX ? done_max : PB_MANY_MAX;
    peat_rc rc = peat_queue_poll(q->queue, q->done, n, PEAT_QUEUE_WAIT, ret_count);
    if (rc != PEAT_OK)
        return fail(q->store, "poll", rc);
    for (size_t i = 0; i < *ret_count; i++) {
        const peat_completion *d = &q->done[i];
        if (d->rc < 0)
            return fail(q->store, "an operation of a queue", d->rc);
        ret_done[i] = (pb_done){d->tag, {(const char *)d->value.data, d->value.size}};
    }
    return PB_OK;
}

static void pe_queue_close(void *queue)
{
    pe_queue *q = queue;
    peat_queue_close(q->queue);
    free(q);
}

static int pe_settle(void *s)
{
    peat_rc rc = peat_settle(((pe_store *)s)->db, PEAT_WAIT_FOREVER);
    return rc == PEAT_OK ? PB_OK : fail(s, "settle", rc);
}

static int pe_compact(void *s)
{
    pe_store *store = s;
    peat_rc rc = peat_compact(store->db, peat_unbounded(), peat_unbounded(), NULL);
    return rc == PEAT_OK ? PB_OK : fail(s, "compact", rc);
}

const pb_engine pb_engine_peat = {
    .name = "peat",
    .describe = pe_describe,
    .open = pe_open,
    .close = pe_close,
    .handle_open = pe_handle_open,
    .handle_close = pe_handle_close,
    .put = pe_put,
    .del = pe_del,
    .write = pe_write,
    .get = pe_get,
    .get_many = pe_get_many,
    .iter_open = pe_iter_open,
    .iter_first = pe_iter_first,
    .iter_last = pe_iter_last,
    .iter_seek = pe_iter_seek,
    .iter_next = pe_iter_next,
    .iter_prev = pe_iter_prev,
    .iter_fill = pe_iter_fill,
    .iter_fill_seek = pe_iter_fill_seek,
    .iter_close = pe_iter_close,
    .queue_open = pe_queue_open,
    .queue_get = pe_queue_get,
    .queue_put = pe_queue_put,
    .queue_poll = pe_queue_poll,
    .queue_close = pe_queue_close,
    .sync = pe_sync,
    .settle = pe_settle,
    .compact = pe_compact,
};
