/* SPDX-License-Identifier: MIT */
/* test_snapshots.c - earlier states: what they see, what they keep, and how they end. */
#include "world/kit.h"

#include <pthread.h>
#include <stdatomic.h>

static peat_snapshot *take(kit *k)
{
    peat_snapshot *snapshot = NULL;
    assert_ok(peat_snapshot_open(k->db, &snapshot));
    return snapshot;
}

static void expect_then(kit *k, const peat_snapshot *snapshot, const char *key, const char *value)
{
    peat_read_options then = {.size = sizeof then, .snapshot = snapshot};
    peat_rc rc = peat_get(k->db, &then, peat_str(key), &k->buf);
    assert_int_equal(rc, value ? PEAT_OK : PEAT_NOT_FOUND);
    assert_int_equal(peat_exists(k->db, &then, peat_str(key)), rc);
    if (value != NULL)
        expect_bytes(k->buf.data, k->buf.size, value);
}

TEST_OPEN(a_snapshot_sees_its_own_moment)
{
    peat_snapshot *empty = take(k);
    put(k, "a", "1");
    peat_snapshot *one = take(k);
    put(k, "a", "2");
    put(k, "b", "2");
    peat_snapshot *two = take(k);
    assert_ok(peat_delete(k->db, NULL, peat_str("a")));
    for (int round = 0; round < 3; round++) { /* in memory, in a table, in one run */
        expect_then(k, empty, "a", NULL);
        expect_then(k, one, "a", "1");
        expect_then(k, one, "b", NULL);
        expect_then(k, two, "a", "2");
        expect_then(k, two, "b", "2");
        expect_absent(k, "a");
        if (round == 0)
            assert_ok(peat_flush(k->db));
        else
            assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    }
    peat_snapshot_close(one);
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    expect_then(k, two, "a", "2");
    expect_then(k, empty, "a", NULL);
    peat_snapshot_close(two);
    peat_snapshot_close(empty);
}

TEST_OPEN(what_no_snapshot_needs_is_given_back)
{
    reopen_tiny(k, PEAT_COMPRESSION_DEFAULT);
    put_many(k, 500, 100);
    peat_snapshot *snapshot = take(k);
    for (int i = 0; i < 3; i++)
        put_many(k, 500, 90);
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    assert_int_equal(stats_of(k->db).entries, 1000);
    peat_snapshot_close(snapshot);
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    assert_int_equal(stats_of(k->db).entries, 500);
}

TEST_OPEN(an_iterator_lives_longer_than_its_snapshot)
{
    put(k, "a", "1");
    peat_snapshot *snapshot = take(k);
    peat_iter_options options = {.size = sizeof options, .snapshot = snapshot};
    peat_iter *it = NULL;
    put(k, "a", "2");
    assert_ok(peat_iter_open(k->db, &options, &it));
    peat_snapshot_close(snapshot);
    put(k, "a", "3");
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    assert_ok(peat_iter_next(it));
    expect_bytes(peat_iter_value(it).data, peat_iter_value(it).size, "1");
    assert_int_equal(peat_iter_next(it), PEAT_END);
    peat_iter_close(it);
}

TEST_OPEN(snapshots_are_counted)
{
    peat_snapshot *all[50];
    for (int i = 0; i < 50; i++)
        all[i] = take(k);
    assert_int_equal(stats_of(k->db).snapshots, 50);
    for (int i = 0; i < 50; i++)
        peat_snapshot_close(all[i * 7 % 50]);
    assert_int_equal(stats_of(k->db).snapshots, 0);
}

TEST_OPEN(a_snapshot_is_closed_before_or_after_its_store)
{
    put(k, "a", "1");
    peat_snapshot *snapshot = take(k);
    kit_close(k);
    kit_must_open(k);
    peat_read_options then = {.size = sizeof then, .snapshot = snapshot};
    peat_iter_options scan = {.size = sizeof scan, .snapshot = snapshot};
    peat_iter *it = NULL;
    assert_int_equal(peat_get(k->db, &then, peat_str("a"), &k->buf), PEAT_CLOSED);
    assert_int_equal(peat_exists(k->db, &then, peat_str("a")), PEAT_CLOSED);
    assert_int_equal(peat_iter_open(k->db, &scan, &it), PEAT_CLOSED);
    peat_snapshot_close(snapshot);
    peat_snapshot_close(NULL);
}

TEST_OPEN(misuse_is_invalid)
{
    peat_snapshot *snapshot = NULL;
    assert_int_equal(peat_snapshot_open(NULL, &snapshot), PEAT_INVALID);
    assert_int_equal(peat_snapshot_open(k->db, NULL), PEAT_INVALID);
}

typedef struct asker {
    peat_db *db;
    atomic_uint left;
    uint64_t snapshots_max;
} asker;

static void *ask_on(void *arg)
{
    asker *a = arg;
    while (atomic_fetch_sub(&a->left, 1) > 1) {
        peat_statistics s = {.size = sizeof s};
        (void)!peat_stats(a->db, &s);
        if (s.snapshots > a->snapshots_max)
            a->snapshots_max = s.snapshots;
    }
    return NULL;
}

/* One may count as a snapshot while it is opened or closed; but there are never fewer than none. */
TEST_OPEN(iterators_that_come_and_go_are_no_host_of_snapshots)
{
    asker a = {.db = k->db, .left = 20000};
    pthread_t thread;
    put(k, "a", "1");
    assert_int_equal(pthread_create(&thread, NULL, ask_on, &a), 0);
    while (atomic_load(&a.left) != 0) {
        peat_iter *it = NULL;
        assert_ok(peat_iter_open(k->db, NULL, &it));
        peat_iter_close(it);
    }
    (void)pthread_join(thread, NULL);
    assert_in_range(a.snapshots_max, 0, 1);
}
