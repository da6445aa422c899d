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

#include "repair/stored_size.h"

#define WINDOW_BYTES ((size_t)256 << 10) /* read at once: sixteen blocks of the larger kind */
#define SECTOR_BYTES 512u                /* what a disk loses at the least */
#define DECODED_MAX  ((size_t)PT_BLOCK_HEAD_LARGE + PT_KEY_BYTES_MAX + PEAT_VALUE_SIZE_MAX)
#define EXTENT_MAX   (DECODED_MAX + PT_CODEC_HEAD + PT_BLOCK_CHECK_BYTES)

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
peat_rc pt_salvage_read(pt_salvage *s, size_t block, const pt_salvage_extent *x,
                        pt_salvage_buffer *b)
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
    s->extents[s->count++] = (pt_salvage_extent){.offset = offset, .size = size, .lost = lost};
    return PEAT_OK;
}

/* What cannot be read is zeros, sector by sector: it takes those blocks with it that it is in. */
static peat_rc read_around(pt_salvage *s, uint64_t at, uint8_t *dst, size_t n)
{
    peat_rc rc = pt_table_read(s->t, at, dst, n, "block");
    if (!is_lost(rc))
        return rc;
    uint64_t mid = (at + n / 2) / SECTOR_BYTES * SECTOR_BYTES;
    size_t half = (size_t)((mid > at ? mid : mid + SECTOR_BYTES) - at);
    if (half >= n) {
        memset(dst, 0, n);
        return PEAT_OK;
    }
    rc = read_around(s, at, dst, half);
    return rc == PEAT_OK ? read_around(s, at + half, dst + half, n - half) : rc;
}

/* At least n bytes, or all there are before the end. */
static peat_rc look_at(pt_salvage *s, uint64_t at, size_t n, pt_slice *ret_bytes)
{
    peat_rc rc = PEAT_OK;
    n = (size_t)pt_min_u64(n, s->end - at);
    if (at < s->window_at || at + n > s->window_at + s->window.size) {
        n = (size_t)pt_min_u64(n > WINDOW_BYTES ? n : WINDOW_BYTES, s->end - at);
        s->window.size = 0;
        TRY(pt_bytes_reserve(&s->window, n));
        TRY(read_around(s, at, s->window.data, n));
        s->window.size = n;
        s->window_at = at;
    }
    *ret_bytes =
        pt_slice_of(s->window.data + (at - s->window_at), s->window_at + s->window.size - at);
out:
    return rc;
}

/* The size of a block without a codec that begins here; 0: none does. */
static size_t block_size(const pt_salvage *s, pt_slice x)
{
    size_t used = 0, key = pt_get_u32(x.data + 4), value = pt_get_u32(x.data + 8);
    if ((x.data[2] & PT_BLOCK_LARGE) == 0)
        return pt_block_check(x.data, x.size, &used) == NULL ? used : 0;
    if (pt_block_has_long_prefix(x.data))
        return s->t->long_prefix ? pt_get_u32(x.data + PT_BLOCK_LONG_USED) : 0;
    bool odd = pt_get_u16(x.data) != 1 || (x.data[2] & ~PT_BLOCK_FLAGS) != 0 ||
               !pt_kind_known(x.data[3]) || key > PT_KEY_BYTES_MAX || value > PEAT_VALUE_SIZE_MAX;
    return odd ? 0 : PT_BLOCK_HEAD_LARGE + key + value;
}

/* How long an extent that begins here can be; 0: none does. */
static size_t extent_max(const pt_salvage *s, pt_slice x)
{
    pt_codec codec = s->t->codec;
    size_t size = x.size < PT_BLOCK_HEAD_LARGE ? 0
                  : codec == PT_CODEC_NONE     ? block_size(s, x)
                                               : pt_codec_decoded_size(x);
    if (size == 0 || size > DECODED_MAX ||
        (codec != PT_CODEC_NONE && size > s->t->block_bytes && !pt_salvage_begins_large(codec, x)))
        return 0;
    size += PT_CODEC_HEAD + PT_BLOCK_CHECK_BYTES;
    return size < PT_BLOCK_PAGE ? PT_BLOCK_PAGE : size;
}

static bool is_extent(const pt_salvage *s, pt_slice x, uint64_t offset, size_t size)
{
    size_t n = size - PT_BLOCK_CHECK_BYTES;
    return size > PT_BLOCK_CHECK_BYTES && size <= x.size &&
           pt_checksum(x.data, n, s->t->file_id, offset) == pt_get_u64(x.data + n);
}

/* The size of the extent that begins here; 0: none does. */
static peat_rc extent_at(pt_salvage *s, uint64_t at, size_t *ret_size)
{
    peat_rc rc = PEAT_OK;
    pt_slice x;
    *ret_size = 0;
    TRY(look_at(s, at, s->t->block_bytes, &x));
    uint64_t most = pt_min_u64(extent_max(s, x), s->end - at);
    if (most == 0 || most > s->credit)
        return PEAT_OK;
    s->credit -= most;
    TRY(look_at(s, at, (size_t)most, &x));
    size_t n =
        s->t->codec == PT_CODEC_NONE ? block_size(s, x) : pt_salvage_stored_size(s->t->codec, x);
    n += PT_BLOCK_CHECK_BYTES;
    if (is_extent(s, x, at, n))
        *ret_size = n;
    else if (is_extent(s, x, at, PT_BLOCK_PAGE)) /* filled up */
        *ret_size = PT_BLOCK_PAGE;
out:
    return rc;
}

/* Behind a block whose end nobody knows goes on where the next one verifies. Each byte on the way
 * costs a look at a head; what looks like one costs its size, but no more than a block per byte
 * and one extent of the greatest size, so that hostile values do not make it quadratic: a block
 * that would cost more, right behind so many false ones, is passed over. */
static peat_rc walk_extents(pt_salvage *s)
{
    peat_rc rc = PEAT_OK;
    uint64_t at = 0, from = 0; /* from there on nothing was found */
    pt_bytes_init(&s->window, s->env);
    while (at < s->end) {
        size_t n;
        s->credit = at == from ? EXTENT_MAX : s->credit + s->t->block_bytes;
        TRY(extent_at(s, at, &n));
        if (n == 0) {
            at++;
            continue;
        }
        if (at > from)
            TRY(add_extent(s, from, (size_t)(at - from), true));
        TRY(add_extent(s, at, n, false));
        from = at += n;
    }
    if (from < s->t->blocks_end)
        rc = add_extent(s, from, (size_t)(s->t->blocks_end - from), true);
out:
    pt_bytes_done(&s->window);
    return rc;
}

static peat_rc find_extents(pt_salvage *s)
{
    peat_rc rc = pt_table_section_read(s->t, PT_SECTION_INDEX, &s->index);
    if (is_lost(rc))
        rc = s->t->aligned ? PEAT_OK : walk_extents(s);
    if (s->index == NULL && !s->t->aligned)
        return rc;
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

static peat_rc add_gap(pt_salvage *s, pt_slice after, pt_slice until)
{
    peat_rc rc = PEAT_OK;
    pt_salvage_gap g = {.at = s->bounds.size, .after_size = after.size, .until_size = until.size};
    if (!pt_grow(s->env, &s->gaps, &s->gap_capacity, s->gap_count + 1, sizeof *s->gaps))
        return PEAT_NOMEM;
    TRY(pt_bytes_append(&s->bounds, after.data, after.size));
    TRY(pt_bytes_append(&s->bounds, until.data, until.size));
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
    bool open = false;
    pt_salvage_buffer_init(&b, s->env);
    pt_bytes_init(&last, s->env);
    pt_bytes_init(&next, s->env);
    for (size_t i = 0; i < s->count; i++) {
        pt_salvage_extent *x = &s->extents[i];
        rc = x->lost ? PEAT_CORRUPT : pt_salvage_read(s, i, x, &b);
        x->lost = is_lost(rc);
        open = open || x->lost;
        if (x->lost)
            continue;
        TRY(rc);
        s->entries += b.view.count;
        if (open) {
            TRY(pt_salvage_put_key(&next, &b.view, 0));
            TRY(add_gap(s, pt_bytes_slice(&last), pt_bytes_slice(&next)));
        }
        open = false;
        TRY(pt_salvage_put_key(&last, &b.view, b.view.count - 1));
    }
    rc = open ? add_gap(s, pt_bytes_slice(&last), s->t->meta.key_max) : PEAT_OK;
out:
    pt_salvage_buffer_done(&b);
    pt_bytes_done(&last);
    pt_bytes_done(&next);
    return rc;
}

static bool in_gap(const pt_salvage *s, const pt_salvage_gap *g, pt_slice key)
{
    const uint8_t *after = s->bounds.data + g->at, *until = after + g->after_size;
    return pt_slice_compare(key, pt_slice_of(after, g->after_size)) > 0 &&
           pt_slice_compare(key, pt_slice_of(until, g->until_size)) <= 0;
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
    s->missing = is_lost(rc);
    if (rc == PEAT_OK) {
        if (env->file_size(env->ctx, file, &s->end) != 0 || s->end > t->blocks_end)
            s->end = t->blocks_end;
        pt_table_unpin(t);
        TRY(find_extents(s));
        TRY(find_losses(s));
    }
    TRY(s->missing ? PEAT_OK : rc);
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
