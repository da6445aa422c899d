/* SPDX-License-Identifier: MIT */
/*
 * around.c - see around.h. Who reads leads the flights of all the blocks it brings, and waits for
 * none of others: so two of these cannot wait for each other.
 */
#include "version/around.h"

/* One read of a device that takes so long is worth a single block only; then so many misses are
 * read alone before it is tried again. */
#define SLOW_NS    ((uint64_t)400 * 1000)
#define SLOW_TURNS 16u

typedef struct bringing {
    pt_table_ref *t;
    pt_table_around blocks;
    pt_cache_fill fill[PT_TABLE_AROUND_BLOCKS];
    uint32_t own; /* the one that was asked for, counted from the first */
} bringing;

/* Those that nobody has and nobody reads. */
static void lead_others(bringing *b)
{
    pt_block_source *source = b->t->source;
    for (uint32_t i = 0; i < b->blocks.count; i++) {
        pt_cache_fill *fill = &b->fill[i];
        pt_block_ref ref = {0};
        if (i == b->own)
            continue;
        peat_rc rc = pt_cache_fill_begin(source, b->blocks.first + i, b->blocks.decoded_max[i],
                                         PT_FETCH_SCAN, fill, &ref);
        if (rc == PEAT_OK && fill->state == PT_FILL_READY)
            source->release(source, &ref);
        else if (rc == PEAT_OK && fill->state == PT_FILL_WAITS)
            pt_cache_fill_abandon(source, fill);
    }
}

static bool leads(const bringing *b, uint32_t i)
{
    return b->fill[i].state == PT_FILL_LEADS;
}

/* What one read brings: from the first to the last that is wanted. */
static bool read_all(bringing *b, uint8_t *buf, uint32_t *ret_from)
{
    pt_open_tables *all = b->t->open_tables;
    uint32_t from = 0, to = b->blocks.count - 1;
    while (!leads(b, from))
        from++;
    while (!leads(b, to))
        to--;
    *ret_from = from;
    uint64_t begin = all->env->now_ns(all->env->ctx);
    bool whole = pt_table_around_read(b->t->table, &b->blocks, from, to, buf);
    if (all->env->now_ns(all->env->ctx) - begin > SLOW_NS)
        atomic_store_explicit(&all->around_turns, SLOW_TURNS, memory_order_relaxed);
    return whole;
}

/* Ends what it leads. A block that is not sound is left to who asks for it. */
static bool give_all(bringing *b, const uint8_t *buf, uint32_t from, pt_block_ref *ret_ref)
{
    pt_block_source *source = b->t->source;
    for (uint32_t i = from; i < b->blocks.count; i++) {
        size_t size = 0;
        if (!leads(b, i))
            continue;
        const uint8_t *bytes = buf + (b->blocks.offset[i] - b->blocks.offset[from]);
        if (!pt_table_around_take(b->t->table, &b->blocks, i, bytes, b->fill[i].room,
                                  b->fill[i].room_size, &size))
            continue;
        pt_block_ref ref;
        peat_rc rc = pt_cache_fill_end(source, &b->fill[i], PEAT_OK, size, &ref);
        PT_ASSERT(rc == PEAT_OK, "who ends a fill well has the block");
        atomic_fetch_add_explicit(&b->t->open_tables->bytes_read, size, memory_order_relaxed);
        if (i == b->own)
            *ret_ref = ref;
        else
            source->release(source, &ref);
    }
    return b->fill[b->own].state == PT_FILL_READY;
}

/* False: the block that was asked for is still to be read. */
static bool bring(bringing *b, pt_block_ref *ret_ref)
{
    const pt_env *env = b->t->open_tables->env;
    uint8_t *buf = (uint8_t *)pt_alloc(env, PT_TABLE_AROUND_BYTES);
    uint32_t from;
    bool there = false;
    if (buf != NULL) {
        lead_others(b);
        there = read_all(b, buf, &from) && give_all(b, buf, from, ret_ref);
        pt_free(env, buf);
    }
    for (uint32_t i = 0; i < b->blocks.count; i++)
        if (i != b->own && leads(b, i))
            pt_cache_fill_abandon(b->t->source, &b->fill[i]);
    return there;
}

static bool is_worth_it(pt_open_tables *all)
{
    uint32_t turns = atomic_load_explicit(&all->around_turns, memory_order_relaxed);
    if (turns != 0)
        atomic_store_explicit(&all->around_turns, turns - 1, memory_order_relaxed);
    return turns == 0 && pt_cache_has_spare(all->cache, PT_TABLE_AROUND_BYTES);
}

static peat_rc fetch_all(pt_table_ref *t, uint32_t block, pt_block_ref *ret_ref)
{
    bringing b = {.t = t};
    pt_block_source *source = t->source;
    if (!pt_table_around_of(t->table, block, &b.blocks))
        return source->fetch(source, block, PT_FETCH_POINT, ret_ref);
    b.own = block - b.blocks.first;
    pt_cache_fill *own = &b.fill[b.own];
    peat_rc rc = pt_cache_fill_begin(source, block, b.blocks.decoded_max[b.own], PT_FETCH_POINT,
                                     own, ret_ref);
    if (rc == PEAT_OK && own->state == PT_FILL_WAITS)
        rc = pt_cache_fill_wait(source, own, ret_ref);
    if (rc != PEAT_OK || own->state == PT_FILL_READY || bring(&b, ret_ref))
        return rc;
    size_t size = 0;
    rc = pt_table_ref_read_block(t, block, own->room, own->room_size, &size);
    return pt_cache_fill_end(source, own, rc, size, ret_ref);
}

peat_rc pt_around_fetch(pt_table_ref *t, uint32_t block, pt_block_ref *ret_ref)
{
    if (is_worth_it(t->open_tables))
        return fetch_all(t, block, ret_ref);
    return t->source->fetch(t->source, block, PT_FETCH_POINT, ret_ref);
}
