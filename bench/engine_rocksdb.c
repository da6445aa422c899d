/* SPDX-License-Identifier: MIT */
/*
 * engine_rocksdb.c - RocksDB through its C interface.
 *
 * Settings follow the project's basic tuning page: Bloom filters of 10 bits, index and filters in
 * the block cache, level_compaction_dynamic_level_bytes, bytes_per_sync 1 MiB, one background
 * job per core. A quarter of the memory goes to four write buffers, the rest to the block cache.
 * The log is written at every put (a killed process loses nothing).
 */
#include "engine.h"

#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef BENCH_ROCKSDB_NOTE
#define BENCH_ROCKSDB_NOTE "build unknown"
#endif

#define WRITE_BUFFERS 4

typedef struct rk_store {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_cache_t *cache;
    rocksdb_writeoptions_t *write_options;
    rocksdb_readoptions_t *read_options;
} rk_store;

typedef struct rk_handle {
    rk_store *store;
    rocksdb_writebatch_t *batch;
    rocksdb_pinnableslice_t *pinned; /* of the last get */
    char *many[PB_MANY_MAX];         /* of the last get of many */
} rk_handle;

static int check(char *err, const char *what)
{
    if (!err)
        return PB_OK;
    pb_engine_fail("rocksdb", what, err);
    rocksdb_free(err);
    return PB_ERROR;
}

static void rk_describe(const pb_settings *s, char *buf, size_t buf_size)
{
    snprintf(buf, buf_size,
             "RocksDB (%s), block cache %llu MiB, %d write buffers of %llu MiB, bloom 10 bits, "
             "block %llu B, index and filters cached, L0 pinned, dynamic level bytes, "
             "bytes_per_sync 1 MiB, jobs %ld, WAL %s, compression %s, get_pinned",
             BENCH_ROCKSDB_NOTE, (unsigned long long)(s->memory_bytes / 4 * 3 >> 20), WRITE_BUFFERS,
             (unsigned long long)(s->memory_bytes / 4 / WRITE_BUFFERS >> 20),
             (unsigned long long)s->rocksdb_block, sysconf(_SC_NPROCESSORS_ONLN),
             s->sync ? "synced" : "written per put", s->compression);
}

static int compression_of(const char *name)
{
    if (strcmp(name, "lz4") == 0)
        return rocksdb_lz4_compression;
    if (strcmp(name, "zstd") == 0)
        return rocksdb_zstd_compression;
    if (strcmp(name, "snappy") == 0)
        return rocksdb_snappy_compression;
    return rocksdb_no_compression;
}

static rocksdb_options_t *make_options(const pb_settings *s, rocksdb_cache_t *cache)
{
    rocksdb_options_t *o = rocksdb_options_create();
    rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(t, cache);
    rocksdb_block_based_options_set_block_size(t, s->rocksdb_block);
    rocksdb_block_based_options_set_filter_policy(t, rocksdb_filterpolicy_create_bloom_full(10));
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(t, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(t, 1);
    rocksdb_block_based_options_set_format_version(t, 5);
    rocksdb_options_set_block_based_table_factory(o, t);
    rocksdb_block_based_options_destroy(t);

    rocksdb_options_set_write_buffer_size(o, s->memory_bytes / 4 / WRITE_BUFFERS);
    rocksdb_options_set_max_write_buffer_number(o, WRITE_BUFFERS);
    rocksdb_options_set_max_background_jobs(o, (int)sysconf(_SC_NPROCESSORS_ONLN));
    rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1);
    rocksdb_options_set_bytes_per_sync(o, 1 << 20);
    rocksdb_options_set_compression(o, compression_of(s->compression));
    return o;
}

static int rk_close(void *s)
{
    rk_store *store = s;
    if (store->db)
        rocksdb_close(store->db);
    rocksdb_readoptions_destroy(store->read_options);
    rocksdb_writeoptions_destroy(store->write_options);
    rocksdb_options_destroy(store->options);
    rocksdb_cache_destroy(store->cache);
    free(store);
    return PB_OK;
}

static int rk_open(const pb_settings *s, bool create, void **ret_store)
{
    char *err = NULL;
    rk_store *store = calloc(1, sizeof *store);
    if (!store)
        return pb_engine_fail("rocksdb", "open", "no memory");
    store->cache = rocksdb_cache_create_lru(s->memory_bytes / 4 * 3);
    store->options = make_options(s, store->cache);
    rocksdb_options_set_create_if_missing(store->options, create);
    store->write_options = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(store->write_options, s->sync);
    store->read_options = rocksdb_readoptions_create();
    store->db = rocksdb_open(store->options, s->dir, &err);
    if (err) {
        rk_close(store);
        return check(err, "open");
    }
    *ret_store = store;
    return PB_OK;
}

static int rk_handle_open(void *s, void **ret_handle)
{
    rk_handle *h = calloc(1, sizeof *h);
    if (!h)
        return pb_engine_fail("rocksdb", "handle", "no memory");
    h->store = s;
    h->batch = rocksdb_writebatch_create();
    *ret_handle = h;
    return PB_OK;
}

static void unpin(rk_handle *h)
{
    if (h->pinned)
        rocksdb_pinnableslice_destroy(h->pinned);
    h->pinned = NULL;
}

static void free_many(rk_handle *h)
{
    for (size_t i = 0; i < PB_MANY_MAX; i++) {
        rocksdb_free(h->many[i]);
        h->many[i] = NULL;
    }
}

static void rk_handle_close(void *handle)
{
    rk_handle *h = handle;
    unpin(h);
    free_many(h);
    rocksdb_writebatch_destroy(h->batch);
    free(h);
}

static int rk_put(void *handle, pb_slice key, pb_slice value)
{
    rk_store *s = ((rk_handle *)handle)->store;
    char *err = NULL;
    rocksdb_put(s->db, s->write_options, key.data, key.size, value.data, value.size, &err);
    return check(err, "put");
}

static int rk_del(void *handle, pb_slice key)
{
    rk_store *s = ((rk_handle *)handle)->store;
    char *err = NULL;
    rocksdb_delete(s->db, s->write_options, key.data, key.size, &err);
    return check(err, "delete");
}

static int rk_write(void *handle, const pb_row *rows, size_t count)
{
    rk_handle *h = handle;
    char *err = NULL;
    rocksdb_writebatch_clear(h->batch);
    for (size_t i = 0; i < count; i++)
        rocksdb_writebatch_put(h->batch, rows[i].key.data, rows[i].key.size, rows[i].value.data,
                               rows[i].value.size);
    rocksdb_write(h->store->db, h->store->write_options, h->batch, &err);
    return check(err, "batch");
}

static int rk_get(void *handle, pb_slice key, pb_slice *ret_value)
{
    rk_handle *h = handle;
    char *err = NULL;
    unpin(h);
    h->pinned = rocksdb_get_pinned(h->store->db, h->store->read_options, key.data, key.size, &err);
    if (err)
        return check(err, "get");
    if (!h->pinned)
        return PB_NOT_FOUND;
    ret_value->data = rocksdb_pinnableslice_value(h->pinned, &ret_value->size);
    return PB_OK;
}

/* The call for many that copies: the one that pins wants column families. */
static int rk_get_many(void *handle, const pb_slice *keys, size_t count, pb_slice *ret_values)
{
    rk_handle *h = handle;
    const char *data[PB_MANY_MAX];
    size_t sizes[PB_MANY_MAX], value_sizes[PB_MANY_MAX];
    char *errs[PB_MANY_MAX] = {NULL};
    for (size_t i = 0; i < count; i++) {
        data[i] = keys[i].data;
        sizes[i] = keys[i].size;
    }
    free_many(h);
    rocksdb_multi_get(h->store->db, h->store->read_options, count, data, sizes, h->many,
                      value_sizes, errs);
    for (size_t i = 0; i < count; i++) {
        if (errs[i])
            return check(errs[i], "get of many");
        ret_values[i] = (pb_slice){h->many[i], value_sizes[i]};
    }
    return PB_OK;
}

static int rk_iter_open(void *handle, void **ret_iter)
{
    rk_store *s = ((rk_handle *)handle)->store;
    *ret_iter = rocksdb_create_iterator(s->db, s->read_options);
    return PB_OK;
}

static int row_of(rocksdb_iterator_t *it, pb_row *ret_row)
{
    char *err = NULL;
    if (rocksdb_iter_valid(it)) {
        ret_row->key.data = rocksdb_iter_key(it, &ret_row->key.size);
        ret_row->value.data = rocksdb_iter_value(it, &ret_row->value.size);
        return PB_OK;
    }
    rocksdb_iter_get_error(it, &err);
    return err ? check(err, "iterate") : PB_NOT_FOUND;
}

static int rk_iter_first(void *iter, pb_row *ret_row)
{
    rocksdb_iter_seek_to_first(iter);
    return row_of(iter, ret_row);
}

static int rk_iter_last(void *iter, pb_row *ret_row)
{
    rocksdb_iter_seek_to_last(iter);
    return row_of(iter, ret_row);
}

static int rk_iter_seek(void *iter, pb_slice key, pb_row *ret_row)
{
    rocksdb_iter_seek(iter, key.data, key.size);
    return row_of(iter, ret_row);
}

static int rk_iter_next(void *iter, pb_row *ret_row)
{
    rocksdb_iter_next(iter);
    return row_of(iter, ret_row);
}

static int rk_iter_prev(void *iter, pb_row *ret_row)
{
    rocksdb_iter_prev(iter);
    return row_of(iter, ret_row);
}

static void rk_iter_close(void *iter)
{
    rocksdb_iter_destroy(iter);
}

static int rk_sync(void *s)
{
    char *err = NULL;
    rocksdb_flush_wal(((rk_store *)s)->db, 1, &err);
    return check(err, "sync");
}

static bool busy(rocksdb_t *db)
{
    static const char *const properties[] = {
        "rocksdb.mem-table-flush-pending", "rocksdb.num-running-flushes",
        "rocksdb.compaction-pending", "rocksdb.num-running-compactions"};
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        uint64_t value = 0;
        if (rocksdb_property_int(db, properties[i], &value) == 0 && value > 0)
            return true;
    }
    return false;
}

/* Flush the write buffer, then poll until nothing is pending in three looks 10 ms apart. */
static int rk_settle(void *s)
{
    rk_store *store = s;
    char *err = NULL;
    rocksdb_flushoptions_t *o = rocksdb_flushoptions_create();
    struct timespec pause = {0, 10000000};
    rocksdb_flush(store->db, o, &err);
    rocksdb_flushoptions_destroy(o);
    for (int calm = 0; !err && calm < 3; calm = busy(store->db) ? 0 : calm + 1)
        nanosleep(&pause, NULL);
    return check(err, "settle");
}

static int rk_compact(void *s)
{
    rocksdb_compact_range(((rk_store *)s)->db, NULL, 0, NULL, 0);
    return rk_settle(s);
}

const pb_engine pb_engine_rocksdb = {
    .name = "rocksdb",
    .describe = rk_describe,
    .open = rk_open,
    .close = rk_close,
    .handle_open = rk_handle_open,
    .handle_close = rk_handle_close,
    .put = rk_put,
    .del = rk_del,
    .write = rk_write,
    .get = rk_get,
    .get_many = rk_get_many,
    .iter_open = rk_iter_open,
    .iter_first = rk_iter_first,
    .iter_last = rk_iter_last,
    .iter_seek = rk_iter_seek,
    .iter_next = rk_iter_next,
    .iter_prev = rk_iter_prev,
    .iter_close = rk_iter_close,
    .sync = rk_sync,
    .settle = rk_settle,
    .compact = rk_compact,
};
