/* SPDX-License-Identifier: MIT */
/* published.c - see published.h. */
#include "state/published.h"

/* How often a committer looks again before it sleeps on a condition: inserts of others take about
 * a microsecond. */
#define PUBLISH_SPINS 2000

void pt_published_init(pt_published *p)
{
    pt_mutex_init(&p->mu);
    pt_cond_init(&p->raised);
}

void pt_published_done(pt_published *p)
{
    pt_mutex_done(&p->mu);
    pt_cond_done(&p->raised);
}

static bool try_publish(pt_published *p, uint64_t first_seq, uint64_t last_seq)
{
    if (atomic_load_explicit(&p->seq, memory_order_acquire) != first_seq - 1)
        return false;
    /* seq_cst with the waiter's increment and load: either it sees this or we see it */
    atomic_store(&p->seq, last_seq);
    if (atomic_load(&p->waiters) != 0) {
        pt_mutex_lock(&p->mu);
        pt_cond_broadcast(&p->raised);
        pt_mutex_unlock(&p->mu);
    }
    return true;
}

void pt_published_wait(pt_published *p, uint64_t seq)
{
    for (int i = 0; i < PUBLISH_SPINS; i++) {
        if (atomic_load_explicit(&p->seq, memory_order_acquire) >= seq)
            return;
        pt_spin_pause();
    }
    pt_mutex_lock(&p->mu);
    atomic_fetch_add(&p->waiters, 1);
    while (atomic_load(&p->seq) < seq)
        pt_cond_wait(&p->raised, &p->mu);
    atomic_fetch_sub(&p->waiters, 1);
    pt_mutex_unlock(&p->mu);
}

void pt_published_raise(pt_published *p, uint64_t first_seq, uint64_t last_seq)
{
    if (PT_LIKELY(try_publish(p, first_seq, last_seq)))
        return;
    pt_published_wait(p, first_seq - 1);
    bool done = try_publish(p, first_seq, last_seq);
    PT_ASSERT(done, "I2: nobody else may publish behind first_seq - 1");
}
