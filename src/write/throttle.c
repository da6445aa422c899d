/* SPDX-License-Identifier: MIT */
/*
 * throttle.c - what a committer owes the background, as a smooth function of two debts:
 *   memory: bytes of memtables beyond one and a half (three are all there is)
 *   merges: how far the worst partition is beyond what makes it due
 * Each debt x >= 0 asks for x^2 times the time the background needs per byte, the first that of
 * flushes, the second that of flushes and merges together: nothing while it keeps up, its own pace
 * at x = 1, and continuously more beyond. Paid in sleeps of 0.2 to 5 ms, outside locks.
 */
#include "state/store.h"

#define SLEEP_NS_MIN 200000.0
#define SLEEP_NS_MAX 5000000.0
/* A batch owes one sleep of the longest kind for each so many bytes, at most: else the largest
 * batches would be the cheapest. */
#define SLEEP_BYTES 1024.0
/* Before the first unit was timed: a modest disk, 100 MB a second. */
#define NS_PER_BYTE_GUESS 10.0

/* Flushed memtables that readers still hold count as well, but for no more than the pace of the
 * background: a reader that never comes back is not to stop the writers. */
static double memory_debt(pt_store *s, const pt_view *v)
{
    double used = (double)pt_memtable_get_stats(v->active->table).used_bytes;
    for (size_t i = 0; i < v->immutable_count; i++)
        used += (double)pt_memtable_get_stats(v->immutables[i]->table).used_bytes;
    double left = (double)atomic_load_explicit(&s->left_bytes, memory_order_relaxed);
    double x = used / (double)s->settings.memtable_bytes - 1.5;
    double with_left = x + left / (double)s->settings.memtable_bytes;
    if (x < 1)
        x = with_left < 1 ? with_left : 1;
    return x < 0 ? 0 : x > 2 ? 2 : x;
}

/* 1, where writers are as fast as merges, at 1.75 times what makes a partition due: 21 upper runs.
 * The limit keeps the square in bounds: at it a writer is as good as stopped. */
static double merge_debt(pt_store *s, const pt_view *v)
{
    pt_pick_options o;
    uint64_t avoid[PT_COUNT_OF(s->work.avoid)];
    pt_pick_options_init(s, v->version, &o);
    pt_mutex_lock(&s->work_mu);
    o.claimed_count = s->work.avoid_count;
    memcpy(avoid, s->work.avoid, sizeof avoid);
    pt_mutex_unlock(&s->work_mu);
    o.claimed = avoid; /* what no merge may touch is nobody's debt */
    double x = 2 * (pt_pick_pressure(v->version, &o) - 1.25);
    return x < 0 ? 0 : x > 16 ? 16 : x;
}

void pt_throttle_update(pt_store *s)
{
    pt_view *v = pt_store_view(s);
    double a = memory_debt(s, v), b = merge_debt(s, v);
    pt_view_unref(v);
    pt_mutex_lock(&s->work_mu);
    double flush = s->work.flush_ns_per_byte, all = s->work.ns_per_byte;
    pt_mutex_unlock(&s->work_mu);
    if (flush <= 0)
        flush = all = NS_PER_BYTE_GUESS;
    double ns_per_kib = (a * a * flush + b * b * all) * 1024.0;
    atomic_store_explicit(&s->throttle_ns_per_kib, (uint64_t)ns_per_kib, memory_order_relaxed);
}

uint64_t pt_throttle_owe(pt_store *s, uint64_t bytes)
{
    uint64_t rate = atomic_load_explicit(&s->throttle_ns_per_kib, memory_order_relaxed);
    /* without threads nobody would work meanwhile: committers do the steps themselves */
    if (PT_LIKELY(rate == 0) || s->worker_count == 0)
        return 0;
    s->delay_owed_ns += (double)bytes * (double)rate / 1024.0;
    if (s->delay_owed_ns < SLEEP_NS_MIN)
        return 0;
    double most = SLEEP_NS_MAX * (1.0 + (double)bytes / SLEEP_BYTES);
    double pay = s->delay_owed_ns < most ? s->delay_owed_ns : most;
    s->delay_owed_ns = 0; /* what is above is forgiven: the debt itself stays and asks again */
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
