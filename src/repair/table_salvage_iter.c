/* SPDX-License-Identifier: MIT */
/* table_salvage_iter.c - the entries of a damaged table that can be read, and the footer of a table
 * that nothing else speaks of; see table_salvage.h. */
#include "repair/table_salvage.h"

/* ---- iteration ---- */

typedef struct salvage_iter {
    pt_iter base;
    pt_salvage *s;
    size_t block;
    uint32_t slot;
    bool loaded; /* `block` is in the buffer */
    pt_salvage_buffer b;
    pt_bytes key;
} salvage_iter;

static peat_rc load(salvage_iter *t)
{
    pt_salvage *s = t->s;
    while (t->block < s->count && s->extents[t->block].lost)
        t->block++;
    if (t->block >= s->count)
        return PEAT_END;
    t->slot = 0;
    peat_rc rc = pt_salvage_read(s, t->block, &s->extents[t->block], &t->b);
    t->loaded = rc == PEAT_OK;
    return rc;
}

/* The entry at (block, slot), or the first behind it. */
static peat_rc show(salvage_iter *t)
{
    peat_rc rc = PEAT_OK;
    if (t->loaded && t->slot >= t->b.view.count) {
        t->loaded = false;
        t->block++;
    }
    if (!t->loaded)
        rc = load(t);
    if (rc == PEAT_OK)
        rc = pt_salvage_put_key(&t->key, &t->b.view, t->slot);
    if (rc != PEAT_OK)
        return rc;
    pt_slice key = pt_bytes_slice(&t->key);
    pt_block_entry(&t->b.view, t->slot, &key, pt_block_seq(&t->b.view, t->slot), &t->base.at);
    return PEAT_OK;
}

static peat_rc salvage_next(pt_iter *it)
{
    salvage_iter *t = PT_CONTAINER(it, salvage_iter, base);
    t->slot++;
    return show(t);
}

static peat_rc salvage_seek(pt_iter *it, pt_slice key)
{
    salvage_iter *t = PT_CONTAINER(it, salvage_iter, base);
    const pt_section_data *d = t->s->index;
    t->block = d != NULL ? pt_index_search(&d->view.index, key) : 0;
    t->loaded = false;
    peat_rc rc = show(t);
    while (rc == PEAT_OK && pt_slice_compare(t->base.at.key, key) < 0)
        rc = salvage_next(it);
    return rc;
}

static void salvage_done(pt_iter *it)
{
    salvage_iter *t = PT_CONTAINER(it, salvage_iter, base);
    pt_salvage_buffer_done(&t->b);
    pt_bytes_done(&t->key);
    pt_free(t->s->env, t);
}

/* Forward only. */
static const pt_iter_ops salvage_ops = {
    .seek = salvage_seek, .next = salvage_next, .done = salvage_done};

peat_rc pt_salvage_iter_new(pt_salvage *s, pt_iter **ret_iter)
{
    salvage_iter *t = pt_alloc_zero(s->env, sizeof *t);
    if (t == NULL)
        return PEAT_NOMEM;
    t->base.ops = &salvage_ops;
    t->s = s;
    pt_salvage_buffer_init(&t->b, s->env);
    pt_bytes_init(&t->key, s->env);
    *ret_iter = &t->base;
    return PEAT_OK;
}

/* ---- a table that the manifest says nothing about ---- */

peat_rc pt_salvage_footer_read(const pt_env *env, pt_file *file, pt_bytes *io_bytes,
                               pt_table_meta *ret_meta)
{
    uint8_t tail[PT_TABLE_TRAILER_BYTES];
    uint64_t size = 0;
    size_t n = 0;
    int e = env->file_size(env->ctx, file, &size);
    if (e == 0 && size > sizeof tail)
        e = env->file_read(env->ctx, file, size - sizeof tail, tail, sizeof tail, &n);
    if (e != 0)
        return PEAT_IO;
    uint64_t meta_size = n == sizeof tail ? pt_get_u32(tail) : 0;
    if (meta_size == 0 || pt_get_u64(tail + 4) != PT_TABLE_MAGIC ||
        meta_size > size - sizeof tail || meta_size > 4 * (uint64_t)PT_KEY_BYTES_MAX)
        return PEAT_CORRUPT;
    io_bytes->size = 0;
    peat_rc rc = pt_bytes_reserve(io_bytes, (size_t)meta_size);
    if (rc != PEAT_OK)
        return rc;
    e = env->file_read(env->ctx, file, size - sizeof tail - meta_size, io_bytes->data,
                       (size_t)meta_size, &n);
    if (e != 0 || n != meta_size)
        return PEAT_IO;
    io_bytes->size = n;
    return pt_table_meta_decode(pt_slice_of(io_bytes->data, n), ret_meta);
}
