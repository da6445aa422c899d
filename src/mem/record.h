/* SPDX-License-Identifier: MIT */
/*
 * record.h - one version of a key in the arena: 16 bytes, a large value's size, key, value.
 *
 * The first version of a key that arrives stands in the tree, for good. Later arrivals hang on its
 * link, newest first among themselves; the one in the tree takes its place among them by its
 * sequence, so that `link` is the only word of a record that ever changes. A put of a new key so
 * costs one record and no version list, and an overwrite is one compare-and-swap.
 */
#ifndef PT_MEM_RECORD_H
#define PT_MEM_RECORD_H

#include "mem/arena.h"

typedef struct pt_record {
    uint64_t seq_kind;     /* sequence above 8 bits of kind */
    _Atomic uint32_t link; /* in the tree: the newest of the others; else the next older one */
    uint16_t user_key_size;
    uint16_t value_size; /* 0xffff: 4 bytes of size stand before the key */
    uint8_t bytes[];
} pt_record;

_Static_assert(sizeof(pt_record) == PT_RECORD_HEAD_BYTES, "arena.h counts it");
_Static_assert(PEAT_KEY_SIZE_MAX <= UINT16_MAX, "user_key_size holds every size");

#define PT_RECORD_LARGE UINT16_MAX

static inline pt_record *pt_record_at(const pt_arena *a, uint32_t offset)
{
    return (pt_record *)pt_arena_at(a, offset);
}

static inline uint64_t pt_record_seq(const pt_record *r)
{
    return r->seq_kind >> 8;
}

static inline uint32_t pt_record_link(const pt_record *r)
{
    /* acquire: pairs with the compare-and-swap in pt_record_chain */
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

/* Hangs the record on the one that stands in the tree for its key. */
static inline void pt_record_chain(const pt_arena *a, pt_record *in_tree, uint32_t offset)
{
    pt_record *r = pt_record_at(a, offset);
    _Atomic uint32_t *place = &in_tree->link;
    uint32_t next = pt_record_link(in_tree);
    do {
        while (next != 0 && pt_record_seq(pt_record_at(a, next)) > pt_record_seq(r)) {
            place = &pt_record_at(a, next)->link;
            next = pt_record_link(pt_record_at(a, next));
        }
        atomic_store_explicit(&r->link, next, memory_order_relaxed);
        /* release: pairs with pt_record_link; the record is complete */
    } while (!atomic_compare_exchange_weak_explicit(place, &next, offset, memory_order_release,
                                                    memory_order_acquire));
}

/* The newest version with seq <= seq_max, or NULL. */
static inline const pt_record *pt_record_visible(const pt_arena *a, const pt_record *in_tree,
                                                 uint64_t seq_max)
{
    uint64_t own = pt_record_seq(in_tree);
    const pt_record *found = own <= seq_max ? in_tree : NULL;
    for (uint32_t at = pt_record_link(in_tree); at != 0;) {
        const pt_record *r = pt_record_at(a, at);
        if (pt_record_seq(r) <= seq_max)
            return found != NULL && own > pt_record_seq(r) ? found : r;
        at = pt_record_link(r);
    }
    return found;
}

#endif
