/* SPDX-License-Identifier: MIT */
/* version_iter.c - see version_iter.h. */
#include "version/version_iter.h"

#include "entry/merge_iter.h"

typedef struct version_iter {
    pt_iter base;
    const pt_env *env;
    pt_version *version;
    pt_bytes bounds; /* memory of the two below */
    pt_slice lower, upper;
    pt_fetch_hint hint;
    size_t at;       /* of the open partition */
    pt_iter *layers; /* merge of its layers; NULL: none is open */
    size_t children_capacity;
    pt_iter **children; /* scratch */
} version_iter;

static peat_rc mirror(version_iter *v, peat_rc rc)
{
    if (rc == PEAT_OK) {
        pt_iter_mirror(&v->base, v->layers);
    }
    return rc;
}

static pt_slice tighter_lower(pt_slice a, pt_slice b)
{
    return a.data == NULL || (b.data != NULL && pt_slice_compare(b, a) > 0) ? b : a;
}

static pt_slice tighter_upper(pt_slice a, pt_slice b)
{
    return a.data == NULL || (b.data != NULL && pt_slice_compare(b, a) < 0) ? b : a;
}

/* Clipped to the partition: its files may hold entries of its neighbours. */
static pt_table_iter_options clip(const version_iter *v, size_t i)
{
    const pt_partition *p = v->version->partitions[i];
    pt_slice lower = p->lower.size != 0 ? p->lower : (pt_slice){0};
    return (pt_table_iter_options){.lower = tighter_lower(lower, v->lower),
                                   .upper =
                                       tighter_upper(pt_version_upper(v->version, i), v->upper),
                                   .hint = v->hint};
}

static peat_rc open_children(version_iter *v, const pt_partition *p, const pt_table_iter_options *o,
                             size_t *io_count)
{
    for (size_t i = 0; i < p->slice_count; i++) {
        pt_tref *t = p->slices[i].tref;
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

static peat_rc open_partition(version_iter *v, size_t i)
{
    if (v->layers != NULL && v->at == i)
        return PEAT_OK;
    pt_iter_done(v->layers);
    v->layers = NULL;
    v->at = i;
    const pt_partition *p = v->version->partitions[i];
    pt_table_iter_options o = clip(v, i);
    size_t count = 0;
    if (!pt_grow(v->env, &v->children, &v->children_capacity, p->slice_count + 1,
                 sizeof(pt_iter *)))
        return PEAT_NOMEM;
    peat_rc rc = open_children(v, p, &o, &count);
    if (rc == PEAT_OK && count == 1)
        v->layers = v->children[0];
    else if (rc == PEAT_OK)
        rc = pt_merge_iter_new(v->env, v->children, count, &v->layers);
    if (rc != PEAT_OK)
        while (count-- > 0)
            pt_iter_done(v->children[count]);
    return rc;
}

static peat_rc first_from(version_iter *v, size_t i)
{
    peat_rc rc = PEAT_END;
    for (; i < v->version->count && rc == PEAT_END; i++) {
        pt_slice start = v->version->partitions[i]->lower;
        if (v->upper.data != NULL && pt_slice_compare(start, v->upper) >= 0)
            return PEAT_END;
        rc = open_partition(v, i);
        if (rc == PEAT_OK)
            rc = pt_iter_first(v->layers);
    }
    return mirror(v, rc);
}

static peat_rc last_below(version_iter *v, size_t n)
{
    peat_rc rc = PEAT_END;
    while (n-- > 0 && rc == PEAT_END) {
        pt_slice end = pt_version_upper(v->version, n);
        if (v->lower.data != NULL && end.data != NULL && pt_slice_compare(end, v->lower) <= 0)
            return PEAT_END;
        rc = open_partition(v, n);
        if (rc == PEAT_OK)
            rc = pt_iter_last(v->layers);
    }
    return mirror(v, rc);
}

static peat_rc version_first(pt_iter *it)
{
    version_iter *v = PT_CONTAINER(it, version_iter, base);
    return first_from(v, v->lower.data == NULL ? 0 : pt_version_partition_of(v->version, v->lower));
}

static peat_rc version_last(pt_iter *it)
{
    version_iter *v = PT_CONTAINER(it, version_iter, base);
    return last_below(v, v->upper.data == NULL ? v->version->count
                                               : pt_version_partition_of(v->version, v->upper) + 1);
}

static peat_rc version_seek(pt_iter *it, pt_slice key)
{
    version_iter *v = PT_CONTAINER(it, version_iter, base);
    if (v->lower.data != NULL && pt_slice_compare(key, v->lower) < 0)
        return version_first(it);
    size_t i = pt_version_partition_of(v->version, key);
    peat_rc rc = open_partition(v, i);
    if (rc == PEAT_OK)
        rc = pt_iter_seek(v->layers, key);
    return rc == PEAT_END ? first_from(v, i + 1) : mirror(v, rc);
}

static peat_rc version_seek_for_prev(pt_iter *it, pt_slice key)
{
    version_iter *v = PT_CONTAINER(it, version_iter, base);
    if (v->upper.data != NULL && pt_slice_compare(key, v->upper) >= 0)
        return version_last(it);
    size_t i = pt_version_partition_of(v->version, key);
    peat_rc rc = open_partition(v, i);
    if (rc == PEAT_OK)
        rc = pt_iter_seek_for_prev(v->layers, key);
    return rc == PEAT_END ? last_below(v, i) : mirror(v, rc);
}

static peat_rc version_next(pt_iter *it)
{
    version_iter *v = PT_CONTAINER(it, version_iter, base);
    peat_rc rc = pt_iter_next(v->layers);
    return PT_UNLIKELY(rc == PEAT_END) ? first_from(v, v->at + 1) : mirror(v, rc);
}

static peat_rc version_prev(pt_iter *it)
{
    version_iter *v = PT_CONTAINER(it, version_iter, base);
    peat_rc rc = pt_iter_prev(v->layers);
    return PT_UNLIKELY(rc == PEAT_END) ? last_below(v, v->at) : mirror(v, rc);
}

static void version_done(pt_iter *it)
{
    version_iter *v = PT_CONTAINER(it, version_iter, base);
    pt_iter_done(v->layers);
    pt_version_unref(v->version);
    pt_bytes_done(&v->bounds);
    pt_free(v->env, v->children);
    pt_free(v->env, v);
}

static const pt_iter_ops version_ops = {.first = version_first,
                                        .last = version_last,
                                        .seek = version_seek,
                                        .seek_for_prev = version_seek_for_prev,
                                        .next = version_next,
                                        .prev = version_prev,
                                        .done = version_done};

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

peat_rc pt_version_iter_new(const pt_env *env, pt_version *version,
                            const pt_version_iter_options *options, pt_iter **ret_iter)
{
    version_iter *v = (version_iter *)pt_alloc_zero(env, sizeof *v);
    if (v == NULL)
        return PEAT_NOMEM;
    v->base.ops = &version_ops;
    v->env = env;
    v->hint = options->hint;
    pt_bytes_init(&v->bounds, env);
    peat_rc rc = copy_bounds(v, options);
    if (rc != PEAT_OK) {
        pt_free(env, v);
        return rc;
    }
    v->version = pt_version_ref(version);
    *ret_iter = &v->base;
    return PEAT_OK;
}
