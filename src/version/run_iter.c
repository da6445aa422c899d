/* SPDX-License-Identifier: MIT */
/*
 * run_iter.c - tables with disjoint ranges in key order, walked as one. One table is open at a
 * time.
 */
#include "version/version_iter.h"

typedef struct run_iter {
    pt_iter base;
    const pt_env *env;
    const pt_layer *layers;
    size_t count;
    pt_table_iter_options options; /* bounds belong to whoever made this one */
    size_t at;                     /* of the open table */
    pt_iter *table;                /* NULL: none is open */
    bool stream;
    pt_block_source *source; /* the open table's stream */
} run_iter;

static peat_rc mirror(run_iter *r, peat_rc rc)
{
    if (rc == PEAT_OK) {
        pt_iter_mirror(&r->base, r->table);
    }
    return rc;
}

static void close_table(run_iter *r)
{
    pt_iter_done(r->table);
    if (r->source != NULL)
        pt_table_stream_free(r->env, r->source);
    r->table = NULL;
    r->source = NULL;
}

static peat_rc open_table(run_iter *r, size_t i)
{
    if (r->table != NULL && r->at == i)
        return PEAT_OK;
    close_table(r);
    r->at = i;
    pt_tref *t = r->layers[i].tref;
    if (!r->stream)
        return pt_table_iter_new(r->env, t->table, t->source, &r->options, &r->table);
    peat_rc rc = pt_table_stream_new(r->env, t->table, &r->source);
    return rc != PEAT_OK ? rc
                         : pt_table_iter_new(r->env, t->table, r->source, &r->options, &r->table);
}

/* From table i on, the first entry; earlier tables have none in range. */
static peat_rc first_from(run_iter *r, size_t i)
{
    peat_rc rc = PEAT_END;
    for (; i < r->count && rc == PEAT_END; i++) {
        rc = open_table(r, i);
        if (rc == PEAT_OK)
            rc = pt_iter_first(r->table);
    }
    return mirror(r, rc);
}

/* From table n - 1 down, the last entry. */
static peat_rc last_below(run_iter *r, size_t n)
{
    peat_rc rc = PEAT_END;
    while (n-- > 0 && rc == PEAT_END) {
        rc = open_table(r, n);
        if (rc == PEAT_OK)
            rc = pt_iter_last(r->table);
    }
    return mirror(r, rc);
}

static peat_rc run_first(pt_iter *it)
{
    run_iter *r = PT_CONTAINER(it, run_iter, base);
    return first_from(r, 0);
}

static peat_rc run_last(pt_iter *it)
{
    run_iter *r = PT_CONTAINER(it, run_iter, base);
    return last_below(r, r->count);
}

/* The first table whose last key is >= key; count when there is none. */
static size_t table_of(const run_iter *r, pt_slice key)
{
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (pt_slice_compare(r->layers[mid].tref->meta->key_max, key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static peat_rc run_seek(pt_iter *it, pt_slice key)
{
    run_iter *r = PT_CONTAINER(it, run_iter, base);
    size_t i = table_of(r, key);
    if (i == r->count)
        return PEAT_END;
    peat_rc rc = open_table(r, i);
    if (rc == PEAT_OK)
        rc = pt_iter_seek(r->table, key);
    return rc == PEAT_END ? first_from(r, i + 1) : mirror(r, rc);
}

static peat_rc run_seek_for_prev(pt_iter *it, pt_slice key)
{
    run_iter *r = PT_CONTAINER(it, run_iter, base);
    size_t i = table_of(r, key);
    if (i == r->count)
        return last_below(r, r->count);
    peat_rc rc = open_table(r, i);
    if (rc == PEAT_OK)
        rc = pt_iter_seek_for_prev(r->table, key);
    return rc == PEAT_END ? last_below(r, i) : mirror(r, rc);
}

static peat_rc run_next(pt_iter *it)
{
    run_iter *r = PT_CONTAINER(it, run_iter, base);
    peat_rc rc = pt_iter_next(r->table);
    return PT_UNLIKELY(rc == PEAT_END) ? first_from(r, r->at + 1) : mirror(r, rc);
}

static peat_rc run_prev(pt_iter *it)
{
    run_iter *r = PT_CONTAINER(it, run_iter, base);
    peat_rc rc = pt_iter_prev(r->table);
    return PT_UNLIKELY(rc == PEAT_END) ? last_below(r, r->at) : mirror(r, rc);
}

static void run_done(pt_iter *it)
{
    run_iter *r = PT_CONTAINER(it, run_iter, base);
    close_table(r);
    pt_free(r->env, r);
}

static const pt_iter_ops run_ops = {.first = run_first,
                                    .last = run_last,
                                    .seek = run_seek,
                                    .seek_for_prev = run_seek_for_prev,
                                    .next = run_next,
                                    .prev = run_prev,
                                    .done = run_done};

peat_rc pt_run_iter_new(const pt_env *env, const pt_layer *layers, size_t count,
                        const pt_table_iter_options *options, bool stream, pt_iter **ret_iter)
{
    run_iter *r = (run_iter *)pt_alloc_zero(env, sizeof *r);
    if (r == NULL)
        return PEAT_NOMEM;
    r->base.ops = &run_ops;
    r->env = env;
    r->layers = layers;
    r->count = count;
    r->options = *options;
    r->stream = stream;
    *ret_iter = &r->base;
    return PEAT_OK;
}
