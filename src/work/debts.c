/* SPDX-License-Identifier: MIT */
/*
 * debts.c - what committers owe the background, as a smooth function of two debts:
 *   memory: bytes of memtables beyond one and a half (three are all there is)
 *   merges: how near space and upper runs are to their bounds (pt_pick_brake)
 * Each debt x >= 0 asks for x^2 times the time the background needs per byte, the first that of
 * flushes, the second that of flushes and merges together: nothing while it keeps up, its own pace
 * at x = 1, and continuously more beyond. write/throttle.c has it paid.
 */
#include "work/sizes.h"
#include "work/work.h"

/* Flushed memtables that readers still hold count as well, but for no more than the pace of the
 * background: a reader that never comes back is not to stop the writers. */
static double memory_debt(pt_store *s, const pt_view *v)
{
    double used = (double)pt_memtable_get_stats(v->active->table).used_bytes;
    for (size_t i = 0; i < v->immutable_count; i++)
        used += (double)pt_memtable_get_stats(v->immutables[i]->table).used_bytes;
    double left = (double)atomic_load_explicit(&s->mems.left_bytes, memory_order_relaxed);
    double x = used / (double)s->settings.memtable_bytes - 1.5;
    double with_left = x + left / (double)s->settings.memtable_bytes;
    if (x < 1)
        x = with_left < 1 ? with_left : 1;
    return x < 0 ? 0 : x > 2 ? 2 : x;
}

/* The limit keeps the square in bounds: at it a writer is as good as stopped. */
static double merge_debt(pt_store *s, const pt_view *v)
{
    pt_pick_options o;
    const pt_claims *c = &s->work->state.claims;
    uint64_t avoided[PT_CLAIMS_AVOIDED_MAX];
    pt_sizes_options(s, v->version, &o);
    pt_mutex_lock(&s->work->mu);
    o.claimed_count = c->avoided_count;
    memcpy(avoided, c->avoided, sizeof avoided);
    pt_mutex_unlock(&s->work->mu);
    o.claimed = avoided; /* what no merge may touch is nobody's debt */
    double x = pt_pick_brake(v->version, &o);
    return x > 16 ? 16 : x;
}

void pt_work_take_debts(pt_store *s)
{
    pt_view *v = pt_store_view(s);
    double a = memory_debt(s, v), b = merge_debt(s, v);
    pt_view_unref(v);
    pt_mutex_lock(&s->work->mu);
    double flush = s->work->state.flush_ns_per_byte, all = s->work->state.ns_per_byte;
    pt_mutex_unlock(&s->work->mu);
    if (flush <= 0)
        flush = all = PT_WORK_NS_PER_BYTE_GUESS;
    double ns_per_kib = (a * a * flush + b * b * all) * 1024.0;
    atomic_store_explicit(&s->throttle_ns_per_kib, (uint64_t)ns_per_kib, memory_order_relaxed);
}
