/* SPDX-License-Identifier: MIT */
/*
 * log_salvage.c - every record that can be read of a damaged log; see log_salvage.h.
 *
 * Recovery stops at damage, because it may not guess. Salvage goes on behind it: a record whose
 * header and payload verify for the salt of a live segment was written there. Segments are live
 * when the manifest has recorded them, when the last open has begun them, or when they continue one
 * that is live; what lies behind a recorded end, or behind the end that the next segment names, is
 * not shown: it was cut off by an earlier recovery.
 */
#include "repair/log_salvage.h"

#include "base/file_name.h"
#include "env/fd_reclaim.h"
#include "log/log_scan.h"

#include <errno.h>
#include <stdio.h>

typedef struct found {
    pt_log_header h;
    uint64_t slot, salt;
    uint64_t limit; /* records that are there end at or before */
    uint64_t end;   /* where they ended, as others say; 0: nobody does */
    bool live;
} found;

typedef struct salvage {
    const pt_env *env;
    pt_dir *dir;
    pt_sink *sink;
    pt_log_salvage *io;
    pt_log_salvage_damage_fn report;
    void *ctx;
    pt_log_scan scan;
    found *files;
    size_t count, capacity;
    bool gap;          /* something is missing before the next record */
    uint64_t shown_to; /* the last sequence shown */
} salvage;

static void damage(salvage *s, uint64_t slot, uint64_t offset, const char *text)
{
    char name[PT_FILE_NAME_SIZE];
    pt_file_name('w', slot, name);
    if (s->report != NULL)
        s->report(s->ctx, name, offset, text);
}

/* ---- which segments ---- */

static int list_segment(void *arg, const char *name, bool regular_file, uint64_t size)
{
    salvage *s = arg;
    uint64_t slot;
    (void)size;
    if (!regular_file || !pt_file_name_parse(name, 'w', &slot))
        return 0;
    if (!pt_grow(s->env, &s->files, &s->capacity, s->count + 1, sizeof *s->files))
        return ENOMEM;
    s->files[s->count++] = (found){.slot = slot};
    return 0;
}

static bool header_at(salvage *s, pt_file *file, uint64_t offset, pt_log_header *ret_header)
{
    uint8_t bytes[PT_LOG_SEGMENT_HEADER];
    size_t n = 0;
    int e = s->env->file_read(s->env->ctx, file, offset, bytes, sizeof bytes, &n);
    return e == 0 && n == sizeof bytes && pt_log_header_decode(bytes, offset, ret_header);
}

static int open_slot(salvage *s, uint64_t slot, pt_file **ret_file)
{
    char name[PT_FILE_NAME_SIZE];
    pt_file_name('w', slot, name);
    return pt_file_open(s->env, s->dir, s->sink, name, 0, ret_file);
}

/* The header with the higher serial, as in recovery. False: the file is nothing to us. */
static bool examine(salvage *s, found *f)
{
    pt_file *file = NULL;
    uint64_t size = 0;
    pt_log_header other;
    if (open_slot(s, f->slot, &file) != 0)
        return false;
    bool first = header_at(s, file, 0, &f->h);
    int e = s->env->file_size(s->env->ctx, file, &size);
    bool second = e == 0 && size >= PT_LOG_FILE_BYTES_MIN &&
                  header_at(s, file, size - PT_LOG_SEGMENT_HEADER, &other);
    s->env->file_close(s->env->ctx, file);
    if (second && (!first || other.serial > f->h.serial))
        f->h = other;
    f->salt = pt_log_salt(&f->h);
    f->limit = f->h.file_bytes - PT_LOG_SEGMENT_HEADER;
    if (e == 0 && size < f->limit)
        f->limit = size;
    return (first || second) && f->h.slot == f->slot && f->h.serial >= s->io->serial_min &&
           (s->io->store_id == 0 || f->h.store_id == s->io->store_id);
}

static peat_rc find_files(salvage *s)
{
    size_t n = 0;
    int e = pt_dir_list(s->env, s->dir, s->sink, list_segment, s);
    if (e != 0)
        return pt_fail_os(s->sink, e, "the store's directory cannot be listed");
    for (size_t i = 0; i < s->count; i++) {
        found f = s->files[i];
        size_t at = n;
        if (!examine(s, &f))
            continue;
        for (; at > 0 && s->files[at - 1].h.serial > f.h.serial; at--)
            s->files[at] = s->files[at - 1];
        s->files[at] = f;
        n++;
    }
    s->count = n;
    return PEAT_OK;
}

static const pt_log_end *recorded(const salvage *s, uint64_t serial)
{
    for (size_t i = 0; i < s->io->end_count; i++)
        if (s->io->ends[i].serial == serial)
            return &s->io->ends[i];
    return NULL;
}

static bool continues(const salvage *s, const found *f, const found *before)
{
    if (f->h.prev_serial == 0 || f->h.prev_serial < s->io->serial_min)
        return true;
    if (before == NULL || before->h.serial != f->h.prev_serial)
        return false;
    return recorded(s, before->h.serial) == NULL || before->end == f->h.prev_end;
}

static void end_at(found *f, uint64_t end)
{
    f->end = end;
    f->limit = pt_min_u64(f->limit, end);
}

static void choose_live(salvage *s)
{
    const found *before = NULL;
    for (size_t i = 0; i < s->count; i++) {
        found *f = &s->files[i];
        const pt_log_end *end = recorded(s, f->h.serial);
        f->live = end != NULL || f->h.open_count == s->io->open_count || continues(s, f, before);
        if (end != NULL)
            end_at(f, end->end);
        if (f->live)
            before = f;
    }
    /* the next live one says where this one ended */
    for (size_t i = 0; i + 1 < s->count; i++)
        for (size_t k = i + 1; k < s->count; k++)
            if (s->files[k].live && s->files[k].h.prev_serial == s->files[i].h.serial)
                end_at(&s->files[i], s->files[k].h.prev_end);
}

/* ---- their records ---- */

static peat_rc bytes_at(pt_log_scan *s, uint64_t offset, size_t n, const uint8_t **ret_data)
{
    int e = pt_file_reader_get(&s->window, offset, n, ret_data);
    return e == 0 ? PEAT_OK
                  : pt_fail_os(s->sink, e, "log w-%06" PRIu64 " @%" PRIu64 " cannot be read",
                               s->slot, offset);
}

/* Whether a whole record, or the first piece of one, begins at `at`. */
static peat_rc begins_record(pt_log_scan *s, uint64_t at, pt_log_record_header *r, bool *ret_begins)
{
    const uint8_t *p = NULL;
    *ret_begins = false;
    peat_rc rc = bytes_at(s, at, PT_LOG_RECORD_HEADER, &p);
    if (rc != PEAT_OK || !pt_log_record_decode(p, s->salt, at, r) ||
        r->length > s->limit - at - PT_LOG_RECORD_HEADER || r->kind == PT_LOG_NEXT ||
        r->kind == PT_LOG_LAST)
        return rc;
    s->seq_durable = pt_max_u64(s->seq_durable, pt_log_record_durable(r));
    *ret_begins = r->kind == PT_LOG_FIRST;
    if (*ret_begins)
        return PEAT_OK;
    rc = bytes_at(s, at, PT_LOG_RECORD_HEADER + r->length, &p);
    if (rc != PEAT_OK)
        return rc;
    uint64_t hash = pt_hash(p + PT_LOG_RECORD_HEADER, r->length);
    *ret_begins = r->payload_check == pt_log_payload_check(hash, r->first_seq, s->salt, at);
    return PEAT_OK;
}

/* Behind a stop: goes to the next place where a record begins that verifies; *ret_seq is its first
 * sequence, 0 when there is none. What was pending is dropped. */
static peat_rc resync(pt_log_scan *s, uint64_t *ret_seq)
{
    uint64_t at = pt_round_up(s->at + 1, PT_LOG_ALIGN);
    *ret_seq = 0;
    for (; at + PT_LOG_RECORD_HEADER <= s->limit; at += PT_LOG_ALIGN) {
        pt_log_record_header r;
        bool begins = false;
        peat_rc rc = begins_record(s, at, &r, &begins);
        if (rc != PEAT_OK)
            return rc;
        if (!begins || r.first_seq <= s->seq_last)
            continue;
        s->at = at;
        s->pending = s->orphans = false;
        *ret_seq = r.first_seq;
        return PEAT_OK;
    }
    return PEAT_OK;
}

static void count_lost(salvage *s, uint64_t next_seq)
{
    uint64_t known = pt_max_u64(s->shown_to, s->io->seq_min);
    if (next_seq > known + 1)
        s->io->lost += next_seq - known - 1;
}

static peat_rc visit_record(void *ctx, const pt_log_record *record)
{
    salvage *s = ctx;
    if (s->gap) /* without one, sequences that are left out were never in the log */
        count_lost(s, record->first_seq);
    s->gap = false;
    s->shown_to = record->first_seq + record->count - 1;
    return s->io->visit(s->io->visit_ctx, record);
}

/* All records of a segment, and from behind damage on again. */
static peat_rc read_segment(salvage *s, const found *f)
{
    for (;;) {
        uint64_t next_seq = 0;
        peat_rc rc = pt_log_scan_run(&s->scan);
        uint64_t stop = s->scan.at;
        if (rc != PEAT_OK && rc != PEAT_CORRUPT)
            return rc;
        if (rc == PEAT_CORRUPT) /* said by show: a sequence out of order */
            damage(s, f->slot, stop, "a record is out of order");
        rc = resync(&s->scan, &next_seq);
        if (rc != PEAT_OK)
            return rc;
        if (next_seq != 0 || stop < f->end) {
            damage(s, f->slot, stop, "records do not verify from here on");
            s->gap = true;
            s->scan.pending = false; /* as resync leaves it, if it found something */
        }
        if (next_seq == 0)
            return PEAT_OK;
    }
}

/* `before`: the live segment that was read last, or NULL. */
static peat_rc read_file(salvage *s, const found *f, const found *before)
{
    pt_file *file = NULL;
    int e = open_slot(s, f->slot, &file);
    if (!continues(s, f, before)) {
        damage(s, f->slot, 0, "the segment before this one is missing");
        s->gap = true;
        s->scan.pending = false;
    }
    if (e != 0) {
        damage(s, f->slot, 0, "the segment cannot be opened");
        return PEAT_OK;
    }
    pt_log_scan_segment(&s->scan, file, f->slot, f->h.serial, f->salt, f->limit);
    s->scan.seq_durable = pt_max_u64(s->scan.seq_durable, f->h.seq_durable);
    /* it may begin with the rest of a record whose first piece is lost */
    if (before == NULL || (s->gap && !s->scan.pending))
        s->scan.orphans = f->h.prev_serial != 0;
    peat_rc rc = read_segment(s, f);
    s->env->file_close(s->env->ctx, file);
    if (rc == PEAT_IO) {
        damage(s, f->slot, s->scan.at, "the segment cannot be read from here on");
        rc = PEAT_OK;
    }
    return rc;
}

/* Segments that the manifest or their successors speak of. */
static void report_missing(salvage *s)
{
    for (size_t i = 0; i < s->io->end_count; i++) {
        const pt_log_end *end = &s->io->ends[i];
        bool here = end->serial < s->io->serial_min;
        for (size_t k = 0; k < s->count && !here; k++)
            here = s->files[k].h.serial == end->serial;
        if (!here)
            damage(s, end->slot, 0, "this segment of the log is missing or has no header");
    }
}

static void judge_end(salvage *s)
{
    uint64_t seq_durable = pt_max_u64(s->scan.seq_durable, s->io->seq_durable);
    char text[120];
    if (seq_durable <= pt_max_u64(s->scan.seq_last, s->io->seq_min))
        return;
    count_lost(s, seq_durable + 1);
    (void)snprintf(text, sizeof text,
                   "the log ends at sequence %" PRIu64 ", but was synced up to %" PRIu64,
                   s->scan.seq_last, seq_durable);
    damage(s, s->count != 0 ? s->files[s->count - 1].slot : 1, s->count != 0 ? s->scan.at : 0,
           text);
}

peat_rc pt_log_salvage_run(const pt_env *env, pt_dir *dir, pt_sink *sink, pt_log_salvage *io,
                           pt_log_salvage_damage_fn report, void *ctx)
{
    peat_rc rc = PEAT_OK;
    const found *before = NULL;
    salvage s = {.env = env, .dir = dir, .sink = sink, .io = io, .report = report, .ctx = ctx};
    io->lost = 0;
    pt_log_scan_init(&s.scan, env, sink, visit_record, &s);
    TRY(find_files(&s));
    choose_live(&s);
    report_missing(&s);
    for (size_t i = 0; i < s.count; i++) {
        if (!s.files[i].live)
            continue;
        TRY(read_file(&s, &s.files[i], before));
        before = &s.files[i];
    }
    judge_end(&s);
out:
    pt_log_scan_done(&s.scan);
    pt_free(env, s.files);
    return rc;
}
