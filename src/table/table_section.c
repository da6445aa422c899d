/* SPDX-License-Identifier: MIT */
/* table_section.c - loading, holding and letting go of a table's sections; see table_internal.h. */
#include "table/table_internal.h"

/* Sections come and go in all sizes: from here on as mappings, which leave no holes in the heap and
 * waste a sixteenth at the most. */
#define MAP_BYTES (32u << 10)

static const char *const section_names[PT_SECTION_COUNT] = {"index", "filter", "locator", "ranges"};

void pt_section_unref(pt_section_data *data)
{
    PT_DCHECK(data == NULL || atomic_load(&data->refs) != 0, "a reference is given back once");
    if (data == NULL || atomic_fetch_sub(&data->refs, 1) != 1)
        return;
    if (data->mapped != 0)
        data->env->unmap(data->env->ctx, data->memory, data->mapped);
    else
        pt_free(data->env, data->memory);
    pt_free(data->env, data);
}

static void section_release(pt_retired *self)
{
    pt_section_unref(PT_CONTAINER(self, pt_section_data, retired));
}

/* The samples of an index lie behind its bytes. */
static size_t samples_at(size_t size)
{
    return (size_t)pt_round_up(size, 8);
}

static size_t memory_size(const pt_table *t, pt_section s)
{
    size_t size = (size_t)t->meta.section[s].size;
    return s == PT_SECTION_INDEX
               ? samples_at(size) + pt_index_samples_size(t->block_count) + PT_INDEX_LINE_BYTES
               : size;
}

/* Where the bytes lie in the memory of a section: the heads of an index begin a cache line. */
static size_t bytes_at(const pt_table *t, pt_section s, const uint8_t *memory)
{
    if (s != PT_SECTION_INDEX)
        return 0;
    size_t heads_at = pt_index_heads_at(t->meta.key_min, t->meta.key_max);
    return (size_t)(-((uintptr_t)memory + heads_at) % PT_INDEX_LINE_BYTES);
}

static const char *index_view(pt_table *t, pt_slice bytes, uint64_t *samples, pt_index *ret_index)
{
    const char *wrong =
        pt_index_view(ret_index, bytes, t->block_count, t->meta.entries, t->blocks_end, samples);
    if (wrong == NULL && !t->aligned && ret_index->offsets == NULL)
        wrong = "index that does not say where the blocks are";
    return wrong;
}

static const char *section_view(pt_table *t, pt_section s, pt_section_data *d)
{
    PT_ASSERT(d->size + PT_BLOCK_CHECK_BYTES == t->meta.section[s].size, "all of it was read");
    pt_slice bytes = pt_slice_of(d->bytes, d->size);
    switch (s) {
    case PT_SECTION_INDEX:
        return index_view(t, bytes, (uint64_t *)(void *)(d->bytes + samples_at(d->size)),
                          &d->view.index);
    case PT_SECTION_FILTER:
        return pt_filter_view(&d->view.filter, bytes);
    case PT_SECTION_LOCATOR:
        return pt_locator_view(&d->view.locator, bytes);
    default:
        return "section of unknown use";
    }
}

/* The largest are probed at random, and huge pages, which a mapping may get, make that cheaper. */
static pt_section_data *section_new(const pt_env *env, size_t size)
{
    pt_section_data *d = pt_alloc_zero(env, sizeof *d);
    if (d == NULL)
        return NULL;
    atomic_store(&d->refs, 1);
    d->env = env;
    d->mapped = size >= MAP_BYTES ? size : 0;
    d->memory = d->mapped != 0 ? env->map(env->ctx, size) : pt_alloc(env, size);
    if (d->memory != NULL)
        return d;
    pt_free(env, d);
    return NULL;
}

/* `d` holds what was read: as a section if it verifies. */
static peat_rc verify(pt_table *t, pt_section s, pt_section_data *d)
{
    uint64_t offset = t->meta.section[s].offset;
    d->size = (size_t)t->meta.section[s].size - PT_BLOCK_CHECK_BYTES;
    uint64_t sum = pt_checksum(d->bytes, d->size, t->file_id, offset);
    uint64_t expected = pt_get_u64(d->bytes + d->size);
    if (sum != expected)
        return pt_fail(t->sink, PEAT_CORRUPT,
                       "table %s %s @%" PRIu64 ": checksum: expected %016" PRIx64
                       ", found %016" PRIx64,
                       t->name, section_names[s], offset, expected, sum);
    const char *wrong = section_view(t, s, d);
    if (wrong != NULL)
        return pt_fail(t->sink, PEAT_CORRUPT,
                       "table %s %s @%" PRIu64 ": expected one of %" PRIu32 " blocks and %" PRIu64
                       " entries, found: %s",
                       t->name, section_names[s], offset, t->block_count, t->meta.entries, wrong);
    return PEAT_OK;
}

/* Without `bytes` they are read. */
static peat_rc make_section(pt_table *t, pt_section s, const void *bytes,
                            pt_section_data **ret_data)
{
    peat_rc rc = PEAT_OK;
    uint64_t offset = t->meta.section[s].offset, size = t->meta.section[s].size;

    PT_ASSERT(size > PT_BLOCK_CHECK_BYTES,
              "the meta was judged: a section is more than a checksum");
    pt_section_data *d = section_new(t->env, memory_size(t, s));
    if (d == NULL)
        return pt_fail(t->sink, PEAT_NOMEM, "no memory for table %s %s (%" PRIu64 " bytes)",
                       t->name, section_names[s], size);
    d->bytes = d->memory + bytes_at(t, s, d->memory);
    if (bytes != NULL)
        memcpy(d->bytes, bytes, (size_t)size);
    else
        TRY(pt_table_read(t, offset, d->bytes, (size_t)size, section_names[s]));
    TRY(verify(t, s, d));
    *ret_data = d;
    d = NULL;
out:
    pt_section_unref(d);
    return rc;
}

peat_rc pt_table_section_read(pt_table *t, pt_section s, pt_section_data **ret_data)
{
    return make_section(t, s, NULL, ret_data);
}

void pt_table_section_extent(const pt_table *t, pt_section s, uint64_t *ret_offset,
                             size_t *ret_size)
{
    *ret_offset = t->meta.section[s].offset;
    *ret_size = (size_t)t->meta.section[s].size;
}

static void count_section(pt_table *t, pt_section s, bool in)
{
    if (t->files == NULL)
        return;
    /* relaxed: a sum that nothing else is read by */
    if (in)
        atomic_fetch_add_explicit(&t->files->section_bytes, pt_table_section_memory(t, s),
                                  memory_order_relaxed);
    else
        atomic_fetch_sub_explicit(&t->files->section_bytes, pt_table_section_memory(t, s),
                                  memory_order_relaxed);
}

static peat_rc load(pt_table *t, pt_section s, const void *bytes)
{
    if (pt_table_section_peek(t, s) != NULL)
        return PEAT_OK;
    peat_rc rc = PEAT_OK;
    pt_mutex_lock(&t->load_mu);
    if (pt_table_section_peek(t, s) == NULL) {
        pt_section_data *d;
        rc = make_section(t, s, bytes, &d);
        if (rc == PEAT_OK) {
            count_section(t, s, true);
            /* release: pairs with pt_table_section_peek */
            atomic_store_explicit(&t->section[s], d, memory_order_release);
        }
    }
    pt_mutex_unlock(&t->load_mu);
    return rc;
}

peat_rc pt_table_load(pt_table *t, pt_section s)
{
    return load(t, s, NULL);
}

peat_rc pt_table_take_section(pt_table *t, pt_section s, pt_slice bytes)
{
    PT_ASSERT(bytes.size == t->meta.section[s].size, "a section is given whole");
    return load(t, s, bytes.data);
}

peat_rc pt_table_section_hold(pt_table *t, pt_section s, pt_section_data **ret_data)
{
    for (;;) {
        pt_mutex_lock(&t->mu);
        pt_section_data *d = atomic_load(&t->section[s]);
        if (d != NULL)
            atomic_fetch_add(&d->refs, 1);
        pt_mutex_unlock(&t->mu);
        if (d != NULL) {
            *ret_data = d;
            return PEAT_OK;
        }
        peat_rc rc = pt_table_load(t, s);
        if (rc != PEAT_OK)
            return rc;
    }
}

peat_rc pt_table_index_keep(pt_table *t, pt_section_data **ret_kept)
{
    return pt_table_section_hold(t, PT_SECTION_INDEX, ret_kept);
}

void pt_table_index_leave(pt_section_data *kept)
{
    pt_section_unref(kept);
}

bool pt_table_loaded(const pt_table *t, pt_section s)
{
    return pt_table_section_peek(t, s) != NULL;
}

size_t pt_table_section_memory(const pt_table *t, pt_section s)
{
    return t->meta.section[s].size == 0 ? 0 : memory_size(t, s) + sizeof(pt_section_data);
}

void pt_table_unload(pt_table *t, pt_section s)
{
    pt_mutex_lock(&t->mu);
    pt_section_data *d = atomic_exchange(&t->section[s], NULL);
    pt_mutex_unlock(&t->mu);
    if (d == NULL)
        return;
    count_section(t, s, false);
    pt_epoch_retire(t->epoch, &d->retired, section_release);
}

bool pt_table_section_shared(pt_table *t, pt_section s)
{
    pt_mutex_lock(&t->mu);
    pt_section_data *d = atomic_load(&t->section[s]);
    bool shared = d != NULL && atomic_load(&d->refs) > 1;
    pt_mutex_unlock(&t->mu);
    return shared;
}

void pt_table_drop_sections(pt_table *t)
{
    for (int i = 0; i < PT_SECTION_COUNT; i++) {
        pt_section_data *d = atomic_load(&t->section[i]);
        if (d != NULL)
            count_section(t, (pt_section)i, false);
        pt_section_unref(d);
    }
}

void pt_table_deny(pt_table *t, pt_section s, bool denied)
{
    PT_ASSERT(s != PT_SECTION_INDEX || !denied, "nothing is found without an index");
    atomic_store_explicit(&t->denied[s], denied,
                          memory_order_relaxed); /* a hint, paired with none */
}
