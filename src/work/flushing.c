/* SPDX-License-Identifier: MIT */
/*
 * flushing.c - the oldest immutable memtable becomes tables; one flush at a time (flush_mu).
 */
#include "compact/flush.h"
#include "mem/memtable.h"
#include "state/budget.h"
#include "state/event.h"
#include "work/install.h"
#include "work/quiet.h"
#include "work/shape.h"
#include "work/sizes.h"
#include "work/work.h"
#include "work/work_result.h"
#include "state/snapshot.h"

static pt_mem *oldest_immutable(const pt_view *v)
{
    return v->immutable_count != 0 ? v->immutables[v->immutable_count - 1] : NULL;
}

static void wait_for_writers(pt_store *s, pt_mem *m)
{
    pt_published_wait(&s->published, m->seq_last);
    /* acquire: pairs with the committer's release after its inserts; they take microseconds */
    while (atomic_load_explicit(&m->writers, memory_order_acquire) != 0)
        pt_spin_pause();
    PT_ASSERT(m->seq_last <= atomic_load(&s->published.seq), "I17: all of it was published");
}

static peat_rc run_flush(pt_store *s, const pt_view *v, pt_mem *m, pt_flush *ret_flush,
                         pt_compact_context *ctx, uint64_t **ret_snapshots)
{
    peat_rc rc = PEAT_OK;
    pt_iter *entries = NULL;
    size_t count;
    pt_memtable_stats stats;
    wait_for_writers(s, m);
    TRY(pt_snapshot_list(s, ret_snapshots, &count));
    pt_sizes_context(s, v->version, *ret_snapshots, count, ctx);
    TRY(pt_memtable_iter_new(m->table, &entries));
    stats = pt_memtable_get_stats(m->table);
    pt_flush_input input = {.entries = entries,
                            .seq_first = m->seq_first,
                            .seq_last = m->seq_last,
                            .count = stats.entries,
                            .bytes = stats.key_bytes + stats.value_bytes,
                            .epoch = &s->epoch};
    TRY(pt_flush_run(ret_flush, ctx, v->version, &input));
out:
    pt_iter_done(entries);
    return rc;
}

static void count_flush(pt_store *s, const pt_flush *f, const pt_mem *m)
{
    pt_memtable_stats stats = pt_memtable_get_stats(m->table);
    pt_quiet_found(s, stats.entries, stats.key_bytes + stats.value_bytes, f->obsolete_bytes);
    pt_mutex_lock(&s->work->mu);
    s->work->state.flushes++;
    s->work->state.appends += f->appended != NULL;
    s->work->state.flush_bytes += pt_flush_bytes_written(f);
    pt_mutex_unlock(&s->work->mu);
}

static uint64_t mem_bytes(const pt_mem *m)
{
    pt_memtable_stats stats = pt_memtable_get_stats(m->table);
    return stats.key_bytes + stats.value_bytes;
}

/* What is to be told of a flush once its lock is given back: the event's receiver may write. */
typedef struct flush_end {
    bool did;
    uint64_t bytes_in, bytes_out, took_ns;
} flush_end;

static void send_flush_event(pt_store *s, const flush_end *e, peat_rc rc)
{
    if (rc == PEAT_OK)
        pt_work_note_rate(s, e->bytes_in, e->took_ns);
    pt_event_send(s, PEAT_EVENT_FLUSH, rc, e->took_ns, e->bytes_in, e->bytes_out, NULL);
    pt_work_note_result(s, rc);
    pt_work_take_debts(s);
}

/* Takes over flush_mu, and gives it back. */
static peat_rc flush_oldest(pt_store *s, bool *ret_did)
{
    peat_rc rc = PEAT_OK;
    pt_flush flush = {0};
    pt_compact_context ctx;
    uint64_t *snapshots = NULL;
    flush_end ended;
    PT_DCHECK(pt_mutex_held(&s->work->flush_mu),
              "I17: one flush at a time, the oldest memtable first");
    PT_DCHECK(!pt_mutex_held(&s->commit_mu), "I12: commit_mu comes behind flush_mu");
    uint64_t begin = s->env->now_ns(s->env->ctx);
    pt_view *v = pt_store_view(s);
    pt_mem *m = oldest_immutable(v);
    if (m == NULL)
        goto out;
    TRY(pt_sink_write_failure(&s->sink));
    pt_budget_take_back(s);
    TRY(run_flush(s, v, m, &flush, &ctx, &snapshots));
    TRY(pt_install_flush(s, &flush, m));
    if (s->log == NULL) /* under flush_mu, so that who waited for this flush was told as well */
        pt_taps_durable(&s->tap, m->seq_last);
    count_flush(s, &flush, m);
out:
    ended = (flush_end){.did = m != NULL,
                        .bytes_in = m != NULL ? mem_bytes(m) : 0,
                        .bytes_out = pt_flush_bytes_written(&flush),
                        .took_ns = s->env->now_ns(s->env->ctx) - begin};
    pt_flush_done(&flush);
    pt_view_unref(v);
    pt_free(s->env, snapshots);
    pt_mutex_unlock(&s->work->flush_mu);
    *ret_did = ended.did;
    if (ended.did)
        send_flush_event(s, &ended, rc);
    if (ended.did && rc == PEAT_OK)
        pt_shape_after_flush(s);
    return rc;
}

peat_rc pt_work_flush(pt_store *s, bool *ret_did)
{
    pt_mutex_lock(&s->work->flush_mu);
    return flush_oldest(s, ret_did);
}

peat_rc pt_work_try_flush(pt_store *s, bool *ret_did)
{
    *ret_did = false;
    return pt_mutex_try_lock(&s->work->flush_mu) ? flush_oldest(s, ret_did) : PEAT_OK;
}

/* Whoever waits for room makes it: it waits for the flush under way, if there is one, and does the
 * next itself. So nobody depends on a background thread that may be merging, or calling this one's
 * event receiver. Who waits for all of them waits for the end of the last flush, too: for what it
 * tells (state/taps.h). */
peat_rc pt_work_make_room(pt_store *s, size_t immutables_max)
{
    for (;;) {
        peat_rc rc = pt_sink_write_failure(&s->sink);
        if (rc != PEAT_OK)
            return rc;
        pt_view *v = pt_store_view(s);
        size_t n = v->immutable_count;
        pt_view_unref(v);
        if (n <= immutables_max && immutables_max != 0)
            return PEAT_OK;
        bool did;
        rc = pt_work_flush(s, &did);
        if (rc != PEAT_OK || (!did && immutables_max == 0))
            return rc;
    }
}
