/* SPDX-License-Identifier: MIT */
/* store.c - the life of what rooms share, calls in flight, and the one pointer readers follow. */
#include "state/store.h"

/* Where the system has no ring, of each who reads many blocks at once. A store that is to have no
 * threads has none of these. */
#define READ_THREADS 8u

bool pt_store_call_begin(pt_store *s)
{
    /* seq_cst with close's store of `closed` and its load of `calls`: one of the two sees the other
     */
    atomic_fetch_add(&s->calls, 1);
    if (!pt_store_gone(s))
        return true;
    atomic_fetch_sub(&s->calls, 1);
    return false;
}

bool pt_store_forked(pt_store *s)
{
    return s->fork_mark != NULL ? *s->fork_mark == 0 : s->env->pid(s->env->ctx) != s->pid;
}

void pt_store_call_end(pt_store *s)
{
    PT_DCHECK(atomic_load(&s->calls) != 0, "I10: a call that ends was counted");
    atomic_fetch_sub_explicit(&s->calls, 1, memory_order_release);
}

pt_view *pt_store_view(pt_store *s)
{
    unsigned slot = pt_epoch_enter(&s->epoch);
    /* acquire: pairs with the release in pt_store_publish_view */
    pt_view *v = pt_view_ref(atomic_load_explicit(&s->view, memory_order_acquire));
    pt_epoch_exit(&s->epoch, slot);
    return v;
}

static void release_view(pt_retired *r)
{
    pt_view_unref(PT_CONTAINER(r, pt_view, retired));
}

static void leave_memtables(const pt_view *old, const pt_view *next)
{
    for (size_t i = 0; i < old->immutable_count; i++)
        if (!pt_view_has(next, old->immutables[i]))
            pt_mem_leave(old->immutables[i]);
}

void pt_store_publish_view(pt_store *s, pt_view *next)
{
    pt_view *old = atomic_load_explicit(&s->view, memory_order_relaxed);
    PT_DCHECK(pt_mutex_held(&s->view_mu), "view_mu guards the view");
    PT_ASSERT(next != old && next->active != NULL, "I15: a view is filled, then shown, once");
    PT_ASSERT(old == NULL || pt_view_seq_first(next) >= pt_view_seq_first(old),
              "I17: memtables leave the view in the order of writing");
    atomic_store_explicit(&s->view, next, memory_order_release);
    /* release: pairs with pt_scan_renew_view, which loads the view afterwards */
    atomic_fetch_add_explicit(&s->view_number, 1, memory_order_release);
    if (old != NULL)
        leave_memtables(old, next);
    if (old != NULL)
        pt_epoch_retire(&s->epoch, &old->retired, release_view);
}

void pt_store_init(pt_store *s)
{
    pt_sink_init(&s->sink);
    pt_epoch_init(&s->epoch);
    s->mems.env = s->env;
    pt_memtable_pool_init(&s->mems.pool, s->env, s->settings.memtable_bytes);
    pt_empty_ranges_init(&s->empty_ranges, s->env, &s->commit_mu, &s->seq_next);
    pt_reads_pool_init(&s->reads, s->env, s->settings.threads != 0 ? READ_THREADS : 0);
    pt_taps_init(&s->tap, &s->published);
    pt_mutex_init(&s->commit_mu);
    pt_published_init(&s->published);
    pt_mutex_init(&s->view_mu);
    pt_mutex_init(&s->budget.mu);
    pt_mutex_init(&s->install_mu);
    pt_snapshots_init(&s->snapshots);
    atomic_store(&s->refs, 1);
}

/* The last user is gone: an iterator, a pin, a snapshot, or the handle. Everything that does I/O
 * was ended by close. */
void pt_store_unref(pt_store *s)
{
    PT_DCHECK(atomic_load(&s->refs) != 0, "a reference is given back once");
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    PT_ASSERT(s->log == NULL && s->worker_count == 0 && s->snapshots.count == 0,
              "a store goes after its log, its threads and its readers");
    const pt_env *env = s->env;
    pt_view *v = atomic_load(&s->view);
    atomic_store(&s->view, NULL);
    pt_view_unref(v);
    pt_epoch_collect(&s->epoch);
    pt_version_set_done(&s->version_set);
    pt_open_tables_sweep(&s->open_tables);
    pt_epoch_collect(&s->epoch);
    pt_open_tables_done(&s->open_tables);
    pt_epoch_done(&s->epoch); /* the last views and their memtables */
    pt_memtable_pool_done(&s->mems.pool);
    pt_empty_ranges_done(&s->empty_ranges);
    pt_reads_pool_done(&s->reads);
    pt_taps_done(&s->tap);
    if (s->cache != NULL)
        pt_cache_free(s->cache);
    if (s->dir != NULL)
        env->dir_close(env->ctx, s->dir);
    pt_mutex_done(&s->commit_mu);
    pt_published_done(&s->published);
    pt_mutex_done(&s->view_mu);
    pt_mutex_done(&s->budget.mu);
    pt_mutex_done(&s->install_mu);
    pt_snapshots_done(&s->snapshots);
    s->rooms_done(s);
    pt_sink_done(&s->sink);
    if (s->fork_mark != NULL)
        env->fork_mark_free(env->ctx, s->fork_mark);
    pt_free(env, s->path);
    pt_free(env, s);
}

peat_rc pt_store_writable(pt_store *s)
{
    if (s->settings.read_only)
        return PEAT_READ_ONLY;
    return pt_sink_write_failure(&s->sink);
}
