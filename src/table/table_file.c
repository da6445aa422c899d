/* SPDX-License-Identifier: MIT */
/* table_file.c - opening a table and reading its blocks; see table_internal.h. */
#include "table/table_internal.h"

#include <stdarg.h>
#include <stdio.h>

peat_rc pt_table_new(const pt_env *env, pt_dir *dir, pt_sink *sink, pt_epoch *epoch,
                     const pt_table_meta *meta, pt_table **ret_table)
{
    if (!pt_codec_present(meta->codec))
        return pt_fail(sink, PEAT_UNSUPPORTED,
                       "table t-%06" PRIu64 " is compressed with %s, which this build lacks",
                       meta->file_number, pt_codec_name(meta->codec));
    pt_table *t = pt_alloc_zero(env, sizeof *t + meta->key_min.size + meta->key_max.size);
    if (t == NULL)
        return pt_fail(sink, PEAT_NOMEM, "no memory for table t-%06" PRIu64, meta->file_number);
    t->block_count = meta->block_count;
    t->block_bytes = meta->block_bytes;
    t->aligned = (meta->flags & PT_TABLE_ALIGNED) != 0;
    t->long_prefix = (meta->flags & PT_TABLE_LONG_PREFIX) != 0;
    t->codec = meta->codec;
    t->file_id = pt_table_file_id(meta->store_id, meta->file_number);
    t->blocks_end = meta->section[PT_SECTION_INDEX].offset;
    t->env = env;
    t->dir = dir;
    t->sink = sink;
    t->epoch = epoch;
    t->meta = *meta;
    uint8_t *keys = (uint8_t *)(t + 1);
    if (meta->key_min.size != 0)
        memcpy(keys, meta->key_min.data, meta->key_min.size);
    if (meta->key_max.size != 0)
        memcpy(keys + meta->key_min.size, meta->key_max.data, meta->key_max.size);
    t->meta.key_min.data = keys;
    t->meta.key_max.data = keys + meta->key_min.size;
    pt_table_name(meta->file_number, t->name);
    pt_mutex_init(&t->load_mu);
    pt_mutex_init(&t->file_mu);
    pt_mutex_init(&t->mu);
    *ret_table = t;
    return PEAT_OK;
}

void pt_table_free(pt_table *t)
{
    if (t == NULL)
        return;
    pt_table_drop_sections(t);
    pt_coder_free(t->env, atomic_load(&t->coder));
    pt_table_drop_file(t);
    pt_mutex_done(&t->file_mu);
    pt_mutex_done(&t->load_mu);
    pt_mutex_done(&t->mu);
    pt_free(t->env, t);
}

const pt_table_meta *pt_table_get_meta(const pt_table *t)
{
    return &t->meta;
}

/* ---- blocks ---- */

static peat_rc fail_block(const pt_table *t, uint32_t block, uint64_t offset, const char *format,
                          ...) PT_PRINTF(4, 5);

static peat_rc fail_block(const pt_table *t, uint32_t block, uint64_t offset, const char *format,
                          ...)
{
    char text[120];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    return pt_fail(t->sink, PEAT_CORRUPT, "table %s block %" PRIu32 " @%" PRIu64 ": %s", t->name,
                   block, offset, text);
}

void pt_table_extent(const pt_table *t, const pt_index *index, uint32_t block, uint64_t *ret_offset,
                     size_t *ret_size)
{
    PT_ASSERT(block < t->block_count, "a block of this table");
    if (t->aligned) {
        *ret_offset = (uint64_t)block * PT_BLOCK_PAGE;
        *ret_size = (size_t)pt_min_u64(PT_BLOCK_PAGE, t->blocks_end - *ret_offset);
    } else {
        *ret_offset = pt_index_offset(index, block);
        *ret_size = (size_t)(pt_index_offset(index, block + 1) - *ret_offset);
    }
}

size_t pt_table_decoded_max(const pt_table *t, const pt_index *index, uint32_t block)
{
    uint64_t offset;
    size_t size;
    if (t->codec == PT_CODEC_NONE) {
        pt_table_extent(t, index, block, &offset, &size);
        return size;
    }
    size = pt_index_large_size(index, block);
    return size != 0 ? size : t->block_bytes;
}

static peat_rc decode_payload(pt_table *t, uint32_t block, uint64_t offset, pt_slice stored,
                              uint8_t *dst, size_t dst_size, size_t *ret_size)
{
    size_t size = pt_codec_decoded_size(stored);
    if (size > dst_size)
        return fail_block(t, block, offset, "decoded size: expected at most %zu, found %zu",
                          dst_size, size);
    pt_coder *coder = atomic_exchange(&t->coder, NULL);
    peat_rc rc = PEAT_OK;
    if (coder == NULL)
        rc = pt_coder_new(t->env, t->codec, true, &coder);
    if (rc != PEAT_OK)
        return pt_fail(t->sink, rc, "no memory for a decoder of table %s", t->name);
    if (!pt_codec_decode(t->codec, coder, stored, dst))
        rc = fail_block(t, block, offset, "expected %zu bytes by %s, found what does not decode",
                        size, pt_codec_name(t->codec));
    *ret_size = size;
    pt_coder_free(t->env, atomic_exchange(&t->coder, coder));
    return rc;
}

peat_rc pt_table_decode(pt_table *t, uint32_t block, uint64_t offset, pt_slice extent, uint8_t *dst,
                        size_t dst_size, pt_slice *ret_block)
{
    if (extent.size < PT_BLOCK_CHECK_BYTES + PT_CODEC_HEAD)
        return fail_block(t, block, offset, "extent: expected at least %u bytes, found %zu",
                          PT_BLOCK_CHECK_BYTES + PT_CODEC_HEAD, extent.size);
    pt_slice stored = pt_slice_of(extent.data, extent.size - PT_BLOCK_CHECK_BYTES);
    uint64_t expected = pt_get_u64(stored.data + stored.size);
    uint64_t sum = pt_checksum(stored.data, stored.size, t->file_id, offset);
    if (sum != expected)
        return fail_block(t, block, offset, "checksum: expected %016" PRIx64 ", found %016" PRIx64,
                          expected, sum);
    return pt_table_decode_sound(t, block, offset, stored, dst, dst_size, ret_block);
}

peat_rc pt_table_decode_sound(pt_table *t, uint32_t block, uint64_t offset, pt_slice stored,
                              uint8_t *dst, size_t dst_size, pt_slice *ret_block)
{
    pt_slice decoded = stored;
    if (t->codec != PT_CODEC_NONE) {
        decoded = pt_slice_of(dst, 0);
        peat_rc rc = decode_payload(t, block, offset, stored, dst, dst_size, &decoded.size);
        if (rc != PEAT_OK)
            return rc;
    }
    const char *wrong = pt_block_check(decoded.data, decoded.size, &decoded.size);
    if (wrong == NULL && !t->long_prefix && pt_block_has_long_prefix(decoded.data))
        wrong = "a long prefix, and the table says it has none";
    if (wrong != NULL)
        return fail_block(t, block, offset, "expected a block, found %zu bytes: %s", decoded.size,
                          wrong);
    *ret_block = decoded;
    return PEAT_OK;
}

/* The index where extents need it, else NULL. */
static peat_rc hold_extents(pt_table *t, pt_section_data **ret_data)
{
    *ret_data = NULL;
    return t->aligned ? PEAT_OK : pt_table_section_hold(t, PT_SECTION_INDEX, ret_data);
}

size_t pt_table_block_size(pt_table *t, uint32_t block)
{
    pt_section_data *held;
    if (hold_extents(t, &held) != PEAT_OK)
        return t->block_bytes; /* reading the block will tell the error */
    size_t n = pt_table_decoded_max(t, held != NULL ? &held->view.index : NULL, block);
    pt_section_unref(held);
    return n;
}

uint64_t pt_table_block_offset(pt_table *t, uint32_t block)
{
    pt_section_data *held;
    uint64_t offset = 0;
    size_t size;
    if (hold_extents(t, &held) != PEAT_OK)
        return 0;
    pt_table_extent(t, held != NULL ? &held->view.index : NULL, block, &offset, &size);
    pt_section_unref(held);
    return offset;
}

/* A compressed extent goes through memory of its own. */
static peat_rc read_compressed(pt_table *t, uint32_t block, uint64_t offset, size_t size,
                               uint8_t *dst, size_t dst_size, pt_slice *ret_block)
{
    peat_rc rc = PEAT_OK;
    uint8_t local[PT_BLOCK_BYTES_LARGE + PT_CODEC_HEAD + PT_BLOCK_CHECK_BYTES];
    uint8_t *extent = local;
    if (size > sizeof local) {
        extent = pt_alloc(t->env, size);
        if (extent == NULL)
            return pt_fail(t->sink, PEAT_NOMEM, "no memory for table %s block %" PRIu32, t->name,
                           block);
    }
    TRY(pt_table_read(t, offset, extent, size, "block"));
    TRY(pt_table_decode(t, block, offset, pt_slice_of(extent, size), dst, dst_size, ret_block));
out:
    if (extent != local)
        pt_free(t->env, extent);
    return rc;
}

peat_rc pt_table_read_block(pt_table *t, uint32_t block, uint8_t *dst, size_t dst_size,
                            size_t *ret_size)
{
    peat_rc rc = PEAT_OK;
    pt_section_data *held = NULL;
    uint64_t offset;
    size_t size;
    pt_slice decoded = {0};

    TRY(hold_extents(t, &held));
    pt_table_extent(t, held != NULL ? &held->view.index : NULL, block, &offset, &size);
    if (t->codec != PT_CODEC_NONE) {
        TRY(read_compressed(t, block, offset, size, dst, dst_size, &decoded));
    } else {
        if (size > dst_size)
            TRY(fail_block(t, block, offset, "extent: expected at most %zu bytes, found %zu",
                           dst_size, size));
        TRY(pt_table_read(t, offset, dst, size, "block"));
        TRY(pt_table_decode(t, block, offset, pt_slice_of(dst, size), NULL, 0, &decoded));
    }
    *ret_size = decoded.size;
out:
    pt_section_unref(held);
    return rc;
}

bool pt_table_blocks_are_plain(const pt_table *t)
{
    return t->codec == PT_CODEC_NONE;
}

peat_rc pt_table_take_block(pt_table *t, uint32_t block, uint64_t offset, pt_slice extent,
                            uint8_t *dst, size_t dst_size, size_t *ret_size)
{
    pt_slice decoded = {0};
    if (t->codec == PT_CODEC_NONE) {
        if (extent.size > dst_size)
            return fail_block(t, block, offset, "extent: expected at most %zu bytes, found %zu",
                              dst_size, extent.size);
        if (extent.data != dst)
            memcpy(dst, extent.data, extent.size);
        extent.data = dst;
    }
    peat_rc rc = pt_table_decode(t, block, offset, extent, dst, dst_size, &decoded);
    *ret_size = decoded.size;
    return rc;
}
