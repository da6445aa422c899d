/* SPDX-License-Identifier: MIT */
/* pool.c - see pool.h. */
#include "mem/pool.h"

void pt_memtable_pool_init(pt_memtable_pool *pool, const pt_env *env, size_t capacity)
{
    *pool = (pt_memtable_pool){.env = env, .capacity = capacity};
    pt_mutex_init(&pool->mu);
}

void pt_memtable_pool_done(pt_memtable_pool *pool)
{
    pt_memtable_pool_trim(pool);
    pt_mutex_done(&pool->mu);
}

void *pt_memtable_pool_take(pt_memtable_pool *pool, size_t capacity, bool *ret_used)
{
    void *mapping = NULL;
    pt_mutex_lock(&pool->mu);
    if (capacity == pool->capacity && pool->count != 0)
        mapping = pool->kept[--pool->count];
    pt_mutex_unlock(&pool->mu);
    *ret_used = mapping != NULL;
    if (mapping == NULL)
        mapping = pool->env->map(pool->env->ctx, capacity);
    if (mapping != NULL && capacity == pool->capacity) {
        pt_mutex_lock(&pool->mu);
        pool->in_use++;
        pt_mutex_unlock(&pool->mu);
    }
    return mapping;
}

void pt_memtable_pool_give(pt_memtable_pool *pool, void *mapping, size_t capacity)
{
    bool kept = false;
    if (capacity == pool->capacity) {
        pt_mutex_lock(&pool->mu);
        PT_ASSERT(pool->in_use != 0, "what is given back was taken");
        pool->in_use--;
        kept = capacity >= PT_POOL_CAPACITY_MIN && pool->in_use + pool->count < PT_POOL_MAPPINGS;
        if (kept)
            pool->kept[pool->count++] = mapping;
        pt_mutex_unlock(&pool->mu);
    }
    if (!kept)
        pool->env->unmap(pool->env->ctx, mapping, capacity);
}

void pt_memtable_pool_trim(pt_memtable_pool *pool)
{
    void *kept[PT_POOL_MAPPINGS];
    pt_mutex_lock(&pool->mu);
    size_t count = pool->count;
    memcpy(kept, pool->kept, sizeof kept);
    pool->count = 0;
    pt_mutex_unlock(&pool->mu);
    PT_ASSERT(count <= PT_POOL_MAPPINGS, "so many mappings are kept at the most");
    for (size_t i = 0; i < count; i++)
        pool->env->unmap(pool->env->ctx, kept[i], pool->capacity);
}

size_t pt_memtable_pool_bytes(pt_memtable_pool *pool)
{
    pt_mutex_lock(&pool->mu);
    size_t bytes = pool->count * pool->capacity;
    pt_mutex_unlock(&pool->mu);
    return bytes;
}
