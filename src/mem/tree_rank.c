/* SPDX-License-Identifier: MIT */
/*
 * tree_rank.c - how much of a memtable lies in a range, without walking its entries one by one.
 *
 * Leaves are counted by their parents: an inner node names up to PT_INNER_SLOTS + 1 of them, so
 * their counts are loaded side by side. Only the two leaves at the ends are searched. One parent
 * after the other, each read as tree.h says and again when it has changed meanwhile; while others
 * write the sum is of no single moment, and without writers it is exact.
 */
#include "mem/tree.h"

typedef struct measure {
    const pt_memtable *m;
    pt_slice lower, upper; /* data NULL: from the first key on, to the last */
    uint64_t entries, bytes;
    bool want_bytes;
} measure;

static uint64_t newest_bytes(const pt_memtable *m, uint32_t record)
{
    pt_entry e;
    const pt_record *in_tree = pt_record_at(&m->arena, record);
    pt_record_entry(pt_versions_newest(&m->arena, in_tree), &e);
    return e.key.size - PT_KEYSPACE_BYTES + e.value.size;
}

/* Slots of the leaf before the key. While the leaf splits it may be a few too many or too few. */
static uint32_t slots_before(const pt_memtable *m, pt_leaf *leaf, pt_slice key)
{
    pt_place place;
    uint64_t version;
    do {
        version = pt_node_version(m, &leaf->node);
        pt_leaf_search(m, leaf, key, &place);
    } while (!pt_node_unchanged(&leaf->node, version));
    return place.at;
}

static void add_leaf(measure *w, uint32_t ref, bool first, bool last)
{
    pt_leaf *leaf = pt_ref_at(w->m, ref);
    uint32_t from = first && w->lower.data != NULL ? slots_before(w->m, leaf, w->lower) : 0;
    uint32_t to = last && w->upper.data != NULL ? slots_before(w->m, leaf, w->upper)
                                                : pt_load32(&leaf->node.count);
    if (to > from)
        w->entries += to - from;
    for (uint32_t i = from; w->want_bytes && i < to; i++)
        w->bytes += newest_bytes(w->m, pt_load32(&leaf->records[i]));
}

static uint32_t child_at(const pt_inner *inner, uint32_t at)
{
    return pt_load32(at == 0 ? &inner->first_child : &inner->children[at - 1]);
}

/* Some children of one parent of leaves, in order. */
typedef struct family {
    uint32_t refs[PT_INNER_SLOTS + 1];
    uint32_t count;
    bool last;   /* the range ends in the last of them */
    uint32_t hi; /* the record whose key comes behind them; 0: there is none */
} family;

/* The parent of the leaf where the key belongs (data NULL: the leftmost) and which of its children
 * that is; the root, when it is a leaf itself. False: something changed on the way. */
static bool find_parent(const pt_memtable *m, pt_slice key, uint32_t *ret_ref, uint32_t *ret_at,
                        uint64_t *ret_version)
{
    uint32_t ref = pt_load32(&m->root), at = 0;
    uint64_t version = pt_node_version(m, pt_ref_at(m, ref));
    if (pt_load32(&m->root) != ref)
        return false;
    while (!pt_ref_is_leaf(ref)) {
        at = 0;
        if (key.data != NULL)
            (void)pt_inner_search(m, ref, key, &at);
        uint32_t child = child_at(pt_ref_at(m, ref), at);
        if (pt_ref_is_leaf(child))
            break;
        uint64_t child_version = pt_node_version(m, pt_ref_at(m, child));
        if (!pt_node_unchanged(pt_ref_at(m, ref), version))
            return false;
        ref = child;
        version = child_version;
    }
    *ret_ref = ref;
    *ret_at = at;
    *ret_version = version;
    return true;
}

/* The children from where the key belongs to the end of the parent or of the range. */
static bool read_family(const measure *w, pt_slice key, family *ret)
{
    const pt_memtable *m = w->m;
    uint32_t ref, at;
    uint64_t version;
    if (!find_parent(m, key, &ref, &at, &version))
        return false;
    const pt_node *node = pt_ref_at(m, ref);
    ret->hi = pt_load32(&node->hi);
    ret->last = ret->hi == 0 ||
                (w->upper.data != NULL && pt_slice_compare(w->upper, pt_key_at(m, ret->hi)) <= 0);
    ret->count = 0;
    if (pt_ref_is_leaf(ref)) {
        ret->refs[ret->count++] = ref;
    } else {
        uint32_t end = pt_load32(&node->count);
        if (ret->last && w->upper.data != NULL)
            (void)pt_inner_search(m, ref, w->upper, &end);
        for (uint32_t i = at; i <= end; i++)
            ret->refs[ret->count++] = child_at(pt_ref_at(m, ref), i);
    }
    return pt_node_unchanged(node, version);
}

/* What lies outside the prefix that all keys have in common is before or behind all of them. False:
 * nothing of the table is in the range. */
static bool clamp(measure *w)
{
    bool empty;
    int from = w->lower.data != NULL ? pt_tree_side(w->m, w->lower, &empty) : -1;
    int to = w->upper.data != NULL ? pt_tree_side(w->m, w->upper, &empty) : 1;
    if (pt_load32(&w->m->prefix_record) == 0 || from > 0 || to < 0)
        return false;
    if (from < 0)
        w->lower = (pt_slice){0};
    if (to > 0)
        w->upper = (pt_slice){0};
    return true;
}

void pt_memtable_measure(const pt_memtable *m, pt_slice lower, pt_slice upper,
                         uint64_t *ret_entries, uint64_t *ret_bytes)
{
    measure w = {.m = m, .lower = lower, .upper = upper, .want_bytes = ret_bytes != NULL};
    family f = {.last = !clamp(&w)};
    pt_slice key = w.lower;
    for (bool first = true; !f.last; first = false) {
        while (!read_family(&w, key, &f))
            continue;
        for (uint32_t i = 0; i < f.count; i++)
            add_leaf(&w, f.refs[i], first && i == 0, f.last && i + 1 == f.count);
        key = f.last ? key : pt_key_at(m, f.hi);
    }
    *ret_entries = w.entries;
    if (ret_bytes != NULL)
        *ret_bytes = w.bytes;
}
