/* SPDX-License-Identifier: MIT */
/* handle.c - see handle.h. */
#include "api/handle.h"

#include <stdio.h>

#include "base/coding.h"

peat_rc pt_api_begin(peat_db *db)
{
    return db == NULL ? PEAT_INVALID : pt_store_call_begin(db->store) ? PEAT_OK : PEAT_CLOSED;
}

peat_rc pt_api_end(pt_store *s, peat_rc rc)
{
    if (PT_UNLIKELY(rc < 0))
        pt_sink_call(&s->sink, rc, NULL);
    pt_store_call_end(s);
    return rc;
}

peat_rc pt_api_refuse(pt_store *s, peat_rc rc, const char *call, const char *why)
{
    char text[sizeof((peat_error *)NULL)->message];
    (void)snprintf(text, sizeof text, "%s: %s", call, why);
    if (pt_store_call_begin(s)) {
        pt_sink_call(&s->sink, rc, text);
        pt_store_call_end(s);
    }
    return rc;
}

peat_rc pt_api_refuse_bytes(pt_store *s, const char *call, const char *name, peat_slice bytes,
                            size_t size_max)
{
    char why[160];
    if (bytes.data == NULL) {
        (void)snprintf(why, sizeof why, "%s: data is NULL, but size is not 0", name);
        return pt_api_refuse(s, PEAT_INVALID, call, why);
    }
    (void)snprintf(why, sizeof why, "%s: %zu bytes are more than %zu", name, bytes.size, size_max);
    return pt_api_refuse(s, PEAT_TOO_BIG, call, why);
}

peat_rc pt_api_refuse_snapshot(pt_store *s, const char *call, const peat_snapshot *snapshot)
{
    bool outlived = atomic_load(&snapshot->store->closed);
    return outlived ? pt_api_refuse(s, PEAT_CLOSED, call, "options.snapshot: its store is closed")
                    : pt_api_refuse(s, PEAT_INVALID, call, "options.snapshot: of another store");
}

peat_rc pt_api_key_init(pt_api_key *b, const pt_env *env, uint32_t keyspace, peat_slice key)
{
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

void pt_api_key_done(pt_api_key *b)
{
    if (b->data != NULL && b->data != b->inline_bytes)
        pt_free(b->env, b->data);
    b->data = NULL;
}

bool pt_api_options_valid(const void *options, size_t known_size, size_t first_size)
{
    size_t size;
    if (options == NULL)
        return true;
    memcpy(&size, options, sizeof size);
    return size >= first_size && size <= known_size;
}

void pt_api_options_copy(const void *options, void *ret_copy, size_t known_size)
{
    size_t size = 0;
    memset(ret_copy, 0, known_size);
    if (options == NULL)
        return;
    memcpy(&size, options, sizeof size);
    memcpy(ret_copy, options, size < known_size ? size : known_size);
}

void pt_api_report_copy(const void *report, size_t known_size, void *ret_report)
{
    size_t size;
    if (ret_report == NULL)
        return;
    memcpy(&size, ret_report, sizeof size);
    memcpy(ret_report, report, size < known_size ? size : known_size);
    memcpy(ret_report, &size, sizeof size);
}

peat_rc pt_api_check_range(pt_store *s, const char *call, peat_slice lower, peat_slice upper)
{
    peat_rc rc = PEAT_OK;
    if (!pt_api_slice_absent(lower))
        rc = pt_api_check_bytes(s, call, "lower", lower, PEAT_BOUND_SIZE_MAX);
    if (rc == PEAT_OK && !pt_api_slice_absent(upper))
        rc = pt_api_check_bytes(s, call, "upper", upper, PEAT_BOUND_SIZE_MAX);
    return rc;
}

peat_rc pt_api_range_init(pt_api_range *r, const pt_env *env, uint32_t keyspace, peat_slice lower,
                          peat_slice upper)
{
    peat_rc rc = PEAT_OK;
    bool ends = !pt_api_slice_absent(upper); /* else the first key of the next keyspace does */
    r->lower.data = r->upper.data = NULL;
    if (pt_api_slice_absent(lower))
        lower = peat_unbounded();
    TRY(pt_api_key_init(&r->lower, env, keyspace, lower));
    TRY(ends ? pt_api_key_init(&r->upper, env, keyspace, upper)
             : pt_api_key_init(&r->upper, env, keyspace + 1, peat_unbounded()));
    return PEAT_OK;
out:
    pt_api_range_done(r);
    return rc;
}

void pt_api_range_done(pt_api_range *r)
{
    pt_api_key_done(&r->lower);
    pt_api_key_done(&r->upper);
}
