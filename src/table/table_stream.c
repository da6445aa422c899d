/* SPDX-License-Identifier: MIT */
/*
 * table_stream.c - a block source for one sequential pass, past the cache.
 *
 * A window of the file is read at once, a small one first and larger ones when the pass goes on;
 * blocks are verified when they are fetched, and used in place when they are not compressed. A
 * block that was fetched is good until the next fetch. Behind a merge the pages leave the page
 * cache; ahead of a scan they are asked for, so that the device works while the window is used.
 */
#include "table/table_internal.h"

/* The most a merge reads at once: with a disk's latency of 0.1 ms still 90 % of 1 GB/s. */
#define MERGE_BYTES ((size_t)1 << 20)

typedef struct table_stream {
    pt_block_source base;
    const pt_env *env;
    pt_table *table;
    pt_section_data *index;
    uint8_t *window;
    size_t window_capacity;
    uint64_t window_offset;
    size_t window_size;
    pt_stream_use use;
    size_t read_size, read_max; /* of the next window */
    uint8_t *decoded;
    size_t decoded_capacity;
} table_stream;

static table_stream *of(pt_block_source *source)
{
    return PT_CONTAINER(source, table_stream, base);
}

static peat_rc no_memory(const table_stream *s)
{
    return pt_fail(s->table->sink, PEAT_NOMEM, "no memory to read table %s", s->table->name);
}

/* What is in it is not kept. */
static bool grow_window(table_stream *s, size_t size)
{
    if (size <= s->window_capacity)
        return true;
    pt_scratch_free(s->env, s->window, s->window_capacity);
    s->window = pt_scratch_alloc(s->env, size);
    s->window_capacity = s->window != NULL ? size : 0;
    return s->window != NULL;
}

/* A scan has read [offset, offset + size): the next window of its way, and the account. */
static void ask_for_next(table_stream *s, uint64_t offset, uint64_t size)
{
    bool back = s->window_offset > offset;
    uint64_t next = !back ? offset + size : offset - pt_min_u64(offset, s->read_max);
    pt_table_advise(s->table, next, s->read_max, PEAT_ENV_ADVISE_WILLNEED);
    atomic_fetch_add_explicit(&s->table->files->ahead_read, size, memory_order_relaxed);
}

/* Moves the window so that it holds `size` bytes at `offset`: at its beginning, or, for a pass that
 * goes backward, at its end. */
static peat_rc slide(table_stream *s, uint64_t offset, size_t size)
{
    if (offset < s->window_offset && s->window_size != 0) {
        uint64_t end = offset + size;
        size = (size_t)pt_min_u64(end, pt_max_u64(size, s->read_size));
        offset = end - size;
    }
    if (s->use == PT_STREAM_MERGE && s->window_size != 0 && offset > s->window_offset)
        pt_table_advise(s->table, s->window_offset, offset - s->window_offset,
                        PEAT_ENV_ADVISE_DONTNEED);
    uint64_t want = pt_max_u64(size, pt_min_u64(s->read_size, s->table->blocks_end - offset));
    s->window_size = 0;
    if (!grow_window(s, (size_t)want))
        return no_memory(s);
    peat_rc rc = pt_table_read(s->table, offset, s->window, (size_t)want, "blocks");
    if (rc != PEAT_OK)
        return rc;
    if (s->use == PT_STREAM_SCAN)
        ask_for_next(s, offset, want);
    s->window_offset = offset;
    s->window_size = (size_t)want;
    s->read_size = s->read_size * 2 < s->read_max ? s->read_size * 2 : s->read_max;
    return PEAT_OK;
}

static peat_rc stream_fetch(pt_block_source *source, uint32_t block, pt_fetch_hint hint,
                            pt_block_ref *ret_block)
{
    (void)hint;
    peat_rc rc = PEAT_OK;
    table_stream *s = of(source);
    const pt_index *index = &s->index->view.index;
    uint64_t offset;
    size_t size, decoded = 0;
    pt_slice out;

    pt_table_extent(s->table, index, block, &offset, &size);
    if (s->use == PT_STREAM_SCAN && size > s->read_max)
        return PEAT_UNSUPPORTED;
    if (s->window_size == 0 || offset < s->window_offset ||
        offset + size > s->window_offset + s->window_size)
        TRY(slide(s, offset, size));
    if (s->table->codec != PT_CODEC_NONE) {
        decoded = pt_table_decoded_max(s->table, index, block);
        if (s->use == PT_STREAM_SCAN && decoded > s->read_max)
            return PEAT_UNSUPPORTED;
        if (!pt_grow(s->env, &s->decoded, &s->decoded_capacity, decoded, 1))
            TRY(no_memory(s));
    }
    PT_ASSERT(offset >= s->window_offset && offset + size <= s->window_offset + s->window_size,
              "the window holds the block");
    pt_slice extent = pt_slice_of(s->window + (offset - s->window_offset), size);
    TRY(pt_table_decode(s->table, block, offset, extent, s->decoded, decoded, &out));
    *ret_block = (pt_block_ref){.data = out.data, .size = out.size};
out:
    return rc;
}

static void stream_release(pt_block_source *source, pt_block_ref *block)
{
    (void)source;
    (void)block; /* the window is the stream's own */
}

peat_rc pt_table_stream_new(const pt_env *env, pt_table *t, pt_stream_use use,
                            pt_block_source **ret_source)
{
    peat_rc rc = PEAT_OK;
    table_stream *s = pt_alloc_zero(env, sizeof *s);
    if (s == NULL)
        return pt_fail(t->sink, PEAT_NOMEM, "no memory to read table %s", t->name);
    s->base.block_count = t->block_count;
    s->base.fetch = stream_fetch;
    s->base.release = stream_release;
    s->env = env;
    s->table = t;
    s->use = use;
    s->read_max = use == PT_STREAM_SCAN ? PT_STREAM_SCAN_BYTES : MERGE_BYTES;
    s->read_size = s->read_max / 4;
    TRY(pt_table_section_hold(t, PT_SECTION_INDEX, &s->index));
    *ret_source = &s->base;
    s = NULL;
out:
    if (s != NULL)
        pt_table_stream_free(env, &s->base);
    return rc;
}

void pt_table_stream_free(const pt_env *env, pt_block_source *source)
{
    if (source == NULL)
        return;
    table_stream *s = of(source);
    if (s->use == PT_STREAM_MERGE && s->window_size != 0)
        pt_table_advise(s->table, s->window_offset, s->window_size, PEAT_ENV_ADVISE_DONTNEED);
    pt_section_unref(s->index);
    pt_scratch_free(env, s->window, s->window_capacity);
    pt_free(env, s->decoded);
    pt_free(env, s);
}
