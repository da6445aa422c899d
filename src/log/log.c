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
    PT_DCHECK(n <= PT_LOG_RING_BYTES, "what is longer than the ring does not go through it");
    uint64_t in_ring = at % PT_LOG_RING_BYTES;
    size_t first = (size_t)pt_min_u64(n, PT_LOG_RING_BYTES - in_ring);
    if (first != 0)
        memcpy(log->ring + in_ring, data, first);
    if (PT_UNLIKELY(n > first))
        memcpy(log->ring, (const uint8_t *)data + first, n - first);
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

/* A record of the current segment, through the ring; the caller has seen to room in the segment. */
static peat_rc append_ring(pt_log *log, pt_log_record_header r, pt_slice payload,
                           uint64_t payload_hash, uint64_t *ret_position)
{
    static const uint8_t zeros[PT_LOG_ALIGN];
    uint8_t header[PT_LOG_RECORD_HEADER];
    uint64_t n = pt_log_record_bytes(payload.size);
    uint64_t at = atomic_load_explicit(&log->tail, memory_order_relaxed);
    if (PT_UNLIKELY(at + n - log->written_seen > PT_LOG_RING_BYTES)) {
        peat_rc rc = make_room(log, at, n);
        if (rc != PEAT_OK)
            return rc;
    }
    const pt_log_seg *seg = log->cur;
    uint64_t offset = at - seg->base;
    PT_DCHECK(offset % PT_LOG_ALIGN == 0, "records start aligned");
    PT_DCHECK(at + n <= log->limit + PT_LOG_RESERVE, "a record lies in its segment");
    PT_DCHECK(at + n - atomic_load(&log->written) <= PT_LOG_RING_BYTES,
              "the ring keeps what is not written yet");
    r.payload_check = pt_log_payload_check(payload_hash, r.first_seq, seg->salt, offset);
    pt_log_record_encode(&r, seg->salt, offset, header);
    ring_put(log, at, header, sizeof header);
    ring_put(log, at + sizeof header, payload.data, payload.size);
    ring_put(log, at + sizeof header + payload.size, zeros,
             (size_t)(n - sizeof header - payload.size));
    pt_log_publish(log, at + n, r.first_seq + r.count - 1);
    *ret_position = at + n;
    pt_log_count_owned(&log->record_bytes, n);
    return PEAT_OK;
}

/* --- the calls --- */

peat_rc pt_log_append(pt_log *log, uint64_t first_seq, uint32_t count, pt_slice payload,
                      uint64_t payload_hash, uint64_t *ret_position)
{
    peat_rc rc = pt_sink_write_failure(log->sink);
    if (PT_UNLIKELY(rc != PEAT_OK))
        return rc;
    uint64_t n = pt_log_record_bytes(payload.size);
    if (PT_UNLIKELY(n >= log->direct_min))
        return pt_log_append_large(log, first_seq, count, payload, payload_hash, ret_position);
    if (PT_UNLIKELY(pt_log_room_at(log, atomic_load_explicit(&log->tail, memory_order_relaxed)) <
                    n)) {
        rc = next_segment(log);
        if (rc != PEAT_OK)
            return rc;
    }
    pt_log_record_header r = pt_log_record_header_of(log, PT_LOG_FULL, first_seq, count);
    r.length = (uint32_t)payload.size;
    return append_ring(log, r, payload, payload_hash, ret_position);
}

/* An empty record behind everything synced, so that its durable sequence covers all; then synced
 * itself. */
static peat_rc append_mark(pt_log *log, pt_log_kind kind)
{
    uint64_t position = 0;
    peat_rc rc = PEAT_OK;
    PT_ASSERT(atomic_load_explicit(&log->tail, memory_order_relaxed) + PT_LOG_RECORD_HEADER <=
                  log->limit + PT_LOG_RESERVE,
              "a segment keeps room for an idle record and a seal");
    pt_log_record_header r = pt_log_record_header_of(log, kind, log->seq_last + 1, 0);
    TRY(append_ring(log, r, (pt_slice){0}, pt_hash(NULL, 0), &position));
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
    peat_rc rc = pt_sink_write_failure(log->sink);
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
        s.segments += seg->kept;
        seg = atomic_load_explicit(&seg->next, memory_order_acquire);
    }
    s.spares = log->spare_count;
    pt_mutex_unlock(&log->mu);
    *ret_stats = s;
}

/* --- life --- */

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
    log->prev_salt = o->prev_salt;
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
    uint8_t *ring = env->map(env->ctx, PT_LOG_RING_BYTES); /* a mapping, for pt_log_rest */
    if (log == NULL || origin == NULL || ring == NULL) {
        pt_free(env, log);
        pt_free(env, origin);
        if (ring != NULL)
            env->unmap(env->ctx, ring, PT_LOG_RING_BYTES);
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

void pt_log_rest(pt_log *log)
{
    (void)pt_log_role_enter(&log->write_role, NULL, PT_LOG_NEVER, 0);
    if (atomic_load_explicit(&log->written, memory_order_relaxed) ==
        atomic_load_explicit(&log->tail, memory_order_relaxed))
        pt_unneeded(log->env, log->ring, PT_LOG_RING_BYTES);
    pt_log_role_leave(&log->write_role);
    pt_log_ready_rest(log);
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
    env->unmap(env->ctx, log->ring, PT_LOG_RING_BYTES);
    pt_free(env, log);
}
