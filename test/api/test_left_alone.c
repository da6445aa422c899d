/* SPDX-License-Identifier: MIT */
/*
 * test_left_alone.c - what a store does by itself when nobody writes, and who wakes it: with a
 * thread, whose events are waited for, and without, on a simulated clock.
 */
#include "world/kit.h"

#include <semaphore.h>
#include <time.h>

#define ROWS 3000
#define S    ((uint64_t)1000 * 1000 * 1000)

/* ---- with a thread, on the real clock ---- */

static void on_event(void *ctx, const peat_event *event)
{
    if (event->kind == PEAT_EVENT_MERGE && event->rc == PEAT_OK)
        (void)sem_post((sem_t *)ctx);
}

/* Long enough that only a thread that sleeps for ever is too late. */
static void wait_for(sem_t *merged)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    int rc;
    while ((rc = sem_timedwait(merged, &until)) != 0 && errno == EINTR)
        ;
    assert_int_equal(rc, 0);
}

static void drain(sem_t *merged)
{
    while (sem_trywait(merged) == 0)
        ;
}

static void delete_all(peat_db *db)
{
    for (int i = 0; i < ROWS; i++) {
        assert_ok(peat_delete(db, NULL, nth_key(i)));
    }
}

static int new_with_thread(void **state)
{
    sem_t *merged = malloc(sizeof *merged);
    (void)sem_init(merged, 0, 0);
    (void)kit_new(state);
    kit *k = *state;
    k->options.threads = 1;
    k->host.event_fn = on_event;
    k->host.event_ctx = merged;
    k->options.compression = PEAT_COMPRESSION_NONE;
    make_tiny(k);
    return kit_open(k) == PEAT_OK ? 0 : -1;
}

static int end_with_thread(void **state)
{
    sem_t *merged = ((kit *)*state)->host.event_ctx;
    int rc = kit_end(state);
    (void)sem_destroy(merged);
    free(merged);
    return rc;
}

#define TEST_WITH_THREAD(name) TEST_WITH(name, kit *k, new_with_thread, end_with_thread)

TEST_WITH_THREAD(closing_the_last_snapshot_wakes_a_sleeping_store)
{
    sem_t *merged = k->host.event_ctx;
    peat_snapshot *snapshot = NULL;
    put_many(k, ROWS, 100);
    assert_ok(peat_snapshot_open(k->db, &snapshot));
    delete_all(k->db);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    assert_true(stats_of(k->db).bottom_bytes > (uint64_t)ROWS * 100);
    sim_clock_advance(k->sim, S); /* and it goes to sleep, or is about to */
    drain(merged);
    peat_snapshot_close(snapshot);
    wait_for(merged);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    assert_int_equal(stats_of(k->db).bottom_bytes, 0);
}

/* ---- without, on a simulated clock ---- */

static int new_without(void **state)
{
    (void)kit_new(state);
    kit *k = *state;
    k->options.compression = PEAT_COMPRESSION_NONE;
    return kit_open(k) == PEAT_OK ? 0 : -1;
}

#define TEST_WITHOUT(name) TEST_WITH(name, kit *k, new_without, kit_end)

TEST_WITHOUT(a_handful_of_records_is_flushed_once_nothing_is_written)
{
    size_t did = 1;
    put(k, "apple", "red");
    assert_ok(peat_work(k->db, 8, &did));
    assert_int_equal(stats_of(k->db).flushes, 0);
    sim_clock_advance(k->sim, 3 * S);
    assert_ok(peat_work(k->db, 8, &did));
    assert_int_equal(stats_of(k->db).flushes, 1);
    assert_ok(peat_settle(k->db, 0));
    expect_get(k, "apple", "red");
}

TEST_WITHOUT(files_that_an_iterator_holds_are_counted_and_go_with_it)
{
    peat_iter *it = NULL;
    put_many(k, ROWS, 100);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    assert_ok(peat_iter_open(k->db, NULL, &it));
    assert_ok(peat_iter_first(it));
    delete_all(k->db);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    uint64_t disk = sim_disk_bytes(k->sim);
    assert_true(disk > (uint64_t)ROWS * 100);
    assert_true(stats_of(k->db).disk_bytes > disk - disk / 8);
    peat_iter_close(it);
    for (size_t did = 1; did != 0;)
        assert_ok(peat_work(k->db, 8, &did));
    assert_int_equal(stats_of(k->db).tables, 0);
    assert_true(sim_disk_bytes(k->sim) < disk / 2); /* the log is left */
}

#define READERS 8

/* What was kept for readers that have gone goes, though an older one is still there. */
TEST_WITHOUT(versions_between_snapshots_go_with_theirs)
{
    peat_snapshot *oldest = NULL, *later[READERS];
    put_many(k, ROWS, 100);
    assert_ok(peat_snapshot_open(k->db, &oldest));
    for (int i = 0; i < READERS; i++) {
        put_many(k, ROWS, 100);
        assert_ok(peat_snapshot_open(k->db, &later[i]));
    }
    put_many(k, ROWS, 100);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    assert_int_equal(stats_of(k->db).entries, (READERS + 2) * ROWS);
    for (int i = 0; i < READERS; i++)
        peat_snapshot_close(later[i]);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    assert_int_equal(stats_of(k->db).entries, 2 * ROWS); /* the oldest sees its own */
    peat_snapshot_close(oldest);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    assert_int_equal(stats_of(k->db).entries, ROWS);
}

/* The manifest still names them when the store is opened again; their files have gone. */
TEST_WITHOUT(files_that_are_gone_are_not_counted_by_the_next_open)
{
    put_many(k, ROWS, 100);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    delete_all(k->db);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    for (int read_only = 0; read_only <= 1; read_only++) {
        k->options.read_only = read_only != 0;
        kit_reopen(k);
        assert_int_equal(stats_of(k->db).tables, 0);
        assert_true(stats_of(k->db).disk_bytes <= sim_disk_bytes(k->sim));
    }
    k->options.read_only = false;
    kit_reopen(k);
    expect_absent(k, "key-000000");
}

TEST_WITHOUT(what_deletes_hide_is_known_when_they_are_flushed)
{
    put_many(k, 40, 100000);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    for (int i = 0; i < 4; i++) {
        assert_ok(peat_delete(k->db, NULL, nth_key(i * 7)));
    }
    assert_ok(peat_flush(k->db));
    uint64_t obsolete = stats_of(k->db).obsolete_bytes;
    assert_true(obsolete > 4 * 100000 / 2 && obsolete < 4 * 100000 * 2);
}

TEST_WITHOUT(keys_that_were_never_there_hide_next_to_nothing)
{
    char key[32];
    put_many(k, 40, 0);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    put_many(k, 40, 100000); /* an upper run, whose filter claims one key in 256 too many */
    assert_ok(peat_flush(k->db));
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(key, sizeof key, "key-%06d-%d", i % 40, i);
        assert_ok(peat_put(k->db, NULL, peat_str(key), peat_str("small")));
    }
    assert_ok(peat_flush(k->db));
    assert_true(stats_of(k->db).obsolete_bytes < 2 * 100000);
}
