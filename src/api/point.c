/* SPDX-License-Identifier: MIT */
/* point.c - put, get, delete of single keys, and the buffers values come out in. */
#include "api/handle.h"
#include "read/multi_get.h"
#include "write/write.h"

/* Operations up to this size are put together on the stack: no allocation for usual records. */
#define STACK_OP_BYTES 2048u

static peat_rc check_write(const peat_db *db, const char *call, const peat_write_options *options,
                           peat_slice key, peat_slice value)
{
    if (db == NULL)
        return PEAT_INVALID;
    if (!pt_api_options_valid(options, sizeof *options, sizeof *options))
        return pt_api_refuse(db->store, PEAT_INVALID, call, PT_API_WHY_OPTIONS);
    peat_rc rc = pt_api_check_bytes(db->store, call, "key", key, PEAT_KEY_SIZE_MAX);
    return rc == PEAT_OK ? pt_api_check_bytes(db->store, call, "value", value, PEAT_VALUE_SIZE_MAX)
                         : rc;
}

static uint8_t *put_bytes(uint8_t *p, peat_slice s)
{
    if (s.size != 0)
        memcpy(p, s.data, s.size);
    return p + s.size;
}

static peat_rc write_one(peat_db *db, const peat_write_options *options, pt_kind kind,
                         peat_slice key, peat_slice value)
{
    uint8_t stack[STACK_OP_BYTES];
    uint8_t *op = stack;
    pt_store *s = db->store;
    size_t most = PT_OP_HEAD_BYTES_MAX + key.size + value.size;
    if (!pt_store_call_begin(s))
        return PEAT_CLOSED;
    if (most > sizeof stack)
        op = (uint8_t *)pt_alloc(s->env, most);
    peat_rc rc = PEAT_NOMEM;
    if (op != NULL) {
        uint8_t *end = pt_op_head(op, kind, db->keyspace, key.size, value.size);
        end = put_bytes(put_bytes(end, key), value);
        pt_write_request c = {.payload = pt_slice_of(op, (size_t)(end - op)),
                              .count = 1,
                              .deletes = kind == PT_KIND_DELETE,
                              .key_bytes = key.size + PT_KEYSPACE_BYTES,
                              .value_bytes = value.size,
                              .sync = options != NULL && options->sync};
        rc = pt_write_commit(s, &c);
    }
    if (op != stack)
        pt_free(s->env, op);
    return pt_api_end(s, rc);
}

peat_rc peat_put(peat_db *db, const peat_write_options *options, peat_slice key, peat_slice value)
{
    peat_rc rc = check_write(db, "peat_put", options, key, value);
    return rc == PEAT_OK ? write_one(db, options, PT_KIND_PUT, key, value) : rc;
}

peat_rc peat_delete(peat_db *db, const peat_write_options *options, peat_slice key)
{
    peat_rc rc = check_write(db, "peat_delete", options, key, peat_unbounded());
    return rc == PEAT_OK ? write_one(db, options, PT_KIND_DELETE, key, peat_unbounded()) : rc;
}

peat_rc pt_api_read_options(pt_store *s, const char *call, const peat_read_options *options,
                            pt_read_options *ret)
{
    *ret = (pt_read_options){0};
    if (options == NULL)
        return PEAT_OK;
    if (!pt_api_options_valid(options, sizeof *options, sizeof *options))
        return pt_api_refuse(s, PEAT_INVALID, call, PT_API_WHY_OPTIONS);
    ret->no_cache_fill = options->no_cache_fill;
    if (options->snapshot != NULL) {
        if (options->snapshot->store != s)
            return pt_api_refuse_snapshot(s, call, options->snapshot);
        ret->has_seq = true;
        ret->seq = options->snapshot->link.seq;
    }
    return PEAT_OK;
}

/* Of every read of one key; after PEAT_OK ret_key is to be done. */
static peat_rc begin_read(peat_db *db, const char *call, const peat_read_options *options,
                          peat_slice key, const void *output, pt_read_options *ret_options,
                          pt_api_key *ret_key)
{
    if (db == NULL)
        return PEAT_INVALID;
    if (output == NULL)
        return pt_api_refuse(db->store, PEAT_INVALID, call,
                             "there is nowhere to put the answer: NULL");
    peat_rc rc = pt_api_read_options(db->store, call, options, ret_options);
    if (rc == PEAT_OK)
        rc = pt_api_check_bytes(db->store, call, "key", key, PEAT_KEY_SIZE_MAX);
    return rc == PEAT_OK ? pt_api_key_init(ret_key, db->store->env, db->keyspace, key) : rc;
}

peat_rc peat_get(peat_db *db, const peat_read_options *options, peat_slice key, peat_buf *ret_value)
{
    pt_read_options o;
    pt_api_key k;
    peat_rc rc = begin_read(db, "peat_get", options, key, ret_value, &o, &k);
    if (rc != PEAT_OK)
        return rc;
    rc = pt_read_get(db->store, &o, pt_api_key_slice(&k), ret_value);
    pt_api_key_done(&k);
    return rc;
}

static peat_rc exists(peat_db *db, const char *call, const peat_read_options *options,
                      peat_slice key, const void *output)
{
    pt_read_options o;
    pt_api_key k;
    peat_rc rc = begin_read(db, call, options, key, output, &o, &k);
    if (rc != PEAT_OK)
        return rc;
    rc = pt_read_get(db->store, &o, pt_api_key_slice(&k), NULL);
    pt_api_key_done(&k);
    return rc;
}

peat_rc peat_exists(peat_db *db, const peat_read_options *options, peat_slice key)
{
    return exists(db, "peat_exists", options, key, "");
}

peat_rc peat_has(peat_db *db, const peat_read_options *options, peat_slice key, bool *ret_there)
{
    peat_rc rc = exists(db, "peat_has", options, key, ret_there);
    if (rc < 0)
        return rc;
    *ret_there = rc == PEAT_OK;
    return PEAT_OK;
}

peat_rc peat_get_pinned(peat_db *db, const peat_read_options *options, peat_slice key,
                        peat_pinned *ret_value)
{
    pt_read_options o;
    pt_api_key k;
    peat_rc rc = begin_read(db, "peat_get_pinned", options, key, ret_value, &o, &k);
    if (rc != PEAT_OK)
        return rc;
    /* what it holds would be lost with it, and never given back */
    if (ret_value->data != NULL || ret_value->reserved[0] != NULL)
        rc = pt_api_refuse(db->store, PEAT_INVALID, "peat_get_pinned", "ret_value: it is in use");
    else
        rc = pt_read_pinned(db->store, &o, pt_api_key_slice(&k), ret_value);
    pt_api_key_done(&k);
    return rc;
}

/* ---- many keys ---- */

/* Arguments of both: io_request has them, and is given the size of the largest key. */
static peat_rc check_multi_get(const peat_db *db, const char *call,
                               const peat_read_options *options, pt_multi_get *io_request,
                               bool has_values, pt_read_options *ret_options)
{
    size_t n = io_request->n;
    if (db == NULL)
        return PEAT_INVALID;
    if (n != 0 && (io_request->keys == NULL || io_request->ret_rcs == NULL || !has_values))
        return pt_api_refuse(db->store, PEAT_INVALID, call, "keys, ret_rcs or ret_values is NULL");
    peat_rc rc = pt_api_read_options(db->store, call, options, ret_options);
    for (size_t i = 0; i < n && rc == PEAT_OK; i++) {
        rc = pt_api_check_bytes(db->store, call, "a key", io_request->keys[i], PEAT_KEY_SIZE_MAX);
        if (io_request->keys[i].size > io_request->key_size_max)
            io_request->key_size_max = io_request->keys[i].size;
    }
    return rc;
}

peat_rc peat_multi_get(peat_db *db, const peat_read_options *options, size_t n,
                       const peat_slice *keys, peat_buf *ret_values, peat_rc *ret_rcs)
{
    pt_read_options o;
    pt_multi_get request = {.n = n, .keys = keys, .ret_values = ret_values, .ret_rcs = ret_rcs};
    peat_rc rc = check_multi_get(db, "peat_multi_get", options, &request, true, &o);
    if (rc != PEAT_OK)
        return rc;
    request.keyspace = db->keyspace;
    return pt_read_multi_get(db->store, &o, &request);
}

peat_rc peat_multi_get_pinned(peat_db *db, const peat_read_options *options, size_t n,
                              const peat_slice *keys, peat_pinned *ret_values, peat_rc *ret_rcs)
{
    pt_read_options o;
    pt_multi_get request = {.n = n, .keys = keys, .ret_pinned = ret_values, .ret_rcs = ret_rcs};
    const char *call = "peat_multi_get_pinned";
    peat_rc rc = check_multi_get(db, call, options, &request, ret_values != NULL, &o);
    for (size_t i = 0; i < n && rc == PEAT_OK; i++)
        if (ret_values[i].data != NULL || ret_values[i].reserved[0] != NULL)
            rc = pt_api_refuse(db->store, PEAT_INVALID, call, "ret_values: one is in use");
    if (rc != PEAT_OK)
        return rc;
    request.keyspace = db->keyspace;
    return pt_read_multi_get(db->store, &o, &request);
}

void peat_unpin(peat_pinned *pinned)
{
    if (pinned != NULL)
        pt_read_unpin(pinned);
}

void peat_buf_free(peat_buf *buf)
{
    if (buf == NULL)
        return;
    if (buf->data != NULL)
        pt_free(buf->env, buf->data);
    *buf = (peat_buf)PEAT_BUF_INIT;
}
