/* SPDX-License-Identifier: MIT */
/* test_fills.c - many rows per call: each entry once, in either direction, with its value. */
#include "api/iter_kit.h"

static void fills_visit_each_entry_once(void **state)
{
    kit *k = *state;
    make_tiny(k);
    kit_reopen(k);
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

static void a_fill_after_a_seek_begins_with_that_entry(void **state)
{
    kit *k = *state;
    fill_letters(k);
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
static void a_fill_that_turns_back_keeps_its_first_value(void **state)
{
    enum { COUNT = 4000, ROWS = 64 };
    kit *k = *state;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_OPEN(fills_visit_each_entry_once),
        TEST_OPEN(a_fill_after_a_seek_begins_with_that_entry),
        TEST_NEW(a_fill_that_turns_back_keeps_its_first_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
