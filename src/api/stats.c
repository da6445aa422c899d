/* SPDX-License-Identifier: MIT */
/* stats.c - looking inside. */
#include "db/stats.h"

#include <stdio.h>

#include "api/handle.h"
#include "read/approximate.h"
#include "read/read.h"
#include "version/feature.h"

peat_rc peat_stats(peat_db *db, peat_statistics *ret_stats)
{
    peat_statistics all;
    if (db == NULL)
        return PEAT_INVALID;
    if (ret_stats == NULL || ret_stats->size < sizeof(size_t))
        return pt_api_refuse(db->store, PEAT_INVALID, "peat_stats",
                             "ret_stats is NULL, or its size is not set");
    peat_rc rc = pt_api_begin(db);
    if (rc != PEAT_OK)
        return rc;
    rc = pt_api_end(db->store, pt_stats_take(db->store, &all));
    if (rc == PEAT_OK)
        pt_api_report_copy(&all, sizeof all, ret_stats);
    return rc;
}

const char *peat_feature_name(unsigned i)
{
    return pt_feature_name(i);
}

typedef struct json {
    char *at;
    size_t left;
    bool first;
} json;

static void put_member(json *j, const char *name, uint64_t value)
{
    int n = snprintf(j->at, j->left, "%s\"%s\":%" PRIu64, j->first ? "{" : ",", name, value);
    PT_ASSERT(n > 0 && (size_t)n < j->left, "the room for statistics holds them all");
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
    if (db == NULL)
        return PEAT_INVALID;
    if (ret_json == NULL)
        return pt_api_refuse(db->store, PEAT_INVALID, "peat_stats_json", "ret_json is NULL");
    peat_rc rc = pt_api_begin(db);
    if (rc != PEAT_OK)
        return rc;
    TRY(pt_stats_take(db->store, &all));
    json j = {.at = text, .left = sizeof text, .first = true};
#define MEMBER(name) put_member(&j, #name, all.name);
    PEAT_STATISTICS_LIST(MEMBER)
#undef MEMBER
    *j.at++ = '}';
    size_t size = (size_t)(j.at - text);
    TRY(pt_read_buf_reserve(db->store->env, ret_json, size));
    memcpy(ret_json->data, text, size);
    ret_json->size = size;
out:
    return pt_api_end(db->store, rc);
}

peat_rc peat_shape(peat_db *db, peat_rc (*fn)(void *ctx, const peat_partition_info *partition),
                   void *ctx)
{
    if (db != NULL && fn == NULL)
        return pt_api_refuse(db->store, PEAT_INVALID, "peat_shape", "fn is NULL");
    peat_rc rc = pt_api_begin(db);
    if (rc != PEAT_OK)
        return rc;
    return pt_api_end(db->store, pt_stats_shape(db->store, fn, ctx));
}

static peat_rc approximate(peat_db *db, const char *call, peat_slice lower, peat_slice upper,
                           uint64_t *ret_entries, uint64_t *ret_bytes)
{
    pt_api_range range;
    if (db != NULL && ret_entries == NULL && ret_bytes == NULL)
        return pt_api_refuse(db->store, PEAT_INVALID, call,
                             "there is nowhere to put the answer: NULL");
    peat_rc rc = db != NULL ? pt_api_check_range(db->store, call, lower, upper) : PEAT_INVALID;
    if (rc == PEAT_OK)
        rc = pt_api_begin(db);
    if (rc != PEAT_OK)
        return rc;
    rc = pt_api_range_init(&range, db->store->env, db->keyspace, lower, upper);
    if (rc == PEAT_OK) {
        rc = pt_approximate(db->store, pt_api_key_slice(&range.lower),
                            pt_api_key_slice(&range.upper), ret_entries, ret_bytes);
        pt_api_range_done(&range);
    }
    return pt_api_end(db->store, rc);
}

peat_rc peat_approximate_size(peat_db *db, peat_slice lower, peat_slice upper, uint64_t *ret_bytes)
{
    return approximate(db, "peat_approximate_size", lower, upper, NULL, ret_bytes);
}

peat_rc peat_approximate_count(peat_db *db, peat_slice lower, peat_slice upper, uint64_t *ret_count)
{
    return approximate(db, "peat_approximate_count", lower, upper, ret_count, NULL);
}
