/* SPDX-License-Identifier: MIT */
/*
 * record.h - one version of a key in memory: 16 bytes, a large value's size, key, value.
 * How the versions of a key hang together: versions.h. `link` is the only word that ever changes.
 */
#ifndef PT_MEM_RECORD_H
#define PT_MEM_RECORD_H

#include "entry/entry.h"

#define PT_RECORD_HEAD_BYTES 16u
/* Beside key and value: head, a large value's size. */
#define PT_RECORD_EXTRA_MAX (PT_RECORD_HEAD_BYTES + 4u)

typedef struct pt_record {
    uint64_t seq_kind;     /* sequence above 8 bits of kind */
    _Atomic uint32_t link; /* in the tree: node of the newest later arrival; else its own node */
    uint16_t user_key_size;
    uint16_t value_size; /* 0xffff: 4 bytes of size stand before the key */
    uint8_t bytes[];
} pt_record;

_Static_assert(sizeof(pt_record) == PT_RECORD_HEAD_BYTES, "an arena counts it");
_Static_assert(PEAT_KEY_SIZE_MAX <= UINT16_MAX, "user_key_size holds every size");

#define PT_RECORD_LARGE UINT16_MAX

static inline uint64_t pt_record_seq(const pt_record *r)
{
    return r->seq_kind >> 8;
}

static inline uint32_t pt_record_link(const pt_record *r)
{
    /* acquire: pairs with the compare-and-swap in pt_versions_add */
    return atomic_load_explicit(&r->link, memory_order_acquire);
}

static inline pt_slice pt_record_key(const pt_record *r)
{
    size_t skip = r->value_size == PT_RECORD_LARGE ? sizeof(uint32_t) : 0;
    return pt_slice_of(r->bytes + skip, (size_t)r->user_key_size + PT_KEYSPACE_BYTES);
}

static inline void pt_record_entry(const pt_record *r, pt_entry *ret_entry)
{
    size_t value_size = r->value_size;
    if (PT_UNLIKELY(value_size == PT_RECORD_LARGE)) {
        uint32_t large;
        memcpy(&large, r->bytes, sizeof large);
        value_size = large;
    }
    ret_entry->key = pt_record_key(r);
    ret_entry->value = pt_slice_of(ret_entry->key.data + ret_entry->key.size, value_size);
    ret_entry->seq = pt_record_seq(r);
    ret_entry->kind = (pt_kind)(r->seq_kind & 0xff);
}

static inline size_t pt_record_bytes(const pt_entry *e)
{
    return sizeof(pt_record) + e->key.size + e->value.size +
           (e->value.size >= PT_RECORD_LARGE ? sizeof(uint32_t) : 0);
}

/* Writes a record that nobody sees yet. */
static inline void pt_record_write(pt_record *r, const pt_entry *e)
{
    bool large = e->value.size >= PT_RECORD_LARGE;
    r->seq_kind = e->seq << 8 | (uint64_t)e->kind;
    atomic_store_explicit(&r->link, 0, memory_order_relaxed);
    r->user_key_size = (uint16_t)(e->key.size - PT_KEYSPACE_BYTES);
    r->value_size = large ? PT_RECORD_LARGE : (uint16_t)e->value.size;
    uint8_t *p = r->bytes;
    if (PT_UNLIKELY(large)) {
        uint32_t size = (uint32_t)e->value.size;
        memcpy(p, &size, sizeof size);
        p += sizeof size;
    }
    memcpy(p, e->key.data, e->key.size);
    if (e->value.size != 0)
        memcpy(p + e->key.size, e->value.data, e->value.size);
}

#endif
