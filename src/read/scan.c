/* SPDX-License-Identifier: MIT */
/*
 * scan.c - see scan.h.
 *
 * `below` is one merged iterator over the memtables and tables of a view. It shows every version of
 * a key that tables hold (forward newest first, backward oldest first), and from each memtable the
 * one version that this scan sees.
 *
 * Invariant 1. At FORWARD `below` stands on the entry shown; key and value are its own.
 * Invariant 2. At BACKWARD `below` stands before all versions of the key shown, or at the end of
 * its way; key and value are copies, or in memory that `below` still holds.
 * Invariant 3. At BEYOND, after a fill, `below` stands in the block of the row shown, behind what
 * is hidden after it; saved_key is the last key that it has passed.
 * Invariant 4. At KEY `below` stands nowhere and there is no value: between taking a new view and
 * the move that it was taken for.
 */
#include "read/scan.h"
#include "read/scan_state.h"

#include "base/coding.h"
#include "state/budget.h"
#include "state/snapshot.h"

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
    c->whole_table = options->whole_table;
    c->at_snapshot = options->has_seq;
    pt_bytes_init(&c->bounds, s->env);
    pt_bytes_init(&c->saved_key, s->env);
    pt_bytes_init(&c->saved_value, s->env);
    pt_bytes_init(&c->empty_from, s->env);
    pt_bytes_init(&c->empty_lower, s->env);
    pt_bytes_init(&c->empty_upper, s->env);
    /* the sequence first, the view later: merges that begin in between keep what it sees */
    if (options->has_seq)
        pt_snapshot_link_add_at(s, &c->link, options->seq);
    else
        pt_snapshot_link_add(s, &c->link);
    PT_ASSERT(c->view == NULL, "I1: a scan's sequence is registered before it takes a view");
    atomic_fetch_add_explicit(&s->iterators, 1, memory_order_relaxed);
    peat_rc rc = copy_bounds(c, options);
    if (rc == PEAT_OK)
        *ret_scan = c;
    else
        pt_scan_free(c);
    return rc;
}

void pt_scan_free(pt_scan *c)
{
    if (c == NULL || pt_store_forked(c->store))
        return; /* in a child nothing is touched: locks may be held by threads that are not there */
    pt_store *s = c->store;
    PT_DCHECK(atomic_load(&s->iterators) != 0, "a scan that ends was counted");
    pt_hidden_count(c);
    pt_iter_done(c->below);
    pt_view_unref(c->view);
    atomic_fetch_sub_explicit(&s->iterators, 1, memory_order_relaxed);
    pt_snapshot_link_remove(s, &c->link);
    pt_bytes_done(&c->bounds);
    pt_bytes_done(&c->saved_key);
    pt_bytes_done(&c->saved_value);
    pt_bytes_done(&c->empty_from);
    pt_bytes_done(&c->empty_lower);
    pt_bytes_done(&c->empty_upper);
    while (c->chunk_count > 0)
        pt_bytes_done(&c->chunks[--c->chunk_count]);
    pt_free(s->env, c->chunks);
    pt_scan_count_memory(c);
    pt_free(s->env, c);
    pt_store_unref(s);
}

static void show(pt_scan *c, const pt_entry *e, pt_scan_place place)
{
    pt_slice_copy(&c->key, &e->key);
    if (PT_LIKELY(!c->keys_only))
        pt_slice_copy(&c->value, &e->value);
    c->place = place;
}

/* Moves `below` on; with `stay` the last key of its block is as good as the end. */
static peat_rc next_below(pt_scan *c)
{
    if (PT_UNLIKELY(c->stay) && !pt_iter_value_stays(c->below, false))
        return PEAT_END;
    return pt_iter_next(c->below);
}

/* From a hidden entry to the next, or past a range that an earlier walk has found empty: the
 * saved key cannot come behind it. */
static peat_rc pass(pt_scan *c, pt_hidden *h, bool *io_skip)
{
    pt_hidden_step(c, h);
    if (PT_LIKELY(h->steps < h->look_at) || c->stay)
        return next_below(c);
    if (!pt_hidden_look(c, h, c->below->at.key, false))
        return next_below(c);
    *io_skip = false;
    return pt_iter_seek(c->below, pt_bytes_slice(&c->empty_upper));
}

/* The range is at its end. */
static peat_rc end_forward(pt_scan *c, const pt_hidden *h)
{
    if (PT_UNLIKELY(h->steps != 0))
        pt_hidden_end(c, h, c->upper, false);
    return pt_scan_end(c, PEAT_END);
}

/* `below` has moved (rc). The first visible entry from there on, of another key than the saved one
 * when `skip`. */
static peat_rc find_next_visible(pt_scan *c, peat_rc rc, bool skip)
{
    pt_hidden h;
    pt_hidden_begin(&h);
    for (; rc == PEAT_OK; rc = pass(c, &h, &skip)) {
        const pt_entry *e = &c->below->at;
        if (skip && pt_slice_equal(e->key, pt_bytes_slice(&c->saved_key)))
            continue;
        if (pt_slice_compare(e->key, c->upper) >= 0)
            return end_forward(c, &h);
        if (PT_UNLIKELY(e->seq > c->link.seq))
            continue;
        if (PT_LIKELY(pt_kind_has_value(e->kind))) {
            show(c, e, PT_SCAN_AT_FORWARD);
            if (PT_UNLIKELY(h.steps != 0))
                pt_hidden_end(c, &h, c->key, false);
            return PEAT_OK;
        }
        rc = pt_scan_save_key(c, e->key); /* a tombstone hides what is older */
        if (rc != PEAT_OK)
            break;
        skip = true;
    }
    if (rc == PEAT_END && !c->stay)
        return end_forward(c, &h);
    c->hidden_steps += h.steps;
    return pt_scan_end(c, rc);
}

/* Keeps the value that may be shown in memory of the scan's own. */
static peat_rc save_value(pt_scan *c)
{
    c->saved_value.size = 0;
    peat_rc rc = pt_bytes_append(&c->saved_value, c->value.data, c->value.size);
    pt_scan_count_memory(c);
    c->value = pt_bytes_slice(&c->saved_value);
    return rc;
}

/* The versions of the saved key, oldest first; `below` stands on the first of them. The newest
 * visible one is taken, by reference while its block is not left. *ret_put: there is one, and it is
 * no tombstone. */
static peat_rc walk_versions(pt_scan *c, pt_hidden *h, bool *ret_put)
{
    peat_rc rc = PEAT_OK;
    bool referenced = false;
    *ret_put = false;
    do {
        const pt_entry *e = pt_iter_entry(c->below);
        pt_resolution answer = pt_entry_resolution(e, c->link.seq);
        if (answer != PT_RESOLVED_MORE) {
            *ret_put = answer == PT_RESOLVED_VALUE;
            referenced = *ret_put && !c->keys_only;
            pt_slice_copy(&c->value, &e->value);
        }
        if (referenced && !pt_iter_value_stays(c->below, true)) {
            rc = save_value(c);
            referenced = false;
        }
        pt_hidden_step(c, h);
        if (rc == PEAT_OK)
            rc = pt_iter_prev(c->below);
    } while (rc == PEAT_OK && pt_slice_equal(c->below->at.key, pt_bytes_slice(&c->saved_key)));
    return rc;
}

/* A key that is not to be seen was passed (rc): on, or past a range that is known to be empty. */
static peat_rc pass_back(pt_scan *c, pt_hidden *h, peat_rc rc)
{
    if (rc != PEAT_OK || PT_LIKELY(h->steps < h->look_at) ||
        !pt_hidden_look(c, h, pt_iter_entry(c->below)->key, true))
        return rc;
    pt_slice lower = pt_bytes_slice(&c->empty_lower);
    rc = pt_iter_seek_for_prev(c->below, lower);
    while (rc == PEAT_OK && pt_slice_compare(pt_iter_entry(c->below)->key, lower) >= 0)
        rc = pt_iter_prev(c->below);
    return rc;
}

static peat_rc end_backward(pt_scan *c, const pt_hidden *h)
{
    peat_rc rc = pt_scan_end(c, PEAT_END);
    if (PT_UNLIKELY(h->steps != 0))
        pt_hidden_end(c, h, c->lower, true);
    return rc;
}

static peat_rc show_back(pt_scan *c, pt_hidden *h, peat_rc rc)
{
    c->key = pt_bytes_slice(&c->saved_key);
    if (c->keys_only)
        c->value = (pt_slice){0};
    c->place = PT_SCAN_AT_BACKWARD;
    c->below_ended = rc == PEAT_END;
    h->steps--; /* to the row itself */
    if (PT_UNLIKELY(h->steps != 0))
        pt_hidden_end(c, h, c->key, true);
    return PEAT_OK;
}

/* `below` has moved backward (rc). The newest visible version of the first key from there down that
 * has one and is not deleted. */
static peat_rc find_prev_visible(pt_scan *c, peat_rc rc)
{
    pt_hidden h;
    pt_hidden_begin(&h);
    while (rc == PEAT_OK) {
        bool put = false;
        pt_slice key = pt_iter_entry(c->below)->key;
        if (pt_slice_compare(key, c->lower) < 0)
            return end_backward(c, &h);
        rc = pt_scan_save_key(c, key);
        if (rc == PEAT_OK)
            rc = walk_versions(c, &h, &put);
        if (put && (rc == PEAT_OK || rc == PEAT_END))
            return show_back(c, &h, rc);
        rc = pass_back(c, &h, rc);
    }
    return rc == PEAT_END ? end_backward(c, &h) : pt_scan_end(c, rc);
}

static peat_rc go_to(pt_scan *c, pt_slice key)
{
    atomic_fetch_add_explicit(&c->store->seeks, 1, memory_order_relaxed);
    return find_next_visible(c, pt_iter_seek(c->below, key), false);
}

static peat_rc go_last(pt_scan *c)
{
    atomic_fetch_add_explicit(&c->store->seeks, 1, memory_order_relaxed);
    peat_rc rc = pt_iter_seek_for_prev(c->below, c->upper);
    /* the bound itself is outside */
    while (rc == PEAT_OK && pt_slice_compare(c->below->at.key, c->upper) >= 0)
        rc = pt_iter_prev(c->below);
    return find_prev_visible(c, rc);
}

/* Keys that follow one another differ at their ends, if at all. */
static inline bool differ(pt_slice a, pt_slice b)
{
    if (PT_LIKELY(a.size == b.size && a.size >= 8) &&
        pt_get_u64(a.data + a.size - 8) != pt_get_u64(b.data + a.size - 8))
        return true;
    return !pt_slice_equal(a, b);
}

/* Mostly a step leads to a visible put of another key than its neighbour in the group. Then these
 * two entries say all; a group ends at the bounds of the scan. False: the long way is to be gone.
 */
static inline bool show_in_group(pt_scan *c, const pt_entry *e, pt_slice neighbour,
                                 pt_scan_place place)
{
    bool plain =
        e->seq <= c->link.seq && pt_kind_has_value(e->kind) && PT_LIKELY(differ(e->key, neighbour));
    if (plain)
        show(c, e, place);
    return plain;
}

static inline bool next_in_group(pt_scan *c)
{
    pt_iter_group *g = c->below->group;
    bool done = g != NULL && g->at + 1 < g->count &&
                show_in_group(c, &g->entries[g->at + 1], c->key, PT_SCAN_AT_FORWARD);
    if (PT_LIKELY(done))
        g->at++;
    return done;
}

/* `below` stands on the entry to be shown, and goes one further. */
static inline bool prev_in_group(pt_scan *c)
{
    pt_iter_group *g = c->below->group;
    bool done =
        g != NULL && g->at > 0 &&
        show_in_group(c, &g->entries[g->at], g->entries[g->at - 1].key, PT_SCAN_AT_BACKWARD);
    if (PT_LIKELY(done))
        g->at--;
    return done;
}

static peat_rc go_next(pt_scan *c)
{
    if (c->place == PT_SCAN_AT_FORWARD && next_in_group(c))
        return PEAT_OK;
    if (c->place == PT_SCAN_AT_BEYOND)
        return find_next_visible(c, next_below(c), true);
    peat_rc rc = pt_scan_keep_key(c);
    if (rc != PEAT_OK)
        return pt_scan_end(c, rc);
    rc = c->place == PT_SCAN_AT_FORWARD ? next_below(c)
                                        : pt_iter_seek(c->below, pt_bytes_slice(&c->saved_key));
    return find_next_visible(c, rc, true);
}

static peat_rc go_prev(pt_scan *c)
{
    if (c->place == PT_SCAN_AT_BACKWARD) {
        if (c->below_ended)
            return pt_scan_end(c, PEAT_END);
        return prev_in_group(c) ? PEAT_OK : find_prev_visible(c, PEAT_OK);
    }
    peat_rc rc = pt_scan_keep_key(c);
    if (rc == PEAT_OK && c->place != PT_SCAN_AT_FORWARD)
        rc = pt_iter_seek(c->below, pt_bytes_slice(&c->saved_key));
    while (rc == PEAT_OK &&
           pt_slice_equal(pt_iter_entry(c->below)->key, pt_bytes_slice(&c->saved_key)))
        rc = pt_iter_prev(c->below);
    return find_prev_visible(c, rc);
}

peat_rc pt_scan_enter(pt_scan *c, bool placing)
{
    pt_store *s = c->store;
    if (PT_UNLIKELY(pt_store_gone(s)))
        return pt_scan_end(c, PEAT_CLOSED);
    pt_budget_check_soon(s); /* the indexes of tables that were passed */
    /* relaxed: a hint, which pt_scan_renew_view looks at more closely */
    bool changed = c->view_number != atomic_load_explicit(&s->view_number, memory_order_relaxed);
    if (PT_LIKELY(!changed))
        return PEAT_OK;
    peat_rc rc = pt_scan_renew_view(c, placing);
    return rc == PEAT_OK ? rc : pt_scan_end(c, rc);
}

peat_rc pt_scan_show_again(pt_scan *c)
{
    peat_rc rc = pt_scan_keep_key(c);
    if (rc != PEAT_OK)
        return pt_scan_end(c, rc);
    return find_next_visible(c, pt_iter_seek(c->below, pt_bytes_slice(&c->saved_key)), false);
}

peat_rc pt_scan_step(pt_scan *c, pt_scan_move move)
{
    bool next = move == PT_SCAN_NEXT, prev = move == PT_SCAN_PREV;
    if (c->place == PT_SCAN_AT_ENDED && (next || prev))
        return c->ended;
    if (move == PT_SCAN_FIRST || (next && c->place == PT_SCAN_AT_NEW))
        return go_to(c, c->lower);
    if (move == PT_SCAN_LAST || (prev && c->place == PT_SCAN_AT_NEW))
        return go_last(c);
    return next ? go_next(c) : go_prev(c);
}

peat_rc pt_scan_go(pt_scan *c, pt_scan_move move)
{
    peat_rc rc = pt_scan_enter(c, move == PT_SCAN_FIRST || move == PT_SCAN_LAST);
    c->filled = false;
    return rc == PEAT_OK ? pt_scan_step(c, move) : rc;
}

peat_rc pt_scan_seek(pt_scan *c, pt_slice key, bool for_prev)
{
    peat_rc rc = pt_scan_enter(c, true);
    if (rc != PEAT_OK)
        return rc;
    c->filled = false;
    if (for_prev && pt_slice_compare(key, c->upper) >= 0)
        return go_last(c);
    /* the caller's key may be the one that is shown */
    rc = pt_scan_save_key(c, for_prev ? key : pt_lower_tighter(key, c->lower));
    if (rc != PEAT_OK)
        return pt_scan_end(c, rc);
    if (!for_prev)
        return go_to(c, pt_bytes_slice(&c->saved_key));
    atomic_fetch_add_explicit(&c->store->seeks, 1, memory_order_relaxed);
    return find_prev_visible(c, pt_iter_seek_for_prev(c->below, pt_bytes_slice(&c->saved_key)));
}
