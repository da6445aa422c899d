/* SPDX-License-Identifier: MIT */
/*
 * scan.c - see scan.h.
 *
 * Below is one merged iterator over the memtables and tables of a view, which shows every version
 * of every key (forward newest first, backward oldest first).
 *
 * Invariant 1. At FORWARD `below` stands on the entry shown; key and value are its own.
 * Invariant 2. At BACKWARD `below` stands before all versions of the key shown, or at the end of
 * its way; the key is a copy, the value a copy or in a block that `below` still holds.
 */
#include "db/scan_state.h"

#include "entry/merge_iter.h"
#include "version/version_iter.h"

static peat_rc open_memory(pt_scan *c, pt_mem *m, pt_iter **children, size_t *io_count)
{
    pt_memtable_stats stats;
    pt_memtable_get_stats(m->table, &stats);
    if (stats.entries == 0)
        return PEAT_OK; /* what comes later is newer than this scan */
    (void)c;
    peat_rc rc = pt_memtable_iter_new(m->table, &children[*io_count]);
    *io_count += rc == PEAT_OK;
    return rc;
}

static peat_rc open_below(pt_scan *c, bool whole_table)
{
    peat_rc rc = PEAT_OK;
    pt_iter *children[PT_VIEW_IMMUTABLES_MAX + 2];
    size_t n = 0;
    pt_version_iter_options o = {
        .lower = c->lower, .upper = c->upper, .hint = whole_table ? PT_FETCH_ONCE : PT_FETCH_SCAN};
    TRY(open_memory(c, c->view->active, children, &n));
    for (size_t i = 0; i < c->view->immutable_count; i++)
        TRY(open_memory(c, c->view->immutables[i], children, &n));
    TRY(pt_version_iter_new(c->store->env, c->view->version, &o, &children[n]));
    n++;
    TRY(pt_merge_iter_new(c->store->env, children, n, &c->below));
    return PEAT_OK;
out:
    while (n-- > 0)
        pt_iter_done(children[n]);
    return rc;
}

static peat_rc copy_bounds(pt_scan *c, const pt_scan_options *o)
{
    peat_rc rc = PEAT_OK;
    TRY(pt_bytes_append(&c->bounds, o->lower.data, o->lower.size));
    TRY(pt_bytes_append(&c->bounds, o->upper.data, o->upper.size));
    c->lower = pt_slice_of(c->bounds.data, o->lower.size);
    c->upper = pt_slice_of(c->bounds.data + o->lower.size, o->upper.size);
out:
    return rc;
}

peat_rc pt_scan_new(pt_store *s, const pt_scan_options *options, pt_scan **ret_scan)
{
    pt_scan *c = (pt_scan *)pt_alloc_zero(s->env, sizeof *c);
    if (c == NULL)
        return PEAT_NOMEM;
    c->store = pt_store_ref(s);
    c->keys_only = options->keys_only;
    pt_bytes_init(&c->bounds, s->env);
    pt_bytes_init(&c->saved_key, s->env);
    pt_bytes_init(&c->saved_value, s->env);
    /* the sequence first, the view after it: merges that begin in between keep what it sees */
    if (options->has_seq)
        pt_snapshot_link_add_at(s, &c->link, options->seq);
    else
        pt_snapshot_link_add(s, &c->link);
    c->view = pt_store_view(s);
    atomic_fetch_add_explicit(&s->iterators, 1, memory_order_relaxed);
    peat_rc rc = copy_bounds(c, options);
    if (rc == PEAT_OK)
        rc = open_below(c, options->whole_table);
    if (rc != PEAT_OK) {
        pt_scan_free(c);
        return rc;
    }
    *ret_scan = c;
    return PEAT_OK;
}

void pt_scan_free(pt_scan *c)
{
    if (c == NULL || pt_store_forked(c->store))
        return; /* in a child nothing is touched: locks may be held by threads that are not there */
    pt_store *s = c->store;
    pt_iter_done(c->below);
    pt_view_unref(c->view);
    pt_snapshot_link_remove(s, &c->link);
    pt_bytes_done(&c->bounds);
    pt_bytes_done(&c->saved_key);
    pt_bytes_done(&c->saved_value);
    while (c->chunk_count > 0)
        pt_bytes_done(&c->chunks[--c->chunk_count]);
    pt_free(s->env, c->chunks);
    pt_free(s->env, c);
    atomic_fetch_sub_explicit(&s->iterators, 1, memory_order_relaxed);
    pt_store_unref(s);
}

static peat_rc end(pt_scan *c, peat_rc rc)
{
    c->place = PT_SCAN_AT_ENDED;
    c->ended = rc;
    c->key = c->value = (pt_slice){0};
    if (rc == PEAT_CORRUPT)
        atomic_fetch_add_explicit(&c->store->damages, 1, memory_order_relaxed);
    return rc;
}

static peat_rc save_key(pt_scan *c, pt_slice key)
{
    c->saved_key.size = 0;
    return pt_bytes_append(&c->saved_key, key.data, key.size);
}

static pt_slice saved_key(const pt_scan *c)
{
    return pt_slice_of(c->saved_key.data, c->saved_key.size);
}

static peat_rc show_below(pt_scan *c)
{
    const pt_entry *e = &c->below->at;
    pt_slice_copy(&c->key, &e->key);
    if (PT_LIKELY(!c->keys_only))
        pt_slice_copy(&c->value, &e->value);
    c->place = PT_SCAN_AT_FORWARD;
    return PEAT_OK;
}

/* Moves `below` on; with `stay` the last key of its block is as good as the end. */
static peat_rc next_below(pt_scan *c)
{
    if (PT_UNLIKELY(c->stay) && pt_slice_equal(c->below->at.key, c->below->stable_until))
        return PEAT_END;
    return pt_iter_next(c->below);
}

/* `below` has moved (rc). The first visible entry from there on, of another key than the saved one
 * when `skip`. */
static peat_rc settle_forward(pt_scan *c, peat_rc rc, bool skip)
{
    for (; rc == PEAT_OK; rc = next_below(c)) {
        const pt_entry *e = &c->below->at;
        if (e->seq > c->link.seq)
            continue;
        if (skip && pt_slice_equal(e->key, saved_key(c)))
            continue;
        if (pt_slice_compare(e->key, c->upper) >= 0)
            return end(c, PEAT_END);
        if (PT_LIKELY(e->kind == PT_KIND_PUT))
            return show_below(c);
        rc = save_key(c, e->key); /* a tombstone hides what is older */
        if (rc != PEAT_OK)
            break;
        skip = true;
    }
    return end(c, rc);
}

/* Keeps the value that may be shown in memory of the scan's own. */
static peat_rc save_value(pt_scan *c)
{
    c->saved_value.size = 0;
    peat_rc rc = pt_bytes_append(&c->saved_value, c->value.data, c->value.size);
    c->value = pt_slice_of(c->saved_value.data, c->saved_value.size);
    return rc;
}

/* The versions of the saved key, oldest first; `below` stands on the first of them. The newest
 * visible one is taken, by reference while its block is not left. *ret_put: there is one, and it is
 * no tombstone. */
static peat_rc walk_versions(pt_scan *c, bool *ret_put)
{
    peat_rc rc = PEAT_OK;
    bool referenced = false;
    *ret_put = false;
    do {
        const pt_entry *e = &c->below->at;
        if (e->seq <= c->link.seq) {
            *ret_put = e->kind == PT_KIND_PUT;
            referenced = *ret_put && !c->keys_only;
            pt_slice_copy(&c->value, &e->value);
        }
        if (referenced && !c->below->value_stays_back) {
            rc = save_value(c);
            referenced = false;
        }
        if (rc == PEAT_OK)
            rc = pt_iter_prev(c->below);
    } while (rc == PEAT_OK && pt_slice_equal(c->below->at.key, saved_key(c)));
    return rc;
}

/* `below` has moved backward (rc). The newest visible version of the first key from there down that
 * has one and is not deleted. */
static peat_rc settle_backward(pt_scan *c, peat_rc rc)
{
    while (rc == PEAT_OK) {
        bool put = false;
        if (pt_slice_compare(c->below->at.key, c->lower) < 0)
            return end(c, PEAT_END);
        rc = save_key(c, c->below->at.key);
        if (rc == PEAT_OK)
            rc = walk_versions(c, &put);
        if (put && (rc == PEAT_OK || rc == PEAT_END)) {
            c->key = saved_key(c);
            if (c->keys_only)
                c->value = (pt_slice){0};
            c->place = PT_SCAN_AT_BACKWARD;
            c->below_ended = rc == PEAT_END;
            return PEAT_OK;
        }
    }
    return end(c, rc);
}

static peat_rc go_first(pt_scan *c)
{
    atomic_fetch_add_explicit(&c->store->seeks, 1, memory_order_relaxed);
    return settle_forward(c, pt_iter_seek(c->below, c->lower), false);
}

static peat_rc go_last(pt_scan *c)
{
    atomic_fetch_add_explicit(&c->store->seeks, 1, memory_order_relaxed);
    peat_rc rc = pt_iter_seek_for_prev(c->below, c->upper);
    /* the bound itself is outside */
    while (rc == PEAT_OK && pt_slice_compare(c->below->at.key, c->upper) >= 0)
        rc = pt_iter_prev(c->below);
    return settle_backward(c, rc);
}

static peat_rc go_next(pt_scan *c)
{
    peat_rc rc = PEAT_OK;
    if (PT_LIKELY(c->place == PT_SCAN_AT_FORWARD)) {
        rc = save_key(c, c->key);
        return settle_forward(c, rc == PEAT_OK ? next_below(c) : rc, true);
    }
    /* backward: the shown key is saved already, and must not lie in below's memory */
    return settle_forward(c, pt_iter_seek(c->below, saved_key(c)), true);
}

static peat_rc go_prev(pt_scan *c)
{
    if (c->place == PT_SCAN_AT_BACKWARD)
        return c->below_ended ? end(c, PEAT_END) : settle_backward(c, PEAT_OK);
    peat_rc rc = save_key(c, c->key);
    while (rc == PEAT_OK && pt_slice_equal(c->below->at.key, saved_key(c)))
        rc = pt_iter_prev(c->below);
    return settle_backward(c, rc);
}

peat_rc pt_scan_enter(pt_scan *c)
{
    if (PT_UNLIKELY(pt_store_gone(c->store)))
        return end(c, PEAT_CLOSED);
    pt_budget_check_soon(c->store); /* the indexes of tables that were passed */
    return PEAT_OK;
}

peat_rc pt_scan_step(pt_scan *c, pt_scan_move move)
{
    switch (move) {
    case PT_SCAN_FIRST:
        return go_first(c);
    case PT_SCAN_LAST:
        return go_last(c);
    case PT_SCAN_NEXT:
        return go_next(c);
    case PT_SCAN_PREV:
        return go_prev(c);
    }
    return PEAT_INVALID;
}

peat_rc pt_scan_go(pt_scan *c, pt_scan_move move)
{
    peat_rc rc = pt_scan_enter(c);
    if (rc != PEAT_OK)
        return rc;
    c->filled = false;
    bool next = move == PT_SCAN_NEXT, prev = move == PT_SCAN_PREV;
    if (c->place == PT_SCAN_AT_ENDED && (next || prev))
        return c->ended;
    if (move == PT_SCAN_FIRST || (next && c->place == PT_SCAN_AT_NEW))
        return go_first(c);
    if (move == PT_SCAN_LAST || (prev && c->place == PT_SCAN_AT_NEW))
        return go_last(c);
    return next ? go_next(c) : go_prev(c);
}

peat_rc pt_scan_seek(pt_scan *c, pt_slice key, bool for_prev)
{
    peat_rc rc = pt_scan_enter(c);
    if (rc != PEAT_OK)
        return rc;
    c->filled = false;
    if (!for_prev && pt_slice_compare(key, c->lower) <= 0)
        return go_first(c);
    if (for_prev && pt_slice_compare(key, c->upper) >= 0)
        return go_last(c);
    atomic_fetch_add_explicit(&c->store->seeks, 1, memory_order_relaxed);
    /* the caller's key may be the one that is shown */
    rc = save_key(c, key);
    if (rc != PEAT_OK)
        return end(c, rc);
    return for_prev ? settle_backward(c, pt_iter_seek_for_prev(c->below, saved_key(c)))
                    : settle_forward(c, pt_iter_seek(c->below, saved_key(c)), false);
}

bool pt_scan_forked(const pt_scan *c)
{
    return pt_store_forked(c->store);
}

bool pt_scan_valid(const pt_scan *c)
{
    return c->place == PT_SCAN_AT_FORWARD || c->place == PT_SCAN_AT_BACKWARD;
}

pt_slice pt_scan_key(const pt_scan *c)
{
    return c->key;
}

pt_slice pt_scan_value(const pt_scan *c)
{
    return c->value;
}
