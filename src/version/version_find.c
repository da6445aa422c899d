/* SPDX-License-Identifier: MIT */
/* version_find.c - see version_find.h. */
#include "version/version_find.h"

#include "version/around.h"

#include "base/key.h"

/* All filters are asked for at once, so that their cache misses overlap. */
static void prefetch_filters(pt_lookup *l, const pt_partition *p)
{
    for (size_t i = 0; i < p->run_count; i++)
        pt_table_prefetch(p->runs[i].table_ref->table, l->hash);
    l->prefetched = true;
}

/* The last one that does not begin behind the key. A lone one is asked itself: its index knows, and
 * a settled partition has hardly ever more. */
static pt_table_ref *bottom_table(const pt_lookup *l, const pt_partition *p)
{
    size_t n = p->bottom_count;
    if (PT_UNLIKELY(n != 1))
        n = pt_key_index_upper(&p->bottom_index, l->key);
    return n == 0 ? NULL : p->bottom[n - 1].table_ref;
}

/* The table to be asked where the lookup stands; NULL: there is none any more. One of the
 * bottommost run may end before the key. */
static pt_table_ref *table_at(pt_lookup *l, const pt_partition *p)
{
    for (; l->layer < p->run_count; l->layer++) {
        pt_table_ref *t = p->runs[l->layer].table_ref;
        l->checks++;
        if (pt_table_may_contain(t->table, l->hash))
            return t;
        l->skips++;
    }
    return l->layer == p->run_count ? bottom_table(l, p) : NULL;
}

pt_find pt_lookup_step(pt_lookup *l, const pt_version *v)
{
    const pt_partition *p = v->partitions[pt_version_partition_of(v, l->key)];
    if (!l->prefetched && p->run_count > 1)
        prefetch_filters(l, p);
    for (; (l->table_ref = table_at(l, p)) != NULL; l->layer++) {
        pt_table_ref *t = l->table_ref;
        if (l->layer == p->run_count && pt_key_compare(l->key, t->meta->key_max) > 0)
            break; /* before a section is read for that */
        bool held = l->held_table == t && l->held.data != NULL;
        pt_find f = pt_table_find(t->table, t->source, l->key, l->hash, l->seq_max, l->held_block,
                                  held ? &l->held : NULL, &l->found);
        if (f != PT_FIND_ABSENT)
            return l->need = f;
    }
    return l->need = PT_FIND_ABSENT;
}

/* ---- the same by steps that give way ---- */

/* The next table that may have the key, from the layer on where the lookup stands. (That the table
 * ends before the key, its index says as well: it is near, unlike the table's largest key.) */
static pt_probe_state probe_layers(pt_lookup *l, pt_lookup_probe *p)
{
    for (; (l->table_ref = table_at(l, p->partition)) != NULL; l->layer++) {
        pt_table_ref *t = l->table_ref;
        pt_probe_state s = pt_table_probe_begin(&p->table, t->table, t->source, l->key, l->hash);
        p->in_table = true;
        if (s != PT_PROBE_ABSENT)
            return s;
    }
    return PT_PROBE_ABSENT;
}

pt_probe_state pt_lookup_probe_begin(pt_lookup *l, const pt_version *v, pt_lookup_probe *p)
{
    p->partition = v->partitions[pt_version_partition_of(v, l->key)];
    p->in_table = false;
    if (p->partition->run_count == 0)
        return probe_layers(l, p);
    prefetch_filters(l, p->partition);
    return PT_PROBE_COMES;
}

pt_probe_state pt_lookup_probe_next(pt_lookup *l, pt_lookup_probe *p)
{
    if (!p->in_table)
        return probe_layers(l, p);
    if (l->layer == p->partition->run_count) /* that was the bottommost run */
        return PT_PROBE_ABSENT;
    l->layer++;
    return probe_layers(l, p);
}

/* ---- what is not in memory ---- */

static void release_held(pt_lookup *l)
{
    if (l->held.data != NULL)
        l->held_table->source->release(l->held_table->source, &l->held);
    l->held = (pt_block_ref){0};
}

/* The block that the last step needed is the one to be held. */
static void begin_holding(pt_lookup *l)
{
    PT_ASSERT(l->need == PT_FIND_NEED_BLOCK, "a lookup fetches what its last step asked for");
    release_held(l);
    l->held_table = l->table_ref;
    l->held_block = l->found.block;
}

peat_rc pt_lookup_fetch(pt_lookup *l)
{
    if (l->need == PT_FIND_NEED_SECTION)
        return pt_table_load(l->table_ref->table, l->found.section);
    begin_holding(l);
    if (l->hint == PT_FETCH_POINT)
        return pt_around_fetch(l->held_table, l->held_block, &l->held);
    return l->held_table->source->fetch(l->held_table->source, l->held_block, l->hint, &l->held);
}

peat_rc pt_lookup_fill_begin(pt_lookup *l, pt_cache_fill *ret_fill)
{
    begin_holding(l);
    return pt_cache_fill_begin(l->held_table->source, l->held_block, l->found.decoded_max, l->hint,
                               ret_fill, &l->held);
}

peat_rc pt_lookup_fill_late(pt_lookup *l, pt_cache_fill *ret_fill)
{
    peat_rc rc = pt_lookup_fill_begin(l, ret_fill);
    if (rc != PEAT_OK || ret_fill->state != PT_FILL_WAITS)
        return rc;
    pt_lookup_fill_abandon(l, ret_fill);
    return pt_cache_fill_alone(l->held_table->source, l->found.decoded_max, ret_fill);
}

peat_rc pt_lookup_fill_poll(pt_lookup *l, pt_cache_fill *fill)
{
    return pt_cache_fill_poll(l->held_table->source, fill, &l->held);
}

peat_rc pt_lookup_fill_wait(pt_lookup *l, pt_cache_fill *fill)
{
    return pt_cache_fill_wait(l->held_table->source, fill, &l->held);
}

peat_rc pt_lookup_fill_supply(pt_lookup *l, pt_cache_fill *fill, peat_rc rc, pt_slice extent)
{
    size_t size = 0;
    if (rc == PEAT_OK)
        rc = pt_table_ref_take_block(l->held_table, l->held_block, l->found.extent_offset, extent,
                                     fill->room, fill->room_size, &size);
    return pt_cache_fill_end(l->held_table->source, fill, rc, size, &l->held);
}

peat_rc pt_lookup_fill_read(pt_lookup *l, pt_cache_fill *fill)
{
    size_t size = 0;
    peat_rc rc =
        pt_table_ref_read_block(l->held_table, l->held_block, fill->room, fill->room_size, &size);
    return pt_cache_fill_end(l->held_table->source, fill, rc, size, &l->held);
}

void pt_lookup_fill_abandon(pt_lookup *l, pt_cache_fill *fill)
{
    pt_cache_fill_abandon(l->held_table->source, fill);
}

void pt_lookup_done(pt_lookup *l)
{
    release_held(l);
}
