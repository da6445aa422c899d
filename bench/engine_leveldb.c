/* SPDX-License-Identifier: MIT */
/*
 * engine_leveldb.c - LevelDB through its C interface.
 *
 * Two write buffers of 64 MiB (one filling, one flushing), the rest of the memory as block cache,
 * Bloom filters of 10 bits, enough open files that tables stay open. LZ4 does not exist here:
 * compression is snappy or none. There is no call that waits for the background thread, so
 * settling compacts nothing and waits until the process is quiet.
 */
#include "engine.h"
#include "proc.h"

#include <leveldb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef BENCH_LEVELDB_NOTE
#define BENCH_LEVELDB_NOTE "build unknown"
#endif

typedef struct lv_store {
    leveldb_t *db;
    leveldb_options_t *options;
    leveldb_cache_t *cache;
    leveldb_filterpolicy_t *filter;
    leveldb_writeoptions_t *write_options;
    leveldb_readoptions_t *read_options;
} lv_store;

typedef struct lv_handle {
    lv_store *store;
    leveldb_writebatch_t *batch;
    char *value; /* of the last get */
} lv_handle;

static int check(char *err, const char *what)
{
    if (!err)
        return PB_OK;
    pb_engine_fail("leveldb", what, err);
    leveldb_free(err);
    return PB_ERROR;
}

static size_t write_buffer(const pb_settings *s)
{
    size_t most = (size_t)64 << 20;
    return s->memory_bytes / 8 < most ? s->memory_bytes / 8 : most;
}

static bool compressed(const pb_settings *s)
{
    return strcmp(s->compression, "none") != 0;
}

static void lv_describe(const pb_settings *s, char *buf, size_t buf_size)
{
    snprintf(buf, buf_size,
             "LevelDB %d.%d (%s), block cache %zu MiB, write buffer %zu MiB (two), bloom 10 bits, "
             "max_open_files 50000, log %s, compression %s",
             leveldb_major_version(), leveldb_minor_version(), BENCH_LEVELDB_NOTE,
             (s->memory_bytes - 2 * write_buffer(s)) >> 20, write_buffer(s) >> 20,
             s->sync ? "synced" : "written per put", compressed(s) ? "snappy" : "none");
}

static int lv_close(void *s)
{
    lv_store *store = s;
    if (store->db)
        leveldb_close(store->db);
    leveldb_readoptions_destroy(store->read_options);
    leveldb_writeoptions_destroy(store->write_options);
    leveldb_options_destroy(store->options);
    leveldb_filterpolicy_destroy(store->filter);
    leveldb_cache_destroy(store->cache);
    free(store);
    return PB_OK;
}

static int lv_open(const pb_settings *s, bool create, void **ret_store)
{
    char *err = NULL;
    lv_store *store = calloc(1, sizeof *store);
    if (!store)
        return pb_engine_fail("leveldb", "open", "no memory");
    store->cache = leveldb_cache_create_lru(s->memory_bytes - 2 * write_buffer(s));
    store->filter = leveldb_filterpolicy_create_bloom(10);
    store->options = leveldb_options_create();
    leveldb_options_set_create_if_missing(store->options, create);
    leveldb_options_set_cache(store->options, store->cache);
    leveldb_options_set_filter_policy(store->options, store->filter);
    leveldb_options_set_write_buffer_size(store->options, write_buffer(s));
    leveldb_options_set_max_open_files(store->options, 50000);
    leveldb_options_set_compression(store->options, compressed(s) ? leveldb_snappy_compression
                                                                  : leveldb_no_compression);
    store->write_options = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(store->write_options, s->sync);
    store->read_options = leveldb_readoptions_create();
    store->db = leveldb_open(store->options, s->dir, &err);
    if (err) {
        lv_close(store);
        return check(err, "open");
    }
    *ret_store = store;
    return PB_OK;
}

static int lv_handle_open(void *s, void **ret_handle)
{
    lv_handle *h = calloc(1, sizeof *h);
    if (!h)
        return pb_engine_fail("leveldb", "handle", "no memory");
    h->store = s;
    h->batch = leveldb_writebatch_create();
    *ret_handle = h;
    return PB_OK;
}

static void lv_handle_close(void *handle)
{
    lv_handle *h = handle;
    leveldb_free(h->value);
    leveldb_writebatch_destroy(h->batch);
    free(h);
}

static int lv_put(void *handle, pb_slice key, pb_slice value)
{
    lv_store *s = ((lv_handle *)handle)->store;
    char *err = NULL;
    leveldb_put(s->db, s->write_options, key.data, key.size, value.data, value.size, &err);
    return check(err, "put");
}

static int lv_del(void *handle, pb_slice key)
{
    lv_store *s = ((lv_handle *)handle)->store;
    char *err = NULL;
    leveldb_delete(s->db, s->write_options, key.data, key.size, &err);
    return check(err, "delete");
}

static int lv_write(void *handle, const pb_row *rows, size_t count)
{
    lv_handle *h = handle;
    char *err = NULL;
    leveldb_writebatch_clear(h->batch);
    for (size_t i = 0; i < count; i++)
        leveldb_writebatch_put(h->batch, rows[i].key.data, rows[i].key.size, rows[i].value.data,
                               rows[i].value.size);
    leveldb_write(h->store->db, h->store->write_options, h->batch, &err);
    return check(err, "batch");
}

static int lv_get(void *handle, pb_slice key, pb_slice *ret_value)
{
    lv_handle *h = handle;
    char *err = NULL;
    leveldb_free(h->value);
    h->value = leveldb_get(h->store->db, h->store->read_options, key.data, key.size,
                           &ret_value->size, &err);
    ret_value->data = h->value;
    if (err)
        return check(err, "get");
    return h->value ? PB_OK : PB_NOT_FOUND;
}

static int lv_iter_open(void *handle, void **ret_iter)
{
    lv_store *s = ((lv_handle *)handle)->store;
    *ret_iter = leveldb_create_iterator(s->db, s->read_options);
    return PB_OK;
}

static int row_of(leveldb_iterator_t *it, pb_row *ret_row)
{
    char *err = NULL;
    if (leveldb_iter_valid(it)) {
        ret_row->key.data = leveldb_iter_key(it, &ret_row->key.size);
        ret_row->value.data = leveldb_iter_value(it, &ret_row->value.size);
        return PB_OK;
    }
    leveldb_iter_get_error(it, &err);
    return err ? check(err, "iterate") : PB_NOT_FOUND;
}

static int lv_iter_first(void *iter, pb_row *ret_row)
{
    leveldb_iter_seek_to_first(iter);
    return row_of(iter, ret_row);
}

static int lv_iter_last(void *iter, pb_row *ret_row)
{
    leveldb_iter_seek_to_last(iter);
    return row_of(iter, ret_row);
}

static int lv_iter_seek(void *iter, pb_slice key, pb_row *ret_row)
{
    leveldb_iter_seek(iter, key.data, key.size);
    return row_of(iter, ret_row);
}

static int lv_iter_next(void *iter, pb_row *ret_row)
{
    leveldb_iter_next(iter);
    return row_of(iter, ret_row);
}

static int lv_iter_prev(void *iter, pb_row *ret_row)
{
    leveldb_iter_prev(iter);
    return row_of(iter, ret_row);
}

static void lv_iter_close(void *iter)
{
    leveldb_iter_destroy(iter);
}

/* A synced empty batch syncs the log up to here. */
static int lv_sync(void *s)
{
    lv_store *store = s;
    char *err = NULL;
    leveldb_writeoptions_t *o = leveldb_writeoptions_create();
    leveldb_writebatch_t *empty = leveldb_writebatch_create();
    leveldb_writeoptions_set_sync(o, 1);
    leveldb_write(store->db, o, empty, &err);
    leveldb_writebatch_destroy(empty);
    leveldb_writeoptions_destroy(o);
    return check(err, "sync");
}

static int lv_settle(void *s)
{
    (void)s;
    if (!pb_wait_quiet(200, 600))
        return pb_engine_fail("leveldb", "settle", "still busy after 600 s");
    return PB_OK;
}

static int lv_compact(void *s)
{
    leveldb_compact_range(((lv_store *)s)->db, NULL, 0, NULL, 0);
    return lv_settle(s);
}

const pb_engine pb_engine_leveldb = {
    .name = "leveldb",
    .describe = lv_describe,
    .open = lv_open,
    .close = lv_close,
    .handle_open = lv_handle_open,
    .handle_close = lv_handle_close,
    .put = lv_put,
    .del = lv_del,
    .write = lv_write,
    .get = lv_get,
    .iter_open = lv_iter_open,
    .iter_first = lv_iter_first,
    .iter_last = lv_iter_last,
    .iter_seek = lv_iter_seek,
    .iter_next = lv_iter_next,
    .iter_prev = lv_iter_prev,
    .iter_close = lv_iter_close,
    .sync = lv_sync,
    .settle = lv_settle,
    .compact = lv_compact,
};
