/* SPDX-License-Identifier: MIT */
/* memtable.c - the contract of memtable.h over the tree; put and get start here. */
#include "mem/memtable.h"

#include "mem/tree.h"

#define CAPACITY_MIN ((size_t)64 << 10)

static pt_memtable *begin(const pt_env *env, void *mapping, size_t capacity_bytes, bool used)
{
    pt_memtable *m = mapping;
    if (used)
        memset(m, 0, sizeof *m);
    pt_arena_init(&m->arena, env, m, capacity_bytes, sizeof *m);
    m->arena.used = used;
    pt_tree_init(m);
    atomic_init(&m->refs, 1);
    return m;
}

static bool is_capacity(size_t bytes)
{
    return bytes >= CAPACITY_MIN && bytes <= PT_ARENA_BYTES_MAX;
}

peat_rc pt_memtable_new(const pt_env *env, size_t capacity_bytes, pt_memtable **ret_memtable)
{
    if (!is_capacity(capacity_bytes))
        return PEAT_INVALID;
    void *mapping = env->map(env->ctx, capacity_bytes);
    if (mapping == NULL)
        return PEAT_NOMEM;
    *ret_memtable = begin(env, mapping, capacity_bytes, false);
    return PEAT_OK;
}

peat_rc pt_memtable_new_from(pt_memtable_pool *pool, size_t capacity_bytes,
                             pt_memtable **ret_memtable)
{
    if (!is_capacity(capacity_bytes))
        return PEAT_INVALID;
    bool used;
    void *mapping = pt_memtable_pool_take(pool, capacity_bytes, &used);
    if (mapping == NULL)
        return PEAT_NOMEM;
    *ret_memtable = begin(pool->env, mapping, capacity_bytes, used);
    (*ret_memtable)->pool = pool;
    return PEAT_OK;
}

pt_memtable *pt_memtable_ref(pt_memtable *m)
{
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void pt_memtable_unref(pt_memtable *m)
{
    /* release and acquire: the last one sees everyone else done */
    if (m == NULL || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
        return;
    const pt_env *env = m->arena.env;
    pt_mutex_done(&m->shape);
    if (m->pool != NULL)
        pt_memtable_pool_give(m->pool, m, m->arena.capacity);
    else
        env->unmap(env->ctx, m, m->arena.capacity);
}

size_t pt_memtable_capacity_for(uint64_t count, uint64_t key_bytes, uint64_t value_bytes)
{
    size_t need = pt_arena_capacity_for(count, key_bytes, value_bytes, sizeof(struct pt_memtable));
    return need < CAPACITY_MIN ? CAPACITY_MIN : need;
}

bool pt_memtable_reserve(pt_memtable *m, uint64_t count, uint64_t key_bytes, uint64_t value_bytes)
{
    return pt_arena_reserve(&m->arena, count, key_bytes, value_bytes);
}

void pt_memtable_unreserve(pt_memtable *m, uint64_t count, uint64_t key_bytes, uint64_t value_bytes)
{
    pt_arena_unreserve(&m->arena, count, key_bytes, value_bytes);
}

void pt_memtable_trim(pt_memtable *m)
{
    pt_arena_trim(&m->arena);
}

void pt_memtable_add(pt_memtable *m, const pt_entry *entry)
{
    PT_ASSERT(entry->key.size >= PT_KEYSPACE_BYTES && entry->key.size <= PT_KEY_BYTES_MAX,
              "a key has its keyspace, and a size that a record can hold");
    PT_DCHECK(entry->seq <= PT_SEQ_MAX && entry->value.size <= PEAT_VALUE_SIZE_MAX,
              "a record holds the sequence and the value's size");
    uint32_t offset = pt_arena_record(&m->arena, pt_record_bytes(entry));
    pt_record *record = pt_record_at(&m->arena, offset);
    pt_record_write(record, entry);
    pt_tree_add(m, pt_record_key(record), offset);
    pt_arena_added(&m->arena, entry);
}

bool pt_memtable_get(const pt_memtable *m, pt_slice key, uint64_t seq_max, pt_entry *ret_entry)
{
    bool empty;
    pt_place place;
    if (pt_tree_side(m, key, &empty) != 0 || empty)
        return false;
    pt_tree_find(m, key, &place);
    if (place.record == 0)
        return false;
    uint32_t looks = 0;
    const pt_record *found =
        pt_versions_visible(&m->arena, pt_record_at(&m->arena, place.record), seq_max, &looks);
    if (found == NULL)
        return false;
    pt_record_entry(found, ret_entry);
    return true;
}

pt_memtable_stats pt_memtable_get_stats(const pt_memtable *m)
{
    pt_arena_sums sums = pt_arena_sum(&m->arena);
    return (pt_memtable_stats){
        .used_bytes = pt_arena_used(&m->arena),
        .capacity_bytes = m->arena.capacity,
        .entries = sums.entries,
        .tombstones = sums.tombstones,
        .key_bytes = sums.key_bytes,
        .value_bytes = sums.value_bytes,
    };
}
