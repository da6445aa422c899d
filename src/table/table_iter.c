/* SPDX-License-Identifier: MIT */
/*
 * table_iter.c - walking a table both ways (pt_iter).
 *
 * The index, held by reference, tells once which blocks the bounds allow; inside a block the bounds
 * are slot numbers, so that a step compares integers. One block is pinned at a time. Entries are
 * made a few at a time (pt_iter_group): their keys are put together from the block's prefix and the
 * entry's suffix, and who reads such a key at once would wait for the pieces to reach the cache.
 */
#include "table/layout_hint.h"
#include "table/read_ahead.h"

#define NO_BLOCK   UINT32_MAX
#define PREFIX_MAX 256u /* of keys that are made several at a time */

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
    uint32_t slot_lo, slot_hi; /* entries in bounds: [lo, hi) */
    uint32_t group_lo;         /* the slot of the group's first entry */
    uint32_t group_max;
    uint32_t asked;      /* the block whose first lines were asked for last */
    const uint8_t *next; /* where it is resident; a hint */
    pt_iter_group group;
    pt_bytes keys; /* of the group */
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

/* Entry `at` of the group becomes the current one. */
static inline peat_rc stand(table_iter *t, uint32_t at)
{
    t->group.at = at;
    pt_entry_copy(&t->base.at, &t->group.entries[at]);
    return PEAT_OK;
}

/* Makes the entries [from, to). */
static void make_group(table_iter *t, uint32_t from, uint32_t to)
{
    PT_DCHECK(from < to && to - from <= PT_ITER_GROUP && from >= t->slot_lo && to <= t->slot_hi,
              "a group is made of entries within the bounds");
    const pt_block b = t->view; /* a copy, which the bytes written below cannot be part of */
    uint8_t *at = t->keys.data;
    pt_entry *e = t->group.entries;
    for (uint32_t i = from; i < to; i++, e++) {
        pt_slice suffix = pt_block_suffix(&b, i);
        pt_key_copy(at, b.prefix, b.prefix_size);
        pt_key_copy(at + b.prefix_size, suffix.data, suffix.size);
        pt_slice key = pt_slice_of(at, b.prefix_size + suffix.size);
        pt_block_entry(&b, i, &key, pt_block_seq(&b, i), e);
        at += e->key.size;
    }
    t->group_lo = from;
    t->group.count = to - from;
    t->group.more_before = from > t->slot_lo;
    t->group.more_behind = to < t->slot_hi;
}

/* Asks the processor for what fetching the block takes, and for its first lines. */
static void ask_for(table_iter *t, uint32_t block)
{
    t->asked = block;
    t->next = t->source->prefetch != NULL ? t->source->prefetch(t->source, block) : NULL;
    if (t->next != NULL)
        pt_layout_prefetch_keys(&t->table->layout, t->next);
}

/* On a walk: stands on `slot` with a whole group behind it ... The values of a scan lie one behind
 * the other, but the processor notices that only after a few waits, and forgets it at every page.
 * They are asked for two groups before they are needed, those of the next block, too. That block is
 * met within a microsecond by then; a range that ends before has no use for it. */
static peat_rc walk_on(table_iter *t, uint32_t slot)
{
    uint32_t to = slot + (uint32_t)pt_min_u64(t->group_max, t->slot_hi - slot);
    if (to + 2 * PT_ITER_GROUP >= t->slot_hi && t->asked != t->block + 1)
        ask_for(t, t->block + 1);
    if (to + PT_ITER_GROUP < t->slot_hi)
        pt_layout_prefetch_lines(pt_block_value(&t->view, to + PT_ITER_GROUP).data,
                                 PT_LAYOUT_AHEAD_BYTES);
    else if (t->next != NULL)
        pt_layout_prefetch_values(&t->table->layout, t->next);
    make_group(t, slot, to);
    return stand(t, 0);
}

/* ... or before it. */
static peat_rc walk_back(table_iter *t, uint32_t slot)
{
    uint32_t count = (uint32_t)pt_min_u64(t->group_max, slot - t->slot_lo + 1);
    uint32_t from = slot + 1 - count;
    if (from < t->slot_lo + 2 * PT_ITER_GROUP && t->block != 0 && t->asked != t->block - 1)
        ask_for(t, t->block - 1);
    if (from >= t->slot_lo + 2 * PT_ITER_GROUP)
        pt_layout_prefetch_lines(pt_block_value(&t->view, from - 2 * PT_ITER_GROUP).data,
                                 PT_LAYOUT_AHEAD_BYTES);
    make_group(t, from, slot + 1);
    return stand(t, count - 1);
}

/* The room of a group's keys: suffixes are at most as long as all of the block together. */
static peat_rc prepare_keys(table_iter *t)
{
    const pt_block *b = &t->view;
    t->group_max = b->prefix_size <= PREFIX_MAX ? PT_ITER_GROUP : 1;
    size_t prefixes = (size_t)t->group_max * b->prefix_size;
    t->keys.size = 0;
    return pt_bytes_reserve(&t->keys, prefixes + (size_t)(b->values - b->keys) + 1);
}

/* Pins a block and finds its part in bounds. */
static peat_rc enter(table_iter *t, uint32_t block)
{
    if (t->block == block)
        return PEAT_OK;
    unpin(t);
    if (t->asked != block) /* its lines come while it is pinned */
        ask_for(t, block);
    peat_rc rc = pt_read_ahead_fetch(&t->ahead, block, &t->pinned, &t->pinned_from);
    if (rc != PEAT_OK)
        return rc;
    t->block = block;
    pt_block_view(&t->view, t->pinned.data);
    pt_layout_note(&t->table->layout, t->pinned.data, &t->view);
    bool cut_lo = t->has_lower && block == t->block_lo;
    bool cut_hi = t->has_upper && block == t->block_hi - 1;
    t->slot_lo = cut_lo ? pt_block_lower(&t->view, pt_bytes_slice(&t->lower)) : 0;
    t->slot_hi = cut_hi ? pt_block_lower(&t->view, pt_bytes_slice(&t->upper)) : t->view.count;
    rc = prepare_keys(t);
    if (rc != PEAT_OK) {
        unpin(t);
        rc = pt_fail(t->table->sink, rc, "no memory to iterate table %s", t->table->name);
    }
    return rc;
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
            pt_layout_prefetch_lines(pt_block_value(&t->view, slot).data,
                                     2 * PT_LAYOUT_AHEAD_BYTES);
            return walk_on(t, slot);
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
        if (t->slot_lo < t->slot_hi)
            return walk_back(t, t->slot_hi - 1);
        if (block == t->block_lo)
            return PEAT_END;
    }
}

static peat_rc table_last(pt_iter *it)
{
    table_iter *t = of(it);
    return t->block_lo < t->block_hi ? backward(t, t->block_hi - 1) : PEAT_END;
}

static peat_rc table_next(pt_iter *it)
{
    table_iter *t = of(it);
    if (PT_LIKELY(t->group.at + 1 < t->group.count))
        return stand(t, t->group.at + 1);
    uint32_t slot = t->group_lo + t->group.count;
    if (PT_LIKELY(slot < t->slot_hi))
        return walk_on(t, slot);
    return forward(t, t->block + 1, 0);
}

static peat_rc table_prev(pt_iter *it)
{
    table_iter *t = of(it);
    if (PT_LIKELY(t->group.at > 0))
        return stand(t, t->group.at - 1);
    if (PT_LIKELY(t->group_lo > t->slot_lo))
        return walk_back(t, t->group_lo - 1);
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
            return walk_back(t, slot - 1);
        return block > t->block_lo ? backward(t, block - 1) : PEAT_END;
    }
    return backward(t, t->block_hi - 1);
}

void pt_table_iter_leave(pt_iter *it)
{
    table_iter *t = of(it);
    unpin(t);
    pt_read_ahead_done(&t->ahead);
    pt_section_unref(t->index);
    t->index = NULL;
}

/* The values of n entries from the current one on; who takes all that is left meets the next block
 * soon. */
static void ask_for_values(table_iter *t, const pt_columns *c, bool back, uint32_t n)
{
    uint32_t left = back ? c->at - c->lo + 1 : c->hi - c->at;
    uint32_t from = back && n < left ? c->at + 1 - n : back ? c->lo : c->at;
    uint32_t to = back ? c->at + 1 : n < left ? c->at + n : c->hi;
    pt_slice last = pt_columns_value(c, to - 1);
    const uint8_t *begin = pt_columns_value(c, from).data;
    pt_layout_prefetch_lines(begin, (size_t)(last.data + last.size - begin));
    uint32_t beside = back ? t->block - 1 : t->block + 1;
    if (n >= left && (!back || t->block != 0) && t->asked != beside)
        ask_for(t, beside);
}

static bool table_columns(pt_iter *it, bool back, uint32_t n, pt_columns *ret_columns)
{
    table_iter *t = of(it);
    const pt_block *b = &t->view;
    if (b->kinds != NULL || b->seq_width != 0 || b->prefix_size > PREFIX_MAX)
        return false;
    *ret_columns =
        (pt_columns){.seq = b->seq_base,
                     .lo = t->slot_lo,
                     .at = t->group_lo + t->group.at,
                     .hi = t->slot_hi,
                     .key_width = b->key_width,
                     .value_width = b->value_width,
                     .key_ends = b->flags & PT_BLOCK_FIXED_KEYS ? NULL : b->key_ends,
                     .value_ends = b->flags & PT_BLOCK_FIXED_VALUES ? NULL : b->value_ends,
                     .prefix = b->prefix,
                     .keys = b->keys,
                     .values = b->values,
                     .prefix_size = b->prefix_size};
    ask_for_values(t, ret_columns, back, n);
    return true;
}

static void table_go(pt_iter *it, uint32_t i)
{
    table_iter *t = of(it);
    make_group(t, i, i + 1);
    (void)stand(t, 0);
}

static void table_done(pt_iter *it)
{
    table_iter *t = of(it);
    pt_table_iter_leave(it);
    pt_bytes_done(&t->lower);
    pt_bytes_done(&t->upper);
    pt_bytes_done(&t->keys);
    pt_free(t->env, t);
}

static const pt_iter_ops table_iter_ops = {
    .last = table_last,
    .seek = table_seek,
    .seek_for_prev = table_seek_for_prev,
    .next = table_next,
    .prev = table_prev,
    .done = table_done,
    .columns = table_columns,
    .go = table_go,
};

static peat_rc copy_bound(pt_bytes *b, pt_slice bound)
{
    b->size = 0;
    return pt_bytes_append(b, bound.data, bound.size);
}

/* A bound beyond all keys of the table is none. */
static peat_rc set_bounds(table_iter *t, pt_slice lower, pt_slice upper)
{
    peat_rc rc = PEAT_OK;
    const pt_index *x = &t->index->view.index;
    const pt_table_meta *meta = &t->table->meta;
    t->has_lower = lower.data != NULL && pt_slice_compare(meta->key_min, lower) < 0;
    t->has_upper = upper.data != NULL && pt_slice_compare(meta->key_max, upper) >= 0;
    t->block_lo = 0;
    t->block_hi = t->table->block_count;
    if (t->has_lower) {
        TRY(copy_bound(&t->lower, lower));
        t->block_lo = pt_index_search(x, lower);
    }
    if (t->has_upper) {
        TRY(copy_bound(&t->upper, upper));
        uint32_t block = pt_index_search(x, upper);
        if (block < t->table->block_count)
            t->block_hi = block + 1;
        else
            t->has_upper = false; /* above everything */
    }
out:
    return rc;
}

peat_rc pt_table_iter_reopen(pt_iter *it, pt_table *table, pt_block_source *source,
                             const pt_table_iter_options *options)
{
    static const pt_table_iter_options all = {.hint = PT_FETCH_POINT};
    table_iter *t = of(it);
    peat_rc rc = PEAT_OK;
    const pt_table_iter_options *o = options != NULL ? options : &all;
    pt_table_iter_leave(it);
    t->table = table;
    t->source = source;
    t->asked = NO_BLOCK;
    t->next = NULL;
    pt_read_ahead_init(&t->ahead, table, source, o->hint);
    TRY(pt_table_section_hold(table, PT_SECTION_INDEX, &t->index));
    rc = set_bounds(t, o->lower, o->upper);
    if (rc != PEAT_OK) {
        pt_table_iter_leave(it);
        rc = pt_fail(table->sink, rc, "no memory to iterate table %s", table->name);
    }
out:
    return rc;
}

peat_rc pt_table_iter_new(const pt_env *env, pt_table *table, pt_block_source *source,
                          const pt_table_iter_options *options, pt_iter **ret_iter)
{
    table_iter *t = pt_alloc_zero(env, sizeof *t);
    if (t == NULL)
        return pt_fail(table->sink, PEAT_NOMEM, "no memory to iterate table %s", table->name);
    t->base.ops = &table_iter_ops;
    t->base.group = &t->group;
    t->env = env;
    t->block = NO_BLOCK;
    pt_bytes_init(&t->lower, env);
    pt_bytes_init(&t->upper, env);
    pt_bytes_init(&t->keys, env);
    peat_rc rc = pt_table_iter_reopen(&t->base, table, source, options);
    if (rc == PEAT_OK)
        *ret_iter = &t->base;
    else
        table_done(&t->base);
    return rc;
}
