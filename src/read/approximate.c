/* SPDX-License-Identifier: MIT */
/*
 * approximate.c - see approximate.h. The sum over the memtables and over the layers of each
 * partition in the range; a key counts once in each of them that holds it.
 *
 * Where the range itself begins and ends the blocks are read, so that these ends are exact. Where a
 * partition does, the index is enough: what is guessed too much on one side of the border is
 * missing on the other, and both sides are in the range.
 */
#include "read/approximate.h"
#include "state/budget.h"

typedef struct range {
    pt_slice lower, upper;
    uint64_t entries, bytes;
} range;

/* A border in a layer: of the range (read), or only of its partition. */
typedef struct border {
    pt_slice key;
    bool read;
} border;

/* What of the table lies below the border. */
static peat_rc rank(const pt_layer *l, const border *at, uint64_t *ret_entries, uint64_t *ret_bytes)
{
    const pt_table_meta *m = l->table_ref->meta;
    bool below = pt_slice_compare(at->key, m->key_min) <= 0;
    *ret_entries = below ? 0 : m->entries;
    *ret_bytes = below ? 0 : m->file_bytes;
    if (below || pt_slice_compare(at->key, m->key_max) > 0)
        return PEAT_OK;
    return pt_table_rank(l->table_ref->table, at->read ? l->table_ref->source : NULL, at->key,
                         ret_entries, ret_bytes);
}

static peat_rc add_layers(range *r, const pt_layer *layers, size_t count, const border *from,
                          const border *to)
{
    uint64_t e0, b0, e1, b1;
    peat_rc rc = PEAT_OK;
    for (size_t i = 0; i < count; i++) {
        TRY(rank(&layers[i], from, &e0, &b0));
        TRY(rank(&layers[i], to, &e1, &b1));
        r->entries += e1 > e0 ? e1 - e0 : 0;
        r->bytes += b1 > b0 ? b1 - b0 : 0;
    }
out:
    return rc;
}

/* Partition i, which begins below the end of the range. */
static peat_rc add_partition(range *r, const pt_version *v, size_t i)
{
    const pt_partition *p = v->partitions[i];
    pt_slice end = pt_version_upper(v, i);
    bool begins = pt_slice_compare(p->lower, r->lower) <= 0;
    bool ends = end.data == NULL || pt_slice_compare(r->upper, end) <= 0;
    border from = {.key = begins ? r->lower : p->lower, .read = begins};
    border to = {.key = ends ? r->upper : end, .read = ends};
    peat_rc rc = add_layers(r, p->runs, p->run_count, &from, &to);
    return rc == PEAT_OK ? add_layers(r, p->bottom, p->bottom_count, &from, &to) : rc;
}

static void add_memory(range *r, const pt_mem *m, bool want_bytes)
{
    uint64_t entries, bytes = 0;
    pt_memtable_measure(m->table, r->lower, r->upper, &entries, want_bytes ? &bytes : NULL);
    r->entries += entries;
    r->bytes += bytes;
}

peat_rc pt_approximate(pt_store *s, pt_slice lower, pt_slice upper, uint64_t *ret_entries,
                       uint64_t *ret_bytes)
{
    range r = {.lower = lower, .upper = upper};
    peat_rc rc = PEAT_OK;
    if (!pt_store_call_begin(s))
        return PEAT_CLOSED;
    if (pt_slice_compare(lower, upper) < 0) {
        pt_view *v = pt_store_view(s);
        const pt_version *version = v->version;
        for (size_t i = pt_version_partition_of(version, lower);
             i < version->count && rc == PEAT_OK &&
             pt_slice_compare(version->partitions[i]->lower, upper) < 0;
             i++)
            rc = add_partition(&r, version, i);
        add_memory(&r, v->active, ret_bytes != NULL);
        for (size_t i = 0; i < v->immutable_count; i++)
            add_memory(&r, v->immutables[i], ret_bytes != NULL);
        pt_view_unref(v);
        pt_budget_check_soon(s); /* indexes were loaded */
    }
    if (rc == PEAT_CORRUPT)
        atomic_fetch_add_explicit(&s->damages, 1, memory_order_relaxed);
    if (rc == PEAT_OK && ret_entries != NULL)
        *ret_entries = r.entries;
    if (rc == PEAT_OK && ret_bytes != NULL)
        *ret_bytes = r.bytes;
    pt_store_call_end(s);
    return rc;
}
