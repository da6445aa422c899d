/* SPDX-License-Identifier: MIT */
/*
 * space_quiet.c - see space.h: much is freed at once, by deletes, by small values over large ones,
 * by closing what kept old versions; after that hardly anything is written, or nothing at all.
 */
#include "space.h"

#include <stdlib.h>
#include <string.h>

#define SPEED  20.0
#define ROW    ((uint32_t)1000)
#define AFTER  (10 * S_NS)
#define LARGE  ((uint32_t)(10 * 1000 * 1000))
#define LARGES 20u

/* Rows enough that the bound would be passed if half of them stayed. */
static uint64_t rows_for(space *s)
{
    s->entry_bytes_max = ROW + 16;
    return 3 * space_constant(s) / ROW;
}

static void begin_rows(space *s, uint64_t rows)
{
    s->speed = SPEED;
    space_begin(s, rows, ROW + 16);
    space_burst_begin(s); /* with a clock that runs, filling is a burst, too */
    space_fill(s, 0, rows, ROW);
    must(peat_settle(s->db, PEAT_WAIT_FOREVER), "settle");
    space_burst_end(s);
}

static void delete_rows(space *s, uint64_t rows, uint64_t keep_every)
{
    for (uint64_t i = 0; i < rows; i++)
        if (keep_every == 0 || i % keep_every != 0)
            space_delete(s, i);
}

/* Nothing happens until what has become due must be done, and some time after it. */
static void be_quiet(space *s)
{
    space_burst_end(s);
    space_wait_settled(s, AFTER);
}

/* All rows but one in a thousand are deleted, while one tiny write comes every 400 ms. */
void load_trickle(space *s)
{
    uint64_t rows = rows_for(s);
    begin_rows(s, rows);
    space_burst_begin(s);
    delete_rows(s, rows, 1000);
    space_burst_end(s);
    uint64_t until = atomic_load(&s->strict_from_ns) + AFTER;
    while (space_now(s) < until) {
        must(peat_put(s->db, NULL, peat_str("heartbeat"), peat_str("tiny")), "put");
        space_wait(s, 400 * MS_NS);
    }
}

/* 60,000 values of 3,000 bytes, overwritten by such of 100. */
void load_shrink(space *s)
{
    enum { KEYS = 60000 };
    uint64_t keys = s->budget_bytes < 64 * MIB ? KEYS : 3 * (uint64_t)KEYS;
    s->speed = SPEED;
    space_begin(s, keys, 3016);
    space_burst_begin(s);
    space_fill(s, 0, keys, 3000);
    must(peat_settle(s->db, PEAT_WAIT_FOREVER), "settle");
    for (uint64_t i = 0; i < keys; i++)
        space_put(s, i, 100);
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
    uint64_t rows = rows_for(s);
    peat_snapshot *snapshot = NULL;
    begin_rows(s, rows);
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
    *ret_rows = rows_for(s);
    begin_rows(s, *ret_rows);
    must(peat_iter_open(s->db, NULL, &it), "iterator");
    for (uint64_t i = 0; i < *ret_rows / 2; i++)
        must(peat_iter_next(it), "next");
    s->holding = true;
    space_burst_begin(s);
    return it;
}

static void end_iterator(space *s, peat_iter *it)
{
    end_holding(s);
    peat_iter_close(it);
    be_quiet(s);
}

/* It moves on by a row a second. */
void load_iterator(space *s)
{
    uint64_t rows;
    peat_iter *it = begin_iterator(s, &rows);
    for (uint64_t i = 0; i < rows; i++) {
        space_put(s, i, ROW);
        if (i % 1000 == 0)
            must(peat_iter_next(it), "next");
    }
    space_burst_end(s);
    uint64_t until = atomic_load(&s->strict_from_ns) + AFTER;
    for (; space_now(s) < until; space_wait(s, S_NS))
        must(peat_iter_next(it), "next");
    end_iterator(s, it);
}

void load_iterator_standing(space *s)
{
    uint64_t rows;
    peat_iter *it = begin_iterator(s, &rows);
    s->standing_bytes = space_dir_bytes(s);
    space_fill(s, 0, rows, ROW);
    be_quiet(s);
    s->standing_bytes = 0;
    end_iterator(s, it);
}

/* A pin holds a block or a memtable, not the versions of other keys. */
void load_pin(space *s)
{
    uint64_t rows = rows_for(s);
    char key[32];
    peat_pinned pinned = PEAT_PINNED_INIT;
    begin_rows(s, rows);
    must(peat_get_pinned(s->db, NULL, space_key(s, rows / 2, key), &pinned), "pin");
    space_burst_begin(s);
    delete_rows(s, rows, 0);
    be_quiet(s);
    space_burst_begin(s);
    peat_unpin(&pinned);
    be_quiet(s);
}

/* ---- a store that is left alone, closed, opened again ---- */

static void begin_large(space *s, double speed)
{
    s->speed = speed;
    space_begin(s, LARGES, LARGE + 16);
    space_burst_begin(s);
    space_fill(s, 0, LARGES, LARGE);
    must(peat_settle(s->db, PEAT_WAIT_FOREVER), "settle");
    space_burst_end(s);
}

/* What is unnecessary is gone while it is open, closed, and open again. */
static void leave_alone(space *s)
{
    be_quiet(s);
    space_sampling_stop(s);
    space_close(s);
    space_sample_now(s);
    space_open(s);
    space_sampling_start(s);
    space_wait(s, AFTER);
    peat_rc rc = peat_settle(s->db, 0);
    if (rc != PEAT_OK)
        space_violation(s, "a store left alone has not settled: %s", peat_rc_name(rc));
}

void load_quiet_delete(space *s)
{
    begin_large(s, SPEED);
    space_burst_begin(s);
    for (uint64_t i = 0; i < LARGES; i++)
        space_delete(s, i);
    leave_alone(s);
}

void load_quiet_shrink(space *s)
{
    begin_large(s, SPEED);
    space_burst_begin(s);
    for (uint64_t i = 0; i < LARGES; i++)
        space_put(s, i, 10);
    leave_alone(s);
}

/* Each key is deleted by a run of the command, which opens the store and closes it. */
void load_shell(space *s)
{
    const char *command = getenv("PEAT_BIN");
    char key[32], line[1024];
    begin_large(s, 1.0); /* the command has no clock but the system's */
    space_sampling_stop(s);
    space_close(s);
    if (command == NULL)
        return;
    for (uint64_t i = 0; i < LARGES; i++) {
        (void)snprintf(line, sizeof line, "'%s' del -q -m %" PRIu64 "M '%s' %.16s", command,
                       s->budget_bytes / MIB, s->dir, (const char *)space_key(s, i, key).data);
        if (system(line) != 0)
            must(PEAT_IO, line);
        s->sizes[i] = 0;
        atomic_fetch_sub(&s->live_bytes, LARGE + 16);
    }
    atomic_store(&s->strict_from_ns, 0);
    space_sample_now(s);
}
