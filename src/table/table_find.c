/* SPDX-License-Identifier: MIT */
/*
 * table_find.c - the point lookup, a machine that stops where it needs a block or a section.
 *
 * 1. Where is the key's newest version? The index names the block; the locator names the slot, or
 *    else the filter has its say and the block's tags find the slot.
 * 2. Take the bytes: held by the caller, else resident, else stop.
 * 3. Walk the versions to the first with seq <= seq_max. When they go on in the next block, stop
 *    and ask for it; the next call, holding it, goes on there and not at 1: the held block begins
 *    with the key, which only a continuation of it does.
 *
 * Runs inside an epoch: no locks, no I/O, no memory.
 */
#include "table/layout_hint.h"
#include "table/table_internal.h"
#include "table/table_probe.h"

typedef struct lookup {
    pt_table *t;
    pt_block_source *source;
    pt_slice key;
    uint64_t hash;
    uint64_t seq_max;
    uint32_t held_block;
    const pt_block_ref *held;
    pt_find_result *result;
} lookup;

/* ---- filters ---- */

void pt_table_prefetch(const pt_table *t, uint64_t key_hash)
{
    const pt_section_data *d = pt_table_section_peek(t, PT_SECTION_LOCATOR);
    if (d != NULL) {
        pt_locator_prefetch(&d->view.locator, key_hash);
        return;
    }
    d = pt_table_section_peek(t, PT_SECTION_FILTER);
    if (d != NULL)
        pt_filter_prefetch(&d->view.filter, key_hash);
}

bool pt_table_may_contain(const pt_table *t, uint64_t key_hash)
{
    uint32_t slot;
    const pt_section_data *d = pt_table_section_peek(t, PT_SECTION_LOCATOR);
    if (d != NULL)
        return pt_locator_find(&d->view.locator, key_hash, &slot);
    d = pt_table_section_peek(t, PT_SECTION_FILTER);
    return d == NULL || pt_filter_may_contain(&d->view.filter, key_hash);
}

/* ---- what an entry takes ---- */

uint64_t pt_table_entry_bytes(const pt_table *t, uint32_t block)
{
    uint64_t offset;
    size_t size;
    const pt_section_data *d = pt_table_section_peek(t, PT_SECTION_INDEX);
    if (d == NULL || block >= t->block_count)
        return 0;
    pt_table_extent(t, &d->view.index, block, &offset, &size);
    uint32_t entries = pt_index_entries_before(&d->view.index, block + 1) -
                       pt_index_entries_before(&d->view.index, block);
    return entries > 1 ? size / entries : size;
}

bool pt_table_has_large(const pt_table *t)
{
    const pt_section_data *d = pt_table_section_peek(t, PT_SECTION_INDEX);
    return d != NULL && d->view.index.large_count != 0;
}

bool pt_table_large_at(const pt_table *t, pt_slice key, uint64_t key_hash)
{
    const pt_section_data *d = pt_table_section_peek(t, PT_SECTION_INDEX);
    if (d == NULL || d->view.index.large_count == 0 || !pt_table_may_contain(t, key_hash))
        return false;
    uint32_t block = pt_index_search(&d->view.index, key);
    return block < t->block_count && pt_index_large_size(&d->view.index, block) != 0;
}

/* ---- the machine ---- */

static pt_find need_section(const lookup *l, pt_section s)
{
    l->result->section = s;
    return PT_FIND_NEED_SECTION;
}

static pt_find need_block(const lookup *l, uint32_t block)
{
    pt_find_result *r = l->result;
    const pt_section_data *index = pt_table_section_peek(l->t, PT_SECTION_INDEX);
    if (index == NULL) /* let go of since it named the block */
        return need_section(l, PT_SECTION_INDEX);
    r->block = block;
    pt_table_extent(l->t, &index->view.index, block, &r->extent_offset, &r->extent_size);
    r->decoded_max = pt_table_decoded_max(l->t, &index->view.index, block);
    return PT_FIND_NEED_BLOCK;
}

/* From the version behind `slot`, which is too new, to the first that seq_max allows. */
static pt_find pick_older(const lookup *l, uint32_t block, const uint8_t *data, uint32_t slot)
{
    pt_block b;
    pt_block_view(&b, data);
    while (++slot < b.count) {
        if (!pt_block_key_is(&b, slot, l->key))
            return PT_FIND_ABSENT;
        uint64_t seq = pt_block_seq(&b, slot);
        if (seq <= l->seq_max) {
            pt_block_entry(&b, slot, &l->key, seq, &l->result->entry);
            l->result->block = block;
            return PT_FIND_FOUND;
        }
    }
    if (!pt_block_continues(&b) || block + 1 >= l->t->block_count)
        return PT_FIND_ABSENT;
    return need_block(l, block + 1);
}

static pt_find pick_in_view(const lookup *l, uint32_t block, const uint8_t *data, uint32_t slot)
{
    pt_block b;
    pt_block_view(&b, data);
    pt_layout_note(&l->t->layout, data, &b);
    if (slot >= b.count || !pt_block_key_is(&b, slot, l->key))
        return PT_FIND_ABSENT; /* only the fingerprint was equal */
    uint64_t seq = pt_block_seq(&b, slot);
    if (PT_UNLIKELY(seq > l->seq_max))
        return pick_older(l, block, data, slot);
    pt_block_entry(&b, slot, &l->key, seq, &l->result->entry);
    l->result->block = block;
    return PT_FIND_FOUND;
}

/* The version in `slot`, if it has the key, or an older one. */
static inline pt_find pick_version(const lookup *l, uint32_t block, const uint8_t *data,
                                   uint32_t slot)
{
    if (!pt_block_is_plain(data) || !pt_layout_is_noted(&l->t->layout))
        return pick_in_view(l, block, data, slot);
    l->result->block = block;
    return pt_block_plain_entry(data, slot, &l->key, &l->result->entry) ? PT_FIND_FOUND
                                                                        : PT_FIND_ABSENT;
}

/* The slot of the key by the block's tags. */
static uint32_t slot_by_tags(const uint8_t *data, pt_slice key, uint64_t key_hash)
{
    pt_block b;
    pt_block_view(&b, data);
    return pt_block_find(&b, key, pt_block_tag(key_hash));
}

/* The held block, when it continues the key's versions from the block before it. */
static bool continued(const lookup *l, uint32_t block)
{
    pt_block b;
    if (l->held == NULL || l->held_block <= block)
        return false;
    pt_block_view(&b, l->held->data);
    return pt_block_key_is(&b, 0, l->key);
}

#define NO_SLOT UINT32_MAX /* tags tell */

static pt_find find_in(const lookup *l, uint32_t block, uint32_t slot)
{
    if (PT_UNLIKELY(continued(l, block)))
        return pick_version(l, l->held_block, l->held->data, 0);
    const uint8_t *data =
        l->held != NULL && l->held_block == block ? l->held->data : pt_block_peek(l->source, block);
    if (data == NULL)
        return need_block(l, block);
    if (slot == NO_SLOT)
        slot = slot_by_tags(data, l->key, l->hash);
    else
        pt_layout_prefetch_entry(&l->t->layout, data, slot);
    return pick_version(l, block, data, slot);
}

/* The section if it is to be used, else NULL. True in ret_wanted when it is to be loaded. */
static const pt_section_data *optional(const pt_table *t, pt_section s, bool *ret_wanted)
{
    *ret_wanted = false;
    if (atomic_load_explicit(&t->denied[s], memory_order_relaxed))
        return NULL;
    const pt_section_data *d = pt_table_section_peek(t, s);
    *ret_wanted = d == NULL && t->meta.section[s].size != 0;
    return d;
}

pt_find pt_table_find(pt_table *t, pt_block_source *source, pt_slice key, uint64_t key_hash,
                      uint64_t seq_max, uint32_t held_block, const pt_block_ref *held,
                      pt_find_result *ret_result)
{
    lookup l = {.t = t,
                .source = source,
                .key = key,
                .hash = key_hash,
                .seq_max = seq_max,
                .held_block = held_block,
                .held = held,
                .result = ret_result};
    bool want_locator, want_filter;
    const pt_section_data *index = pt_table_section_peek(t, PT_SECTION_INDEX);
    const pt_section_data *locator = optional(t, PT_SECTION_LOCATOR, &want_locator);
    if (index == NULL)
        return need_section(&l, PT_SECTION_INDEX);
    if (want_locator)
        return need_section(&l, PT_SECTION_LOCATOR);
    uint32_t slot = NO_SLOT;
    if (locator == NULL) {
        const pt_section_data *filter = optional(t, PT_SECTION_FILTER, &want_filter);
        if (want_filter)
            return need_section(&l, PT_SECTION_FILTER);
        if (filter != NULL && !pt_filter_may_contain(&filter->view.filter, key_hash))
            return PT_FIND_ABSENT;
    } else {
        pt_locator_prefetch(&locator->view.locator, key_hash); /* they come while we search */
    }
    uint32_t block = pt_index_search(&index->view.index, key);
    if (block == t->block_count)
        return PT_FIND_ABSENT;
    if (locator != NULL && !pt_locator_find(&locator->view.locator, key_hash, &slot))
        return PT_FIND_ABSENT;
    return find_in(&l, block, slot);
}

/* ---- the same by steps that give way (entry/probe.h) ---- */

enum { AT_BLOCK, AT_TAGS, AT_ENTRY };

/* The block's frame is among those of PT_INDEX_STRIDE, in one line (block_source.h). */
static inline void prefetch_frames(const pt_block_source *source, uint32_t from)
{
    if (source->frame != NULL)
        PT_PREFETCH(&source->frame[from < source->block_count ? from : 0]);
}

pt_probe_state pt_table_probe_begin(pt_table_probe *p, pt_table *t, pt_block_source *source,
                                    pt_slice key, uint64_t key_hash)
{
    bool want_locator, want_filter = false;
    p->index = pt_table_section_peek(t, PT_SECTION_INDEX);
    p->locator = optional(t, PT_SECTION_LOCATOR, &want_locator);
    p->filter = p->locator == NULL ? optional(t, PT_SECTION_FILTER, &want_filter) : NULL;
    if (p->index == NULL || want_locator || want_filter)
        return PT_PROBE_MISSES;
    p->t = t;
    p->source = source;
    if (p->locator != NULL) {
        p->cells = pt_locator_cells_of(&p->locator->view.locator, key_hash);
        pt_locator_cells_prefetch(&p->cells);
    } else if (p->filter != NULL) {
        pt_filter_prefetch(&p->filter->view.filter, key_hash);
    }
    p->place = pt_index_narrow(&p->index->view.index, key);
    pt_index_prefetch(&p->index->view.index, &p->place);
    prefetch_frames(source, p->place.from);
    p->at = AT_BLOCK;
    return PT_PROBE_COMES;
}

/* Head, sequences and tags, before it is known which entry it is. */
#define HEAD_BYTES ((size_t)2 * PT_LAYOUT_LINE_BYTES)

static pt_probe_state probe_block(pt_table_probe *p, pt_slice key, uint64_t key_hash)
{
    p->block = pt_index_settle(&p->index->view.index, key, &p->place);
    if (p->block == p->t->block_count)
        return PT_PROBE_ABSENT;
    if (p->locator != NULL && !pt_locator_look(&p->locator->view.locator, &p->cells, &p->slot))
        return PT_PROBE_ABSENT;
    if (p->filter != NULL && !pt_filter_may_contain(&p->filter->view.filter, key_hash))
        return PT_PROBE_ABSENT;
    p->frame = pt_block_source_frame(p->source, p->block);
    if (p->frame == 0)
        return PT_PROBE_MISSES;
    p->data = pt_block_source_data(p->source, p->frame);
    PT_PREFETCH(&p->source->used[p->frame]);
    p->at = p->locator == NULL ? AT_TAGS : AT_ENTRY;
    if (p->locator == NULL)
        pt_layout_prefetch_lines(p->data, HEAD_BYTES);
    else
        pt_layout_prefetch_entry(&p->t->layout, p->data, p->slot);
    return PT_PROBE_COMES;
}

/* No locator: the tags say which entry it may be. */
static pt_probe_state probe_tags(pt_table_probe *p, uint64_t key_hash)
{
    pt_block view;
    pt_block_source_touch(p->source, p->frame);
    pt_block_view(&view, p->data);
    pt_layout_note(&p->t->layout, p->data, &view);
    p->slot = pt_block_tagged(&view, pt_block_tag(key_hash));
    if (p->slot == view.count)
        return PT_PROBE_ABSENT;
    pt_layout_prefetch_entry(&p->t->layout, p->data, p->slot);
    p->at = AT_ENTRY;
    return PT_PROBE_COMES;
}

/* A key whose versions go on in the next block is left to the lookup that reads. */
static pt_probe_state probe_entry(pt_table_probe *p, pt_slice key, uint64_t key_hash,
                                  uint64_t seq_max, pt_find_result *ret_result)
{
    lookup l = {.t = p->t, .key = key, .seq_max = seq_max, .result = ret_result};
    pt_block_source_touch(p->source, p->frame);
    if (p->locator == NULL) /* another key may have the tag */
        p->slot = slot_by_tags(p->data, key, key_hash);
    pt_find f = pick_version(&l, p->block, p->data, p->slot);
    return f == PT_FIND_FOUND    ? PT_PROBE_FOUND
           : f == PT_FIND_ABSENT ? PT_PROBE_ABSENT
                                 : PT_PROBE_MISSES;
}

pt_probe_state pt_table_probe_step(pt_table_probe *p, pt_slice key, uint64_t key_hash,
                                   uint64_t seq_max, pt_find_result *ret_result)
{
    if (p->at == AT_ENTRY)
        return probe_entry(p, key, key_hash, seq_max, ret_result);
    return p->at == AT_BLOCK ? probe_block(p, key, key_hash) : probe_tags(p, key_hash);
}
