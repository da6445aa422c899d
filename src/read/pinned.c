/* SPDX-License-Identifier: MIT */
/* pinned.c - values that are read in place: the pin keeps the block, or a copy. */
#include "read/pinned.h"
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

peat_rc pt_read_pin_copy(pt_store *s, pt_slice value, peat_pinned *ret)
{
    size_t size = sizeof(pin_copy) + value.size;
    pin_copy *copy = (pin_copy *)pt_alloc(s->env, size);
    if (copy == NULL)
        return PEAT_NOMEM;
    *copy = (pin_copy){.store = s, .size = size};
    memcpy(copy->bytes, value.data, value.size);
    atomic_fetch_add_explicit(&s->reader_bytes, size, memory_order_relaxed);
    *ret = (peat_pinned){.data = copy->bytes, .size = value.size};
    ret->reserved[0] = (char *)(void *)copy + 1;
    (void)pt_store_ref(s); /* the same pointer; the pin keeps it */
    return PEAT_OK;
}

void pt_read_pin_block(pt_store *s, pt_table_ref *t, pt_block_ref *held, pt_slice value,
                       peat_pinned *ret)
{
    *ret = (peat_pinned){.data = value.data, .size = value.size};
    ret->reserved[0] = pt_table_ref_retain(t);
    ret->reserved[1] = held->pin;
    *held = (pt_block_ref){0}; /* the pin's now */
    (void)pt_store_ref(s);
}

peat_rc pt_read_pin_value(pt_get *g, peat_pinned *ret)
{
    pt_slice value = g->entry.value;
    if (value.size == 0)
        *ret = (peat_pinned){.data = "", .size = 0}; /* nothing to keep in place */
    else if (g->mem != NULL)
        return pt_read_pin_copy(g->s, value, ret);
    else
        pt_read_pin_block(g->s, g->lookup.held_table, &g->lookup.held, value, ret);
    return PEAT_OK;
}

/* The entry may stand in a resident block, which stays only as long as the epoch: its block is
 * fetched, and the entry found again, now inside the held one. */
static peat_rc find_held(pt_get *g)
{
    peat_rc rc = pt_get_run_with_view(g);
    while (rc == PEAT_OK && g->mem == NULL && !pt_get_holds_entry(g)) {
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
    if (rc == PEAT_OK)
        rc = pt_read_pin_value(&g, ret_value);
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
