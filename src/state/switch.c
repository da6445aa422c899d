/* SPDX-License-Identifier: MIT */
/* switch.c - see switch.h. */
#include "state/switch.h"

#include "state/event.h"

uint64_t pt_switch_log_serial(pt_store *s)
{
    return s->log != NULL ? pt_log_serial(s->log) : 0;
}

peat_rc pt_switch_init(pt_store *s, pt_switch *w)
{
    *w = (pt_switch){.next = pt_view_alloc(s->env)};
    if (w->next == NULL)
        return PEAT_NOMEM;
    peat_rc rc = pt_mem_new(&s->mems, s->settings.memtable_bytes, s->seq_next,
                            pt_switch_log_serial(s), &w->fresh);
    if (rc != PEAT_OK)
        pt_view_discard(w->next);
    return rc;
}

void pt_switch_drop(pt_switch *w)
{
    pt_view_discard(w->next);
    pt_mem_unref(w->fresh);
}

void pt_switch_run(pt_store *s, pt_switch *w, pt_mem *side)
{
    pt_mem *immutables[PT_VIEW_IMMUTABLES_MAX];
    size_t n = 0;
    PT_DCHECK(pt_mutex_held(&s->commit_mu), "commit_mu guards the active memtable");
    pt_mutex_lock(&s->view_mu);
    pt_view *v = atomic_load_explicit(&s->view, memory_order_relaxed);
    PT_ASSERT(v->active == s->active, "committers write where readers look");
    PT_ASSERT(v->immutable_count + 2 <= PT_VIEW_IMMUTABLES_MAX,
              "a view has room for its memtables");
    v->active->seq_last = s->seq_next - 1;
    w->fresh->seq_first = side != NULL ? side->seq_last + 1 : s->seq_next;
    if (side != NULL)
        immutables[n++] = side;
    immutables[n++] = v->active;
    for (size_t i = 0; i < v->immutable_count; i++)
        immutables[n++] = v->immutables[i];
    pt_view_fill(w->next, w->fresh, immutables, n, v->version);
    pt_store_publish_view(s, w->next);
    pt_mutex_unlock(&s->view_mu);
    s->active = w->fresh;
    pt_mem_unref(w->fresh);
    atomic_store_explicit(&s->inline_due, true, memory_order_relaxed);
    s->background.switched(s);
}

/* Caller holds commit_mu. */
peat_rc pt_switch_memtable(pt_store *s)
{
    pt_switch w;
    peat_rc rc = pt_switch_init(s, &w);
    if (rc == PEAT_OK)
        pt_switch_run(s, &w, NULL);
    return rc;
}

size_t pt_switch_immutable_count(pt_store *s)
{
    pt_mutex_lock(&s->view_mu);
    size_t n = atomic_load_explicit(&s->view, memory_order_relaxed)->immutable_count;
    pt_mutex_unlock(&s->view_mu);
    return n;
}

peat_rc pt_switch_wait(pt_store *s, size_t immutables_max)
{
    uint64_t begin = s->env->now_ns(s->env->ctx);
    pt_mutex_unlock(&s->commit_mu);
    peat_rc rc = s->background.make_room(s, immutables_max);
    uint64_t waited = s->env->now_ns(s->env->ctx) - begin;
    if (rc == PEAT_OK)
        pt_event_send(s, PEAT_EVENT_STALL, PEAT_OK, waited, 0, 0, "memtables are full");
    pt_mutex_lock(&s->commit_mu);
    s->commits.waits++;
    s->commits.wait_ns += waited;
    return rc;
}

peat_rc pt_switch_rotate(pt_store *s, bool may_wait)
{
    peat_rc rc = PEAT_OK;
    pt_mutex_lock(&s->commit_mu);
    pt_memtable_stats stats = pt_memtable_get_stats(s->active->table);
    while (rc == PEAT_OK && stats.entries != 0 && pt_switch_immutable_count(s) >= 2) {
        rc = may_wait ? pt_switch_wait(s, 1) : PEAT_TIMEOUT;
        stats = pt_memtable_get_stats(s->active->table);
    }
    if (rc == PEAT_OK && stats.entries != 0)
        rc = pt_switch_memtable(s);
    pt_mutex_unlock(&s->commit_mu);
    return rc;
}

peat_rc pt_switch_flush(pt_store *s)
{
    peat_rc rc = pt_store_writable(s);
    if (rc == PEAT_OK)
        rc = pt_switch_rotate(s, true);
    return rc == PEAT_OK ? s->background.make_room(s, 0) : rc;
}
