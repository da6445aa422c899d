/* SPDX-License-Identifier: MIT */
/* versions.c - see versions.h. */
#include "mem/versions.h"

static uint32_t depth_of(const pt_arena *a, uint32_t node)
{
    return node != 0 ? pt_later_at(a, node)->depth : 0;
}

static uint32_t jump_of(const pt_arena *a, uint32_t node)
{
    return node != 0 ? pt_later_at(a, node)->jump : 0;
}

/* Two jumps of the same length behind the next node become one of both; else it jumps there. */
static void link_before(const pt_arena *a, pt_later *l, uint32_t next)
{
    uint32_t jump = jump_of(a, next), second = jump_of(a, jump);
    uint32_t depth = depth_of(a, next), middle = depth_of(a, jump);
    bool alike = depth - middle == middle - depth_of(a, second);
    l->jump = next != 0 && alike ? second : next;
    l->depth = depth + 1;
    /* relaxed: published by the compare-and-swap */
    atomic_store_explicit(&l->next, next, memory_order_relaxed);
}

void pt_versions_add(pt_arena *a, pt_record *in_tree, uint32_t record)
{
    pt_record *r = pt_record_at(a, record);
    uint64_t seq = pt_record_seq(r);
    PT_DCHECK(pt_slice_equal(pt_record_key(r), pt_record_key(in_tree)), "versions are of one key");
    PT_DCHECK(r != in_tree, "a record is added once");
    uint32_t node = pt_arena_record(a, sizeof(pt_later)), looks = 0;
    pt_later *l = pt_later_at(a, node);
    l->record = record;
    atomic_store_explicit(&r->link, node, memory_order_relaxed);
    uint32_t next = pt_record_link(in_tree);
    uint32_t newer = pt_versions_last_newer(a, next, seq, &looks);
    _Atomic uint32_t *place = newer != 0 ? &pt_later_at(a, newer)->next : &in_tree->link;
    if (PT_UNLIKELY(newer != 0))
        next = pt_later_next(pt_later_at(a, newer));
    do {
        /* who came in between */
        while (next != 0 && pt_record_seq(pt_later_record(a, next)) > seq) {
            place = &pt_later_at(a, next)->next;
            next = pt_later_next(pt_later_at(a, next));
        }
        link_before(a, l, next);
        /* release: pairs with pt_record_link and pt_later_next; record and node are complete */
    } while (!atomic_compare_exchange_weak_explicit(place, &next, node, memory_order_release,
                                                    memory_order_acquire));
}

static const pt_record *record_of(const pt_arena *a, uint32_t node)
{
    return node != 0 ? pt_later_record(a, node) : NULL;
}

const pt_record *pt_versions_newest(const pt_arena *a, const pt_record *in_tree)
{
    const pt_record *r = record_of(a, pt_record_link(in_tree));
    return r != NULL && pt_record_seq(r) > pt_record_seq(in_tree) ? r : in_tree;
}

/* Sequences differ, so that one of the list at most is the smallest there can be, 0. */
const pt_record *pt_versions_oldest(const pt_arena *a, const pt_record *in_tree)
{
    uint32_t looks = 0, first = pt_record_link(in_tree);
    uint32_t last = pt_versions_last_newer(a, first, 0, &looks);
    uint32_t behind = last != 0 ? pt_later_next(pt_later_at(a, last)) : first;
    const pt_record *r = record_of(a, behind != 0 ? behind : last);
    return r != NULL && pt_record_seq(r) < pt_record_seq(in_tree) ? r : in_tree;
}

const pt_record *pt_versions_older(const pt_arena *a, const pt_record *in_tree, const pt_record *r)
{
    uint64_t seq = pt_record_seq(r), own = pt_record_seq(in_tree);
    uint32_t looks = 0, at = pt_record_link(r);
    if (r != in_tree)
        at = pt_later_next(pt_later_at(a, at));
    else if (own != 0)
        return pt_versions_visible(a, in_tree, own - 1, &looks);
    else
        return NULL;
    const pt_record *older = record_of(a, at);
    bool own_is_next = own < seq && (older == NULL || own > pt_record_seq(older));
    return own_is_next ? in_tree : older;
}

const pt_record *pt_versions_newer(const pt_arena *a, const pt_record *in_tree, const pt_record *r)
{
    uint64_t seq = pt_record_seq(r), own = pt_record_seq(in_tree);
    uint32_t looks = 0;
    const pt_record *newer =
        record_of(a, pt_versions_last_newer(a, pt_record_link(in_tree), seq, &looks));
    bool own_is_next = own > seq && (newer == NULL || own < pt_record_seq(newer));
    return own_is_next ? in_tree : newer;
}
