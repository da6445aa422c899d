/* SPDX-License-Identifier: MIT */
/*
 * log_replay.c - recovery of the log: which segments there are, which continue one another, where
 * the log ends, and whether that end may be (log_format.md, "Recovery").
 *
 * 1. Every w-file is synced, dropped from the page cache and read again: what is decided here is
 *    decided on what the disk holds.
 * 2. Segments of this store with serial >= serial_min are walked in serial order. One continues the
 *    log if it names the one before it with the end at which that one stopped (or at which the
 *    manifest cut it). All others are dead: their records are not shown.
 * 3. The log ends where the walk stops. Behind that place, and in dead segments, headers are looked
 *    at for durable sequences. A durable sequence beyond the last record is damage, not an end.
 */
#include "log/log_scan.h"

#include "base/file_name.h"
#include "env/fd_reclaim.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

typedef struct candidate {
    pt_log_header h;
    uint64_t slot, salt, size;
    bool valid;             /* has a header of this store */
    uint64_t header_damage; /* offset of a copy of it that is another or none; PT_LOG_NOWHERE */
} candidate;

typedef struct replay_run {
    const pt_env *env;
    pt_dir *dir;
    pt_sink *sink;
    pt_log_replay *io;
    pt_log_scan scan;

    candidate *files; /* live candidates first, in serial order */
    size_t file_count, file_capacity;
    size_t live_count; /* of them: serial >= serial_min */

    pt_log_segment *chain; /* segments that continue one another, as walked so far */
    size_t chain_count, chain_capacity;
    uint64_t missing_serial; /* the first that the chain lacks; for the text */
} replay_run;

static peat_rc damaged(replay_run *r, uint64_t slot, uint64_t offset, const char *format, ...)
    PT_PRINTF(4, 5);

static peat_rc damaged(replay_run *r, uint64_t slot, uint64_t offset, const char *format, ...)
{
    char name[PT_FILE_NAME_SIZE], text[200];
    va_list args;
    pt_file_name('w', slot, name);
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    return pt_fail_at(r->sink, PEAT_CORRUPT, name, offset, "%s", text);
}

/* --- 1. what is there --- */

static int list_segments(void *arg, const char *name, bool regular_file, uint64_t size)
{
    replay_run *r = arg;
    uint64_t slot;
    (void)size;
    if (!regular_file || !pt_file_name_parse(name, 'w', &slot))
        return 0;
    if (!pt_grow(r->env, &r->files, &r->file_capacity, r->file_count + 1, sizeof *r->files))
        return ENOMEM;
    r->files[r->file_count++] = (candidate){.slot = slot};
    return 0;
}

static peat_rc open_slot(replay_run *r, uint64_t slot, bool write, pt_file **ret_file)
{
    char name[PT_FILE_NAME_SIZE];
    pt_file_name('w', slot, name);
    int e = pt_file_open(r->env, r->dir, r->sink, name, write ? PEAT_ENV_FILE_WRITE : 0, ret_file);
    return e == 0 ? PEAT_OK : pt_fail_os(r->sink, e, "log %s cannot be opened", name);
}

static peat_rc settle(replay_run *r, pt_file *file, const candidate *c)
{
    const pt_env *env = r->env;
    int e = r->io->read_only ? 0 : env->file_sync(env->ctx, file);
    if (e != 0)
        return pt_fail_os(r->sink, e, "log w-%06" PRIu64 " cannot be synced", c->slot);
    /* advice: where it is not taken, the sync above is what we have */
    (void)env->file_advise(env->ctx, file, 0, 0, PEAT_ENV_ADVISE_DONTNEED);
    (void)env->file_advise(env->ctx, file, 0, 0, PEAT_ENV_ADVISE_SEQUENTIAL);
    return PEAT_OK;
}

static peat_rc read_header(replay_run *r, pt_file *file, candidate *c)
{
    int e = r->env->file_size(r->env->ctx, file, &c->size);
    if (e == 0)
        e = pt_log_header_read(r->env, file, c->size, &c->valid, &c->h, &c->header_damage);
    if (e != 0)
        return pt_fail_os(r->sink, e, "log w-%06" PRIu64 " cannot be read", c->slot);
    c->salt = c->valid ? pt_log_salt(&c->h) : 0;
    return PEAT_OK;
}

/* A power cut may have left one copy, and damage to it must not go on waiting for the other. */
static peat_rc mend_header(replay_run *r, pt_file *file, const candidate *c)
{
    int e = pt_log_header_write(r->env, file, &c->h, c->header_damage);
    if (e == 0)
        e = r->env->file_sync(r->env->ctx, file);
    return e == 0 ? PEAT_OK
                  : pt_fail_os(r->sink, e, "log w-%06" PRIu64 " cannot be mended", c->slot);
}

static bool is_live(const replay_run *r, const candidate *c)
{
    return c->valid && c->h.serial >= r->io->serial_min;
}

/* A header that verifies says what the file must be; see log_segment.c. */
static peat_rc judge_header(replay_run *r, const candidate *c)
{
    if (!is_live(r, c))
        return PEAT_OK;
    if (c->h.store_id != r->io->store_id)
        return damaged(r, c->slot, 0,
                       "expected a segment of store %016" PRIx64 ", found one of %016" PRIx64,
                       r->io->store_id, c->h.store_id);
    if (c->h.serial > PT_STORED_NUMBER_MAX)
        return damaged(r, c->slot, 0, "serial: expected at most %llu, found %" PRIu64,
                       PT_STORED_NUMBER_MAX, c->h.serial);
    if (c->h.slot != c->slot)
        return damaged(r, c->slot, 0, "expected this segment, found a copy of w-%06" PRIu64,
                       c->h.slot);
    if (c->size < c->h.file_bytes)
        return damaged(r, c->slot, c->size,
                       "the file ends here: expected %" PRIu64 " bytes, found %" PRIu64,
                       c->h.file_bytes, c->size);
    return PEAT_OK;
}

static peat_rc examine(replay_run *r, candidate *c)
{
    peat_rc rc = PEAT_OK;
    pt_file *file = NULL;
    TRY(open_slot(r, c->slot, !r->io->read_only, &file));
    TRY(settle(r, file, c));
    TRY(read_header(r, file, c));
    r->io->file_bytes += c->size;
    TRY(judge_header(r, c));
    if (is_live(r, c) && c->header_damage != PT_LOG_NOWHERE && !r->io->read_only)
        TRY(mend_header(r, file, c));
    if (c->valid && c->h.store_id == r->io->store_id)
        r->io->serial_max = pt_max_u64(r->io->serial_max, c->h.serial);
out:
    if (file != NULL)
        r->env->file_close(r->env->ctx, file);
    return rc;
}

/* Live ones first, by serial: insertion, because there are few. */
static void sort_files(replay_run *r)
{
    for (size_t i = 0; i < r->file_count; i++) {
        candidate c = r->files[i];
        size_t at = i;
        if (!is_live(r, &c))
            continue;
        for (; at > 0 && (!is_live(r, &r->files[at - 1]) || r->files[at - 1].h.serial > c.h.serial);
             at--)
            r->files[at] = r->files[at - 1];
        r->files[at] = c;
        r->live_count++;
    }
}

static peat_rc find_segments(replay_run *r)
{
    int e = pt_dir_list(r->env, r->dir, r->sink, list_segments, r);
    if (e != 0)
        return pt_fail_os(r->sink, e, "the store's directory cannot be listed");
    for (size_t i = 0; i < r->file_count; i++) {
        peat_rc rc = examine(r, &r->files[i]);
        if (rc != PEAT_OK)
            return rc;
    }
    sort_files(r);
    return PEAT_OK;
}

/* --- 2. the chain --- */

static const pt_log_segment *recorded_end(const replay_run *r, uint64_t serial)
{
    for (size_t i = 0; i < r->io->end_count; i++)
        if (r->io->ends[i].serial == serial)
            return &r->io->ends[i];
    return NULL;
}

/* Segments whose end was recorded were found by an earlier recovery; they cannot be missing. */
static peat_rc check_recorded(replay_run *r)
{
    for (size_t i = 0; i < r->io->end_count; i++) {
        const pt_log_segment *s = &r->io->ends[i];
        bool found = s->serial < r->io->serial_min;
        for (size_t k = 0; k < r->live_count && !found; k++)
            found = r->files[k].h.serial == s->serial;
        if (!found)
            return damaged(r, s->slot, 0,
                           "expected segment %" PRIu64 " of the log, found no header of it",
                           s->serial);
    }
    return PEAT_OK;
}

static bool continues_chain(const replay_run *r, const candidate *c)
{
    if (r->chain_count == 0)
        return c->h.prev_serial == 0 || c->h.prev_serial < r->io->serial_min;
    const pt_log_segment *last = &r->chain[r->chain_count - 1];
    return c->h.serial > last->serial && c->h.prev_serial == last->serial &&
           c->h.prev_end == last->end && (c->h.prev_salt == 0 || c->h.prev_salt == last->salt);
}

static peat_rc walk_segment(replay_run *r, const candidate *c, pt_file *file)
{
    pt_log_scan *s = &r->scan;
    const pt_log_segment *recorded = recorded_end(r, c->h.serial);
    uint64_t limit = c->h.file_bytes - PT_LOG_SEGMENT_HEADER;
    if (recorded != NULL)
        limit = pt_min_u64(limit, recorded->end);
    if (!pt_grow(r->env, &r->chain, &r->chain_capacity, r->chain_count + 1, sizeof *r->chain))
        return pt_fail(r->sink, PEAT_NOMEM, "no memory to recover the log");

    pt_log_scan_segment(s, file, c->slot, c->h.serial, c->salt, limit);
    if (r->chain_count == 0)
        s->orphans = c->h.prev_serial != 0;
    peat_rc rc = pt_log_scan_run(s);
    if (rc != PEAT_OK)
        return rc;
    if (recorded != NULL && s->at != recorded->end)
        return damaged(r, c->slot, s->at,
                       "expected records up to @%" PRIu64 ", found none here that verifies",
                       recorded->end);
    r->chain[r->chain_count++] = (pt_log_segment){.slot = c->slot,
                                                  .serial = c->h.serial,
                                                  .salt = c->salt,
                                                  .end = s->at,
                                                  .file_bytes = c->h.file_bytes,
                                                  .header_damage = c->header_damage,
                                                  .first_end = s->first_end};
    return PEAT_OK;
}

/* What does not continue the chain is asked for its durable sequences only. */
static peat_rc doubt_segment(replay_run *r, const candidate *c, pt_file *file)
{
    uint64_t limit = c->h.file_bytes - PT_LOG_SEGMENT_HEADER;
    pt_log_scan_segment(&r->scan, file, c->slot, c->h.serial, c->salt, limit);
    if (r->missing_serial == 0)
        r->missing_serial = c->h.prev_serial;
    return pt_log_scan_durable(&r->scan, PT_LOG_SEGMENT_HEADER, limit);
}

static peat_rc walk_file(replay_run *r, const candidate *c)
{
    pt_file *file = NULL;
    peat_rc rc = open_slot(r, c->slot, false, &file);
    if (rc != PEAT_OK)
        return rc;
    r->scan.seq_durable = pt_max_u64(r->scan.seq_durable, c->h.seq_durable);
    rc = continues_chain(r, c) ? walk_segment(r, c, file) : doubt_segment(r, c, file);
    r->env->file_close(r->env->ctx, file);
    return rc;
}

/* --- 3. the end --- */

/* Behind the stop of the last segment of the chain. */
static peat_rc look_behind(replay_run *r, bool recorded)
{
    if (r->chain_count == 0 || recorded || r->scan.sealed)
        return PEAT_OK;
    const pt_log_segment *last = &r->chain[r->chain_count - 1];
    pt_file *file = NULL;
    peat_rc rc = open_slot(r, last->slot, false, &file);
    if (rc != PEAT_OK)
        return rc;
    uint64_t limit = last->file_bytes - PT_LOG_SEGMENT_HEADER;
    pt_log_scan_segment(&r->scan, file, last->slot, last->serial, last->salt, limit);
    rc = pt_log_scan_durable(&r->scan, last->end, limit);
    r->env->file_close(r->env->ctx, file);
    return rc;
}

/* A record whose last fragments are not there never was: the log ends before its first one. Where
 * the manifest has recorded an end, no such record was left. */
static peat_rc cut_pending(replay_run *r)
{
    const pt_log_scan *s = &r->scan;
    if (!s->pending)
        return PEAT_OK;
    while (r->chain[r->chain_count - 1].serial != s->pending_serial)
        r->chain_count--;
    pt_log_segment *last = &r->chain[r->chain_count - 1];
    if (recorded_end(r, last->serial) != NULL)
        return damaged(r, last->slot, s->pending_at,
                       "expected the rest of the record of sequence %" PRIu64
                       ", found no end of it",
                       s->pending_seq);
    last->end = s->pending_at;
    r->scan.torn = true;
    r->scan.sealed = false;
    return PEAT_OK;
}

static peat_rc judge_end(replay_run *r)
{
    uint64_t known = pt_max_u64(r->scan.seq_last, r->io->seq_min);
    uint64_t seq_durable = pt_max_u64(r->scan.seq_durable, r->io->seq_durable);
    if (seq_durable <= known)
        return PEAT_OK;
    if (r->chain_count != 0) {
        const pt_log_segment *last = &r->chain[r->chain_count - 1];
        return damaged(r, last->slot, last->end,
                       "expected records up to sequence %" PRIu64 ", which were synced, found the "
                       "last one at %" PRIu64,
                       seq_durable, r->scan.seq_last);
    }
    if (r->live_count != 0)
        return damaged(r, r->files[0].slot, 0,
                       "expected segment %" PRIu64 " before this one, found no header of it; up to "
                       "sequence %" PRIu64 " the log was synced",
                       r->missing_serial, seq_durable);
    return damaged(r, r->file_count != 0 ? r->files[0].slot : 1, 0,
                   "expected a log, synced up to sequence %" PRIu64
                   ", found no header of a segment",
                   seq_durable);
}

/* The chain is what lives, every other file is dead. */
static peat_rc hand_over(replay_run *r)
{
    pt_log_replay *io = r->io;
    size_t dead_capacity = 0;
    io->live = r->chain;
    io->live_count = r->chain_count;
    r->chain = NULL;
    /* what was never synced may lack a header after a power cut */
    uint64_t seq_durable = pt_max_u64(r->scan.seq_durable, io->seq_durable);
    for (size_t i = 0; i < io->live_count; i++) {
        PT_ASSERT(i == 0 || io->live[i - 1].serial < io->live[i].serial, "I16: serials ascend");
        if (io->live[i].first_end == 0 || seq_durable < io->live[i].first_end)
            io->live[i].header_damage = PT_LOG_NOWHERE;
        io->headers_damaged += io->live[i].header_damage != PT_LOG_NOWHERE;
    }
    for (size_t i = 0; i < r->file_count; i++) {
        const candidate *c = &r->files[i];
        bool lives = false;
        for (size_t k = 0; k < io->live_count; k++)
            lives = lives || io->live[k].slot == c->slot;
        if (lives)
            continue;
        if (!pt_grow(r->env, &io->dead, &dead_capacity, io->dead_count + 1, sizeof *io->dead))
            return pt_fail(r->sink, PEAT_NOMEM, "no memory to recover the log");
        io->dead[io->dead_count++] = (pt_log_segment){
            .slot = c->slot, .serial = c->h.serial, .salt = c->salt, .file_bytes = c->size};
    }
    io->seq_last = r->scan.seq_last;
    io->seq_durable_in_log = r->scan.seq_durable;
    io->sealed = r->scan.sealed;
    if (r->scan.torn && io->live_count > 0)
        io->torn_serial = io->live[io->live_count - 1].serial;
    return PEAT_OK;
}

peat_rc pt_log_replay_run(const pt_env *env, pt_dir *dir, pt_sink *sink, pt_log_replay *io_replay,
                          pt_log_visit_fn visit, void *ctx)
{
    peat_rc rc = PEAT_OK;
    replay_run r = {.env = env, .dir = dir, .sink = sink, .io = io_replay};
    pt_log_scan_init(&r.scan, env, sink, visit, ctx);

    TRY(find_segments(&r));
    TRY(check_recorded(&r));
    for (size_t i = 0; i < r.live_count; i++)
        TRY(walk_file(&r, &r.files[i]));
    bool recorded =
        r.chain_count > 0 && recorded_end(&r, r.chain[r.chain_count - 1].serial) != NULL;
    TRY(look_behind(&r, recorded));
    TRY(cut_pending(&r));
    TRY(judge_end(&r));
    TRY(hand_over(&r));
out:
    pt_log_scan_done(&r.scan);
    pt_free(env, r.files);
    pt_free(env, r.chain);
    if (rc != PEAT_OK)
        pt_log_replay_done(env, io_replay);
    return rc;
}

/* --- again --- */

static peat_rc walk_again(replay_run *r, const pt_log_segment *live)
{
    pt_file *file = NULL;
    peat_rc rc = open_slot(r, live->slot, false, &file);
    if (rc != PEAT_OK)
        return rc;
    pt_log_scan_segment(&r->scan, file, live->slot, live->serial, live->salt, live->end);
    rc = pt_log_scan_run(&r->scan);
    if (rc == PEAT_OK && r->scan.at != live->end)
        rc = damaged(r, live->slot, r->scan.at,
                     "expected records up to @%" PRIu64 ", as a moment ago, found none here",
                     live->end);
    r->env->file_close(r->env->ctx, file);
    return rc;
}

peat_rc pt_log_replay_again(const pt_env *env, pt_dir *dir, pt_sink *sink,
                            const pt_log_replay *replay, uint64_t serial_from,
                            pt_log_visit_fn visit, void *ctx)
{
    peat_rc rc = PEAT_OK;
    replay_run r = {.env = env, .dir = dir, .sink = sink};
    pt_log_scan_init(&r.scan, env, sink, visit, ctx);
    r.scan.orphans = true;
    for (size_t i = 0; i < replay->live_count && rc == PEAT_OK; i++)
        if (replay->live[i].serial >= serial_from)
            rc = walk_again(&r, &replay->live[i]);
    pt_log_scan_done(&r.scan);
    return rc;
}

void pt_log_replay_done(const pt_env *env, pt_log_replay *replay)
{
    pt_free(env, replay->live);
    pt_free(env, replay->dead);
    replay->live = replay->dead = NULL;
    replay->live_count = replay->dead_count = 0;
}
