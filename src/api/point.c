/* SPDX-License-Identifier: MIT */
/* point.c - put, get, delete of single keys, and the buffers values come out in. */
#include "api/handle.h"
#include "db/read.h"

/* Operations up to this size are put together on the stack: no allocation for usual records. */
#define STACK_OP_BYTES 2048u

static peat_rc check_write(const peat_db *db, const peat_write_options *options, peat_slice key,
                           peat_slice value)
{
    if (db == NULL || !pt_slice_valid(key) || !pt_slice_valid(value) ||
        !pt_options_valid(options, sizeof *options, sizeof *options))
        return PEAT_INVALID;
    if (key.size > PEAT_KEY_SIZE_MAX || value.size > PEAT_VALUE_SIZE_MAX)
        return PEAT_TOO_BIG;
    return PEAT_OK;
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
    if (!pt_call_begin(s))
        return PEAT_CLOSED;
    if (most > sizeof stack)
        op = (uint8_t *)pt_alloc(s->env, most);
    peat_rc rc = PEAT_NOMEM;
    if (op != NULL) {
        uint8_t *end = pt_op_head(op, kind, db->keyspace, key.size, value.size);
        end = put_bytes(put_bytes(end, key), value);
        pt_commit c = {.payload = pt_slice_of(op, (size_t)(end - op)),
                       .count = 1,
                       .deletes = kind == PT_KIND_DELETE,
                       .key_bytes = key.size + PT_KEYSPACE_BYTES,
                       .value_bytes = value.size,
                       .sync = options != NULL && options->sync};
        rc = pt_store_commit(s, &c);
    }
    if (op != stack)
        pt_free(s->env, op);
    pt_call_end(s);
    return rc;
}

peat_rc peat_put(peat_db *db, const peat_write_options *options, peat_slice key, peat_slice value)
{
    peat_rc rc = check_write(db, options, key, value);
    return rc == PEAT_OK ? write_one(db, options, PT_KIND_PUT, key, value) : rc;
}

peat_rc peat_delete(peat_db *db, const peat_write_options *options, peat_slice key)
{
    peat_rc rc = check_write(db, options, key, peat_unbounded());
    return rc == PEAT_OK ? write_one(db, options, PT_KIND_DELETE, key, peat_unbounded()) : rc;
}

static peat_rc read_options(const peat_db *db, const peat_read_options *options,
                            pt_get_options *ret)
{
    *ret = (pt_get_options){0};
    if (db == NULL || !pt_options_valid(options, sizeof *options, sizeof *options))
        return PEAT_INVALID;
    if (options == NULL)
        return PEAT_OK;
    ret->no_cache_fill = options->no_cache_fill;
    if (options->snapshot != NULL) {
        if (options->snapshot->store != db->store)
            return pt_snapshot_mismatch(options->snapshot);
        ret->has_seq = true;
        ret->seq = options->snapshot->link.seq;
    }
    return PEAT_OK;
}

/* Of every read of one key; after PEAT_OK ret_key is to be done. */
static peat_rc begin_read(peat_db *db, const peat_read_options *options, peat_slice key,
                          pt_get_options *ret_options, pt_key_buf *ret_key)
{
    peat_rc rc = read_options(db, options, ret_options);
    return rc == PEAT_OK ? pt_key_buf_init(ret_key, db->store->env, db->keyspace, key) : rc;
}

peat_rc peat_get(peat_db *db, const peat_read_options *options, peat_slice key, peat_buf *ret_value)
{
    pt_get_options o;
    pt_key_buf k;
    peat_rc rc = ret_value == NULL ? PEAT_INVALID : begin_read(db, options, key, &o, &k);
    if (rc != PEAT_OK)
        return rc;
    rc = pt_store_get(db->store, &o, pt_key_buf_slice(&k), ret_value);
    pt_key_buf_done(&k);
    return rc;
}

peat_rc peat_exists(peat_db *db, const peat_read_options *options, peat_slice key)
{
    pt_get_options o;
    pt_key_buf k;
    peat_rc rc = begin_read(db, options, key, &o, &k);
    if (rc != PEAT_OK)
        return rc;
    rc = pt_store_exists(db->store, &o, pt_key_buf_slice(&k));
    pt_key_buf_done(&k);
    return rc;
}

peat_rc peat_get_pinned(peat_db *db, const peat_read_options *options, peat_slice key,
                        peat_pinned *ret_value)
{
    pt_get_options o;
    pt_key_buf k;
    /* what it holds would be lost with it, and never given back */
    bool in_use = ret_value != NULL && (ret_value->data != NULL || ret_value->reserved[0] != NULL);
    peat_rc rc = ret_value == NULL || in_use ? PEAT_INVALID : begin_read(db, options, key, &o, &k);
    if (rc != PEAT_OK)
        return rc;
    rc = pt_store_get_pinned(db->store, &o, pt_key_buf_slice(&k), ret_value);
    pt_key_buf_done(&k);
    return rc;
}

void peat_unpin(peat_pinned *pinned)
{
    if (pinned != NULL)
        pt_store_unpin(pinned);
}

void peat_buf_free(peat_buf *buf)
{
    if (buf == NULL)
        return;
    if (buf->data != NULL)
        pt_free(buf->env, buf->data);
    *buf = (peat_buf)PEAT_BUF_INIT;
}
