/* SPDX-License-Identifier: MIT */
/*
 * log_format.h - the bytes of a segment, as log_format.md states them: pure functions, used by the
 * writer and by recovery, and the header's two copies in a file. Private to src/log and its tests.
 */
#ifndef PT_LOG_LOG_FORMAT_H
#define PT_LOG_LOG_FORMAT_H

#include "base/coding.h"
#include "base/hash.h"
#include "env/env.h"

#define PT_LOG_FORMAT_VERSION  1u
#define PT_LOG_ALIGN           16u
#define PT_LOG_SEGMENT_HEADER  128u /* at the start, and again as the last bytes of the file */
#define PT_LOG_RECORD_HEADER   32u
#define PT_LOG_RESERVE         (2 * PT_LOG_RECORD_HEADER) /* for one idle record and the seal */
#define PT_LOG_FRAGMENT_MAX    (((uint32_t)1 << 28) - 1)  /* the length has 28 bits */
#define PT_LOG_FILE_BYTES_MIN  ((uint64_t)4096)
#define PT_LOG_FILE_BYTES_MAX  ((uint64_t)128 << 20) /* so that a fragment's length always fits */
#define PT_LOG_DURABLE_GAP_MAX UINT32_MAX

_Static_assert(PT_LOG_SEGMENT_HEADER % PT_LOG_ALIGN == 0, "records start aligned");
_Static_assert(PT_LOG_FILE_BYTES_MAX < PT_LOG_FRAGMENT_MAX, "a segment holds one fragment");

typedef struct pt_log_header {
    uint64_t store_id, open_count, serial, random;
    uint64_t slot, file_bytes;
    uint64_t prev_serial, prev_salt, prev_end; /* 0: no segment before this one */
    uint64_t seq_durable;                      /* sequence known synced when it was begun */
} pt_log_header;

typedef enum pt_log_kind {
    PT_LOG_FULL = 1,
    PT_LOG_FIRST = 2, /* fragments: the checksum of the whole payload is in the last one */
    PT_LOG_NEXT = 3,
    PT_LOG_LAST = 4,
    PT_LOG_IDLE = 5,
    PT_LOG_SEAL = 6,
} pt_log_kind;

typedef struct pt_log_record_header {
    uint32_t kind, length; /* of this fragment's payload */
    uint32_t count;
    uint32_t durable_gap; /* first_seq - durable sequence; 0: no durable sequence */
    uint64_t first_seq;
    uint64_t payload_check;
} pt_log_record_header;

/* What every checksum of the segment is bound to; never the same twice. */
static inline uint64_t pt_log_salt(const pt_log_header *h)
{
    return pt_mix(h->store_id ^ pt_mix(h->open_count ^ pt_mix(h->serial ^ pt_mix(h->random))));
}

/* `offset` is 0 or file_bytes - PT_LOG_SEGMENT_HEADER. */
void pt_log_header_encode(const pt_log_header *h, uint64_t offset,
                          uint8_t ret_bytes[PT_LOG_SEGMENT_HEADER]);
bool pt_log_header_decode(const uint8_t bytes[PT_LOG_SEGMENT_HEADER], uint64_t offset,
                          pt_log_header *ret_header);

/* log_header.c; they return an errno. */
int pt_log_header_write(const pt_env *env, pt_file *file, const pt_log_header *h, uint64_t offset);
/* Of a file of `size` bytes: the newer of the copies that verify, and the offset where the other
 * should be the same and is not; PT_LOG_NOWHERE: it is. */
int pt_log_header_read(const pt_env *env, pt_file *file, uint64_t size, bool *ret_valid,
                       pt_log_header *ret_header, uint64_t *ret_damage);

static inline uint64_t pt_log_record_bytes(uint64_t payload_bytes)
{
    return pt_round_up(PT_LOG_RECORD_HEADER + payload_bytes, PT_LOG_ALIGN);
}

static inline uint64_t pt_log_payload_check(uint64_t payload_hash, uint64_t first_seq,
                                            uint64_t salt, uint64_t offset)
{
    return pt_hash_bind(payload_hash ^ first_seq, salt, offset);
}

static inline void pt_log_record_encode(const pt_log_record_header *r, uint64_t salt,
                                        uint64_t offset, uint8_t ret_bytes[PT_LOG_RECORD_HEADER])
{
    uint8_t *p = ret_bytes;
    pt_put_u32(p + 4, r->length | r->kind << 28);
    pt_put_u64(p + 8, r->first_seq);
    pt_put_u32(p + 16, r->count);
    pt_put_u32(p + 20, r->durable_gap);
    pt_put_u64(p + 24, r->payload_check);
    pt_put_u32(p, (uint32_t)pt_checksum(p + 4, PT_LOG_RECORD_HEADER - 4, salt, offset));
}

/* False when there is no record header of this salt at this offset. */
static inline bool pt_log_record_decode(const uint8_t bytes[PT_LOG_RECORD_HEADER], uint64_t salt,
                                        uint64_t offset, pt_log_record_header *ret_record)
{
    const uint8_t *p = bytes;
    uint32_t word = pt_get_u32(p + 4);
    if (word >> 28 < PT_LOG_FULL || word >> 28 > PT_LOG_SEAL)
        return false;
    if (pt_get_u32(p) != (uint32_t)pt_checksum(p + 4, PT_LOG_RECORD_HEADER - 4, salt, offset))
        return false;
    *ret_record = (pt_log_record_header){
        .kind = word >> 28,
        .length = word & PT_LOG_FRAGMENT_MAX,
        .first_seq = pt_get_u64(p + 8),
        .count = pt_get_u32(p + 16),
        .durable_gap = pt_get_u32(p + 20),
        .payload_check = pt_get_u64(p + 24),
    };
    return true;
}

static inline uint64_t pt_log_record_durable(const pt_log_record_header *r)
{
    return r->durable_gap != 0 && r->durable_gap <= r->first_seq ? r->first_seq - r->durable_gap
                                                                 : 0;
}

#endif
