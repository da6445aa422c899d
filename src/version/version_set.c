/* SPDX-License-Identifier: MIT */
/*
 * version_set.c - see version_set.h. An edit goes in four steps:
 *   1  builder: the next version is built beside the current one (may fail, nothing has changed)
 *   2  append: the manifest makes the edit durable (may fail, nothing has changed in memory); what
 *      its tables need of a reader is named in the superblock before
 *   3  swap: the builder becomes the current version (cannot fail)
 *   4  mark_dead: tables without a layer are marked dead and let go
 */
#include "version/version_set.h"

#include "base/file_name.h"
#include "version/feature.h"
#include "version/version_builder.h"

pt_table_ref *pt_version_set_table(const pt_version_set *c, uint64_t file_number)
{
    return pt_table_ref_find(c->tables, c->table_count, file_number);
}

static void take_tables(pt_version_builder *d, pt_version_set *c)
{
    for (size_t i = 0; i < d->added_count; i++) {
        size_t at = pt_table_ref_rank(c->tables, c->table_count, d->added[i]->meta->file_number);
        PT_ASSERT(c->table_count < c->table_capacity, "room was made before the edit was durable");
        PT_ASSERT(at == c->table_count ||
                      c->tables[at]->meta->file_number != d->added[i]->meta->file_number,
                  "I11: a table file is added once");
        memmove(c->tables + at + 1, c->tables + at, (c->table_count - at) * sizeof *c->tables);
        c->tables[at] = d->added[i];
        c->table_count++;
    }
    d->added_count = 0;
}

static void swap_log_ends(pt_version_builder *d, pt_version_set *c)
{
    if (!d->has_log_ends)
        return;
    pt_free(c->env, c->log_ends);
    c->log_ends = d->log_ends;
    c->log_end_count = d->log_end_count;
    d->log_ends = NULL;
}

static void count_layers(const pt_layer *layers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        layers[i].table_ref->layers++;
        layers[i].table_ref->live_sum += layers[i].bytes;
    }
}

/* A table that no layer names any more. While the history is replayed its file has gone long ago,
 * or is an orphan, which is looked for by itself. */
static void let_go(pt_table_ref *t, bool replayed)
{
    PT_ASSERT(!atomic_load(&t->dead), "I11: a table is let go once");
    if (!replayed) {
        atomic_fetch_add_explicit(&t->open_tables->dead_bytes, t->meta->file_bytes,
                                  memory_order_relaxed);
        atomic_store(&t->dead, true);
    }
    pt_table_ref_release(t);
}

/* Step 4; also the size a snapshot of the state would have, roughly. */
static void mark_dead(pt_version_set *c, bool replayed)
{
    size_t kept = 0, layers = 0;
    for (size_t i = 0; i < c->table_count; i++)
        c->tables[i]->layers = c->tables[i]->live_sum = 0;
    for (size_t i = 0; i < c->version->count; i++) {
        pt_partition *p = c->version->partitions[i];
        count_layers(p->runs, p->run_count);
        count_layers(p->bottom, p->bottom_count);
        layers += p->run_count + p->bottom_count;
    }
    for (size_t i = 0; i < c->table_count; i++) {
        pt_table_ref *t = c->tables[i];
        if (t->layers != 0) {
            atomic_store_explicit(&t->live_bytes, t->live_sum, memory_order_relaxed);
            c->tables[kept++] = t;
            continue;
        }
        let_go(t, replayed);
    }
    c->table_count = kept;
    c->live_bytes = kept * 200 + layers * 16 + c->version->count * 48;
}

/* Step 3 and 4. */
static void install(pt_version_builder *d, pt_version_set *c, pt_version *version, bool replayed)
{
    PT_ASSERT(version != c->version, "I15: an edit is tried on a copy");
    pt_version *old = c->version;
    c->version = version;
    c->state = d->state;
    swap_log_ends(d, c);
    take_tables(d, c);
    mark_dead(c, replayed);
    pt_version_unref(old);
}

/* What later opens and other threads rely on never to come again. */
static void check_progress(const pt_state *was, const pt_state *next)
{
    PT_ASSERT(next->edit_number == was->edit_number + 1, "I15: edits are numbered one by one");
    PT_ASSERT(next->seq_flushed >= was->seq_flushed, "I17: what is in tables stays in tables");
    PT_ASSERT(next->log_serial_min >= was->log_serial_min,
              "I16: a segment that was dropped is not live again");
    PT_ASSERT(next->file_next >= was->file_next, "I15: no file number is given twice");
    PT_ASSERT(next->partition_next >= was->partition_next,
              "I15: no partition number is given twice");
}

static uint32_t features_of(pt_table_ref *const *tables, size_t count)
{
    uint32_t features = 0;
    for (size_t i = 0; i < count; i++)
        features |= pt_feature_of_table(tables[i]->meta);
    return features;
}

static uint32_t named_features(const pt_version_set *c)
{
    return pt_manifest_superblock(c->manifest)->features;
}

peat_rc pt_version_set_commit(pt_version_set *c, pt_bytes *io_edit, const pt_state *state)
{
    peat_rc rc = PEAT_OK;
    pt_version_builder d;
    pt_version *version = NULL;
    pt_state next = *state;
    pt_version_builder_init(&d, c->open_tables, &c->state);
    next.edit_number = c->state.edit_number + 1;
    TRY(pt_edit_state(io_edit, &next));
    pt_slice payload = pt_slice_of(io_edit->data, io_edit->size);
    TRY(pt_version_builder_begin(&d, c->version, c->tables, c->table_count));
    TRY(pt_version_builder_apply(&d, payload));
    TRY(pt_version_builder_finish(&d, &version)); /* 1 */
    check_progress(&c->state, &d.state);
    bool room = pt_grow(c->env, &c->tables, &c->table_capacity, c->table_count + d.added_count,
                        sizeof(pt_table_ref *));
    TRY(room ? PEAT_OK : PEAT_NOMEM);
    TRY(pt_manifest_raise(c->manifest, features_of(d.added, d.added_count)));
    PT_ASSERT((features_of(d.added, d.added_count) & ~named_features(c)) == 0,
              "I23: what a table needs is named before the edit that brings it");
    TRY(pt_manifest_append(c->manifest, payload)); /* 2 */
    install(&d, c, version, false);                /* 3, 4 */
    version = NULL;
out:
    pt_version_unref(version);
    pt_version_builder_done(&d);
    return rc;
}

static peat_rc snapshot(pt_version_set *c, pt_bytes *out)
{
    peat_rc rc = PEAT_OK;
    for (size_t i = 0; i < c->table_count; i++)
        TRY(pt_edit_add_table(out, c->tables[i]->meta));
    for (size_t i = 0; i < c->version->count; i++) {
        const pt_partition *p = c->version->partitions[i];
        TRY(pt_edit_add_partition(out, p->id, p->lower, p->runs, p->run_count, p->bottom,
                                  p->bottom_count));
    }
    TRY(pt_edit_log_ends(out, c->log_ends, c->log_end_count));
    TRY(pt_edit_state(out, &c->state));
out:
    return rc;
}

peat_rc pt_version_set_tidy(pt_version_set *c, uint64_t manifest_bytes_min)
{
    peat_rc rc = PEAT_OK;
    pt_bytes b;
    if (!pt_manifest_wants_rewrite(c->manifest, c->live_bytes, manifest_bytes_min))
        return PEAT_OK;
    pt_bytes_init(&b, c->env);
    TRY(snapshot(c, &b));
    TRY(pt_manifest_rewrite(c->manifest, pt_bytes_slice(&b)));
out:
    pt_bytes_done(&b);
    return rc;
}

static void version_set_init(pt_version_set *c, pt_open_tables *open_tables)
{
    *c = (pt_version_set){.env = open_tables->env,
                          .dir = open_tables->dir,
                          .sink = open_tables->sink,
                          .open_tables = open_tables};
}

typedef struct opening {
    pt_version_set *c;
    pt_version_builder d;
} opening;

static void opening_init(opening *o, pt_version_set *c, pt_open_tables *open_tables)
{
    version_set_init(c, open_tables);
    o->c = c;
    pt_version_builder_init(&o->d, open_tables, &c->state);
}

static peat_rc visit_edit(void *ctx, pt_slice payload)
{
    opening *o = (opening *)ctx;
    peat_rc rc = pt_version_builder_apply(&o->d, payload);
    o->c->state = o->d.state; /* for the texts of later failures */
    return rc;
}

static peat_rc adopt(opening *o)
{
    pt_version_set *c = o->c;
    pt_version *version = NULL;
    peat_rc rc = pt_version_builder_finish(&o->d, &version);
    if (rc != PEAT_OK)
        return rc;
    if (!pt_grow(c->env, &c->tables, &c->table_capacity, o->d.added_count,
                 sizeof(pt_table_ref *))) {
        pt_version_unref(version);
        return PEAT_NOMEM;
    }
    install(&o->d, c, version, true);
    (void)pt_open_tables_sweep(c->open_tables); /* their memory; the count is of no interest */
    return PEAT_OK;
}

peat_rc pt_version_set_create(pt_version_set *c, pt_open_tables *open_tables, uint64_t store_id,
                              uint32_t app_id, bool unfinished)
{
    peat_rc rc = PEAT_OK;
    pt_bytes first;
    opening o;
    pt_state begin = {.log_serial_min = 1,
                      .file_next = 1,
                      .partition_next = 2,
                      .edit_number = 1,
                      .unfinished = unfinished};
    opening_init(&o, c, open_tables);
    pt_bytes_init(&first, c->env);
    TRY(pt_edit_add_partition(&first, 1, (pt_slice){0}, NULL, 0, NULL, 0));
    TRY(pt_edit_state(&first, &begin));
    pt_slice payload = pt_bytes_slice(&first);
    TRY(visit_edit(&o, payload));
    TRY(adopt(&o));
    TRY(pt_manifest_create(c->env, c->dir, c->sink, store_id, app_id, payload, &c->manifest));
out:
    pt_version_builder_done(&o.d);
    pt_bytes_done(&first);
    return rc;
}

typedef struct listing {
    pt_version_set *c;
    bool *seen; /* per table */
    uint64_t *orphans;
    size_t orphan_count, orphan_capacity;
    bool collect; /* orphans are collected */
    peat_rc rc;
} listing;

static int visit_name(void *arg, const char *name, bool regular_file, uint64_t size)
{
    listing *l = (listing *)arg;
    uint64_t number;
    if (!regular_file || !pt_file_name_parse(name, 't', &number))
        return 0;
    size_t i = pt_table_ref_rank(l->c->tables, l->c->table_count, number);
    if (i < l->c->table_count && l->c->tables[i]->meta->file_number == number) {
        uint64_t expected = l->c->tables[i]->meta->file_bytes;
        if (l->seen != NULL)
            l->seen[i] = true;
        if (size != expected && !l->collect)
            l->rc = pt_fail_at(l->c->sink, PEAT_CORRUPT, name, pt_min_u64(size, expected),
                               "the table's size: expected %" PRIu64 ", found %" PRIu64, expected,
                               size);
        return 0;
    }
    if (l->collect && pt_grow(l->c->env, &l->orphans, &l->orphan_capacity, l->orphan_count + 1,
                              sizeof *l->orphans))
        l->orphans[l->orphan_count++] = number;
    return 0;
}

static peat_rc list_tables(listing *l)
{
    int e = l->c->env->dir_list(l->c->env->ctx, l->c->dir, visit_name, l);
    return e != 0 ? pt_fail_os(l->c->sink, e, "listing the store's directory") : l->rc;
}

static peat_rc compare_files(pt_version_set *c)
{
    listing l = {.c = c};
    l.seen = (bool *)pt_alloc_zero(c->env, c->table_count * sizeof *l.seen);
    if (l.seen == NULL)
        return PEAT_NOMEM;
    peat_rc rc = list_tables(&l);
    for (size_t i = 0; rc == PEAT_OK && i < c->table_count; i++) {
        char name[PT_TABLE_NAME_SIZE];
        pt_table_name(c->tables[i]->meta->file_number, name);
        if (!l.seen[i])
            rc = pt_fail_at(c->sink, PEAT_CORRUPT, name, 0,
                            "the table: expected %" PRIu64 " bytes, found no file",
                            c->tables[i]->meta->file_bytes);
    }
    pt_free(c->env, l.seen);
    return rc;
}

/* A table that needs what the superblock does not name would be misread by who goes by that. */
static peat_rc compare_features(pt_version_set *c)
{
    for (size_t i = 0; i < c->table_count; i++) {
        uint32_t missing = pt_feature_of_table(c->tables[i]->meta) & ~named_features(c);
        if (missing != 0)
            return pt_fail_at(c->sink, PEAT_CORRUPT, PT_SUPERBLOCK_NAME, 0,
                              "expected \"%s\" among the names of features, which t-%06" PRIu64
                              " uses, found it not named",
                              pt_feature_name((unsigned)__builtin_ctz(missing)),
                              c->tables[i]->meta->file_number);
    }
    return PEAT_OK;
}

peat_rc pt_version_set_open(pt_version_set *c, pt_open_tables *open_tables)
{
    peat_rc rc = PEAT_OK;
    opening o;
    opening_init(&o, c, open_tables);
    TRY(pt_manifest_open(c->env, c->dir, c->sink, visit_edit, &o, &c->manifest));
    TRY(adopt(&o));
    TRY(compare_features(c));
    TRY(compare_files(c));
out:
    pt_version_builder_done(&o.d);
    return rc;
}

peat_rc pt_version_set_read(pt_version_set *c, pt_open_tables *open_tables, pt_file *file,
                            const pt_superblock *superblock, pt_manifest_place *ret_place)
{
    peat_rc rc = PEAT_OK;
    opening o;
    uint64_t file_bytes;
    bool tail;
    opening_init(&o, c, open_tables);
    TRY(pt_manifest_walk(c->env, c->sink, file, superblock, visit_edit, &o, ret_place, &file_bytes,
                         &tail));
    TRY(adopt(&o));
out:
    pt_version_builder_done(&o.d);
    return rc;
}

peat_rc pt_version_set_begin(pt_version_set *c)
{
    peat_rc rc = PEAT_OK;
    pt_bytes b;
    listing l = {.c = c, .collect = true};
    pt_bytes_init(&b, c->env);
    TRY(snapshot(c, &b));
    TRY(pt_manifest_begin(c->manifest, pt_bytes_slice(&b)));
    TRY(list_tables(&l));
    for (size_t i = 0; i < l.orphan_count; i++) {
        char name[PT_TABLE_NAME_SIZE];
        pt_table_name(l.orphans[i], name);
        /* what cannot be removed now is found again by the next open */
        (void)c->env->dir_remove(c->env->ctx, c->dir, name);
    }
out:
    pt_free(c->env, l.orphans);
    pt_bytes_done(&b);
    return rc;
}

void pt_version_set_done(pt_version_set *c)
{
    if (c->env == NULL)
        return; /* never opened */
    pt_version_unref(c->version);
    for (size_t i = 0; i < c->table_count; i++)
        pt_table_ref_release(c->tables[i]);
    pt_free(c->env, c->tables);
    pt_free(c->env, c->log_ends);
    pt_manifest_free(c->manifest);
    *c = (pt_version_set){0};
}
