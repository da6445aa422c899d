/* SPDX-License-Identifier: MIT */
/*
 * tree_add.c - adding to the memtable's tree; see tree.h. Where there is room, one leaf is locked.
 * What changes the shape, splits and the common prefix, holds `shape`, so that inner nodes are its
 * alone to change; they are locked only to make optimistic readers look again.
 *
 * A leaf split, while readers and writers go on elsewhere:
 *   1. on the way down split every full inner node (parent and child locked), so that the parent of
 *      the leaf has room
 *   2. lock the leaf; whoever was quicker may have made room or added the same key
 *   3. lock the new right leaf: its neighbours and the right edge lead to it as soon as it is
 *      joined to them, and a writer at the edge needs no parent to get there
 *   4. fill it; shorten the old one; add the key to one of them
 *   5. lock the parent, link the right leaf, unlock it
 *   6. unlock both leaves: not before 5, or a reader could find the old parent and the shortened
 *      leaf both unchanged, and miss what moved
 */
#include "mem/tree.h"

/* Slots left behind on the left when the right edge grows: the rest is room for writers side by
 * side that arrive a little late. */
#define EDGE_KEEP(slots) ((slots) - (slots) / 16)
/* More ties than one in this many: heads should start further behind. */
#define TIES_PER_SLOTS 8u

static void leaf_insert(const pt_place *place, uint32_t record)
{
    pt_leaf *leaf = place->leaf;
    PT_ASSERT(pt_load64(&leaf->node.version) & 1, "I22: who changes a node that others can reach "
                                                  "has locked it");
    for (uint32_t i = place->count; i > place->at; i--) {
        pt_store64(&leaf->heads[i], pt_load64(&leaf->heads[i - 1]));
        pt_store32(&leaf->records[i], pt_load32(&leaf->records[i - 1]));
    }
    pt_store64(&leaf->heads[place->at], place->head);
    pt_store32(&leaf->records[place->at], record);
    pt_store32(&leaf->node.count, place->count + 1);
}

static size_t common_bytes(pt_slice a, pt_slice b)
{
    size_t n = a.size < b.size ? a.size : b.size, i = 0;
    while (i < n && a.data[i] == b.data[i])
        i++;
    return i;
}

static bool has_many_ties(const _Atomic uint64_t *heads, uint32_t count)
{
    uint32_t ties = 0;
    for (uint32_t i = 1; i < count; i++)
        ties += pt_load64(&heads[i]) == pt_load64(&heads[i - 1]);
    return ties * TIES_PER_SLOTS > count;
}

/* The node is locked or not linked yet. */
static void set_skip(const pt_memtable *m, pt_node *node, _Atomic uint64_t *heads,
                     const _Atomic uint32_t *records, uint32_t skip)
{
    uint32_t count = pt_load32(&node->count);
    for (uint32_t i = 0; i < count; i++)
        PT_PREFETCH(pt_record_at(&m->arena, pt_load32(&records[i])));
    pt_store32(&node->skip, skip);
    for (uint32_t i = 0; i < count; i++)
        pt_store64(&heads[i], pt_head_behind(pt_key_at(m, pt_load32(&records[i])), skip));
}

/* After a split the fences are closer together and may share more. */
static void tighten(const pt_memtable *m, pt_node *node, _Atomic uint64_t *heads,
                    const _Atomic uint32_t *records)
{
    uint32_t lo = pt_load32(&node->lo), hi = pt_load32(&node->hi);
    if (lo == 0 || hi == 0 || !has_many_ties(heads, pt_load32(&node->count)))
        return;
    size_t skip = common_bytes(pt_key_at(m, lo), pt_key_at(m, hi));
    if (skip > pt_load32(&node->skip))
        set_skip(m, node, heads, records, (uint32_t)skip);
}

static void inner_insert(const pt_memtable *m, pt_inner *inner, uint32_t at, uint32_t separator,
                         uint32_t child)
{
    uint32_t count = pt_load32(&inner->node.count);
    PT_ASSERT(count < PT_INNER_SLOTS, "full nodes were split on the way down");
    for (uint32_t i = count; i > at; i--) {
        pt_store64(&inner->heads[i], pt_load64(&inner->heads[i - 1]));
        pt_store32(&inner->separators[i], pt_load32(&inner->separators[i - 1]));
        pt_store32(&inner->children[i], pt_load32(&inner->children[i - 1]));
    }
    uint32_t skip = pt_load32(&inner->node.skip);
    pt_store64(&inner->heads[at], pt_head_behind(pt_key_at(m, separator), skip));
    pt_store32(&inner->separators[at], separator);
    pt_store32(&inner->children[at], child);
    pt_store32(&inner->node.count, count + 1);
}

/* Links `right` behind `separator`: in the parent at `at`, or below a new root when there is no
 * parent. The left node is locked. */
static void link_right(pt_memtable *m, pt_inner *parent, uint32_t at, uint32_t left,
                       uint32_t separator, uint32_t right)
{
    if (parent != NULL) {
        uint64_t version = pt_node_lock(m, &parent->node);
        inner_insert(m, parent, at, separator, right);
        pt_node_unlock(&parent->node, version);
        return;
    }
    uint32_t ref = pt_inner_new(m);
    pt_inner *root = pt_ref_at(m, ref);
    pt_store32(&root->node.skip, pt_load32(&m->prefix_size));
    pt_store32(&root->first_child, left);
    inner_insert(m, root, 0, separator, right);
    pt_store32(&m->root, ref);
}

/* Moves the upper part of a full inner node into a new one. */
static void split_inner(pt_memtable *m, pt_inner *parent, uint32_t parent_at, uint32_t ref,
                        bool at_right_edge)
{
    PT_DCHECK(pt_mutex_held(&m->shape), "the tree's shape changes under its lock");
    pt_inner *left = pt_ref_at(m, ref);
    uint32_t right_ref = pt_inner_new(m);
    pt_inner *right = pt_ref_at(m, right_ref);
    uint32_t keep = at_right_edge ? (uint32_t)EDGE_KEEP(PT_INNER_SLOTS) : PT_INNER_SLOTS / 2;
    uint32_t separator = pt_load32(&left->separators[keep]);

    pt_store32(&right->first_child, pt_load32(&left->children[keep]));
    for (uint32_t i = keep + 1, to = 0; i < PT_INNER_SLOTS; i++, to++) {
        pt_store64(&right->heads[to], pt_load64(&left->heads[i]));
        pt_store32(&right->separators[to], pt_load32(&left->separators[i]));
        pt_store32(&right->children[to], pt_load32(&left->children[i]));
    }
    pt_store32(&right->node.count, (uint32_t)PT_INNER_SLOTS - keep - 1);
    pt_store32(&right->node.skip, pt_load32(&left->node.skip));
    pt_store32(&right->node.lo, separator);
    pt_store32(&right->node.hi, pt_load32(&left->node.hi));
    tighten(m, &right->node, right->heads, right->separators);

    uint64_t version = pt_node_lock(m, &left->node);
    pt_store32(&left->node.count, keep);
    pt_store32(&left->node.hi, separator);
    for (uint32_t i = keep; i < PT_INNER_SLOTS; i++)
        pt_store64(&left->heads[i], PT_HEAD_FREE);
    tighten(m, &left->node, left->heads, left->separators);
    link_right(m, parent, parent_at, ref, separator, right_ref);
    pt_node_unlock(&left->node, version);
}

/* A leaf and the inner node it hangs below, which has room. */
typedef struct way {
    pt_inner *parent; /* NULL: the leaf is the root */
    uint32_t at;      /* the leaf's place in the parent */
    uint32_t leaf;
} way;

static way way_to_leaf(pt_memtable *m, pt_slice key)
{
    way w = {.leaf = pt_load32(&m->root)};
    while (!pt_ref_is_leaf(w.leaf)) {
        uint32_t at;
        pt_inner *inner = pt_inner_search(m, w.leaf, key, &at);
        if (pt_load32(&inner->node.count) == PT_INNER_SLOTS) {
            bool at_edge = at == PT_INNER_SLOTS && pt_load32(&inner->node.hi) == 0;
            split_inner(m, w.parent, w.at, w.leaf, at_edge);
            w = (way){.leaf = pt_load32(&m->root)}; /* once in a thousand splits: from the top */
            continue;
        }
        w = (way){.parent = inner,
                  .at = at,
                  .leaf = pt_load32(at == 0 ? &inner->first_child : &inner->children[at - 1])};
    }
    return w;
}

static void move_upper_slots(pt_leaf *left, pt_leaf *right, uint32_t keep)
{
    for (uint32_t i = keep, to = 0; i < PT_LEAF_SLOTS; i++, to++) {
        pt_store64(&right->heads[to], pt_load64(&left->heads[i]));
        pt_store64(&left->heads[i], PT_HEAD_FREE);
        pt_store32(&right->records[to], pt_load32(&left->records[i]));
    }
    pt_store32(&right->node.count, (uint32_t)PT_LEAF_SLOTS - keep);
    pt_store32(&left->node.count, keep);
}

/* Puts `right` between the locked leaf and its right neighbour. */
static void join_neighbours(pt_memtable *m, uint32_t left_ref, uint32_t right_ref)
{
    pt_leaf *left = pt_ref_at(m, left_ref), *right = pt_ref_at(m, right_ref);
    uint32_t separator = pt_load32(&right->records[0]);
    uint32_t next = pt_load32(&left->next);
    pt_store32(&right->node.lo, separator);
    pt_store32(&right->node.hi, pt_load32(&left->node.hi));
    pt_store32(&right->next, next);
    pt_store32(&right->prev, left_ref);
    pt_store32(&left->node.hi, separator);
    pt_store32(&left->next, right_ref);
    if (next != 0)
        pt_store32(&((pt_leaf *)pt_ref_at(m, next))->prev, right_ref);
    else
        pt_store32(&m->right_leaf, right_ref);
}

/* Steps 3 to 5, and the end of 6 for the new leaf. The old one is locked and full; the key belongs
 * at `place` and is not there. */
static void split_leaf(pt_memtable *m, const way *w, pt_place place, pt_slice key, uint32_t record)
{
    pt_leaf *left = place.leaf;
    uint32_t right_ref = m->stock_leaf;
    PT_DCHECK(pt_mutex_held(&m->shape), "the tree's shape changes under its lock");
    PT_ASSERT(right_ref != 0, "a leaf is in stock before one is locked");
    m->stock_leaf = 0;
    pt_leaf *right = pt_ref_at(m, right_ref);
    uint64_t right_version = pt_node_lock(m, &right->node);
    bool appends = place.at == PT_LEAF_SLOTS && pt_load32(&left->node.hi) == 0;
    uint32_t keep = appends ? (uint32_t)EDGE_KEEP(PT_LEAF_SLOTS) : PT_LEAF_SLOTS / 2;

    move_upper_slots(left, right, keep);
    pt_store32(&right->node.skip, pt_load32(&left->node.skip));
    join_neighbours(m, w->leaf, right_ref);
    tighten(m, &left->node, left->heads, left->records);
    tighten(m, &right->node, right->heads, right->records);

    bool to_right = place.at > keep;
    place.leaf = to_right ? right : left;
    place.at -= to_right ? keep : 0;
    place.count = pt_load32(&place.leaf->node.count);
    place.head = pt_head_behind(key, pt_load32(&place.leaf->node.skip));
    leaf_insert(&place, record);

    link_right(m, w->parent, w->at, w->leaf, pt_load32(&right->node.lo), right_ref);
    pt_node_unlock(&right->node, right_version);
}

/* Takes a leaf before any lock: the first touch of new memory may take long. */
static void stock_up(pt_memtable *m)
{
    if (m->stock_leaf == 0)
        m->stock_leaf = pt_leaf_new(m);
}

/* Makes room in the leaf where the key belongs and adds it there, if it is full. */
static void add_splitting(pt_memtable *m, pt_slice key, uint32_t record)
{
    pt_mutex_lock(&m->shape);
    stock_up(m);
    way w = way_to_leaf(m, key);
    pt_leaf *leaf = pt_ref_at(m, w.leaf);
    uint64_t version = pt_node_lock(m, &leaf->node);
    pt_place place;
    pt_leaf_search(m, leaf, key, &place);
    if (place.record != 0)
        pt_versions_add(&m->arena, pt_record_at(&m->arena, place.record), record);
    else if (place.count < PT_LEAF_SLOTS)
        leaf_insert(&place, record);
    else
        split_leaf(m, &w, place, key, record);
    pt_node_unlock(&leaf->node, version);
    pt_mutex_unlock(&m->shape);
}

/* Shortens what the nodes at one edge skip; the prefix itself follows, so that whoever sees it sees
 * them too. */
static void loosen_edge(pt_memtable *m, bool right, uint32_t skip)
{
    uint32_t ref = pt_load32(&m->root);
    for (;;) {
        pt_node *node = pt_ref_at(m, ref);
        uint64_t version = pt_node_lock(m, node);
        bool is_leaf = pt_ref_is_leaf(ref);
        if (is_leaf) {
            pt_leaf *leaf = pt_ref_at(m, ref);
            set_skip(m, node, leaf->heads, leaf->records, skip);
        } else {
            pt_inner *inner = pt_ref_at(m, ref);
            uint32_t count = pt_load32(&node->count);
            set_skip(m, node, inner->heads, inner->separators, skip);
            ref = pt_load32(right ? &inner->children[count - 1] : &inner->first_child);
        }
        pt_node_unlock(node, version);
        if (is_leaf)
            return;
    }
}

/* Shortens the prefix until it covers the key; the first key becomes the prefix. */
static void cover(pt_memtable *m, pt_slice key, uint32_t record)
{
    pt_mutex_lock(&m->shape);
    uint32_t first = pt_load32(&m->prefix_record);
    uint32_t size = (uint32_t)key.size;
    if (first != 0) {
        pt_slice prefix = pt_slice_of(pt_key_at(m, first).data, pt_load32(&m->prefix_size));
        size = (uint32_t)common_bytes(prefix, key);
    }
    if (first == 0 || size < pt_load32(&m->prefix_size)) {
        loosen_edge(m, false, size);
        loosen_edge(m, true, size);
        pt_store32(&m->prefix_size, size);
        if (first == 0)
            pt_store32(&m->prefix_record, record);
    }
    pt_mutex_unlock(&m->shape);
}

/* Where the key belongs if that is behind every key there is: no descent for ascending keys. */
static bool find_at_right_edge(const pt_memtable *m, pt_slice key, pt_place *ret_place)
{
    pt_leaf *leaf = pt_ref_at(m, pt_load32(&m->right_leaf));
    uint64_t version = pt_load64(&leaf->node.version);
    uint32_t count = pt_load32(&leaf->node.count);
    if (count == 0 || (version & 1))
        return false;
    uint64_t head = pt_head_behind(key, pt_load32(&leaf->node.skip));
    uint64_t last = pt_load64(&leaf->heads[count - 1]);
    if (last > head ||
        (last == head &&
         pt_slice_compare(pt_key_at(m, pt_load32(&leaf->records[count - 1])), key) >= 0))
        return false;
    *ret_place =
        (pt_place){.leaf = leaf, .version = version, .head = head, .at = count, .count = count};
    /* hi is read behind the version: with the version unchanged it is still the right edge */
    return pt_load32(&leaf->node.hi) == 0;
}

void pt_tree_add(pt_memtable *m, pt_slice key, uint32_t record)
{
    for (;;) {
        bool empty;
        pt_place place;
        if (PT_UNLIKELY(pt_tree_side(m, key, &empty) != 0 || empty)) {
            cover(m, key, record);
            continue;
        }
        if (!find_at_right_edge(m, key, &place))
            pt_tree_find(m, key, &place);
        if (place.record != 0) {
            pt_versions_add(&m->arena, pt_record_at(&m->arena, place.record), record);
            return;
        }
        if (place.count == PT_LEAF_SLOTS) {
            add_splitting(m, key, record);
            return;
        }
        if (PT_UNLIKELY(!pt_node_try_lock(&place.leaf->node, place.version)))
            continue;
        leaf_insert(&place, record);
        pt_node_unlock(&place.leaf->node, place.version + 2);
        return;
    }
}
