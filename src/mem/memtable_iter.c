/* SPDX-License-Identifier: MIT */
/*
 * memtable_iter.c - walking the memtable in both directions while others write.
 *
 * The iterator copies the record offsets of one leaf under the leaf's version and walks the copy:
 * nothing to check per step, and the records ahead, which lie scattered over the arena, can be
 * asked for in time. What is added to a leaf after it was copied is not seen.
 * From leaf to leaf: `next` is read together with `hi` and leads to the leaf whose lo it is, for
 * ever. `prev` may lag behind a split, but only to the left: go right until the leaf ends where
 * ours begins.
 * Versions of a key: see versions.h. Who reads as of a sequence gets one of each key; a slot then
 * is a step in both directions.
 */
#include "mem/memtable.h"

#include "mem/tree.h"

#define AHEAD 8u /* records asked for before they are needed; 6 to 12 are alike (decision 003) */

typedef struct mem_iter {
    pt_iter base;
    pt_memtable *m;
    /* The copied leaf. */
    uint32_t lo, hi, next, prev;
    uint32_t count, at;
    uint32_t records[PT_LEAF_SLOTS];
    /* Where we stand: a version, and the record that stands in the tree for its key. */
    const pt_record *version;
    const pt_record *in_tree;
    bool all;     /* every version is shown */
    uint64_t seq; /* else: the newest of at most this, fixed */
} mem_iter;

static mem_iter *mem_iter_of(pt_iter *it)
{
    return PT_CONTAINER(it, mem_iter, base);
}

/* The head and the key, and the line behind: a row of some 100 bytes. */
static inline void prefetch_record(const mem_iter *it, uint32_t at)
{
    const uint8_t *p = (const uint8_t *)pt_record_at(&it->m->arena, it->records[at]);
    PT_PREFETCH(p);
    PT_PREFETCH(p + 64);
    PT_PREFETCH(p + 128);
}

/* Copies what may be torn; the caller checks the version. */
static void copy_leaf(mem_iter *it, const pt_leaf *leaf)
{
    it->count = pt_load32(&leaf->node.count);
    for (uint32_t i = 0; i < it->count; i++)
        it->records[i] = pt_load32(&leaf->records[i]);
    it->lo = pt_load32(&leaf->node.lo);
    it->hi = pt_load32(&leaf->node.hi);
    it->next = pt_load32(&leaf->next);
    it->prev = pt_load32(&leaf->prev);
}

static void prefetch_leaf(const mem_iter *it, uint32_t ref)
{
    if (ref == 0)
        return;
    const uint8_t *p = pt_ref_at(it->m, ref);
    for (size_t i = 0; i < PT_LEAF_BYTES; i += 64)
        if (i < sizeof(pt_node) || i + 64 > offsetof(pt_leaf, records))
            PT_PREFETCH(p + i);
}

static void load_leaf(mem_iter *it, uint32_t ref, bool forward)
{
    const pt_leaf *leaf = pt_ref_at(it->m, ref);
    for (;;) {
        uint64_t version = pt_node_version(it->m, &leaf->node);
        copy_leaf(it, leaf);
        if (pt_node_unchanged(&leaf->node, version))
            break;
    }
    prefetch_leaf(it, forward ? it->next : it->prev);
    for (uint32_t i = 0; i < AHEAD && i < it->count; i++)
        prefetch_record(it, forward ? i : it->count - 1 - i);
}

/* Copies the leaf where the key belongs; it->at: the slots before the key. True: it is there. */
static bool load_leaf_of(mem_iter *it, pt_slice key)
{
    pt_place place;
    do {
        pt_tree_descend(it->m, key, &place.leaf, &place.version);
        pt_leaf_search(it->m, place.leaf, key, &place);
        copy_leaf(it, place.leaf);
    } while (!pt_node_unchanged(&place.leaf->node, place.version));
    it->at = place.at;
    return place.record != 0;
}

static peat_rc stand_on(mem_iter *it, const pt_record *version)
{
    it->version = version;
    pt_record_entry(version, &it->base.at);
    return PEAT_OK;
}

/* What a slot shows to who reads as of a sequence. */
static const pt_record *readable(const mem_iter *it)
{
    uint32_t looks = 0;
    const pt_record *r = pt_versions_visible(&it->m->arena, it->in_tree, it->seq, &looks);
    return r != NULL ? r : it->in_tree;
}

/* The key in slot `at` of the copy, at its newest version. */
static peat_rc enter_forward(mem_iter *it)
{
    if (it->at + AHEAD < it->count)
        prefetch_record(it, it->at + AHEAD);
    it->in_tree = pt_record_at(&it->m->arena, it->records[it->at]);
    return stand_on(it, it->all ? pt_versions_newest(&it->m->arena, it->in_tree) : readable(it));
}

/* The same at its oldest version. */
static peat_rc enter_backward(mem_iter *it)
{
    if (it->at >= AHEAD)
        prefetch_record(it, it->at - AHEAD);
    it->in_tree = pt_record_at(&it->m->arena, it->records[it->at]);
    return stand_on(it, it->all ? pt_versions_oldest(&it->m->arena, it->in_tree) : readable(it));
}

/* it->at is behind or on a slot of the copy. */
static peat_rc forward_from(mem_iter *it)
{
    while (it->at == it->count) {
        if (it->next == 0)
            return PEAT_END;
        load_leaf(it, it->next, true);
        it->at = 0;
    }
    return enter_forward(it);
}

/* `behind` slots of the copy are still to come. */
static peat_rc backward_from(mem_iter *it, uint32_t behind)
{
    while (behind == 0) {
        uint32_t lo = it->lo;
        if (lo == 0)
            return PEAT_END;
        load_leaf(it, it->prev, false);
        while (it->hi != lo)
            load_leaf(it, it->next, false);
        behind = it->count;
    }
    it->at = behind - 1;
    return enter_backward(it);
}

static peat_rc iter_first(pt_iter *base)
{
    mem_iter *it = mem_iter_of(base);
    load_leaf(it, it->m->left_leaf, true);
    it->at = 0;
    return forward_from(it);
}

static peat_rc iter_last(pt_iter *base)
{
    mem_iter *it = mem_iter_of(base);
    load_leaf(it, pt_load32(&it->m->right_leaf), false);
    while (it->next != 0) /* the edge moved meanwhile */
        load_leaf(it, it->next, false);
    return backward_from(it, it->count);
}

static peat_rc iter_seek(pt_iter *base, pt_slice key)
{
    mem_iter *it = mem_iter_of(base);
    bool empty;
    int side = pt_tree_side(it->m, key, &empty);
    if (empty || side > 0)
        return PEAT_END;
    if (side < 0)
        return iter_first(base);
    (void)load_leaf_of(it, key); /* at or behind the key is all the same */
    return forward_from(it);
}

static peat_rc iter_seek_for_prev(pt_iter *base, pt_slice key)
{
    mem_iter *it = mem_iter_of(base);
    bool empty;
    int side = pt_tree_side(it->m, key, &empty);
    if (empty || side < 0)
        return PEAT_END;
    if (side > 0)
        return iter_last(base);
    bool found = load_leaf_of(it, key);
    return backward_from(it, it->at + found);
}

/* The key has versions beside the one that stands in the tree, and all are shown. */
static bool has_versions(const mem_iter *it)
{
    return it->all && PT_UNLIKELY(pt_record_link(it->in_tree) != 0);
}

static peat_rc iter_next(pt_iter *base)
{
    mem_iter *it = mem_iter_of(base);
    if (has_versions(it)) {
        const pt_record *r = pt_versions_older(&it->m->arena, it->in_tree, it->version);
        if (r != NULL)
            return stand_on(it, r);
    }
    it->at++;
    return forward_from(it);
}

static peat_rc iter_prev(pt_iter *base)
{
    mem_iter *it = mem_iter_of(base);
    if (has_versions(it)) {
        const pt_record *r = pt_versions_newer(&it->m->arena, it->in_tree, it->version);
        if (r != NULL)
            return stand_on(it, r);
    }
    return backward_from(it, it->at);
}

static void iter_done(pt_iter *base)
{
    mem_iter *it = mem_iter_of(base);
    pt_memtable *m = it->m;
    pt_free(m->arena.env, it);
    pt_memtable_unref(m);
}

static const pt_iter_ops mem_iter_ops = {
    .last = iter_last,
    .seek = iter_seek,
    .seek_for_prev = iter_seek_for_prev,
    .next = iter_next,
    .prev = iter_prev,
    .done = iter_done,
};

static peat_rc iter_new(pt_memtable *m, bool all, uint64_t seq, pt_iter **ret_iter)
{
    mem_iter *it = pt_alloc_zero(m->arena.env, sizeof *it);
    if (it == NULL)
        return PEAT_NOMEM;
    it->base.ops = &mem_iter_ops;
    it->m = pt_memtable_ref(m);
    it->all = all;
    it->seq = seq;
    *ret_iter = &it->base;
    return PEAT_OK;
}

peat_rc pt_memtable_iter_new(pt_memtable *m, pt_iter **ret_iter)
{
    return iter_new(m, true, 0, ret_iter);
}

peat_rc pt_memtable_iter_new_at(pt_memtable *m, uint64_t seq, pt_iter **ret_iter)
{
    return iter_new(m, false, seq, ret_iter);
}
