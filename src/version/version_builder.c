/* SPDX-License-Identifier: MIT */
/* version_builder.c - see version_builder.h. What breaks a rule of edit_format.md is PEAT_CORRUPT,
 * with the edit and the item. */
#include "version/version_builder.h"

/* What breaks the rule is told last, with its number. */
static peat_rc bad_edit(const pt_version_builder *d, const char *expected, const char *found,
                        uint64_t number)
{
    return pt_fail(d->open_tables->sink, PEAT_CORRUPT,
                   "manifest: an edit after number %" PRIu64 ": expected %s, found %s %" PRIu64,
                   d->current->edit_number, expected, found, number);
}

void pt_version_builder_init(pt_version_builder *d, pt_open_tables *open_tables,
                             const pt_state *current)
{
    *d = (pt_version_builder){
        .env = open_tables->env, .open_tables = open_tables, .current = current, .state = *current};
}

peat_rc pt_version_builder_begin(pt_version_builder *d, const pt_version *version,
                                 pt_table_ref *const *tables, size_t table_count)
{
    d->tables = tables;
    d->table_count = table_count;
    if (!pt_grow(d->env, &d->partitions, &d->capacity, version->count, sizeof(pt_partition *)))
        return PEAT_NOMEM;
    for (size_t i = 0; i < version->count; i++)
        d->partitions[i] = pt_partition_ref(version->partitions[i]);
    d->count = version->count;
    return PEAT_OK;
}

void pt_version_builder_done(pt_version_builder *d)
{
    for (size_t i = 0; i < d->count; i++)
        pt_partition_unref(d->partitions[i]);
    for (size_t i = 0; i < d->added_count; i++)
        pt_table_ref_release(d->added[i]);
    pt_free(d->env, d->partitions);
    pt_free(d->env, d->added);
    pt_free(d->env, d->log_ends);
}

static pt_table_ref *find_table(const pt_version_builder *d, uint64_t file_number)
{
    for (size_t i = 0; i < d->added_count; i++)
        if (d->added[i]->meta->file_number == file_number)
            return d->added[i];
    return pt_table_ref_find(d->tables, d->table_count, file_number);
}

static peat_rc add_table(pt_version_builder *d, pt_slice footer)
{
    pt_table_meta meta;
    peat_rc rc = pt_table_meta_decode(footer, &meta);
    if (rc != PEAT_OK)
        return rc == PEAT_CORRUPT
                   ? bad_edit(d, "a table's footer", "damaged bytes, so many:", footer.size)
                   : pt_fail(d->open_tables->sink, rc,
                             "manifest: a table this version cannot read");
    if (find_table(d, meta.file_number) != NULL)
        return bad_edit(d, "a table that is new", "again table", meta.file_number);
    if (!pt_grow(d->env, &d->added, &d->added_capacity, d->added_count + 1, sizeof(pt_table_ref *)))
        return PEAT_NOMEM;
    rc = pt_table_ref_new(d->open_tables, &meta, &d->added[d->added_count]);
    d->added_count += rc == PEAT_OK;
    return rc;
}

static size_t find_partition(const pt_version_builder *d, uint64_t partition_id)
{
    size_t i = 0;
    while (i < d->count && d->partitions[i]->id != partition_id)
        i++;
    return i;
}

static peat_rc resolve(const pt_version_builder *d, const pt_layer_record *r, pt_layer *ret)
{
    pt_table_ref *t = find_table(d, r->file_number);
    if (t == NULL)
        return bad_edit(d, "a layer in a table that is there", "one in table", r->file_number);
    *ret = (pt_layer){.table_ref = t,
                      .bytes = r->bytes,
                      .entries = r->entries,
                      .tombstones = r->tombstones,
                      .obsolete_bytes = r->obsolete_bytes};
    return PEAT_OK;
}

/* Searching the run looks at one table for a key: what overlaps would be overlooked. */
static peat_rc check_run(const pt_version_builder *d, const pt_layer *bottom, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const pt_table_meta *left = bottom[i - 1].table_ref->meta,
                            *right = bottom[i].table_ref->meta;
        if (pt_slice_compare(left->key_max, right->key_min) >= 0)
            return bad_edit(d, "bottommost tables one behind the other", "overlapping table",
                            right->file_number);
    }
    return PEAT_OK;
}

static peat_rc set_partition(pt_version_builder *d, pt_edit_item *item)
{
    peat_rc rc = PEAT_OK;
    pt_partition *p = NULL;
    size_t count = (size_t)(item->run_count + item->bottom_count);
    pt_layer *layers = (pt_layer *)pt_alloc(d->env, count * sizeof *layers);
    if (layers == NULL)
        return PEAT_NOMEM;
    for (size_t i = 0; i < count; i++) {
        pt_layer_record r = pt_layer_decode(&item->layers);
        TRY(resolve(d, &r, &layers[i]));
    }
    TRY(check_run(d, layers + item->run_count, (size_t)item->bottom_count));
    bool room = pt_grow(d->env, &d->partitions, &d->capacity, d->count + 1, sizeof(pt_partition *));
    TRY(room ? PEAT_OK : PEAT_NOMEM);
    TRY(pt_partition_new(d->env, item->partition_id, item->lower, layers, item->run_count,
                         layers + item->run_count, item->bottom_count, &p));
    size_t at = find_partition(d, item->partition_id);
    if (at < d->count)
        pt_partition_unref(d->partitions[at]);
    else
        d->count++;
    d->partitions[at] = p;
out:
    pt_free(d->env, layers);
    return rc;
}

static peat_rc push_layer(pt_version_builder *d, const pt_edit_item *item)
{
    peat_rc rc = PEAT_OK;
    size_t at = find_partition(d, item->partition_id);
    if (at == d->count)
        return bad_edit(d, "a layer for a partition that is there", "one for partition",
                        item->partition_id);
    pt_partition *old = d->partitions[at], *p = NULL;
    pt_layer *layers = (pt_layer *)pt_alloc(d->env, (old->run_count + 1) * sizeof *layers);
    if (layers == NULL)
        return PEAT_NOMEM;
    TRY(resolve(d, &item->layer, &layers[0]));
    if (old->run_count != 0)
        memcpy(layers + 1, old->runs, old->run_count * sizeof *layers);
    TRY(pt_partition_new(d->env, old->id, old->lower, layers, old->run_count + 1, old->bottom,
                         old->bottom_count, &p));
    pt_partition_unref(old);
    d->partitions[at] = p;
out:
    pt_free(d->env, layers);
    return rc;
}

static peat_rc set_log_ends(pt_version_builder *d, pt_edit_item *item)
{
    pt_log_end *ends = (pt_log_end *)pt_alloc(d->env, item->end_count * sizeof *ends);
    if (ends == NULL)
        return PEAT_NOMEM;
    for (uint64_t i = 0; i < item->end_count; i++)
        ends[i] = pt_log_end_decode(&item->ends);
    pt_free(d->env, d->log_ends);
    d->log_ends = ends;
    d->log_end_count = item->end_count;
    d->has_log_ends = true;
    return PEAT_OK;
}

static peat_rc apply_item(pt_version_builder *d, pt_edit_item *item)
{
    switch (item->tag) {
    case PT_EDIT_TABLE:
        return add_table(d, item->table_meta);
    case PT_EDIT_PARTITION:
        return set_partition(d, item);
    case PT_EDIT_DROP_PARTITION: {
        size_t at = find_partition(d, item->partition_id);
        if (at == d->count)
            return bad_edit(d, "the end of a partition that is there", "that of partition",
                            item->partition_id);
        pt_partition_unref(d->partitions[at]);
        d->partitions[at] = d->partitions[--d->count];
        return PEAT_OK;
    }
    case PT_EDIT_PUSH:
        return push_layer(d, item);
    case PT_EDIT_STATE:
        d->state = item->state;
        return PEAT_OK;
    case PT_EDIT_LOG_ENDS:
        return set_log_ends(d, item);
    case PT_EDIT_DURABLE:
        d->state.seq_durable = item->seq_durable;
        return PEAT_OK;
    case PT_EDIT_UNFINISHED:
        d->state.unfinished = true;
        return PEAT_OK;
    }
    return bad_edit(d, "an item that is known", "one of tag", (uint64_t)item->tag);
}

peat_rc pt_version_builder_apply(pt_version_builder *d, pt_slice payload)
{
    pt_cursor cursor = pt_cursor_of(payload.data, payload.size);
    pt_edit_item item;
    peat_rc rc;
    while ((rc = pt_edit_next(&cursor, &item)) == PEAT_OK) {
        rc = apply_item(d, &item);
        if (rc != PEAT_OK)
            return rc;
    }
    if (rc == PEAT_END)
        return PEAT_OK;
    return bad_edit(d, "an item", "what cannot be decoded at byte",
                    (uint64_t)(cursor.at - payload.data));
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

/* What comes next gets numbers that nothing has. */
static peat_rc check_numbers(const pt_version_builder *d)
{
    for (size_t i = 0; i < d->added_count; i++)
        if (d->added[i]->meta->file_number >= d->state.file_next)
            return bad_edit(d, "a table's number below the next one", "table",
                            d->added[i]->meta->file_number);
    for (size_t i = 0; i < d->count; i++)
        if (d->partitions[i]->id >= d->state.partition_next)
            return bad_edit(d, "a partition's number below the next one", "partition",
                            d->partitions[i]->id);
    return PEAT_OK;
}

peat_rc pt_version_builder_finish(pt_version_builder *d, pt_version **ret_version)
{
    peat_rc rc = check_numbers(d);
    if (rc != PEAT_OK)
        return rc;
    sort_partitions(d->partitions, d->count);
    if (d->count == 0 || d->partitions[0]->lower.size != 0)
        return bad_edit(d, "a partition without a lower bound", "none among", d->count);
    for (size_t i = 1; i < d->count; i++)
        if (pt_slice_equal(d->partitions[i - 1]->lower, d->partitions[i]->lower))
            return bad_edit(d, "bounds that differ", "equal ones, the second of partition",
                            d->partitions[i]->id);
    rc = pt_version_new(d->env, d->partitions, d->count, ret_version);
    if (rc == PEAT_OK)
        d->count = 0; /* the version has the references now */
    return rc;
}
