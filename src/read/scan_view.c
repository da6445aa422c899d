/* SPDX-License-Identifier: MIT */
/*
 * scan_view.c - the view of the store that a scan reads, and the merged iterator over it.
 *
 * A scan takes its view at its first move, and a new one at the beginning of a later move when the
 * one it has keeps what the store has replaced: a memtable that was flushed, files of tables that
 * were merged. Its sequence is registered all the time (snapshot.c), and was before any of its
 * views was taken: merges keep what it sees, so that every later view shows it the same rows. It
 * goes on from the key it stands on, which is copied first.
 *
 * Where that fails, for want of memory, it stays where it is and tries again when the store has
 * changed again.
 */
#include "read/scan_state.h"

#include "entry/merge_iter.h"
#include "version/version_iter.h"
#include "state/snapshot.h"

/* A few bytes of replaced files are held for so many moves more: finding its place anew costs a
 * scan about as much as so many steps. */
#define MOVES_BETWEEN 64u

/* The present view for this scan alone. An empty memtable is left out: what comes into it later is
 * newer than the scan, which is not to hold it. */
static peat_rc take_view(const pt_scan *c, pt_view **ret_view)
{
    pt_view *own = pt_view_alloc(c->store->env);
    if (own == NULL)
        return PEAT_NOMEM;
    pt_view *now = pt_store_view(c->store);
    bool empty = pt_memtable_get_stats(now->active->table).entries == 0;
    pt_view_fill(own, empty ? NULL : now->active, now->immutables, now->immutable_count,
                 now->version);
    pt_view_unref(now);
    *ret_view = own;
    return PEAT_OK;
}

static peat_rc open_memory(const pt_scan *c, pt_mem *m, pt_iter **children, size_t *io_count)
{
    peat_rc rc = pt_memtable_iter_new_at(m->table, c->link.seq, &children[*io_count]);
    *io_count += rc == PEAT_OK;
    return rc;
}

static peat_rc open_below(const pt_scan *c, const pt_view *view, pt_iter **ret_below)
{
    peat_rc rc = PEAT_OK;
    pt_iter *children[PT_VIEW_IMMUTABLES_MAX + 2];
    size_t n = 0;
    pt_version_iter_options o = {.lower = c->lower,
                                 .upper = c->upper,
                                 .hint = c->whole_table ? PT_FETCH_ONCE : PT_FETCH_SCAN};
    if (view->active != NULL)
        TRY(open_memory(c, view->active, children, &n));
    for (size_t i = 0; i < view->immutable_count; i++)
        TRY(open_memory(c, view->immutables[i], children, &n));
    TRY(pt_version_iter_new(c->store->env, view->version, &o, &children[n]));
    n++;
    PT_ASSERT(n <= PT_COUNT_OF(children), "a view has room for its memtables");
    TRY(pt_merge_iter_new(c->store->env, children, n, ret_below));
    return PEAT_OK;
out:
    while (n-- > 0)
        pt_iter_done(children[n]);
    return rc;
}

static bool holds_flushed(const pt_view *mine, const pt_view *now)
{
    bool holds = mine->active != NULL && !pt_view_has(now, mine->active);
    for (size_t i = 0; i < mine->immutable_count; i++)
        holds = holds || !pt_view_has(now, mine->immutables[i]);
    return holds;
}

static uint64_t replaced_bytes(const pt_layer *layers, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        if (atomic_load_explicit(&layers[i].table_ref->dead, memory_order_relaxed))
            bytes += layers[i].table_ref->meta->file_bytes;
    return bytes;
}

/* Of files that nobody but old versions needs. */
static uint64_t held_bytes(const pt_version *v)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < v->count; i++)
        bytes += replaced_bytes(v->partitions[i]->runs, v->partitions[i]->run_count) +
                 replaced_bytes(v->partitions[i]->bottom, v->partitions[i]->bottom_count);
    return bytes;
}

/* The view it has holds what is to be let go: flushed memtables and many bytes of files at once,
 * any file when it is `ready`, because its place is left anyway or MOVES_BETWEEN are over.
 * *ret_later: not now, but then. */
static bool is_due(const pt_scan *c, const pt_view *now, bool ready, bool *ret_later)
{
    *ret_later = false;
    if (c->view == NULL || holds_flushed(c->view, now))
        return true;
    uint64_t held = c->view->version != now->version ? held_bytes(c->view->version) : 0;
    bool due = held != 0 && (ready || held >= c->store->settings.memtable_bytes);
    *ret_later = held != 0 && !due;
    return due;
}

/* Its key is copied, so that it needs nothing of `below` to find its place again. */
static peat_rc stand_on_key(pt_scan *c)
{
    if (!pt_scan_valid(c) || c->place == PT_SCAN_AT_BEYOND)
        return PEAT_OK; /* beyond a row the key is in the memory of the fill */
    peat_rc rc = pt_scan_keep_key(c);
    if (rc == PEAT_OK)
        c->key = pt_bytes_slice(&c->saved_key);
    return rc;
}

static void change_view(pt_scan *c, pt_view *view, pt_iter *below)
{
    pt_iter_done(c->below);
    pt_view_unref(c->view);
    pt_snapshot_released(c->store, UINT64_MAX);
    c->below = below;
    c->view = view;
    if (pt_scan_valid(c)) {
        c->place = PT_SCAN_AT_KEY;
        c->value = (pt_slice){0};
    }
}

static peat_rc renew_view(pt_scan *c)
{
    peat_rc rc = PEAT_OK;
    pt_view *view = NULL;
    pt_iter *below;
    TRY(stand_on_key(c));
    TRY(take_view(c, &view));
    TRY(open_below(c, view, &below));
    change_view(c, view, below);
    return PEAT_OK;
out:
    pt_view_unref(view);
    return rc;
}

peat_rc pt_scan_renew_view(pt_scan *c, bool placing)
{
    pt_store *s = c->store;
    peat_rc rc = PEAT_OK;
    bool later, first = c->view == NULL;
    if (c->wait > 1 && !placing) {
        c->wait--;
        return PEAT_OK;
    }
    /* acquire: pairs with pt_store_publish_view; views loaded below are of this number or later */
    uint64_t number = atomic_load_explicit(&s->view_number, memory_order_acquire);
    pt_view *now = pt_store_view(s);
    bool due = is_due(c, now, placing || c->wait != 0, &later);
    pt_view_unref(now);
    if (due)
        rc = renew_view(c);
    c->wait = later ? MOVES_BETWEEN : 0;
    c->view_number = later || (first && rc != PEAT_OK) ? 0 : number;
    return first ? rc : PEAT_OK; /* where it was it can stay */
}
