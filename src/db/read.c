/* SPDX-License-Identifier: MIT */
/*
 * read.c - see read.h. A get in steps:
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
#include "db/read.h"

#include "base/hash.h"
#include "version/version_find.h"

typedef struct get {
    pt_store *s;
    pt_slice key;
    uint64_t hash;
    uint64_t seq;
    const pt_get_options *options;
    pt_view *held_view; /* referenced once I/O was needed; NULL before */
    pt_lookup lookup;
    bool in_tables; /* the memtables are behind it */
    bool counted;   /* as a call in flight, from the first I/O on until it is done */
    /* found */
    pt_entry entry;
    pt_mem *mem; /* where, when not in a table */
    unsigned slot;
} get;

static void count(get *g, bool found)
{
    pt_read_counters *c = &g->s->read_counters[g->slot];
    if (PT_LIKELY(g->slot < PT_EPOCH_SLOTS)) {
        /* the slot is ours alone: plain increments that others may read */
        atomic_store_explicit(&c->gets, atomic_load_explicit(&c->gets, memory_order_relaxed) + 1,
                              memory_order_relaxed);
        atomic_store_explicit(&c->found,
                              atomic_load_explicit(&c->found, memory_order_relaxed) + found,
                              memory_order_relaxed);
        atomic_store_explicit(&c->filter_checks,
                              atomic_load_explicit(&c->filter_checks, memory_order_relaxed) +
                                  g->lookup.checks,
                              memory_order_relaxed);
        atomic_store_explicit(&c->filter_skips,
                              atomic_load_explicit(&c->filter_skips, memory_order_relaxed) +
                                  g->lookup.skips,
                              memory_order_relaxed);
        return;
    }
    atomic_fetch_add_explicit(&c->gets, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->found, found, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->filter_checks, g->lookup.checks, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->filter_skips, g->lookup.skips, memory_order_relaxed);
}

/* Step 2. */
static bool find_in_memory(get *g, const pt_view *v)
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

/* Steps 1 to 3, inside the epoch. */
static pt_find step(get *g)
{
    pt_view *v = g->held_view;
    if (v == NULL) {
        /* acquire: pairs with the release in pt_store_publish_view */
        v = atomic_load_explicit(&g->s->view, memory_order_acquire);
        /* acquire: pairs with the committer's publishing store */
        g->seq = g->options->has_seq
                     ? g->options->seq
                     : atomic_load_explicit(&g->s->seq_published, memory_order_acquire);
        g->lookup.seq_max = g->seq;
    }
    if (!g->in_tables) {
        if (find_in_memory(g, v))
            return PT_FIND_FOUND;
        g->in_tables = true;
        g->hash = pt_hash(g->key.data, g->key.size);
        g->lookup.hash = g->hash;
    }
    pt_find f = pt_lookup_step(&g->lookup, v->version);
    if (f == PT_FIND_FOUND)
        g->entry = g->lookup.found.entry;
    if (g->held_view == NULL && f != PT_FIND_FOUND && f != PT_FIND_ABSENT)
        g->held_view = pt_view_ref(v);
    return f;
}

static void begin(get *g, pt_store *s, const pt_get_options *options, pt_slice key)
{
    *g = (get){.s = s, .key = key, .options = options};
    pt_lookup_begin(&g->lookup, key, 0, 0);
    g->lookup.hint = options->no_cache_fill ? PT_FETCH_ONCE : PT_FETCH_POINT;
}

/* Inside the epoch: close sees one or the other. */
static void count_in(get *g)
{
    if (!g->counted)
        atomic_fetch_add(&g->s->calls, 1);
    g->counted = true;
}

static void done(get *g)
{
    pt_lookup_done(&g->lookup);
    pt_view_unref(g->held_view);
    if (g->held_view != NULL)
        pt_work_released(g->s, UINT64_MAX);
    if (g->counted)
        pt_call_end(g->s); /* and nothing of the store is used any more */
}

static peat_rc read_needed(get *g)
{
    bool section = g->lookup.need == PT_FIND_NEED_SECTION;
    peat_rc rc = pt_lookup_fetch(&g->lookup);
    if (rc == PEAT_CORRUPT)
        atomic_fetch_add(&g->s->damages, 1);
    /* reads alone can fill the memory while the background sleeps; but what was loaded is needed */
    if (rc == PEAT_OK && section)
        pt_budget_check(g->s, g->lookup.table_ref->table);
    return rc;
}

/* Runs the machine until it has an answer. On PEAT_OK and PEAT_NOT_FOUND the epoch is still held,
 * so that the entry can be used; the caller leaves it. */
static peat_rc find(get *g)
{
    peat_rc rc = PEAT_CLOSED;
    for (;;) {
        g->slot = pt_epoch_enter(&g->s->epoch);
        if (PT_UNLIKELY(!g->counted && pt_store_gone(g->s)))
            break;
        pt_find f = step(g);
        if (f == PT_FIND_FOUND || f == PT_FIND_ABSENT) {
            bool found = f == PT_FIND_FOUND && pt_kind_has_value(g->entry.kind);
            rc = found ? PEAT_OK : PEAT_NOT_FOUND;
            break;
        }
        count_in(g);
        pt_epoch_exit(&g->s->epoch, g->slot);
        rc = f == PT_FIND_CORRUPT ? PEAT_CORRUPT : read_needed(g);
        if (rc != PEAT_OK)
            return rc;
    }
    if (rc == PEAT_CLOSED)
        pt_epoch_exit(&g->s->epoch, g->slot);
    return rc;
}

/* The call ends with this error, which it keeps for peat_call_error; before done(). */
static peat_rc failed(get *g, peat_rc rc)
{
    if (rc != PEAT_CLOSED) /* any other is met by calls that are counted: the store is there */
        pt_sink_call(&g->s->sink, rc, NULL);
    return rc;
}

peat_rc pt_buf_reserve(const pt_env *env, peat_buf *io_buf, size_t size)
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

peat_rc pt_store_get(pt_store *s, const pt_get_options *options, pt_slice key, peat_buf *ret_value)
{
    for (bool counted = false;; counted = true) {
        get g;
        begin(&g, s, options, key);
        g.counted = counted;
        peat_rc rc = find(&g);
        if (rc < 0) {
            rc = failed(&g, rc);
            done(&g);
            return rc;
        }
        size_t size = g.entry.value.size;
        bool fits = rc != PEAT_OK || size <= ret_value->capacity;
        if (fits)
            count(&g, rc == PEAT_OK);
        if (rc == PEAT_OK && fits) {
            if (size != 0)
                memcpy(ret_value->data, g.entry.value.data, size);
            ret_value->size = size;
        }
        if (!fits)
            count_in(&g);
        pt_epoch_exit(&s->epoch, g.slot);
        /* grown outside the epoch, then asked again: the value may be another by now */
        bool again = !fits && (rc = pt_buf_reserve(s->env, ret_value, size)) == PEAT_OK;
        if (rc < 0)
            rc = failed(&g, rc);
        g.counted = g.counted && !again; /* the store stays until then */
        done(&g);
        if (!again)
            return rc;
    }
}

peat_rc pt_store_exists(pt_store *s, const pt_get_options *options, pt_slice key)
{
    get g;
    begin(&g, s, options, key);
    peat_rc rc = find(&g);
    if (rc >= 0)
        count(&g, rc == PEAT_OK);
    if (rc >= 0)
        pt_epoch_exit(&s->epoch, g.slot);
    else
        rc = failed(&g, rc);
    done(&g);
    return rc;
}

/* ---- pinned values ---- */

/* A pin is (copy with the low bit set, nothing) or (table reference, pin of its block). It holds
 * the store. What is in a memtable is copied: to hold all of that for one value is more than it is
 * worth, and the memory would be missing from the budget. */
typedef struct pin_copy {
    pt_store *store;
    size_t size; /* of all */
    uint8_t bytes[];
} pin_copy;

static peat_rc pin_memory(get *g, peat_pinned *ret)
{
    size_t size = sizeof(pin_copy) + g->entry.value.size;
    pin_copy *copy = (pin_copy *)pt_alloc(g->s->env, size);
    if (copy == NULL)
        return PEAT_NOMEM;
    *copy = (pin_copy){.store = g->s, .size = size};
    memcpy(copy->bytes, g->entry.value.data, g->entry.value.size);
    atomic_fetch_add_explicit(&g->s->reader_bytes, size, memory_order_relaxed);
    *ret = (peat_pinned){.data = copy->bytes, .size = g->entry.value.size};
    ret->reserved[0] = (char *)(void *)copy + 1;
    return PEAT_OK;
}

static void pin_held(get *g, peat_pinned *ret)
{
    ret->reserved[0] = pt_table_ref_retain(g->lookup.held_table);
    ret->reserved[1] = g->lookup.held.pin;
    ret->data = g->entry.value.data;
    ret->size = g->entry.value.size;
    g->lookup.held = (pt_block_ref){0}; /* the pin's now */
}

/* One turn of the machine with the view already referenced. */
static peat_rc find_with_view(get *g)
{
    for (;;) {
        g->slot = pt_epoch_enter(&g->s->epoch);
        pt_find f = step(g);
        pt_epoch_exit(&g->s->epoch, g->slot);
        if (f == PT_FIND_FOUND)
            return pt_kind_has_value(g->entry.kind) ? PEAT_OK : PEAT_NOT_FOUND;
        if (f == PT_FIND_ABSENT)
            return PEAT_NOT_FOUND;
        peat_rc rc = f == PT_FIND_CORRUPT ? PEAT_CORRUPT : read_needed(g);
        if (rc != PEAT_OK)
            return rc;
    }
}

static bool holds_its_block(const get *g)
{
    const pt_lookup *l = &g->lookup;
    return l->held.data != NULL && l->held_table == l->table_ref && l->held_block == l->found.block;
}

/* The entry may stand in a resident block, which stays only as long as the epoch: its block is
 * fetched, and the entry found again, now inside the held one. */
static peat_rc find_held(get *g)
{
    peat_rc rc = find_with_view(g);
    while (rc == PEAT_OK && g->mem == NULL && !holds_its_block(g)) {
        g->lookup.need = PT_FIND_NEED_BLOCK;
        rc = read_needed(g);
        if (rc == PEAT_OK)
            rc = find_with_view(g);
    }
    return rc;
}

peat_rc pt_store_get_pinned(pt_store *s, const pt_get_options *options, pt_slice key,
                            peat_pinned *ret_value)
{
    get g;
    if (!pt_call_begin(s))
        return PEAT_CLOSED;
    begin(&g, s, options, key);
    g.held_view = pt_store_view(s);
    g.seq = options->has_seq ? options->seq
                             : atomic_load_explicit(&s->seq_published, memory_order_acquire);
    g.lookup.seq_max = g.seq;
    peat_rc rc = find_held(&g);
    if (rc == PEAT_OK && g.entry.value.size == 0) {
        *ret_value = (peat_pinned){.data = "", .size = 0}; /* nothing to keep in place */
    } else if (rc == PEAT_OK) {
        if (g.mem != NULL)
            rc = pin_memory(&g, ret_value);
        else
            pin_held(&g, ret_value);
        if (rc == PEAT_OK)
            (void)pt_store_ref(s); /* the same pointer; the pin keeps it */
    }
    g.slot = PT_EPOCH_SLOTS; /* no slot is held: counted where everybody may count */
    if (rc >= 0)
        count(&g, rc == PEAT_OK);
    else
        rc = failed(&g, rc);
    done(&g);
    pt_call_end(s);
    return rc;
}

void pt_store_unpin(peat_pinned *pinned)
{
    peat_pinned held = *pinned;
    char *p = (char *)held.reserved[0];
    *pinned = (peat_pinned){0};
    if (p == NULL)
        return;
    bool is_copy = ((uintptr_t)p & 1) != 0;
    pin_copy *copy = is_copy ? (pin_copy *)(void *)(p - 1) : NULL;
    pt_table_ref *t = is_copy ? NULL : (pt_table_ref *)(void *)p;
    pt_store *s = is_copy ? copy->store : PT_CONTAINER(t->open_tables, pt_store, open_tables);
    if (pt_store_forked(s))
        return; /* the parent's; its memory goes with this process */
    if (is_copy) {
        atomic_fetch_sub_explicit(&s->reader_bytes, copy->size, memory_order_relaxed);
        pt_free(s->env, copy);
    } else {
        pt_block_ref ref = {.data = (const uint8_t *)held.data, .pin = held.reserved[1]};
        t->source->release(t->source, &ref);
        pt_table_ref_release(t);
    }
    pt_work_released(s, UINT64_MAX);
    pt_store_unref(s);
}
