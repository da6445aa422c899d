/* SPDX-License-Identifier: MIT */
/*
 * slab.h - frames of 4 and 16 KiB out of one mapping.
 *
 * The mapping is cut into groups of 16 KiB; a group is one large frame or four small ones, as
 * demand has it. A frame's number is its offset in units of 4 KiB; group 0 is never used, so that 0
 * means "none".
 *
 * No lock of its own: everything happens under the owner's (frames.h).
 */
#ifndef PT_CACHE_SLAB_H
#define PT_CACHE_SLAB_H

#include "entry/block_source.h"
#include "env/env.h"

#define PT_SLAB_GROUP_UNITS 4u
#define PT_SLAB_GROUP_BYTES (PT_SLAB_GROUP_UNITS * PT_FRAME_UNIT)

typedef enum pt_slab_group_mode { PT_SLAB_FREE, PT_SLAB_SMALL, PT_SLAB_LARGE } pt_slab_group_mode;

/* Below `top` and `limit`: in the free list when free, in the partial list when small with free
 * units. */
typedef struct pt_slab_group {
    uint32_t prev, next;
    uint8_t mode;       /* pt_slab_group_mode */
    uint8_t free_units; /* bits; small groups only */
} pt_slab_group;

typedef struct pt_slab_group_list {
    uint32_t first, count;
} pt_slab_group_list;

typedef struct pt_slab {
    const pt_env *env;
    uint8_t *data;
    pt_slab_group *group;
    uint32_t group_max; /* groups mapped, group 0 included; fixed */
    uint32_t limit;     /* groups that may be used; those beyond it are leaving */
    uint32_t top;       /* groups below may have touched memory; free ones above are in no list */
    uint32_t touched;   /* from there on nothing holds memory: top, what it was, or `ahead` */
    uint32_t ahead;     /* below this memory is there on purpose, also above the top */
    uint32_t partial_units; /* free units in the groups of the partial list */
    uint64_t units_in_use;
    pt_slab_group_list free, partial;
} pt_slab;

/* Group 0 is one of group_max. */
peat_rc pt_slab_init(pt_slab *s, const pt_env *env, uint32_t group_max) PT_MUST_USE;
void pt_slab_done(pt_slab *s);

/* Frames of this size that can be had now. */
uint32_t pt_slab_available(const pt_slab *s, bool large);
uint32_t pt_slab_pop(pt_slab *s, bool large); /* 0: none */
void pt_slab_push(pt_slab *s, uint32_t f);

/* So many groups from now on, less or more. Frames in use beyond it stay until they are pushed. */
void pt_slab_limit(pt_slab *s, uint32_t limit);
/* The memory above `top` goes back to the system, so many groups of it. True: there is more. */
bool pt_slab_give_back(pt_slab *s, uint32_t groups_max);
/* The memory of free groups goes back to the system. */
void pt_slab_trim(pt_slab *s);

/* Memory ahead of use, in steps, which are huge pages where the mapping has them. */
#define PT_SLAB_STEP_GROUPS 128u

/* Groups up to `end` may hold memory before they are used. The first step of them that holds none:
 * the caller touches *ret_bytes from what is returned on, without the owner's lock, and calls
 * pt_slab_came. NULL: no whole step is left. */
uint8_t *pt_slab_come(pt_slab *s, uint32_t end, size_t *ret_bytes);
void pt_slab_came(pt_slab *s, const uint8_t *data, size_t bytes);
/* Above the step that the top is in none is to hold memory any more: pt_slab_give_back has more. */
void pt_slab_go(pt_slab *s);

static inline pt_slab_group_mode pt_slab_mode(const pt_slab *s, uint32_t f)
{
    return (pt_slab_group_mode)s->group[f / PT_SLAB_GROUP_UNITS].mode;
}

static inline bool pt_slab_is_large(const pt_slab *s, uint32_t f)
{
    return pt_slab_mode(s, f) == PT_SLAB_LARGE;
}

static inline uint8_t *pt_slab_data(const pt_slab *s, uint32_t f)
{
    return s->data + (size_t)f * PT_FRAME_UNIT;
}

#endif
