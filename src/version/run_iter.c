/* SPDX-License-Identifier: MIT */
/* run_iter.c - see run_iter.h. A chain of tables. */
#include "version/run_iter.h"

#include "entry/concat_iter.h"

typedef struct run_iter {
    pt_concat_iter chain;
    const pt_env *env;
    const pt_layer *layers;
    pt_table_iter_options options; /* bounds belong to whoever made this one */
    bool stream;
    pt_block_source *source; /* the open table's stream */
} run_iter;

static run_iter *of(pt_concat_iter *c)
{
    return PT_CONTAINER(c, run_iter, chain);
}

static void close_table(pt_concat_iter *c)
{
    run_iter *r = of(c);
    pt_iter_done(c->open);
    pt_table_stream_free(r->env, r->source);
    r->source = NULL;
}

static peat_rc open_table(pt_concat_iter *c, size_t i)
{
    run_iter *r = of(c);
    pt_table_ref *t = r->layers[i].table_ref;
    if (!r->stream)
        return pt_table_iter_new(r->env, t->table, t->source, &r->options, &c->open);
    peat_rc rc = pt_table_stream_new(r->env, t->table, PT_STREAM_MERGE, &r->source);
    if (rc == PEAT_OK)
        rc = pt_table_iter_new(r->env, t->table, r->source, &r->options, &c->open);
    if (rc != PEAT_OK) {
        pt_table_stream_free(r->env, r->source);
        r->source = NULL;
    }
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
                                .end = count,
                                .open_link = open_table,
                                .close_link = close_table,
                                .link_of = table_of};
    r->env = env;
    r->layers = layers;
    r->options = *options;
    r->stream = stream;
    *ret_iter = &r->chain.base;
    return PEAT_OK;
}
