/* SPDX-License-Identifier: MIT */
/* upkeep.c - sync, flush, compact, settle, work, check. */
#include "api/handle.h"
#include "db/check.h"

static peat_rc call_simple(peat_db *db, peat_rc (*fn)(pt_store *))
{
    peat_rc rc = pt_db_begin(db);
    if (rc != PEAT_OK)
        return rc;
    rc = fn(db->store);
    pt_call_end(db->store);
    return rc;
}

peat_rc peat_sync(peat_db *db)
{
    return call_simple(db, pt_store_sync);
}

peat_rc peat_flush(peat_db *db)
{
    return call_simple(db, pt_store_flush);
}

peat_rc peat_compact(peat_db *db, peat_slice lower, peat_slice upper, const peat_progress *progress)
{
    pt_range_buf range;
    if (db == NULL || !pt_options_valid(progress, sizeof *progress, sizeof *progress))
        return PEAT_INVALID;
    peat_rc rc = pt_range_buf_init(&range, db->store->env, db->keyspace, lower, upper);
    if (rc != PEAT_OK)
        return rc;
    rc = PEAT_CLOSED;
    if (pt_call_begin(db->store)) {
        rc = pt_store_compact(db->store, pt_key_buf_slice(&range.lower),
                              pt_key_buf_slice(&range.upper), progress);
        pt_call_end(db->store);
    }
    pt_range_buf_done(&range);
    return rc;
}

peat_rc peat_settle(peat_db *db, uint64_t timeout_ms)
{
    peat_rc rc = pt_db_begin(db);
    if (rc != PEAT_OK)
        return rc;
    rc = pt_store_settle(db->store, timeout_ms);
    pt_call_end(db->store);
    return rc;
}

peat_rc peat_work(peat_db *db, size_t units_max, size_t *ret_units_done)
{
    size_t done = 0;
    if (ret_units_done != NULL)
        *ret_units_done = 0;
    peat_rc rc = pt_db_begin(db);
    if (rc != PEAT_OK)
        return rc;
    bool did = true;
    while (rc == PEAT_OK && did && done < units_max) {
        rc = pt_work_unit(db->store, true, &did);
        done += rc == PEAT_OK && did;
    }
    pt_call_end(db->store);
    if (ret_units_done != NULL)
        *ret_units_done = done;
    return rc;
}

peat_rc peat_check(peat_db *db, const peat_check_options *options, peat_check_report *ret_report)
{
    peat_check_options o;
    peat_check_report report;
    if (db == NULL || !pt_options_valid(options, sizeof o, sizeof o) ||
        (ret_report != NULL && ret_report->size < sizeof(size_t)))
        return PEAT_INVALID;
    pt_options_copy(options, &o, sizeof o);
    memset(&report, 0, sizeof report);
    peat_rc rc = pt_store_check(db->store, &o, &report);
    pt_report_copy(&report, sizeof report, ret_report);
    return rc;
}
