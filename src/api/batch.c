/* SPDX-License-Identifier: MIT */
/* batch.c - batches. They belong to no store, so their memory is the default environment's. */
#include "api/handle.h"

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

static peat_rc check_op(const peat_batch *batch, peat_slice key, size_t value_size)
{
    if (batch == NULL || !pt_slice_valid(key))
        return PEAT_INVALID;
    return key.size > PEAT_KEY_SIZE_MAX || value_size > PEAT_VALUE_SIZE_MAX ? PEAT_TOO_BIG
                                                                            : PEAT_OK;
}

peat_rc peat_batch_put(peat_batch *batch, peat_slice key, peat_slice value)
{
    peat_rc rc = pt_slice_valid(value) ? check_op(batch, key, value.size) : PEAT_INVALID;
    if (rc != PEAT_OK)
        return rc;
    return pt_batch_put(&batch->ops, PT_KEYSPACE_DEFAULT, pt_slice_of(key.data, key.size),
                        pt_slice_of(value.data, value.size));
}

peat_rc peat_batch_delete(peat_batch *batch, peat_slice key)
{
    peat_rc rc = check_op(batch, key, 0);
    if (rc == PEAT_OK)
        rc = pt_batch_delete(&batch->ops, PT_KEYSPACE_DEFAULT, pt_slice_of(key.data, key.size));
    return rc;
}

peat_rc peat_batch_put_reserve(peat_batch *batch, peat_slice key, size_t value_size,
                               void **ret_value)
{
    uint8_t *room;
    peat_rc rc = ret_value == NULL ? PEAT_INVALID : check_op(batch, key, value_size);
    if (rc == PEAT_OK)
        rc = pt_batch_put_reserve(&batch->ops, PT_KEYSPACE_DEFAULT, pt_slice_of(key.data, key.size),
                                  value_size, &room);
    if (rc == PEAT_OK)
        *ret_value = room;
    return rc;
}

peat_rc peat_write(peat_db *db, const peat_write_options *options, peat_batch *batch)
{
    if (db == NULL || batch == NULL || !pt_options_valid(options, sizeof *options, sizeof *options))
        return PEAT_INVALID;
    if (!pt_call_begin(db->store))
        return PEAT_CLOSED;
    pt_commit c = {.payload = pt_bytes_slice(&batch->ops.bytes),
                   .count = batch->ops.count,
                   .deletes = batch->ops.deletes,
                   .key_bytes = batch->ops.key_bytes,
                   .value_bytes = batch->ops.value_bytes,
                   .sync = options != NULL && options->sync,
                   .batch = true};
    peat_rc rc = PEAT_OK;
    if (c.count != 0)
        rc = pt_store_commit(db->store, &c);
    else if (c.sync)
        rc = pt_store_sync(db->store);
    pt_call_end(db->store);
    return rc;
}
