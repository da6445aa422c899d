/* SPDX-License-Identifier: MIT */
/* version.c - see version.h. */
#include "version/version.h"

peat_rc pt_version_new(const pt_env *env, pt_partition **partitions, size_t count,
                       pt_version **ret_version)
{
    PT_ASSERT(count >= 1 && partitions[0]->lower.size == 0,
              "I6: every key belongs to exactly one partition");
    pt_version *v = (pt_version *)pt_alloc_zero(env, sizeof *v);
    pt_partition **copy = (pt_partition **)pt_alloc(env, count * sizeof *copy);
    pt_slice *keys = (pt_slice *)pt_alloc(env, count * sizeof *keys);
    peat_rc rc = v != NULL && copy != NULL && keys != NULL ? PEAT_OK : PEAT_NOMEM;
    if (rc == PEAT_OK) {
        for (size_t i = 0; i < count; i++) {
            copy[i] = partitions[i];
            keys[i] = partitions[i]->lower;
            PT_ASSERT(i == 0 || pt_slice_compare(keys[i - 1], keys[i]) < 0,
                      "I6: partitions ascend and do not overlap");
        }
        rc = pt_key_index_init(&v->index, env, keys, count, keys[count - 1]);
    }
    pt_free(env, keys);
    if (rc != PEAT_OK) {
        pt_free(env, copy);
        pt_free(env, v);
        return rc;
    }
    v->env = env;
    v->partitions = copy;
    v->count = count;
    atomic_store(&v->refs, 1);
    *ret_version = v;
    return PEAT_OK;
}

void pt_version_unref(pt_version *v)
{
    if (v == NULL || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < v->count; i++)
        pt_partition_unref(v->partitions[i]);
    pt_key_index_done(&v->index, v->env);
    pt_free(v->env, v->partitions);
    pt_free(v->env, v);
}

static void raise_last(const pt_layer *layers, size_t count, bool *io_any, pt_slice *io_key)
{
    for (size_t i = 0; i < count; i++) {
        pt_slice k = layers[i].table_ref->meta->key_max;
        if (!*io_any || pt_slice_compare(k, *io_key) > 0)
            *io_key = k;
        *io_any = true;
    }
}

bool pt_version_last_key(const pt_version *v, pt_slice *ret_key)
{
    bool any = false;
    /* from the right: the first partition that holds anything has the largest keys, and files
     * shared with partitions to its right would have a layer there */
    for (size_t i = v->count; i-- > 0 && !any;) {
        const pt_partition *p = v->partitions[i];
        raise_last(p->runs, p->run_count, &any, ret_key);
        raise_last(p->bottom, p->bottom_count, &any, ret_key);
    }
    return any;
}
