/* SPDX-License-Identifier: MIT */
/*
 * strict_run.h - an iterator over an array of rows that holds its user to the contract: a relative
 * move after anything but PEAT_OK fails the test, and the memory of the entry it stood on is
 * overwritten by each move. One move in N can be made to fail.
 */
#ifndef TEST_ENTRY_STRICT_RUN_H
#define TEST_ENTRY_STRICT_RUN_H

#include "world/test.h"

#include "entry/iter.h"

#define KEY_MAX 24

typedef struct row {
    uint8_t key[KEY_MAX];
    size_t key_size;
    size_t run, place; /* which run, and where in it */
} row;

typedef struct fault {
    long countdown; /* the child's move that brings it to 0 fails; 0: never */
    peat_rc rc;
    bool fired;
} fault;

typedef struct run_iter {
    pt_iter base;
    const row *rows;
    size_t count;
    size_t at;
    bool on; /* stands on an entry */
    fault *fault;
    uint8_t key[KEY_MAX]; /* what `at` points to */
    int *done_count;
} run_iter;

static inline pt_slice row_key(const row *r)
{
    return pt_slice_of(r->key, r->key_size);
}

/* Rows in the order of their keys, of which [low, high) count: the answers to expect. */
typedef struct row_range {
    const row *rows;
    size_t low, high;
} row_range;

static inline size_t first_at_or_after(row_range r, pt_slice key)
{
    size_t i = r.low;
    while (i < r.high && pt_slice_compare(row_key(&r.rows[i]), key) < 0)
        i++;
    return i;
}

static inline size_t last_at_or_before(row_range r, pt_slice key)
{
    size_t i = r.high;
    while (i > r.low && pt_slice_compare(row_key(&r.rows[i - 1]), key) > 0)
        i--;
    return i - 1; /* SIZE_MAX, or the one before low, for none */
}

/* One of the four absolute moves; `die` has six sides. */
static inline peat_rc jump(pt_iter *it, row_range r, uint64_t die, pt_slice target, size_t *ret_at)
{
    switch (die) {
    case 0:
        *ret_at = r.low;
        return pt_iter_first(it);
    case 1:
        *ret_at = r.high - 1;
        return pt_iter_last(it);
    case 2:
    case 3:
        *ret_at = first_at_or_after(r, target);
        return pt_iter_seek(it, target);
    default:
        *ret_at = last_at_or_before(r, target);
        return pt_iter_seek_for_prev(it, target);
    }
}

/* To the row beside *io_at, on which the iterator stands. */
static inline peat_rc step(pt_iter *it, bool forward, size_t *io_at)
{
    *io_at += forward ? 1 : SIZE_MAX;
    return forward ? pt_iter_next(it) : pt_iter_prev(it);
}

/* Moves to row `i` (count: behind the end; SIZE_MAX: before the first). */
static inline peat_rc run_stand(run_iter *r, size_t i)
{
    memset(r->key, 0xee, sizeof r->key);
    r->on = false;
    if (r->fault->countdown != 0 && --r->fault->countdown == 0) {
        r->fault->fired = true;
        return r->fault->rc;
    }
    if (i >= r->count)
        return PEAT_END;
    r->at = i;
    r->on = true;
    memcpy(r->key, r->rows[i].key, r->rows[i].key_size);
    r->base.at.key = pt_slice_of(r->key, r->rows[i].key_size);
    r->base.at.value = pt_slice_of(&r->rows[i], sizeof(row));
    r->base.at.seq = r->rows[i].place;
    r->base.at.kind = i % 3 ? PT_KIND_PUT : PT_KIND_DELETE;
    return PEAT_OK;
}

static inline peat_rc run_last(pt_iter *it)
{
    run_iter *r = (run_iter *)it;
    return run_stand(r, r->count - 1);
}

static inline peat_rc run_seek(pt_iter *it, pt_slice key)
{
    run_iter *r = (run_iter *)it;
    return run_stand(r, first_at_or_after((row_range){r->rows, 0, r->count}, key));
}

static inline peat_rc run_seek_for_prev(pt_iter *it, pt_slice key)
{
    run_iter *r = (run_iter *)it;
    return run_stand(r, last_at_or_before((row_range){r->rows, 0, r->count}, key));
}

static inline peat_rc run_next(pt_iter *it)
{
    run_iter *r = (run_iter *)it;
    assert_true(r->on);
    return run_stand(r, r->at + 1);
}

static inline peat_rc run_prev(pt_iter *it)
{
    run_iter *r = (run_iter *)it;
    assert_true(r->on);
    return run_stand(r, r->at - 1);
}

static inline void run_done(pt_iter *it)
{
    ++*((run_iter *)it)->done_count;
}

static const pt_iter_ops run_ops = {.last = run_last,
                                    .seek = run_seek,
                                    .seek_for_prev = run_seek_for_prev,
                                    .next = run_next,
                                    .prev = run_prev,
                                    .done = run_done};

#endif
