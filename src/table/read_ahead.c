/* SPDX-License-Identifier: MIT */
/* read_ahead.c - see read_ahead.h. */
#include "table/read_ahead.h"

/* Blocks one behind the other, from which on the next ones are asked of the system ... */
#define RUN_ADVISE 4u
/* ... and from which on a walk has a window: 256 KiB of small blocks, as much as a window has. */
#define RUN_WINDOW 64u

void pt_read_ahead_init(pt_read_ahead *a, pt_table *t, pt_block_source *cache, pt_fetch_hint hint)
{
    *a = (pt_read_ahead){.table = t, .cache = cache, .hint = hint};
    /* points are no walk, and what is not a cache is a window already */
    a->off = hint == PT_FETCH_POINT || cache->frame == NULL || t->files == NULL;
}

static void close_window(pt_read_ahead *a)
{
    if (a->window == NULL)
        return;
    PT_ASSERT(atomic_load_explicit(&a->table->files->ahead_bytes, memory_order_relaxed) >=
                  PT_STREAM_SCAN_BYTES,
              "a window that is open was counted");
    pt_table_stream_free(a->table->env, a->window);
    atomic_fetch_sub_explicit(&a->table->files->ahead_bytes, PT_STREAM_SCAN_BYTES,
                              memory_order_relaxed);
    a->window = NULL;
}

void pt_read_ahead_done(pt_read_ahead *a)
{
    close_window(a);
}

static bool open_window(pt_read_ahead *a)
{
    pt_table_files *files = a->table->files;
    uint64_t before =
        atomic_fetch_add_explicit(&files->ahead_bytes, PT_STREAM_SCAN_BYTES, memory_order_relaxed);
    if (before + PT_STREAM_SCAN_BYTES <= files->ahead_max &&
        pt_table_stream_new(a->table->env, a->table, PT_STREAM_SCAN, &a->window) == PEAT_OK)
        return true;
    atomic_fetch_sub_explicit(&files->ahead_bytes, PT_STREAM_SCAN_BYTES, memory_order_relaxed);
    return false;
}

/* A scan that does not have a window yet reads block by block: the system should have them. */
static void advise(const pt_read_ahead *a, uint32_t block, bool back)
{
    uint64_t offset = pt_table_block_offset(a->table, block);
    if (back)
        offset -= pt_min_u64(offset, PT_STREAM_SCAN_BYTES);
    pt_table_advise(a->table, offset, PT_STREAM_SCAN_BYTES, PEAT_ENV_ADVISE_WILLNEED);
}

/* Whether the window is to be asked for the block. */
static bool ask_window(pt_read_ahead *a, uint32_t block)
{
    bool on = block == a->last + 1, back = block + 1 == a->last;
    a->run = on || back ? a->run + 1 : 0;
    a->last = block;
    if (a->off)
        return false;
    if (a->hint == PT_FETCH_SCAN) {
        /* relaxed: a hint; the fetch looks properly */
        if (atomic_load_explicit(&a->cache->frame[block], memory_order_relaxed) != 0)
            return false;
        if (a->run == RUN_ADVISE)
            advise(a, block, back);
        if (a->run < RUN_WINDOW)
            return false;
    }
    a->off = a->window == NULL && !open_window(a);
    return !a->off;
}

peat_rc pt_read_ahead_fetch(pt_read_ahead *a, uint32_t block, pt_block_ref *ret_block,
                            pt_block_source **ret_from)
{
    if (PT_UNLIKELY(ask_window(a, block))) {
        *ret_from = a->window;
        peat_rc rc = a->window->fetch(a->window, block, a->hint, ret_block);
        if (rc == PEAT_OK)
            return PEAT_OK;
        close_window(a);
        a->off = true;
    }
    *ret_from = a->cache;
    return a->cache->fetch(a->cache, block, a->hint, ret_block);
}
