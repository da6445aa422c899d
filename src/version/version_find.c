/* SPDX-License-Identifier: MIT */
/* version_find.c - see version_find.h. */
#include "version/version_find.h"

static pt_find step_table(pt_lookup *l, pt_tref *t)
{
    bool held = l->held_tref == t && l->held.data != NULL;
    l->tref = t;
    return pt_table_find(t->table, t->source, l->key, l->hash, l->seq_max, l->held_block,
                         held ? &l->held : NULL, &l->found);
}

/* All filters are asked for at once, so that their cache misses overlap. */
static void prefetch_filters(pt_lookup *l, const pt_partition *p)
{
    for (size_t i = 0; i < p->slice_count; i++)
        pt_table_prefetch(p->slices[i].tref->table, l->hash);
    l->prefetched = true;
}

static pt_find step_bottom(pt_lookup *l, const pt_partition *p)
{
    size_t n = pt_key_index_upper(&p->bottom_index, l->key);
    if (n == 0)
        return PT_FIND_ABSENT;
    pt_tref *t = p->bottom[n - 1].tref;
    if (pt_slice_compare(l->key, t->meta->key_max) > 0)
        return PT_FIND_ABSENT;
    return step_table(l, t);
}

pt_find pt_lookup_step(pt_lookup *l, const pt_version *v)
{
    const pt_partition *p = v->partitions[pt_version_partition_of(v, l->key)];
    pt_find f;
    if (!l->prefetched && p->slice_count > 1)
        prefetch_filters(l, p);
    for (; l->layer < p->slice_count; l->layer++) {
        pt_tref *t = p->slices[l->layer].tref;
        l->checks++;
        if (!pt_table_may_contain(t->table, l->hash)) {
            l->skips++;
            continue;
        }
        f = step_table(l, t);
        if (f != PT_FIND_ABSENT)
            return l->need = f;
    }
    return l->need = step_bottom(l, p);
}

static void release_held(pt_lookup *l)
{
    if (l->held.data != NULL)
        l->held_tref->source->release(l->held_tref->source, &l->held);
    l->held = (pt_block_ref){0};
}

peat_rc pt_lookup_fetch(pt_lookup *l)
{
    if (l->need == PT_FIND_NEED_SECTION)
        return pt_table_load(l->tref->table, l->found.section);
    PT_ASSERT(l->need == PT_FIND_NEED_BLOCK);
    release_held(l);
    l->held_tref = l->tref;
    l->held_block = l->found.block;
    return l->tref->source->fetch(l->tref->source, l->held_block, l->hint, &l->held);
}

void pt_lookup_done(pt_lookup *l)
{
    release_held(l);
}
