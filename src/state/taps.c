/* SPDX-License-Identifier: MIT */
/* taps.c - see taps.h. */
#include "state/taps.h"

void pt_taps_init(pt_tap_state *t, const pt_published *published)
{
    t->seen = published;
    pt_mutex_init(&t->published_mu);
    pt_cond_init(&t->published_cond);
    pt_mutex_init(&t->durable_mu);
}

void pt_taps_done(pt_tap_state *t)
{
    pt_mutex_done(&t->published_mu);
    pt_cond_done(&t->published_cond);
    pt_mutex_done(&t->durable_mu);
}

void pt_taps_begin(pt_tap_state *t, const pt_taps *taps)
{
    uint64_t seq = atomic_load(&t->seen->seq);
    t->taps = *taps;
    t->set = t->taps.published_fn != NULL || t->taps.durable_fn != NULL;
    t->durable = seq;
    atomic_store(&t->published, seq);
    atomic_store(&t->on_disk, seq);
}

/* Caller holds durable_mu. */
static void tell_durable(pt_tap_state *t)
{
    uint64_t seen = atomic_load(t->taps.published_fn != NULL ? &t->published : &t->seen->seq);
    uint64_t seq = pt_min_u64(seen, atomic_load(&t->on_disk));
    if (seq <= t->durable)
        return;
    t->durable = seq;
    t->taps.durable_fn(t->taps.durable_ctx, seq);
}

void pt_taps_durable(pt_tap_state *t, uint64_t seq)
{
    if (PT_LIKELY(t->taps.durable_fn == NULL))
        return;
    pt_mutex_lock(&t->durable_mu);
    /* seq_cst, before the look at what was published: see pt_taps_published */
    if (seq > atomic_load(&t->on_disk))
        atomic_store(&t->on_disk, seq);
    tell_durable(t);
    pt_mutex_unlock(&t->durable_mu);
}

static void tell_published(pt_tap_state *t, uint64_t first_seq, uint64_t last_seq, pt_slice payload)
{
    pt_mutex_lock(&t->published_mu);
    while (atomic_load(&t->published) != first_seq - 1)
        pt_cond_wait(&t->published_cond, &t->published_mu);
    t->taps.published_fn(t->taps.published_ctx, first_seq, last_seq, payload);
    atomic_store(&t->published, last_seq);
    pt_cond_broadcast(&t->published_cond);
    pt_mutex_unlock(&t->published_mu);
}

void pt_taps_published(pt_tap_state *t, uint64_t first_seq, uint64_t last_seq, pt_slice payload)
{
    if (t->taps.published_fn != NULL)
        tell_published(t, first_seq, last_seq, payload);
    /* Somebody's sync had these on disk before they were published. Both sides are seq_cst, here
     * published, then on_disk: who comes later sees the other's. */
    if (t->taps.durable_fn == NULL || atomic_load(&t->on_disk) < first_seq)
        return;
    pt_mutex_lock(&t->durable_mu);
    tell_durable(t);
    pt_mutex_unlock(&t->durable_mu);
}
