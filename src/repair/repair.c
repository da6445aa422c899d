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

#include <stdio.h>

#include "db/destroy.h"
#include "entry/batch.h"
#include "entry/merge_iter.h"

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
    bool has_last;
} writing;

/* ---- the new store ---- */

static peat_rc write_batch(writing *w)
{
    peat_rc rc = PEAT_OK;
    if (w->batch.count == 0)
        return PEAT_OK;
    pt_commit c = {.payload = pt_bytes_slice(&w->batch.bytes),
                   .count = w->batch.count,
                   .key_bytes = w->batch.key_bytes,
                   .value_bytes = w->batch.value_bytes,
                   .batch = true};
    rc = pt_store_commit(w->to, &c);
    pt_batch_clear(&w->batch);
    return rc;
}

static peat_rc keep(writing *w, const pt_entry *e)
{
    pt_slice user = pt_slice_of(e->key.data + PT_KEYSPACE_BYTES, e->key.size - PT_KEYSPACE_BYTES);
    peat_rc rc = PEAT_OK;
    if (w->batch.bytes.size + e->key.size + e->value.size > BATCH_BYTES)
        rc = write_batch(w);
    if (rc == PEAT_OK)
        rc = pt_batch_put(&w->batch, pt_get_be32(e->key.data), user, e->value);
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

/* A memtable within bounds. */
typedef struct clip {
    pt_iter base;
    const pt_env *env;
    pt_iter *inner;
    pt_slice lower, upper;
} clip;

static peat_rc clip_show(clip *c, peat_rc rc)
{
    if (rc == PEAT_OK && c->upper.data != NULL && pt_slice_compare(c->inner->at.key, c->upper) >= 0)
        return PEAT_END;
    if (rc == PEAT_OK)
        pt_entry_copy(&c->base.at, &c->inner->at);
    return rc;
}

/* Forward only, and always from the beginning. */
static peat_rc clip_seek(pt_iter *it, pt_slice key)
{
    (void)key;
    clip *c = PT_CONTAINER(it, clip, base);
    return clip_show(c, c->lower.size != 0 ? pt_iter_seek(c->inner, c->lower)
                                           : pt_iter_first(c->inner));
}

static peat_rc clip_next(pt_iter *it)
{
    clip *c = PT_CONTAINER(it, clip, base);
    return clip_show(c, pt_iter_next(c->inner));
}

static void clip_done(pt_iter *it)
{
    clip *c = PT_CONTAINER(it, clip, base);
    pt_iter_done(c->inner);
    pt_free(c->env, c);
}

static const pt_iter_ops clip_ops = {.seek = clip_seek, .next = clip_next, .done = clip_done};

static peat_rc clip_new(writing *w, pt_iter **ret_iter)
{
    clip *c = (clip *)pt_alloc_zero(w->r->env, sizeof *c);
    if (c == NULL)
        return PEAT_NOMEM;
    peat_rc rc = pt_memtable_iter_new(w->r->log, &c->inner);
    if (rc != PEAT_OK) {
        pt_free(w->r->env, c);
        return rc;
    }
    c->base.ops = &clip_ops;
    c->env = w->r->env;
    c->lower = w->lower;
    c->upper = w->upper;
    *ret_iter = &c->base;
    return PEAT_OK;
}

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
    if ((w->has_last && pt_slice_equal(last, it->at.key)) || it->at.key.size < PT_KEYSPACE_BYTES)
        return PEAT_OK;
    w->last.size = 0;
    peat_rc rc = pt_bytes_append(&w->last, it->at.key.data, it->at.key.size);
    w->has_last = true;
    if (rc != PEAT_OK || it->at.kind != PT_KIND_PUT)
        return rc;
    return is_doubtful(w, child, it->at.key) ? doubt(w, &it->at) : keep(w, &it->at);
}

static peat_rc open_children(writing *w, pt_iter **ret_iter)
{
    peat_rc rc = PEAT_OK;
    size_t n = 0;
    pt_slice lower = w->lower.size != 0 ? w->lower : (pt_slice){0};
    if (!pt_grow(w->r->env, &w->children, &w->child_capacity, w->layer_count + 2,
                 sizeof(pt_iter *)))
        return PEAT_NOMEM;
    TRY(clip_new(w, &w->children[n]));
    n++;
    for (size_t i = 0; i < w->layer_count; i++, n++)
        TRY(pt_salvage_iter_new(w->layers[i]->salvage, lower, w->upper, &w->children[n]));
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
        rc = pt_repair_look(w->r, w->layers[i]);
        if (rc != PEAT_OK)
            return rc;
        if (!pt_repair_go_on(w->r, "recovering"))
            return PEAT_CANCELLED;
    }
    rc = open_children(w, &it);
    if (rc != PEAT_OK)
        return rc;
    rc = pt_iter_first(it);
    while (rc == PEAT_OK) {
        /* alone, the log is the iterator itself */
        rc = decide(w, it, w->layer_count == 0 ? 0 : pt_merge_iter_child(it));
        if (rc == PEAT_OK)
            rc = w->r->cancelled ? PEAT_CANCELLED : pt_iter_next(it);
    }
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
        rc = add_layer(w, find_table(w->r, layers[i].tref->meta->file_number));
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
    const pt_version *v = w->r->catalog.version;
    for (size_t i = 0; i < v->count; i++) {
        const pt_partition *p = v->partitions[i];
        w->lower = p->lower;
        w->upper = pt_version_upper(v, i);
        TRY(add_layers(w, p->slices, p->slice_count));
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
    peat_rc rc = r->trusted ? merge_partitions(&w) : merge_everything(&w);
    if (rc == PEAT_OK)
        rc = write_batch(&w);
    if (rc == PEAT_OK)
        rc = pt_store_flush(to);
    if (rc == PEAT_OK && r->cancelled)
        rc = PEAT_CANCELLED;
    if (rc == PEAT_OK)
        rc = pt_install_finished(to);
    pt_batch_done(&w.batch);
    pt_bytes_done(&w.last);
    pt_free(r->env, w.layers);
    pt_free(r->env, w.children);
    return rc;
}

/* ---- the call ---- */

static void say(peat_error *ret_error, peat_rc rc, const char *dir, pt_sink *sink)
{
    peat_error e;
    pt_sink_get(sink, &e);
    if (ret_error == NULL || rc == PEAT_OK)
        return;
    memset(ret_error, 0, sizeof *ret_error);
    ret_error->rc = rc;
    bool told = e.rc == rc && e.message[0] != '\0';
    ret_error->os_errno = told ? e.os_errno : 0;
    /* cut when too long */
    (void)snprintf(ret_error->message, sizeof ret_error->message, "%.200s: %.300s", dir,
                   told ? e.message : peat_rc_text(rc));
}

static peat_rc repair_to(pt_repair *r, const char *to_dir, const pt_env *env,
                         const pt_settings *settings, peat_error *ret_error)
{
    pt_store *to = NULL;
    peat_rc rc = pt_store_open(to_dir, env, settings, &to, ret_error);
    if (rc != PEAT_OK)
        return rc;
    rc = write_all(r, to);
    if (rc != PEAT_OK) {
        say(ret_error, rc, to_dir, &r->sink);
        say(ret_error, rc, to_dir, &to->sink);
    }
    peat_rc closed = pt_store_close(to);
    if (rc == PEAT_OK && closed != PEAT_OK) {
        rc = closed;
        say(ret_error, rc, to_dir, &r->sink);
    }
    if (rc != PEAT_OK)
        (void)pt_store_destroy(to_dir, env, NULL); /* what stays is marked as unfinished */
    return rc;
}

peat_rc pt_store_repair(const char *dir, const char *to_dir, const pt_env *env,
                        const pt_settings *settings, const peat_repair_options *options,
                        peat_repair_report *ret_report, peat_error *ret_error)
{
    pt_repair r;
    peat_rc rc = pt_repair_open(&r, dir, env, options);
    if (rc != PEAT_OK)
        say(ret_error, rc, dir, &r.sink);
    else if (r.cancelled)
        rc = PEAT_CANCELLED;
    else
        rc = repair_to(&r, to_dir, env, settings, ret_error);
    *ret_report = r.report;
    pt_repair_close(&r);
    return rc;
}
