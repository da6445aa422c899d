/* SPDX-License-Identifier: MIT */
/*
 * slab.c - see slab.h. Below `limit` all free groups under `top` are in the free list, and those
 * from `top` on are free, untouched and in none. From `limit` on no group is in a list: what is
 * still in use there leaves, and nothing comes.
 */
#include "cache/slab.h"

static void group_push(pt_slab *s, pt_slab_group_list *list, uint32_t g)
{
    s->group[g].prev = 0;
    s->group[g].next = list->first;
    if (list->first != 0)
        s->group[list->first].prev = g;
    list->first = g;
    list->count++;
}

static void group_remove(pt_slab *s, pt_slab_group_list *list, uint32_t g)
{
    const pt_slab_group *group = &s->group[g];
    if (group->prev != 0)
        s->group[group->prev].next = group->next;
    else
        list->first = group->next;
    if (group->next != 0)
        s->group[group->next].prev = group->prev;
    PT_ASSERT(list->count != 0, "a group in a list is counted");
    list->count--;
}

static unsigned unit_count(const pt_slab_group *group)
{
    return (unsigned)__builtin_popcount(group->free_units);
}

/* Puts a group into the list its state asks for. */
static void group_enlist(pt_slab *s, uint32_t g)
{
    const pt_slab_group *group = &s->group[g];
    if (g >= s->limit)
        return;
    if (group->mode == PT_SLAB_FREE) {
        group_push(s, &s->free, g);
    } else if (group->mode == PT_SLAB_SMALL && group->free_units != 0) {
        group_push(s, &s->partial, g);
        s->partial_units += unit_count(group);
    }
}

static void group_delist(pt_slab *s, uint32_t g)
{
    const pt_slab_group *group = &s->group[g];
    if (g >= s->limit)
        return;
    if (group->mode == PT_SLAB_FREE) {
        group_remove(s, &s->free, g);
    } else if (group->mode == PT_SLAB_SMALL && group->free_units != 0) {
        group_remove(s, &s->partial, g);
        s->partial_units -= unit_count(group);
    }
}

static uint32_t group_pop(pt_slab *s)
{
    uint32_t g = s->free.first;
    if (g != 0)
        group_remove(s, &s->free, g);
    else if (s->top < s->limit)
        g = s->top++;
    if (s->touched < s->top)
        s->touched = s->top;
    return g;
}

uint32_t pt_slab_available(const pt_slab *s, bool large)
{
    uint32_t groups = s->free.count + (s->limit > s->top ? s->limit - s->top : 0);
    return large ? groups : groups * PT_SLAB_GROUP_UNITS + s->partial_units;
}

uint32_t pt_slab_pop(pt_slab *s, bool large)
{
    uint32_t g = large ? 0 : s->partial.first;
    if (g == 0) {
        g = group_pop(s);
        if (g == 0)
            return 0;
        s->group[g].mode = large ? PT_SLAB_LARGE : PT_SLAB_SMALL;
        s->group[g].free_units = large ? 0 : (1u << PT_SLAB_GROUP_UNITS) - 1;
        group_enlist(s, g);
    }
    pt_slab_group *group = &s->group[g];
    s->units_in_use += large ? PT_SLAB_GROUP_UNITS : 1;
    if (large)
        return g * PT_SLAB_GROUP_UNITS;
    group_delist(s, g);
    PT_ASSERT(group->free_units != 0, "a group in the list of partial ones has a free unit");
    unsigned unit = (unsigned)__builtin_ctz(group->free_units);
    group->free_units = (uint8_t)(group->free_units & (group->free_units - 1));
    group_enlist(s, g);
    return g * PT_SLAB_GROUP_UNITS + unit;
}

/* Groups above the limit that are free lie above the top as soon as nothing is left above them. */
static void lower_top(pt_slab *s)
{
    while (s->top > s->limit && s->group[s->top - 1].mode == PT_SLAB_FREE)
        s->top--;
}

void pt_slab_push(pt_slab *s, uint32_t f)
{
    uint32_t g = f / PT_SLAB_GROUP_UNITS;
    pt_slab_group *group = &s->group[g];
    s->units_in_use -= pt_slab_is_large(s, f) ? PT_SLAB_GROUP_UNITS : 1;
    group_delist(s, g);
    if (group->mode == PT_SLAB_SMALL)
        group->free_units = (uint8_t)(group->free_units | 1u << f % PT_SLAB_GROUP_UNITS);
    if (group->mode == PT_SLAB_LARGE || unit_count(group) == PT_SLAB_GROUP_UNITS)
        group->mode = PT_SLAB_FREE;
    group_enlist(s, g);
    lower_top(s);
}

void pt_slab_limit(pt_slab *s, uint32_t limit)
{
    uint32_t was = s->limit;
    PT_ASSERT(limit != 0 && limit <= s->group_max, "a limit within what is mapped");
    for (uint32_t g = limit; g < was && g < s->top; g++)
        group_delist(s, g);
    s->limit = limit;
    for (uint32_t g = was; g < limit && g < s->top; g++)
        group_enlist(s, g);
    lower_top(s);
    s->ahead = (uint32_t)pt_min_u64(s->ahead, limit);
}

bool pt_slab_give_back(pt_slab *s, uint32_t groups_max)
{
    uint32_t end = s->ahead > s->top ? s->ahead : s->top;
    if (s->touched <= end)
        return false;
    uint32_t n = (uint32_t)pt_min_u64(s->touched - end, groups_max);
    s->touched -= n;
    pt_unneeded(s->env, s->data + (size_t)s->touched * PT_SLAB_GROUP_BYTES,
                n * PT_SLAB_GROUP_BYTES);
    return s->touched != end;
}

/* Free groups at the top are as if they had never been used. */
static void sink_top(pt_slab *s)
{
    while (s->top > 1 && s->group[s->top - 1].mode == PT_SLAB_FREE) {
        group_delist(s, s->top - 1);
        s->top--;
    }
}

/* Above the top nothing was touched, but the rest of a huge page may be there, and what came ahead
 * of use. */
void pt_slab_trim(pt_slab *s)
{
    sink_top(s);
    s->touched = s->top;
    s->ahead = 0;
    for (uint32_t g = 1, end; g <= s->top; g = end + 1) {
        for (end = g; end < s->top && s->group[end].mode == PT_SLAB_FREE;)
            end++;
        if (end == s->top)
            end = s->group_max;
        pt_unneeded(s->env, s->data + (size_t)g * PT_SLAB_GROUP_BYTES,
                    (end - g) * PT_SLAB_GROUP_BYTES);
    }
}

/* ---- memory ahead of use ---- */

/* Where the first step begins that nobody is in. */
static uint32_t next_step(uint32_t group)
{
    return (uint32_t)pt_round_up(group, PT_SLAB_STEP_GROUPS);
}

/* Counted as touched from now on; what is given back meanwhile is counted again when it came. */
uint8_t *pt_slab_come(pt_slab *s, uint32_t end, size_t *ret_bytes)
{
    uint32_t begin = next_step(s->touched);
    if (begin + PT_SLAB_STEP_GROUPS > pt_min_u64(end, s->limit))
        return NULL;
    s->touched = begin + PT_SLAB_STEP_GROUPS;
    s->ahead = s->touched;
    *ret_bytes = PT_SLAB_STEP_GROUPS * PT_SLAB_GROUP_BYTES;
    return s->data + (size_t)begin * PT_SLAB_GROUP_BYTES;
}

void pt_slab_came(pt_slab *s, const uint8_t *data, size_t bytes)
{
    uint32_t end = (uint32_t)((size_t)(data + bytes - s->data) / PT_SLAB_GROUP_BYTES);
    if (s->touched < end)
        s->touched = end;
}

void pt_slab_go(pt_slab *s)
{
    s->ahead = next_step(s->top);
}

peat_rc pt_slab_init(pt_slab *s, const pt_env *env, uint32_t group_max)
{
    *s = (pt_slab){.env = env, .group_max = group_max, .limit = group_max, .top = 1, .touched = 1};
    s->data = env->map(env->ctx, (size_t)group_max * PT_SLAB_GROUP_BYTES);
    s->group = env->map(env->ctx, group_max * sizeof(pt_slab_group));
    if (s->data != NULL && s->group != NULL)
        return PEAT_OK;
    pt_slab_done(s);
    return PEAT_NOMEM;
}

void pt_slab_done(pt_slab *s)
{
    if (s->data != NULL)
        s->env->unmap(s->env->ctx, s->data, (size_t)s->group_max * PT_SLAB_GROUP_BYTES);
    if (s->group != NULL)
        s->env->unmap(s->env->ctx, s->group, s->group_max * sizeof(pt_slab_group));
    s->data = NULL;
    s->group = NULL;
}
