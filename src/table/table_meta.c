/* SPDX-License-Identifier: MIT */
/* table_meta.c - the footer's bytes, in the file and in the manifest; see table_format.md. */
#include "table/table_meta.h"

#include "base/file_name.h"
#include "base/hash.h"

#define META_FORMAT    2u /* the newest; 1: none of its flags */
#define FLAGS_1        PT_TABLE_ALIGNED
#define FLAGS_2        PT_TABLE_LONG_PREFIX
#define CHECKSUM_BYTES 8u

_Static_assert(PT_TABLE_NAME_SIZE >= PT_FILE_NAME_SIZE, "a generated name fits");

void pt_table_name(uint64_t file_number, char ret_name[PT_TABLE_NAME_SIZE])
{
    pt_file_name('t', file_number, ret_name);
}

uint64_t pt_table_file_id(uint64_t store_id, uint64_t file_number)
{
    return pt_mix(store_id ^ pt_mix(file_number));
}

static peat_rc append_numbers(const pt_table_meta *m, pt_bytes *out)
{
    const uint64_t numbers[] = {
        m->created_edit, m->entries, m->tombstones,    m->key_bytes,   m->value_bytes,
        m->seq_min,      m->seq_max, m->block_count,   m->block_bytes, m->run_kind,
        m->codec,        m->flags,   PT_SECTION_COUNT,
    };
    peat_rc rc = PEAT_OK;
    for (size_t i = 0; i < PT_COUNT_OF(numbers); i++)
        TRY(pt_bytes_append_varint(out, numbers[i]));
    for (size_t i = 0; i < PT_SECTION_COUNT; i++) {
        TRY(pt_bytes_append_varint(out, m->section[i].offset));
        TRY(pt_bytes_append_varint(out, m->section[i].size));
    }
out:
    return rc;
}

peat_rc pt_table_meta_encode(const pt_table_meta *meta, pt_bytes *io_out)
{
    peat_rc rc = PEAT_OK;
    size_t start = io_out->size;
    uint8_t format = meta->flags & FLAGS_2 ? META_FORMAT : 1;

    TRY(pt_bytes_append(io_out, &format, 1));
    TRY(pt_bytes_append_u64(io_out, meta->store_id));
    TRY(pt_bytes_append_u64(io_out, meta->file_number));
    TRY(pt_bytes_append_u64(io_out, meta->file_bytes));
    TRY(append_numbers(meta, io_out));
    TRY(pt_bytes_append_sized(io_out, meta->key_min));
    TRY(pt_bytes_append_sized(io_out, meta->key_max));
    uint64_t file_id = pt_table_file_id(meta->store_id, meta->file_number);
    TRY(pt_bytes_append_u64(io_out, pt_checksum(io_out->data + start, io_out->size - start, file_id,
                                                PT_TABLE_META_PLACE)));
out:
    if (rc != PEAT_OK)
        io_out->size = start;
    return rc;
}

static bool decode_numbers(pt_cursor *c, pt_table_meta *m)
{
    m->created_edit = pt_cursor_varint(c);
    m->entries = pt_cursor_varint(c);
    m->tombstones = pt_cursor_varint(c);
    m->key_bytes = pt_cursor_varint(c);
    m->value_bytes = pt_cursor_varint(c);
    m->seq_min = pt_cursor_varint(c);
    m->seq_max = pt_cursor_varint(c);
    uint32_t small[5]; /* block count, block bytes, run kind, codec, flags */
    for (size_t i = 0; i < PT_COUNT_OF(small); i++) {
        uint64_t v = pt_cursor_varint(c);
        if (v > UINT32_MAX)
            return false;
        small[i] = (uint32_t)v;
    }
    m->block_count = small[0];
    m->block_bytes = small[1];
    m->flags = small[4];
    if (pt_cursor_varint(c) != PT_SECTION_COUNT || !pt_cursor_ok(c))
        return false;
    if (small[2] < PT_RUN_FLUSHED || small[2] > PT_RUN_BOTTOMMOST || small[3] > PT_CODEC_ZSTD)
        return false;
    m->run_kind = (pt_run_kind)small[2];
    m->codec = (pt_codec)small[3];
    for (size_t i = 0; i < PT_SECTION_COUNT; i++) {
        m->section[i].offset = pt_cursor_varint(c);
        m->section[i].size = pt_cursor_varint(c);
    }
    return pt_cursor_ok(c);
}

/* Numbers that later code relies on: nothing is allocated beyond what the file's size justifies. */
static bool sensible(const pt_table_meta *m)
{
    if (m->block_bytes != PT_BLOCK_PAGE && m->block_bytes != PT_BLOCK_BYTES_LARGE)
        return false;
    if ((m->flags & PT_TABLE_ALIGNED) &&
        (m->block_bytes != PT_BLOCK_PAGE || m->codec != PT_CODEC_NONE ||
         (m->flags & PT_TABLE_LONG_PREFIX)))
        return false;
    if (m->entries > UINT32_MAX || m->tombstones > m->entries || m->block_count > m->entries)
        return false;
    if ((m->entries == 0) != (m->block_count == 0))
        return false;
    if (pt_slice_compare(m->key_min, m->key_max) > 0 || m->key_max.size > PT_KEY_BYTES_MAX ||
        m->key_min.size > PT_KEY_BYTES_MAX)
        return false;
    for (size_t i = 0; i < PT_SECTION_COUNT; i++) {
        uint64_t offset = m->section[i].offset, size = m->section[i].size;
        if (offset > m->file_bytes || size > m->file_bytes - offset ||
            (size != 0 && size <= CHECKSUM_BYTES)) /* nothing but a checksum is no section */
            return false;
    }
    if (m->section[PT_SECTION_INDEX].size == 0)
        return false;
    /* every block takes more than its checksum */
    uint64_t blocks_end = m->section[PT_SECTION_INDEX].offset;
    if (m->block_count > blocks_end / CHECKSUM_BYTES)
        return false;
    return !(m->flags & PT_TABLE_ALIGNED) ||
           pt_round_up(blocks_end, PT_BLOCK_PAGE) / PT_BLOCK_PAGE == m->block_count;
}

/* Each format has its flags: the least that has all of a table's is the table's. */
static peat_rc judge_flags(uint32_t format, uint32_t flags)
{
    uint32_t unknown = flags & ~(FLAGS_1 | FLAGS_2);
    if (unknown != 0)
        return format == META_FORMAT ? PEAT_VERSION : PEAT_CORRUPT;
    return format == (flags & FLAGS_2 ? 2u : 1u) ? PEAT_OK : PEAT_CORRUPT;
}

/* The first numbers and the checksum are where they are in every format, so that a newer one that
 * verifies is told from damage. */
peat_rc pt_table_meta_decode(pt_slice bytes, pt_table_meta *ret_meta)
{
    pt_table_meta m = {0};
    if (bytes.size < CHECKSUM_BYTES)
        return PEAT_CORRUPT;
    pt_cursor c = pt_cursor_of(bytes.data, bytes.size - CHECKSUM_BYTES);
    uint32_t format = pt_cursor_u8(&c);
    m.store_id = pt_cursor_u64(&c);
    m.file_number = pt_cursor_u64(&c);
    m.file_bytes = pt_cursor_u64(&c);
    uint64_t file_id = pt_table_file_id(m.store_id, m.file_number);
    if (pt_checksum(bytes.data, bytes.size - CHECKSUM_BYTES, file_id, PT_TABLE_META_PLACE) !=
        pt_get_u64(bytes.data + bytes.size - CHECKSUM_BYTES))
        return PEAT_CORRUPT;
    if (format > META_FORMAT)
        return PEAT_VERSION;
    if (!decode_numbers(&c, &m))
        return PEAT_CORRUPT;
    peat_rc rc = judge_flags(format, m.flags);
    if (rc != PEAT_OK)
        return rc;
    m.key_min = pt_cursor_sized(&c);
    m.key_max = pt_cursor_sized(&c);
    if (!pt_cursor_ok(&c) || pt_cursor_left(&c) != 0 || !sensible(&m))
        return PEAT_CORRUPT;
    *ret_meta = m;
    return PEAT_OK;
}

peat_rc pt_table_footer_encode(const pt_table_meta *meta, uint64_t offset, pt_bytes *io_out)
{
    peat_rc rc = PEAT_OK;
    uint64_t file_id = pt_table_file_id(meta->store_id, meta->file_number);
    size_t start = io_out->size;
    uint8_t tail[PT_TABLE_TRAILER_BYTES];

    TRY(pt_table_meta_encode(meta, io_out));
    size_t size = io_out->size - start;
    pt_put_u32(tail, (uint32_t)size);
    pt_put_u64(tail + 4, PT_TABLE_MAGIC);
    pt_put_u64(tail + 12, pt_checksum(tail, 12, file_id, offset + size));
    TRY(pt_bytes_append(io_out, tail, sizeof tail));
out:
    return rc;
}
