/* SPDX-License-Identifier: MIT */
/*
 * engine_lmdb.c - LMDB.
 *
 * Default: MDB_WRITEMAP | MDB_NOSYNC and one transaction per put. A commit is then stores into
 * the file map, so a killed process loses nothing, which is the promise the other engines give
 * without sync. lmdb_batch > 1 keeps a transaction open over that many puts: faster, and a kill
 * loses the open transaction. With sync neither flag is set and every commit waits for the disk.
 * Reads reuse one read transaction per handle and renew it only when something was committed.
 * There is no memory setting: LMDB uses as much page cache as the machine gives it.
 */
#include "engine.h"

#include <lmdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define MAP_BYTES (64ull << 30) /* address space, not memory; the file is sparse */

typedef struct lm_store {
    MDB_env *env;
    MDB_dbi dbi;
    uint64_t batch;
    atomic_uint_fast64_t commits; /* a reader renews when this moved */
} lm_store;

typedef struct lm_handle {
    lm_store *store;
    MDB_txn *read;
    uint64_t read_commits;
    MDB_txn *write; /* open only while pending > 0 */
    uint64_t pending;
} lm_handle;

typedef struct lm_iter {
    MDB_txn *txn;
    MDB_cursor *cursor;
} lm_iter;

static int fail(const char *what, int rc)
{
    return pb_engine_fail("lmdb", what, mdb_strerror(rc));
}

static void lm_describe(const pb_settings *s, char *buf, size_t buf_size)
{
    snprintf(buf, buf_size,
             "LMDB %d.%d.%d, %s, %llu put%s per transaction, NORDAHEAD, read transaction reused, "
             "memory: page cache without limit, no compression",
             MDB_VERSION_MAJOR, MDB_VERSION_MINOR, MDB_VERSION_PATCH,
             s->sync ? "synced commits" : "WRITEMAP+NOSYNC", (unsigned long long)s->lmdb_batch,
             s->lmdb_batch == 1 ? "" : "s");
}

static int open_dbi(lm_store *store)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (rc == 0 && (rc = mdb_dbi_open(txn, NULL, MDB_CREATE, &store->dbi)) == 0)
        rc = mdb_txn_commit(txn);
    return rc;
}

static int lm_open(const pb_settings *s, bool create, void **ret_store)
{
    (void)create;
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (s->sync ? 0 : MDB_WRITEMAP | MDB_NOSYNC);
    lm_store *store = calloc(1, sizeof *store);
    if (!store)
        return fail("open", MDB_PANIC);
    store->batch = s->lmdb_batch ? s->lmdb_batch : 1;
    int rc = mdb_env_create(&store->env);
    if (rc == 0)
        rc = mdb_env_set_mapsize(store->env, MAP_BYTES);
    if (rc == 0)
        rc = mdb_env_open(store->env, s->dir, flags, 0666);
    if (rc == 0)
        rc = open_dbi(store);
    if (rc != 0) {
        mdb_env_close(store->env);
        free(store);
        return fail("open", rc);
    }
    *ret_store = store;
    return PB_OK;
}

static int lm_close(void *s)
{
    lm_store *store = s;
    int rc = mdb_env_sync(store->env, 1);
    mdb_env_close(store->env);
    free(store);
    return rc == 0 ? PB_OK : fail("close", rc);
}

static int lm_handle_open(void *s, void **ret_handle)
{
    lm_handle *h = calloc(1, sizeof *h);
    if (!h)
        return fail("handle", MDB_PANIC);
    h->store = s;
    *ret_handle = h;
    return PB_OK;
}

static int commit(lm_handle *h)
{
    int rc = mdb_txn_commit(h->write);
    h->write = NULL;
    h->pending = 0;
    atomic_fetch_add(&h->store->commits, 1);
    return rc == 0 ? PB_OK : fail("commit", rc);
}

static void lm_handle_close(void *handle)
{
    lm_handle *h = handle;
    if (h->write)
        (void)commit(h); /* the text was printed; the readers will miss the rows */
    if (h->read)
        mdb_txn_abort(h->read);
    free(h);
}

static int begin_write(lm_handle *h)
{
    if (h->write)
        return PB_OK;
    int rc = mdb_txn_begin(h->store->env, NULL, 0, &h->write);
    return rc == 0 ? PB_OK : fail("begin", rc);
}

static int end_write(lm_handle *h, int rc, const char *what)
{
    if (rc != 0) {
        mdb_txn_abort(h->write);
        h->write = NULL;
        h->pending = 0;
        return fail(what, rc);
    }
    return ++h->pending >= h->store->batch ? commit(h) : PB_OK;
}

static MDB_val val(pb_slice s)
{
    return (MDB_val){s.size, (void *)(uintptr_t)s.data};
}

static int lm_put(void *handle, pb_slice key, pb_slice value)
{
    lm_handle *h = handle;
    MDB_val k = val(key), v = val(value);
    if (begin_write(h) != PB_OK)
        return PB_ERROR;
    return end_write(h, mdb_put(h->write, h->store->dbi, &k, &v, 0), "put");
}

static int lm_del(void *handle, pb_slice key)
{
    lm_handle *h = handle;
    MDB_val k = val(key);
    if (begin_write(h) != PB_OK)
        return PB_ERROR;
    int rc = mdb_del(h->write, h->store->dbi, &k, NULL);
    return end_write(h, rc == MDB_NOTFOUND ? 0 : rc, "delete");
}

static int lm_write(void *handle, const pb_row *rows, size_t count)
{
    lm_handle *h = handle;
    int rc = 0;
    if (begin_write(h) != PB_OK)
        return PB_ERROR;
    for (size_t i = 0; i < count && rc == 0; i++) {
        MDB_val k = val(rows[i].key), v = val(rows[i].value);
        rc = mdb_put(h->write, h->store->dbi, &k, &v, 0);
    }
    h->pending = h->store->batch; /* a batch is a transaction of its own */
    return end_write(h, rc, "batch");
}

/* The read transaction shows the latest commit: renewed only when there was one. */
static int refresh(lm_handle *h)
{
    if (h->write && commit(h) != PB_OK)
        return PB_ERROR;
    uint64_t commits = atomic_load(&h->store->commits);
    if (h->read && h->read_commits == commits)
        return PB_OK;
    int rc;
    if (h->read) {
        mdb_txn_reset(h->read);
        rc = mdb_txn_renew(h->read);
    } else {
        rc = mdb_txn_begin(h->store->env, NULL, MDB_RDONLY, &h->read);
    }
    h->read_commits = commits;
    return rc == 0 ? PB_OK : fail("read transaction", rc);
}

static int lm_get(void *handle, pb_slice key, pb_slice *ret_value)
{
    lm_handle *h = handle;
    MDB_val k = val(key), v;
    if (refresh(h) != PB_OK)
        return PB_ERROR;
    int rc = mdb_get(h->read, h->store->dbi, &k, &v);
    if (rc == MDB_NOTFOUND)
        return PB_NOT_FOUND;
    if (rc != 0)
        return fail("get", rc);
    *ret_value = (pb_slice){v.mv_data, v.mv_size};
    return PB_OK;
}

static int lm_iter_open(void *handle, void **ret_iter)
{
    lm_handle *h = handle;
    lm_iter *it = calloc(1, sizeof *it);
    if (!it || (h->write && commit(h) != PB_OK)) {
        free(it);
        return PB_ERROR;
    }
    int rc = mdb_txn_begin(h->store->env, NULL, MDB_RDONLY, &it->txn);
    if (rc == 0 && (rc = mdb_cursor_open(it->txn, h->store->dbi, &it->cursor)) != 0)
        mdb_txn_abort(it->txn);
    if (rc != 0) {
        free(it);
        return fail("cursor", rc);
    }
    *ret_iter = it;
    return PB_OK;
}

static int move(void *iter, MDB_cursor_op op, MDB_val k, pb_row *ret_row)
{
    lm_iter *it = iter;
    MDB_val v;
    int rc = mdb_cursor_get(it->cursor, &k, &v, op);
    if (rc == MDB_NOTFOUND)
        return PB_NOT_FOUND;
    if (rc != 0)
        return fail("cursor", rc);
    ret_row->key = (pb_slice){k.mv_data, k.mv_size};
    ret_row->value = (pb_slice){v.mv_data, v.mv_size};
    return PB_OK;
}

static int lm_iter_first(void *iter, pb_row *ret_row)
{
    return move(iter, MDB_FIRST, (MDB_val){0, NULL}, ret_row);
}

static int lm_iter_last(void *iter, pb_row *ret_row)
{
    return move(iter, MDB_LAST, (MDB_val){0, NULL}, ret_row);
}

static int lm_iter_seek(void *iter, pb_slice key, pb_row *ret_row)
{
    return move(iter, MDB_SET_RANGE, val(key), ret_row);
}

static int lm_iter_next(void *iter, pb_row *ret_row)
{
    return move(iter, MDB_NEXT, (MDB_val){0, NULL}, ret_row);
}

static int lm_iter_prev(void *iter, pb_row *ret_row)
{
    return move(iter, MDB_PREV, (MDB_val){0, NULL}, ret_row);
}

static void lm_iter_close(void *iter)
{
    lm_iter *it = iter;
    mdb_cursor_close(it->cursor);
    mdb_txn_abort(it->txn);
    free(it);
}

static int lm_sync(void *s)
{
    int rc = mdb_env_sync(((lm_store *)s)->env, 1);
    return rc == 0 ? PB_OK : fail("sync", rc);
}

static int lm_settle(void *s)
{
    (void)s; /* no background work */
    return PB_OK;
}

const pb_engine pb_engine_lmdb = {
    .name = "lmdb",
    .describe = lm_describe,
    .open = lm_open,
    .close = lm_close,
    .handle_open = lm_handle_open,
    .handle_close = lm_handle_close,
    .put = lm_put,
    .del = lm_del,
    .write = lm_write,
    .get = lm_get,
    .iter_open = lm_iter_open,
    .iter_first = lm_iter_first,
    .iter_last = lm_iter_last,
    .iter_seek = lm_iter_seek,
    .iter_next = lm_iter_next,
    .iter_prev = lm_iter_prev,
    .iter_close = lm_iter_close,
    .sync = lm_sync,
    .settle = lm_settle,
};
