/* SPDX-License-Identifier: MIT */
/*
 * repair_read.c - what a damaged store has: see repair.h. Nothing is written to it.
 *
 * Whatever tells an error of the damaged store's own sink is damage and is reported; only what
 * would fail the repair of any store (memory, the caller, a format from the future) is returned.
 */
#include "repair/repair.h"

#include <errno.h>

#include "base/file_name.h"
#include "entry/batch.h"
#include "env/fd_reclaim.h"
#include "repair/log_salvage.h"
#include "repair/manifest_guess.h"

static void report_damage(void *ctx, const char *file, uint64_t offset, const char *text)
{
    pt_repair *r = (pt_repair *)ctx;
    r->report.damages++;
    peat_damage d = {.size = sizeof d, .file = file, .offset = offset, .message = text};
    if (r->options->damage_fn != NULL && !r->cancelled)
        r->cancelled = !r->options->damage_fn(r->options->ctx, &d);
}

static void report_sink(pt_repair *r, const char *otherwise)
{
    peat_error e;
    pt_spot spot;
    pt_sink_place(&r->sink, &spot, &e);
    report_damage(r, spot.file[0] != '\0' ? spot.file : otherwise, spot.offset, e.message);
}

bool pt_repair_go_on(pt_repair *r, const char *phase)
{
    const peat_progress *p = r->options->progress;
    if (p != NULL && p->fn != NULL && !p->fn(p->ctx, phase, r->bytes_done, r->bytes_total))
        r->cancelled = true;
    return !r->cancelled;
}

/* ---- tables ---- */

static peat_rc add_table(pt_repair *r, const pt_table_meta *meta)
{
    if (!pt_grow(r->env, &r->tables, &r->table_capacity, r->table_count + 1, sizeof *r->tables))
        return PEAT_NOMEM;
    pt_table *table;
    peat_rc rc = pt_table_new(r->env, r->dir, &r->sink, &r->epoch, meta, &table);
    if (rc != PEAT_OK)
        return rc;
    pt_table_join(table, &r->open_tables.files);
    r->bytes_total += meta->file_bytes;
    r->tables[r->table_count++] =
        (pt_repair_table){.table = table, .meta = pt_table_get_meta(table)};
    return PEAT_OK;
}

peat_rc pt_repair_look(pt_repair *r, pt_repair_table *t)
{
    if (t->salvage != NULL)
        return PEAT_OK;
    peat_rc rc = pt_table_check(t->table, report_damage, r, NULL);
    if (rc != PEAT_OK && rc != PEAT_CORRUPT && rc != PEAT_IO)
        return rc;
    if (rc == PEAT_IO)
        report_sink(r, "a table");
    rc = pt_salvage_new(r->env, t->table, &t->salvage);
    if (rc != PEAT_OK)
        return rc;
    uint64_t readable = t->salvage->entries;
    r->report.lost_table_entries += t->meta->entries > readable ? t->meta->entries - readable : 0;
    r->bytes_done += t->meta->file_bytes;
    return PEAT_OK;
}

void pt_repair_let_go(pt_repair_table *t)
{
    pt_salvage_free(t->salvage);
    t->salvage = NULL;
}

/* ---- tables without a manifest: by their footers ---- */

typedef struct listing {
    pt_repair *r;
    bool guessed; /* the manifest is there */
    peat_rc rc;
} listing;

/* Newer tables hold higher sequences; of a merge and its inputs the merge is the later edit. */
static bool is_newer(const pt_table_meta *a, const pt_table_meta *b)
{
    return a->seq_max != b->seq_max ? a->seq_max > b->seq_max : a->created_edit > b->created_edit;
}

static void sort_last(pt_repair *r)
{
    for (size_t i = r->table_count - 1; i > 0 && is_newer(r->tables[i].meta, r->tables[i - 1].meta);
         i--) {
        pt_repair_table t = r->tables[i];
        r->tables[i] = r->tables[i - 1];
        r->tables[i - 1] = t;
    }
}

static peat_rc read_footer(pt_repair *r, const char *name, pt_bytes *bytes, pt_table_meta *ret)
{
    pt_file *file = NULL;
    int e = pt_file_open(r->env, r->dir, &r->sink, name, 0, &file);
    if (e != 0)
        return PEAT_IO;
    peat_rc rc = pt_salvage_footer_read(r->env, file, bytes, ret);
    r->env->file_close(r->env->ctx, file);
    return rc;
}

static peat_rc take_table(pt_repair *r, const char *name, uint64_t number, peat_rc rc,
                          const pt_table_meta *meta)
{
    if (rc == PEAT_OK && r->superblock.store_id == 0)
        r->superblock.store_id = meta->store_id; /* of the first: all else is lost */
    if (rc == PEAT_OK && (meta->file_number != number || meta->store_id != r->superblock.store_id))
        rc = PEAT_CORRUPT;
    if (rc == PEAT_VERSION)
        return pt_fail(&r->sink, rc,
                       "%s verifies and has a version, or a form of blocks, that this library does "
                       "not know",
                       name);
    if (rc == PEAT_CORRUPT || rc == PEAT_IO) {
        report_damage(r, name, 0, "without a manifest nothing is known of this table");
        return PEAT_OK;
    }
    if (rc == PEAT_OK)
        rc = add_table(r, meta);
    if (rc == PEAT_OK)
        sort_last(r);
    return rc;
}

/* A table that is newer than the manifest that was guessed shows that it is not the last one. */
static peat_rc refute_guess(pt_repair *r, uint64_t number, peat_rc rc, const pt_table_meta *meta)
{
    bool newer = rc == PEAT_OK && pt_version_set_table(&r->version_set, number) == NULL &&
                 meta->store_id == r->superblock.store_id &&
                 meta->created_edit > r->version_set.state.edit_number;
    return newer ? PEAT_CORRUPT : PEAT_OK;
}

static int visit_table(void *arg, const char *name, bool regular_file, uint64_t size)
{
    listing *l = (listing *)arg;
    uint64_t number;
    pt_table_meta meta;
    pt_bytes bytes;
    (void)size;
    if (!regular_file || !pt_file_name_parse(name, 't', &number) || l->rc != PEAT_OK)
        return 0;
    pt_bytes_init(&bytes, l->r->env);
    peat_rc rc = read_footer(l->r, name, &bytes, &meta);
    l->rc = l->guessed ? refute_guess(l->r, number, rc, &meta)
                       : take_table(l->r, name, number, rc, &meta);
    pt_bytes_done(&bytes);
    return 0;
}

static peat_rc tables_by_footers(pt_repair *r)
{
    listing l = {.r = r};
    int e = pt_dir_list(r->env, r->dir, &r->sink, visit_table, &l);
    if (e != 0)
        return pt_fail_os(&r->sink, e, "listing the store's directory");
    for (size_t i = 0; i < r->table_count; i++)
        r->seq_flushed = pt_max_u64(r->seq_flushed, r->tables[i].meta->seq_max);
    return l.rc;
}

static peat_rc read_version_set(pt_repair *r)
{
    bool guessed = false;
    listing l = {.r = r, .guessed = true};
    peat_rc rc = pt_manifest_guess(&r->version_set, &r->open_tables, &r->superblock, &guessed);
    if (guessed)
        report_damage(r, PT_SUPERBLOCK_NAME, 0, "the superblock is missing or does not verify");
    if (rc == PEAT_CORRUPT || rc == PEAT_IO)
        report_sink(r, "the manifest");
    else if (rc != PEAT_OK)
        return rc;
    if (rc == PEAT_OK && guessed && pt_dir_list(r->env, r->dir, &r->sink, visit_table, &l) != 0)
        l.rc = PEAT_IO;
    r->trusted = rc == PEAT_OK && l.rc == PEAT_OK;
    r->report.manifest_lost = !r->trusted;
    if (!r->trusted)
        return tables_by_footers(r);
    r->seq_flushed = r->version_set.state.seq_flushed;
    rc = PEAT_OK;
    for (size_t i = 0; i < r->version_set.table_count && rc == PEAT_OK; i++)
        rc = add_table(r, r->version_set.tables[i]->meta);
    return rc;
}

/* ---- the log ---- */

typedef struct log_reader {
    pt_repair *r;
    uint64_t count, key_bytes, value_bytes;
} log_reader;

/* Sizes at first, then entries. A record whose operations make no sense was written so. */
static peat_rc visit_record(void *ctx, const pt_log_record *record)
{
    log_reader *l = (log_reader *)ctx;
    pt_cursor ops = pt_cursor_of(record->payload.data, record->payload.size);
    uint64_t seq = record->first_seq;
    pt_entry e;
    if (record->count == 0 || record->first_seq + record->count - 1 <= l->r->seq_flushed)
        return PEAT_OK;
    while (pt_op_next(&ops, &e) == PEAT_OK) {
        e.seq = seq++;
        l->count++;
        l->key_bytes += e.key.size;
        l->value_bytes += e.value.size;
        if (l->r->log != NULL)
            pt_memtable_add(l->r->log, &e);
    }
    return PEAT_OK;
}

static peat_rc scan_log(pt_repair *r, log_reader *l, bool report)
{
    const pt_state *state = &r->version_set.state;
    pt_log_salvage s = {.store_id = r->superblock.store_id,
                        .open_count = r->superblock.open_count,
                        .serial_min = r->trusted ? state->log_serial_min : 0,
                        .seq_min = r->seq_flushed,
                        .seq_durable = r->trusted ? state->seq_durable : 0,
                        .ends = r->version_set.log_ends,
                        .end_count = r->trusted ? r->version_set.log_end_count : 0,
                        .visit = visit_record,
                        .visit_ctx = l};
    peat_rc rc = pt_log_salvage_run(r->env, r->dir, &r->sink, &s, report ? report_damage : NULL, r);
    r->report.lost_log_operations = s.lost;
    return rc;
}

static peat_rc read_log(pt_repair *r)
{
    log_reader sizes = {.r = r}, entries = {.r = r};
    peat_rc rc = scan_log(r, &sizes, true);
    if (rc != PEAT_OK)
        return rc;
    size_t capacity = pt_memtable_capacity_for(sizes.count, sizes.key_bytes, sizes.value_bytes);
    capacity = (size_t)pt_max_u64(capacity, (uint64_t)64 << 10);
    rc = pt_memtable_new(r->env, capacity, &r->log);
    if (rc != PEAT_OK)
        return pt_fail(&r->sink, PEAT_NOMEM, "no memory for the records of the log");
    bool fits = pt_memtable_reserve(r->log, sizes.count, sizes.key_bytes, sizes.value_bytes);
    PT_ASSERT(fits, "pt_memtable_capacity_for is enough");
    return scan_log(r, &entries, false);
}

/* ---- all of it ---- */

static peat_rc open_directory(pt_repair *r, const char *dir)
{
    int64_t pid = 0;
    int e = r->env->dir_open(r->env->ctx, dir, 0, &r->dir);
    if (e == ENOENT)
        return pt_fail(&r->sink, PEAT_NOT_FOUND, "there is nothing here");
    if (e == ENOTDIR)
        return pt_fail(&r->sink, PEAT_NOT_STORE, "not a directory, so not a store");
    if (e == 0)
        e = r->env->dir_lock(r->env->ctx, r->dir, "LOCK", true, &r->lock, &pid);
    if (e == 0 || e == ENOENT)
        return PEAT_OK;
    if (e == EWOULDBLOCK || e == EAGAIN)
        return pt_fail(&r->sink, PEAT_BUSY, "the store is open in process %" PRId64, pid);
    return pt_fail_os(&r->sink, e, "opening the directory");
}

static int add_file(void *arg, const char *name, bool regular_file, uint64_t size)
{
    if (regular_file && (pt_file_name_is_store(name) || strcmp(name, PT_SUPERBLOCK_NAME) == 0))
        *(uint64_t *)arg += pt_hash(name, strlen(name)) ^ size;
    return 0;
}

uint64_t pt_repair_files(const pt_env *env, const char *path)
{
    pt_dir *dir = NULL;
    uint64_t sum = 0;
    if (env->dir_open(env->ctx, path, 0, &dir) != 0)
        return 0;
    (void)env->dir_list(env->ctx, dir, add_file, &sum); /* none, when it fails */
    env->dir_close(env->ctx, dir);
    return sum;
}

/* The cache is never filled; tables need one. */
#define CACHE_BYTES ((size_t)1 << 20)

peat_rc pt_repair_open(pt_repair *r, const char *dir, const pt_env *env,
                       const peat_repair_options *options)
{
    peat_rc rc = PEAT_OK;
    memset(r, 0, sizeof *r);
    r->env = env;
    r->options = options;
    pt_sink_init(&r->sink);
    pt_epoch_init(&r->epoch);
    TRY(open_directory(r, dir));
    TRY(pt_cache_new(env, &r->epoch, CACHE_BYTES, &r->cache));
    pt_open_tables_init(&r->open_tables, env, r->dir, &r->sink, &r->epoch, r->cache);
    pt_open_tables_stop_removing(&r->open_tables);
    r->files = pt_repair_files(env, dir);
    if (r->files == 0)
        TRY(pt_fail(&r->sink, PEAT_NOT_STORE, "there is no file of a store here"));
    TRY(read_version_set(r));
    TRY(read_log(r));
out:
    return rc;
}

void pt_repair_close(pt_repair *r)
{
    const pt_env *env = r->env;
    for (size_t i = 0; i < r->table_count; i++) {
        pt_repair_let_go(&r->tables[i]);
        pt_table_free(r->tables[i].table);
    }
    pt_free(env, r->tables);
    pt_memtable_unref(r->log);
    pt_version_set_done(&r->version_set);
    pt_open_tables_done(&r->open_tables);
    pt_epoch_done(&r->epoch);
    if (r->cache != NULL)
        pt_cache_free(r->cache);
    if (r->lock != NULL)
        env->dir_unlock(env->ctx, r->lock);
    if (r->dir != NULL)
        env->dir_close(env->ctx, r->dir);
    pt_sink_done(&r->sink);
}
