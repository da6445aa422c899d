/* SPDX-License-Identifier: MIT */
/* ring.c - see ring.h. */
#include "read/ring.h"

#include "base/coding.h"
#include "base/hash.h"

peat_rc pt_ring_init(pt_ring *r, const pt_env *env, const pt_view *view, uint64_t seq,
                     uint32_t keyspace, size_t key_size_max)
{
    size_t room = PT_RING_KEY_BYTES;
    r->env = env;
    r->view = view;
    r->seq = seq;
    r->keyspace = keyspace;
    r->active = r->turn = 0;
    r->checks = r->skips = 0;
    r->long_keys = NULL;
    if (key_size_max + PT_KEYSPACE_BYTES > room) {
        room = key_size_max + PT_KEYSPACE_BYTES;
        r->long_keys = (uint8_t *)pt_alloc(env, PT_RING_PLACES * room);
        if (r->long_keys == NULL)
            return PEAT_NOMEM;
    }
    for (size_t i = 0; i < PT_RING_PLACES; i++) {
        r->place[i] = &r->probe[i];
        r->probe[i].key = r->long_keys != NULL ? r->long_keys + i * room : r->short_keys[i];
    }
    return PEAT_OK;
}

void pt_ring_done(pt_ring *r)
{
    pt_free(r->env, r->long_keys);
}

/* ---- one lookup: the memtables, newest first, then the tables ---- */

static const pt_mem *mem_at(const pt_view *v, size_t i)
{
    return i == 0 ? v->active : i <= v->immutable_count ? v->immutables[i - 1] : NULL;
}

/* Begins in the first memtable from `passed` on that may have the key, or in the tables. */
static void enter_next(pt_ring *r, pt_ring_probe *p)
{
    pt_lookup *l = &p->lookup;
    while ((p->mem = mem_at(r->view, p->passed)) != NULL) {
        p->state = pt_memtable_probe_begin(&p->in_mem, p->mem->table, l->key);
        if (p->state != PT_PROBE_ABSENT)
            return;
        p->passed++;
    }
    l->hash = pt_hash(l->key.data, l->key.size);
    p->state = pt_lookup_probe_begin(l, r->view->version, &p->in_tables);
}

static void step(pt_ring *r, pt_ring_probe *p)
{
    pt_lookup *l = &p->lookup;
    if (PT_LIKELY(p->mem == NULL)) {
        p->state = pt_lookup_probe_step(l, &p->in_tables);
        return;
    }
    p->state = pt_memtable_probe_step(&p->in_mem, l->key, r->seq, &l->found.entry);
    if (p->state == PT_PROBE_ABSENT) {
        p->passed++;
        enter_next(r, p);
    }
}

/* ---- all of them ---- */

static void begin(pt_ring *r, pt_ring_probe *p, size_t number, peat_slice key)
{
    p->number = number;
    p->passed = 0;
    pt_put_be32(p->key, r->keyspace);
    if (key.size != 0)
        memcpy(p->key + PT_KEYSPACE_BYTES, key.data, key.size);
    pt_lookup_begin(&p->lookup, pt_slice_of(p->key, key.size + PT_KEYSPACE_BYTES), 0, r->seq);
    enter_next(r, p);
}

void pt_ring_begin(pt_ring *r, size_t number, peat_slice key)
{
    PT_DCHECK(pt_ring_has_place(r), "a lookup begins where there is a place");
    begin(r, r->place[r->active++], number, key);
}

pt_ring_probe *pt_ring_turn(pt_ring *r)
{
    while (r->active != 0) {
        if (++r->turn >= r->active)
            r->turn = 0;
        pt_ring_probe *p = r->place[r->turn];
        if (p->state == PT_PROBE_COMES)
            step(r, p);
        if (p->state != PT_PROBE_COMES)
            return p;
    }
    return NULL;
}

static void leave(pt_ring *r, const pt_ring_probe *p)
{
    PT_DCHECK(p->state != PT_PROBE_COMES, "who leaves its place was returned");
    r->checks += p->lookup.checks;
    r->skips += p->lookup.skips;
}

void pt_ring_replace(pt_ring *r, size_t number, peat_slice key)
{
    pt_ring_probe *p = r->place[r->turn];
    leave(r, p);
    begin(r, p, number, key);
}

void pt_ring_end(pt_ring *r)
{
    pt_ring_probe *p = r->place[r->turn];
    leave(r, p);
    r->place[r->turn] = r->place[--r->active];
    r->place[r->active] = p;
}
