/* SPDX-License-Identifier: MIT */
/* queue.c - the calls of peat_queue.h. */
#include "queue/queue.h"

#include "api/handle.h"

/* PEAT_INVALID, PEAT_CLOSED; the queue's store may be closed otherwise. */
static peat_rc check_queue(const peat_queue *q)
{
    if (q == NULL)
        return PEAT_INVALID;
    return pt_store_forked(pt_queue_store(q)) ? PEAT_CLOSED : PEAT_OK;
}

/* Of an operation on a keyspace; *ret_keyspace is its number. */
static peat_rc check_keyspace(const peat_queue *q, const char *call, const peat_db *keyspace,
                              uint32_t *ret_keyspace)
{
    peat_rc rc = check_queue(q);
    if (rc != PEAT_OK)
        return rc;
    *ret_keyspace = keyspace != NULL ? keyspace->keyspace : pt_queue_keyspace(q);
    if (keyspace != NULL && keyspace->store != pt_queue_store(q))
        return pt_api_refuse(pt_queue_store(q), PEAT_INVALID, call,
                             "keyspace: a handle on another store");
    return PEAT_OK;
}

/* What the room has answered. */
static peat_rc answer(const peat_queue *q, const char *call, peat_rc rc)
{
    if (rc == PEAT_TOO_BIG)
        return pt_api_refuse(pt_queue_store(q), rc, call, "more than the queue's bytes can hold");
    return rc < 0 ? pt_api_refuse(pt_queue_store(q), rc, call, peat_rc_text(rc)) : rc;
}

peat_rc peat_queue_open(peat_db *db, const peat_queue_options *options, peat_queue **ret_queue)
{
    static const char call[] = "peat_queue_open";
    peat_queue_options o;
    if (db == NULL)
        return PEAT_INVALID;
    if (ret_queue == NULL)
        return pt_api_refuse(db->store, PEAT_INVALID, call, "ret_queue is NULL");
    if (!pt_api_options_valid(options, sizeof *options, sizeof *options))
        return pt_api_refuse(db->store, PEAT_INVALID, call, PT_API_WHY_OPTIONS);
    pt_api_options_copy(options, &o, sizeof o);
    o.depth = o.depth != 0 ? o.depth : PEAT_QUEUE_DEPTH_DEFAULT;
    o.bytes = o.bytes != 0 ? o.bytes : PEAT_QUEUE_BYTES_DEFAULT;
    if (o.depth > PEAT_QUEUE_DEPTH_MAX)
        return pt_api_refuse(db->store, PEAT_INVALID, call, "options.depth is above 65536");
    if (o.bytes < PEAT_QUEUE_BYTES_MIN)
        return pt_api_refuse(db->store, PEAT_INVALID, call, "options.bytes is below 65536");
    peat_rc rc = pt_api_begin(db);
    if (rc != PEAT_OK)
        return rc;
    rc = pt_queue_open(db->store, db->keyspace, o.depth, o.bytes, ret_queue);
    return pt_api_end(db->store, rc);
}

void peat_queue_close(peat_queue *queue)
{
    if (check_queue(queue) == PEAT_OK)
        pt_queue_close(queue);
}

/* ---- reads ---- */

static peat_rc get(peat_queue *q, const char *call, pt_queue_submit what, const peat_db *keyspace,
                   const peat_read_options *options, peat_slice key)
{
    uint32_t number;
    pt_read_options o;
    peat_rc rc = check_keyspace(q, call, keyspace, &number);
    if (rc == PEAT_OK)
        rc = pt_api_read_options(pt_queue_store(q), call, options, &o);
    if (rc == PEAT_OK)
        rc = pt_api_check_bytes(pt_queue_store(q), call, "key", key, PEAT_KEY_SIZE_MAX);
    return rc == PEAT_OK ? answer(q, call, pt_queue_get(q, what, number, &o, key)) : rc;
}

peat_rc peat_queue_get(peat_queue *queue, peat_db *keyspace, const peat_read_options *options,
                       peat_slice key, uint64_t tag)
{
    pt_queue_submit what = {tag, PEAT_QUEUE_GET};
    return get(queue, "peat_queue_get", what, keyspace, options, key);
}

peat_rc peat_queue_exists(peat_queue *queue, peat_db *keyspace, const peat_read_options *options,
                          peat_slice key, uint64_t tag)
{
    pt_queue_submit what = {tag, PEAT_QUEUE_EXISTS};
    return get(queue, "peat_queue_exists", what, keyspace, options, key);
}

peat_rc peat_queue_multi_get(peat_queue *queue, peat_db *keyspace, const peat_read_options *options,
                             size_t n, const peat_slice *keys, uint64_t tag)
{
    static const char call[] = "peat_queue_multi_get";
    pt_queue_submit what = {tag, PEAT_QUEUE_MULTI_GET};
    uint32_t number;
    pt_read_options o;
    peat_rc rc = check_keyspace(queue, call, keyspace, &number);
    if (rc == PEAT_OK)
        rc = pt_api_read_options(pt_queue_store(queue), call, options, &o);
    if (rc == PEAT_OK && n != 0 && keys == NULL)
        rc = pt_api_refuse(pt_queue_store(queue), PEAT_INVALID, call, "keys is NULL");
    for (size_t i = 0; i < n && rc == PEAT_OK; i++)
        rc = pt_api_check_bytes(pt_queue_store(queue), call, "a key", keys[i], PEAT_KEY_SIZE_MAX);
    if (rc != PEAT_OK)
        return rc;
    return answer(queue, call, pt_queue_multi_get(queue, what, number, &o, n, keys));
}

/* ---- writes ---- */

static bool wants_sync(const peat_write_options *options)
{
    return options != NULL && options->sync;
}

static peat_rc check_write_options(const peat_queue *q, const char *call,
                                   const peat_write_options *options)
{
    return pt_api_options_valid(options, sizeof *options, sizeof *options)
               ? PEAT_OK
               : pt_api_refuse(pt_queue_store(q), PEAT_INVALID, call, PT_API_WHY_OPTIONS);
}

static peat_rc write_one(peat_queue *q, const char *call, pt_queue_submit what, pt_kind kind,
                         const peat_db *keyspace, const peat_write_options *options, peat_slice key,
                         peat_slice value)
{
    uint32_t number;
    peat_rc rc = check_keyspace(q, call, keyspace, &number);
    if (rc == PEAT_OK)
        rc = check_write_options(q, call, options);
    if (rc == PEAT_OK)
        rc = pt_api_check_bytes(pt_queue_store(q), call, "key", key, PEAT_KEY_SIZE_MAX);
    if (rc == PEAT_OK)
        rc = pt_api_check_bytes(pt_queue_store(q), call, "value", value, PEAT_VALUE_SIZE_MAX);
    if (rc != PEAT_OK)
        return rc;
    rc = pt_queue_write_one(q, what, kind, number, key, value, wants_sync(options));
    return answer(q, call, rc);
}

peat_rc peat_queue_put(peat_queue *queue, peat_db *keyspace, const peat_write_options *options,
                       peat_slice key, peat_slice value, uint64_t tag)
{
    pt_queue_submit what = {tag, PEAT_QUEUE_PUT};
    return write_one(queue, "peat_queue_put", what, PT_KIND_PUT, keyspace, options, key, value);
}

peat_rc peat_queue_delete(peat_queue *queue, peat_db *keyspace, const peat_write_options *options,
                          peat_slice key, uint64_t tag)
{
    pt_queue_submit what = {tag, PEAT_QUEUE_DELETE};
    return write_one(queue, "peat_queue_delete", what, PT_KIND_DELETE, keyspace, options, key,
                     peat_unbounded());
}

peat_rc peat_queue_write(peat_queue *queue, const peat_write_options *options, peat_batch *batch,
                         uint64_t tag)
{
    static const char call[] = "peat_queue_write";
    pt_queue_submit what = {tag, PEAT_QUEUE_WRITE};
    peat_rc rc = check_queue(queue);
    if (rc == PEAT_OK && batch == NULL)
        rc = pt_api_refuse(pt_queue_store(queue), PEAT_INVALID, call, "batch is NULL");
    if (rc == PEAT_OK)
        rc = check_write_options(queue, call, options);
    if (rc != PEAT_OK)
        return rc;
    pt_write_request request = pt_api_write_request(&batch->ops, wants_sync(options));
    return answer(queue, call, pt_queue_write(queue, what, &request));
}

peat_rc peat_queue_sync(peat_queue *queue, uint64_t tag)
{
    pt_queue_submit what = {tag, PEAT_QUEUE_SYNC};
    pt_write_request request = {.sync = true};
    peat_rc rc = check_queue(queue);
    return rc == PEAT_OK ? answer(queue, "peat_queue_sync", pt_queue_write(queue, what, &request))
                         : rc;
}

/* ---- scans ---- */

peat_rc peat_queue_scan(peat_queue *queue, peat_db *keyspace, const peat_iter_options *options,
                        bool backward, size_t n, uint64_t tag)
{
    static const char call[] = "peat_queue_scan";
    pt_queue_submit what = {tag, PEAT_QUEUE_SCAN};
    uint32_t number;
    pt_scan *scan = NULL;
    peat_rc rc = check_keyspace(queue, call, keyspace, &number);
    if (rc == PEAT_OK && n == 0)
        rc = pt_api_refuse(pt_queue_store(queue), PEAT_INVALID, call, "n is 0");
    if (rc != PEAT_OK)
        return rc;
    peat_db db = {pt_queue_store(queue), number};
    rc = pt_api_open_scan(&db, call, options, &scan);
    if (rc != PEAT_OK)
        return rc;
    rc = pt_queue_scan(queue, what, scan, backward, n);
    if (rc != PEAT_OK)
        pt_scan_free(scan);
    return answer(queue, call, rc);
}

peat_rc peat_queue_scan_next(peat_queue *queue, peat_cursor *cursor, size_t n, uint64_t tag)
{
    static const char call[] = "peat_queue_scan_next";
    pt_queue_submit what = {tag, PEAT_QUEUE_SCAN};
    peat_rc rc = check_queue(queue);
    if (rc == PEAT_OK && (cursor == NULL || n == 0))
        rc = pt_api_refuse(pt_queue_store(queue), PEAT_INVALID, call, "cursor is NULL, or n is 0");
    if (rc != PEAT_OK)
        return rc;
    rc = pt_queue_scan_next(queue, what, cursor, n);
    if (rc == PEAT_INVALID)
        return pt_api_refuse(pt_queue_store(queue), rc, call,
                             "cursor: not of this queue, or an operation of it is outstanding");
    return answer(queue, call, rc);
}

void peat_queue_scan_close(peat_queue *queue, peat_cursor *cursor)
{
    if (cursor != NULL && check_queue(queue) == PEAT_OK)
        pt_queue_scan_close(queue, cursor);
}

/* ---- collecting ---- */

peat_rc peat_queue_poll(peat_queue *queue, peat_completion *ret_done, size_t n, uint64_t timeout_ms,
                        size_t *ret_n)
{
    if (ret_n != NULL)
        *ret_n = 0;
    peat_rc rc = check_queue(queue);
    if (rc == PEAT_OK && (ret_done == NULL || n == 0 || ret_n == NULL))
        rc = pt_api_refuse(pt_queue_store(queue), PEAT_INVALID, "peat_queue_poll",
                           "ret_done or ret_n is NULL, or n is 0");
    if (rc != PEAT_OK)
        return rc;
    uint64_t ns = timeout_ms < UINT64_MAX / 1000000u ? timeout_ms * 1000000u : UINT64_MAX;
    return pt_queue_poll(queue, ret_done, n, ns, ret_n);
}

int peat_queue_fd(peat_queue *queue)
{
    return check_queue(queue) == PEAT_OK ? pt_queue_fd(queue) : -1;
}

peat_rc peat_queue_cancel(peat_queue *queue, uint64_t tag)
{
    peat_rc rc = check_queue(queue);
    return rc == PEAT_OK ? pt_queue_cancel(queue, tag) : rc;
}

size_t peat_queue_outstanding(peat_queue *queue)
{
    return check_queue(queue) == PEAT_OK ? pt_queue_outstanding(queue) : 0;
}
