/* SPDX-License-Identifier: MIT */
/* stats.c - looking inside. */
#include "db/stats.h"

#include <stdio.h>

#include "api/handle.h"
#include "db/approximate.h"
#include "db/read.h"

peat_rc peat_stats(peat_db *db, peat_statistics *ret_stats)
{
    peat_statistics all;
    if (ret_stats == NULL || ret_stats->size < sizeof(size_t))
        return PEAT_INVALID;
    peat_rc rc = pt_db_begin(db);
    if (rc != PEAT_OK)
        return rc;
    rc = pt_store_stats(db->store, &all);
    pt_call_end(db->store);
    if (rc == PEAT_OK)
        pt_report_copy(&all, sizeof all, ret_stats);
    return rc;
}

typedef struct json {
    char *at;
    size_t left;
    bool first;
} json;

static void put_member(json *j, const char *name, uint64_t value)
{
    int n = snprintf(j->at, j->left, "%s\"%s\":%" PRIu64, j->first ? "{" : ",", name, value);
    PT_ASSERT(n > 0 && (size_t)n < j->left);
    j->at += n;
    j->left -= (size_t)n;
    j->first = false;
}

peat_rc peat_stats_json(peat_db *db, peat_buf *ret_json)
{
    /* the longest name and number, with quotes and comma, stay below this */
    enum { MEMBER_BYTES_MAX = 64, MEMBERS_MAX = sizeof(peat_statistics) / sizeof(uint64_t) };
    char text[MEMBER_BYTES_MAX * MEMBERS_MAX];
    peat_statistics all = {.size = sizeof all};
    if (db == NULL || ret_json == NULL)
        return PEAT_INVALID;
    const pt_env *env = db->store->env; /* when the figures are here, the handle may be gone */
    peat_rc rc = peat_stats(db, &all);
    if (rc != PEAT_OK)
        return rc;
    json j = {.at = text, .left = sizeof text, .first = true};
#define MEMBER(name) put_member(&j, #name, all.name);
    PEAT_STATISTICS_LIST(MEMBER)
#undef MEMBER
    *j.at++ = '}';
    size_t size = (size_t)(j.at - text);
    rc = pt_buf_reserve(env, ret_json, size);
    if (rc == PEAT_OK) {
        memcpy(ret_json->data, text, size);
        ret_json->size = size;
    }
    return rc;
}

peat_rc peat_shape(peat_db *db, peat_rc (*fn)(void *ctx, const peat_partition_info *partition),
                   void *ctx)
{
    peat_rc rc = fn != NULL ? pt_db_begin(db) : PEAT_INVALID;
    if (rc != PEAT_OK)
        return rc;
    rc = pt_store_shape(db->store, fn, ctx);
    pt_call_end(db->store);
    return rc;
}

static peat_rc approximate(peat_db *db, peat_slice lower, peat_slice upper, uint64_t *ret_entries,
                           uint64_t *ret_bytes)
{
    pt_range_buf range;
    peat_rc rc = pt_range_buf_init(&range, db->store->env, db->keyspace, lower, upper);
    if (rc != PEAT_OK)
        return rc;
    rc = pt_store_approximate(db->store, pt_key_buf_slice(&range.lower),
                              pt_key_buf_slice(&range.upper), ret_entries, ret_bytes);
    pt_range_buf_done(&range);
    return rc;
}

peat_rc peat_approximate_size(peat_db *db, peat_slice lower, peat_slice upper, uint64_t *ret_bytes)
{
    return db == NULL || ret_bytes == NULL ? PEAT_INVALID
                                           : approximate(db, lower, upper, NULL, ret_bytes);
}

peat_rc peat_approximate_count(peat_db *db, peat_slice lower, peat_slice upper, uint64_t *ret_count)
{
    return db == NULL || ret_count == NULL ? PEAT_INVALID
                                           : approximate(db, lower, upper, ret_count, NULL);
}
