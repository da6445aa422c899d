/* SPDX-License-Identifier: MIT */
/* open_tables.c - see open_tables.h. Lock: open tables->mu is a leaf. */
#include "version/open_tables.h"

void pt_open_tables_init(pt_open_tables *open_tables, const pt_env *env, pt_dir *dir, pt_sink *sink,
                         pt_epoch *epoch, pt_cache *cache)
{
    open_tables->env = env;
    open_tables->dir = dir;
    open_tables->sink = sink;
    open_tables->epoch = epoch;
    open_tables->cache = cache;
    open_tables->removing = true;
    pt_table_files_init(&open_tables->files);
    sink->fd_reclaim = (pt_fd_reclaim){
        .fn = pt_table_files_relieve, .ctx = &open_tables->files, .gate = &open_tables->files.gate};
    pt_mutex_init(&open_tables->mu);
}

void pt_open_tables_done(pt_open_tables *open_tables)
{
    if (open_tables->env == NULL)
        return;                              /* never begun */
    (void)pt_open_tables_sweep(open_tables); /* the count is of no interest */
    open_tables->sink->fd_reclaim = (pt_fd_reclaim){0};
    pt_table_files_done(&open_tables->files);
    pt_mutex_done(&open_tables->mu);
}

void pt_open_tables_stop_removing(pt_open_tables *open_tables)
{
    pt_mutex_lock(&open_tables->mu);
    open_tables->removing = false;
    pt_mutex_unlock(&open_tables->mu);
}

static void close_table(pt_open_tables *open_tables, pt_table_ref *t, bool remove)
{
    char name[PT_TABLE_NAME_SIZE];
    pt_table_name(t->meta->file_number, name);
    bool dead = atomic_load(&t->dead);
    PT_ASSERT(atomic_load(&t->refs) == 0, "I11: a table is closed after its last reference");
    PT_ASSERT(!dead || atomic_load_explicit(&open_tables->dead_bytes, memory_order_relaxed) >=
                           t->meta->file_bytes,
              "I11: what no durable state names was counted as dead");
    remove = remove && dead;
    if (dead)
        atomic_fetch_sub_explicit(&open_tables->dead_bytes, t->meta->file_bytes,
                                  memory_order_relaxed);
    pt_cache_detach(open_tables->cache, t->source);
    pt_table_free(t->table);
    pt_free(open_tables->env, t);
    /* a file that cannot be removed now is an orphan, and the next open removes those */
    if (remove)
        (void)open_tables->env->dir_remove(open_tables->env->ctx, open_tables->dir, name);
}

size_t pt_open_tables_sweep(pt_open_tables *open_tables)
{
    size_t n = 0;
    for (;;) {
        pt_mutex_lock(&open_tables->mu);
        pt_table_ref *t = open_tables->trash;
        bool remove = open_tables->removing;
        if (t != NULL) {
            open_tables->trash = t->next;
            open_tables->files_removed += remove && atomic_load(&t->dead);
        }
        pt_mutex_unlock(&open_tables->mu);
        if (t == NULL)
            return n;
        close_table(open_tables, t, remove);
        n++;
    }
}

bool pt_open_tables_has_trash(pt_open_tables *open_tables)
{
    pt_mutex_lock(&open_tables->mu);
    bool any = open_tables->trash != NULL;
    pt_mutex_unlock(&open_tables->mu);
    return any;
}

static size_t load_size(void *ctx, uint32_t block)
{
    pt_table_ref *t = (pt_table_ref *)ctx;
    return pt_table_block_size(t->table, block);
}

static peat_rc count_read(pt_table_ref *t, peat_rc rc, size_t size)
{
    if (rc == PEAT_CORRUPT)
        atomic_fetch_add(&t->damages, 1);
    if (rc == PEAT_OK)
        atomic_fetch_add_explicit(&t->open_tables->bytes_read, size, memory_order_relaxed);
    return rc;
}

peat_rc pt_table_ref_read_block(pt_table_ref *t, uint32_t block, uint8_t *dst, size_t dst_size,
                                size_t *ret_size)
{
    peat_rc rc = pt_table_read_block(t->table, block, dst, dst_size, ret_size);
    return count_read(t, rc, *ret_size);
}

static peat_rc load_block(void *ctx, uint32_t block, uint8_t *dst, size_t dst_size,
                          size_t *ret_size)
{
    return pt_table_ref_read_block((pt_table_ref *)ctx, block, dst, dst_size, ret_size);
}

peat_rc pt_table_ref_take_block(pt_table_ref *t, uint32_t block, uint64_t offset, pt_slice extent,
                                uint8_t *dst, size_t dst_size, size_t *ret_size)
{
    peat_rc rc = pt_table_take_block(t->table, block, offset, extent, dst, dst_size, ret_size);
    return count_read(t, rc, *ret_size);
}

peat_rc pt_table_ref_new(pt_open_tables *open_tables, const pt_table_meta *meta,
                         pt_table_ref **ret_ref)
{
    pt_table_ref *t = (pt_table_ref *)pt_alloc_zero(open_tables->env, sizeof *t);
    if (t == NULL)
        return PEAT_NOMEM;
    peat_rc rc = PEAT_OK;
    pt_cache_loader loader = {.ctx = t, .size = load_size, .load = load_block};
    TRY(pt_table_new(open_tables->env, open_tables->dir, open_tables->sink, open_tables->epoch,
                     meta, &t->table));
    pt_table_join(t->table, &open_tables->files);
    t->meta = pt_table_get_meta(t->table);
    TRY(pt_cache_attach(open_tables->cache, meta->block_count, meta->block_bytes, loader,
                        &t->source));
    t->open_tables = open_tables;
    atomic_store(&t->refs, 1);
    *ret_ref = t;
    return PEAT_OK;
out:
    if (t->table != NULL)
        pt_table_free(t->table);
    pt_free(open_tables->env, t);
    return rc;
}

void pt_table_ref_release(pt_table_ref *t)
{
    PT_DCHECK(atomic_load(&t->refs) != 0, "I11: a reference is given back once");
    /* release: what this user did with the table comes before its end; acquire: for the last one */
    if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    pt_mutex_lock(&t->open_tables->mu);
    t->next = t->open_tables->trash;
    t->open_tables->trash = t;
    pt_mutex_unlock(&t->open_tables->mu);
}

size_t pt_table_ref_rank(pt_table_ref *const *list, size_t count, uint64_t file_number)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (list[mid]->meta->file_number < file_number)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

pt_table_ref *pt_table_ref_find(pt_table_ref *const *list, size_t count, uint64_t file_number)
{
    size_t i = pt_table_ref_rank(list, count, file_number);
    return i < count && list[i]->meta->file_number == file_number ? list[i] : NULL;
}
