/* SPDX-License-Identifier: MIT */
/* slab.c - see slab.h. All groups below `top` that are free and below the limit are in the free
 * list; those from `top` to the limit are free, untouched and in none. */
#include "cache/slab.h"

static void group_push(pt_slab *s, pt_group_list *list, uint32_t g)
{
    s->group[g].prev = 0;
    s->group[g].next = list->first;
    if (list->first != 0)
        s->group[list->first].prev = g;
    list->first = g;
    list->count++;
}

static void group_remove(pt_slab *s, pt_group_list *list, uint32_t g)
{
    const pt_group *group = &s->group[g];
    if (group->prev != 0)
        s->group[group->prev].next = group->next;
    else
        list->first = group->next;
    if (group->next != 0)
        s->group[group->next].prev = group->prev;
    list->count--;
}

static unsigned unit_count(const pt_group *group)
{
    return (unsigned)__builtin_popcount(group->free_units);
}

/* Puts a group below the limit into the list its state asks for. */
static void group_enlist(pt_slab *s, uint32_t g)
{
    const pt_group *group = &s->group[g];
    if (group->mode == PT_GROUP_FREE) {
        group_push(s, &s->free, g);
    } else if (group->mode == PT_GROUP_SMALL && group->free_units != 0) {
        group_push(s, &s->partial, g);
        s->partial_units += unit_count(group);
    }
}

static void group_delist(pt_slab *s, uint32_t g)
{
    const pt_group *group = &s->group[g];
    if (group->mode == PT_GROUP_FREE) {
        group_remove(s, &s->free, g);
    } else if (group->mode == PT_GROUP_SMALL && group->free_units != 0) {
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
    return g;
}

uint32_t pt_slab_available(const pt_slab *s, bool large)
{
    uint32_t groups = s->free.count + (s->top < s->limit ? s->limit - s->top : 0);
    return large ? groups : groups * PT_GROUP_UNITS + s->partial_units;
}

uint32_t pt_slab_pop(pt_slab *s, bool large)
{
    uint32_t g = large ? 0 : s->partial.first;
    if (g == 0) {
        g = group_pop(s);
        if (g == 0)
            return 0;
        s->group[g].mode = large ? PT_GROUP_LARGE : PT_GROUP_SMALL;
        s->group[g].free_units = large ? 0 : (1u << PT_GROUP_UNITS) - 1;
        group_enlist(s, g);
    }
    pt_group *group = &s->group[g];
    s->units_in_use += large ? PT_GROUP_UNITS : 1;
    if (large)
        return g * PT_GROUP_UNITS;
    group_delist(s, g);
    unsigned unit = (unsigned)__builtin_ctz(group->free_units);
    group->free_units = (uint8_t)(group->free_units & (group->free_units - 1));
    group_enlist(s, g);
    return g * PT_GROUP_UNITS + unit;
}

static void give_back(pt_slab *s, uint32_t from, uint32_t to)
{
    if (from < to)
        s->env->map_discard(s->env->ctx, s->data + (size_t)from * PT_GROUP_BYTES,
                            (size_t)(to - from) * PT_GROUP_BYTES);
}

void pt_slab_push(pt_slab *s, uint32_t f)
{
    uint32_t g = f / PT_GROUP_UNITS;
    pt_group *group = &s->group[g];
    bool above = g >= s->limit;
    s->units_in_use -= pt_slab_is_large(s, f) ? PT_GROUP_UNITS : 1;
    if (!above)
        group_delist(s, g);
    if (group->mode == PT_GROUP_SMALL)
        group->free_units = (uint8_t)(group->free_units | 1u << f % PT_GROUP_UNITS);
    if (group->mode == PT_GROUP_LARGE || unit_count(group) == PT_GROUP_UNITS)
        group->mode = PT_GROUP_FREE;
    if (!above) {
        group_enlist(s, g);
    } else if (group->mode == PT_GROUP_FREE && --s->busy_above == 0) {
        give_back(s, s->limit, s->top);
        s->top = s->limit;
    }
}

void pt_slab_set_limit(pt_slab *s, uint32_t limit)
{
    uint32_t old = s->limit;
    for (uint32_t g = limit; g < old && g < s->top; g++) {
        group_delist(s, g);
        s->busy_above += s->group[g].mode != PT_GROUP_FREE;
    }
    for (uint32_t g = old; g < limit && g < s->top; g++) {
        group_enlist(s, g);
        s->busy_above -= s->group[g].mode != PT_GROUP_FREE;
    }
    s->limit = limit;
}

void pt_slab_trim(pt_slab *s)
{
    uint32_t from = s->limit;
    for (uint32_t g = s->limit; g < s->top; g++)
        if (s->group[g].mode != PT_GROUP_FREE) {
            give_back(s, from, g);
            from = g + 1;
        }
    give_back(s, from, s->top);
    if (s->busy_above == 0 && s->top > s->limit)
        s->top = s->limit;
}

peat_rc pt_slab_init(pt_slab *s, const pt_env *env, uint32_t limit, uint32_t group_max)
{
    *s = (pt_slab){.env = env, .limit = limit, .group_max = group_max, .top = 1};
    s->data = env->map(env->ctx, (size_t)group_max * PT_GROUP_BYTES);
    s->group = env->map(env->ctx, group_max * sizeof(pt_group));
    if (s->data != NULL && s->group != NULL)
        return PEAT_OK;
    pt_slab_done(s);
    return PEAT_NOMEM;
}

void pt_slab_done(pt_slab *s)
{
    if (s->data != NULL)
        s->env->unmap(s->env->ctx, s->data, (size_t)s->group_max * PT_GROUP_BYTES);
    if (s->group != NULL)
        s->env->unmap(s->env->ctx, s->group, s->group_max * sizeof(pt_group));
    s->data = NULL;
    s->group = NULL;
}
