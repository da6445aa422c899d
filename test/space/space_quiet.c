/* SPDX-License-Identifier: MIT */
/*
 * space_quiet.c - see space.h: much is freed at once, by deletes, by small values over large ones,
 * by closing what kept old versions; after that hardly anything is written, or nothing at all.
 */
#include "space/space.h"

#define AFTER (10 * S_NS)
#define SMALL 100u
#define TINY  10u

/* What is filled in is settled; with a clock that runs, filling is a burst, too. Returns how many
 * rows: mostly so many that the bound would be passed if half of them stayed. */
static uint64_t begin_rows(space *s)
{
    uint32_t row = s->size.value_bytes;
    s->entry_bytes_max = row + KEY_BYTES;
    uint64_t rows = s->size.count != 0 ? s->size.count : 3 * space_constant(s) / row;
    space_begin(s, rows, row + KEY_BYTES);
    space_burst_begin(s);
    space_fill(s, 0, rows, row);
    must(peat_settle(s->db, PEAT_WAIT_FOREVER), "settle");
    space_burst_end(s);
    return rows;
}

static void delete_rows(space *s, uint64_t rows, uint64_t keep_every)
{
    space_burst_begin(s);
    for (uint64_t i = 0; i < rows; i++)
        if (keep_every == 0 || i % keep_every != 0)
            space_delete(s, i);
}

static void overwrite_rows(space *s, uint64_t rows, uint32_t value_bytes)
{
    space_burst_begin(s);
    for (uint64_t i = 0; i < rows; i++)
        space_put(s, i, value_bytes);
}

/* When what has become due must be done, and some time after it. */
static uint64_t end_burst(space *s)
{
    space_burst_end(s);
    return atomic_load(&s->strict_from_ns) + AFTER;
}

/* Nothing happens until then. */
static void be_quiet(space *s)
{
    space_wait_until(s, end_burst(s));
}

/* All rows but one in a thousand are deleted, while one tiny write comes every 400 ms. */
void load_trickle(space *s)
{
    uint64_t rows = begin_rows(s);
    delete_rows(s, rows, 1000);
    uint64_t until = end_burst(s);
    while (world_now(s) < until) {
        must(peat_put(s->db, NULL, peat_str("heartbeat"), peat_str("tiny")), "put");
        space_wait(s, 400 * MS_NS);
    }
}

void load_shrink(space *s)
{
    uint64_t rows = begin_rows(s);
    overwrite_rows(s, rows, SMALL);
    space_check_obsolete(s);
    be_quiet(s);
}

/* ---- what kept old versions is closed ---- */

static void end_holding(space *s)
{
    space_burst_begin(s);
    s->holding = false;
    atomic_store(&s->held_bytes, 0);
}

void load_snapshot(space *s)
{
    peat_snapshot *snapshot = NULL;
    uint64_t rows = begin_rows(s);
    must(peat_snapshot_open(s->db, &snapshot), "snapshot");
    s->holding = true;
    delete_rows(s, rows, 0);
    be_quiet(s);
    end_holding(s);
    peat_snapshot_close(snapshot);
    be_quiet(s);
}

/* Half of the rows lie behind an iterator when all are overwritten. Then it is left standing: that
 * keeps the tables it stood on, beside the old versions, until it moves or is closed. */
static peat_iter *begin_iterator(space *s, uint64_t *ret_rows)
{
    peat_iter *it = NULL;
    *ret_rows = begin_rows(s);
    must(peat_iter_open(s->db, NULL, &it), "iterator");
    for (uint64_t i = 0; i < *ret_rows / 2; i++)
        must(peat_iter_next(it), "next");
    s->holding = true;
    return it;
}

static void end_iterator(space *s, peat_iter *it)
{
    end_holding(s);
    peat_iter_close(it);
    be_quiet(s);
}

/* It moves on by a row for each thousand that are written, then by one a second. */
void load_iterator(space *s)
{
    uint64_t rows;
    peat_iter *it = begin_iterator(s, &rows);
    space_burst_begin(s);
    for (uint64_t i = 0; i < rows; i++) {
        space_put(s, i, s->size.value_bytes);
        if (i % 1000 == 0)
            must(peat_iter_next(it), "next");
    }
    uint64_t until = end_burst(s);
    for (; world_now(s) < until; space_wait(s, S_NS))
        must(peat_iter_next(it), "next");
    end_iterator(s, it);
}

void load_iterator_standing(space *s)
{
    uint64_t rows;
    peat_iter *it = begin_iterator(s, &rows);
    s->standing_bytes = world_dir_bytes(s);
    overwrite_rows(s, rows, s->size.value_bytes);
    be_quiet(s);
    s->standing_bytes = 0;
    end_iterator(s, it);
}

/* A pin holds a block or a memtable, not the versions of other keys. */
void load_pin(space *s)
{
    char key[32];
    peat_pinned pinned = PEAT_PINNED_INIT;
    uint64_t rows = begin_rows(s);
    must(peat_get_pinned(s->db, NULL, space_key(s, rows / 2, key), &pinned), "pin");
    delete_rows(s, rows, 0);
    be_quiet(s);
    space_burst_begin(s);
    peat_unpin(&pinned);
    be_quiet(s);
}

/* ---- a store that is left alone, closed, opened again ---- */

static void expect_settled(space *s)
{
    peat_rc rc = peat_settle(s->db, 0);
    if (rc != PEAT_OK)
        space_violation(s, "a store left alone has not settled: %s", peat_rc_name(rc));
}

/* The large values are gone, and need no room any more. */
static void close_small(space *s)
{
    world_sampling_stop(s);
    world_close(s);
    s->entry_bytes_max = TINY + KEY_BYTES;
}

/* What is unnecessary is gone while it is open, closed, and open again. */
static void leave_alone(space *s)
{
    be_quiet(s);
    close_small(s);
    space_sample_now(s);
    world_open(s);
    world_sampling_start(s);
    space_wait(s, AFTER);
    expect_settled(s);
}

void load_quiet_delete(space *s)
{
    delete_rows(s, begin_rows(s), 0);
    leave_alone(s);
}

void load_quiet_shrink(space *s)
{
    overwrite_rows(s, begin_rows(s), TINY);
    leave_alone(s);
}

/* Each key is deleted by somebody who opens the store and closes it, as a shell does it. */
void load_shell(space *s)
{
    uint64_t rows = begin_rows(s);
    close_small(s);
    for (uint64_t i = 0; i < rows; i++) {
        world_delete_apart(s, i);
        space_account(s, i, 0);
    }
    atomic_store(&s->strict_from_ns, 0);
    space_sample_now(s);
}
