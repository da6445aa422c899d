/* SPDX-License-Identifier: MIT */
/* test_fills.c - many rows per call: each entry once, in either direction, with its value. */
#include "api/iter_kit.h"

TEST_OPEN(fills_visit_each_entry_once)
{
    reopen_tiny(k, PEAT_COMPRESSION_DEFAULT);
    put_many(k, 1500, 40);
    peat_iter *it = open_iter(k, NULL);
    peat_row rows[37];
    char key[32];
    int seen = 0;
    size_t n = 0;
    peat_rc rc;
    while ((rc = peat_iter_fill(it, rows, 37, &n)) == PEAT_OK)
        for (size_t i = 0; i < n; i++) {
            (void)snprintf(key, sizeof key, "key-%06d", seen++);
            expect_bytes(rows[i].key.data, rows[i].key.size, key);
        }
    assert_int_equal(rc, PEAT_END);
    assert_int_equal(n, 0);
    assert_int_equal(seen, 1500);
    assert_false(peat_iter_valid(it));
    peat_iter_close(it);
    it = open_iter(k, NULL);
    while ((rc = peat_iter_fill_back(it, rows, 37, &n)) == PEAT_OK)
        for (size_t i = 0; i < n; i++) {
            (void)snprintf(key, sizeof key, "key-%06d", --seen);
            expect_bytes(rows[i].key.data, rows[i].key.size, key);
        }
    assert_int_equal(rc, PEAT_END);
    assert_int_equal(seen, 0);
    peat_iter_close(it);
}

TEST_LETTERS(a_fill_after_a_seek_begins_with_that_entry)
{
    peat_iter *it = open_iter(k, NULL);
    peat_row rows[2];
    size_t n = 0;
    expect_at(it, peat_iter_seek(it, peat_str("d")), "d");
    assert_ok(peat_iter_fill(it, rows, 1, &n));
    assert_int_equal(n, 1);
    expect_bytes(rows[0].key.data, rows[0].key.size, "d");
    expect_at(it, PEAT_OK, "d");
    assert_ok(peat_iter_fill(it, rows, 1, &n));
    expect_bytes(rows[0].key.data, rows[0].key.size, "f");
    assert_ok(peat_iter_fill_back(it, rows, 1, &n)); /* the other way: d again, but not f */
    expect_bytes(rows[0].key.data, rows[0].key.size, "d");
    expect_at(it, peat_iter_next(it), "f");
    assert_ok(peat_iter_fill(it, rows, 1, &n)); /* stepped to, not returned yet */
    expect_bytes(rows[0].key.data, rows[0].key.size, "f");
    peat_iter_close(it);
}

/* A long way forward reads past the cache, where a block that was left is soon written over. */
TEST_NEW(a_fill_that_turns_back_keeps_its_first_value)
{
    enum { COUNT = 4000, ROWS = 64 };
    peat_row rows[ROWS];
    size_t n = 0;
    char key[32], value[32];
    k->test.block_bytes = 1 << 10;
    kit_must_open(k);
    put_many(k, COUNT, 100);
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    kit_reopen(k);
    peat_iter *it = open_iter(k, NULL);
    for (int i = 0; i < COUNT; i++) {
        assert_ok(peat_iter_next(it));
        if (i % 300 != 299)
            continue;
        assert_ok(peat_iter_fill_back(it, rows, ROWS, &n));
        for (size_t r = 0; r < n; r++) {
            (void)snprintf(key, sizeof key, "key-%06d", i - (int)r);
            int head = snprintf(value, sizeof value, "%d ", i - (int)r);
            expect_bytes(rows[r].key.data, rows[r].key.size, key);
            assert_int_equal(rows[r].value.size, head + 100);
            assert_memory_equal(rows[r].value.data, value, (size_t)head);
        }
        i -= (int)n - 1;
        for (size_t r = 1; r < n; r++, i++)
            assert_ok(peat_iter_next(it));
    }
    peat_iter_close(it);
}

static void put_versions(kit *k, int count, int version)
{
    char value[128];
    memset(value, '.', sizeof value);
    for (int i = 0; i < count; i++) {
        (void)snprintf(value, sizeof value, "%d of %d", version, i);
        assert_ok(peat_put(k->db, NULL, nth_key(i), peat_bytes(value, 60 + (size_t)(i % 50))));
    }
}

static void expect_row(const peat_row *row, int version, int i)
{
    char key[32], value[32];
    (void)snprintf(key, sizeof key, "key-%06d", i);
    int n = snprintf(value, sizeof value, "%d of %d", version, i);
    expect_bytes(row->key.data, row->key.size, key);
    assert_int_equal(row->value.size, 60 + i % 50);
    assert_memory_equal(row->value.data, value, (size_t)n + 1);
}

/* Blocks end in versions that the snapshot does not see, and the next key's begin there, too. Rows
 * refer to their block: a fill that ends with it goes nowhere else, and the walk goes on from there
 * in both directions. */
TEST_NEW(a_fill_does_not_leave_the_block_of_its_rows)
{
    enum { COUNT = 3000, ROWS = 64 };
    peat_snapshot *snapshots[3];
    peat_row rows[ROWS], one;
    size_t n = 0, m = 0;
    k->test.block_bytes = 1 << 10;
    kit_must_open(k);
    for (int v = 0; v < 3; v++) {
        put_versions(k, COUNT, v);
        assert_ok(peat_snapshot_open(k->db, &snapshots[v]));
    }
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    for (int v = 0; v < 3; v++) {
        peat_iter_options o = {.size = sizeof o, .snapshot = snapshots[v]};
        peat_iter *it = open_iter(k, &o);
        uint64_t seeks = stats_of(k->db).seeks;
        int fills = 0;
        for (int i = 0; i < COUNT; i += (int)n, fills++) {
            assert_ok(peat_iter_fill(it, rows, ROWS, &n));
            for (size_t r = 0; r < n; r++)
                expect_row(&rows[r], v, i + (int)r);
            if (fills % 3 == 1 && i + (int)n >= 2) { /* back by one row, and on again */
                assert_ok(peat_iter_prev(it));
                assert_ok(peat_iter_fill(it, &one, 1, &m));
                expect_row(&one, v, i + (int)n - 2);
                assert_ok(peat_iter_next(it));
                assert_ok(peat_iter_fill(it, &one, 1, &m));
                expect_row(&one, v, i + (int)n - 1);
            }
        }
        assert_int_equal(peat_iter_fill(it, rows, ROWS, &n), PEAT_END);
        assert_int_equal(stats_of(k->db).seeks - seeks, 1);
        peat_iter_close(it);
        peat_snapshot_close(snapshots[v]);
    }
}

/* The row that a fill has stepped to, and has no memory for, is not passed over unseen. */
TEST_OPEN(a_fill_without_memory_leaves_it_nowhere)
{
    peat_row row;
    size_t n = 0;
    char *value = calloc(1, 100 << 10);
    put(k, "a", "small");
    assert_ok(peat_put(k->db, NULL, peat_str("b"), peat_bytes(value, 100 << 10)));
    put(k, "c", "small");
    peat_iter *it = open_iter(k, NULL);
    assert_ok(peat_iter_seek(it, peat_str("a"))); /* there is memory for a step, but not for b */
    assert_ok(peat_iter_fill(it, &row, 1, &n));
    sim_fail(k->sim, .kinds = SIM_MEMORY, .error = ENOMEM, .sticky = true);
    assert_int_equal(peat_iter_fill(it, &row, 1, &n), PEAT_NOMEM);
    assert_int_equal(n, 0);
    sim_faults_clear(k->sim);
    assert_false(peat_iter_valid(it));
    assert_int_equal(peat_iter_fill(it, &row, 1, &n), PEAT_NOMEM);
    assert_int_equal(peat_iter_next(it), PEAT_NOMEM);
    assert_ok(peat_iter_seek(it, peat_str("b")));
    assert_ok(peat_iter_fill(it, &row, 1, &n));
    expect_bytes(row.key.data, row.key.size, "b");
    peat_iter_close(it);
    free(value);
}
