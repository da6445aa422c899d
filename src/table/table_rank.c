/* SPDX-License-Identifier: MIT */
/*
 * table_rank.c - where a key stands in a table. The index knows what lies before each block; where
 * the key falls inside one is read from the block itself, or guessed between its separators.
 */
#include "table/table_internal.h"

/* Of a block: what lies before the key in it, and how much of its bytes that is, in 1/65536. */
typedef struct part {
    uint64_t entries;
    uint64_t bytes_16;
} part;

/* Keys and values of the first n entries. */
static uint64_t weight_of(const pt_block *b, uint32_t n)
{
    if (n == 0)
        return 0;
    pt_slice key = pt_block_suffix(b, n - 1), value = pt_block_value(b, n - 1);
    return (uint64_t)(key.data + key.size - b->keys) +
           (uint64_t)(value.data + value.size - b->values);
}

static peat_rc part_by_block(pt_block_source *source, uint32_t block, pt_fetch_hint hint,
                             pt_slice key, part *ret_part)
{
    pt_block_ref ref;
    pt_block view;
    peat_rc rc = source->fetch(source, block, hint, &ref);
    if (rc != PEAT_OK)
        return rc;
    pt_block_view(&view, ref.data);
    uint32_t at = pt_block_lower(&view, key);
    uint64_t all = weight_of(&view, view.count);
    ret_part->entries = at;
    ret_part->bytes_16 = at == view.count ? 65536
                         : all != 0       ? (weight_of(&view, at) << 16) / all
                                          : ((uint64_t)at << 16) / view.count;
    source->release(source, &ref);
    return PEAT_OK;
}

/* The sections behind the blocks are there for the entries. */
static uint64_t share_of_sections(const pt_table *t, uint64_t entries)
{
    uint64_t sections = t->meta.file_bytes - t->blocks_end;
    return (uint64_t)((double)sections * ((double)entries / (double)t->meta.entries));
}

static peat_rc rank_in(pt_table *t, const pt_index *x, pt_block_source *source, pt_slice key,
                       uint64_t *ret_entries, uint64_t *ret_bytes)
{
    uint32_t block = pt_index_search(x, key);
    uint64_t offset;
    size_t size;
    part p;
    if (block == t->block_count) {
        *ret_entries = t->meta.entries;
        *ret_bytes = t->meta.file_bytes;
        return PEAT_OK;
    }
    pt_table_extent(t, x, block, &offset, &size);
    uint64_t before = pt_index_entries_before(x, block);
    uint64_t count = pt_index_entries_before(x, block + 1) - before;
    if (source != NULL) {
        bool large = pt_index_large_size(x, block) != 0;
        peat_rc rc = part_by_block(source, block, large ? PT_FETCH_ONCE : PT_FETCH_POINT, key, &p);
        if (rc != PEAT_OK)
            return rc;
        p.entries = pt_min_u64(p.entries, count); /* of a damaged table it may not be */
    } else {
        p.bytes_16 = pt_index_position(x, block, key);
        p.entries = count * p.bytes_16 >> 16;
    }
    *ret_entries = before + p.entries;
    *ret_bytes = offset + ((uint64_t)size * p.bytes_16 >> 16) + share_of_sections(t, *ret_entries);
    return PEAT_OK;
}

peat_rc pt_table_rank(pt_table *t, pt_block_source *source, pt_slice key, uint64_t *ret_entries,
                      uint64_t *ret_bytes)
{
    pt_section_data *held;
    peat_rc rc = pt_table_section_hold(t, PT_SECTION_INDEX, &held);
    if (rc != PEAT_OK)
        return rc;
    rc = rank_in(t, &held->view.index, source, key, ret_entries, ret_bytes);
    pt_section_unref(held);
    return rc;
}
