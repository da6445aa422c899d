/* SPDX-License-Identifier: MIT */
/*
 * test_intermediate_merge.c - many small upper runs over a large bottom run become one upper run:
 * what they hide in the run stays hidden.
 */
#include "world/kit.h"

#define KEYS    3000
#define FLUSHES 16 /* more than the upper runs a partition may have before they are merged */

static const char *key_of(int i, char text[16])
{
    (void)snprintf(text, 16, "key-%06d", i);
    return text;
}

/* Even numbers are keys of the bottom run; each flush overwrites one, deletes one, and adds the odd
 * one between them. */
static void add_upper_runs(kit *k)
{
    char text[16];
    for (int i = 0; i < FLUSHES; i++) {
        int at = 100 * (i + 1);
        put(k, key_of(at, text), "overwritten");
        put(k, key_of(at + 1, text), "new");
        assert_ok(peat_delete(k->db, NULL, peat_str(key_of(at + 2, text))));
        assert_ok(peat_flush(k->db));
    }
}

static void expect_all(kit *k)
{
    char text[16];
    for (int i = 0; i < FLUSHES; i++) {
        expect_get(k, key_of(100 * (i + 1), text), "overwritten");
        expect_get(k, key_of(100 * (i + 1) + 1, text), "new");
        expect_absent(k, key_of(100 * (i + 1) + 2, text));
    }
    assert_int_equal(count_all(k->db), KEYS); /* one more and one fewer each time */
}

TEST_OPEN(a_merge_of_slices_keeps_what_hides_the_run_below)
{
    char value[120], text[16];
    memset(value, 'v', sizeof value);
    value[sizeof value - 1] = '\0';
    for (int i = 0; i < KEYS; i++)
        put(k, key_of(2 * i, text), value);
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    add_upper_runs(k);
    for (size_t did = 1; did != 0;)
        assert_ok(peat_work(k->db, 8, &did));
    assert_true(stats_of(k->db).mid_merges >= 1);
    expect_all(k);
    kit_reopen(k);
    expect_all(k);
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    expect_all(k);
}
