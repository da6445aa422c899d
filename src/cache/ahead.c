/* SPDX-License-Identifier: MIT */
/* ahead.c - see ahead.h. */
#include "cache/ahead.h"

/* 8 MiB: what the quickest readers use up in 10 ms. */
#define AHEAD_GROUPS_MAX (4 * PT_SLAB_STEP_GROUPS)
/* 1 MiB: twice in a step, so that the next one is begun in time. */
#define NOTE_GROUPS (PT_SLAB_STEP_GROUPS / 2)
#define QUICK_NS    ((uint64_t)1000 * 1000 * 1000)

bool pt_ahead_note(pt_ahead *a, const pt_slab *s)
{
    uint32_t before = a->noted_top;
    if (PT_LIKELY(s->top - before < NOTE_GROUPS) || a->low == NULL)
        return false;
    a->noted_top = s->top - s->top % NOTE_GROUPS;
    if (s->top < before) /* less is used than was: from here on */
        return false;
    uint64_t now = s->env->now_ns(s->env->ctx);
    a->quick = now - a->noted_ns < QUICK_NS;
    a->noted_ns = now;
    return a->quick;
}

/* Memory may be there up to this group. */
static uint32_t end_of(const pt_slab *s, uint64_t bytes_max)
{
    uint64_t used = s->units_in_use * PT_FRAME_UNIT;
    uint64_t missing = bytes_max > used ? (bytes_max - used) / PT_SLAB_GROUP_BYTES : 0;
    uint64_t groups = pt_min_u64(pt_min_u64(s->top, AHEAD_GROUPS_MAX), missing);
    return s->top + (uint32_t)groups;
}

uint8_t *pt_ahead_next(pt_ahead *a, pt_slab *s, uint64_t bytes_max, uint64_t *ret_again_ns,
                       size_t *ret_bytes)
{
    uint64_t since = a->quick ? s->env->now_ns(s->env->ctx) - a->noted_ns : QUICK_NS;
    a->quick = since < QUICK_NS;
    if (a->quick) {
        *ret_again_ns = QUICK_NS - since;
        return pt_slab_come(s, end_of(s, bytes_max), ret_bytes);
    }
    pt_slab_go(s);
    *ret_again_ns = pt_slab_give_back(s, PT_SLAB_STEP_GROUPS) ? 0 : UINT64_MAX;
    return NULL;
}
