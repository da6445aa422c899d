/* SPDX-License-Identifier: MIT */
/*
 * table_iter.c - walking a table both ways (pt_iter).
 *
 * The index, held by reference, tells once which blocks the bounds allow; inside a block the bounds
 * are slot numbers, so that a step compares integers. One block is pinned at a time. Keys are put
 * together in a buffer: the block's common prefix once per block, the suffix at every step.
 */
#include "table/layout_hint.h"
#include "table/read_ahead.h"

#define NO_BLOCK    UINT32_MAX
#define AHEAD_BYTES (8 * PT_LINE_BYTES) /* what memory serves at once */

typedef struct table_iter {
    pt_iter base;
    const pt_env *env;
    pt_table *table;
    pt_block_source *source;
    pt_section_data *index;
    pt_read_ahead ahead;
    bool has_lower, has_upper;
    pt_bytes lower, upper;
    uint32_t block_lo, block_hi; /* blocks that can hold keys in bounds: [lo, hi) */

    pt_block_ref pinned;
    pt_block_source *pinned_from;
    uint32_t block; /* NO_BLOCK: nothing pinned */
    pt_block view;
    uint32_t slot, slot_lo, slot_hi; /* entries in bounds: [lo, hi) */
    pt_bytes key;                    /* prefix of the block, then the suffix of the entry */
    pt_bytes last;                   /* the key at slot_hi - 1 */
} table_iter;

static table_iter *of(pt_iter *it)
{
    return PT_CONTAINER(it, table_iter, base);
}

static void unpin(table_iter *t)
{
    if (t->block == NO_BLOCK)
        return;
    t->pinned_from->release(t->pinned_from, &t->pinned);
    t->block = NO_BLOCK;
}

static pt_slice slice_of(const pt_bytes *b)
{
    return pt_slice_of(b->data, b->size);
}

/* memcpy for suffixes: a few bytes, not known before, where a call would be most of the cost. */
static inline void copy_suffix(uint8_t *dst, const uint8_t *src, size_t n)
{
    if (PT_UNLIKELY(n > 16)) {
        memcpy(dst, src, n);
    } else if (n >= 8) {
        memcpy(dst, src, 8);
        memcpy(dst + n - 8, src + n - 8, 8);
    } else if (n >= 4) {
        memcpy(dst, src, 4);
        memcpy(dst + n - 4, src + n - 4, 4);
    } else {
        for (size_t i = 0; i < n; i++)
            dst[i] = src[i];
    }
}

/* Entry `slot` becomes the current one. */
static peat_rc stand(table_iter *t, uint32_t slot)
{
    const pt_block *b = &t->view;
    pt_slice suffix = pt_block_suffix(b, slot);
    copy_suffix(t->key.data + b->prefix_size, suffix.data, suffix.size);
    t->slot = slot;
    t->base.at.key = pt_slice_of(t->key.data, b->prefix_size + suffix.size);
    t->base.at.value = pt_block_value(b, slot);
    t->base.at.seq = pt_block_seq(b, slot);
    t->base.at.kind = pt_block_kind(b, slot);
    t->base.value_stays_back = slot > t->slot_lo;
    return PEAT_OK;
}

/* The suffixes' room: any is at most as long as all together. */
static peat_rc prepare_keys(table_iter *t)
{
    peat_rc rc = PEAT_OK;
    const pt_block *b = &t->view;
    t->key.size = t->last.size = 0;
    TRY(pt_bytes_reserve(&t->key, b->prefix_size + (size_t)(b->values - b->keys) + 1));
    if (b->prefix_size != 0)
        memcpy(t->key.data, b->prefix, b->prefix_size);
    t->base.stable_until = (pt_slice){0};
    if (t->slot_hi > t->slot_lo) {
        pt_slice suffix = pt_block_suffix(b, t->slot_hi - 1);
        TRY(pt_bytes_append(&t->last, b->prefix, b->prefix_size));
        TRY(pt_bytes_append(&t->last, suffix.data, suffix.size));
        t->base.stable_until = slice_of(&t->last);
    }
out:
    return rc;
}

/* Pins a block and finds its part in bounds. */
static peat_rc enter(table_iter *t, uint32_t block)
{
    if (t->block == block)
        return PEAT_OK;
    unpin(t);
    peat_rc rc = pt_read_ahead_fetch(&t->ahead, block, &t->pinned, &t->pinned_from);
    if (rc != PEAT_OK)
        return rc;
    t->block = block;
    pt_layout_prefetch_keys(&t->table->layout, t->pinned.data);
    pt_block_view(&t->view, t->pinned.data);
    pt_layout_note(&t->table->layout, t->pinned.data, &t->view);
    t->slot_lo = 0;
    t->slot_hi = t->view.count;
    if (t->has_lower && block == t->block_lo)
        t->slot_lo = pt_block_lower(&t->view, slice_of(&t->lower));
    if (t->has_upper && block == t->block_hi - 1)
        t->slot_hi = pt_block_lower(&t->view, slice_of(&t->upper));
    rc = prepare_keys(t);
    if (rc != PEAT_OK) {
        unpin(t);
        rc = pt_fail(t->table->sink, rc, "no memory to iterate table %s", t->table->name);
    }
    return rc;
}

/* A scan meets the next block within a microsecond or two: its first lines are asked for now. */
static void prefetch_block(const table_iter *t, uint32_t block)
{
    if (t->source->prefetch != NULL)
        t->source->prefetch(t->source, block);
}

/* The values of a scan lie one behind the other, but the processor notices that only after a few
 * waits, and forgets it at every page. */
static inline void prefetch_values(const table_iter *t, uint32_t slot, size_t from, size_t to)
{
    const uint8_t *value = pt_block_value(&t->view, slot).data;
    for (size_t at = from; at < to; at += PT_LINE_BYTES)
        PT_PREFETCH(value + at);
}

/* The first entry at or behind (block, slot). */
static peat_rc forward(table_iter *t, uint32_t block, uint32_t slot)
{
    for (; block < t->block_hi; block++, slot = 0) {
        peat_rc rc = enter(t, block);
        if (rc != PEAT_OK)
            return rc;
        if (slot < t->slot_lo)
            slot = t->slot_lo;
        if (slot < t->slot_hi) {
            prefetch_values(t, slot, 0, AHEAD_BYTES);
            prefetch_block(t, block + 1);
            return stand(t, slot);
        }
    }
    return PEAT_END;
}

/* The last entry in the blocks up to this one. */
static peat_rc backward(table_iter *t, uint32_t block)
{
    for (;; block--) {
        peat_rc rc = enter(t, block);
        if (rc != PEAT_OK)
            return rc;
        if (t->slot_lo < t->slot_hi) {
            if (block != 0)
                prefetch_block(t, block - 1);
            return stand(t, t->slot_hi - 1);
        }
        if (block == t->block_lo)
            return PEAT_END;
    }
}

static peat_rc table_first(pt_iter *it)
{
    table_iter *t = of(it);
    return forward(t, t->block_lo, 0);
}

static peat_rc table_last(pt_iter *it)
{
    table_iter *t = of(it);
    return t->block_lo < t->block_hi ? backward(t, t->block_hi - 1) : PEAT_END;
}

static peat_rc table_next(pt_iter *it)
{
    table_iter *t = of(it);
    if (PT_LIKELY(t->slot + 1 < t->slot_hi)) {
        prefetch_values(t, t->slot + 1, AHEAD_BYTES, AHEAD_BYTES + 2 * PT_LINE_BYTES);
        return stand(t, t->slot + 1);
    }
    return forward(t, t->block + 1, 0);
}

static peat_rc table_prev(pt_iter *it)
{
    table_iter *t = of(it);
    if (PT_LIKELY(t->slot > t->slot_lo))
        return stand(t, t->slot - 1);
    return t->block > t->block_lo ? backward(t, t->block - 1) : PEAT_END;
}

static peat_rc table_seek(pt_iter *it, pt_slice key)
{
    table_iter *t = of(it);
    uint32_t block = pt_index_search(&t->index->view.index, key);
    if (block < t->block_lo)
        return forward(t, t->block_lo, 0);
    if (block >= t->block_hi)
        return PEAT_END;
    peat_rc rc = enter(t, block);
    return rc == PEAT_OK ? forward(t, block, pt_block_lower(&t->view, key)) : rc;
}

static peat_rc table_seek_for_prev(pt_iter *it, pt_slice key)
{
    table_iter *t = of(it);
    uint32_t block = pt_index_search(&t->index->view.index, key);
    if (t->block_lo >= t->block_hi || block < t->block_lo)
        return PEAT_END;
    for (; block < t->block_hi; block++) {
        peat_rc rc = enter(t, block);
        if (rc != PEAT_OK)
            return rc;
        uint32_t slot = pt_block_upper(&t->view, key);
        /* all of the block is at or below the key, and its last key goes on in the next */
        if (slot == t->view.count && pt_block_continues(&t->view) && block + 1 < t->block_hi)
            continue;
        if (slot > t->slot_hi)
            slot = t->slot_hi;
        if (slot > t->slot_lo)
            return stand(t, slot - 1);
        return block > t->block_lo ? backward(t, block - 1) : PEAT_END;
    }
    return backward(t, t->block_hi - 1);
}

static void table_done(pt_iter *it)
{
    table_iter *t = of(it);
    unpin(t);
    pt_read_ahead_done(&t->ahead);
    pt_section_unref(t->index);
    pt_bytes_done(&t->lower);
    pt_bytes_done(&t->upper);
    pt_bytes_done(&t->key);
    pt_bytes_done(&t->last);
    pt_free(t->env, t);
}

static const pt_iter_ops table_iter_ops = {
    .first = table_first,
    .last = table_last,
    .seek = table_seek,
    .seek_for_prev = table_seek_for_prev,
    .next = table_next,
    .prev = table_prev,
    .done = table_done,
};

static peat_rc set_bounds(table_iter *t, const pt_table_iter_options *o)
{
    peat_rc rc = PEAT_OK;
    const pt_index *x = &t->index->view.index;
    t->has_lower = o->lower.data != NULL;
    t->has_upper = o->upper.data != NULL;
    if (t->has_lower) {
        TRY(pt_bytes_append(&t->lower, o->lower.data, o->lower.size));
        t->block_lo = pt_index_search(x, o->lower);
    }
    if (t->has_upper) {
        TRY(pt_bytes_append(&t->upper, o->upper.data, o->upper.size));
        uint32_t block = pt_index_search(x, o->upper);
        if (block < t->table->block_count)
            t->block_hi = block + 1;
        else
            t->has_upper = false; /* above everything */
    }
out:
    return rc;
}

peat_rc pt_table_iter_new(const pt_env *env, pt_table *table, pt_block_source *source,
                          const pt_table_iter_options *options, pt_iter **ret_iter)
{
    peat_rc rc = PEAT_OK;
    table_iter *t = pt_alloc_zero(env, sizeof *t);
    if (t == NULL)
        return pt_fail(table->sink, PEAT_NOMEM, "no memory to iterate table %s", table->name);
    t->base.ops = &table_iter_ops;
    t->env = env;
    t->table = table;
    t->source = source;
    pt_read_ahead_init(&t->ahead, table, source, options != NULL ? options->hint : PT_FETCH_POINT);
    t->block = NO_BLOCK;
    t->block_hi = table->block_count;
    pt_bytes_init(&t->lower, env);
    pt_bytes_init(&t->upper, env);
    pt_bytes_init(&t->key, env);
    pt_bytes_init(&t->last, env);
    TRY(pt_table_section_hold(table, PT_SECTION_INDEX, &t->index));
    if (options != NULL) {
        rc = set_bounds(t, options);
        if (rc != PEAT_OK)
            TRY(pt_fail(table->sink, rc, "no memory to iterate table %s", table->name));
    }
    *ret_iter = &t->base;
    t = NULL;
out:
    if (t != NULL)
        table_done(&t->base);
    return rc;
}
