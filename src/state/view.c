/* SPDX-License-Identifier: MIT */
/* view.c - see view.h. */
#include "state/view.h"

#include "entry/batch.h"

peat_rc pt_mem_new(pt_mem_home *home, size_t capacity, uint64_t seq_first, uint64_t log_serial,
                   pt_mem **ret_mem)
{
    pt_mem *m = (pt_mem *)pt_alloc_zero(home->env, sizeof *m);
    if (m == NULL)
        return PEAT_NOMEM;
    peat_rc rc = pt_memtable_new_from(&home->pool, capacity, &m->table);
    if (rc != PEAT_OK) {
        pt_free(home->env, m);
        return rc;
    }
    atomic_store(&m->refs, 1);
    m->home = home;
    m->seq_first = seq_first;
    m->log_serial = log_serial;
    *ret_mem = m;
    return PEAT_OK;
}

void pt_mem_unref(pt_mem *m)
{
    PT_DCHECK(m == NULL || atomic_load(&m->refs) != 0, "a reference is given back once");
    if (m == NULL || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
        return;
    PT_ASSERT(atomic_load_explicit(&m->writers, memory_order_relaxed) == 0,
              "I17: nobody inserts into a memtable that goes");
    pt_memtable_unref(m->table);
    /* relaxed: a figure */
    if (m->left_bytes != 0)
        atomic_fetch_sub_explicit(&m->home->left_bytes, m->left_bytes, memory_order_relaxed);
    pt_free(m->home->env, m);
}

void pt_mem_leave(pt_mem *m)
{
    PT_ASSERT(m->left_bytes == 0, "I17: a memtable leaves the view once");
    m->left_bytes = pt_memtable_get_stats(m->table).used_bytes;
    atomic_fetch_add_explicit(&m->home->left_bytes, m->left_bytes, memory_order_relaxed);
}

void pt_mem_insert(pt_mem *m, pt_slice payload, uint64_t first_seq)
{
    pt_cursor ops = pt_cursor_of(payload.data, payload.size);
    pt_entry e;
    while (pt_op_next(&ops, &e) == PEAT_OK) {
        e.seq = first_seq++;
        pt_memtable_add(m->table, &e);
    }
}

pt_view *pt_view_alloc(const pt_env *env)
{
    pt_view *v = (pt_view *)pt_alloc_zero(env, sizeof *v);
    if (v != NULL)
        v->env = env;
    return v;
}

void pt_view_discard(pt_view *unfilled)
{
    if (unfilled != NULL)
        pt_free(unfilled->env, unfilled);
}

void pt_view_fill(pt_view *v, pt_mem *active, pt_mem *const *immutables, size_t immutable_count,
                  pt_version *version)
{
    PT_ASSERT(immutable_count <= PT_VIEW_IMMUTABLES_MAX, "a view has room for its memtables");
    atomic_store(&v->refs, 1);
    v->active = active != NULL ? pt_mem_ref(active) : NULL;
    for (size_t i = 0; i < immutable_count; i++)
        v->immutables[i] = pt_mem_ref(immutables[i]);
    v->immutable_count = immutable_count;
    v->version = pt_version_ref(version);
}

bool pt_view_has(const pt_view *v, const pt_mem *m)
{
    bool has = v->active == m;
    for (size_t i = 0; i < v->immutable_count; i++)
        has = has || v->immutables[i] == m;
    return has;
}

void pt_view_unref(pt_view *v)
{
    PT_DCHECK(v == NULL || atomic_load(&v->refs) != 0, "a reference is given back once");
    if (v == NULL || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
        return;
    pt_mem_unref(v->active);
    for (size_t i = 0; i < v->immutable_count; i++)
        pt_mem_unref(v->immutables[i]);
    pt_version_unref(v->version);
    pt_free(v->env, v);
}
