/* SPDX-License-Identifier: MIT */
/* upkeep.c - sync, flush, compact, settle, work, check. */
#include "api/handle.h"
#include "db/check.h"
#include "state/switch.h"
#include "work/work.h"
#include "write/write.h"

static peat_rc call_simple(peat_db *db, peat_rc (*fn)(pt_store *))
{
    peat_rc rc = pt_api_begin(db);
    if (rc != PEAT_OK)
        return rc;
    return pt_api_end(db->store, fn(db->store));
}

peat_rc peat_sync(peat_db *db)
{
    return call_simple(db, pt_write_sync);
}

peat_rc peat_flush(peat_db *db)
{
    return call_simple(db, pt_switch_flush);
}

peat_rc peat_compact(peat_db *db, peat_slice lower, peat_slice upper, const peat_progress *progress)
{
    pt_api_range range;
    if (db != NULL && !pt_api_options_valid(progress, sizeof *progress, sizeof *progress))
        return pt_api_refuse(db->store, PEAT_INVALID, "peat_compact",
                             "progress: size is none that this library knows");
    peat_rc rc =
        db != NULL ? pt_api_check_range(db->store, "peat_compact", lower, upper) : PEAT_INVALID;
    if (rc == PEAT_OK)
        rc = pt_api_begin(db);
    if (rc != PEAT_OK)
        return rc;
    rc = pt_api_range_init(&range, db->store->env, db->keyspace, lower, upper);
    if (rc == PEAT_OK) {
        rc = pt_work_compact(db->store, pt_api_key_slice(&range.lower),
                             pt_api_key_slice(&range.upper), progress);
        pt_api_range_done(&range);
    }
    return pt_api_end(db->store, rc);
}

peat_rc peat_settle(peat_db *db, uint64_t timeout_ms)
{
    peat_rc rc = pt_api_begin(db);
    if (rc != PEAT_OK)
        return rc;
    return pt_api_end(db->store, pt_work_settle(db->store, timeout_ms));
}

peat_rc peat_work(peat_db *db, size_t units_max, size_t *ret_units_done)
{
    size_t done = 0;
    if (ret_units_done != NULL)
        *ret_units_done = 0;
    peat_rc rc = pt_api_begin(db);
    if (rc != PEAT_OK)
        return rc;
    bool did = true;
    while (rc == PEAT_OK && did && done < units_max) {
        rc = pt_work_unit(db->store, true, &did);
        done += rc == PEAT_OK && did;
    }
    if (ret_units_done != NULL)
        *ret_units_done = done;
    return pt_api_end(db->store, rc);
}

peat_rc peat_check(peat_db *db, const peat_check_options *options, peat_check_report *ret_report)
{
    peat_check_options o;
    peat_check_report report;
    if (db == NULL)
        return PEAT_INVALID;
    if (!pt_api_options_valid(options, sizeof o, sizeof o))
        return pt_api_refuse(db->store, PEAT_INVALID, "peat_check", PT_API_WHY_OPTIONS);
    if (ret_report != NULL && ret_report->size < sizeof(size_t))
        return pt_api_refuse(db->store, PEAT_INVALID, "peat_check", "ret_report: size is not set");
    if (!pt_store_call_begin(db->store))
        return PEAT_CLOSED;
    pt_api_options_copy(options, &o, sizeof o);
    memset(&report, 0, sizeof report);
    peat_rc rc = pt_check_store(db->store, &o, &report);
    pt_api_report_copy(&report, sizeof report, ret_report);
    return pt_api_end(db->store, rc);
}
