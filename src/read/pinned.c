/* SPDX-License-Identifier: MIT */
/* pinned.c - values that are read in place: the pin keeps the block, or a copy. */
#include "read/get.h"
#include "state/snapshot.h"

/* A pin is two words, peat_pinned.reserved: a copy with the low bit set, and nothing; or a
 * reference on a table, and the pin of its block. It holds the store. What is in a memtable is
 * copied: to hold all of that for one value is more than it is worth, and the memory would be
 * missing from the budget. */
typedef struct pin_copy {
    pt_store *store;
    size_t size; /* of all */
    uint8_t bytes[];
} pin_copy;

static peat_rc pin_memory(pt_get *g, peat_pinned *ret)
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

static void pin_held(pt_get *g, peat_pinned *ret)
{
    ret->reserved[0] = pt_table_ref_retain(g->lookup.held_table);
    ret->reserved[1] = g->lookup.held.pin;
    ret->data = g->entry.value.data;
    ret->size = g->entry.value.size;
    g->lookup.held = (pt_block_ref){0}; /* the pin's now */
}

static bool holds_its_block(const pt_get *g)
{
    const pt_lookup *l = &g->lookup;
    return l->held.data != NULL && l->held_table == l->table_ref && l->held_block == l->found.block;
}

/* The entry may stand in a resident block, which stays only as long as the epoch: its block is
 * fetched, and the entry found again, now inside the held one. */
static peat_rc find_held(pt_get *g)
{
    peat_rc rc = pt_get_run_with_view(g);
    while (rc == PEAT_OK && g->mem == NULL && !holds_its_block(g)) {
        g->lookup.need = PT_FIND_NEED_BLOCK;
        rc = pt_get_read(g);
        if (rc == PEAT_OK)
            rc = pt_get_run_with_view(g);
    }
    return rc;
}

peat_rc pt_read_pinned(pt_store *s, const pt_read_options *options, pt_slice key,
                       peat_pinned *ret_value)
{
    pt_get g;
    if (!pt_store_call_begin(s))
        return PEAT_CLOSED;
    pt_get_begin(&g, s, options, key);
    g.counted = true; /* by pt_store_call_begin; its end counts it out */
    g.held_view = pt_store_view(s);
    g.seq = options->has_seq ? options->seq
                             : atomic_load_explicit(&s->published.seq, memory_order_acquire);
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
        pt_get_count(&g, rc == PEAT_OK);
    else
        rc = pt_get_failed(&g, rc);
    pt_get_end(&g);
    return rc;
}

void pt_read_unpin(peat_pinned *pinned)
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
    pt_snapshot_released(s, UINT64_MAX);
    pt_store_unref(s);
}
