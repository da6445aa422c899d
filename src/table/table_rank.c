/* SPDX-License-Identifier: MIT */
/* table_rank.c - position estimates from the index alone: exact at block borders, in between by
 * where the key lies between the separators. Monotone in the key. */
#include "table/table_file.h"

peat_rc pt_table_rank(pt_table *t, pt_slice key, uint64_t *ret_entries, uint64_t *ret_bytes)
{
    pt_section_data *held;
    peat_rc rc = pt_table_section_hold(t, PT_SECTION_INDEX, &held);
    if (rc != PEAT_OK)
        return rc;
    const pt_index *x = &held->view.index;
    uint32_t block = pt_index_search(x, key);
    if (block == t->block_count) {
        *ret_entries = t->meta.entries;
        *ret_bytes = t->blocks_end;
    } else {
        uint64_t offset, part = pt_index_position(x, block, key);
        size_t size;
        pt_table_extent(t, x, block, &offset, &size);
        uint64_t before = pt_index_entries_before(x, block);
        uint64_t count = pt_index_entries_before(x, block + 1) - before;
        *ret_entries = before + (count * part >> 16);
        *ret_bytes = offset + ((uint64_t)size * part >> 16);
    }
    pt_section_unref(held);
    return PEAT_OK;
}
