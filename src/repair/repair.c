/* SPDX-License-Identifier: MIT */
/*
 * repair.c - the salvaged layers of a damaged store, merged into a new one; see repair.h.
 *
 * Range by range (a partition, or everything when the manifest is lost) the layers are merged
 * newest first. The first version of a key is the one to keep, and it is certain if no layer at or
 * above its own has lost a place where the key could be. In order of keys, so that the new store is
 * written as one run.
 */
#include "repair/repair.h"

#include "db/destroy.h"
#include "entry/batch.h"
#include "entry/merge_iter.h"
#include "db/db.h"
#include "state/durable.h"
#include "state/switch.h"
#include "write/write.h"

#define BATCH_BYTES ((size_t)256 << 10)

typedef struct writing {
    pt_repair *r;
    pt_store *to;
    pt_batch batch;
    /* the range under way */
    pt_slice lower, upper;    /* upper.data NULL: open */
    pt_repair_table **layers; /* newest first, behind the log */
    size_t layer_count, layer_capacity;
    pt_iter **children; /* the log's, then the layers' */
    size_t child_capacity;
    pt_bytes last; /* the key that was decided last */
} writing;

/* ---- the new store ---- */

static peat_rc write_batch(writing *w)
{
    peat_rc rc = PEAT_OK;
    if (w->batch.count == 0)
        return PEAT_OK;
    pt_write_request c = {.payload = pt_bytes_slice(&w->batch.bytes),
                          .count = w->batch.count,
                          .key_bytes = w->batch.key_bytes,
                          .value_bytes = w->batch.value_bytes,
                          .batch = true};
    rc = pt_write_commit(w->to, &c);
    pt_batch_clear(&w->batch);
    return rc;
}

static peat_rc keep(writing *w, const pt_entry *e)
{
    peat_rc rc = PEAT_OK;
    if (w->batch.bytes.size + e->key.size + e->value.size > BATCH_BYTES)
        rc = write_batch(w);
    if (rc == PEAT_OK)
        rc = pt_batch_add(&w->batch, e);
    w->r->report.entries += rc == PEAT_OK;
    return rc;
}

static peat_rc doubt(writing *w, const pt_entry *e)
{
    const peat_repair_options *o = w->r->options;
    peat_slice key = peat_bytes(e->key.data + PT_KEYSPACE_BYTES, e->key.size - PT_KEYSPACE_BYTES);
    w->r->report.doubtful++;
    if (o->doubtful_fn != NULL &&
        !o->doubtful_fn(o->ctx, key, peat_bytes(e->value.data, e->value.size)))
        w->r->cancelled = true;
    return o->accept_doubtful ? keep(w, e) : PEAT_OK;
}

/* ---- one range ---- */

/* child 0 is the log; 1 is the newest layer. */
static bool is_doubtful(const writing *w, size_t child, pt_slice key)
{
    if (!w->r->trusted)
        return true;
    for (size_t i = 0; i < child; i++)
        if (pt_salvage_lost(w->layers[i]->salvage, key))
            return true;
    return false;
}

/* The newest version of its key that can be read, or an older one. */
static peat_rc decide(writing *w, const pt_iter *it, size_t child)
{
    pt_slice last = pt_bytes_slice(&w->last);
    if (it->at.key.size < PT_KEYSPACE_BYTES || pt_slice_equal(last, it->at.key))
        return PEAT_OK;
    w->last.size = 0;
    peat_rc rc = pt_bytes_append(&w->last, it->at.key.data, it->at.key.size);
    if (rc != PEAT_OK || !pt_kind_has_value(it->at.kind))
        return rc;
    return is_doubtful(w, child, it->at.key) ? doubt(w, &it->at) : keep(w, &it->at);
}

static peat_rc open_children(writing *w, pt_iter **ret_iter)
{
    peat_rc rc = PEAT_OK;
    size_t n = 0;
    if (!pt_grow(w->r->env, &w->children, &w->child_capacity, w->layer_count + 2,
                 sizeof(pt_iter *)))
        return PEAT_NOMEM;
    TRY(pt_memtable_iter_new(w->r->log, &w->children[n]));
    n++;
    for (size_t i = 0; i < w->layer_count; i++, n++)
        TRY(pt_salvage_iter_new(w->layers[i]->salvage, &w->children[n]));
    rc = pt_merge_iter_new(w->r->env, w->children, n, ret_iter);
out:
    if (rc != PEAT_OK)
        while (n-- > 0)
            pt_iter_done(w->children[n]);
    return rc;
}

static peat_rc merge_range(writing *w)
{
    pt_iter *it = NULL;
    peat_rc rc = PEAT_OK;
    for (size_t i = 0; i < w->layer_count; i++) {
        TRY(pt_repair_look(w->r, w->layers[i]));
        TRY(pt_repair_go_on(w->r, "recovering") ? PEAT_OK : PEAT_CANCELLED);
    }
    TRY(open_children(w, &it));
    rc = w->lower.size != 0 ? pt_iter_seek(it, w->lower) : pt_iter_first(it);
    while (rc == PEAT_OK && (w->upper.data == NULL || pt_slice_compare(it->at.key, w->upper) < 0)) {
        /* alone, the log is the iterator itself */
        rc = decide(w, it, w->layer_count == 0 ? 0 : pt_merge_iter_child(it));
        if (rc == PEAT_OK)
            rc = w->r->cancelled ? PEAT_CANCELLED : pt_iter_next(it);
    }
out:
    pt_iter_done(it);
    return rc == PEAT_END ? PEAT_OK : rc;
}

/* ---- all ranges ---- */

static peat_rc add_layer(writing *w, pt_repair_table *t)
{
    if (!pt_grow(w->r->env, &w->layers, &w->layer_capacity, w->layer_count + 1, sizeof *w->layers))
        return PEAT_NOMEM;
    w->layers[w->layer_count++] = t;
    return PEAT_OK;
}

static pt_repair_table *find_table(pt_repair *r, uint64_t number)
{
    size_t low = 0, high = r->table_count;
    while (low + 1 < high) {
        size_t mid = (low + high) / 2;
        if (r->tables[mid].meta->file_number <= number)
            low = mid;
        else
            high = mid;
    }
    return &r->tables[low];
}

static peat_rc add_layers(writing *w, const pt_layer *layers, size_t count)
{
    peat_rc rc = PEAT_OK;
    for (size_t i = 0; i < count && rc == PEAT_OK; i++)
        rc = add_layer(w, find_table(w->r, layers[i].table_ref->meta->file_number));
    return rc;
}

/* Tables that end in this range are done with. */
static void let_go(writing *w)
{
    for (size_t i = 0; i < w->layer_count; i++)
        if (w->upper.data == NULL || pt_slice_compare(w->layers[i]->meta->key_max, w->upper) < 0)
            pt_repair_let_go(w->layers[i]);
    w->layer_count = 0;
}

static peat_rc merge_partitions(writing *w)
{
    peat_rc rc = PEAT_OK;
    const pt_version *v = w->r->version_set.version;
    for (size_t i = 0; i < v->count; i++) {
        const pt_partition *p = v->partitions[i];
        w->lower = p->lower;
        w->upper = pt_version_upper(v, i);
        TRY(add_layers(w, p->runs, p->run_count));
        TRY(add_layers(w, p->bottom, p->bottom_count));
        TRY(merge_range(w));
        let_go(w);
    }
out:
    return rc;
}

static peat_rc merge_everything(writing *w)
{
    peat_rc rc = PEAT_OK;
    for (size_t i = 0; i < w->r->table_count && rc == PEAT_OK; i++)
        rc = add_layer(w, &w->r->tables[i]);
    return rc == PEAT_OK ? merge_range(w) : rc;
}

static peat_rc write_all(pt_repair *r, pt_store *to)
{
    writing w = {.r = r, .to = to};
    pt_batch_init(&w.batch, r->env);
    pt_bytes_init(&w.last, r->env);
    peat_rc rc = PEAT_OK;
    TRY(r->trusted ? merge_partitions(&w) : merge_everything(&w));
    TRY(write_batch(&w));
    TRY(pt_switch_flush(to));
    TRY(r->cancelled ? PEAT_CANCELLED : PEAT_OK);
    TRY(pt_durable_finish(to));
out:
    pt_batch_done(&w.batch);
    pt_bytes_done(&w.last);
    pt_free(r->env, w.layers);
    pt_free(r->env, w.children);
    return rc;
}

/* ---- the call ---- */

/* Through links the new store may still lie in the damaged one. The environment does not tell which
 * directories are the same, so that one with the same files counts as it. */
static peat_rc check_place(pt_repair *r, const char *to_dir)
{
    peat_rc rc = PEAT_OK;
    pt_bytes parent;
    size_t n = strlen(to_dir);
    pt_bytes_init(&parent, r->env);
    while (n > 0 && to_dir[n - 1] == '/')
        n--;
    while (n > 0 && to_dir[n - 1] != '/')
        n--;
    TRY(pt_bytes_append(&parent, to_dir, n));
    TRY(pt_bytes_append(&parent, ".", sizeof "."));
    if (pt_repair_files(r->env, to_dir) == r->files ||
        pt_repair_files(r->env, (const char *)parent.data) == r->files)
        rc = pt_fail(&r->sink, PEAT_INVALID, "the new store would lie in this one");
out:
    pt_bytes_done(&parent);
    return rc;
}

static peat_rc repair_to(pt_repair *r, const char *to_dir, const pt_env *env,
                         const pt_settings *settings, peat_error *ret_error)
{
    pt_store *to = NULL;
    peat_rc rc = pt_db_open(to_dir, env, settings, &to, ret_error);
    if (rc != PEAT_OK)
        return rc;
    rc = write_all(r, to);
    rc = pt_sink_describe(&to->sink, rc, to_dir, ret_error);
    peat_rc closed = pt_db_close(to);
    if (rc == PEAT_OK && closed != PEAT_OK)
        rc = pt_sink_describe(&r->sink, closed, to_dir, ret_error);
    if (rc != PEAT_OK)
        (void)pt_destroy_store(to_dir, env, NULL); /* what stays is marked as unfinished */
    return rc;
}

peat_rc pt_repair_store(const char *dir, const char *to_dir, const pt_env *env,
                        const pt_settings *settings, const peat_repair_options *options,
                        peat_repair_report *ret_report, peat_error *ret_error)
{
    pt_repair r;
    peat_rc rc = pt_repair_open(&r, dir, env, options);
    if (rc == PEAT_OK)
        rc = check_place(&r, to_dir);
    if (rc != PEAT_OK)
        rc = pt_sink_describe(&r.sink, rc, dir, ret_error);
    else if (r.cancelled)
        rc = PEAT_CANCELLED;
    else
        rc = repair_to(&r, to_dir, env, settings, ret_error);
    *ret_report = r.report;
    pt_repair_close(&r);
    return rc;
}
