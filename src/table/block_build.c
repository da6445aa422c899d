/* SPDX-License-Identifier: MIT */
/* block_build.c - collecting and encoding a block; see block_build.h, table_format.md. */
#include "table/block_build.h"

/* One allocation for all per-entry arrays, widest first. */
#define ENTRY_ARRAYS_BYTES (8u + 4u + 4u + 1u + 1u)

peat_rc pt_block_builder_init(pt_block_builder *b, const pt_env *env)
{
    memset(b, 0, sizeof *b);
    b->env = env;
    pt_bytes_init(&b->keys, env);
    pt_bytes_init(&b->values, env);
    uint8_t *p = pt_alloc(env, (size_t)PT_BLOCK_ENTRIES_MAX * ENTRY_ARRAYS_BYTES);
    if (p == NULL)
        return PEAT_NOMEM;
    b->seqs = (uint64_t *)(void *)p;
    b->key_ends = (uint32_t *)(void *)(b->seqs + PT_BLOCK_ENTRIES_MAX);
    b->value_ends = b->key_ends + PT_BLOCK_ENTRIES_MAX;
    b->tags = (uint8_t *)(b->value_ends + PT_BLOCK_ENTRIES_MAX);
    b->kinds = b->tags + PT_BLOCK_ENTRIES_MAX;
    peat_rc rc = pt_bytes_reserve(&b->keys, PT_BLOCK_BYTES_LARGE);
    return rc == PEAT_OK ? pt_bytes_reserve(&b->values, PT_BLOCK_BYTES_LARGE) : rc;
}

void pt_block_builder_done(pt_block_builder *b)
{
    pt_bytes_done(&b->keys);
    pt_bytes_done(&b->values);
    if (b->env != NULL)
        pt_free(b->env, b->seqs);
    memset(b, 0, sizeof *b);
}

void pt_block_builder_clear(pt_block_builder *b, size_t size_max)
{
    b->size_max = size_max;
    b->keys.size = b->values.size = 0;
    b->count = 0;
    b->size = 0;
}

static size_t common_prefix(const uint8_t *a, const uint8_t *b, size_t n)
{
    size_t i = 0;
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

size_t pt_block_common_prefix(pt_slice a, pt_slice b)
{
    return common_prefix(a.data, b.data, a.size < b.size ? a.size : b.size);
}

static uint32_t seq_width(uint64_t spread)
{
    if (spread == 0)
        return 0;
    return spread <= UINT16_MAX ? 2 : spread <= UINT32_MAX ? 4 : 8;
}

/* The builder's summary after one more entry; its size follows from these alone. */
typedef struct summary {
    size_t count, prefix_size, keys, values;
    bool fixed_keys, fixed_values, has_kinds, has_seq;
    uint64_t seq_min, seq_max;
} summary;

static size_t value_size(const pt_entry *e)
{
    return pt_kind_has_value(e->kind) ? e->value.size : 0;
}

static summary summary_with(const pt_block_builder *b, const pt_entry *e)
{
    size_t value = value_size(e);
    bool kinds = e->kind != PT_KIND_PUT;
    if (b->count == 0) {
        return (summary){.count = 1,
                         .prefix_size = e->key.size,
                         .keys = e->key.size,
                         .values = value,
                         .fixed_keys = true,
                         .fixed_values = true,
                         .has_kinds = kinds,
                         .has_seq = e->seq != 0,
                         .seq_min = e->seq,
                         .seq_max = e->seq};
    }
    size_t n = b->prefix_size < e->key.size ? b->prefix_size : e->key.size;
    return (summary){.count = (size_t)b->count + 1,
                     .prefix_size = common_prefix(b->keys.data, e->key.data, n),
                     .keys = b->keys.size + e->key.size,
                     .values = b->values.size + value,
                     .fixed_keys = b->fixed_keys && e->key.size == b->key_ends[0],
                     .fixed_values = b->fixed_values && value == b->value_ends[0],
                     .has_kinds = b->has_kinds || kinds,
                     .has_seq = b->has_seq || e->seq != 0,
                     .seq_min = pt_min_u64(b->seq_min, e->seq),
                     .seq_max = pt_max_u64(b->seq_max, e->seq)};
}

static size_t summary_size(const summary *s)
{
    size_t n = PT_BLOCK_HEAD + s->count;
    if (s->has_kinds)
        n += s->count;
    if (s->has_seq)
        n += PT_BLOCK_SEQ_BASE + s->count * seq_width(s->seq_max - s->seq_min);
    if (!s->fixed_keys)
        n += 2 * s->count;
    if (!s->fixed_values)
        n += 2 * s->count;
    return n + s->prefix_size + (s->keys - s->count * s->prefix_size) + s->values;
}

peat_rc pt_block_builder_add(pt_block_builder *b, const pt_entry *entry, uint8_t tag,
                             bool *ret_added)
{
    peat_rc rc = PEAT_OK;
    summary s = summary_with(b, entry);
    size_t size = summary_size(&s);
    *ret_added = false;
    if (size > b->size_max || b->count == PT_BLOCK_ENTRIES_MAX)
        return PEAT_OK;
    if (b->count != 0 && s.keys > PT_BLOCK_KEYS_MAX)
        return PEAT_OK;
    TRY(pt_bytes_append(&b->keys, entry->key.data, entry->key.size));
    TRY(pt_bytes_append(&b->values, entry->value.data, value_size(entry)));

    PT_ASSERT(b->keys.size == s.keys && b->values.size == s.values,
              "the builder's summary is of what it holds");
    uint32_t i = b->count++;
    b->tags[i] = tag;
    b->kinds[i] = (uint8_t)entry->kind;
    b->seqs[i] = entry->seq;
    b->key_ends[i] = (uint32_t)b->keys.size;
    b->value_ends[i] = (uint32_t)b->values.size;
    b->prefix_size = s.prefix_size;
    b->fixed_keys = s.fixed_keys;
    b->fixed_values = s.fixed_values;
    b->has_kinds = s.has_kinds;
    b->has_seq = s.has_seq;
    b->seq_min = s.seq_min;
    b->seq_max = s.seq_max;
    b->size = size;
    *ret_added = true;
out:
    return rc;
}

static uint8_t *encode_seqs(const pt_block_builder *b, uint32_t width, uint8_t *p)
{
    pt_put_u64(p, b->seq_min);
    p += PT_BLOCK_SEQ_BASE;
    for (uint32_t i = 0; i < b->count && width != 0; i++, p += width) {
        uint64_t d = b->seqs[i] - b->seq_min;
        if (width == 2)
            pt_put_u16(p, (uint16_t)d);
        else if (width == 4)
            pt_put_u32(p, (uint32_t)d);
        else
            pt_put_u64(p, d);
    }
    return p;
}

/* Ends with `cut` bytes taken off each piece. */
static uint8_t *encode_ends(const uint32_t *ends, uint32_t count, size_t cut, uint8_t *p)
{
    for (uint32_t i = 0; i < count; i++, p += 2)
        pt_put_u16(p, (uint16_t)(ends[i] - (i + 1) * cut));
    return p;
}

static uint8_t *encode_suffixes(const pt_block_builder *b, uint8_t *p)
{
    size_t at = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        size_t n = b->key_ends[i] - at - b->prefix_size;
        memcpy(p, b->keys.data + at + b->prefix_size, n);
        p += n;
        at = b->key_ends[i];
    }
    return p;
}

/* Where the parts of an encoded block begin and end. */
typedef struct parts {
    uint8_t *keys, *values, *end;
} parts;

/* All but the head; `base` comes before the keys' common prefix. */
static parts encode_parts(const pt_block_builder *b, pt_slice base, uint8_t *p)
{
    parts at;
    memcpy(p, b->tags, b->count);
    p += b->count;
    if (b->has_kinds) {
        memcpy(p, b->kinds, b->count);
        p += b->count;
    }
    if (b->has_seq)
        p = encode_seqs(b, seq_width(b->seq_max - b->seq_min), p);
    if (!b->fixed_keys)
        p = encode_ends(b->key_ends, b->count, b->prefix_size, p);
    if (!b->fixed_values)
        p = encode_ends(b->value_ends, b->count, 0, p);
    if (base.size != 0)
        memcpy(p, base.data, base.size);
    p += base.size;
    if (b->prefix_size != 0)
        memcpy(p, b->keys.data, b->prefix_size);
    at.keys = p + b->prefix_size;
    at.values = encode_suffixes(b, at.keys);
    if (b->values.size != 0)
        memcpy(at.values, b->values.data, b->values.size);
    at.end = at.values + b->values.size;
    return at;
}

/* What heads of both widths begin with. */
static void encode_head(const pt_block_builder *b, uint32_t more_flags, uint8_t *dst)
{
    pt_put_u16(dst, (uint16_t)b->count);
    dst[2] =
        (uint8_t)((b->fixed_keys ? PT_BLOCK_FIXED_KEYS : 0) |
                  (b->fixed_values ? PT_BLOCK_FIXED_VALUES : 0) | (b->has_seq ? PT_BLOCK_SEQS : 0) |
                  (b->has_kinds ? PT_BLOCK_KINDS : 0) | more_flags);
    dst[3] = (uint8_t)(b->has_seq ? seq_width(b->seq_max - b->seq_min) : 0);
}

static uint16_t key_width(const pt_block_builder *b)
{
    return (uint16_t)(b->fixed_keys ? b->key_ends[0] - b->prefix_size : 0);
}

static uint16_t value_width(const pt_block_builder *b)
{
    return (uint16_t)(b->fixed_values ? b->value_ends[0] : 0);
}

void pt_block_builder_encode(const pt_block_builder *b, bool continues, uint8_t *dst)
{
    PT_ASSERT(b->count != 0, "no block is empty");
    parts at = encode_parts(b, (pt_slice){0}, dst + PT_BLOCK_HEAD);
    PT_ASSERT((size_t)(at.end - dst) == b->size, "a block takes what the builder said it would");
    encode_head(b, continues ? PT_BLOCK_CONTINUES : 0, dst);
    pt_put_u16(dst + 4, (uint16_t)b->prefix_size);
    pt_put_u16(dst + 6, key_width(b));
    pt_put_u16(dst + 8, value_width(b));
    pt_put_u16(dst + 10, (uint16_t)(at.keys - dst));
    pt_put_u16(dst + 12, (uint16_t)(at.values - dst));
    pt_put_u16(dst + 14, (uint16_t)b->size);
}

size_t pt_block_long_size(const pt_block_builder *b, pt_slice base)
{
    return b->size + base.size + PT_BLOCK_HEAD_LONG - PT_BLOCK_HEAD;
}

void pt_block_encode_long(const pt_block_builder *b, pt_slice base, bool continues, uint8_t *dst)
{
    PT_ASSERT(b->count != 0, "no block is empty");
    parts at = encode_parts(b, base, dst + PT_BLOCK_HEAD_LONG);
    size_t size = pt_block_long_size(b, base);
    PT_ASSERT((size_t)(at.end - dst) == size, "a block takes what the builder said it would");
    encode_head(b, PT_BLOCK_LARGE | PT_BLOCK_LONG_PREFIX | (continues ? PT_BLOCK_CONTINUES : 0),
                dst);
    pt_put_u32(dst + 4, (uint32_t)(base.size + b->prefix_size));
    pt_put_u16(dst + 8, key_width(b));
    pt_put_u16(dst + 10, value_width(b));
    pt_put_u32(dst + 12, (uint32_t)(at.keys - dst));
    pt_put_u32(dst + 16, (uint32_t)(at.values - dst));
    pt_put_u32(dst + PT_BLOCK_LONG_USED, (uint32_t)size);
}

peat_rc pt_block_encode_large(const pt_entry *entry, uint8_t tag, pt_bytes *io_out)
{
    size_t value = value_size(entry);
    size_t size = PT_BLOCK_HEAD_LARGE + entry->key.size + value;
    peat_rc rc = pt_bytes_reserve(io_out, size + PT_BLOCK_CHECK_BYTES);
    if (rc != PEAT_OK)
        return rc;
    uint8_t *p = io_out->data + io_out->size;
    memset(p, 0, PT_BLOCK_HEAD_LARGE);
    pt_put_u16(p, 1);
    p[2] = PT_BLOCK_LARGE;
    p[3] = (uint8_t)entry->kind;
    pt_put_u32(p + 4, (uint32_t)entry->key.size);
    pt_put_u32(p + 8, (uint32_t)value);
    p[12] = tag;
    pt_put_u64(p + 16, entry->seq);
    if (entry->key.size != 0)
        memcpy(p + PT_BLOCK_HEAD_LARGE, entry->key.data, entry->key.size);
    if (value != 0)
        memcpy(p + PT_BLOCK_HEAD_LARGE + entry->key.size, entry->value.data, value);
    io_out->size += size;
    return PEAT_OK;
}
