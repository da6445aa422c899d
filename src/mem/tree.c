/* SPDX-License-Identifier: MIT */
/* tree.c - searching the memtable's tree; see tree.h. */
#include "mem/tree.h"

/* About 5 us: a locked node is free again within one while its owner runs. */
#define SPINS_MAX 200
/* Else the owner has lost its core: leave it ours. */
#define NAP_NS 20000u

void pt_node_wait(const pt_memtable *m, unsigned *io_tries)
{
    if (++*io_tries < SPINS_MAX)
        pt_spin_pause();
    else
        m->arena.env->sleep_ns(m->arena.env->ctx, NAP_NS);
}

/* Number of heads below `head` among `slots` ascending ones. Three probes a round, because their
 * loads overlap; no branches, since their outcome is a coin's; and always over the whole node (free
 * slots hold the highest head), so that inlined with a constant the rounds are fixed too. */
static inline uint32_t heads_below(const _Atomic uint64_t *heads, uint32_t slots, uint64_t head)
{
    const _Atomic uint64_t *base = heads;
    uint32_t n = slots;
    while (n >= 4) {
        uint32_t quarter = n / 4;
        uint32_t below = (uint32_t)(pt_load64(&base[quarter - 1]) < head) +
                         (uint32_t)(pt_load64(&base[2 * quarter - 1]) < head) +
                         (uint32_t)(pt_load64(&base[3 * quarter - 1]) < head);
        base += below * quarter;
        n -= 3 * quarter; /* at least a quarter, and inside the array wherever base is */
    }
    uint32_t rest = 0;
    for (uint32_t i = 0; i < n; i++)
        rest += pt_load64(&base[i]) < head;
    return (uint32_t)(base - heads) + rest;
}

/* The slot at `at` has the key's head: the first slot at or behind it that is not below the key.
 * *ret_record: that slot's, if it is the key's, else 0. */
static uint32_t among_ties(const pt_memtable *m, const _Atomic uint64_t *heads,
                           const _Atomic uint32_t *records, uint32_t at, uint32_t count,
                           uint64_t head, pt_slice key, uint32_t *ret_record)
{
    uint32_t lo = at, hi = count, mid = at; /* a single tie is the rule */
    while (lo < hi) {
        uint32_t record = pt_load32(&records[mid]);
        int c = pt_load64(&heads[mid]) > head ? 1 : pt_slice_compare(pt_key_at(m, record), key);
        if (c == 0) {
            *ret_record = record;
            return mid;
        }
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
        mid = lo + (hi - lo) / 2;
    }
    return lo;
}

static inline uint32_t search_slots(const pt_memtable *m, const _Atomic uint64_t *heads,
                                    const _Atomic uint32_t *records, uint32_t slots, uint32_t count,
                                    uint64_t head, pt_slice key, uint32_t *ret_record)
{
    *ret_record = 0;
    uint32_t at = heads_below(heads, slots, head);
    if (at >= count)
        return count; /* more than count only while the node changes */
    if (pt_load64(&heads[at]) == head)
        return among_ties(m, heads, records, at, count, head, key, ret_record);
    return at;
}

void pt_leaf_search(const pt_memtable *m, pt_leaf *leaf, pt_slice key, pt_place *ret_place)
{
    ret_place->leaf = leaf;
    ret_place->count = pt_load32(&leaf->node.count);
    ret_place->head = pt_head_behind(key, pt_load32(&leaf->node.skip));
    ret_place->at = search_slots(m, leaf->heads, leaf->records, PT_LEAF_SLOTS, ret_place->count,
                                 ret_place->head, key, &ret_place->record);
}

uint32_t pt_leaf_candidate(const pt_leaf *leaf, pt_slice key)
{
    uint64_t head = pt_head_behind(key, pt_load32(&leaf->node.skip));
    uint32_t at = heads_below(leaf->heads, PT_LEAF_SLOTS, head);
    bool equal = at < pt_load32(&leaf->node.count) && pt_load64(&leaf->heads[at]) == head;
    return equal ? pt_load32(&leaf->records[at]) : 0;
}

pt_inner *pt_inner_search(const pt_memtable *m, uint32_t ref, pt_slice key, uint32_t *ret_at)
{
    pt_inner *inner = pt_ref_at(m, ref);
    uint64_t head = pt_head_behind(key, pt_load32(&inner->node.skip));
    uint32_t equal;
    *ret_at = search_slots(m, inner->heads, inner->separators, PT_INNER_SLOTS,
                           pt_load32(&inner->node.count), head, key, &equal);
    *ret_at += equal != 0;
    return inner;
}

/* The leaf where the key belongs, and its version at a time when it did; false: try again. */
static inline bool try_descend(const pt_memtable *m, pt_slice key, pt_leaf **ret_leaf,
                               uint64_t *ret_version)
{
    uint32_t ref = pt_load32(&m->root);
    pt_node *node = pt_ref_at(m, ref);
    uint64_t version = pt_node_version(m, node);
    if (pt_load32(&m->root) != ref)
        return false;
    while (!pt_ref_is_leaf(ref)) {
        uint32_t at;
        pt_inner *inner = pt_inner_search(m, ref, key, &at);
        ref = pt_inner_child(inner, at);
        pt_node_prefetch(m, ref);
        pt_node *child = pt_ref_at(m, ref);
        uint64_t child_version = pt_node_version(m, child);
        if (!pt_node_unchanged(node, version))
            return false;
        node = child;
        version = child_version;
    }
    *ret_leaf = pt_ref_at(m, ref);
    *ret_version = version;
    return true;
}

void pt_tree_descend(const pt_memtable *m, pt_slice key, pt_leaf **ret_leaf, uint64_t *ret_version)
{
    while (!try_descend(m, key, ret_leaf, ret_version))
        continue;
}

void pt_tree_find(const pt_memtable *m, pt_slice key, pt_place *ret_place)
{
    pt_leaf *leaf;
    uint64_t version;
    do {
        pt_tree_descend(m, key, &leaf, &version);
        pt_leaf_search(m, leaf, key, ret_place);
        ret_place->version = version;
    } while (ret_place->record == 0 && !pt_node_unchanged(&leaf->node, version));
}

static void clear_heads(_Atomic uint64_t *heads, size_t slots)
{
    for (size_t i = 0; i < slots; i++)
        pt_store64(&heads[i], PT_HEAD_FREE);
}

uint32_t pt_leaf_new(pt_memtable *m)
{
    uint32_t ref = pt_arena_node(&m->arena, PT_LEAF_BYTES) / PT_REF_UNITS | PT_REF_LEAF;
    clear_heads(((pt_leaf *)pt_ref_at(m, ref))->heads, PT_LEAF_SLOTS);
    return ref;
}

uint32_t pt_inner_new(pt_memtable *m)
{
    uint32_t ref = pt_arena_node(&m->arena, PT_INNER_BYTES) / PT_REF_UNITS;
    clear_heads(((pt_inner *)pt_ref_at(m, ref))->heads, PT_INNER_SLOTS);
    return ref;
}

void pt_tree_init(pt_memtable *m)
{
    pt_mutex_init(&m->shape);
    uint32_t leaf = pt_leaf_new(m);
    m->left_leaf = leaf;
    pt_store32(&m->root, leaf);
    pt_store32(&m->right_leaf, leaf);
}
