/* SPDX-License-Identifier: MIT */
/*
 * memtable_probe.c - pt_memtable_get as a probe (entry/probe.h): the next node is asked for, then
 * the record, and looked at in the step that follows. Others write meanwhile: the versions of nodes
 * tell, as in a walk without pauses (tree.h, 4), and then the probe begins anew at the root.
 */
#include "mem/tree.h"

#define RECORD_BYTES ((size_t)3 * PT_PROBE_LINE_BYTES) /* head, key, and a value of some size */

/* The root's lines are near: every lookup comes by. */
static void begin_at_root(pt_memtable_probe *p)
{
    p->ref = pt_load32(&p->m->root);
    p->node = NULL;
    p->record = 0;
}

pt_probe_state pt_memtable_probe_begin(pt_memtable_probe *p, const pt_memtable *m, pt_slice key)
{
    bool empty;
    if (pt_tree_side(m, key, &empty) != 0 || empty)
        return PT_PROBE_ABSENT;
    p->m = m;
    begin_at_root(p);
    return PT_PROBE_COMES;
}

/* The node that `ref` names has come. Its version, if it is still the one to go on in. */
static bool enter_node(const pt_memtable_probe *p, uint64_t *ret_version)
{
    *ret_version = pt_node_version(p->m, (pt_node *)pt_ref_at(p->m, p->ref));
    return p->node == NULL ? pt_load32(&p->m->root) == p->ref
                           : pt_node_unchanged(p->node, p->version);
}

static void search_inner(pt_memtable_probe *p, pt_slice key)
{
    uint32_t at;
    pt_inner *inner = pt_inner_search(p->m, p->ref, key, &at);
    p->ref = pt_inner_child(inner, at);
    pt_node_prefetch(p->m, p->ref);
}

/* In a leaf keys are compared by their heads; the record of the first equal one is asked for. */
static pt_probe_state step_node(pt_memtable_probe *p, pt_slice key)
{
    uint64_t version;
    if (!enter_node(p, &version)) {
        begin_at_root(p);
        return PT_PROBE_COMES;
    }
    p->node = (pt_node *)pt_ref_at(p->m, p->ref);
    p->version = version;
    if (!pt_ref_is_leaf(p->ref)) {
        search_inner(p, key);
        return PT_PROBE_COMES;
    }
    p->record = pt_leaf_candidate((const pt_leaf *)(const void *)p->node, key);
    if (p->record != 0) {
        pt_probe_ask(pt_record_at(&p->m->arena, p->record), RECORD_BYTES);
        return PT_PROBE_COMES;
    }
    if (pt_node_unchanged(p->node, p->version))
        return PT_PROBE_ABSENT;
    begin_at_root(p);
    return PT_PROBE_COMES;
}

pt_probe_state pt_memtable_probe_step(pt_memtable_probe *p, pt_slice key, uint64_t seq_max,
                                      pt_entry *ret_entry)
{
    if (p->record == 0)
        return step_node(p, key);
    pt_place place;
    uint32_t looks = 0;
    pt_leaf_search(p->m, (pt_leaf *)(void *)p->node, key, &place);
    if (place.record == 0 && !pt_node_unchanged(p->node, p->version)) {
        begin_at_root(p);
        return PT_PROBE_COMES;
    }
    if (place.record == 0)
        return PT_PROBE_ABSENT;
    const pt_arena *a = &p->m->arena;
    const pt_record *found = pt_versions_visible(a, pt_record_at(a, place.record), seq_max, &looks);
    if (found == NULL)
        return PT_PROBE_ABSENT;
    pt_record_entry(found, ret_entry);
    return PT_PROBE_FOUND;
}
