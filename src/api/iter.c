/* SPDX-License-Identifier: MIT */
/* iter.c - iterators and snapshots. */
#include "api/handle.h"

#include "base/coding.h"
#include "state/snapshot.h"

peat_rc peat_snapshot_open(peat_db *db, peat_snapshot **ret_snapshot)
{
    if (db != NULL && ret_snapshot == NULL)
        return pt_api_refuse(db->store, PEAT_INVALID, "peat_snapshot_open", "ret_snapshot is NULL");
    peat_rc rc = pt_api_begin(db);
    if (rc != PEAT_OK)
        return rc;
    peat_snapshot *snap = (peat_snapshot *)pt_alloc_zero(db->store->env, sizeof *snap);
    if (snap != NULL) {
        snap->store = pt_store_ref(db->store);
        pt_snapshot_link_add(db->store, &snap->link);
        *ret_snapshot = snap;
    }
    return pt_api_end(db->store, snap != NULL ? PEAT_OK : PEAT_NOMEM);
}

void peat_snapshot_close(peat_snapshot *snapshot)
{
    if (snapshot == NULL || pt_store_forked(snapshot->store))
        return;
    pt_store *s = snapshot->store;
    pt_snapshot_link_remove(s, &snapshot->link);
    pt_free(s->env, snapshot);
    pt_store_unref(s);
}

/* The smallest key above every key with this prefix: the prefix plus one, as a number. */
static void increment(pt_api_key *b)
{
    while (b->size > 0 && b->data[b->size - 1] == 0xff)
        b->size--;
    if (b->size > 0)
        b->data[b->size - 1]++;
}

/* Bounds and prefix together. */
static peat_rc open_scan(const peat_db *db, const peat_iter_options *o, pt_scan **ret_scan)
{
    const pt_env *env = db->store->env;
    pt_api_range range, prefix;
    prefix.lower.data = prefix.upper.data = NULL;
    peat_rc rc = pt_api_range_init(&range, env, db->keyspace, o->lower, o->upper);
    if (rc != PEAT_OK)
        return rc;
    pt_scan_options so = {.lower = pt_api_key_slice(&range.lower),
                          .upper = pt_api_key_slice(&range.upper),
                          .keys_only = o->keys_only,
                          .whole_table = o->no_cache_fill};
    if (!pt_api_slice_absent(o->prefix)) {
        TRY(pt_api_key_init(&prefix.lower, env, db->keyspace, o->prefix));
        TRY(pt_api_key_init(&prefix.upper, env, db->keyspace, o->prefix));
        increment(&prefix.upper);
        so.lower = pt_lower_tighter(so.lower, pt_api_key_slice(&prefix.lower));
        so.upper = pt_upper_tighter(so.upper, pt_api_key_slice(&prefix.upper));
    }
    if (pt_slice_compare(so.upper, so.lower) < 0)
        so.upper = so.lower; /* an empty range */
    if (o->snapshot != NULL) {
        so.has_seq = true;
        so.seq = o->snapshot->link.seq;
    }
    rc = pt_scan_new(db->store, &so, ret_scan);
out:
    pt_api_range_done(&range);
    pt_api_range_done(&prefix);
    return rc;
}

static peat_rc check_options(const peat_db *db, const char *call, const peat_iter_options *options)
{
    if (!pt_api_options_valid(options, sizeof *options, sizeof *options))
        return pt_api_refuse(db->store, PEAT_INVALID, call, PT_API_WHY_OPTIONS);
    if (options == NULL)
        return PEAT_OK;
    if (options->snapshot != NULL && options->snapshot->store != db->store)
        return pt_api_refuse_snapshot(db->store, call, options->snapshot);
    peat_rc rc = pt_api_check_range(db->store, call, options->lower, options->upper);
    if (rc == PEAT_OK && !pt_api_slice_absent(options->prefix))
        rc = pt_api_check_bytes(db->store, call, "prefix", options->prefix, PEAT_BOUND_SIZE_MAX);
    return rc;
}

peat_rc pt_api_open_scan(const peat_db *db, const char *call, const peat_iter_options *options,
                         pt_scan **ret_scan)
{
    peat_iter_options o;
    peat_rc rc = check_options(db, call, options);
    if (rc != PEAT_OK)
        return rc;
    pt_api_options_copy(options, &o, sizeof o);
    if (!pt_store_call_begin(db->store))
        return PEAT_CLOSED;
    return pt_api_end(db->store, open_scan(db, &o, ret_scan));
}

peat_rc peat_iter_open(peat_db *db, const peat_iter_options *options, peat_iter **ret_iter)
{
    static const char call[] = "peat_iter_open: options";
    peat_iter_options o;
    if (db == NULL)
        return PEAT_INVALID;
    if (ret_iter == NULL)
        return pt_api_refuse(db->store, PEAT_INVALID, "peat_iter_open", "ret_iter is NULL");
    peat_rc rc = check_options(db, call, options);
    if (rc != PEAT_OK)
        return rc;
    pt_api_options_copy(options, &o, sizeof o);
    if (!pt_store_call_begin(db->store))
        return PEAT_CLOSED;
    const pt_env *env = db->store->env;
    peat_iter *it = (peat_iter *)pt_alloc_zero(env, sizeof *it);
    rc = it != NULL ? open_scan(db, &o, &it->scan) : PEAT_NOMEM;
    if (rc == PEAT_OK) {
        it->env = env;
        it->store = db->store;
        it->keyspace = db->keyspace;
        it->of_snapshot = o.snapshot != NULL;
        it->no_cache_fill = o.no_cache_fill;
        *ret_iter = it;
    } else {
        pt_free(env, it);
    }
    return pt_api_end(db->store, rc);
}

void peat_iter_close(peat_iter *iter)
{
    if (iter == NULL || pt_scan_forked(iter->scan))
        return;
    const pt_env *env = iter->env;
    pt_scan_free(iter->scan);
    pt_free(env, iter);
}

/* What a movement ended with; an error is kept for peat_call_error. */
static peat_rc moved(peat_iter *iter, bool back, peat_rc rc)
{
    iter->back = back;
    if (PT_UNLIKELY(rc < 0 && rc != PEAT_CLOSED))
        pt_sink_call(&iter->store->sink, rc, NULL);
    return rc;
}

peat_rc peat_iter_first(peat_iter *iter)
{
    return iter == NULL ? PEAT_INVALID : moved(iter, false, pt_scan_go(iter->scan, PT_SCAN_FIRST));
}

peat_rc peat_iter_last(peat_iter *iter)
{
    return iter == NULL ? PEAT_INVALID : moved(iter, true, pt_scan_go(iter->scan, PT_SCAN_LAST));
}

peat_rc peat_iter_next(peat_iter *iter)
{
    return iter == NULL ? PEAT_INVALID : moved(iter, false, pt_scan_go(iter->scan, PT_SCAN_NEXT));
}

peat_rc peat_iter_prev(peat_iter *iter)
{
    return iter == NULL ? PEAT_INVALID : moved(iter, true, pt_scan_go(iter->scan, PT_SCAN_PREV));
}

static peat_rc seek(peat_iter *iter, const char *call, peat_slice key, bool for_prev)
{
    pt_api_key k;
    if (iter == NULL)
        return PEAT_INVALID;
    peat_rc rc = pt_api_check_bytes(iter->store, call, "key", key, PEAT_BOUND_SIZE_MAX);
    if (rc != PEAT_OK)
        return rc;
    rc = pt_api_key_init(&k, iter->env, iter->keyspace, key);
    if (rc == PEAT_OK)
        rc = pt_scan_seek(iter->scan, pt_api_key_slice(&k), for_prev);
    else
        rc = pt_scan_end(iter->scan, rc);
    pt_api_key_done(&k);
    return moved(iter, for_prev, rc);
}

peat_rc peat_iter_seek(peat_iter *iter, peat_slice key)
{
    return seek(iter, "peat_iter_seek", key, false);
}

peat_rc peat_iter_seek_for_prev(peat_iter *iter, peat_slice key)
{
    return seek(iter, "peat_iter_seek_for_prev", key, true);
}

peat_rc peat_iter_refresh(peat_iter *iter)
{
    pt_scan *scan = NULL;
    if (iter == NULL)
        return PEAT_INVALID;
    if (iter->of_snapshot)
        return pt_api_refuse(iter->store, PEAT_INVALID, "peat_iter_refresh",
                             "the iterator was opened at a snapshot, which does not move");
    if (!pt_store_call_begin(iter->store))
        return PEAT_CLOSED;
    peat_rc rc = pt_scan_again(iter->scan, iter->back, iter->no_cache_fill, &scan);
    if (scan != NULL) {
        pt_scan_free(iter->scan);
        iter->scan = scan;
    }
    return pt_api_end(iter->store, rc);
}

bool peat_iter_valid(const peat_iter *iter)
{
    return iter != NULL && pt_scan_valid(iter->scan);
}

peat_slice peat_iter_key(const peat_iter *iter)
{
    if (!peat_iter_valid(iter))
        return peat_unbounded();
    pt_slice k = pt_scan_key(iter->scan);
    return peat_bytes(k.data + PT_KEYSPACE_BYTES, k.size - PT_KEYSPACE_BYTES);
}

peat_slice peat_iter_value(const peat_iter *iter)
{
    if (!peat_iter_valid(iter))
        return peat_unbounded();
    pt_slice v = pt_scan_value(iter->scan);
    return peat_bytes(v.data, v.size);
}

static peat_rc fill(peat_iter *iter, bool back, peat_row *rows, size_t n, size_t *ret_n)
{
    if (ret_n != NULL)
        *ret_n = 0;
    if (iter == NULL)
        return PEAT_INVALID;
    if (rows == NULL || n == 0 || ret_n == NULL)
        return pt_api_refuse(iter->store, PEAT_INVALID,
                             back ? "peat_iter_fill_back" : "peat_iter_fill",
                             "rows is NULL, n is 0, or ret_n is NULL");
    return moved(iter, back, pt_scan_fill(iter->scan, back, rows, n, ret_n));
}

peat_rc peat_iter_fill(peat_iter *iter, peat_row *rows, size_t n, size_t *ret_n)
{
    return fill(iter, false, rows, n, ret_n);
}

peat_rc peat_iter_fill_back(peat_iter *iter, peat_row *rows, size_t n, size_t *ret_n)
{
    return fill(iter, true, rows, n, ret_n);
}
