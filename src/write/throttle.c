/* SPDX-License-Identifier: MIT */
/*
 * throttle.c - see throttle.h. Paid in sleeps of 0.2 to 5 ms, outside locks.
 */
#include "write/throttle.h"

#include "write/write.h"

#define SLEEP_NS_MIN 200000.0
#define SLEEP_NS_MAX 5000000.0
/* One commit sleeps once for the longest time, and once more for each so many of its bytes, at
 * most: with a limit of one sleep the largest batches would be the cheapest. */
#define SLEEP_BYTES 1024.0

uint64_t pt_throttle_owe(pt_store *s, uint64_t bytes)
{
    PT_DCHECK(pt_mutex_held(&s->commit_mu), "commit_mu guards what is owed");
    uint64_t rate = atomic_load_explicit(&s->throttle_ns_per_kib, memory_order_relaxed);
    /* without threads nobody would work meanwhile: committers do the steps themselves */
    if (PT_LIKELY(rate == 0) || s->worker_count == 0)
        return 0;
    s->write->delay_owed_ns += (double)bytes * (double)rate / 1024.0;
    if (s->write->delay_owed_ns < SLEEP_NS_MIN)
        return 0;
    double most = SLEEP_NS_MAX * (1.0 + (double)bytes / SLEEP_BYTES);
    double pay = s->write->delay_owed_ns < most ? s->write->delay_owed_ns : most;
    /* what is above is forgiven: the debt of the background itself stays, and asks again */
    s->write->delay_owed_ns = 0;
    s->commits.delays++;
    s->commits.delay_ns += (uint64_t)pay;
    return (uint64_t)pay;
}

void pt_throttle_pay(pt_store *s, uint64_t ns)
{
    while (ns != 0 && atomic_load_explicit(&s->throttle_ns_per_kib, memory_order_relaxed) != 0) {
        uint64_t sleep = pt_min_u64(ns, (uint64_t)SLEEP_NS_MAX);
        s->env->sleep_ns(s->env->ctx, sleep);
        ns -= sleep;
    }
}
