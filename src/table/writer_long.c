/* SPDX-License-Identifier: MIT */
/*
 * writer_long.c - neighbours with keys that share more than a block of 16 KiB holds go into one
 * block with a long prefix (table_format.md, "Blocks with a long prefix").
 *
 * An entry that no block of 16 KiB takes is encoded as a large block, and waits in `large`. Such a
 * block is in no frame of the cache anyhow. When the next entry shares enough with it, the two
 * begin a block with a long prefix: the builder gets their keys without the first `base_size`
 * bytes, which stay where they are, in the large block. So it works as ever, on keys that are
 * short.
 */
#include "table/writer.h"

/* Of what the first two share so much is left to the builder: others may share less with them. */
#define BASE_SLACK 256u

static pt_entry first_entry(const pt_table_writer *w)
{
    const uint8_t *p = w->large.data;
    pt_block b;
    pt_entry e;
    pt_block_view_large(&b, p);
    pt_slice key = pt_slice_of(b.keys, b.key_width);
    e.key = key;
    e.value = pt_slice_of(b.values, b.value_width);
    e.seq = b.seq_base;
    e.kind = (pt_kind)b.kinds[0];
    return e;
}

pt_slice pt_writer_base(const pt_table_writer *w)
{
    return pt_slice_of(w->large.data + PT_BLOCK_HEAD_LARGE, w->base_size);
}

static peat_rc add_behind_base(pt_table_writer *w, size_t base_size, const pt_entry *entry,
                               uint8_t tag, bool *ret_added)
{
    pt_entry e = *entry;
    e.key = pt_slice_of(e.key.data + base_size, e.key.size - base_size);
    return pt_block_builder_add(&w->builder, &e, tag, ret_added);
}

/* The large block that waits and this entry. */
static peat_rc begin(pt_table_writer *w, const pt_entry *entry, uint8_t tag, bool *ret_added)
{
    peat_rc rc = PEAT_OK;
    pt_entry first = first_entry(w);
    size_t shared = pt_block_common_prefix(first.key, entry->key);
    size_t base_size = shared - pt_min_u64(shared, BASE_SLACK);
    PT_ASSERT(w->builder.count == 0, "beside a large block none is built");
    pt_block_builder_clear(&w->builder, PT_WRITER_LONG_REST);
    TRY(add_behind_base(w, base_size, &first, w->large.data[12], ret_added));
    if (*ret_added)
        TRY(add_behind_base(w, base_size, entry, tag, ret_added));
    PT_ASSERT(!*ret_added || base_size != 0, "two that share little do not fit together");
    if (*ret_added)
        w->base_size = base_size;
    else
        pt_block_builder_clear(&w->builder, pt_writer_block_max(w));
out:
    return rc;
}

peat_rc pt_writer_join(pt_table_writer *w, const pt_entry *entry, uint8_t tag, bool *ret_added)
{
    pt_slice base = pt_writer_base(w);
    *ret_added = false;
    /* two that share less than the half do not fit beside what they share */
    if (w->large.size <= PT_WRITER_LONG_REST || entry->key.size < PT_WRITER_LONG_REST / 2)
        return PEAT_OK;
    if (base.size == 0)
        return begin(w, entry, tag, ret_added);
    if (entry->key.size < base.size || memcmp(entry->key.data, base.data, base.size) != 0)
        return PEAT_OK;
    return add_behind_base(w, base.size, entry, tag, ret_added);
}
