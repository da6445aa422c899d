/* SPDX-License-Identifier: MIT */
/*
 * repair.c - checksums, chains and promises put right in the image of a file; see fuzz.h. Written
 * against the format documents; the corpora test proves that a valid file is left as it is.
 */
#include "copy/copy_frame.h"
#include "entry/batch.h"
#include "fuzz/fuzz.h"
#include "log/log_format.h"
#include "table/table_internal.h"
#include "version/edit.h"
#include "version/manifest_file.h"

#include <stdlib.h>

#define SLOT_FILE_ID     0x544145505f425353ULL
#define MANIFEST_FILE_ID 0x494e414d54414550ULL
#define SEGMENT_FILE_ID  0x474f4c5754414550ULL

/* --- the superblock and the manifest --- */

void fuzz_repair_superblock(uint8_t *file, size_t size)
{
    for (size_t i = 0; i < PT_SUPERBLOCK_SLOTS; i++) {
        size_t at = i * PT_SUPERBLOCK_SLOT_BYTES;
        if (size < at + PT_SUPERBLOCK_SLOT_BYTES)
            break;
        memcpy(file + at + 8, "PEATSLOT", 8);
        pt_put_u64(file + at,
                   pt_checksum(file + at + 8, PT_SUPERBLOCK_SLOT_BYTES - 8, SLOT_FILE_ID, at));
    }
}

void fuzz_repair_meta(uint8_t *meta, size_t size)
{
    if (size < 25 + 8)
        return;
    uint64_t file_id = pt_table_file_id(pt_get_u64(meta + 1), pt_get_u64(meta + 9));
    pt_put_u64(meta + size - 8, pt_checksum(meta, size - 8, file_id, PT_TABLE_META_PLACE));
}

static void repair_edit(uint8_t *payload, size_t size)
{
    pt_cursor c = pt_cursor_of(payload, size);
    pt_edit_item item;
    while (pt_edit_next(&c, &item) == PEAT_OK)
        if (item.tag == PT_EDIT_TABLE)
            fuzz_repair_meta(payload + (item.table_meta.data - payload), item.table_meta.size);
}

static bool all_zero(const uint8_t *p, size_t n)
{
    while (n > 0 && p[n - 1] == 0)
        n--;
    return n == 0;
}

size_t fuzz_repair_manifest(uint8_t *file, size_t size, uint64_t store_id, uint64_t number,
                            uint64_t *ret_chain)
{
    *ret_chain = 0;
    if (size < PT_MANIFEST_HEADER_BYTES)
        return 0;
    memcpy(file + 8, "PEATMANI", 8);
    pt_put_u32(file + 16, PT_FORMAT_FIRST);
    pt_put_u32(file + 20, 0);
    pt_put_u64(file + 24, store_id);
    pt_put_u64(file + 32, number);
    uint64_t file_id = pt_checksum(file + 8, PT_MANIFEST_HEADER_BYTES - 8, MANIFEST_FILE_ID, 0);
    pt_put_u64(file, file_id);
    size_t at = PT_MANIFEST_HEADER_BYTES;
    *ret_chain = file_id;
    while (size - at >= PT_MANIFEST_RECORD_BYTES &&
           !all_zero(file + at, PT_MANIFEST_RECORD_BYTES)) {
        size_t room = size - at - PT_MANIFEST_RECORD_BYTES;
        size_t n = pt_get_u32(file + at + 16) < room ? pt_get_u32(file + at + 16) : room;
        pt_put_u32(file + at + 16, (uint32_t)n);
        repair_edit(file + at + PT_MANIFEST_RECORD_BYTES, n);
        pt_put_u64(file + at + 8, *ret_chain);
        n += PT_MANIFEST_RECORD_BYTES;
        *ret_chain = pt_checksum(file + at + 8, n - 8, file_id, at);
        pt_put_u64(file + at, *ret_chain);
        at += n;
    }
    return at;
}

/* --- the log --- */

static pt_log_header read_segment_header(const uint8_t *p)
{
    return (pt_log_header){.store_id = pt_get_u64(p + 24),
                           .open_count = pt_get_u64(p + 32),
                           .serial = pt_get_u64(p + 40),
                           .random = pt_get_u64(p + 48)};
}

static void seal_segment_header(uint8_t *p, uint64_t offset)
{
    pt_put_u64(p, pt_checksum(p + 8, PT_LOG_SEGMENT_HEADER - 8, SEGMENT_FILE_ID, offset));
}

static void keep_part(fuzz_log_chain *c, const uint8_t *data, size_t size, bool first)
{
    if (first)
        c->part_size = 0;
    c->parts = realloc(c->parts, c->part_size + size + 1);
    FUZZ_REQUIRE(c->parts != NULL, "there is memory");
    if (size != 0)
        memcpy(c->parts + c->part_size, data, size);
    c->part_size += size;
}

/* What lies between the record header and its checksums. */
static void repair_record(fuzz_log_chain *c, uint8_t *p, uint64_t salt, uint64_t at)
{
    uint32_t word = pt_get_u32(p + 4), kind = word >> 28, length = word & PT_LOG_FRAGMENT_MAX;
    const uint8_t *payload = p + PT_LOG_RECORD_HEADER;
    uint64_t hash = pt_hash(payload, length);
    if (kind >= PT_LOG_FIRST && kind <= PT_LOG_LAST) {
        keep_part(c, payload, length, kind == PT_LOG_FIRST);
        hash = pt_hash(c->parts, c->part_size);
    }
    if (kind != PT_LOG_FIRST && kind != PT_LOG_NEXT)
        pt_put_u64(p + 24, pt_log_payload_check(hash, pt_get_u64(p + 8), salt, at));
    pt_put_u32(p, (uint32_t)pt_checksum(p + 4, PT_LOG_RECORD_HEADER - 4, salt, at));
}

void fuzz_repair_segment(fuzz_log_chain *io_chain, uint8_t *file, size_t size, bool follow)
{
    fuzz_log_chain *c = io_chain;
    if (size < PT_LOG_FILE_BYTES_MIN)
        return;
    memcpy(file + 8, "PEATWLOG", 8);
    pt_put_u32(file + 16, PT_LOG_FORMAT_VERSION);
    pt_put_u64(file + 64, size);
    if (follow && c->serial != 0) {
        pt_put_u64(file + 72, c->serial);
        pt_put_u64(file + 80, c->salt);
        pt_put_u64(file + 88, c->end);
    }
    seal_segment_header(file, 0);
    size_t limit = size - PT_LOG_SEGMENT_HEADER;
    memcpy(file + limit, file, PT_LOG_SEGMENT_HEADER);
    seal_segment_header(file + limit, limit);

    pt_log_header h = read_segment_header(file);
    uint64_t salt = pt_log_salt(&h);
    size_t at = PT_LOG_SEGMENT_HEADER;
    while (limit - at >= PT_LOG_RECORD_HEADER) {
        uint32_t word = pt_get_u32(file + at + 4);
        size_t length = word & PT_LOG_FRAGMENT_MAX;
        if (word >> 28 < PT_LOG_FULL || word >> 28 > PT_LOG_SEAL ||
            length > limit - at - PT_LOG_RECORD_HEADER)
            break;
        repair_record(c, file + at, salt, at);
        at = (size_t)pt_min_u64(at + pt_log_record_bytes(length), limit);
    }
    c->serial = h.serial;
    c->salt = salt;
    c->end = at;
}

void fuzz_log_chain_done(fuzz_log_chain *chain)
{
    free(chain->parts);
}

/* --- tables --- */

static void repair_piece(uint8_t *file, uint64_t offset, uint64_t size, uint64_t file_id)
{
    if (size >= PT_BLOCK_CHECK_BYTES)
        pt_put_u64(file + offset + size - 8, pt_checksum(file + offset, size - 8, file_id, offset));
}

static void repair_packed(uint8_t *file, const pt_table_meta *m, uint64_t file_id)
{
    uint64_t at = m->section[PT_SECTION_INDEX].offset, size = m->section[PT_SECTION_INDEX].size;
    uint64_t *samples = malloc(pt_index_samples_size(m->block_count));
    pt_index x;
    if (samples != NULL &&
        pt_index_view(&x, pt_slice_of(file + at, size - 8), m->block_count, m->entries, at,
                      samples) == NULL &&
        x.offsets != NULL)
        for (uint32_t b = 0; b < x.count; b++)
            repair_piece(file, pt_index_offset(&x, b),
                         pt_index_offset(&x, b + 1) - pt_index_offset(&x, b), file_id);
    free(samples);
}

void fuzz_repair_table(uint8_t *file, size_t size)
{
    pt_table_meta m;
    if (size < PT_TABLE_TRAILER_BYTES)
        return;
    size_t trailer = size - PT_TABLE_TRAILER_BYTES, n = pt_get_u32(file + trailer);
    if (n > trailer)
        return;
    uint8_t *meta = file + trailer - n;
    fuzz_repair_meta(meta, n);
    if (pt_table_meta_decode(pt_slice_of(meta, n), &m) != PEAT_OK || m.file_bytes != size)
        return;
    uint64_t file_id = pt_table_file_id(m.store_id, m.file_number);
    for (size_t s = 0; s < PT_SECTION_COUNT; s++)
        repair_piece(file, m.section[s].offset, m.section[s].size, file_id);
    uint64_t blocks_end = m.section[PT_SECTION_INDEX].offset;
    if (m.flags & PT_TABLE_ALIGNED)
        for (uint64_t at = 0; at < blocks_end; at += PT_BLOCK_PAGE)
            repair_piece(file, at, pt_min_u64(PT_BLOCK_PAGE, blocks_end - at), file_id);
    else
        repair_packed(file, &m, file_id);
    fuzz_repair_meta(meta, n); /* a section may reach into it */
    pt_put_u64(file + trailer + 4, PT_TABLE_MAGIC);
    pt_put_u64(file + trailer + 12, pt_checksum(file + trailer, 12, file_id, trailer));
}

/* --- streams --- */

static void count_frame(const uint8_t *ops, size_t size, pt_copy_end *io_totals)
{
    pt_cursor c = pt_cursor_of(ops, size);
    pt_entry e;
    while (pt_op_next(&c, &e) == PEAT_OK) {
        io_totals->entries++;
        io_totals->bytes += e.key.size + e.value.size;
    }
}

void fuzz_repair_stream(uint8_t *stream, size_t size)
{
    if (size < PT_COPY_HEADER_BYTES)
        return;
    uint64_t id = pt_get_u64(stream + 16);
    pt_copy_end totals = {.chain = id};
    memcpy(stream, "PEATCOPY", 8);
    pt_put_u64(stream + 24, pt_checksum(stream, 24, 0, 0));
    size_t at = PT_COPY_HEADER_BYTES;
    while (size - at >= PT_COPY_FRAME_HEAD_BYTES) {
        uint8_t *head = stream + at, *body = head + PT_COPY_FRAME_HEAD_BYTES;
        size_t n = pt_get_u32(head), room = size - at - PT_COPY_FRAME_HEAD_BYTES;
        bool end = n == 0 && pt_get_u32(head + 4) == PT_COPY_END_COUNT;
        if (end)
            n = PT_COPY_END_BYTES - PT_COPY_FRAME_HEAD_BYTES;
        if (n > room)
            break;
        if (end) {
            pt_put_u64(body, totals.entries);
            pt_put_u64(body + 8, totals.bytes);
            pt_put_u64(body + 16, totals.chain);
        } else {
            count_frame(body, n, &totals);
        }
        uint64_t check = pt_copy_check(head, pt_slice_of(body, n), id, at);
        pt_put_u64(head + 8, check);
        totals.chain = pt_copy_chain(totals.chain, check);
        at += PT_COPY_FRAME_HEAD_BYTES + n;
        if (end)
            break;
    }
}
