/* SPDX-License-Identifier: MIT */
/* partition.c - see partition.h. */
#include "version/partition.h"

static pt_layer *copy_layers(const pt_env *env, const pt_layer *layers, size_t count)
{
    pt_layer *copy = (pt_layer *)pt_alloc(env, count * sizeof *copy);
    if (copy == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        copy[i] = layers[i];
        (void)pt_table_ref_retain(layers[i].table_ref); /* the same pointer */
    }
    return copy;
}

static void free_layers(const pt_env *env, pt_layer *layers, size_t count)
{
    for (size_t i = 0; layers != NULL && i < count; i++)
        pt_table_ref_release(layers[i].table_ref);
    pt_free(env, layers);
}

static void sum_layers(pt_partition *p)
{
    for (size_t i = 0; i < p->run_count; i++) {
        p->run_bytes += p->runs[i].bytes;
        p->obsolete_bytes += p->runs[i].obsolete_bytes;
        p->run_obsolete_bytes += p->runs[i].obsolete_bytes;
        p->entries += p->runs[i].entries;
        p->tombstones += p->runs[i].tombstones;
    }
    for (size_t i = 0; i < p->bottom_count; i++) {
        p->bottom_bytes += p->bottom[i].bytes;
        p->obsolete_bytes += p->bottom[i].obsolete_bytes;
        p->entries += p->bottom[i].entries;
        p->tombstones += p->bottom[i].tombstones;
    }
}

static peat_rc index_bottom(pt_partition *p)
{
    pt_slice *keys = (pt_slice *)pt_alloc(p->env, p->bottom_count * sizeof *keys);
    if (keys == NULL)
        return PEAT_NOMEM;
    for (size_t i = 0; i < p->bottom_count; i++)
        keys[i] = p->bottom[i].table_ref->meta->key_min;
    pt_slice largest = {0};
    if (p->bottom_count != 0)
        largest = p->bottom[p->bottom_count - 1].table_ref->meta->key_max;
    peat_rc rc = pt_key_index_init(&p->bottom_index, p->env, keys, p->bottom_count, largest);
    pt_free(p->env, keys);
    return rc;
}

static void destroy(pt_partition *p)
{
    const pt_env *env = p->env;
    free_layers(env, p->runs, p->run_count);
    free_layers(env, p->bottom, p->bottom_count);
    pt_key_index_done(&p->bottom_index, env);
    pt_free(env, (void *)(uintptr_t)p->lower.data);
    pt_free(env, p);
}

peat_rc pt_partition_new(const pt_env *env, uint64_t id, pt_slice lower, const pt_layer *runs,
                         size_t run_count, const pt_layer *bottom, size_t bottom_count,
                         pt_partition **ret_partition)
{
    pt_partition *p = (pt_partition *)pt_alloc_zero(env, sizeof *p);
    if (p == NULL)
        return PEAT_NOMEM;
    p->env = env;
    p->id = id;
    atomic_store(&p->refs, 1);
    uint8_t *key = (uint8_t *)pt_alloc(env, lower.size);
    if (key != NULL && lower.size != 0)
        memcpy(key, lower.data, lower.size);
    p->lower = pt_slice_of(key, lower.size);
    p->runs = copy_layers(env, runs, run_count);
    p->run_count = p->runs != NULL ? run_count : 0;
    p->bottom = copy_layers(env, bottom, bottom_count);
    p->bottom_count = p->bottom != NULL ? bottom_count : 0;
    if (key == NULL || p->runs == NULL || p->bottom == NULL || index_bottom(p) != PEAT_OK) {
        destroy(p);
        return PEAT_NOMEM;
    }
    sum_layers(p);
    *ret_partition = p;
    return PEAT_OK;
}

void pt_partition_unref(pt_partition *p)
{
    if (p != NULL && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        destroy(p);
}
