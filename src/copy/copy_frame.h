/* SPDX-License-Identifier: MIT */
/* copy_frame.h - header, frames and end of an export stream as bytes (copy_format.md). Pure. */
#ifndef PT_COPY_COPY_FRAME_H
#define PT_COPY_COPY_FRAME_H

#include "base/coding.h"
#include "base/hash.h"

#define PT_COPY_VERSION          1u
#define PT_COPY_HEADER_BYTES     32u
#define PT_COPY_FRAME_HEAD_BYTES 16u
#define PT_COPY_END_BYTES        40u
#define PT_COPY_END_COUNT        0xffffffffu
/* About this much is gathered before a frame is sent. */
#define PT_COPY_FRAME_BYTES ((size_t)256 << 10)
/* The largest legal frame: one entry of the largest size, and its head. */
#define PT_COPY_FRAME_BYTES_MAX (PT_COPY_FRAME_BYTES + PEAT_VALUE_SIZE_MAX + PEAT_KEY_SIZE_MAX + 64)

typedef struct pt_copy_end {
    uint64_t entries, bytes, chain;
} pt_copy_end;

static inline void pt_copy_header_encode(uint64_t stream_id, uint8_t ret[PT_COPY_HEADER_BYTES])
{
    memcpy(ret, "PEATCOPY", 8);
    pt_put_u32(ret + 8, PT_COPY_VERSION);
    pt_put_u32(ret + 12, 0);
    pt_put_u64(ret + 16, stream_id);
    pt_put_u64(ret + 24, pt_checksum(ret, 24, 0, 0));
}

/* Of a head's first 8 bytes and what belongs to them. */
static inline uint64_t pt_copy_check(const uint8_t *head, pt_slice body, uint64_t stream_id,
                                     uint64_t offset)
{
    uint64_t h = pt_mix(pt_hash(head, 8)) ^ pt_hash(body.data, body.size);
    return pt_hash_bind(h, stream_id, offset);
}

static inline uint64_t pt_copy_chain(uint64_t chain, uint64_t check)
{
    return pt_mix(chain ^ check);
}

#endif
