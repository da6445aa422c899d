/* SPDX-License-Identifier: MIT */
/*
 * log_large.c - records that are not copied through the ring: written from the caller's memory,
 * under the write role, in as many fragments as segments they need. All segments are made first, so
 * that a full disk is met before anything is written; a failure after that stops the writes.
 */
#include "log/log_internal.h"

typedef struct large_record {
    pt_log_record_header r;
    pt_slice rest; /* of the payload: what is not written yet */
    uint64_t payload_hash;
} large_record;

/* A fragment is worth its header only with some payload behind it. */
static uint64_t fragment_room(const pt_log *log, uint64_t tail)
{
    uint64_t room = pt_log_room_at(log, tail);
    return room >= 4 * PT_LOG_RECORD_HEADER ? room - PT_LOG_RECORD_HEADER : 0;
}

static void unmake_list(pt_log *log, pt_log_seg *list)
{
    while (list != NULL) {
        pt_log_seg *seg = list;
        list = seg->made_next;
        seg->made_next = NULL;
        pt_log_seg_unmake(log, seg);
    }
}

/* Makes as many segments as the payload needs beyond the current one; all or none. */
static peat_rc large_segments(pt_log *log, uint64_t payload, uint64_t tail, pt_log_seg **ret_list)
{
    uint64_t room = fragment_room(log, tail);
    pt_log_seg *list = NULL, **end = &list;
    peat_rc rc = PEAT_OK;
    while (rc == PEAT_OK && room < payload) {
        rc = pt_log_seg_make(log, end);
        if (rc == PEAT_OK) {
            room += pt_log_capacity((*end)->file_bytes) - PT_LOG_RECORD_HEADER;
            end = &(*end)->made_next;
        }
    }
    if (rc == PEAT_OK) {
        *ret_list = list;
        return PEAT_OK;
    }
    unmake_list(log, list);
    return rc;
}

/* Write role held. One fragment of at most `room` payload bytes at the position `at`. The bytes up
 * to the next record's start are left as they are: nothing reads them. */
static peat_rc write_fragment(pt_log *log, large_record *io_large, bool first, uint64_t room,
                              uint64_t at, uint64_t *ret_bytes)
{
    uint8_t header[PT_LOG_RECORD_HEADER];
    pt_log_record_header r = io_large->r;
    pt_slice rest = io_large->rest;
    size_t length = (size_t)pt_min_u64(rest.size, room);
    uint64_t offset = at - log->cur->base;
    bool last = length == rest.size;
    r.kind = first ? (last ? PT_LOG_FULL : PT_LOG_FIRST) : (last ? PT_LOG_LAST : PT_LOG_NEXT);
    r.length = (uint32_t)length;
    if (last)
        r.payload_check =
            pt_log_payload_check(io_large->payload_hash, r.first_seq, log->cur->salt, offset);
    pt_log_record_encode(&r, log->cur->salt, offset, header);

    peat_rc rc = pt_log_write_at(log, log->cur, offset, header, sizeof header);
    if (rc == PEAT_OK)
        rc = pt_log_write_at(log, log->cur, offset + sizeof header, rest.data, length);
    io_large->rest = pt_slice_of(rest.data + length, rest.size - length);
    *ret_bytes = pt_log_record_bytes(length);
    return rc;
}

/* Write role held, the ring written. Takes every segment that it needs from the list. */
static peat_rc write_large(pt_log *log, large_record *io_large, pt_log_seg **io_list,
                           uint64_t *io_at)
{
    uint64_t at = *io_at;
    for (bool first = true; first || io_large->rest.size != 0;) {
        uint64_t room = fragment_room(log, at);
        peat_rc rc;
        if (room == 0) {
            pt_log_seg *seg = *io_list;
            PT_ASSERT(seg != NULL, "all segments of a large record are made before it is begun");
            *io_list = seg->made_next;
            seg->made_next = NULL;
            rc = pt_log_seg_begin(log, seg, at);
            at += PT_LOG_SEGMENT_HEADER;
        } else {
            uint64_t n = 0;
            rc = write_fragment(log, io_large, first, room, at, &n);
            pt_log_count_owned(&log->record_bytes, n);
            at += n;
            first = false;
        }
        if (rc != PEAT_OK)
            return pt_sink_stop_writes(log->sink, rc); /* part of the record is in the file */
    }
    *io_at = at;
    return PEAT_OK;
}

peat_rc pt_log_append_large(pt_log *log, uint64_t first_seq, uint32_t count, pt_slice payload,
                            uint64_t payload_hash, uint64_t *ret_position)
{
    uint64_t at = atomic_load_explicit(&log->tail, memory_order_relaxed);
    pt_log_seg *list = NULL;
    large_record large = {.r = pt_log_record_header_of(log, PT_LOG_FULL, first_seq, count),
                          .rest = payload,
                          .payload_hash = payload_hash};
    peat_rc rc = large_segments(log, payload.size, at, &list);
    if (rc != PEAT_OK)
        return rc;
    (void)pt_log_role_enter(&log->write_role, NULL, PT_LOG_NEVER, 0);
    rc = pt_log_write_out(log);
    if (rc == PEAT_OK)
        rc = write_large(log, &large, &list, &at);
    if (rc == PEAT_OK) {
        PT_ASSERT(list == NULL, "no more segments are made than a large record needs");
        log->write_seg = log->cur;
        pt_log_publish(log, at, first_seq + count - 1);
        atomic_store_explicit(&log->written, at, memory_order_release);
        log->written_seen = at;
        *ret_position = at;
    }
    pt_log_role_leave(&log->write_role);
    unmake_list(log, list);
    return rc;
}
