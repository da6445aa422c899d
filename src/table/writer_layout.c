/* SPDX-License-Identifier: MIT */
/* writer_layout.c - the sample of a table's first entries, and what follows from it: codec, block
 * size, alignment. */
#include "entry/entry_bytes.h"
#include "table/writer.h"

/* Mean size of a record from which blocks of 16 KiB pack better, and from which they do although
 * records are read one by one: of smaller ones two fit a page. */
#define LARGE_RECORD     512u
#define SINGLE_RECORD    2000u
#define SHRINK_SIXTEENTH 15u /* a codec must bring the sample below 15/16 */

peat_rc pt_writer_sample_add(pt_table_writer *w, const pt_entry *e, uint64_t key_hash)
{
    peat_rc rc = PEAT_OK;
    TRY(pt_bytes_append_u64(&w->sample, key_hash));
    TRY(pt_entry_append(&w->sample, e));
    w->sample_entries++;
out:
    return rc;
}

bool pt_writer_sample_next(pt_cursor *c, pt_entry *ret_entry, uint64_t *ret_hash)
{
    if (pt_cursor_left(c) == 0)
        return false;
    *ret_hash = pt_cursor_u64(c);
    pt_entry_take(c, ret_entry);
    PT_ASSERT(pt_cursor_ok(c), "the sample is read as it was written");
    return true;
}

static peat_rc codec_pays(pt_table_writer *w, bool *ret_pays)
{
    peat_rc rc = PEAT_OK;
    pt_bytes *tmp = &w->scratch;
    tmp->size = 0;
    for (size_t at = 0; at < w->sample.size; at += PT_BLOCK_BYTES_LARGE) {
        size_t n = (size_t)pt_min_u64(PT_BLOCK_BYTES_LARGE, w->sample.size - at);
        TRY(pt_codec_encode(w->codec, w->coder, pt_slice_of(w->sample.data + at, n), tmp));
    }
    *ret_pays = tmp->size * 16 <= w->sample.size * SHRINK_SIXTEENTH;
out:
    return rc;
}

/* Packs the sample into pages and looks at what stays empty. */
static peat_rc alignment_pays(pt_table_writer *w, bool *ret_pays)
{
    peat_rc rc = PEAT_OK;
    pt_cursor c = pt_cursor_of(w->sample.data, w->sample.size);
    pt_entry e;
    uint64_t hash, slack = 0, blocks = 0;
    bool added;

    *ret_pays = false;
    pt_block_builder_clear(&w->builder, pt_writer_block_max(w));
    while (pt_writer_sample_next(&c, &e, &hash)) {
        TRY(pt_block_builder_add(&w->builder, &e, 0, &added));
        if (!added) {
            slack += pt_writer_block_max(w) - w->builder.size;
            blocks++;
            pt_block_builder_clear(&w->builder, pt_writer_block_max(w));
            TRY(pt_block_builder_add(&w->builder, &e, 0, &added));
        }
        if (!added)
            goto out; /* a large one: not the mix for pages */
    }
    *ret_pays = slack * 1000 <= blocks * PT_BLOCK_PAGE * PT_WRITER_SLACK_PERMILLE;
out:
    return rc;
}

peat_rc pt_writer_decide_layout(pt_table_writer *w)
{
    peat_rc rc = PEAT_OK;
    bool pays = true;
    PT_ASSERT(w->sampling && w->meta.entries == 0 && w->out_offset == 0,
              "the layout is decided once, before the first block");
    w->sampling = false;
    w->codec = w->options.codec;
    if (w->codec != PT_CODEC_NONE && w->sample.size != 0) {
        TRY(codec_pays(w, &pays));
        if (!pays)
            w->codec = PT_CODEC_NONE;
    }
    w->block_bytes = w->options.block_bytes;
    if (w->block_bytes == 0) {
        /* a get that misses decodes a whole block: LZ4 gains little by larger ones, zstd, which is
         * chosen for space, much. Upper runs are merged soon. */
        bool dense = w->codec == PT_CODEC_ZSTD && w->options.run_kind == PT_RUN_BOTTOMMOST;
        uint64_t from = w->options.single_reads ? SINGLE_RECORD : LARGE_RECORD;
        bool large = dense || w->sample.size > w->sample_entries * from;
        w->block_bytes = large ? PT_BLOCK_BYTES_LARGE : PT_BLOCK_PAGE;
    }
    if (w->codec == PT_CODEC_NONE && w->block_bytes == PT_BLOCK_PAGE && !w->options.packed)
        TRY(alignment_pays(w, &w->aligned));
    pt_block_builder_clear(&w->builder, pt_writer_block_max(w));
out:
    return rc;
}
