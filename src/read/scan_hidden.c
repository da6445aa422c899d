/* SPDX-License-Identifier: MIT */
/*
 * scan_hidden.c - steps of a scan that lead to no row: over tombstones, over versions that are
 * hidden or too new. After a few of them it asks whether an earlier walk has been here
 * (empty_ranges.h), and after a few more what it found out is kept for the next one. Its memory
 * running out only makes it walk.
 */
#include "read/scan_state.h"

/* The smallest key above `key`, in `b`; no data: there was no memory. */
static pt_slice above(pt_slice key, pt_bytes *b)
{
    b->size = 0;
    bool ok =
        pt_bytes_append(b, key.data, key.size) == PEAT_OK && pt_bytes_append(b, "", 1) == PEAT_OK;
    return ok ? pt_bytes_slice(b) : (pt_slice){0};
}

/* What the walk has found empty begins here, or (back) ends before this. */
static void begin_at(pt_scan *c, pt_hidden *h, pt_slice bound)
{
    c->empty_from.size = 0;
    h->marked = pt_bytes_append(&c->empty_from, bound.data, bound.size) == PEAT_OK;
}

/* It has come to a range that is known; what it found out before lies beside it. */
static void join(pt_scan *c, pt_hidden *h, bool back)
{
    pt_slice bound = pt_bytes_slice(back ? &c->empty_upper : &c->empty_lower);
    int order = h->marked ? pt_slice_compare(bound, pt_bytes_slice(&c->empty_from)) : 0;
    if (!h->marked || (back ? order > 0 : order < 0))
        begin_at(c, h, bound);
    /* the first range costs nothing; where there are many, one of them all is better */
    if (h->jumps++ != 0)
        h->unknown += c->store->settings.hidden_steps_look;
}

bool pt_hidden_look(pt_scan *c, pt_hidden *h, pt_slice key, bool back)
{
    h->look_at = h->steps + c->store->settings.hidden_steps_look;
    if (pt_empty_ranges_find(&c->store->empty_ranges, key, c->link.seq, back, &c->empty_lower,
                             &c->empty_upper)) {
        join(c, h, back);
        return true;
    }
    if (h->marked)
        return false;
    /* forward the key itself may be that of the row before, whose older versions are hidden */
    pt_slice bound = above(key, &c->empty_upper);
    if (bound.data != NULL)
        begin_at(c, h, bound);
    return false;
}

void pt_hidden_end(pt_scan *c, const pt_hidden *h, pt_slice reached, bool back)
{
    c->hidden_steps += h->steps;
    if (c->hidden_steps >= PT_HIDDEN_STEPS_COUNTED)
        pt_hidden_count(c);
    if (!h->marked || h->unknown < c->store->settings.hidden_steps_note)
        return;
    pt_slice from = pt_bytes_slice(&c->empty_from);
    if (!back) {
        pt_empty_ranges_add(&c->store->empty_ranges, c->link.seq, c->at_snapshot, from, reached);
        return;
    }
    /* backward a row was reached, which is not part of it, or the lower bound, which is */
    bool row = pt_scan_valid(c);
    pt_slice lower = row ? above(reached, &c->empty_lower) : reached;
    if (lower.data != NULL)
        pt_empty_ranges_add(&c->store->empty_ranges, c->link.seq, c->at_snapshot, lower, from);
}

void pt_hidden_count(pt_scan *c)
{
    if (c->hidden_steps != 0)
        atomic_fetch_add_explicit(&c->store->hidden_steps, c->hidden_steps, memory_order_relaxed);
    c->hidden_steps = 0;
}
