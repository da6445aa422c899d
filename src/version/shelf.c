/* SPDX-License-Identifier: MIT */
/* shelf.c - see shelf.h. Lock: shelf->mu is a leaf. */
#include "version/shelf.h"

void pt_shelf_init(pt_shelf *shelf, const pt_env *env, pt_dir *dir, pt_sink *sink, pt_epoch *epoch,
                   pt_cache *cache)
{
    shelf->env = env;
    shelf->dir = dir;
    shelf->sink = sink;
    shelf->epoch = epoch;
    shelf->cache = cache;
    shelf->removing = true;
    pt_table_files_init(&shelf->files);
    sink->relief =
        (pt_relief){.fn = pt_table_files_relieve, .ctx = &shelf->files, .gate = &shelf->files.gate};
    pt_mutex_init(&shelf->mu);
}

void pt_shelf_done(pt_shelf *shelf)
{
    if (shelf->env == NULL)
        return;                  /* never begun */
    (void)pt_shelf_sweep(shelf); /* the count is of no interest */
    shelf->sink->relief = (pt_relief){0};
    pt_table_files_done(&shelf->files);
    pt_mutex_done(&shelf->mu);
}

void pt_shelf_stop_removing(pt_shelf *shelf)
{
    pt_mutex_lock(&shelf->mu);
    shelf->removing = false;
    pt_mutex_unlock(&shelf->mu);
}

static void close_table(pt_shelf *shelf, pt_tref *t, bool remove)
{
    char name[PT_TABLE_NAME_SIZE];
    pt_table_name(t->meta->file_number, name);
    bool dead = atomic_load(&t->dead);
    remove = remove && dead;
    if (dead)
        atomic_fetch_sub_explicit(&shelf->dead_bytes, t->meta->file_bytes, memory_order_relaxed);
    pt_cache_detach(shelf->cache, t->source);
    pt_table_free(t->table);
    pt_free(shelf->env, t);
    /* a file that cannot be removed now is an orphan, and the next open removes those */
    if (remove)
        (void)shelf->env->dir_remove(shelf->env->ctx, shelf->dir, name);
}

size_t pt_shelf_sweep(pt_shelf *shelf)
{
    size_t n = 0;
    for (;;) {
        pt_mutex_lock(&shelf->mu);
        pt_tref *t = shelf->trash;
        bool remove = shelf->removing;
        if (t != NULL) {
            shelf->trash = t->next;
            shelf->files_removed += remove && atomic_load(&t->dead);
        }
        pt_mutex_unlock(&shelf->mu);
        if (t == NULL)
            return n;
        close_table(shelf, t, remove);
        n++;
    }
}

bool pt_shelf_has_trash(pt_shelf *shelf)
{
    pt_mutex_lock(&shelf->mu);
    bool any = shelf->trash != NULL;
    pt_mutex_unlock(&shelf->mu);
    return any;
}

static size_t load_size(void *ctx, uint32_t block)
{
    pt_tref *t = (pt_tref *)ctx;
    return pt_table_block_size(t->table, block);
}

static peat_rc load_block(void *ctx, uint32_t block, uint8_t *dst, size_t dst_size,
                          size_t *ret_size)
{
    pt_tref *t = (pt_tref *)ctx;
    peat_rc rc = pt_table_read_block(t->table, block, dst, dst_size, ret_size);
    if (rc == PEAT_CORRUPT)
        atomic_fetch_add(&t->damages, 1);
    if (rc == PEAT_OK)
        atomic_fetch_add_explicit(&t->shelf->bytes_read, *ret_size, memory_order_relaxed);
    return rc;
}

peat_rc pt_tref_new(pt_shelf *shelf, const pt_table_meta *meta, pt_tref **ret_tref)
{
    pt_tref *t = (pt_tref *)pt_alloc_zero(shelf->env, sizeof *t);
    if (t == NULL)
        return PEAT_NOMEM;
    peat_rc rc = PEAT_OK;
    pt_block_loader loader = {.ctx = t, .size = load_size, .load = load_block};
    TRY(pt_table_new(shelf->env, shelf->dir, shelf->sink, shelf->epoch, meta, &t->table));
    pt_table_join(t->table, &shelf->files);
    t->meta = pt_table_get_meta(t->table);
    TRY(pt_cache_attach(shelf->cache, meta->block_count, meta->block_bytes, loader, &t->source));
    t->shelf = shelf;
    atomic_store(&t->refs, 1);
    *ret_tref = t;
    return PEAT_OK;
out:
    if (t->table != NULL)
        pt_table_free(t->table);
    pt_free(shelf->env, t);
    return rc;
}

void pt_tref_unref(pt_tref *t)
{
    /* release: what this user did with the table comes before its end; acquire: for the last one */
    if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    pt_mutex_lock(&t->shelf->mu);
    t->next = t->shelf->trash;
    t->shelf->trash = t;
    pt_mutex_unlock(&t->shelf->mu);
}
