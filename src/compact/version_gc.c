/* SPDX-License-Identifier: MIT */
/* version_gc.c - see version_gc.h. */
#include "compact/version_gc.h"

void pt_version_gc_init(pt_version_gc *p, const pt_env *env, const uint64_t *snapshots,
                        size_t count, bool bottom)
{
    for (size_t i = 1; i < count; i++)
        PT_ASSERT(snapshots[i - 1] < snapshots[i], "I18: snapshots ascend, each once");
    *p = (pt_version_gc){.snapshots = snapshots, .snapshot_count = count, .bottom = bottom};
    pt_bytes_init(&p->key, env);
}

void pt_version_gc_done(pt_version_gc *p)
{
    pt_bytes_done(&p->key);
}

/* How many snapshots are older than seq: 0 is the stripe that every snapshot sees. */
static size_t stripe_of(const pt_version_gc *p, uint64_t seq)
{
    size_t n = p->snapshot_count;
    while (n > 0 && p->snapshots[n - 1] >= seq)
        n--;
    return n;
}

static peat_rc remember(pt_version_gc *p, pt_slice key)
{
    p->key.size = 0;
    p->has_key = true;
    return pt_bytes_append(&p->key, key.data, key.size);
}

peat_rc pt_version_gc_entry(pt_version_gc *p, pt_entry *io_entry, bool *ret_keep)
{
    peat_rc rc = PEAT_OK;
    uint64_t seq = io_entry->seq;
    size_t stripe = stripe_of(p, seq);
    int c = p->has_key ? pt_slice_compare(pt_bytes_slice(&p->key), io_entry->key) : -1;
    bool same = c == 0;
    /* sequences alone do not tell: what is 0 by now may hide an older version that is not */
    if (c > 0 || (same && stripe > p->stripe))
        return PEAT_CORRUPT;
    p->same_key = same;
    bool hidden = same && stripe == p->stripe;
    p->stripe = stripe;
    if (!same)
        rc = remember(p, io_entry->key);
    if (stripe == 0)
        io_entry->seq = 0;
    *ret_keep = !hidden && !(p->bottom && stripe == 0 && pt_kind_drops(io_entry->kind));
    p->needed_by_snapshot = same || pt_kind_drops(io_entry->kind);
    if (!*ret_keep)
        p->dropped_bytes += io_entry->key.size + io_entry->value.size;
    return rc;
}
