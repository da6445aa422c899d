/* SPDX-License-Identifier: MIT */
/*
 * get.c - see get.h and read.h. A get in steps:
 *   1  enter an epoch; the view; the published sequence (after the view: see below)
 *   2  memtables, newest first
 *   3  the partition's layers, newest first
 *   4  copy the value out, leave the epoch
 * When step 3 needs a block or section that is not in memory: reference the view, leave the epoch,
 * read, enter again and go on where it stood.
 *
 * Why the view comes before the sequence: everything published when the view was loaded is in it,
 * and versions that its tables no longer hold were hidden by published ones. With the order
 * turned around a merge could have dropped the one version that an older sequence sees.
 */
#include "read/get.h"
#include "state/budget.h"

#include "base/hash.h"
#include "state/snapshot.h"

/* ---- the machine ---- */

static inline void raise_counter(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline void count(pt_store *s, unsigned slot, const pt_get_sums *sums)
{
    pt_store_read_counters *c = &s->read_counters[slot];
    if (PT_LIKELY(slot < PT_EPOCH_SLOTS)) {
        /* the slot is ours alone: plain increments that others may read */
        raise_counter(&c->gets, sums->gets);
        raise_counter(&c->found, sums->found);
        raise_counter(&c->filter_checks, sums->filter_checks);
        raise_counter(&c->filter_skips, sums->filter_skips);
        return;
    }
    atomic_fetch_add_explicit(&c->gets, sums->gets, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->found, sums->found, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->filter_checks, sums->filter_checks, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->filter_skips, sums->filter_skips, memory_order_relaxed);
}

void pt_get_count(pt_get *g, bool found)
{
    count(g->s, g->slot, &(pt_get_sums){1, found, g->lookup.checks, g->lookup.skips});
}

void pt_get_count_many(pt_store *s, unsigned slot, const pt_get_sums *sums)
{
    count(s, slot, sums);
}

/* Step 2. */
static bool find_in_memory(pt_get *g, const pt_view *v)
{
    g->mem = v->active;
    if (pt_memtable_get(v->active->table, g->key, g->seq, &g->entry))
        return true;
    for (size_t i = 0; i < v->immutable_count; i++) {
        g->mem = v->immutables[i];
        if (pt_memtable_get(g->mem->table, g->key, g->seq, &g->entry))
            return true;
    }
    g->mem = NULL;
    return false;
}

static void begin(pt_get *g, pt_store *s, const pt_read_options *options, pt_slice key)
{
    g->s = s;
    g->key = key;
    g->options = options;
    g->held_view = NULL;
    g->kept = NULL;
    g->in_tables = g->counted = false;
    pt_lookup_begin(&g->lookup, key, 0, 0);
    g->lookup.hint = options->no_cache_fill ? PT_FETCH_ONCE : PT_FETCH_POINT;
}

/* Inside the epoch, so that close sees a reader in an epoch, or else a call to wait for. */
static void count_in(pt_get *g)
{
    if (!g->counted)
        atomic_fetch_add(&g->s->calls, 1);
    g->counted = true;
}

static void done(pt_get *g)
{
    pt_lookup_done(&g->lookup);
    if (PT_UNLIKELY(g->kept != NULL))
        pt_table_index_leave(g->kept);
    g->kept = NULL;
    pt_view_unref(g->held_view);
    if (g->held_view != NULL)
        pt_snapshot_released(g->s, UINT64_MAX);
    if (g->counted)
        pt_store_call_end(g->s); /* and nothing of the store is used any more */
}

peat_rc pt_get_read(pt_get *g)
{
    PT_DCHECK(g->held_view != NULL, "I10: who waits for bytes holds a view, and no epoch");
    bool section = g->lookup.need == PT_FIND_NEED_SECTION;
    peat_rc rc = pt_lookup_fetch(&g->lookup);
    if (rc == PEAT_CORRUPT)
        atomic_fetch_add(&g->s->damages, 1);
    /* reads alone can fill the memory while the background sleeps; but what was loaded is needed */
    if (rc == PEAT_OK && section)
        pt_budget_check(g->s, g->lookup.table_ref->table);
    return rc;
}

/* Step 1: what this read sees. Without a view of its own, the present state. */
static inline pt_view *view_of(pt_get *g)
{
    if (g->held_view != NULL)
        return g->held_view;
    /* acquire: pairs with the release in pt_store_publish_view */
    pt_view *v = atomic_load_explicit(&g->s->view, memory_order_acquire);
    /* acquire: pairs with the committer's publishing store */
    g->seq = g->options->has_seq ? g->options->seq
                                 : atomic_load_explicit(&g->s->published.seq, memory_order_acquire);
    g->lookup.seq_max = g->seq;
    return v;
}

/* Steps 1 to 3, from where it stands. After an answer the epoch is held, so that the entry can be
 * used; the caller leaves it. Never WAITS. */
static pt_get_state attempt(pt_get *g)
{
    g->slot = pt_epoch_enter(&g->s->epoch);
    if (PT_UNLIKELY(!g->counted && pt_store_gone(g->s))) {
        pt_epoch_exit(&g->s->epoch, g->slot);
        g->rc = PEAT_CLOSED;
        return PT_GET_FAILED;
    }
    pt_view *v = g->seen_view = view_of(g);
    if (!g->in_tables) {
        if (find_in_memory(g, v))
            return pt_kind_has_value(g->entry.kind) ? PT_GET_FOUND : PT_GET_ABSENT;
        g->in_tables = true;
        g->lookup.hash = pt_hash(g->key.data, g->key.size);
    }
    pt_find f = pt_lookup_step(&g->lookup, v->version);
    if (f == PT_FIND_FOUND) {
        g->entry = g->lookup.found.entry;
        return pt_kind_has_value(g->entry.kind) ? PT_GET_FOUND : PT_GET_ABSENT;
    }
    if (f == PT_FIND_ABSENT)
        return PT_GET_ABSENT;
    if (g->held_view == NULL)
        g->held_view = pt_view_ref(v);
    count_in(g);
    pt_epoch_exit(&g->s->epoch, g->slot);
    return PT_GET_NEEDS;
}

/* Before done(): the store must be there. */
peat_rc pt_get_failed(pt_get *g, peat_rc rc)
{
    if (rc != PEAT_CLOSED) /* any other is met by calls that are counted: the store is there */
        pt_sink_call(&g->s->sink, rc, NULL);
    return rc;
}

peat_rc pt_read_buf_reserve(const pt_env *env, peat_buf *io_buf, size_t size)
{
    if (PT_LIKELY(io_buf->capacity >= size))
        return PEAT_OK;
    const pt_env *owner = io_buf->data != NULL ? io_buf->env : env;
    size_t capacity = io_buf->capacity * 2 > size ? io_buf->capacity * 2 : size;
    void *p = pt_resize(owner, io_buf->data, capacity < 64 ? 64 : capacity);
    if (p == NULL)
        return PEAT_NOMEM;
    io_buf->data = p;
    io_buf->capacity = capacity < 64 ? 64 : capacity;
    io_buf->env = owner;
    return PEAT_OK;
}

/* There was no room. Outside the epoch the buffer grows, then the get begins anew: the value may be
 * another by then. */
static peat_rc start_again(pt_get *g, peat_buf *ret_value)
{
    pt_store *s = g->s;
    size_t size = g->entry.value.size;
    count_in(g); /* the store stays until then */
    pt_epoch_exit(&s->epoch, g->slot);
    peat_rc rc = pt_read_buf_reserve(s->env, ret_value, size);
    if (rc != PEAT_OK)
        return rc;
    g->counted = false;
    done(g);
    begin(g, s, g->options, g->key);
    g->counted = true;
    return PEAT_OK;
}

peat_rc pt_read_get(pt_store *s, const pt_read_options *options, pt_slice key, peat_buf *ret_value)
{
    pt_get g;
    peat_rc rc = PEAT_OK;
    begin(&g, s, options, key);
    while (rc == PEAT_OK) {
        pt_get_state state = attempt(&g);
        bool found = state == PT_GET_FOUND;
        if (state == PT_GET_NEEDS) {
            rc = pt_get_read(&g);
        } else if (state == PT_GET_FAILED) {
            rc = g.rc;
        } else if (found && ret_value != NULL && !pt_read_buf_take(ret_value, g.entry.value)) {
            rc = start_again(&g, ret_value);
        } else {
            pt_get_count(&g, found);
            pt_epoch_exit(&s->epoch, g.slot);
            done(&g);
            return found ? PEAT_OK : PEAT_NOT_FOUND;
        }
    }
    rc = pt_get_failed(&g, rc);
    done(&g);
    return rc;
}

/* ---- by steps, for who reads by itself ---- */

void pt_get_begin(pt_get *g, pt_store *s, const pt_read_options *options, pt_slice key)
{
    begin(g, s, options, key);
    g->in_epoch = g->patient = g->told = false;
    g->rc = PEAT_OK;
    g->fill = (pt_cache_fill){.state = PT_FILL_READY};
}

static pt_get_state fail(pt_get *g, peat_rc rc)
{
    if (rc == PEAT_CORRUPT)
        atomic_fetch_add(&g->s->damages, 1);
    g->rc = pt_get_failed(g, rc);
    return PT_GET_FAILED;
}

/* Outside the epoch. What the last step needed is there; else *ret_state says what is to come. */
static bool is_there(pt_get *g, pt_get_state *ret_state)
{
    peat_rc rc = PEAT_OK;
    if (g->fill.state == PT_FILL_WAITS)
        rc = pt_lookup_fill_poll(&g->lookup, &g->fill);
    *ret_state = rc != PEAT_OK                    ? fail(g, rc)
                 : g->fill.state == PT_FILL_LEADS ? PT_GET_NEEDS
                                                  : PT_GET_WAITS;
    return rc == PEAT_OK && g->fill.state == PT_FILL_READY;
}

pt_get_state pt_get_step(pt_get *g)
{
    PT_ASSERT(!g->in_epoch, "I10: who waits for bytes holds a view, and no epoch");
    if (g->rc != PEAT_OK)
        return PT_GET_FAILED;
    for (;;) {
        pt_get_state now;
        if (!is_there(g, &now))
            return now;
        now = attempt(g);
        if (now == PT_GET_FAILED)
            return fail(g, g->rc);
        if (now != PT_GET_NEEDS) {
            if (!g->told)
                pt_get_count(g, now == PT_GET_FOUND);
            g->in_epoch = g->told = true;
            return now;
        }
        if (g->lookup.need == PT_FIND_NEED_SECTION || g->patient)
            return PT_GET_NEEDS;
        peat_rc rc = pt_lookup_fill_begin(&g->lookup, &g->fill);
        if (rc != PEAT_OK)
            return fail(g, rc);
    }
}

void pt_get_wanted_of(const pt_get *g, pt_get_wanted *ret_wanted)
{
    const pt_lookup *l = &g->lookup;
    *ret_wanted = (pt_get_wanted){.table = l->table_ref->table,
                                  .offset = l->found.extent_offset,
                                  .size = l->found.extent_size,
                                  .what = "block"};
    if (g->fill.state == PT_FILL_LEADS && l->found.extent_size <= g->fill.room_size &&
        pt_table_blocks_are_plain(l->table_ref->table))
        ret_wanted->room = g->fill.room;
    if (l->need == PT_FIND_NEED_SECTION) {
        pt_table_section_extent(l->table_ref->table, l->found.section, &ret_wanted->offset,
                                &ret_wanted->size);
        ret_wanted->what = "section";
    }
}

void pt_get_supply(pt_get *g, peat_rc rc, pt_slice bytes)
{
    pt_lookup *l = &g->lookup;
    if (l->need == PT_FIND_NEED_BLOCK) {
        if (g->patient && rc == PEAT_OK)
            rc = pt_lookup_fill_late(l, &g->fill);
        if (g->fill.state == PT_FILL_LEADS)
            rc = pt_lookup_fill_supply(l, &g->fill, rc, bytes);
    } else if (rc == PEAT_OK) {
        rc = pt_table_take_section(l->table_ref->table, l->found.section, bytes);
        if (rc == PEAT_OK)
            pt_budget_check(g->s, l->table_ref->table);
    }
    if (rc != PEAT_OK)
        (void)fail(g, rc);
}

void pt_get_leave_epoch(pt_get *g)
{
    if (g->in_epoch)
        pt_epoch_exit(&g->s->epoch, g->slot);
    g->in_epoch = false;
}

void pt_get_hold(pt_get *g)
{
    PT_DCHECK(g->in_epoch, "who holds an entry has found it just now");
    if (g->held_view == NULL)
        g->held_view = pt_view_ref(g->seen_view);
    count_in(g);
    pt_get_leave_epoch(g);
}

void pt_get_end(pt_get *g)
{
    pt_get_leave_epoch(g);
    if (g->fill.state != PT_FILL_READY)
        pt_lookup_fill_abandon(&g->lookup, &g->fill);
    done(g);
}

/* ---- many at one read point ---- */

void pt_get_begin_in(pt_get *g, pt_store *s, const pt_read_options *options, pt_slice key,
                     pt_view *view, uint64_t seq)
{
    pt_get_begin(g, s, options, key);
    count_in(g);
    g->held_view = pt_view_ref(view);
    g->seq = g->lookup.seq_max = seq;
}

void pt_get_begin_at(pt_get *g, pt_store *s, const pt_read_options *options, pt_slice key,
                     pt_view *view, uint64_t seq)
{
    pt_get_begin_in(g, s, options, key, view, seq);
    g->mem = NULL;
    g->in_tables = true;
    g->lookup.hash = pt_hash(key.data, key.size);
}

/* Others load theirs before it looks again: with little memory each of many gets would have its
 * index pushed out every time, and none would ever end. */
static peat_rc keep_index(pt_get *g)
{
    if (g->lookup.found.section != PT_SECTION_INDEX)
        return PEAT_OK;
    if (g->kept != NULL)
        pt_table_index_leave(g->kept);
    g->kept = NULL;
    return pt_table_index_keep(g->lookup.table_ref->table, &g->kept);
}

void pt_get_read_alone(pt_get *g)
{
    peat_rc rc = PEAT_OK;
    if (g->lookup.need == PT_FIND_NEED_BLOCK && !g->patient) {
        rc = pt_lookup_fill_read(&g->lookup, &g->fill);
    } else {
        bool section = g->lookup.need == PT_FIND_NEED_SECTION;
        rc = pt_lookup_fetch(&g->lookup);
        if (rc == PEAT_OK && section)
            rc = keep_index(g);
        if (rc == PEAT_OK && section)
            pt_budget_check(g->s, g->lookup.table_ref->table);
    }
    if (rc != PEAT_OK)
        (void)fail(g, rc);
}

void pt_get_wait(pt_get *g)
{
    peat_rc rc = pt_lookup_fill_wait(&g->lookup, &g->fill);
    if (rc != PEAT_OK)
        (void)fail(g, rc);
}

bool pt_get_holds_entry(const pt_get *g)
{
    const pt_lookup *l = &g->lookup;
    return l->held.data != NULL && l->held_table == l->table_ref && l->held_block == l->found.block;
}

/* ---- with a view of its own ---- */

peat_rc pt_get_run_with_view(pt_get *g)
{
    for (;;) {
        pt_get_state state = attempt(g);
        if (state == PT_GET_FOUND || state == PT_GET_ABSENT) {
            pt_epoch_exit(&g->s->epoch, g->slot);
            return state == PT_GET_FOUND ? PEAT_OK : PEAT_NOT_FOUND;
        }
        peat_rc rc = state == PT_GET_NEEDS ? pt_get_read(g) : g->rc;
        if (rc != PEAT_OK)
            return rc;
    }
}
