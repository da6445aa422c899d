/* SPDX-License-Identifier: MIT */
/*
 * pace.c - what a committer owes the background, as a smooth function of two debts:
 *   memory: bytes of memtables beyond one and a half (three are all there is)
 *   merges: how far the worst partition is beyond what makes it due
 * Each debt x >= 0 asks for x^2 times the time the background needs per byte: nothing while it
 * keeps up, its own pace at x = 1, and continuously more beyond. Paid in sleeps of 0.2 to 5 ms,
 * outside locks.
 */
#include "db/store.h"

#define SLEEP_NS_MIN 200000.0
#define SLEEP_NS_MAX 5000000.0
/* Before the first unit was timed: what a modest disk takes. */
#define BYTES_PER_SECOND_GUESS (100.0 * 1024 * 1024)

static double memory_debt(pt_store *s, const pt_view *v)
{
    double used = 0;
    pt_memtable_stats stats;
    for (size_t i = 0; i < v->immutable_count; i++) {
        pt_memtable_get_stats(v->immutables[i]->table, &stats);
        used += (double)stats.used_bytes;
    }
    pt_memtable_get_stats(v->active->table, &stats);
    used += (double)stats.used_bytes;
    double x = used / (double)s->settings.memtable_bytes - 1.5;
    return x < 0 ? 0 : x > 2 ? 2 : x;
}

static double merge_debt(pt_store *s, const pt_view *v)
{
    pt_pick_options o;
    pt_pick_options_init(s, v->version, &o);
    double x = pt_pick_pressure(v->version, &o) - 1.5;
    return x < 0 ? 0 : x > 2 ? 2 : x;
}

void pt_pace_update(pt_store *s)
{
    pt_view *v = pt_store_view(s);
    double a = memory_debt(s, v), b = merge_debt(s, v);
    pt_view_unref(v);
    pt_mutex_lock(&s->work_mu);
    double rate = s->work.bytes_per_second;
    pt_mutex_unlock(&s->work_mu);
    if (rate <= 0)
        rate = BYTES_PER_SECOND_GUESS;
    double ns_per_kib = (a * a + b * b) * 1024.0 * 1e9 / rate;
    atomic_store_explicit(&s->pace_ns_per_kib, (uint64_t)ns_per_kib, memory_order_relaxed);
}

uint64_t pt_pace_owe(pt_store *s, uint64_t bytes)
{
    uint64_t rate = atomic_load_explicit(&s->pace_ns_per_kib, memory_order_relaxed);
    if (PT_LIKELY(rate == 0))
        return 0;
    s->delay_owed_ns += (double)bytes * (double)rate / 1024.0;
    if (s->delay_owed_ns < SLEEP_NS_MIN)
        return 0;
    double pay = s->delay_owed_ns < SLEEP_NS_MAX ? s->delay_owed_ns : SLEEP_NS_MAX;
    s->delay_owed_ns =
        0; /* what is above one sleep is forgiven: the debt itself stays and asks again */
    s->commits.delays++;
    s->commits.delay_ns += (uint64_t)pay;
    return (uint64_t)pay;
}
