/* SPDX-License-Identifier: MIT */
/* scan_state.c - what every part of a scan asks of it, and how it ends; see scan_state.h. */
#include "read/scan_state.h"

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
