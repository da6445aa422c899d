/* SPDX-License-Identifier: MIT */
/*
 * block.h - one decoded block (table_format.md, "Block"): its view and what is read from it.
 *
 * Bytes are verified once, by pt_block_check when they come from the disk; a view of verified bytes
 * trusts them, so that entry i is reached by arithmetic alone.
 */
#ifndef PT_TABLE_BLOCK_H
#define PT_TABLE_BLOCK_H

#include "base/key.h"
#include "entry/columns.h"
#include "entry/entry.h"

#define PT_BLOCK_PAGE        4096u /* unit of alignment, and the smaller logical size */
#define PT_BLOCK_BYTES_LARGE 16384u
#define PT_BLOCK_CHECK_BYTES 8u  /* checksum behind every block on disk */
#define PT_BLOCK_HEAD        16u /* then one tag per entry */
#define PT_BLOCK_HEAD_LARGE  24u /* then key, value */
#define PT_BLOCK_HEAD_LONG   24u /* then as in any block */
#define PT_BLOCK_LONG_USED   20u /* where in that head its size is */
#define PT_BLOCK_SEQ_BASE    8u
#define PT_BLOCK_KEYS_MAX    (256u << 10) /* raw keys a builder holds: bounds its memory */
#define PT_BLOCK_ENTRIES_MAX 8192u        /* of two bytes at least, in 16 KiB */

enum {
    PT_BLOCK_FIXED_KEYS = 1,   /* all suffixes have key_width bytes: no key_ends */
    PT_BLOCK_FIXED_VALUES = 2, /* all values have value_width bytes: no value_ends */
    PT_BLOCK_SEQS = 4,         /* sequences are there; else all are 0 */
    PT_BLOCK_KINDS = 8,        /* kinds are there; else all are puts */
    PT_BLOCK_CONTINUES = 16,   /* the last key has more versions in the next block */
    PT_BLOCK_LARGE = 32,       /* one entry with 32-bit sizes; or, with the next flag: */
    PT_BLOCK_LONG_PREFIX = 64, /* any number, and a prefix of 32-bit size */
    PT_BLOCK_FLAGS = 127
};

/* The form of its head, which says how the rest is read. */
static inline bool pt_block_is_large(const uint8_t *data)
{
    return (data[2] & (PT_BLOCK_LARGE | PT_BLOCK_LONG_PREFIX)) == PT_BLOCK_LARGE;
}

static inline bool pt_block_has_long_prefix(const uint8_t *data)
{
    return (data[2] & PT_BLOCK_LONG_PREFIX) != 0;
}

typedef struct pt_block {
    const uint8_t *tags;
    const uint8_t *kinds; /* NULL: all puts */
    const uint8_t *seqs;
    const uint8_t *key_ends; /* u16 each, of the suffixes */
    const uint8_t *value_ends;
    const uint8_t *prefix;
    const uint8_t *keys;
    const uint8_t *values;
    uint64_t seq_base;
    uint32_t count;
    uint32_t flags;
    uint32_t seq_width; /* 0, 2, 4, 8 */
    uint32_t prefix_size;
    uint32_t key_width;
    uint32_t value_width;
} pt_block;

/* The tag of a key in a block. */
static inline uint8_t pt_block_tag(uint64_t key_hash)
{
    return (uint8_t)(key_hash >> 56);
}

/* Structure of hostile bytes: everything a view relies on. Returns NULL, or what is wrong. */
const char *pt_block_check(const uint8_t *data, size_t size, size_t *ret_used);

static inline void pt_block_view_large(pt_block *ret_block, const uint8_t *data)
{
    pt_block *b = ret_block;
    b->tags = data + 12;
    b->kinds = data + 3;
    b->flags = (data[2] & PT_BLOCK_CONTINUES) | PT_BLOCK_FIXED_KEYS | PT_BLOCK_FIXED_VALUES;
    b->key_width = pt_get_u32(data + 4);
    b->value_width = pt_get_u32(data + 8);
    b->seq_base = pt_get_u64(data + 16);
    b->keys = data + PT_BLOCK_HEAD_LARGE;
    b->values = b->keys + b->key_width;
    b->prefix = b->keys;
    b->count = 1;
}

/* What lies between tags and prefix. */
static inline void pt_block_view_parts(pt_block *ret_block, const uint8_t *data)
{
    pt_block *b = ret_block;
    const uint8_t *p = b->tags + b->count;
    if (b->flags & PT_BLOCK_KINDS) {
        b->kinds = p;
        p += b->count;
    }
    if (b->flags & PT_BLOCK_SEQS) {
        b->seq_base = pt_get_u64(p);
        b->seq_width = data[3];
        b->seqs = p + PT_BLOCK_SEQ_BASE;
        p = b->seqs + (size_t)b->count * b->seq_width;
    }
    b->key_ends = p;
    if (!(b->flags & PT_BLOCK_FIXED_KEYS))
        p += (size_t)b->count * 2;
    b->value_ends = p;
}

static inline void pt_block_view_long(pt_block *ret_block, const uint8_t *data)
{
    pt_block *b = ret_block;
    b->flags = data[2] & ~(uint32_t)(PT_BLOCK_LARGE | PT_BLOCK_LONG_PREFIX);
    b->count = pt_get_u16(data);
    b->prefix_size = pt_get_u32(data + 4);
    b->key_width = pt_get_u16(data + 8);
    b->value_width = pt_get_u16(data + 10);
    b->tags = data + PT_BLOCK_HEAD_LONG;
    b->keys = data + pt_get_u32(data + 12);
    b->values = data + pt_get_u32(data + 16);
    b->prefix = b->keys - b->prefix_size;
    pt_block_view_parts(b, data);
}

/* A view of verified bytes. Inline: a view that stays within one function costs that function only
 * what it looks at. */
static inline void pt_block_view(pt_block *ret_block, const uint8_t *data)
{
    pt_block *b = ret_block;
    uint32_t flags = data[2];
    b->seqs = b->key_ends = b->value_ends = b->kinds = NULL;
    b->seq_base = 0;
    b->seq_width = b->prefix_size = 0;
    if (PT_UNLIKELY(flags & PT_BLOCK_LARGE)) {
        if (flags & PT_BLOCK_LONG_PREFIX)
            pt_block_view_long(b, data);
        else
            pt_block_view_large(b, data);
        return;
    }
    b->flags = flags;
    b->count = pt_get_u16(data);
    b->prefix_size = pt_get_u16(data + 4);
    b->key_width = pt_get_u16(data + 6);
    b->value_width = pt_get_u16(data + 8);
    b->tags = data + PT_BLOCK_HEAD;
    b->keys = data + pt_get_u16(data + 10);
    b->values = data + pt_get_u16(data + 12);
    b->prefix = b->keys - b->prefix_size;
    pt_block_view_parts(b, data);
}

static inline bool pt_block_continues(const pt_block *b)
{
    return (b->flags & PT_BLOCK_CONTINUES) != 0;
}

static inline pt_slice pt_block_suffix(const pt_block *b, uint32_t i)
{
    const uint8_t *ends = b->flags & PT_BLOCK_FIXED_KEYS ? NULL : b->key_ends;
    return pt_columns_at(b->keys, b->key_width, ends, i);
}

static inline pt_slice pt_block_value(const pt_block *b, uint32_t i)
{
    const uint8_t *ends = b->flags & PT_BLOCK_FIXED_VALUES ? NULL : b->value_ends;
    return pt_columns_at(b->values, b->value_width, ends, i);
}

static inline uint64_t pt_block_seq(const pt_block *b, uint32_t i)
{
    switch (b->seq_width) {
    case 0:
        return b->seq_base;
    case 2:
        return b->seq_base + pt_get_u16(b->seqs + (size_t)i * 2);
    case 4:
        return b->seq_base + pt_get_u32(b->seqs + (size_t)i * 4);
    default:
        return b->seq_base + pt_get_u64(b->seqs + (size_t)i * 8);
    }
}

static inline pt_kind pt_block_kind(const pt_block *b, uint32_t i)
{
    return b->kinds == NULL ? PT_KIND_PUT : (pt_kind)b->kinds[i];
}

/* Entry i, with its key, which the caller has put together, and its sequence (pt_block_seq). */
static inline void pt_block_entry(const pt_block *b, uint32_t i, const pt_slice *key, uint64_t seq,
                                  pt_entry *ret_entry)
{
    pt_slice value = pt_block_value(b, i);
    pt_kind kind = pt_block_kind(b, i);
    ret_entry->key = *key;
    ret_entry->value = value;
    ret_entry->seq = seq;
    ret_entry->kind = kind;
}

/* Whether entry i has this key. */
static inline bool pt_block_key_is(const pt_block *b, uint32_t i, pt_slice key)
{
    pt_slice s = pt_block_suffix(b, i);
    return key.size == b->prefix_size + s.size &&
           pt_key_bytes_equal(key.data + b->prefix_size, s.data, s.size) &&
           pt_key_bytes_equal(key.data, b->prefix, b->prefix_size);
}

/* ---- plain blocks: puts of sequence 0 with keys and values of one size each, which most blocks of
 * a bottommost run are. Their entries are found by the head alone. ---- */

static inline bool pt_block_is_plain(const uint8_t *data)
{
    return data[2] == (PT_BLOCK_FIXED_KEYS | PT_BLOCK_FIXED_VALUES);
}

/* Entry i, if there is one and it has this key. */
static inline bool pt_block_plain_entry(const uint8_t *data, uint32_t i, const pt_slice *key,
                                        pt_entry *ret_entry)
{
    size_t prefix_size = pt_get_u16(data + 4);
    size_t key_width = pt_get_u16(data + 6), value_width = pt_get_u16(data + 8);
    const uint8_t *keys = data + pt_get_u16(data + 10);
    if (i >= pt_get_u16(data) || key->size != prefix_size + key_width ||
        !pt_key_bytes_equal(key->data + prefix_size, keys + i * key_width, key_width) ||
        !pt_key_bytes_equal(key->data, keys - prefix_size, prefix_size))
        return false;
    ret_entry->key = *key;
    ret_entry->value = pt_slice_of(data + pt_get_u16(data + 12) + i * value_width, value_width);
    ret_entry->seq = 0;
    ret_entry->kind = PT_KIND_PUT;
    return true;
}

/* The first entry with this key, by its tag; count when there is none. */
uint32_t pt_block_find(const pt_block *b, pt_slice key, uint8_t tag);
/* The first entry with this tag, whatever its key; count when there is none. */
uint32_t pt_block_tagged(const pt_block *b, uint8_t tag);
/* The first entry whose key is >= key (> key); count when there is none. */
uint32_t pt_block_lower(const pt_block *b, pt_slice key);
uint32_t pt_block_upper(const pt_block *b, pt_slice key);

#endif
