/* SPDX-License-Identifier: MIT */
/* log_scan.c - see log_scan.h. Lengths are compared with the segment before they are believed. */
#include "log/log_scan.h"

#include "base/file_name.h"

void pt_log_scan_init(pt_log_scan *s, const pt_env *env, pt_sink *sink, pt_log_visit_fn visit,
                      void *ctx)
{
    *s = (pt_log_scan){.env = env, .sink = sink, .visit = visit, .ctx = ctx};
    pt_file_reader_init(&s->window, env);
    pt_bytes_init(&s->parts, env);
}

void pt_log_scan_done(pt_log_scan *s)
{
    pt_file_reader_done(&s->window);
    pt_bytes_done(&s->parts);
}

void pt_log_scan_segment(pt_log_scan *s, pt_file *file, uint64_t slot, uint64_t serial,
                         uint64_t salt, uint64_t limit)
{
    limit = pt_max_u64(limit, PT_LOG_SEGMENT_HEADER); /* an end from a damaged manifest or header */
    pt_file_reader_set(&s->window, file, limit);
    s->slot = slot;
    s->serial = serial;
    s->salt = salt;
    s->limit = limit;
    s->at = PT_LOG_SEGMENT_HEADER;
    s->first_end = 0;
}

static peat_rc scan_bytes(pt_log_scan *s, uint64_t offset, size_t n, const uint8_t **ret_data)
{
    int e = pt_file_reader_get(&s->window, offset, n, ret_data);
    return e == 0 ? PEAT_OK
                  : pt_fail_os(s->sink, e, "log w-%06" PRIu64 " @%" PRIu64 " cannot be read",
                               s->slot, offset);
}

static void take_durable(pt_log_scan *s, const pt_log_record_header *r)
{
    s->seq_durable = pt_max_u64(s->seq_durable, pt_log_record_durable(r));
}

/* Does this header make sense after what came before? A fragment must continue its record. */
static bool header_fits(const pt_log_scan *s, const pt_log_record_header *r)
{
    bool continues = r->kind == PT_LOG_NEXT || r->kind == PT_LOG_LAST;
    bool mark = r->kind == PT_LOG_IDLE || r->kind == PT_LOG_SEAL;
    if (r->length > s->limit - s->at - PT_LOG_RECORD_HEADER)
        return false;
    if (continues && s->orphans)
        return true;
    if (continues != s->pending)
        return false;
    if (continues)
        return r->first_seq == s->pending_seq && r->count == s->pending_count;
    return mark ? r->count == 0 && r->length == 0 : r->count != 0;
}

static peat_rc show(pt_log_scan *s, uint64_t serial, const pt_log_record_header *r,
                    pt_slice payload)
{
    if (r->first_seq <= s->seq_last || r->first_seq > PT_STORED_NUMBER_MAX) {
        char name[PT_FILE_NAME_SIZE];
        pt_file_name('w', s->slot, name);
        return pt_fail_at(s->sink, PEAT_CORRUPT, name, s->at,
                          "sequence: expected above %" PRIu64 " and up to %llu, found %" PRIu64,
                          s->seq_last, PT_STORED_NUMBER_MAX, r->first_seq);
    }
    s->seq_last = r->first_seq + (r->count - 1);
    s->first_end = s->first_end != 0 ? s->first_end : s->seq_last;
    pt_log_record record = {.first_seq = r->first_seq,
                            .count = r->count,
                            .serial = serial,
                            .slot = s->slot,
                            .offset = s->at,
                            .payload = payload};
    return s->visit(s->ctx, &record);
}

static peat_rc keep_fragment(pt_log_scan *s, const pt_log_record_header *r, pt_slice payload)
{
    if (r->kind == PT_LOG_FIRST) {
        s->parts.size = 0;
        s->pending = true;
        s->pending_serial = s->serial;
        s->pending_at = s->at;
        s->pending_seq = r->first_seq;
        s->pending_count = r->count;
    }
    return pt_bytes_append(&s->parts, payload.data, payload.size) == PEAT_OK
               ? PEAT_OK
               : pt_fail(s->sink, PEAT_NOMEM, "no memory for a log record of %zu bytes",
                         s->parts.size + payload.size);
}

/* The payload of a header that fits: kept, shown, or found damaged. */
static peat_rc take_record(pt_log_scan *s, const pt_log_record_header *r, bool *ret_valid)
{
    const uint8_t *p = NULL;
    peat_rc rc = PEAT_OK;
    TRY(scan_bytes(s, s->at, PT_LOG_RECORD_HEADER + r->length, &p));
    pt_slice payload = pt_slice_of(p + PT_LOG_RECORD_HEADER, r->length);
    if (r->kind == PT_LOG_FIRST || r->kind == PT_LOG_NEXT || r->kind == PT_LOG_LAST)
        TRY(keep_fragment(s, r, payload));
    if (r->kind == PT_LOG_LAST)
        payload = pt_bytes_slice(&s->parts);
    if (r->kind != PT_LOG_FIRST && r->kind != PT_LOG_NEXT) {
        uint64_t hash = pt_hash(payload.data, payload.size);
        if (r->payload_check != pt_log_payload_check(hash, r->first_seq, s->salt, s->at))
            return PEAT_OK;
        if (r->kind == PT_LOG_FULL || r->kind == PT_LOG_LAST)
            TRY(show(s, s->pending ? s->pending_serial : s->serial, r, payload));
        s->pending = false;
    }
    *ret_valid = true;
out:
    return rc;
}

/* One record at `at`. *ret_valid false: there is none, and the scan has not moved. */
static peat_rc scan_record(pt_log_scan *s, bool *ret_valid)
{
    const uint8_t *p = NULL;
    pt_log_record_header r;
    peat_rc rc = PEAT_OK;
    *ret_valid = false;
    PT_ASSERT(s->at <= s->limit, "a scan stops at its limit");
    if (s->limit - s->at < PT_LOG_RECORD_HEADER)
        return PEAT_OK;
    TRY(scan_bytes(s, s->at, PT_LOG_RECORD_HEADER, &p));
    if (!pt_log_record_decode(p, s->salt, s->at, &r))
        return PEAT_OK;
    s->torn = true; /* unless the rest verifies too */
    take_durable(s, &r);
    if (!header_fits(s, &r))
        return PEAT_OK;
    if (s->orphans && (r.kind == PT_LOG_NEXT || r.kind == PT_LOG_LAST))
        *ret_valid = true;
    else
        TRY(take_record(s, &r, ret_valid));
    if (!*ret_valid)
        return PEAT_OK;
    s->orphans = s->orphans && r.kind == PT_LOG_NEXT;
    s->torn = false;
    s->sealed = r.kind == PT_LOG_SEAL;
    s->at = pt_min_u64(s->at + pt_log_record_bytes(r.length), s->limit);
out:
    return rc;
}

peat_rc pt_log_scan_run(pt_log_scan *s)
{
    peat_rc rc = PEAT_OK;
    s->sealed = s->torn = false;
    for (bool valid = true; valid && rc == PEAT_OK;)
        rc = scan_record(s, &valid);
    return rc;
}

peat_rc pt_log_scan_durable(pt_log_scan *s, uint64_t offset, uint64_t limit)
{
    uint64_t at = pt_round_up(offset, PT_LOG_ALIGN);
    while (at + PT_LOG_RECORD_HEADER <= limit) {
        const uint8_t *p = NULL;
        size_t n = (size_t)pt_min_u64(limit - at, PT_FILE_READER_STEP_BYTES);
        peat_rc rc = scan_bytes(s, at, n, &p);
        if (rc != PEAT_OK)
            return rc;
        uint64_t end = at + n - PT_LOG_RECORD_HEADER;
        for (; at <= end; p += PT_LOG_ALIGN, at += PT_LOG_ALIGN) {
            pt_log_record_header r;
            /* the length is compared first: most garbage is refused without a checksum */
            if ((pt_get_u32(p + 4) & PT_LOG_FRAGMENT_MAX) <= limit - at &&
                pt_log_record_decode(p, s->salt, at, &r)) {
                take_durable(s, &r);
                s->torn = true;
            }
        }
    }
    return PEAT_OK;
}
