/* SPDX-License-Identifier: MIT */
/* test_iterators.c - every movement, bounds, prefixes, and what a write meanwhile changes. */
#include "api/iter_kit.h"

TEST_LETTERS(a_new_iterator_steps_to_either_end)
{
    peat_iter *it = open_iter(k, NULL);
    assert_false(peat_iter_valid(it));
    walk(it, "next=b");
    peat_iter_close(it);
    walk_new(k, NULL, "prev=j");
}

TEST_LETTERS(it_turns_around_anywhere)
{
    walk_new(k, NULL, "next=b next=d prev=b next=d next=f prev=d last=j prev=h first=b");
}

TEST_LETTERS(the_end_stays_the_end_until_it_is_placed_anew)
{
    walk_new(k, NULL, "last=j next=- next=- prev=- first=b prev=- next=- seek(c)=d");
}

TEST_LETTERS(seeks_land_on_the_neighbour)
{
    walk_new(k, NULL,
             "seek(d)=d seek(c)=d seek()=b seek(k)=- back(d)=d back(e)=d back(zz)=j back(a)=- "
             "back()=-");
}

TEST_LETTERS(a_seek_without_memory_leaves_it_nowhere_and_a_refused_key_where_it_was)
{
    char *large = calloc(1, PEAT_BOUND_SIZE_MAX + 1);
    assert_non_null(large);
    memset(large, 'e', PEAT_KEY_SIZE_MAX);
    peat_iter *it = open_iter(k, NULL);
    walk(it, "seek(d)=d");
    assert_int_equal(peat_iter_seek(it, (peat_slice){large, PEAT_BOUND_SIZE_MAX + 1}),
                     PEAT_TOO_BIG);
    assert_int_equal(peat_iter_seek_for_prev(it, (peat_slice){NULL, 1}), PEAT_INVALID);
    expect_at(it, PEAT_OK, "d");
    sim_fail(k->sim, .kinds = SIM_BIT(SIM_ALLOC), .error = ENOMEM, .sticky = true);
    assert_int_equal(peat_iter_seek(it, (peat_slice){large, PEAT_KEY_SIZE_MAX}), PEAT_NOMEM);
    sim_faults_clear(k->sim);
    assert_false(peat_iter_valid(it));
    assert_null(peat_iter_key(it).data);
    assert_int_equal(peat_iter_next(it), PEAT_NOMEM);
    assert_int_equal(peat_iter_prev(it), PEAT_NOMEM);
    expect_at(it, peat_iter_seek(it, (peat_slice){large, PEAT_KEY_SIZE_MAX}), "f");
    peat_iter_close(it);
    free(large);
}

TEST_LETTERS(bounds_hold_for_every_movement)
{
    peat_iter_options o = {.size = sizeof o, .lower = peat_str("d"), .upper = peat_str("j")};
    walk_new(k, &o,
             "first=d prev=- last=h next=- seek(a)=d back(z)=h seek(i)=- seek(j)=- back(c)=-");
}

TEST_LETTERS(the_bounds_are_copied)
{
    char lower[] = "d", upper[] = "h";
    peat_iter_options o = {.size = sizeof o, .lower = peat_str(lower), .upper = peat_str(upper)};
    peat_iter *it = open_iter(k, &o);
    lower[0] = upper[0] = 'z';
    walk(it, "next=d next=f next=-");
    peat_iter_close(it);
}

TEST_LETTERS(an_empty_upper_bound_leaves_nothing)
{
    put(k, "", "");
    peat_iter_options o = {.size = sizeof o, .upper = peat_str("")};
    walk_new(k, &o, "first=- last=-");
}

TEST_OPEN(a_prefix_takes_all_that_begins_so)
{
    static const char *const keys[] = {"a", "ab", "ab\xff", "ab\xff\xff", "aba", "ac", "b"};
    for (size_t i = 0; i < 7; i++)
        put(k, keys[i], keys[i]);
    peat_iter_options o = {.size = sizeof o, .prefix = peat_str("ab")};
    walk_new(k, &o, "next=ab next=aba next=ab\xff next=ab\xff\xff next=- last=ab\xff\xff");
    o.upper = peat_str("ab\xff");
    walk_new(k, &o, "last=aba");
}

/* There is no key behind a prefix of 0xff bytes. */
TEST_OPEN(a_prefix_of_the_highest_bytes_has_no_upper_bound)
{
    put(k, "\xfe", "\xfe");
    put(k, "\xff\xff", "\xff\xff");
    put(k, "\xff\xff\xff", "\xff\xff\xff");
    peat_iter_options o = {.size = sizeof o, .prefix = peat_str("\xff\xff")};
    walk_new(k, &o, "last=\xff\xff\xff prev=\xff\xff prev=-");
}

TEST_LETTERS(keys_only_has_no_values)
{
    assert_ok(peat_flush(k->db));
    peat_iter_options o = {.size = sizeof o, .keys_only = true};
    peat_iter *it = open_iter(k, &o);
    peat_row rows[8];
    size_t n = 0;
    assert_ok(peat_iter_next(it));
    expect_bytes(peat_iter_key(it).data, peat_iter_key(it).size, "b");
    assert_int_equal(peat_iter_value(it).size, 0);
    assert_ok(peat_iter_fill(it, rows, 8, &n));
    for (size_t i = 0; i < n; i++)
        assert_int_equal(rows[i].value.size, 0);
    peat_iter_close(it);
}

TEST_LETTERS(it_sees_the_moment_it_was_opened)
{
    peat_iter *it = open_iter(k, NULL);
    put(k, "c", "new");
    put(k, "d", "overwritten");
    assert_ok(peat_delete(k->db, NULL, peat_str("f")));
    walk(it, "next=b next=d");
    assert_ok(peat_flush(k->db));
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    walk(it, "next=f prev=d last=j");
    peat_iter_close(it);
}

/* --- misuse --- */

TEST_OPEN(null_iterators_are_invalid)
{
    peat_row row;
    size_t n = 7;
    peat_iter *it = NULL;
    assert_int_equal(peat_iter_open(NULL, NULL, &it), PEAT_INVALID);
    assert_int_equal(peat_iter_open(k->db, NULL, NULL), PEAT_INVALID);
    for (size_t move = 0; move < MOVES; move++)
        assert_int_equal(move_iter(NULL, move, peat_str("a")), PEAT_INVALID);
    assert_int_equal(peat_iter_fill(NULL, &row, 1, &n), PEAT_INVALID);
    assert_int_equal(n, 0);
    assert_false(peat_iter_valid(NULL));
    assert_int_equal(peat_iter_key(NULL).size, 0);
    assert_null(peat_iter_value(NULL).data);
    peat_iter_close(NULL);
}

TEST_LETTERS(nonsense_arguments_are_invalid)
{
    char *key = calloc(1, PEAT_BOUND_SIZE_MAX + 1);
    peat_iter *it = NULL;
    peat_iter_options o = {.size = 1};
    assert_int_equal(peat_iter_open(k->db, &o, &it), PEAT_INVALID);
    o = (peat_iter_options){.size = sizeof o, .prefix = peat_bytes(NULL, 2)};
    assert_int_equal(peat_iter_open(k->db, &o, &it), PEAT_INVALID);
    o = (peat_iter_options){.size = sizeof o, .upper = peat_bytes(NULL, 2)};
    assert_int_equal(peat_iter_open(k->db, &o, &it), PEAT_INVALID);
    assert_int_equal(peat_compact(k->db, peat_str("b"), o.upper, NULL), PEAT_INVALID);
    o = (peat_iter_options){.size = sizeof o, .lower = peat_bytes(key, PEAT_BOUND_SIZE_MAX + 1)};
    assert_int_equal(peat_iter_open(k->db, &o, &it), PEAT_TOO_BIG);
    it = open_iter(k, NULL);
    walk(it, "first=b");
    assert_int_equal(peat_iter_seek(it, peat_bytes(NULL, 1)), PEAT_INVALID);
    size_t n = 1;
    assert_int_equal(peat_iter_fill(it, NULL, 4, &n), PEAT_INVALID);
    peat_iter_close(it);
    free(key);
}

/* The largest key is an included end with a zero byte behind it, in every call that takes a bound.
 */
TEST_OPEN(a_bound_may_be_one_byte_longer_than_a_key)
{
    char *key = calloc(1, PEAT_BOUND_SIZE_MAX + 1);
    memset(key, 'k', PEAT_KEY_SIZE_MAX);
    peat_slice most = peat_bytes(key, PEAT_KEY_SIZE_MAX);
    peat_slice behind = peat_bytes(key, PEAT_BOUND_SIZE_MAX);
    put(k, "a", "a");
    assert_ok(peat_put(k->db, NULL, most, peat_str("largest")));
    for (int settled = 0; settled < 2; settled++) {
        uint64_t n = 0;
        peat_iter_options o = {.size = sizeof o, .upper = behind};
        peat_iter *it = open_iter(k, &o);
        assert_ok(peat_iter_last(it));
        assert_int_equal(peat_iter_key(it).size, PEAT_KEY_SIZE_MAX);
        assert_int_equal(peat_iter_seek(it, behind), PEAT_END);
        assert_ok(peat_iter_seek_for_prev(it, behind));
        assert_int_equal(peat_iter_key(it).size, PEAT_KEY_SIZE_MAX);
        peat_iter_close(it);
        o = (peat_iter_options){.size = sizeof o, .upper = most};
        it = open_iter(k, &o);
        expect_at(it, peat_iter_last(it), "a");
        peat_iter_close(it);
        o = (peat_iter_options){.size = sizeof o, .lower = behind};
        it = open_iter(k, &o);
        assert_int_equal(peat_iter_first(it), PEAT_END);
        peat_iter_close(it);
        o = (peat_iter_options){.size = sizeof o, .prefix = behind};
        it = open_iter(k, &o);
        assert_int_equal(peat_iter_first(it), PEAT_END);
        peat_iter_close(it);
        assert_ok(peat_approximate_count(k->db, most, behind, &n));
        assert_int_equal(n, 1);
        assert_ok(peat_approximate_count(k->db, behind, peat_unbounded(), &n));
        assert_int_equal(n, 0);
        assert_ok(peat_compact(k->db, most, behind, NULL));
        assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    }
    assert_int_equal(peat_put(k->db, NULL, behind, peat_str("")), PEAT_TOO_BIG);
    assert_int_equal(peat_get(k->db, NULL, behind, &k->buf), PEAT_TOO_BIG);
    peat_slice more = peat_bytes(key, PEAT_BOUND_SIZE_MAX + 1);
    assert_int_equal(peat_compact(k->db, most, more, NULL), PEAT_TOO_BIG);
    free(key);
}

TEST_LETTERS(a_string_that_is_null_is_no_bound_and_no_key)
{
    peat_slice none = peat_str(NULL);
    peat_iter_options o = {.size = sizeof o, .lower = none, .upper = none, .prefix = none};
    peat_iter *it = open_iter(k, &o);
    walk(it, "first=b last=j");
    assert_int_equal(peat_iter_seek(it, none), PEAT_INVALID);
    peat_iter_close(it);
    assert_ok(peat_compact(k->db, none, none, NULL));
    assert_int_equal(peat_put(k->db, NULL, none, peat_str("")), PEAT_INVALID);
    assert_int_equal(peat_put(k->db, NULL, peat_str("a"), none), PEAT_INVALID);
    assert_int_equal(peat_delete(k->db, NULL, none), PEAT_INVALID);
    assert_int_equal(peat_get(k->db, NULL, none, &k->buf), PEAT_INVALID);
    assert_int_equal(count_all(k->db), 5);
}

/* --- refresh ---------------------------------------------------------------------------------- */

TEST_LETTERS(a_refresh_sees_what_is_there_now)
{
    peat_iter *it = open_iter(k, NULL);
    walk(it, "seek(d)=d");
    put(k, "e", "e");
    assert_ok(peat_delete(k->db, NULL, peat_str("f")));
    walk(it, "next=f");
    expect_at(it, peat_iter_refresh(it), "h"); /* f is gone: the next one */
    walk(it, "prev=e");
    assert_ok(peat_delete(k->db, NULL, peat_str("e")));
    expect_at(it, peat_iter_refresh(it), "d"); /* after a way back the one before */
    expect_at(it, peat_iter_refresh(it), "d");
    assert_ok(peat_delete(k->db, NULL, peat_str("b")));
    assert_ok(peat_delete(k->db, NULL, peat_str("d")));
    expect_end(it, peat_iter_refresh(it));
    walk(it, "prev=-");
    put(k, "a", "a");
    assert_ok(peat_iter_refresh(it)); /* it stood nowhere: like a new one */
    assert_false(peat_iter_valid(it));
    walk(it, "next=a");
    peat_iter_close(it);
    assert_int_equal(peat_iter_refresh(NULL), PEAT_INVALID);
}

TEST_LETTERS(a_refresh_keeps_bounds_and_lets_go_of_the_old_state)
{
    peat_iter_options o = {
        .size = sizeof o, .lower = peat_str("d"), .upper = peat_str("i"), .keys_only = true};
    peat_iter *it = open_iter(k, &o);
    assert_ok(peat_iter_next(it));
    put(k, "c", "c");
    put(k, "h", "another");
    put(k, "i", "i");
    assert_ok(peat_iter_refresh(it));
    assert_int_equal(peat_iter_value(it).size, 0);
    walk(it, "prev=-");
    assert_ok(peat_iter_last(it));
    assert_memory_equal(peat_iter_key(it).data, "h", 1);
    put(k, "h", "the third");
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    assert_int_equal(stats_of(k->db).entries, 8); /* h twice: the iterator sees the old one */
    assert_ok(peat_iter_refresh(it));
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    assert_int_equal(stats_of(k->db).entries, 7);
    assert_int_equal(stats_of(k->db).iterators, 1);
    peat_iter_close(it);
}

TEST_LETTERS(fills_go_on_over_a_refresh)
{
    peat_row rows[2];
    size_t n = 0;
    peat_iter *it = open_iter(k, NULL);
    assert_ok(peat_iter_fill(it, rows, 2, &n));
    assert_int_equal(n, 2); /* b, d */
    put(k, "c", "c");
    put(k, "e", "e");
    assert_ok(peat_iter_refresh(it));
    assert_ok(peat_iter_fill(it, rows, 2, &n));
    assert_memory_equal(rows[0].key.data, "e", 1);
    assert_ok(peat_delete(k->db, NULL, peat_bytes(rows[n - 1].key.data, 1)));
    assert_ok(peat_iter_refresh(it)); /* the last row is gone: the one behind it comes next */
    assert_ok(peat_iter_fill(it, rows, 2, &n));
    assert_memory_equal(rows[0].key.data, "h", 1);
    peat_iter_close(it);
    it = open_iter(k, NULL);
    assert_ok(peat_iter_fill_back(it, rows, 2, &n)); /* j, h */
    assert_ok(peat_delete(k->db, NULL, peat_str("h")));
    assert_ok(peat_iter_refresh(it));
    assert_ok(peat_iter_fill_back(it, rows, 2, &n));
    assert_memory_equal(rows[0].key.data, "e", 1);
    peat_iter_close(it);
}

TEST_LETTERS(a_refresh_that_fails_leaves_it_as_it_was)
{
    peat_snapshot *snapshot = NULL;
    assert_ok(peat_snapshot_open(k->db, &snapshot));
    peat_iter_options o = {.size = sizeof o, .snapshot = snapshot};
    peat_iter *it = open_iter(k, NULL), *then = open_iter(k, &o);
    walk(then, "first=b");
    assert_int_equal(peat_iter_refresh(then), PEAT_INVALID);
    expect_at(then, PEAT_OK, "b");
    walk(it, "seek(d)=d");
    for (unsigned at = 1;; at++) {
        sim_fail(k->sim, .kinds = SIM_BIT(SIM_ALLOC), .at = at, .error = ENOMEM);
        peat_rc rc = peat_iter_refresh(it);
        sim_faults_clear(k->sim);
        expect_at(it, PEAT_OK, "d");
        if (rc == PEAT_OK)
            break;
        assert_int_equal(rc, PEAT_NOMEM);
        expect_at(it, peat_iter_next(it), "f");
        expect_at(it, peat_iter_prev(it), "d");
    }
    kit_close(k);
    assert_int_equal(peat_iter_refresh(it), PEAT_CLOSED);
    peat_iter_close(it);
    peat_iter_close(then);
    peat_snapshot_close(snapshot);
}

TEST_OPEN(a_scan_leaves_the_cache_alone_when_asked)
{
    put_many(k, 4000, 400);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    kit_reopen(k);
    for (int fills = 0; fills < 2; fills++) {
        peat_iter_options o = {.size = sizeof o, .no_cache_fill = fills == 0};
        uint64_t before = stats_of(k->db).cache_bytes;
        peat_iter *it = open_iter(k, &o);
        for (int i = 0; i < 40; i++)
            assert_ok(peat_iter_next(it));
        peat_iter_close(it);
        if (fills == 0)
            assert_int_equal(stats_of(k->db).cache_bytes, before);
        else
            assert_true(stats_of(k->db).cache_bytes > before);
    }
}

/* --- after the store --- */

TEST_LETTERS(an_iterator_outlives_its_store_and_says_so)
{
    peat_iter *it = open_iter(k, NULL), *unused = open_iter(k, NULL);
    peat_row row;
    size_t n = 1;
    walk(it, "next=b");
    kit_close(k);
    for (size_t move = 0; move < MOVES; move++)
        assert_int_equal(move_iter(it, move, peat_str("a")), PEAT_CLOSED);
    assert_int_equal(peat_iter_fill(it, &row, 1, &n), PEAT_CLOSED);
    assert_int_equal(n, 0);
    assert_false(peat_iter_valid(it));
    peat_iter_close(it);
    peat_iter_close(unused);
}

/* --- many of them --- */

TEST_OPEN(many_iterators_are_open_at_once)
{
    peat_iter *its[200];
    char key[32];
    for (int i = 0; i < 200; i++) {
        (void)snprintf(key, sizeof key, "%04d", i);
        put(k, key, key);
        its[i] = open_iter(k, NULL);
        if (i % 20 == 0)
            assert_ok(peat_flush(k->db));
    }
    assert_int_equal(stats_of(k->db).iterators, 200);
    for (int i = 0; i < 200; i++) {
        (void)snprintf(key, sizeof key, "%04d", i);
        expect_at(its[i], peat_iter_last(its[i]), key);
        peat_iter_close(its[i]);
    }
    assert_int_equal(stats_of(k->db).iterators, 0);
}
