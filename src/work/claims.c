/* SPDX-License-Identifier: MIT */
/* claims.c - see claims.h. */
#include "work/claims.h"

static size_t place_of(const pt_claims *c, uint64_t id)
{
    size_t i = 0;
    while (i < c->count && c->ids[i] != id)
        i++;
    return i;
}

bool pt_claims_has(const pt_claims *c, uint64_t id)
{
    return place_of(c, id) != c->count;
}

void pt_claims_add(pt_claims *c, uint64_t id)
{
    PT_ASSERT(!pt_claims_has(c, id), "I9: no two units work on one partition");
    PT_ASSERT(c->count < PT_CLAIMS_MAX, "I9: there is room for every worker's claims");
    c->ids[c->count++] = id;
}

void pt_claims_end(pt_claims *c, uint64_t id)
{
    size_t i = place_of(c, id);
    PT_ASSERT(i < c->count, "I9: a claim is there until its owner ends it");
    c->ids[i] = c->ids[--c->count];
}

void pt_claims_avoid(pt_claims *c, uint64_t id)
{
    if (c->avoided_count < PT_CLAIMS_AVOIDED_MAX)
        c->avoided[c->avoided_count++] = id;
}

size_t pt_claims_list(const pt_claims *c, uint64_t ret_ids[PT_CLAIMS_LISTED_MAX])
{
    memcpy(ret_ids, c->ids, c->count * sizeof *ret_ids);
    memcpy(ret_ids + c->count, c->avoided, c->avoided_count * sizeof *ret_ids);
    return c->count + c->avoided_count;
}
