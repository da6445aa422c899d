/* SPDX-License-Identifier: MIT */
/* version_iter.c - see version_iter.h. A chain of partitions. */
#include "version/version_iter.h"

#include "entry/concat_iter.h"
#include "entry/merge_iter.h"
#include "version/run_iter.h"

/* What is open of a partition. All of it is made once, and opened again for the next one, so that
 * a scan that is placed again and again allocates nothing. */
typedef struct opened {
    pt_iter **tables; /* NULL: not made yet; `open` of them have a table */
    size_t capacity, open;
    pt_iter *run;     /* of several bottommost tables; NULL: not made yet */
    pt_iter *merge;   /* likewise, of two layers at least */
    pt_iter **layers; /* what is merged */
    size_t layers_capacity;
} opened;

typedef struct version_iter {
    pt_concat_iter chain; /* open: the merge of the partition's layers, or the only one */
    const pt_env *env;
    pt_version *version;
    pt_bytes bounds; /* memory of the two below */
    pt_slice lower, upper;
    pt_fetch_hint hint;
    opened o;
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

static bool has_room(version_iter *v, size_t layers)
{
    opened *o = &v->o;
    size_t before = o->capacity;
    if (!pt_grow(v->env, &o->layers, &o->layers_capacity, layers, sizeof(pt_iter *)) ||
        !pt_grow(v->env, &o->tables, &o->capacity, layers, sizeof(pt_iter *)))
        return false;
    for (size_t i = before; i < o->capacity; i++)
        o->tables[i] = NULL;
    return true;
}

static peat_rc open_table(version_iter *v, const pt_layer *layer,
                          const pt_table_iter_options *options)
{
    pt_table_ref *t = layer->table_ref;
    pt_iter **table = &v->o.tables[v->o.open];
    peat_rc rc = *table != NULL ? pt_table_iter_reopen(*table, t->table, t->source, options)
                                : pt_table_iter_new(v->env, t->table, t->source, options, table);
    if (rc == PEAT_OK)
        v->o.layers[v->o.open++] = *table;
    return rc;
}

static peat_rc open_bottom(version_iter *v, const pt_partition *p,
                           const pt_table_iter_options *options)
{
    if (p->bottom_count == 1)
        return open_table(v, p->bottom, options);
    peat_rc rc = PEAT_OK;
    if (v->o.run != NULL)
        pt_run_iter_reopen(v->o.run, p->bottom, p->bottom_count, options);
    else
        rc = pt_run_iter_new(v->env, p->bottom, p->bottom_count, options, false, &v->o.run);
    v->o.layers[p->run_count] = v->o.run;
    return rc;
}

static void close_partition(pt_concat_iter *c)
{
    opened *o = &PT_CONTAINER(c, version_iter, chain)->o;
    while (o->open > 0)
        pt_table_iter_leave(o->tables[--o->open]);
    if (o->run != NULL)
        pt_run_iter_leave(o->run);
}

static peat_rc open_partition(pt_concat_iter *c, size_t i)
{
    peat_rc rc = PEAT_OK;
    version_iter *v = PT_CONTAINER(c, version_iter, chain);
    const pt_partition *p = v->version->partitions[i];
    pt_table_iter_options o = clip(v, i);
    size_t layers = p->run_count + (p->bottom_count != 0);
    if (!has_room(v, layers))
        return PEAT_NOMEM;
    for (size_t k = 0; k < p->run_count; k++)
        TRY(open_table(v, &p->runs[k], &o));
    if (p->bottom_count != 0)
        TRY(open_bottom(v, p, &o));
    if (layers != 1)
        TRY(pt_merge_iter_again(v->env, v->o.layers, layers, &v->o.merge));
    c->open = layers == 1 ? v->o.layers[0] : v->o.merge;
out:
    if (rc != PEAT_OK)
        close_partition(c);
    return rc;
}

static size_t partition_of(const pt_concat_iter *c, pt_slice key)
{
    return pt_version_partition_of(PT_CONTAINER(c, version_iter, chain)->version, key);
}

static void version_done(pt_iter *it)
{
    version_iter *v = PT_CONTAINER(it, version_iter, chain.base);
    pt_concat_iter_close(&v->chain);
    for (size_t i = 0; i < v->o.capacity; i++)
        pt_iter_done(v->o.tables[i]);
    pt_iter_done(v->o.run);
    pt_iter_done(v->o.merge);
    pt_free(v->env, v->o.tables);
    pt_free(v->env, v->o.layers);
    pt_version_unref(v->version);
    pt_bytes_done(&v->bounds);
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
