/* SPDX-License-Identifier: MIT */
/*
 * check.c - see check.h. Three kinds of files: the manifest and superblock are read again as an
 * open would, so are the log's segments, and every table is verified block by block past the cache.
 */
#include "db/check.h"
#include "base/file_name.h"
#include "db/recover.h"
#include "env/fd_reclaim.h"

#include <errno.h>
#include <stdio.h>

typedef struct checking {
    pt_store *s;
    const peat_check_options *options;
    peat_check_report report;
    bool cancelled;
} checking;

static void damage(checking *c, const char *file, uint64_t offset, const char *text)
{
    c->report.damages++;
    peat_damage d = {.size = sizeof d, .file = file, .offset = offset, .message = text};
    if (c->options->damage_fn != NULL && !c->cancelled)
        c->cancelled = !c->options->damage_fn(c->options->damage_ctx, &d);
}

static void table_damage(void *ctx, const char *file, uint64_t offset, const char *text)
{
    damage((checking *)ctx, file, offset, text);
}

static bool go_on(checking *c, uint64_t done, uint64_t total)
{
    const peat_progress *p = c->options->progress;
    if (p != NULL && p->fn != NULL && !p->fn(p->ctx, "checking", done, total))
        c->cancelled = true;
    return !c->cancelled;
}

static peat_rc ignore_payload(void *ctx, pt_slice payload)
{
    ((checking *)ctx)->report.bytes += payload.size;
    return PEAT_OK;
}

static peat_rc ignore_record(void *ctx, const pt_log_record *record)
{
    ((checking *)ctx)->report.bytes += record->payload.size;
    return PEAT_OK;
}

/* What a reader of the manifest or log found goes to a sink of its own: it is this check's finding,
 * not a new trouble of the store. */
static peat_rc report_sink(checking *c, peat_rc rc, pt_sink *sink, const char *file)
{
    /* not found: the superblock is gone, and there is nothing that an open would miss it for */
    if (rc != PEAT_CORRUPT && rc != PEAT_VERSION && rc != PEAT_NOT_STORE && rc != PEAT_NOT_FOUND)
        return rc;
    peat_error e;
    pt_spot place;
    pt_sink_place(sink, &place, &e);
    damage(c, place.file[0] != '\0' ? place.file : file, place.offset, e.message);
    return PEAT_OK;
}

/* One damaged slot costs nothing, and a writer mends it; but a disk that damaged it may go on. A
 * store that was just made has only one, and one whose writes have failed may have written half of
 * one. */
static void check_slots(checking *c, const pt_superblock *b)
{
    if (pt_sink_write_failure(&c->s->sink) != PEAT_OK)
        return;
    for (unsigned i = 0; i < PT_SUPERBLOCK_SLOTS; i++)
        if ((b->damaged_slots >> i & 1) != 0 && b->generation > 1)
            damage(c, PT_SUPERBLOCK_NAME, i * PT_SUPERBLOCK_SLOT_BYTES,
                   "expected a slot that verifies, found none here; the other one is used, and the "
                   "next open for writing mends this one");
}

/* The running store knows them from its open and from what was written since. */
static void check_features(checking *c, const pt_superblock *b)
{
    uint32_t known = pt_manifest_superblock(c->s->version_set.manifest)->features;
    if (pt_sink_write_failure(&c->s->sink) == PEAT_OK && b->features != known)
        damage(c, PT_SUPERBLOCK_NAME, 0,
               "expected the names of all features that the store uses, found others");
}

static peat_rc check_manifest(checking *c)
{
    pt_store *s = c->s;
    pt_sink sink;
    pt_manifest *m = NULL;
    pt_sink_init(&sink);
    sink.fd_reclaim = s->sink.fd_reclaim;
    pt_mutex_lock(&s->install_mu); /* it is not being written meanwhile */
    peat_rc rc = pt_manifest_open(s->env, s->dir, &sink, ignore_payload, c, &m);
    if (rc == PEAT_OK)
        check_features(c, pt_manifest_superblock(m));
    pt_mutex_unlock(&s->install_mu);
    if (rc == PEAT_OK)
        check_slots(c, pt_manifest_superblock(m));
    rc = report_sink(c, rc, &sink, PT_SUPERBLOCK_NAME);
    pt_manifest_free(m);
    pt_sink_done(&sink);
    c->report.files += 2;
    return rc;
}

/* The log while it is being written: what a reader takes for damage may be a record, or a header,
 * on its way to the file. No segment is let go meanwhile. */
static peat_rc read_log(checking *c, pt_sink *sink, pt_log_replay *ret_replay)
{
    pt_mutex_lock(&c->s->install_mu);
    peat_rc rc = pt_recover_replay(c->s, sink, true, ignore_record, c, ret_replay);
    pt_mutex_unlock(&c->s->install_mu);
    return rc;
}

/* The same while nothing is appended and all that was is in the files: writers wait. */
static peat_rc read_still_log(checking *c, pt_sink *sink, pt_log_replay *ret_replay)
{
    pt_store *s = c->s;
    pt_mutex_lock(&s->commit_mu);
    peat_rc rc = s->log != NULL ? pt_log_write(s->log, pt_log_position(s->log)) : PEAT_OK;
    if (rc == PEAT_OK)
        rc = read_log(c, sink, ret_replay);
    pt_mutex_unlock(&s->commit_mu);
    return rc;
}

/* As with the superblock: one damaged copy of a header costs nothing, yet. */
static void check_headers(checking *c, const pt_log_replay *replay)
{
    for (size_t i = 0; i < replay->live_count; i++) {
        const pt_log_segment *l = &replay->live[i];
        char name[PT_FILE_NAME_SIZE];
        pt_file_name('w', l->slot, name);
        if (l->header_damage != PT_LOG_NOWHERE)
            damage(c, name, l->header_damage,
                   "expected a copy of the segment's header, found none that verifies; the other "
                   "one is used, and the next open for writing mends this one");
    }
}

static peat_rc check_log(checking *c)
{
    pt_sink sink;
    pt_log_replay replay = {0};
    uint64_t bytes = c->report.bytes;
    pt_sink_init(&sink);
    sink.fd_reclaim = c->s->sink.fd_reclaim;
    peat_rc rc = read_log(c, &sink, &replay);
    if ((rc != PEAT_OK && rc != PEAT_NOMEM) || replay.headers_damaged != 0) {
        pt_sink_forget(&sink);
        c->report.bytes = bytes;
        pt_log_replay_done(c->s->env, &replay);
        rc = read_still_log(c, &sink, &replay);
    }
    c->report.files += replay.live_count;
    rc = report_sink(c, rc, &sink, "log");
    check_headers(c, &replay);
    pt_log_replay_done(c->s->env, &replay);
    pt_sink_done(&sink);
    return rc;
}

/* References on all tables of the state. */
static peat_rc collect_tables(pt_store *s, pt_table_ref ***ret_tables, size_t *ret_count)
{
    pt_mutex_lock(&s->install_mu);
    size_t n = s->version_set.table_count;
    pt_table_ref **tables = (pt_table_ref **)pt_alloc(s->env, n * sizeof(pt_table_ref *));
    for (size_t i = 0; tables != NULL && i < n; i++)
        tables[i] = pt_table_ref_retain(s->version_set.tables[i]);
    pt_mutex_unlock(&s->install_mu);
    *ret_tables = tables;
    *ret_count = n;
    return tables != NULL ? PEAT_OK : PEAT_NOMEM;
}

/* The newest error says why; another thread's may have come in between, and is as true. Whoever may
 * not read a file, or has no descriptor for it, has found nothing about it. */
static peat_rc unreadable(checking *c, const char *file)
{
    peat_error e;
    pt_spot place;
    char text[sizeof e.message + 20];
    pt_sink_place(&c->s->sink, &place, &e);
    if (e.os_errno == EACCES || e.os_errno == EPERM || pt_out_of_files(e.os_errno))
        return PEAT_IO;
    (void)snprintf(text, sizeof text, "cannot be read: %s", e.message);
    damage(c, file, 0, text);
    return PEAT_OK;
}

static void damage_sequences(checking *c, const char *file, uint64_t seq)
{
    char text[100];
    (void)snprintf(text, sizeof text, "sequences: expected up to %" PRIu64 ", found %" PRIu64,
                   atomic_load(&c->s->published.seq), seq);
    damage(c, file, 0, text);
}

static peat_rc check_table(checking *c, pt_table_ref *t)
{
    uint64_t bytes = 0, before = c->report.damages;
    char name[PT_TABLE_NAME_SIZE];
    peat_rc rc = pt_table_check(t->table, table_damage, c, &bytes);
    pt_table_name(t->meta->file_number, name);
    if (rc == PEAT_IO)
        rc = unreadable(c, name);
    if (t->meta->seq_max > atomic_load(&c->s->published.seq))
        damage_sequences(c, name, t->meta->seq_max);
    c->report.files++;
    c->report.bytes += bytes;
    c->report.blocks += t->meta->block_count;
    c->report.entries += t->meta->entries;
    if (c->report.damages != before)
        atomic_fetch_add(&t->damages, (unsigned)(c->report.damages - before));
    return rc == PEAT_CORRUPT ? PEAT_OK : rc;
}

static peat_rc check_tables(checking *c)
{
    pt_table_ref **tables;
    size_t count;
    uint64_t done = 0, total = 0;
    peat_rc rc = collect_tables(c->s, &tables, &count);
    if (rc != PEAT_OK)
        return rc;
    for (size_t i = 0; i < count; i++)
        total += tables[i]->meta->file_bytes;
    for (size_t i = 0; i < count && rc == PEAT_OK && go_on(c, done, total); i++) {
        rc = check_table(c, tables[i]);
        done += tables[i]->meta->file_bytes;
    }
    for (size_t i = 0; i < count; i++)
        pt_table_ref_release(tables[i]);
    pt_free(c->s->env, tables);
    return rc;
}

peat_rc pt_check_store(pt_store *s, const peat_check_options *options,
                       peat_check_report *ret_report)
{
    checking c = {.s = s, .options = options};
    if (!pt_store_call_begin(s))
        return PEAT_CLOSED;
    peat_rc rc = check_manifest(&c);
    if (rc == PEAT_OK && !c.cancelled)
        rc = check_log(&c);
    if (rc == PEAT_OK && !c.cancelled)
        rc = check_tables(&c);
    pt_open_tables_sweep(&s->open_tables);
    atomic_fetch_add(&s->damages, c.report.damages);
    pt_store_call_end(s);
    *ret_report = c.report;
    if (rc == PEAT_OK && c.cancelled)
        return PEAT_CANCELLED;
    return rc == PEAT_OK && c.report.damages != 0 ? PEAT_CORRUPT : rc;
}
