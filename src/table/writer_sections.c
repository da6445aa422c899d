/* SPDX-License-Identifier: MIT */
/* writer_sections.c - index, filter, locator and footer of a table being written. */
#include "table/filter.h"
#include "table/locator.h"
#include "table/writer.h"

static peat_rc end_section(pt_table_writer *w, pt_section s, size_t start)
{
    peat_rc rc = pt_writer_checksum(w, start);
    w->meta.section[s].offset = w->out_offset + start;
    w->meta.section[s].size = w->out.size - start;
    return rc;
}

static peat_rc put_index(pt_table_writer *w)
{
    peat_rc rc = PEAT_OK;
    size_t start = w->out.size;
    pt_table_meta *m = &w->meta;
    TRY(pt_index_builder_finish(&w->index, m->key_min, m->key_max, pt_writer_place(w),
                                (uint32_t)m->entries, !w->aligned, &w->out));
    TRY(end_section(w, PT_SECTION_INDEX, start));
out:
    return rc;
}

/* The ordinals of newest versions become places. */
static void find_places(pt_table_writer *w, uint32_t slot_bits)
{
    uint32_t block = 0;
    for (size_t i = 0; i < w->keys.count; i++) {
        uint32_t entry = w->keys.entries[i];
        while (block + 1 < w->index.count && w->index.entries[block + 1] <= entry)
            block++;
        uint32_t slot = slot_bits != 0 ? entry - w->index.entries[block] : 0;
        w->keys.entries[i] = block << slot_bits | slot;
    }
}

static peat_rc put_locator(pt_table_writer *w, const pt_fuse_order *order)
{
    peat_rc rc = PEAT_OK;
    uint32_t block_bits, slot_bits;
    size_t start = w->out.size;
    if (!pt_locator_bits(w->index.count, w->block_entries_max, &block_bits, &slot_bits))
        return PEAT_OK;
    find_places(w, slot_bits);
    TRY(pt_locator_encode(order, w->keys.entries, block_bits, slot_bits, &w->out));
    TRY(end_section(w, PT_SECTION_LOCATOR, start));
out:
    return rc;
}

/* Filter and locator share one order. When hashes of different keys are equal there can be no
 * locator, and the filter goes without the repetitions. */
static peat_rc put_fuses(pt_table_writer *w)
{
    peat_rc rc = PEAT_OK;
    pt_fuse_order order = {0};
    pt_key_hashes *k = &w->keys;
    bool found = false, unique = true;
    if (k->count == 0)
        return PEAT_OK;
    TRY(pt_fuse_order_init(&order, w->env, k->hashes, k->count, w->file_id, &found));
    if (!found && w->options.want_filter) {
        unique = false;
        k->count = pt_fuse_unique(k->hashes, k->count);
        TRY(pt_fuse_order_init(&order, w->env, k->hashes, k->count, w->file_id, &found));
    }
    if (found && w->options.want_filter) {
        size_t start = w->out.size;
        TRY(pt_filter_encode(&order, &w->out));
        TRY(end_section(w, PT_SECTION_FILTER, start));
    }
    if (found && unique && w->options.want_locator)
        TRY(put_locator(w, &order));
out:
    pt_fuse_order_done(&order);
    return rc;
}

static peat_rc put_footer(pt_table_writer *w)
{
    peat_rc rc = PEAT_OK;
    uint64_t offset = pt_writer_place(w);
    size_t start = w->out.size;
    /* the encoding's length does not depend on file_bytes, which has a fixed width */
    TRY(pt_table_footer_encode(&w->meta, offset, &w->out));
    w->meta.file_bytes = offset + (w->out.size - start);
    w->out.size = start;
    TRY(pt_table_footer_encode(&w->meta, offset, &w->out));
out:
    return rc;
}

peat_rc pt_writer_put_sections(pt_table_writer *w)
{
    peat_rc rc = PEAT_OK;
    TRY(put_index(w));
    TRY(put_fuses(w));
    TRY(put_footer(w));
out:
    return rc;
}
