/* SPDX-License-Identifier: MIT */
/* handle.c - see handle.h. */
#include "api/handle.h"

#include "base/coding.h"

peat_rc pt_db_begin(peat_db *db)
{
    return db == NULL ? PEAT_INVALID : pt_call_begin(db->store) ? PEAT_OK : PEAT_CLOSED;
}

peat_rc pt_key_buf_init(pt_key_buf *b, const pt_env *env, uint32_t keyspace, peat_slice key)
{
    b->data = NULL;
    if (!pt_slice_valid(key))
        return PEAT_INVALID;
    if (key.size > PEAT_KEY_SIZE_MAX)
        return PEAT_TOO_BIG;
    b->env = env;
    b->size = key.size + PT_KEYSPACE_BYTES;
    b->data =
        b->size <= sizeof b->inline_bytes ? b->inline_bytes : (uint8_t *)pt_alloc(env, b->size);
    if (b->data == NULL)
        return PEAT_NOMEM;
    pt_put_be32(b->data, keyspace);
    if (key.size != 0)
        memcpy(b->data + PT_KEYSPACE_BYTES, key.data, key.size);
    return PEAT_OK;
}

void pt_key_buf_done(pt_key_buf *b)
{
    if (b->data != NULL && b->data != b->inline_bytes)
        pt_free(b->env, b->data);
    b->data = NULL;
}

bool pt_options_valid(const void *options, size_t known_size, size_t first_size)
{
    size_t size;
    if (options == NULL)
        return true;
    memcpy(&size, options, sizeof size);
    return size >= first_size && size <= known_size;
}

void pt_options_copy(const void *options, void *ret_copy, size_t known_size)
{
    size_t size = 0;
    memset(ret_copy, 0, known_size);
    if (options == NULL)
        return;
    memcpy(&size, options, sizeof size);
    memcpy(ret_copy, options, size < known_size ? size : known_size);
}

void pt_report_copy(const void *report, size_t known_size, void *ret_report)
{
    size_t size;
    if (ret_report == NULL)
        return;
    memcpy(&size, ret_report, sizeof size);
    memcpy(ret_report, report, size < known_size ? size : known_size);
    memcpy(ret_report, &size, sizeof size);
}

peat_rc pt_range_buf_init(pt_range_buf *r, const pt_env *env, uint32_t keyspace, peat_slice lower,
                          peat_slice upper)
{
    r->upper.data = NULL;
    peat_rc rc = pt_key_buf_init(&r->lower, env, keyspace, lower);
    if (rc != PEAT_OK)
        return rc;
    bool bounded = upper.data != NULL || upper.size != 0; /* no data, but a size: that is refused */
    rc = bounded ? pt_key_buf_init(&r->upper, env, keyspace, upper)
                 : pt_key_buf_init(&r->upper, env, keyspace + 1, peat_unbounded());
    if (rc != PEAT_OK)
        pt_key_buf_done(&r->lower);
    return rc;
}

void pt_range_buf_done(pt_range_buf *r)
{
    pt_key_buf_done(&r->lower);
    pt_key_buf_done(&r->upper);
}
