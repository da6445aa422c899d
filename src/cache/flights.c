/* SPDX-License-Identifier: MIT */
/* flights.c - see flights.h. */
#include "cache/flights.h"

void pt_flights_init(pt_flights *all, const pt_env *env)
{
    all->env = env;
    for (unsigned i = 0; i < PT_FLIGHT_SHARDS; i++) {
        pt_flight_shard *sh = &all->shard[i];
        pt_mutex_init(&sh->mu);
        pt_cond_init(&sh->changed);
        sh->under_way = sh->ended = NULL;
        for (unsigned k = 0; k < PT_FLIGHTS_KEPT; k++) {
            sh->kept[k].next = sh->ended;
            sh->ended = &sh->kept[k];
        }
    }
}

void pt_flights_done(pt_flights *all)
{
    for (unsigned i = 0; i < PT_FLIGHT_SHARDS; i++) {
        PT_ASSERT(all->shard[i].under_way == NULL, "nobody reads a block when the cache goes");
        pt_cond_done(&all->shard[i].changed);
        pt_mutex_done(&all->shard[i].mu);
    }
}

pt_flight_shard *pt_flights_shard_of(pt_flights *all, const pt_block_source *source, uint32_t block)
{
    uint64_t h = ((uint64_t)(uintptr_t)source >> 4) + (uint64_t)block * 0x9e3779b97f4a7c15ULL;
    return &all->shard[(h * 0x9e3779b97f4a7c15ULL >> 40) % PT_FLIGHT_SHARDS];
}

pt_flight *pt_flights_find(const pt_flight_shard *sh, const pt_block_source *source, uint32_t block)
{
    pt_flight *fl = sh->under_way;
    while (fl != NULL && (fl->source != source || fl->block != block))
        fl = fl->next;
    return fl;
}

pt_flight *pt_flights_begin(pt_flights *all, pt_flight_shard *sh, const pt_block_source *source,
                            uint32_t block, pt_fetch_hint hint)
{
    pt_flight *fl = sh->ended;
    bool own = fl == NULL;
    if (own)
        fl = pt_alloc(all->env, sizeof *fl);
    else
        sh->ended = fl->next;
    if (fl == NULL)
        return NULL;
    *fl = (pt_flight){.next = sh->under_way,
                      .source = source,
                      .block = block,
                      .hint = hint,
                      .state = PT_FLIGHT_LED,
                      .holders = 1,
                      .own_memory = own};
    sh->under_way = fl;
    return fl;
}

void pt_flights_land(pt_flight_shard *sh, pt_flight *fl, peat_rc rc, const pt_block_ref *ref)
{
    PT_DCHECK(pt_mutex_held(&sh->mu), "a shard's mu guards its flights");
    PT_ASSERT(fl->state == PT_FLIGHT_LED, "a flight that lands is led");
    pt_flight **at = &sh->under_way;
    while (*at != fl)
        at = &(*at)->next;
    *at = fl->next;
    fl->state = PT_FLIGHT_LANDED;
    fl->rc = rc;
    fl->ref = *ref;
    if (fl->holders > 1)
        pt_cond_broadcast(&sh->changed);
}

void pt_flights_leave(pt_flights *all, pt_flight_shard *sh, pt_flight *fl)
{
    PT_DCHECK(pt_mutex_held(&sh->mu), "a shard's mu guards its flights");
    PT_ASSERT(fl->holders != 0, "who leaves a flight was on it");
    if (--fl->holders != 0)
        return;
    PT_ASSERT(fl->state == PT_FLIGHT_LANDED, "the last one leaves a flight that has landed");
    if (fl->own_memory) {
        pt_free(all->env, fl);
        return;
    }
    fl->next = sh->ended;
    sh->ended = fl;
}
