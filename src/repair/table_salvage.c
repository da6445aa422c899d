/* SPDX-License-Identifier: MIT */
/*
 * table_salvage.c - what can still be read of a damaged table; see table_salvage.h.
 *
 * The extents are found first: by the index, by their place in an aligned table, or else by walking
 * from one to the next, since a block without its index still says, or its checksum proves, where
 * it ends. Each is read once then, to know which are lost before the first entry is shown. One
 * thread.
 */
#include "repair/table_salvage.h"

/* How far the end of a compressed extent is looked for when the index is lost. */
#define SEARCH_BYTES_MAX ((size_t)1 << 20)
#define DECODED_MAX      ((size_t)PT_BLOCK_HEAD_LARGE + PT_KEY_BYTES_MAX + PEAT_VALUE_SIZE_MAX)

void pt_salvage_buffer_init(pt_salvage_buffer *b, const pt_env *env)
{
    pt_bytes_init(&b->raw, env);
    pt_bytes_init(&b->decoded, env);
}

void pt_salvage_buffer_done(pt_salvage_buffer *b)
{
    pt_bytes_done(&b->raw);
    pt_bytes_done(&b->decoded);
}

/* PEAT_CORRUPT or PEAT_IO: the block is lost. */
peat_rc pt_salvage_read(pt_salvage *s, size_t block, const pt_extent *x, pt_salvage_buffer *b)
{
    peat_rc rc = PEAT_OK;
    pt_slice decoded;
    size_t size = x->size;
    b->raw.size = b->decoded.size = 0;
    if (size < PT_BLOCK_CHECK_BYTES + PT_CODEC_HEAD)
        return PEAT_CORRUPT;
    TRY(pt_bytes_reserve(&b->raw, size));
    TRY(pt_table_read(s->t, x->offset, b->raw.data, size, "block"));
    size_t n = size - PT_BLOCK_CHECK_BYTES;
    if (pt_checksum(b->raw.data, n, s->t->file_id, x->offset) != pt_get_u64(b->raw.data + n))
        return PEAT_CORRUPT; /* before any length in it is believed */
    size_t room =
        s->t->codec != PT_CODEC_NONE ? pt_codec_decoded_size(pt_slice_of(b->raw.data, n)) : 0;
    if (room > DECODED_MAX)
        return PEAT_CORRUPT;
    TRY(pt_bytes_reserve(&b->decoded, room + 1));
    TRY(pt_table_decode(s->t, (uint32_t)block, x->offset, pt_slice_of(b->raw.data, size),
                        b->decoded.data, room, &decoded));
    pt_block_view(&b->view, decoded.data);
out:
    return rc;
}

static bool is_lost(peat_rc rc)
{
    return rc == PEAT_CORRUPT || rc == PEAT_IO;
}

/* ---- where the blocks are ---- */

static peat_rc add_extent(pt_salvage *s, uint64_t offset, size_t size, bool lost)
{
    if (!pt_grow(s->env, &s->extents, &s->capacity, s->count + 1, sizeof *s->extents))
        return PEAT_NOMEM;
    s->extents[s->count++] = (pt_extent){.offset = offset, .size = size, .lost = lost};
    return PEAT_OK;
}

static bool ends_at(const pt_salvage *s, const pt_bytes *raw, uint64_t offset, size_t size)
{
    size_t n = size - PT_BLOCK_CHECK_BYTES;
    return size >= PT_BLOCK_CHECK_BYTES + PT_CODEC_HEAD && size <= raw->size &&
           pt_checksum(raw->data, n, s->t->file_id, offset) == pt_get_u64(raw->data + n);
}

/* An uncompressed block says how long it is; padded ones fill their page. */
static size_t plain_size(const pt_salvage *s, const pt_bytes *raw, uint64_t offset)
{
    uint64_t n = pt_get_u16(raw->data + 14);
    if ((raw->data[2] & PT_BLOCK_LARGE) != 0)
        n = (uint64_t)PT_BLOCK_HEAD_LARGE + pt_get_u32(raw->data + 4) + pt_get_u32(raw->data + 8);
    if (n + PT_BLOCK_CHECK_BYTES <= raw->size &&
        ends_at(s, raw, offset, (size_t)n + PT_BLOCK_CHECK_BYTES))
        return (size_t)n + PT_BLOCK_CHECK_BYTES;
    return ends_at(s, raw, offset, PT_BLOCK_PAGE) ? PT_BLOCK_PAGE : 0;
}

/* The first length whose checksum verifies: its 8 bytes are as good as a length. */
static size_t packed_size(const pt_salvage *s, const pt_bytes *raw, uint64_t offset)
{
    size_t most = raw->size < SEARCH_BYTES_MAX ? raw->size : SEARCH_BYTES_MAX;
    size_t decoded = pt_codec_decoded_size(pt_slice_of(raw->data, raw->size));
    size_t above = decoded + PT_CODEC_HEAD + PT_BLOCK_CHECK_BYTES;
    for (size_t n = PT_CODEC_HEAD + PT_BLOCK_CHECK_BYTES; n <= most && n <= above; n++)
        if (ends_at(s, raw, offset, n))
            return n;
    return 0;
}

/* Reads what the next extent can be at most: a block's, or all there is for a large one. */
static peat_rc read_ahead(pt_salvage *s, uint64_t offset, pt_salvage_buffer *b)
{
    uint64_t left = s->t->blocks_end - offset;
    size_t n = (size_t)pt_min_u64(left, SEARCH_BYTES_MAX);
    uint8_t head[PT_BLOCK_HEAD_LARGE];
    peat_rc rc = PEAT_OK;
    if (left < sizeof head)
        return PEAT_CORRUPT;
    TRY(pt_table_read(s->t, offset, head, sizeof head, "block"));
    if (s->t->codec == PT_CODEC_NONE && (head[2] & PT_BLOCK_LARGE) != 0) {
        uint64_t large = (uint64_t)PT_BLOCK_HEAD_LARGE + pt_get_u32(head + 4) +
                         pt_get_u32(head + 8) + PT_BLOCK_CHECK_BYTES;
        n = (size_t)pt_min_u64(left, large > n ? large : n);
    }
    b->raw.size = 0;
    TRY(pt_bytes_reserve(&b->raw, n)); /* no more than the file has */
    TRY(pt_table_read(s->t, offset, b->raw.data, n, "block"));
    b->raw.size = n;
out:
    return rc;
}

static peat_rc walk_extents(pt_salvage *s)
{
    peat_rc rc = PEAT_OK;
    pt_salvage_buffer b;
    pt_salvage_buffer_init(&b, s->env);
    uint64_t at = 0, end = s->t->blocks_end;
    while (at < end && rc == PEAT_OK) {
        size_t n = 0;
        rc = read_ahead(s, at, &b);
        if (rc == PEAT_OK)
            n = s->t->codec == PT_CODEC_NONE ? plain_size(s, &b.raw, at)
                                             : packed_size(s, &b.raw, at);
        if (is_lost(rc) || (rc == PEAT_OK && n == 0)) {
            rc = add_extent(s, at, (size_t)(end - at), true); /* nobody knows where the next is */
            break;
        }
        if (rc == PEAT_OK)
            rc = add_extent(s, at, n, false);
        at += n;
    }
    pt_salvage_buffer_done(&b);
    return rc;
}

static peat_rc find_extents(pt_salvage *s)
{
    peat_rc rc = pt_table_section_read(s->t, PT_SECTION_INDEX, &s->index);
    if (rc != PEAT_OK && !is_lost(rc))
        return rc;
    if (rc != PEAT_OK)
        s->index = NULL;
    if (s->index == NULL && !s->t->aligned)
        return walk_extents(s);
    rc = PEAT_OK;
    for (uint32_t b = 0; b < s->t->block_count && rc == PEAT_OK; b++) {
        uint64_t offset;
        size_t size;
        pt_table_extent(s->t, s->index != NULL ? &s->index->view.index : NULL, b, &offset, &size);
        rc = add_extent(s, offset, size, false);
    }
    return rc;
}

/* ---- what is lost ---- */

peat_rc pt_salvage_put_key(pt_bytes *key, const pt_block *v, uint32_t slot)
{
    pt_slice suffix = pt_block_suffix(v, slot);
    key->size = 0;
    peat_rc rc = pt_bytes_append(key, v->prefix, v->prefix_size);
    return rc == PEAT_OK ? pt_bytes_append(key, suffix.data, suffix.size) : rc;
}

/* `last`: of the block before, NULL: none; `next`: first key of the block behind, NULL: none. */
static peat_rc add_gap(pt_salvage *s, const pt_bytes *last, const pt_bytes *next)
{
    peat_rc rc = PEAT_OK;
    pt_gap g = {.from_start = last == NULL, .to_end = next == NULL};
    if (!pt_grow(s->env, &s->gaps, &s->gap_capacity, s->gap_count + 1, sizeof *s->gaps))
        return PEAT_NOMEM;
    if (last != NULL) {
        g.after_at = s->bounds.size;
        g.after_size = last->size;
        TRY(pt_bytes_append(&s->bounds, last->data, last->size));
    }
    if (next != NULL) {
        g.until_at = s->bounds.size;
        g.until_size = next->size;
        TRY(pt_bytes_append(&s->bounds, next->data, next->size));
    }
    s->gaps[s->gap_count++] = g;
out:
    return rc;
}

/* Reads every block once. */
static peat_rc find_losses(pt_salvage *s)
{
    peat_rc rc = PEAT_OK;
    pt_salvage_buffer b;
    pt_bytes last, next;
    bool has_last = false, open = false;
    pt_salvage_buffer_init(&b, s->env);
    pt_bytes_init(&last, s->env);
    pt_bytes_init(&next, s->env);
    for (size_t i = 0; i < s->count; i++) {
        pt_extent *x = &s->extents[i];
        rc = x->lost ? PEAT_CORRUPT : pt_salvage_read(s, i, x, &b);
        x->lost = is_lost(rc);
        open = open || x->lost;
        if (x->lost)
            continue;
        TRY(rc);
        s->entries += b.view.count;
        if (open) {
            TRY(pt_salvage_put_key(&next, &b.view, 0));
            TRY(add_gap(s, has_last ? &last : NULL, &next));
        }
        open = false;
        TRY(pt_salvage_put_key(&last, &b.view, b.view.count - 1));
        has_last = true;
    }
    rc = open ? add_gap(s, has_last ? &last : NULL, NULL) : PEAT_OK;
out:
    pt_salvage_buffer_done(&b);
    pt_bytes_done(&last);
    pt_bytes_done(&next);
    return rc;
}

static bool in_gap(const pt_salvage *s, const pt_gap *g, pt_slice key)
{
    const uint8_t *p = s->bounds.data;
    bool above =
        g->from_start || pt_slice_compare(key, pt_slice_of(p + g->after_at, g->after_size)) > 0;
    return above &&
           (g->to_end || pt_slice_compare(key, pt_slice_of(p + g->until_at, g->until_size)) <= 0);
}

bool pt_salvage_lost(const pt_salvage *s, pt_slice key)
{
    const pt_table_meta *m = &s->t->meta;
    if (pt_slice_compare(key, m->key_min) < 0 || pt_slice_compare(key, m->key_max) > 0)
        return false;
    if (s->missing)
        return true;
    if (s->index != NULL) {
        uint32_t b = pt_index_search(&s->index->view.index, key);
        return b < s->count && s->extents[b].lost;
    }
    for (size_t i = 0; i < s->gap_count; i++)
        if (in_gap(s, &s->gaps[i], key))
            return true;
    return false;
}

uint64_t pt_salvage_entries(const pt_salvage *s)
{
    return s->entries;
}

peat_rc pt_salvage_new(const pt_env *env, pt_table *t, pt_salvage **ret_salvage)
{
    peat_rc rc = PEAT_OK;
    pt_file *file = NULL;
    pt_salvage *s = pt_alloc_zero(env, sizeof *s);
    if (s == NULL)
        return PEAT_NOMEM;
    s->env = env;
    s->t = t;
    pt_bytes_init(&s->bounds, env);
    rc = pt_table_pin(t, &file);
    if (rc == PEAT_OK)
        pt_table_unpin(t);
    s->missing = is_lost(rc);
    if (s->missing)
        rc = PEAT_OK;
    TRY(rc);
    if (!s->missing) {
        TRY(find_extents(s));
        TRY(find_losses(s));
    }
    *ret_salvage = s;
    s = NULL;
out:
    pt_salvage_free(s);
    return rc;
}

void pt_salvage_free(pt_salvage *s)
{
    if (s == NULL)
        return;
    pt_section_unref(s->index);
    pt_bytes_done(&s->bounds);
    pt_free(s->env, s->gaps);
    pt_free(s->env, s->extents);
    pt_free(s->env, s);
}
