/* SPDX-License-Identifier: MIT */
/*
 * scan_fill.c - many rows per call. Keys are copied; a value stays where it is as long as its
 * block is not left, and is copied otherwise.
 */
#include "read/scan.h"

/* A fill ends early when it has copied so much. */
#define ROW_BYTES_MAX ((size_t)1 << 20)

/* Copies the entry shown; the value stays where it is when `by_reference`. */
static peat_rc add_row(pt_scan *c, bool by_reference, peat_row *row)
{
    size_t value_size = by_reference ? 0 : c->value.size;
    uint8_t *p = pt_scan_row_room(c, c->key.size + value_size);
    if (p == NULL)
        return pt_scan_end(c, PEAT_NOMEM);
    memcpy(p, c->key.data, c->key.size);
    if (value_size != 0)
        memcpy(p + c->key.size, c->value.data, value_size);
    row->key = peat_bytes(p + PT_KEYSPACE_BYTES, c->key.size - PT_KEYSPACE_BYTES);
    row->value = peat_bytes(by_reference ? c->value.data : p + c->key.size, c->value.size);
    return PEAT_OK;
}

static peat_rc step_fill(pt_scan *c, bool back)
{
    if (pt_scan_valid(c) && !c->filled)
        return c->place == PT_SCAN_AT_KEY ? pt_scan_show_again(c) : PEAT_OK;
    return pt_scan_step(c, back ? PT_SCAN_PREV : PT_SCAN_NEXT);
}

/* It went on from the last row and met the end, an error, or the end of its block (rc): back to
 * that row. Where rows are references nothing moves, because the block must be held. */
static void stand_on(pt_scan *c, const peat_row *row, bool back, peat_rc rc)
{
    const uint8_t *user_key = (const uint8_t *)row->key.data;
    pt_slice key = pt_slice_of(user_key - PT_KEYSPACE_BYTES, row->key.size + PT_KEYSPACE_BYTES);
    if (c->stay) {
        c->place = rc == PEAT_END ? PT_SCAN_AT_BEYOND : PT_SCAN_AT_ENDED;
        c->ended = rc;
        c->key = key;
        c->value = pt_slice_of(row->value.data, row->value.size);
    } else {
        (void)pt_scan_seek(c, key, back); /* a failure shows again in the next call */
    }
    c->filled = true;
}

/* On the way back: `below` stands on the last entry of a block, or where the fill began. */
static bool meets_columns(const pt_scan *c, size_t count)
{
    const pt_iter_group *g = c->below->group;
    return c->place == PT_SCAN_AT_BACKWARD && !c->below_ended && g != NULL &&
           (count == 1 || (g->at + 1 == g->count && !g->more_behind));
}

/* The row it stands on, and those of the same block that need no look, if it has such: forward that
 * row is the first of them, back they come behind it. *ret_last: the fill is at its end. */
static peat_rc add_rows(pt_scan *c, bool back, peat_row *rows, size_t n, size_t *io_count,
                        bool *ret_last)
{
    peat_rc rc = PEAT_OK;
    /* until its block is left, and only a way forward sees that coming */
    bool stays = !back && c->place == PT_SCAN_AT_FORWARD && c->below->group != NULL;
    bool last_of_block = stays && !pt_iter_value_stays(c->below, false);
    size_t taken = 0;
    if (stays && *io_count == 0)
        taken = pt_scan_take_columns(c, back, rows, n, &rc);
    if (rc == PEAT_OK && taken == 0) {
        TRY(add_row(c, stays, &rows[*io_count]));
        ++*io_count;
        c->stay = c->stay || stays;
        if (back && meets_columns(c, *io_count))
            taken = pt_scan_take_columns(c, back, rows + *io_count, n - *io_count, &rc);
    }
    *io_count += taken;
    *ret_last = taken != 0 || last_of_block || *io_count == n || c->row_bytes >= ROW_BYTES_MAX;
    c->filled = rc == PEAT_OK;
out:
    return rc;
}

peat_rc pt_scan_fill(pt_scan *c, bool back, peat_row *rows, size_t n, size_t *ret_n)
{
    size_t count = 0;
    bool last = false;
    peat_rc rc = pt_scan_enter(c, false);
    if (rc == PEAT_OK && n != 0)
        rc = step_fill(c, back);
    pt_scan_clear_rows(c);
    while (rc == PEAT_OK && count < n) {
        rc = add_rows(c, back, rows, n, &count, &last);
        if (rc != PEAT_OK || last)
            break;
        rc = pt_scan_step(c, back ? PT_SCAN_PREV : PT_SCAN_NEXT);
        c->filled = false;
    }
    if (rc != PEAT_OK && count != 0)
        stand_on(c, &rows[count - 1], back, rc);
    c->stay = false;
    pt_scan_count_memory(c);
    *ret_n = count;
    return count != 0 ? PEAT_OK : rc;
}
