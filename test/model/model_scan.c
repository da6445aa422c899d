/* SPDX-License-Identifier: MIT */
/* model_scan.c - iterators: every movement is compared with what the oracle has there. */
#include "model/model_state.h"

#include <inttypes.h>
#include <string.h>

#define ROWS_MAX 64

static void expect_entry(model_state *m, const model_iter_slot *s, size_t rank, peat_slice key,
                         peat_slice value, const char *call)
{
    const model_version *v = model_oracle_get(&m->oracle, rank, s->seq);
    if (scan_compare(key, m->keys.by_rank[rank]) != 0) {
        size_t near = model_keys_seek(&m->keys, key);
        bool known = near < m->keys.ranks && scan_compare(key, m->keys.by_rank[near]) == 0;
        model_fail(m, "%s: expected rank %zu, found rank %zu%s", call, rank, near,
                   known ? "" : " (a key never written)");
    }
    if (s->keys_only && value.size != 0)
        model_fail(m, "%s: keys_only, but a value of %zu bytes", call, value.size);
    if (!s->keys_only)
        model_expect_value(m, rank, value, v->value, call);
}

/* The iterator stands where the oracle says: `rank`, or nowhere for -1. */
static void expect_place(model_state *m, model_iter_slot *s, peat_rc rc, int64_t rank,
                         const char *call)
{
    s->filled = false;
    s->at = rank < 0 ? MODEL_AT_NONE : rank;
    if (rank >= 0 && rc == PEAT_END)
        model_fail(m, "%s: expected rank %" PRId64 ", found PEAT_END", call, rank);
    if (rank < 0 && rc == PEAT_OK)
        model_fail(m, "%s: expected PEAT_END, found rank %zu", call,
                   model_keys_seek(&m->keys, peat_iter_key(s->iter)));
    model_expect(m, rc, rank < 0 ? PEAT_END : PEAT_OK, call);
    if (peat_iter_valid(s->iter) != (rank >= 0))
        model_fail(m, "%s: peat_iter_valid is %d after %s", call, rank < 0, peat_rc_name(rc));
    peat_slice key = peat_iter_key(s->iter), value = peat_iter_value(s->iter);
    if (rank >= 0)
        expect_entry(m, s, (size_t)rank, key, value, call);
    else if (key.data != NULL || key.size != 0 || value.data != NULL || value.size != 0)
        model_fail(m, "%s: stands nowhere but has a key or a value", call);
}

static int64_t up(const model_state *m, const model_iter_slot *s, int64_t from)
{
    return model_oracle_up(&m->oracle, s->seq, from < s->lower ? s->lower : from, s->upper);
}

static int64_t down(const model_state *m, const model_iter_slot *s, int64_t from)
{
    return model_oracle_down(&m->oracle, s->seq, from >= s->upper ? s->upper - 1 : from, s->lower);
}

static void step(model_state *m, model_iter_slot *s, bool back)
{
    int64_t expected = -1;
    if (s->at == MODEL_AT_START)
        expected = back ? down(m, s, s->upper) : up(m, s, s->lower);
    else if (s->at != MODEL_AT_NONE)
        expected = back ? down(m, s, s->at - 1) : up(m, s, s->at + 1);
    m->operations++;
    peat_rc rc = back ? peat_iter_prev(s->iter) : peat_iter_next(s->iter);
    s->back = back;
    expect_place(m, s, rc, expected, back ? "peat_iter_prev" : "peat_iter_next");
}

/* --- fills --- */

static int64_t fill_start(const model_state *m, const model_iter_slot *s, bool back)
{
    if (s->at == MODEL_AT_START)
        return back ? down(m, s, s->upper) : up(m, s, s->lower);
    if (s->at == MODEL_AT_NONE)
        return -1;
    if (!s->filled)
        return s->at;
    return back ? down(m, s, s->at - 1) : up(m, s, s->at + 1);
}

/* Returns whether there were rows. */
static bool fill(model_state *m, model_iter_slot *s, size_t n, bool back)
{
    const char *call = back ? "peat_iter_fill_back" : "peat_iter_fill";
    peat_row rows[ROWS_MAX];
    size_t found = SIZE_MAX;
    int64_t rank = fill_start(m, s, back);
    n = n < 1 ? 1 : n > ROWS_MAX ? ROWS_MAX : n;
    s->back = back;
    peat_rc rc = back ? peat_iter_fill_back(s->iter, rows, n, &found)
                      : peat_iter_fill(s->iter, rows, n, &found);
    if (rank < 0 || rc != PEAT_OK) {
        expect_place(m, s, rc, rank, call);
        if (found != 0)
            model_fail(m, "%s: PEAT_END with %zu rows", call, found);
        return false;
    }
    if (found < 1 || found > n)
        model_fail(m, "%s: %zu rows where 1 to %zu were asked for", call, found, n);
    for (size_t i = 0; i < found; i++) {
        if (rank < 0)
            model_fail(m, "%s: %zu rows, but only %zu are there", call, found, i);
        expect_entry(m, s, (size_t)rank, rows[i].key, rows[i].value, call);
        s->at = rank;
        rank = back ? down(m, s, rank - 1) : up(m, s, rank + 1);
    }
    expect_place(m, s, PEAT_OK, s->at, call);
    s->filled = true;
    return true;
}

/* --- opening --- */

static bool has_prefix(peat_slice key, peat_slice prefix)
{
    return key.size >= prefix.size &&
           (prefix.size == 0 || memcmp(key.data, prefix.data, prefix.size) == 0);
}

/* The ranks an iterator with these options may visit. */
static void set_range(const model_state *m, const peat_iter_options *o, model_iter_slot *s)
{
    size_t lower = o->lower.data ? model_keys_seek(&m->keys, o->lower) : 0;
    size_t upper = o->upper.data ? model_keys_seek(&m->keys, o->upper) : m->keys.ranks;
    size_t first = model_keys_seek(&m->keys, o->prefix), last = first;
    for (size_t step = m->keys.ranks; step != 0;
         step /= 2) /* keys with the prefix are neighbours */
        while (last + step <= m->keys.ranks &&
               has_prefix(m->keys.by_rank[last + step - 1], o->prefix))
            last += step;
    s->lower = (int64_t)(first > lower ? first : lower);
    s->upper = (int64_t)(last < upper ? last : upper);
    if (s->lower >= s->upper)
        s->lower = s->upper = 0;
}

static void open_slot(model_state *m, const model_op *op)
{
    model_iter_slot *s = &m->iters[op->slot];
    peat_iter_options o = {
        .size = sizeof o, .keys_only = op->flag, .no_cache_fill = op->slot % 2 != 0};
    const model_snapshot_slot *at = op->snapshot < 0 ? NULL : &m->snapshots[op->snapshot];
    peat_iter_close(s->iter);
    *s = (model_iter_slot){.at = MODEL_AT_START, .keys_only = op->flag, .seq = m->oracle.seq};
    if (at != NULL && at->snapshot != NULL) {
        o.snapshot = at->snapshot;
        s->seq = at->seq;
        s->of_snapshot = true;
    }
    if (op->key >= 0)
        o.lower = m->keys.by_id[(uint64_t)op->key % m->keys.ids];
    if (op->key2 >= 0)
        o.upper = m->keys.by_id[(uint64_t)op->key2 % m->keys.ids];
    if (op->prefix >= 0) {
        o.prefix = m->keys.by_id[(uint64_t)op->prefix % m->keys.ids];
        if ((size_t)op->n < o.prefix.size)
            o.prefix.size = (size_t)op->n;
    }
    set_range(m, &o, s);
    model_expect(m, peat_iter_open(m->db, &o, &s->iter), PEAT_OK, "peat_iter_open");
    if (peat_iter_valid(s->iter))
        model_fail(m, "peat_iter_open: a new iterator stands on an entry");
}

static void seek(model_state *m, model_iter_slot *s, const model_op *op)
{
    peat_slice key = m->keys.by_id[(uint64_t)op->key % m->keys.ids];
    int64_t rank = m->keys.rank_of_id[(uint64_t)op->key % m->keys.ids];
    s->back = op->kind == MODEL_seek_for_prev;
    if (op->kind == MODEL_seek)
        expect_place(m, s, peat_iter_seek(s->iter, key), up(m, s, rank), "peat_iter_seek");
    else
        expect_place(m, s, peat_iter_seek_for_prev(s->iter, key), down(m, s, rank),
                     "peat_iter_seek_for_prev");
}

/* As if it were closed, opened again, and placed by a seek. */
static void refresh(model_state *m, model_iter_slot *s)
{
    if (s->of_snapshot) {
        model_expect(m, peat_iter_refresh(s->iter), PEAT_INVALID, "peat_iter_refresh");
        return;
    }
    int64_t old = s->at;
    bool filled = s->filled;
    s->seq = m->oracle.seq;
    peat_rc rc = peat_iter_refresh(s->iter);
    if (old >= 0) {
        expect_place(m, s, rc, s->back ? down(m, s, old) : up(m, s, old), "peat_iter_refresh");
        s->filled = filled && s->at == old;
        return;
    }
    model_expect(m, rc, PEAT_OK, "peat_iter_refresh");
    s->at = MODEL_AT_START;
    s->filled = false;
    if (peat_iter_valid(s->iter))
        model_fail(m, "peat_iter_refresh: it stood nowhere, and now on an entry");
}

void model_expect_all(model_state *m, peat_db *db, const peat_snapshot *snapshot, uint64_t seq)
{
    model_iter_slot s = {.seq = seq, .upper = (int64_t)m->keys.ranks, .at = MODEL_AT_START};
    peat_iter_options o = {.size = sizeof o, .snapshot = snapshot};
    model_expect(m, peat_iter_open(db, &o, &s.iter), PEAT_OK, "peat_iter_open");
    do
        step(m, &s, false);
    while (s.at >= 0);
    expect_place(m, &s, peat_iter_last(s.iter), down(m, &s, s.upper), "peat_iter_last");
    while (s.at >= 0)
        step(m, &s, true);
    expect_place(m, &s, peat_iter_first(s.iter), up(m, &s, 0), "peat_iter_first");
    while (fill(m, &s, ROWS_MAX, false))
        continue;
    peat_iter_close(s.iter);
}

static void scan_op(model_state *m, const model_op *op)
{
    const model_snapshot_slot *at = op->snapshot < 0 ? NULL : &m->snapshots[op->snapshot];
    bool then = at != NULL && at->snapshot != NULL;
    model_expect_all(m, m->db, then ? at->snapshot : NULL, then ? at->seq : m->oracle.seq);
}

static void move_op(model_state *m, model_iter_slot *s, const model_op *op)
{
    int64_t n = op->n;
    if (op->kind == MODEL_first || op->kind == MODEL_last)
        s->back = op->kind == MODEL_last;
    if (op->kind == MODEL_refresh)
        refresh(m, s);
    else if (op->kind == MODEL_first)
        expect_place(m, s, peat_iter_first(s->iter), up(m, s, s->lower), "peat_iter_first");
    else if (op->kind == MODEL_last)
        expect_place(m, s, peat_iter_last(s->iter), down(m, s, s->upper), "peat_iter_last");
    else if (op->kind == MODEL_next || op->kind == MODEL_prev)
        do
            step(m, s, op->kind == MODEL_prev);
        while (--n > 0 && s->at >= 0); /* one call behind the end is enough */
    else if (op->kind == MODEL_fill || op->kind == MODEL_fill_back)
        (void)fill(m, s, (size_t)n, op->kind == MODEL_fill_back);
    else
        seek(m, s, op);
}

void model_scan_op(model_state *m, const model_op *op)
{
    model_iter_slot *s = &m->iters[op->slot];
    if (op->kind == MODEL_scan) {
        scan_op(m, op);
    } else if (op->kind == MODEL_iter) {
        open_slot(m, op);
    } else if (op->kind == MODEL_end) {
        peat_iter_close(s->iter);
        s->iter = NULL;
    } else if (s->iter != NULL) {
        move_op(m, s, op);
    }
}
