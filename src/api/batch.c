/* SPDX-License-Identifier: MIT */
/* batch.c - batches. They belong to no store, so their memory is the default environment's. */
#include "api/handle.h"
#include "write/write.h"

#include <stdio.h>

peat_rc peat_batch_new(peat_batch **ret_batch)
{
    if (ret_batch == NULL)
        return PEAT_INVALID;
    const pt_env *env = peat_env_default();
    peat_batch *b = (peat_batch *)pt_alloc_zero(env, sizeof *b);
    if (b == NULL)
        return PEAT_NOMEM;
    b->env = env;
    pt_batch_init(&b->ops, env);
    *ret_batch = b;
    return PEAT_OK;
}

void peat_batch_free(peat_batch *batch)
{
    if (batch == NULL)
        return;
    pt_batch_done(&batch->ops);
    pt_free(batch->env, batch);
}

void peat_batch_clear(peat_batch *batch)
{
    if (batch == NULL)
        return;
    pt_batch_clear(&batch->ops);
}

size_t peat_batch_count(const peat_batch *batch)
{
    return batch == NULL ? 0 : batch->ops.count;
}

size_t peat_batch_bytes(const peat_batch *batch)
{
    return batch == NULL ? 0 : batch->ops.bytes.size;
}

/* An operation that is refused says why (peat_batch_error). NULL: the code's own text. */
static peat_rc refuse(peat_batch *batch, peat_rc rc, const char *call, const char *why)
{
    batch->failed = rc;
    batch->failed_call = call;
    batch->failed_why = why;
    return rc;
}

static peat_rc check_bytes(peat_batch *batch, const char *call, bool is_key, peat_slice bytes)
{
    if (PT_UNLIKELY(bytes.data == NULL && bytes.size != 0))
        return refuse(batch, PEAT_INVALID, call,
                      is_key ? "key: data is NULL, but size is not 0"
                             : "value: data is NULL, but size is not 0");
    if (PT_UNLIKELY(bytes.size > (is_key ? PEAT_KEY_SIZE_MAX : PEAT_VALUE_SIZE_MAX)))
        return refuse(batch, PEAT_TOO_BIG, call,
                      is_key ? "key: larger than PEAT_KEY_SIZE_MAX"
                             : "value: larger than PEAT_VALUE_SIZE_MAX");
    return PEAT_OK;
}

/* Of an operation that was found good by itself. */
static peat_rc added(peat_batch *batch, const char *call, peat_rc rc)
{
    if (PT_LIKELY(rc == PEAT_OK))
        return PEAT_OK;
    return refuse(batch, rc, call,
                  rc == PEAT_TOO_BIG ? "the batch would be larger than PEAT_BATCH_SIZE_MAX" : NULL);
}

peat_rc peat_batch_put(peat_batch *batch, peat_slice key, peat_slice value)
{
    static const char call[] = "peat_batch_put";
    peat_rc rc = PEAT_INVALID;
    if (batch == NULL)
        return rc;
    rc = check_bytes(batch, call, true, key);
    if (rc == PEAT_OK)
        rc = check_bytes(batch, call, false, value);
    if (rc != PEAT_OK)
        return rc;
    return added(batch, call,
                 pt_batch_put(&batch->ops, PT_KEYSPACE_DEFAULT, pt_slice_of(key.data, key.size),
                              pt_slice_of(value.data, value.size)));
}

peat_rc peat_batch_delete(peat_batch *batch, peat_slice key)
{
    static const char call[] = "peat_batch_delete";
    peat_rc rc = batch != NULL ? check_bytes(batch, call, true, key) : PEAT_INVALID;
    if (rc != PEAT_OK)
        return rc;
    return added(
        batch, call,
        pt_batch_delete(&batch->ops, PT_KEYSPACE_DEFAULT, pt_slice_of(key.data, key.size)));
}

peat_rc peat_batch_put_reserve(peat_batch *batch, peat_slice key, size_t value_size,
                               void **ret_value)
{
    static const char call[] = "peat_batch_put_reserve";
    uint8_t *room = NULL;
    if (batch == NULL)
        return PEAT_INVALID;
    if (ret_value == NULL)
        return refuse(batch, PEAT_INVALID, call, "ret_value is NULL");
    peat_rc rc = check_bytes(batch, call, true, key);
    if (rc == PEAT_OK) /* only its size is known: any bytes that are there will do */
        rc = check_bytes(batch, call, false, peat_bytes("", value_size));
    if (rc != PEAT_OK)
        return rc;
    rc = pt_batch_put_reserve(&batch->ops, PT_KEYSPACE_DEFAULT, pt_slice_of(key.data, key.size),
                              value_size, &room);
    if (rc == PEAT_OK)
        *ret_value = room;
    return added(batch, call, rc);
}

peat_rc peat_batch_append(peat_batch *batch, const peat_batch *from)
{
    static const char call[] = "peat_batch_append";
    if (batch == NULL)
        return PEAT_INVALID;
    if (from == NULL)
        return refuse(batch, PEAT_INVALID, call, "from is NULL");
    return added(batch, call, pt_batch_append(&batch->ops, &from->ops));
}

size_t peat_batch_mark(const peat_batch *batch)
{
    return batch == NULL ? 0 : batch->ops.bytes.size;
}

peat_rc peat_batch_rollback_to(peat_batch *batch, size_t mark)
{
    if (batch == NULL)
        return PEAT_INVALID;
    if (!pt_batch_cut(&batch->ops, mark))
        return refuse(batch, PEAT_INVALID, "peat_batch_rollback_to",
                      "mark: no operation of this batch ends there");
    return PEAT_OK;
}

/* By place, not by address: the callback may add to the batch. What it adds is not visited. */
peat_rc peat_batch_each(const peat_batch *batch, peat_rc (*fn)(void *ctx, const peat_batch_op *op),
                        void *ctx)
{
    peat_rc rc = batch != NULL && fn != NULL ? PEAT_OK : PEAT_INVALID;
    size_t at = 0, end = batch != NULL ? batch->ops.bytes.size : 0;
    while (rc == PEAT_OK && at < end && end <= batch->ops.bytes.size) {
        pt_entry e;
        pt_cursor c = pt_cursor_of(batch->ops.bytes.data + at, end - at);
        rc = pt_op_next(&c, &e);
        if (rc != PEAT_OK) /* the callback has made another batch of it */
            return PEAT_INVALID;
        at = end - pt_cursor_left(&c);
        peat_batch_op op = {
            .size = sizeof op,
            .kind = pt_kind_has_value(e.kind) ? PEAT_BATCH_PUT : PEAT_BATCH_DELETE,
            .key = {.data = e.key.data + PT_KEYSPACE_BYTES, .size = e.key.size - PT_KEYSPACE_BYTES},
            .value = {.data = e.value.data, .size = e.value.size}};
        rc = fn(ctx, &op);
    }
    return rc;
}

peat_rc peat_batch_error(const peat_batch *batch, peat_error *ret_error)
{
    if (batch == NULL || ret_error == NULL)
        return PEAT_INVALID;
    (void)pt_api_say(ret_error, batch->failed, batch->failed_why);
    if (batch->failed != PEAT_OK)
        (void)snprintf(ret_error->message, sizeof ret_error->message, "%s: %s", batch->failed_call,
                       batch->failed_why != NULL ? batch->failed_why : peat_rc_text(batch->failed));
    return batch->failed;
}

pt_write_request pt_api_write_request(const pt_batch *ops, bool sync)
{
    return (pt_write_request){.payload = pt_bytes_slice(&ops->bytes),
                              .count = ops->count,
                              .deletes = ops->deletes,
                              .key_bytes = ops->key_bytes,
                              .value_bytes = ops->value_bytes,
                              .sync = sync,
                              .batch = true};
}

peat_rc peat_write(peat_db *db, const peat_write_options *options, peat_batch *batch)
{
    if (db == NULL)
        return PEAT_INVALID;
    if (batch == NULL)
        return pt_api_refuse(db->store, PEAT_INVALID, "peat_write", "batch is NULL");
    if (!pt_api_options_valid(options, sizeof *options, sizeof *options))
        return pt_api_refuse(db->store, PEAT_INVALID, "peat_write", PT_API_WHY_OPTIONS);
    if (!pt_store_call_begin(db->store))
        return PEAT_CLOSED;
    pt_write_request c = pt_api_write_request(&batch->ops, options != NULL && options->sync);
    peat_rc rc = PEAT_OK;
    if (c.count != 0)
        rc = pt_write_commit(db->store, &c);
    else if (c.sync)
        rc = pt_write_sync(db->store);
    return pt_api_end(db->store, rc);
}
