/* SPDX-License-Identifier: MIT */
/*
 * log.c - appending records, and the life of the log; see log.h for the calls and log_internal.h
 * for who owns what.
 *
 * An append copies the record into the ring and returns; nothing is in the system's hands before
 * pt_log_write. Records above direct_min are written from the caller's memory, under the write
 * role, in as many fragments as segments they need.
 */
#include "log/log_internal.h"

static void ring_put(pt_log *log, uint64_t at, const void *data, size_t n)
{
    uint64_t in_ring = at % PT_LOG_RING_BYTES;
    size_t first = (size_t)pt_min_u64(n, PT_LOG_RING_BYTES - in_ring);
    if (first != 0)
        memcpy(log->ring + in_ring, data, first);
    if (PT_UNLIKELY(n > first))
        memcpy(log->ring, (const uint8_t *)data + first, n - first);
}

static pt_log_record_header record_header(pt_log *log, pt_log_kind kind, uint64_t first_seq,
                                          uint32_t count)
{
    uint64_t gap = first_seq - atomic_load_explicit(&log->synced_seq, memory_order_acquire);
    PT_DCHECK(gap >= 1 && gap <= first_seq);
    return (pt_log_record_header){
        .kind = kind,
        .count = count,
        .promise_gap = gap <= PT_LOG_PROMISE_GAP_MAX ? (uint32_t)gap : 0,
        .first_seq = first_seq,
    };
}

/* Room in the ring for `n` more bytes at `tail`. */
static peat_rc make_room(pt_log *log, uint64_t tail, uint64_t n)
{
    log->written_seen = atomic_load_explicit(&log->written, memory_order_acquire);
    if (tail + n - log->written_seen <= PT_LOG_RING_BYTES)
        return PEAT_OK;
    peat_rc rc = pt_log_write(log, tail);
    log->written_seen = atomic_load_explicit(&log->written, memory_order_acquire);
    return rc;
}

static peat_rc next_segment(pt_log *log)
{
    pt_log_seg *seg = NULL;
    uint64_t tail = atomic_load_explicit(&log->tail, memory_order_relaxed);
    peat_rc rc = pt_log_seg_make(log, &seg);
    if (rc == PEAT_OK)
        rc = pt_log_seg_begin(log, seg, tail);
    if (rc == PEAT_OK)
        atomic_store_explicit(&log->tail, tail + PT_LOG_SEGMENT_HEADER, memory_order_release);
    return rc;
}

/* The bytes are there: let the write role see them. */
static void publish(pt_log *log, uint64_t tail, uint64_t seq_last)
{
    log->seq_last = seq_last;
    atomic_store_explicit(&log->tail, tail, memory_order_release);
    /* after tail: pairs with sync_group, which loads it before tail */
    atomic_store_explicit(&log->tail_seq, seq_last, memory_order_release);
}

/* A record of the current segment, through the ring; the caller has seen to room in the segment. */
static peat_rc append_ring(pt_log *log, pt_log_record_header r, pt_slice head, pt_slice tail_part,
                           uint64_t payload_hash, uint64_t *ret_position)
{
    static const uint8_t zeros[PT_LOG_ALIGN];
    uint8_t header[PT_LOG_RECORD_HEADER];
    uint64_t payload = head.size + tail_part.size;
    uint64_t n = pt_log_record_bytes(payload);
    uint64_t at = atomic_load_explicit(&log->tail, memory_order_relaxed);
    if (PT_UNLIKELY(at + n - log->written_seen > PT_LOG_RING_BYTES)) {
        peat_rc rc = make_room(log, at, n);
        if (rc != PEAT_OK)
            return rc;
    }
    const pt_log_seg *seg = log->cur;
    uint64_t offset = at - seg->base;
    r.payload_check = pt_log_payload_check(payload_hash, r.first_seq, seg->epoch, offset);
    pt_log_record_encode(&r, seg->epoch, offset, header);
    ring_put(log, at, header, sizeof header);
    ring_put(log, at + sizeof header, head.data, head.size);
    ring_put(log, at + sizeof header + head.size, tail_part.data, tail_part.size);
    ring_put(log, at + sizeof header + payload, zeros, (size_t)(n - sizeof header - payload));
    publish(log, at + n, r.first_seq + r.count - 1);
    *ret_position = at + n;
    pt_log_count_owned(&log->record_bytes, n);
    return PEAT_OK;
}

/* --- large records ------------------------------------------------------------------------------
 */

typedef struct large_record {
    pt_log_record_header r;
    pt_slice head, rest; /* what is not written yet */
    uint64_t payload_hash;
} large_record;

static uint64_t room_at(const pt_log *log, uint64_t tail)
{
    return log->cur != NULL && log->limit > tail ? log->limit - tail : 0;
}

/* A fragment is worth its header only with some payload behind it. */
static uint64_t fragment_room(const pt_log *log, uint64_t tail)
{
    uint64_t room = room_at(log, tail);
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

/* Takes up to `n` bytes from the front of what is left and writes them at `offset`. */
static peat_rc write_part(pt_log *log, pt_slice *io_part, uint64_t n, uint64_t *io_offset)
{
    size_t take = (size_t)pt_min_u64(io_part->size, n);
    if (take == 0)
        return PEAT_OK;
    peat_rc rc = pt_log_write_at(log, log->cur, *io_offset, io_part->data, take);
    *io_part = pt_slice_of(io_part->data + take, io_part->size - take);
    *io_offset += take;
    return rc;
}

/* Write role held. One fragment of at most `room` payload bytes at the position `at`. The bytes up
 * to the next record's start are left as they are: nothing reads them. */
static peat_rc write_fragment(pt_log *log, large_record *io_large, bool first, uint64_t room,
                              uint64_t at, uint64_t *ret_bytes)
{
    uint8_t bytes[PT_LOG_RECORD_HEADER + 480]; /* the header and a usual head in one write */
    pt_log_record_header r = io_large->r;
    uint64_t left = io_large->head.size + io_large->rest.size;
    uint64_t length = pt_min_u64(left, room);
    uint64_t offset = at - log->cur->base;
    bool last = length == left;
    r.kind = first ? (last ? PT_LOG_FULL : PT_LOG_FIRST) : (last ? PT_LOG_LAST : PT_LOG_NEXT);
    r.length = (uint32_t)length;
    if (last)
        r.payload_check =
            pt_log_payload_check(io_large->payload_hash, r.first_seq, log->cur->epoch, offset);
    pt_log_record_encode(&r, log->cur->epoch, offset, bytes);

    size_t n = (size_t)pt_min_u64(pt_min_u64(io_large->head.size, length), 480);
    if (n != 0)
        memcpy(bytes + PT_LOG_RECORD_HEADER, io_large->head.data, n);
    io_large->head = pt_slice_of(io_large->head.data + n, io_large->head.size - n);
    peat_rc rc = pt_log_write_at(log, log->cur, offset, bytes, PT_LOG_RECORD_HEADER + n);
    uint64_t end = offset + PT_LOG_RECORD_HEADER + length;
    offset += PT_LOG_RECORD_HEADER + n;
    if (rc == PEAT_OK)
        rc = write_part(log, &io_large->head, end - offset, &offset);
    if (rc == PEAT_OK)
        rc = write_part(log, &io_large->rest, end - offset, &offset);
    *ret_bytes = pt_log_record_bytes(length);
    return rc;
}

/* Write role held, the ring written. Takes every segment that it needs from the list. */
static peat_rc write_large(pt_log *log, large_record *io_large, pt_log_seg **io_list,
                           uint64_t *io_at)
{
    uint64_t at = *io_at;
    for (bool first = true; first || io_large->head.size + io_large->rest.size != 0;) {
        uint64_t room = fragment_room(log, at);
        peat_rc rc;
        if (room == 0) {
            pt_log_seg *seg = *io_list;
            PT_ASSERT(seg != NULL);
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
        if (rc != PEAT_OK) {
            pt_sink_fence(log->sink, rc); /* part of the record is in the file */
            return rc;
        }
    }
    *io_at = at;
    return PEAT_OK;
}

static peat_rc append_large(pt_log *log, uint64_t first_seq, uint32_t count, pt_slice head,
                            pt_slice rest, uint64_t payload_hash, uint64_t *ret_position)
{
    uint64_t at = atomic_load_explicit(&log->tail, memory_order_relaxed);
    pt_log_seg *list = NULL;
    large_record large = {.r = record_header(log, PT_LOG_FULL, first_seq, count),
                          .head = head,
                          .rest = rest,
                          .payload_hash = payload_hash};
    peat_rc rc = large_segments(log, head.size + rest.size, at, &list);
    if (rc != PEAT_OK)
        return rc;
    (void)pt_log_role_enter(&log->write_role, NULL, PT_LOG_NEVER, 0);
    rc = pt_log_write_out(log);
    if (rc == PEAT_OK)
        rc = write_large(log, &large, &list, &at);
    if (rc == PEAT_OK) {
        log->write_seg = log->cur;
        publish(log, at, first_seq + count - 1);
        atomic_store_explicit(&log->written, at, memory_order_release);
        log->written_seen = at;
        *ret_position = at;
    }
    pt_log_role_leave(&log->write_role);
    unmake_list(log, list);
    return rc;
}

/* --- the calls ----------------------------------------------------------------------------------
 */

peat_rc pt_log_append2(pt_log *log, uint64_t first_seq, uint32_t count, pt_slice head,
                       pt_slice tail, uint64_t payload_hash, uint64_t *ret_position)
{
    peat_rc rc = pt_sink_fenced(log->sink);
    if (PT_UNLIKELY(rc != PEAT_OK))
        return rc;
    uint64_t n = pt_log_record_bytes(head.size + tail.size);
    if (PT_UNLIKELY(n >= log->direct_min))
        return append_large(log, first_seq, count, head, tail, payload_hash, ret_position);
    if (PT_UNLIKELY(room_at(log, atomic_load_explicit(&log->tail, memory_order_relaxed)) < n)) {
        rc = next_segment(log);
        if (rc != PEAT_OK)
            return rc;
    }
    pt_log_record_header r = record_header(log, PT_LOG_FULL, first_seq, count);
    r.length = (uint32_t)(head.size + tail.size);
    return append_ring(log, r, head, tail, payload_hash, ret_position);
}

peat_rc pt_log_append(pt_log *log, uint64_t first_seq, uint32_t count, pt_slice payload,
                      uint64_t payload_hash, uint64_t *ret_position)
{
    return pt_log_append2(log, first_seq, count, (pt_slice){0}, payload, payload_hash,
                          ret_position);
}

/* An empty record behind everything synced, so that its promise covers all; then synced itself. */
static peat_rc append_mark(pt_log *log, pt_log_kind kind)
{
    uint64_t position = 0;
    peat_rc rc = PEAT_OK;
    PT_ASSERT(atomic_load_explicit(&log->tail, memory_order_relaxed) + PT_LOG_RECORD_HEADER <=
              log->limit + PT_LOG_RESERVE);
    pt_log_record_header r = record_header(log, kind, log->seq_last + 1, 0);
    TRY(append_ring(log, r, (pt_slice){0}, (pt_slice){0}, pt_hash(NULL, 0), &position));
    log->mark_end = position;
    TRY(pt_log_sync(log, position));
out:
    return rc;
}

peat_rc pt_log_idle(pt_log *log)
{
    peat_rc rc = PEAT_OK;
    uint64_t tail = atomic_load_explicit(&log->tail, memory_order_relaxed);
    TRY(pt_log_sync(log, tail));
    /* one idle record per pause: so the reserve at a segment's end is never used up */
    if (log->cur != NULL && log->mark_end != tail)
        TRY(append_mark(log, PT_LOG_IDLE));
out:
    return rc;
}

peat_rc pt_log_seal(pt_log *log)
{
    peat_rc rc = pt_sink_fenced(log->sink);
    if (rc != PEAT_OK)
        return rc;
    TRY(pt_log_sync(log, atomic_load_explicit(&log->tail, memory_order_relaxed)));
    if (log->cur != NULL) {
        TRY(append_mark(log, PT_LOG_SEAL));
        pt_log_close_segment(log);
    }
    pt_log_trim(log);
out:
    return rc;
}

uint64_t pt_log_position(pt_log *log)
{
    return atomic_load_explicit(&log->tail, memory_order_acquire);
}

uint64_t pt_log_synced_position(pt_log *log)
{
    return atomic_load_explicit(&log->synced, memory_order_acquire);
}

void pt_log_get_stats(pt_log *log, pt_log_stats *ret_stats)
{
    pt_log_stats s = {
        .record_bytes = atomic_load_explicit(&log->record_bytes, memory_order_relaxed),
        .written_bytes = atomic_load_explicit(&log->written_bytes, memory_order_relaxed) +
                         atomic_load_explicit(&log->made_bytes, memory_order_relaxed),
        .zero_bytes = atomic_load_explicit(&log->zero_bytes, memory_order_relaxed),
        .writes = atomic_load_explicit(&log->writes, memory_order_relaxed),
        .syncs = atomic_load_explicit(&log->syncs, memory_order_relaxed),
        .sync_ns = atomic_load_explicit(&log->sync_ns, memory_order_relaxed),
        .disk_bytes = atomic_load_explicit(&log->disk_bytes, memory_order_relaxed),
    };
    pt_mutex_lock(&log->mu);
    s.segments = log->old_count;
    const pt_log_seg *seg = log->first;
    while (seg != NULL) {
        s.segments += seg->file != NULL;
        seg = atomic_load_explicit(&seg->next, memory_order_acquire);
    }
    s.spares = log->spare_count;
    pt_mutex_unlock(&log->mu);
    *ret_stats = s;
}

/* --- life ---------------------------------------------------------------------------------------
 */

static pt_log_seg *origin_new(const pt_env *env)
{
    pt_log_seg *seg = pt_alloc_zero(env, sizeof *seg);
    if (seg != NULL) {
        atomic_init(&seg->next, NULL);
        atomic_init(&seg->end, 0);
    }
    return seg;
}

static void log_init(pt_log *log, const pt_log_options *o, pt_log_seg *origin)
{
    uint64_t least = pt_round_up(o->segment_bytes_min, PT_LOG_FILE_BYTES_MIN);
    least = pt_max_u64(pt_min_u64(least, PT_LOG_FILE_BYTES_MAX), PT_LOG_FILE_BYTES_MIN);
    log->store_id = o->store_id;
    log->open_count = o->open_count;
    log->segment_bytes_min = least;
    log->segment_bytes_max = pt_max_u64(pt_min_u64(o->segment_bytes_max, PT_LOG_FILE_BYTES_MAX) &
                                            ~(PT_LOG_FILE_BYTES_MIN - 1),
                                        least);
    log->direct_min = pt_min_u64(PT_LOG_DIRECT_MIN, least / 4);
    log->size_next = least;
    log->slot_next = 1;
    log->seq_last = o->seq_synced;
    log->prev_serial = o->prev_serial;
    log->prev_epoch = o->prev_epoch;
    log->prev_end = o->prev_end;
    log->first = log->last = log->write_seg = log->sync_seg = origin;
    atomic_init(&log->serial_next, o->serial_next);
    atomic_init(&log->prepare_at, PT_LOG_NEVER);
    atomic_init(&log->tail_seq, o->seq_synced);
    atomic_init(&log->synced_seq, o->seq_synced);
    pt_log_role_init(&log->write_role);
    pt_log_role_init(&log->sync_role);
    pt_mutex_init(&log->make_mu);
    pt_mutex_init(&log->mu);
}

peat_rc pt_log_new(const pt_env *env, pt_dir *dir, pt_sink *sink, const pt_log_options *options,
                   pt_log **ret_log)
{
    pt_log *log = pt_alloc_zero(env, sizeof *log);
    pt_log_seg *origin = origin_new(env);
    uint8_t *ring = pt_alloc(env, PT_LOG_RING_BYTES);
    if (log == NULL || origin == NULL || ring == NULL) {
        pt_free(env, log);
        pt_free(env, origin);
        pt_free(env, ring);
        return pt_fail(sink, PEAT_NOMEM, "no memory for the log");
    }
    log->env = env;
    log->dir = dir;
    log->sink = sink;
    log->ring = ring;
    log_init(log, options, origin);
    for (size_t i = 0; i < options->spare_count; i++) {
        const pt_log_segment *s = &options->spares[i];
        pt_log_count(&log->disk_bytes, s->file_bytes);
        pt_log_spare_add(log, (pt_log_spare){.slot = s->slot, .file_bytes = s->file_bytes});
    }
    *ret_log = log;
    return PEAT_OK;
}

void pt_log_free(pt_log *log)
{
    if (log == NULL)
        return;
    const pt_env *env = log->env;
    if (log->ready != NULL)
        env->file_close(env->ctx, log->ready->file);
    pt_free(env, log->ready);
    for (pt_log_seg *seg = log->first; seg != NULL;) {
        pt_log_seg *next = atomic_load_explicit(&seg->next, memory_order_relaxed);
        if (seg->file != NULL)
            env->file_close(env->ctx, seg->file);
        pt_free(env, seg);
        seg = next;
    }
    pt_log_role_done(&log->write_role);
    pt_log_role_done(&log->sync_role);
    pt_mutex_done(&log->make_mu);
    pt_mutex_done(&log->mu);
    pt_free(env, log->old);
    pt_free(env, log->spares);
    pt_free(env, log->ring);
    pt_free(env, log);
}
