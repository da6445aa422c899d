/* SPDX-License-Identifier: MIT */
/* run_iter.c - see run_iter.h. A chain of tables. */
#include "version/run_iter.h"

#include "entry/concat_iter.h"

typedef struct run_iter {
    pt_concat_iter chain;
    const pt_env *env;
    const pt_layer *layers;
    pt_table_iter_options options; /* bounds belong to whoever opened it */
    bool stream;
    pt_block_source *source; /* the open table's stream */
    pt_iter *table;          /* made for the first table, and opened again for every other */
} run_iter;

static run_iter *of(pt_concat_iter *c)
{
    return PT_CONTAINER(c, run_iter, chain);
}

static void free_stream(run_iter *r)
{
    pt_table_stream_free(r->env, r->source);
    r->source = NULL;
}

static void close_table(pt_concat_iter *c)
{
    pt_table_iter_leave(c->open);
    free_stream(of(c));
}

static peat_rc open_table(pt_concat_iter *c, size_t i)
{
    run_iter *r = of(c);
    peat_rc rc = PEAT_OK;
    pt_table_ref *t = r->layers[i].table_ref;
    pt_block_source *source = t->source;
    if (r->stream) {
        TRY(pt_table_stream_new(r->env, t->table, PT_STREAM_MERGE, &r->source));
        source = r->source;
    }
    if (r->table != NULL)
        TRY(pt_table_iter_reopen(r->table, t->table, source, &r->options));
    else
        TRY(pt_table_iter_new(r->env, t->table, source, &r->options, &r->table));
    c->open = r->table;
out:
    if (rc != PEAT_OK)
        free_stream(r);
    return rc;
}

/* The first table whose last key is >= key; the end when there is none. */
static size_t table_of(const pt_concat_iter *c, pt_slice key)
{
    const run_iter *r = PT_CONTAINER(c, run_iter, chain);
    size_t low = 0, high = c->end;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (pt_slice_compare(r->layers[mid].table_ref->meta->key_max, key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void run_done(pt_iter *it)
{
    run_iter *r = PT_CONTAINER(it, run_iter, chain.base);
    pt_concat_iter_close(&r->chain);
    pt_iter_done(r->table);
    pt_free(r->env, r);
}

static const pt_iter_ops run_ops = {PT_CONCAT_ITER_MOVES, .done = run_done};

peat_rc pt_run_iter_new(const pt_env *env, const pt_layer *layers, size_t count,
                        const pt_table_iter_options *options, bool stream, pt_iter **ret_iter)
{
    run_iter *r = (run_iter *)pt_alloc_zero(env, sizeof *r);
    if (r == NULL)
        return PEAT_NOMEM;
    r->chain = (pt_concat_iter){.base.ops = &run_ops,
                                .open_link = open_table,
                                .close_link = close_table,
                                .link_of = table_of};
    r->env = env;
    r->stream = stream;
    pt_run_iter_reopen(&r->chain.base, layers, count, options);
    *ret_iter = &r->chain.base;
    return PEAT_OK;
}

void pt_run_iter_reopen(pt_iter *it, const pt_layer *layers, size_t count,
                        const pt_table_iter_options *options)
{
    run_iter *r = PT_CONTAINER(it, run_iter, chain.base);
    pt_run_iter_leave(it);
    r->layers = layers;
    r->options = *options;
    r->chain.end = count;
}

void pt_run_iter_leave(pt_iter *it)
{
    pt_concat_iter_close(&PT_CONTAINER(it, run_iter, chain.base)->chain);
}
