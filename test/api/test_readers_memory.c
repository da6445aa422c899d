/* SPDX-License-Identifier: MIT */
/*
 * test_readers_memory.c - what iterators and pins hold of a store that goes on: it is counted, and
 * an iterator that moves holds nothing that the store has replaced. ctest: label=single
 */
#include "api/iter_kit.h"

enum { ROWS = 2000, FILLER = 100 };

static uint64_t pinned(kit *k)
{
    return stats_of(k->db).pinned_bytes;
}

static void expect_row(peat_iter *it, peat_rc rc, int i)
{
    char key[32], value[32];
    assert_ok(rc);
    int n = snprintf(key, sizeof key, "key-%06d", i), v = snprintf(value, sizeof value, "%d ", i);
    assert_int_equal(peat_iter_key(it).size, n);
    assert_memory_equal(peat_iter_key(it).data, key, (size_t)n);
    assert_int_equal(peat_iter_value(it).size, v + FILLER);
    assert_memory_equal(peat_iter_value(it).data, value, (size_t)v);
}

/* Other values for all rows, in tables; what there was in memory is flushed. */
static void go_on(kit *k, int round)
{
    put_many(k, ROWS, FILLER + 1 + (size_t)round);
    assert_ok(peat_flush(k->db));
}

TEST_OPEN(an_iterator_that_never_moved_holds_nothing)
{
    put_many(k, ROWS, FILLER);
    peat_iter *it = open_iter(k, NULL);
    go_on(k, 0);
    assert_int_equal(pinned(k), 0);
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    for (int i = 0; i < ROWS; i++)
        expect_row(it, peat_iter_next(it), i);
    assert_int_equal(peat_iter_next(it), PEAT_END);
    peat_iter_close(it);
}

TEST_OPEN(a_flushed_memtable_is_counted_and_let_go_at_the_next_move)
{
    put_many(k, ROWS, FILLER);
    peat_iter *it = open_iter(k, NULL);
    expect_row(it, peat_iter_first(it), 0);
    go_on(k, 0);
    peat_statistics s = stats_of(k->db);
    assert_true(s.pinned_bytes >= (uint64_t)ROWS * FILLER);
    assert_true(s.memory_bytes >= s.pinned_bytes);
    expect_row(it, PEAT_OK, 0); /* stays until the next call */
    for (int i = 1; i < ROWS; i++) {
        expect_row(it, peat_iter_next(it), i);
        assert_int_equal(pinned(k), 0);
        if (i % 400 == 0)
            go_on(k, i);
        if (i % 400 == 0)
            assert_int_equal(pinned(k), 0); /* it had nothing of what was flushed now */
    }
    peat_iter_close(it);
}

/* One move of each kind from each kind of place, with all it stood on flushed in between. */
TEST_OPEN(every_move_goes_on_from_where_it_stood)
{
    size_t n = 0;
    peat_row row;
    for (int from = 0; from < 4; from++)
        for (int to = 0; to < 4; to++) {
            put_many(k, ROWS, FILLER);
            peat_iter *it = open_iter(k, NULL);
            int at = 1000;
            peat_rc rc = peat_iter_seek(it, peat_str("key-001000"));
            if (from == 1)
                rc = peat_iter_prev(it), at--;
            if (from == 2)
                rc = peat_iter_fill(it, &row, 1, &n);
            if (from == 3)
                rc = peat_iter_fill_back(it, &row, 1, &n);
            assert_ok(rc);
            go_on(k, to);
            assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
            bool filled = from >= 2, fill = to >= 2, back = to % 2;
            if (to == 0)
                rc = peat_iter_next(it);
            if (to == 1)
                rc = peat_iter_prev(it);
            if (to == 2)
                rc = peat_iter_fill(it, &row, 1, &n);
            if (to == 3)
                rc = peat_iter_fill_back(it, &row, 1, &n);
            at += fill && !filled ? 0 : back ? -1 : 1;
            expect_row(it, rc, at);
            peat_iter_close(it);
        }
}

/* The files of before are removed while it is open, once it has moved on. */
TEST_OPEN(replaced_tables_are_let_go)
{
    reopen_tiny(k, PEAT_COMPRESSION_DEFAULT);
    put_many(k, ROWS, FILLER);
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    uint64_t before = stats_of(k->db).files_deleted;
    peat_iter *it = open_iter(k, NULL);
    expect_row(it, peat_iter_first(it), 0);
    for (int i = 0; i < ROWS; i += 2) {
        assert_ok(peat_put(k->db, NULL, nth_key(i), peat_str("new")));
    }
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    for (int i = 1; i < ROWS; i++)
        expect_row(it, peat_iter_next(it), i);
    put(k, "key-9", "wakes");
    assert_ok(peat_flush(k->db)); /* sweeps the open tables */
    peat_statistics s = stats_of(k->db);
    assert_true(s.files_deleted > before);
    assert_true(s.disk_bytes + 4096 * (s.tables + 2) >= sim_disk_bytes(k->sim));
    peat_iter_close(it);
}

TEST_OPEN(a_pinned_value_of_a_memtable_is_a_counted_copy)
{
    peat_pinned p = PEAT_PINNED_INIT, empty = PEAT_PINNED_INIT;
    put_many(k, ROWS, FILLER);
    put(k, "small", "value");
    put(k, "empty", "");
    assert_ok(peat_get_pinned(k->db, NULL, peat_str("small"), &p));
    assert_ok(peat_get_pinned(k->db, NULL, peat_str("empty"), &empty));
    assert_true(pinned(k) >= 5 && pinned(k) < 200);
    go_on(k, 0);
    assert_true(pinned(k) >= 5 && pinned(k) < 200);
    expect_bytes(p.data, p.size, "value");
    put(k, "small", "another");
    sim_fail(k->sim, .kinds = SIM_MEMORY, .error = ENOMEM, .sticky = true);
    peat_pinned none = PEAT_PINNED_INIT;
    peat_rc rc = peat_get_pinned(k->db, NULL, peat_str("small"), &none);
    sim_faults_clear(k->sim);
    assert_true(rc == PEAT_NOMEM && none.data == NULL);
    peat_unpin(&empty);
    peat_unpin(&p);
    assert_int_equal(pinned(k), 0);
}

TEST_OPEN(an_iterator_without_memory_stays_where_it_is)
{
    put_many(k, ROWS, FILLER);
    peat_iter *it = open_iter(k, NULL);
    expect_row(it, peat_iter_first(it), 0);
    go_on(k, 0);
    /* the copy of its key is made, and nothing after it */
    sim_fail(k->sim, .kinds = SIM_MEMORY, .at = 2, .error = ENOMEM);
    peat_rc rc = peat_iter_next(it);
    sim_faults_clear(k->sim);
    expect_row(it, rc, 1);
    assert_true(pinned(k) >= (uint64_t)ROWS * FILLER);
    go_on(k, 1);
    expect_row(it, peat_iter_next(it), 2);
    assert_true(pinned(k) < (uint64_t)ROWS * FILLER);
    peat_iter_close(it);
}
