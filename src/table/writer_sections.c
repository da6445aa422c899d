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

/* The ordinals of newest versions become slots. */
static void find_slots(pt_table_writer *w)
{
    uint32_t block = 0;
    for (size_t i = 0; i < w->keys.count; i++) {
        uint32_t entry = w->keys.entries[i];
        while (block + 1 < w->index.count && w->index.entries[block + 1] <= entry)
            block++;
        PT_ASSERT(entry >= w->index.entries[block],
                  "an entry lies in a block, as keys do in order");
        w->keys.entries[i] = entry - w->index.entries[block];
    }
}

static peat_rc put_filter(pt_table_writer *w, const pt_fuse_order *order)
{
    size_t start = w->out.size;
    peat_rc rc = pt_filter_encode(order, &w->out);
    return rc == PEAT_OK ? end_section(w, PT_SECTION_FILTER, start) : rc;
}

static peat_rc put_locator(pt_table_writer *w, const pt_fuse_order *order)
{
    size_t start = w->out.size;
    find_slots(w);
    peat_rc rc =
        pt_locator_encode(order, w->keys.entries, pt_locator_bits(w->block_entries_max), &w->out);
    return rc == PEAT_OK ? end_section(w, PT_SECTION_LOCATOR, start) : rc;
}

/* Filter and locator share one order. There can be no locator when hashes of different keys are
 * equal, or with too many slots; then a filter takes its place, over the distinct hashes. */
static peat_rc put_fuses(pt_table_writer *w)
{
    peat_rc rc = PEAT_OK;
    pt_fuse_order order = {0};
    pt_writer_keys *k = &w->keys;
    bool found = false;
    bool locator =
        w->options.want_locator && pt_locator_bits(w->block_entries_max) <= PT_LOCATOR_SLOT_BITS;
    if (k->count == 0)
        return PEAT_OK;
    TRY(pt_fuse_order_init(&order, w->env, k->hashes, k->count, w->file_id, &found));
    if (!found) {
        locator = false;
        k->count = pt_fuse_unique(k->hashes, k->count);
        TRY(pt_fuse_order_init(&order, w->env, k->hashes, k->count, w->file_id, &found));
    }
    if (found && (w->options.want_filter || !locator))
        TRY(put_filter(w, &order));
    if (found && locator)
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
    PT_ASSERT(pt_writer_place(w) == w->meta.file_bytes, "a table ends with its footer");
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
