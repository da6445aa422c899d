/* SPDX-License-Identifier: MIT */
/* table_around.c - the blocks around one, for one read of all of them; see table.h. */
#include "table/table_internal.h"

/* Blocks of the table's own size only: what is larger has no frame to go to. */
static bool joins(const pt_table *t, const pt_index *index, uint32_t block, pt_table_around *a)
{
    size_t size, decoded = pt_table_decoded_max(t, index, block);
    pt_table_extent(t, index, block, &a->offset[a->count], &size);
    if (size > t->block_bytes || decoded > t->block_bytes)
        return false;
    a->size[a->count] = (uint32_t)size;
    a->decoded_max[a->count] = (uint32_t)decoded;
    a->count++;
    return true;
}

bool pt_table_around_of(pt_table *t, uint32_t block, pt_table_around *ret_around)
{
    pt_section_data *held = NULL;
    const uint32_t n = PT_TABLE_AROUND_BYTES / t->block_bytes;
    PT_ASSERT(block < t->block_count && n <= PT_TABLE_AROUND_BLOCKS, "a block of this table");
    if (!t->aligned && pt_table_section_hold(t, PT_SECTION_INDEX, &held) != PEAT_OK)
        return false; /* reading the block alone will tell the error */
    const pt_index *index = held != NULL ? &held->view.index : NULL;
    uint32_t first = block - block % n, end = (uint32_t)pt_min_u64(first + n, t->block_count);
    pt_table_around a = {.first = first};
    for (uint32_t b = first; b < end; b++) {
        if (joins(t, index, b, &a))
            continue;
        if (b >= block)
            break;
        a.first = b + 1; /* what lies behind it is of one piece with ours */
        a.count = 0;
    }
    pt_section_unref(held);
    *ret_around = a;
    return a.first + a.count > block && a.count > 1;
}

bool pt_table_around_read(pt_table *t, const pt_table_around *a, uint32_t from, uint32_t to,
                          uint8_t *buf)
{
    pt_file *file;
    uint64_t offset = a->offset[from];
    size_t size = (size_t)(a->offset[to] - offset) + a->size[to], got = 0;
    PT_ASSERT(size <= PT_TABLE_AROUND_BYTES, "what lies around a block has room where it is read");
    if (!pt_table_read_begin(t, &file))
        return false;
    int error = t->env->file_read(t->env->ctx, file, offset, buf, size, &got);
    pt_table_read_cancel(t);
    return error == 0 && got == size;
}

bool pt_table_around_take(pt_table *t, const pt_table_around *a, uint32_t i, const uint8_t *bytes,
                          uint8_t *dst, size_t dst_size, size_t *ret_size)
{
    size_t n = a->size[i] > PT_BLOCK_CHECK_BYTES ? a->size[i] - PT_BLOCK_CHECK_BYTES : 0;
    pt_slice decoded;
    if (n > dst_size || n <= PT_CODEC_HEAD ||
        pt_get_u64(bytes + n) != pt_checksum(bytes, n, t->file_id, a->offset[i]))
        return false;
    if (t->codec == PT_CODEC_NONE) {
        memcpy(dst, bytes, n);
        bytes = dst;
    }
    if (pt_table_decode_sound(t, a->first + i, a->offset[i], pt_slice_of(bytes, n), dst, dst_size,
                              &decoded) != PEAT_OK)
        return false;
    *ret_size = decoded.size;
    return true;
}
