/* SPDX-License-Identifier: MIT */
/* log_format.c - the segment header; see log_format.h. */
#include "log/log_format.h"

/* 0 checksum   8 magic   16 format version u32   20 zero u32   24 store id   32 open count
 * 40 serial   48 random   56 slot   64 file bytes   72 previous serial   80 previous salt
 * 88 previous end   96 durable sequence   104 zeros to 128 */
static const uint8_t magic[8] = {'P', 'E', 'A', 'T', 'W', 'L', 'O', 'G'};
#define HEADER_FILE_ID 0x474f4c5754414550ULL
#define SKIP_CHECKSUM  8

static uint64_t header_checksum(const uint8_t *p, uint64_t offset)
{
    return pt_checksum(p + SKIP_CHECKSUM, PT_LOG_SEGMENT_HEADER - SKIP_CHECKSUM, HEADER_FILE_ID,
                       offset);
}

void pt_log_header_encode(const pt_log_header *h, uint64_t offset,
                          uint8_t ret_bytes[PT_LOG_SEGMENT_HEADER])
{
    uint8_t *p = ret_bytes;
    memset(p, 0, PT_LOG_SEGMENT_HEADER);
    memcpy(p + 8, magic, sizeof magic);
    pt_put_u32(p + 16, PT_LOG_FORMAT_VERSION);
    pt_put_u64(p + 24, h->store_id);
    pt_put_u64(p + 32, h->open_count);
    pt_put_u64(p + 40, h->serial);
    pt_put_u64(p + 48, h->random);
    pt_put_u64(p + 56, h->slot);
    pt_put_u64(p + 64, h->file_bytes);
    pt_put_u64(p + 72, h->prev_serial);
    pt_put_u64(p + 80, h->prev_salt);
    pt_put_u64(p + 88, h->prev_end);
    pt_put_u64(p + 96, h->seq_durable);
    pt_put_u64(p, header_checksum(p, offset));
}

bool pt_log_header_decode(const uint8_t bytes[PT_LOG_SEGMENT_HEADER], uint64_t offset,
                          pt_log_header *ret_header)
{
    const uint8_t *p = bytes;
    if (memcmp(p + 8, magic, sizeof magic) != 0 || pt_get_u64(p) != header_checksum(p, offset) ||
        pt_get_u32(p + 16) != PT_LOG_FORMAT_VERSION)
        return false;
    *ret_header = (pt_log_header){
        .store_id = pt_get_u64(p + 24),
        .open_count = pt_get_u64(p + 32),
        .serial = pt_get_u64(p + 40),
        .random = pt_get_u64(p + 48),
        .slot = pt_get_u64(p + 56),
        .file_bytes = pt_get_u64(p + 64),
        .prev_serial = pt_get_u64(p + 72),
        .prev_salt = pt_get_u64(p + 80),
        .prev_end = pt_get_u64(p + 88),
        .seq_durable = pt_get_u64(p + 96),
    };
    const pt_log_header *h = ret_header;
    return h->file_bytes % PT_LOG_ALIGN == 0 && h->file_bytes >= PT_LOG_FILE_BYTES_MIN &&
           h->file_bytes <= PT_LOG_FILE_BYTES_MAX &&
           (offset == 0 || offset == h->file_bytes - PT_LOG_SEGMENT_HEADER);
}
