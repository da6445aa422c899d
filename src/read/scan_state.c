/* SPDX-License-Identifier: MIT */
/* scan_state.c - what every part of a scan asks of it, and how it ends; see scan_state.h. */
#include "read/scan_state.h"

/* Rows of one fill are copied into chunks of this. */
#define ROW_BYTES ((size_t)64 << 10)

peat_rc pt_scan_end(pt_scan *c, peat_rc rc)
{
    c->place = PT_SCAN_AT_ENDED;
    c->ended = rc;
    c->key = c->value = (pt_slice){0};
    if (rc == PEAT_CORRUPT)
        atomic_fetch_add_explicit(&c->store->damages, 1, memory_order_relaxed);
    return rc;
}

void pt_scan_count_memory(pt_scan *c)
{
    size_t bytes = c->saved_value.capacity;
    for (size_t i = 0; i < c->chunk_count; i++)
        bytes += c->chunks[i].capacity;
    if (bytes == c->own_bytes)
        return;
    /* relaxed: a figure; unsigned, so that it shrinks, too */
    atomic_fetch_add_explicit(&c->store->reader_bytes, bytes - c->own_bytes, memory_order_relaxed);
    c->own_bytes = bytes;
}

bool pt_scan_forked(const pt_scan *c)
{
    return pt_store_forked(c->store);
}

bool pt_scan_valid(const pt_scan *c)
{
    return c->place != PT_SCAN_AT_NEW && c->place != PT_SCAN_AT_ENDED;
}

pt_slice pt_scan_key(const pt_scan *c)
{
    return c->key;
}

pt_slice pt_scan_value(const pt_scan *c)
{
    return c->value;
}

const pt_entry *pt_scan_entry(const pt_scan *c)
{
    PT_ASSERT(c->place == PT_SCAN_AT_FORWARD, "what is below stands on the row");
    return pt_iter_entry(c->below);
}

/* A new piece of memory for rows; those before it stay until the next fill. */
static peat_rc add_chunk(pt_scan *c, size_t needed)
{
    if (!pt_grow(c->store->env, &c->chunks, &c->chunk_capacity, c->chunk_count + 1,
                 sizeof *c->chunks))
        return PEAT_NOMEM;
    pt_bytes *b = &c->chunks[c->chunk_count];
    pt_bytes_init(b, c->store->env);
    peat_rc rc = pt_bytes_reserve(b, needed > ROW_BYTES ? needed : ROW_BYTES);
    c->chunk_count += rc == PEAT_OK;
    return rc;
}

void pt_scan_clear_rows(pt_scan *c)
{
    while (c->chunk_count > 1 || (c->chunk_count == 1 && c->chunks[0].capacity > ROW_BYTES))
        pt_bytes_done(&c->chunks[--c->chunk_count]);
    if (c->chunk_count == 1)
        c->chunks[0].size = 0;
    c->row_bytes = 0;
}

uint8_t *pt_scan_row_room(pt_scan *c, size_t bytes)
{
    pt_bytes *b = c->chunk_count != 0 ? &c->chunks[c->chunk_count - 1] : NULL;
    if (b == NULL || b->capacity - b->size < bytes) {
        if (add_chunk(c, bytes) != PEAT_OK)
            return NULL;
        b = &c->chunks[c->chunk_count - 1];
    }
    b->size += bytes;
    c->row_bytes += bytes;
    return b->data + b->size - bytes;
}
