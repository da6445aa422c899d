/* SPDX-License-Identifier: MIT */
/*
 * catalog.c - see catalog.h. An edit goes in four steps:
 *   1  draft: the next version is built beside the current one (may fail, nothing has changed)
 *   2  append: the manifest makes the edit durable (may fail, nothing has changed in memory)
 *   3  swap: the draft becomes the current version (cannot fail)
 *   4  bury: tables without a layer are marked dead and let go
 */
#include "version/catalog.h"

#include "base/file_name.h"

typedef struct draft {
    pt_partition **partitions; /* references; unsorted until finished */
    size_t count, capacity;
    pt_tref **added; /* tables of this edit; references */
    size_t added_count, added_capacity;
    pt_state state;
    pt_log_end *log_ends;
    size_t log_end_count;
    bool has_log_ends;
} draft;

static peat_rc bad_edit(pt_catalog *c, const char *what, uint64_t number)
{
    return pt_fail(c->sink, PEAT_CORRUPT, "manifest: an edit after number %" PRIu64 " %s %" PRIu64,
                   c->state.edit_number, what, number);
}

static size_t table_rank(const pt_catalog *c, uint64_t file_number)
{
    size_t low = 0, high = c->table_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (c->tables[mid]->meta->file_number < file_number)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

pt_tref *pt_catalog_table(const pt_catalog *c, uint64_t file_number)
{
    size_t i = table_rank(c, file_number);
    return i < c->table_count && c->tables[i]->meta->file_number == file_number ? c->tables[i]
                                                                                : NULL;
}

static peat_rc draft_init(draft *d, pt_catalog *c)
{
    *d = (draft){.state = c->state};
    if (c->version == NULL)
        return PEAT_OK;
    if (!pt_grow(c->env, &d->partitions, &d->capacity, c->version->count, sizeof(pt_partition *)))
        return PEAT_NOMEM;
    for (size_t i = 0; i < c->version->count; i++)
        d->partitions[i] = pt_partition_ref(c->version->partitions[i]);
    d->count = c->version->count;
    return PEAT_OK;
}

static void draft_done(draft *d, pt_catalog *c)
{
    for (size_t i = 0; i < d->count; i++)
        pt_partition_unref(d->partitions[i]);
    for (size_t i = 0; i < d->added_count; i++)
        pt_tref_unref(d->added[i]);
    pt_free(c->env, d->partitions);
    pt_free(c->env, d->added);
    pt_free(c->env, d->log_ends);
}

static pt_tref *draft_table(const draft *d, const pt_catalog *c, uint64_t file_number)
{
    for (size_t i = 0; i < d->added_count; i++)
        if (d->added[i]->meta->file_number == file_number)
            return d->added[i];
    return pt_catalog_table(c, file_number);
}

static peat_rc draft_add_table(draft *d, pt_catalog *c, pt_slice footer)
{
    pt_table_meta meta;
    peat_rc rc = pt_table_meta_decode(footer, &meta);
    if (rc != PEAT_OK)
        return rc == PEAT_CORRUPT
                   ? bad_edit(c, "has a damaged table footer, item size", footer.size)
                   : pt_fail(c->sink, rc, "manifest: a table this version cannot read");
    if (draft_table(d, c, meta.file_number) != NULL)
        return bad_edit(c, "adds again table", meta.file_number);
    if (!pt_grow(c->env, &d->added, &d->added_capacity, d->added_count + 1, sizeof(pt_tref *)))
        return PEAT_NOMEM;
    rc = pt_tref_new(c->shelf, &meta, &d->added[d->added_count]);
    d->added_count += rc == PEAT_OK;
    return rc;
}

static size_t draft_find(const draft *d, uint64_t partition_id)
{
    size_t i = 0;
    while (i < d->count && d->partitions[i]->id != partition_id)
        i++;
    return i;
}

static peat_rc resolve(const draft *d, pt_catalog *c, const pt_layer_record *r, pt_layer *ret)
{
    pt_tref *t = draft_table(d, c, r->file_number);
    if (t == NULL)
        return bad_edit(c, "has a layer in the unknown table", r->file_number);
    *ret = (pt_layer){.tref = t,
                      .bytes = r->bytes,
                      .entries = r->entries,
                      .tombstones = r->tombstones,
                      .obsolete_bytes = r->obsolete_bytes};
    return PEAT_OK;
}

static peat_rc draft_partition(draft *d, pt_catalog *c, pt_edit_item *item)
{
    peat_rc rc = PEAT_OK;
    pt_partition *p = NULL;
    size_t count = (size_t)(item->slice_count + item->bottom_count);
    pt_layer *layers = (pt_layer *)pt_alloc(c->env, count * sizeof *layers);
    if (layers == NULL)
        return PEAT_NOMEM;
    for (size_t i = 0; i < count; i++) {
        pt_layer_record r = pt_layer_decode(&item->layers);
        TRY(resolve(d, c, &r, &layers[i]));
    }
    if (!pt_grow(c->env, &d->partitions, &d->capacity, d->count + 1, sizeof(pt_partition *))) {
        rc = PEAT_NOMEM;
        goto out;
    }
    TRY(pt_partition_new(c->env, item->partition_id, item->lower, layers, item->slice_count,
                         layers + item->slice_count, item->bottom_count, &p));
    size_t at = draft_find(d, item->partition_id);
    if (at < d->count)
        pt_partition_unref(d->partitions[at]);
    else
        d->count++;
    d->partitions[at] = p;
out:
    pt_free(c->env, layers);
    return rc;
}

static peat_rc draft_push(draft *d, pt_catalog *c, const pt_edit_item *item)
{
    peat_rc rc = PEAT_OK;
    size_t at = draft_find(d, item->partition_id);
    if (at == d->count)
        return bad_edit(c, "pushes on the unknown partition", item->partition_id);
    pt_partition *old = d->partitions[at], *p = NULL;
    pt_layer *layers = (pt_layer *)pt_alloc(c->env, (old->slice_count + 1) * sizeof *layers);
    if (layers == NULL)
        return PEAT_NOMEM;
    TRY(resolve(d, c, &item->layer, &layers[0]));
    if (old->slice_count != 0)
        memcpy(layers + 1, old->slices, old->slice_count * sizeof *layers);
    TRY(pt_partition_new(c->env, old->id, old->lower, layers, old->slice_count + 1, old->bottom,
                         old->bottom_count, &p));
    pt_partition_unref(old);
    d->partitions[at] = p;
out:
    pt_free(c->env, layers);
    return rc;
}

static peat_rc draft_log_ends(draft *d, pt_catalog *c, pt_edit_item *item)
{
    pt_log_end *ends = (pt_log_end *)pt_alloc(c->env, item->end_count * sizeof *ends);
    if (ends == NULL)
        return PEAT_NOMEM;
    for (uint64_t i = 0; i < item->end_count; i++)
        ends[i] = pt_log_end_decode(&item->ends);
    pt_free(c->env, d->log_ends);
    d->log_ends = ends;
    d->log_end_count = item->end_count;
    d->has_log_ends = true;
    return PEAT_OK;
}

static peat_rc draft_item(draft *d, pt_catalog *c, pt_edit_item *item)
{
    switch (item->tag) {
    case PT_EDIT_TABLE:
        return draft_add_table(d, c, item->table_meta);
    case PT_EDIT_PARTITION:
        return draft_partition(d, c, item);
    case PT_EDIT_DROP_PARTITION: {
        size_t at = draft_find(d, item->partition_id);
        if (at == d->count)
            return bad_edit(c, "drops the unknown partition", item->partition_id);
        pt_partition_unref(d->partitions[at]);
        d->partitions[at] = d->partitions[--d->count];
        return PEAT_OK;
    }
    case PT_EDIT_PUSH:
        return draft_push(d, c, item);
    case PT_EDIT_STATE:
        d->state = item->state;
        return PEAT_OK;
    case PT_EDIT_LOG_ENDS:
        return draft_log_ends(d, c, item);
    }
    return bad_edit(c, "has an unknown item", (uint64_t)item->tag);
}

static peat_rc draft_apply(draft *d, pt_catalog *c, pt_slice payload)
{
    pt_cursor cursor = pt_cursor_of(payload.data, payload.size);
    pt_edit_item item;
    peat_rc rc;
    while ((rc = pt_edit_next(&cursor, &item)) == PEAT_OK) {
        rc = draft_item(d, c, &item);
        if (rc != PEAT_OK)
            return rc;
    }
    if (rc == PEAT_END)
        return PEAT_OK;
    return bad_edit(c, "cannot be decoded at byte", (uint64_t)(cursor.at - payload.data));
}

/* Insertion sort: all but a few are in place already. */
static void sort_partitions(pt_partition **p, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && pt_slice_compare(p[j - 1]->lower, p[j]->lower) > 0; j--) {
            pt_partition *t = p[j];
            p[j] = p[j - 1];
            p[j - 1] = t;
        }
}

static peat_rc draft_version(draft *d, pt_catalog *c, pt_version **ret_version)
{
    sort_partitions(d->partitions, d->count);
    if (d->count == 0 || d->partitions[0]->lower.size != 0)
        return bad_edit(c, "leaves no partition without a lower bound; partitions:", d->count);
    for (size_t i = 1; i < d->count; i++)
        if (pt_slice_equal(d->partitions[i - 1]->lower, d->partitions[i]->lower))
            return bad_edit(c, "leaves two equal bounds; partition", d->partitions[i]->id);
    peat_rc rc = pt_version_new(c->env, d->partitions, d->count, ret_version);
    if (rc == PEAT_OK)
        d->count = 0; /* the version has the references now */
    return rc;
}

static void take_tables(draft *d, pt_catalog *c)
{
    for (size_t i = 0; i < d->added_count; i++) {
        size_t at = table_rank(c, d->added[i]->meta->file_number);
        memmove(c->tables + at + 1, c->tables + at, (c->table_count - at) * sizeof *c->tables);
        c->tables[at] = d->added[i];
        c->table_count++;
    }
    d->added_count = 0;
}

static void swap_log_ends(draft *d, pt_catalog *c)
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
    for (size_t i = 0; i < count; i++)
        layers[i].tref->layers++;
}

/* Step 4; also the size a snapshot of the state would have, roughly. */
static void bury(pt_catalog *c)
{
    size_t kept = 0, layers = 0;
    for (size_t i = 0; i < c->table_count; i++)
        c->tables[i]->layers = 0;
    for (size_t i = 0; i < c->version->count; i++) {
        pt_partition *p = c->version->partitions[i];
        count_layers(p->slices, p->slice_count);
        count_layers(p->bottom, p->bottom_count);
        layers += p->slice_count + p->bottom_count;
    }
    for (size_t i = 0; i < c->table_count; i++) {
        pt_tref *t = c->tables[i];
        if (t->layers != 0) {
            c->tables[kept++] = t;
            continue;
        }
        atomic_store(&t->dead, true);
        pt_tref_unref(t);
    }
    c->table_count = kept;
    c->live_bytes = kept * 200 + layers * 16 + c->version->count * 48;
}

/* Step 3 and 4. */
static void draft_install(draft *d, pt_catalog *c, pt_version *version)
{
    pt_version *old = c->version;
    c->version = version;
    c->state = d->state;
    swap_log_ends(d, c);
    take_tables(d, c);
    bury(c);
    pt_version_unref(old);
}

peat_rc pt_catalog_commit(pt_catalog *c, pt_bytes *io_edit, const pt_state *state)
{
    peat_rc rc = PEAT_OK;
    draft d = {0};
    pt_version *version = NULL;
    pt_state next = *state;
    next.edit_number = c->state.edit_number + 1;
    TRY(pt_edit_state(io_edit, &next));
    pt_slice payload = pt_slice_of(io_edit->data, io_edit->size);
    TRY(draft_init(&d, c));
    TRY(draft_apply(&d, c, payload));
    TRY(draft_version(&d, c, &version)); /* 1 */
    if (!pt_grow(c->env, &c->tables, &c->table_capacity, c->table_count + d.added_count,
                 sizeof(pt_tref *))) {
        rc = PEAT_NOMEM;
        goto out;
    }
    TRY(pt_manifest_append(c->manifest, payload)); /* 2 */
    draft_install(&d, c, version);                 /* 3, 4 */
    version = NULL;
out:
    pt_version_unref(version);
    draft_done(&d, c);
    return rc;
}

static peat_rc snapshot(pt_catalog *c, pt_bytes *out)
{
    peat_rc rc = PEAT_OK;
    for (size_t i = 0; i < c->table_count; i++)
        TRY(pt_edit_add_table(out, c->tables[i]->meta));
    for (size_t i = 0; i < c->version->count; i++) {
        const pt_partition *p = c->version->partitions[i];
        TRY(pt_edit_add_partition(out, p->id, p->lower, p->slices, p->slice_count, p->bottom,
                                  p->bottom_count));
    }
    TRY(pt_edit_log_ends(out, c->log_ends, c->log_end_count));
    TRY(pt_edit_state(out, &c->state));
out:
    return rc;
}

peat_rc pt_catalog_tidy(pt_catalog *c)
{
    peat_rc rc = PEAT_OK;
    pt_bytes b;
    if (!pt_manifest_wants_rewrite(c->manifest, c->live_bytes))
        return PEAT_OK;
    pt_bytes_init(&b, c->env);
    TRY(snapshot(c, &b));
    TRY(pt_manifest_rewrite(c->manifest, pt_slice_of(b.data, b.size)));
out:
    pt_bytes_done(&b);
    return rc;
}

static void catalog_init(pt_catalog *c, pt_shelf *shelf)
{
    *c = (pt_catalog){.env = shelf->env, .dir = shelf->dir, .sink = shelf->sink, .shelf = shelf};
}

typedef struct opening {
    pt_catalog *c;
    draft d;
} opening;

static peat_rc visit_edit(void *ctx, pt_slice payload)
{
    opening *o = (opening *)ctx;
    peat_rc rc = draft_apply(&o->d, o->c, payload);
    o->c->state = o->d.state; /* for the texts of later failures */
    return rc;
}

static peat_rc adopt(opening *o)
{
    pt_catalog *c = o->c;
    pt_version *version = NULL;
    peat_rc rc = draft_version(&o->d, c, &version);
    if (rc != PEAT_OK)
        return rc;
    if (!pt_grow(c->env, &c->tables, &c->table_capacity, o->d.added_count, sizeof(pt_tref *))) {
        pt_version_unref(version);
        return PEAT_NOMEM;
    }
    draft_install(&o->d, c, version);
    return PEAT_OK;
}

peat_rc pt_catalog_create(pt_catalog *c, pt_shelf *shelf, uint64_t store_id, uint32_t app_id)
{
    peat_rc rc = PEAT_OK;
    pt_bytes first;
    opening o = {.c = c};
    pt_state begin = {.log_serial_min = 1, .file_next = 1, .partition_next = 2, .edit_number = 1};
    catalog_init(c, shelf);
    pt_bytes_init(&first, c->env);
    TRY(pt_edit_add_partition(&first, 1, (pt_slice){0}, NULL, 0, NULL, 0));
    TRY(pt_edit_state(&first, &begin));
    pt_slice payload = pt_slice_of(first.data, first.size);
    TRY(visit_edit(&o, payload));
    TRY(adopt(&o));
    TRY(pt_manifest_create(c->env, c->dir, c->sink, store_id, app_id, payload, &c->manifest));
out:
    draft_done(&o.d, c);
    pt_bytes_done(&first);
    return rc;
}

typedef struct listing {
    pt_catalog *c;
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
    size_t i = table_rank(l->c, number);
    if (i < l->c->table_count && l->c->tables[i]->meta->file_number == number) {
        uint64_t expected = l->c->tables[i]->meta->file_bytes;
        if (l->seen != NULL)
            l->seen[i] = true;
        if (size != expected && !l->collect)
            l->rc = pt_fail(l->c->sink, PEAT_CORRUPT,
                            "%s: has %" PRIu64 " bytes, the manifest says %" PRIu64, name, size,
                            expected);
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

static peat_rc compare_files(pt_catalog *c)
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
            rc = pt_fail(c->sink, PEAT_CORRUPT, "%s: the table is missing", name);
    }
    pt_free(c->env, l.seen);
    return rc;
}

peat_rc pt_catalog_open(pt_catalog *c, pt_shelf *shelf)
{
    peat_rc rc = PEAT_OK;
    opening o = {.c = c};
    catalog_init(c, shelf);
    TRY(pt_manifest_open(c->env, c->dir, c->sink, visit_edit, &o, &c->manifest));
    TRY(adopt(&o));
    TRY(compare_files(c));
out:
    draft_done(&o.d, c);
    return rc;
}

peat_rc pt_catalog_begin(pt_catalog *c)
{
    peat_rc rc = PEAT_OK;
    pt_bytes b;
    listing l = {.c = c, .collect = true};
    pt_bytes_init(&b, c->env);
    TRY(snapshot(c, &b));
    TRY(pt_manifest_begin(c->manifest, pt_slice_of(b.data, b.size)));
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

void pt_catalog_done(pt_catalog *c)
{
    if (c->env == NULL)
        return; /* never opened */
    pt_version_unref(c->version);
    for (size_t i = 0; i < c->table_count; i++)
        pt_tref_unref(c->tables[i]);
    pt_free(c->env, c->tables);
    pt_free(c->env, c->log_ends);
    pt_manifest_free(c->manifest);
    *c = (pt_catalog){0};
}
