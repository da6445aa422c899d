/* SPDX-License-Identifier: MIT */
/* version_iter.c - see version_iter.h. A chain of partitions. */
#include "version/version_iter.h"

#include "entry/concat_iter.h"
#include "entry/merge_iter.h"
#include "version/run_iter.h"

typedef struct version_iter {
    pt_concat_iter chain; /* open: the merge of the partition's layers */
    const pt_env *env;
    pt_version *version;
    pt_bytes bounds; /* memory of the two below */
    pt_slice lower, upper;
    pt_fetch_hint hint;
    size_t children_capacity;
    pt_iter **children; /* scratch */
} version_iter;

/* Clipped to the partition: its files may hold entries of its neighbours. */
static pt_table_iter_options clip(const version_iter *v, size_t i)
{
    const pt_partition *p = v->version->partitions[i];
    pt_slice lower = p->lower.size != 0 ? p->lower : (pt_slice){0};
    return (pt_table_iter_options){.lower = pt_lower_tighter(lower, v->lower),
                                   .upper =
                                       pt_upper_tighter(pt_version_upper(v->version, i), v->upper),
                                   .hint = v->hint};
}

static peat_rc open_children(version_iter *v, const pt_partition *p, const pt_table_iter_options *o,
                             size_t *io_count)
{
    for (size_t i = 0; i < p->run_count; i++) {
        pt_table_ref *t = p->runs[i].table_ref;
        peat_rc rc = pt_table_iter_new(v->env, t->table, t->source, o, &v->children[*io_count]);
        if (rc != PEAT_OK)
            return rc;
        ++*io_count;
    }
    if (p->bottom_count == 0)
        return PEAT_OK;
    peat_rc rc =
        pt_run_iter_new(v->env, p->bottom, p->bottom_count, o, false, &v->children[*io_count]);
    *io_count += rc == PEAT_OK;
    return rc;
}

static peat_rc open_partition(pt_concat_iter *c, size_t i)
{
    version_iter *v = PT_CONTAINER(c, version_iter, chain);
    const pt_partition *p = v->version->partitions[i];
    pt_table_iter_options o = clip(v, i);
    size_t count = 0;
    if (!pt_grow(v->env, &v->children, &v->children_capacity, p->run_count + 1, sizeof(pt_iter *)))
        return PEAT_NOMEM;
    peat_rc rc = open_children(v, p, &o, &count);
    if (rc == PEAT_OK && count == 1)
        c->open = v->children[0];
    else if (rc == PEAT_OK)
        rc = pt_merge_iter_new(v->env, v->children, count, &c->open);
    if (rc != PEAT_OK)
        while (count-- > 0)
            pt_iter_done(v->children[count]);
    return rc;
}

static void close_partition(pt_concat_iter *c)
{
    pt_iter_done(c->open);
}

static size_t partition_of(const pt_concat_iter *c, pt_slice key)
{
    return pt_version_partition_of(PT_CONTAINER(c, version_iter, chain)->version, key);
}

static void version_done(pt_iter *it)
{
    version_iter *v = PT_CONTAINER(it, version_iter, chain.base);
    pt_concat_iter_close(&v->chain);
    pt_version_unref(v->version);
    pt_bytes_done(&v->bounds);
    pt_free(v->env, v->children);
    pt_free(v->env, v);
}

static const pt_iter_ops version_ops = {PT_CONCAT_ITER_MOVES, .done = version_done};

static peat_rc copy_bounds(version_iter *v, const pt_version_iter_options *o)
{
    size_t n = o->lower.size + o->upper.size;
    peat_rc rc = pt_bytes_reserve(&v->bounds, n + 1); /* never empty, so that bounds are not NULL */
    if (rc != PEAT_OK)
        return rc;
    if (o->lower.size != 0)
        memcpy(v->bounds.data, o->lower.data, o->lower.size);
    if (o->upper.size != 0)
        memcpy(v->bounds.data + o->lower.size, o->upper.data, o->upper.size);
    if (o->lower.data != NULL)
        v->lower = pt_slice_of(v->bounds.data, o->lower.size);
    if (o->upper.data != NULL)
        v->upper = pt_slice_of(v->bounds.data + o->lower.size, o->upper.size);
    return PEAT_OK;
}

/* The partitions that hold keys in bounds. */
static void set_range(version_iter *v)
{
    size_t end = v->version->count;
    if (v->upper.data != NULL) {
        end = pt_version_partition_of(v->version, v->upper);
        if (pt_slice_compare(v->version->partitions[end]->lower, v->upper) < 0)
            end++;
    }
    v->chain.begin = v->lower.data == NULL ? 0 : pt_version_partition_of(v->version, v->lower);
    v->chain.end = end;
}

peat_rc pt_version_iter_new(const pt_env *env, pt_version *version,
                            const pt_version_iter_options *options, pt_iter **ret_iter)
{
    version_iter *v = (version_iter *)pt_alloc_zero(env, sizeof *v);
    if (v == NULL)
        return PEAT_NOMEM;
    v->chain = (pt_concat_iter){.base.ops = &version_ops,
                                .open_link = open_partition,
                                .close_link = close_partition,
                                .link_of = partition_of};
    v->env = env;
    v->hint = options->hint;
    pt_bytes_init(&v->bounds, env);
    peat_rc rc = copy_bounds(v, options);
    if (rc != PEAT_OK) {
        pt_free(env, v);
        return rc;
    }
    v->version = pt_version_ref(version);
    set_range(v);
    *ret_iter = &v->chain.base;
    return PEAT_OK;
}
