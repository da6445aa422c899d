/* SPDX-License-Identifier: MIT */
/*
 * test_queue_fd.c - a program that polls a queue only when its descriptor says so: it is never kept
 * waiting, and an idle queue is silent. ctest: timeout=240
 */
#include <poll.h>

#include "queue/queue_site.h"

#define PATIENCE_MS 8000

/* Asked for once, as who hands it to epoll does: asking may signal it. */
static bool is_readable(site *t, int timeout_ms)
{
    if (t->fd < 0)
        t->fd = peat_queue_fd(t->queue);
    struct pollfd p = {.fd = t->fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

/* As an event loop does, `n` at a time. */
static void collect_when_told(site *t, size_t count, size_t n)
{
    while (count > 0) {
        if (!is_readable(t, PATIENCE_MS))
            fail_msg("way %d: silent with %zu of them outstanding", (int)t->way, count);
        peat_rc rc = peat_queue_poll(t->queue, t->done, n, 0, &t->n);
        assert_true(rc == PEAT_OK || rc == PEAT_TIMEOUT);
        for (size_t i = 0; i < t->n; i++)
            assert_ok(t->done[i].rc);
        count -= t->n;
    }
}

/* Level-triggered: what is not taken away keeps an event loop busy for ever. */
static void expect_silence(site *t)
{
    for (int i = 0; i < 3 && is_readable(t, 0); i++)
        assert_int_equal(peat_queue_poll(t->queue, t->done, 1, 0, &t->n), PEAT_END);
    if (is_readable(t, 20))
        fail_msg("way %d: readable with nothing outstanding", (int)t->way);
}

TEST_WAYS(who_waits_for_the_descriptor_gets_all)
{
    begin_numbers(t, 200, 0);
    for (size_t n = 1; n <= 64; n *= 8) {
        for (int i = 0; i < 60; i++) {
            peat_slice k = nth_key((i * 431 + (int)n) % KEYS);
            assert_ok(peat_queue_get(t->queue, NULL, NULL, k, 1));
            if (i % 6 == 0)
                assert_ok(peat_queue_put(t->queue, NULL, NULL, peat_str("z"), k, 2));
            if (i % 20 == 0)
                assert_ok(peat_queue_sync(t->queue, 3));
            if (i % 30 == 0)
                assert_ok(peat_queue_multi_get(t->queue, NULL, NULL, 1, &k, 4));
        }
        collect_when_told(t, peat_queue_outstanding(t->queue), n);
        expect_silence(t);
    }
}

/* Those in memory have ended at once, and the writes are still to be done, by whoever. */
TEST_WAYS(what_has_ended_does_not_hide_what_has_not)
{
    queue_open(t, 64, 0);
    put(&t->k, "a", "1");
    for (int i = 0; i < 20; i++) {
        assert_ok(peat_queue_put(t->queue, NULL, &synced, peat_str("b"), peat_str("2"), 1));
        assert_ok(peat_queue_get(t->queue, NULL, NULL, peat_str("a"), 2));
        collect_when_told(t, 2, 1);
        expect_silence(t);
    }
}

/* Their bytes are held until the next poll: the descriptor asks for it. */
TEST_WAYS(who_waits_for_room_is_not_forgotten)
{
    begin_numbers(t, 64, PEAT_QUEUE_BYTES_MIN);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 12; i++) /* of 30,000 bytes each */
            assert_ok(peat_queue_get(t->queue, NULL, NULL, nth_key(3 + i * 61), 1));
        collect_when_told(t, 12, 4);
        expect_silence(t);
    }
}

TEST_WAYS(a_poll_without_waiting_never_keeps_the_descriptor_silent)
{
    begin_numbers(t, 64, 0);
    (void)is_readable(t, 0);
    for (int i = 0; i < 40; i++) {
        peat_rc rc;
        assert_ok(peat_queue_get(t->queue, NULL, NULL, nth_key(i * 71), 1));
        rc = peat_queue_poll(t->queue, t->done, 1, 0, &t->n);
        assert_true(rc == PEAT_OK || rc == PEAT_TIMEOUT);
    }
    collect_when_told(t, peat_queue_outstanding(t->queue), 3);
    expect_silence(t);
}

/* ---- poorer environments ---- */

static peat_rc poll_to_the_end(site *t, size_t *io_count)
{
    peat_rc rc;
    while ((rc = peat_queue_poll(t->queue, t->done, 512, PATIENCE_MS, &t->n)) == PEAT_OK)
        for (size_t i = 0; i < t->n; i++, ++*io_count)
            assert_ok(t->done[i].rc);
    return rc;
}

static void use_all(site *t)
{
    size_t count = 0;
    begin_numbers(t, 300, 0);
    for (int i = 0; i < 100; i++) {
        peat_slice k = nth_key(i * 29 % KEYS);
        assert_ok(peat_queue_get(t->queue, NULL, NULL, k, 1));
        assert_ok(peat_queue_put(t->queue, NULL, i % 9 == 0 ? &synced : NULL, peat_str("z"), k, 2));
    }
    assert_ok(peat_queue_scan(t->queue, NULL, NULL, true, 10, 3));
    assert_int_equal(poll_to_the_end(t, &count), PEAT_END);
    assert_int_equal(count, 201);
}

static int no_event(void *ctx, int *ret_event)
{
    (void)ctx;
    *ret_event = -1;
    return EMFILE;
}

static int no_thread(void *ctx, void (*fn)(void *arg), void *arg, peat_env_thread **ret_thread)
{
    (void)ctx, (void)fn, (void)arg, (void)ret_thread;
    return EAGAIN;
}

TEST(without_events_poll_waits_all_the_same)
{
    for (way w = 0; w < WAYS; w++) {
        site t;
        site_begin(&t, w);
        if (w >= BY_THREADS)
            t.env.event_open = no_event;
        else
            sim_fail(t.k.sim, .kinds = SIM_BIT(SIM_EVENT_OPEN), .error = EMFILE, .sticky = true);
        use_all(&t);
        assert_int_equal(peat_queue_fd(t.queue), -1);
        site_end(&t);
    }
}

TEST(where_no_thread_starts_the_caller_does_it)
{
    for (int by_ring = 0; by_ring < 2; by_ring++) {
        site t;
        site_begin(&t, by_ring ? BY_RING : BY_THREADS);
        kit_close(&t.k);
        t.k.options.threads = PEAT_THREADS_NONE;
        open_store(&t);
        t.env.thread_start = no_thread;
        use_all(&t);
        for (int i = 0; i < 10; i++)
            assert_ok(peat_queue_put(t.queue, NULL, &synced, peat_str("k"), peat_str("v"), 1));
        collect_when_told(&t, 10, 1);
        expect_silence(&t);
        site_end(&t);
    }
}
