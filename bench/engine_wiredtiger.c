/* SPDX-License-Identifier: MIT */
/*
 * engine_wiredtiger.c - WiredTiger, row store.
 *
 * The log is on. Without sync every commit hands its record to the operating system
 * (transaction_sync method none), so that a killed process loses nothing; with sync it is
 * fsynced. A checkpoint every 60 s or 2 GB of log, as MongoDB runs it. All memory is the cache.
 * One session and one cursor per handle; iterators have their own cursor. The codec is the one
 * Debian ships as an extension, snappy.
 */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wiredtiger.h>

#define TABLE     "table:bench"
#define EXTENSION "libwiredtiger_snappy.so"

typedef struct wt_store {
    WT_CONNECTION *conn;
} wt_store;

typedef struct wt_handle {
    WT_SESSION *session;
    WT_CURSOR *cursor;
} wt_handle;

static int fail(const char *what, int rc)
{
    return pb_engine_fail("wiredtiger", what, wiredtiger_strerror(rc));
}

static bool compressed(const pb_settings *s)
{
    return strcmp(s->compression, "none") != 0;
}

static void make_config(const pb_settings *s, bool create, char *buf, size_t buf_size)
{
    snprintf(buf, buf_size,
             "%scache_size=%lluMB,log=(enabled=true),transaction_sync=(enabled=true,method=%s),"
             "checkpoint=(wait=60,log_size=2GB),eviction=(threads_min=1,threads_max=4)%s",
             create ? "create," : "", (unsigned long long)(s->memory_bytes >> 20),
             s->sync ? "fsync" : "none", compressed(s) ? ",extensions=[" EXTENSION "]" : "");
}

static void wt_describe(const pb_settings *s, char *buf, size_t buf_size)
{
    char config[512];
    make_config(s, false, config, sizeof config);
    snprintf(buf, buf_size, "WiredTiger %d.%d.%d, %s, compression %s", WIREDTIGER_VERSION_MAJOR,
             WIREDTIGER_VERSION_MINOR, WIREDTIGER_VERSION_PATCH, config,
             compressed(s) ? "snappy" : "none");
}

static int create_table(WT_CONNECTION *conn, const pb_settings *s)
{
    char config[128];
    WT_SESSION *session;
    snprintf(config, sizeof config, "key_format=u,value_format=u%s",
             compressed(s) ? ",block_compressor=snappy" : "");
    int rc = conn->open_session(conn, NULL, NULL, &session);
    if (rc == 0)
        rc = session->create(session, TABLE, config);
    if (rc == 0)
        rc = session->close(session, NULL);
    return rc;
}

static int wt_open(const pb_settings *s, bool create, void **ret_store)
{
    char config[512];
    wt_store *store = calloc(1, sizeof *store);
    if (!store)
        return pb_engine_fail("wiredtiger", "open", "no memory");
    make_config(s, create, config, sizeof config);
    int rc = wiredtiger_open(s->dir, NULL, config, &store->conn);
    if (rc == 0 && create)
        rc = create_table(store->conn, s);
    if (rc != 0) {
        free(store);
        return fail("open", rc);
    }
    *ret_store = store;
    return PB_OK;
}

static int wt_close(void *s)
{
    wt_store *store = s;
    int rc = store->conn->close(store->conn, NULL);
    free(store);
    return rc == 0 ? PB_OK : fail("close", rc);
}

static int wt_handle_open(void *s, void **ret_handle)
{
    WT_CONNECTION *conn = ((wt_store *)s)->conn;
    wt_handle *h = calloc(1, sizeof *h);
    if (!h)
        return pb_engine_fail("wiredtiger", "handle", "no memory");
    int rc = conn->open_session(conn, NULL, NULL, &h->session);
    if (rc == 0)
        rc = h->session->open_cursor(h->session, TABLE, NULL, NULL, &h->cursor);
    if (rc != 0) {
        free(h);
        return fail("handle", rc);
    }
    *ret_handle = h;
    return PB_OK;
}

static void wt_handle_close(void *handle)
{
    wt_handle *h = handle;
    (void)h->session->close(h->session, NULL); /* closes its cursors; nothing is uncommitted */
    free(h);
}

static void set_key(WT_CURSOR *cursor, pb_slice key)
{
    WT_ITEM item = {.data = key.data, .size = key.size};
    cursor->set_key(cursor, &item);
}

static int insert(WT_CURSOR *cursor, pb_slice key, pb_slice value)
{
    WT_ITEM item = {.data = value.data, .size = value.size};
    set_key(cursor, key);
    cursor->set_value(cursor, &item);
    return cursor->insert(cursor);
}

static int wt_put(void *handle, pb_slice key, pb_slice value)
{
    int rc = insert(((wt_handle *)handle)->cursor, key, value);
    return rc == 0 ? PB_OK : fail("put", rc);
}

static int wt_del(void *handle, pb_slice key)
{
    WT_CURSOR *cursor = ((wt_handle *)handle)->cursor;
    set_key(cursor, key);
    int rc = cursor->remove(cursor);
    return rc == 0 || rc == WT_NOTFOUND ? PB_OK : fail("delete", rc);
}

static int wt_write(void *handle, const pb_row *rows, size_t count)
{
    wt_handle *h = handle;
    int rc = h->session->begin_transaction(h->session, NULL);
    if (rc != 0)
        return fail("begin", rc);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = insert(h->cursor, rows[i].key, rows[i].value);
    if (rc == 0)
        rc = h->session->commit_transaction(h->session, NULL);
    else
        (void)h->session->rollback_transaction(h->session, NULL); /* the first cause is reported */
    return rc == 0 ? PB_OK : fail("batch", rc);
}

static int wt_get(void *handle, pb_slice key, pb_slice *ret_value)
{
    WT_CURSOR *cursor = ((wt_handle *)handle)->cursor;
    WT_ITEM item;
    set_key(cursor, key);
    int rc = cursor->search(cursor);
    if (rc == WT_NOTFOUND)
        return PB_NOT_FOUND;
    if (rc == 0)
        rc = cursor->get_value(cursor, &item);
    if (rc != 0)
        return fail("get", rc);
    *ret_value = (pb_slice){item.data, item.size};
    return PB_OK;
}

static int wt_iter_open(void *handle, void **ret_iter)
{
    wt_handle *h = handle;
    WT_CURSOR *cursor;
    int rc = h->session->open_cursor(h->session, TABLE, NULL, NULL, &cursor);
    if (rc != 0)
        return fail("iterator", rc);
    *ret_iter = cursor;
    return PB_OK;
}

static int row_of(WT_CURSOR *cursor, int rc, pb_row *ret_row)
{
    WT_ITEM key, value;
    if (rc == WT_NOTFOUND)
        return PB_NOT_FOUND;
    if (rc == 0 && (rc = cursor->get_key(cursor, &key)) == 0)
        rc = cursor->get_value(cursor, &value);
    if (rc != 0)
        return fail("iterate", rc);
    ret_row->key = (pb_slice){key.data, key.size};
    ret_row->value = (pb_slice){value.data, value.size};
    return PB_OK;
}

static int wt_iter_next(void *iter, pb_row *ret_row)
{
    WT_CURSOR *cursor = iter;
    return row_of(cursor, cursor->next(cursor), ret_row);
}

static int wt_iter_prev(void *iter, pb_row *ret_row)
{
    WT_CURSOR *cursor = iter;
    return row_of(cursor, cursor->prev(cursor), ret_row);
}

static int wt_iter_first(void *iter, pb_row *ret_row)
{
    WT_CURSOR *cursor = iter;
    int rc = cursor->reset(cursor);
    return rc == 0 ? wt_iter_next(iter, ret_row) : fail("reset", rc);
}

static int wt_iter_last(void *iter, pb_row *ret_row)
{
    WT_CURSOR *cursor = iter;
    int rc = cursor->reset(cursor);
    return rc == 0 ? wt_iter_prev(iter, ret_row) : fail("reset", rc);
}

static int wt_iter_seek(void *iter, pb_slice key, pb_row *ret_row)
{
    WT_CURSOR *cursor = iter;
    int side = 0;
    set_key(cursor, key);
    int rc = cursor->search_near(cursor, &side);
    if (rc == 0 && side < 0)
        rc = cursor->next(cursor);
    return row_of(cursor, rc, ret_row);
}

static void wt_iter_close(void *iter)
{
    WT_CURSOR *cursor = iter;
    (void)cursor->close(cursor); /* a read cursor has nothing to lose */
}

static int with_session(void *s, const char *what, int (*call)(WT_SESSION *session))
{
    WT_CONNECTION *conn = ((wt_store *)s)->conn;
    WT_SESSION *session;
    int rc = conn->open_session(conn, NULL, NULL, &session);
    if (rc != 0)
        return fail(what, rc);
    rc = call(session);
    (void)session->close(session, NULL); /* the call's own result counts */
    return rc == 0 ? PB_OK : fail(what, rc);
}

static int flush_log(WT_SESSION *session)
{
    return session->log_flush(session, "sync=on");
}

static int checkpoint(WT_SESSION *session)
{
    return session->checkpoint(session, NULL);
}

static int compact_table(WT_SESSION *session)
{
    return session->compact(session, TABLE, NULL);
}

static int wt_sync(void *s)
{
    return with_session(s, "sync", flush_log);
}

static int wt_settle(void *s)
{
    return with_session(s, "checkpoint", checkpoint);
}

static int wt_compact(void *s)
{
    int rc = with_session(s, "compact", compact_table);
    return rc == PB_OK ? wt_settle(s) : rc;
}

const pb_engine pb_engine_wiredtiger = {
    .name = "wiredtiger",
    .describe = wt_describe,
    .open = wt_open,
    .close = wt_close,
    .handle_open = wt_handle_open,
    .handle_close = wt_handle_close,
    .put = wt_put,
    .del = wt_del,
    .write = wt_write,
    .get = wt_get,
    .iter_open = wt_iter_open,
    .iter_first = wt_iter_first,
    .iter_last = wt_iter_last,
    .iter_seek = wt_iter_seek,
    .iter_next = wt_iter_next,
    .iter_prev = wt_iter_prev,
    .iter_close = wt_iter_close,
    .sync = wt_sync,
    .settle = wt_settle,
    .compact = wt_compact,
};
