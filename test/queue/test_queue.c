/* SPDX-License-Identifier: MIT */
/*
 * test_queue.c - the calls of peat_queue.h, one kind after the other: what they complete with, in
 * which order, what is refused. Over rings, threads, and in the caller's thread.
 * ctest: timeout=240
 */
#include "queue/queue_site.h"
#include "queue/queue_state.h"

static void expect_got(const peat_completion *c, const char *value)
{
    assert_int_equal(c->kind, PEAT_QUEUE_GET);
    assert_ok(c->rc);
    assert_null(c->error);
    expect_bytes(c->value.data, c->value.size, value);
}

TEST_WAYS(what_is_in_memory_is_answered_at_once)
{
    queue_open(t, 8, 0);
    put(&t->k, "apple", "red");
    put(&t->k, "empty", "");
    assert_ok(peat_queue_get(t->queue, NULL, NULL, peat_str("apple"), 1));
    assert_ok(peat_queue_get(t->queue, t->k.db, NULL, peat_str("none"), 2));
    assert_ok(peat_queue_get(t->queue, NULL, NULL, peat_str("empty"), 3));
    assert_ok(peat_queue_exists(t->queue, NULL, NULL, peat_str("apple"), 4));
    assert_ok(peat_queue_exists(t->queue, NULL, NULL, peat_str("none"), 5));
    assert_int_equal(peat_queue_outstanding(t->queue), 5);
    assert_ok(peat_queue_poll(t->queue, t->done, 512, 0, &t->n));
    assert_int_equal(t->n, 5);
    expect_got(&t->done[0], "red");
    assert_int_equal(t->done[1].rc, PEAT_NOT_FOUND);
    expect_got(&t->done[2], "");
    assert_ok(t->done[3].rc);
    assert_int_equal(t->done[3].kind, PEAT_QUEUE_EXISTS);
    assert_int_equal(t->done[4].rc, PEAT_NOT_FOUND);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(t->done[i].tag, i + 1);
    assert_int_equal(peat_queue_poll(t->queue, t->done, 512, PEAT_QUEUE_WAIT, &t->n), PEAT_END);
    assert_int_equal(t->n, 0);
}

TEST_WAYS(writes_are_committed_in_order)
{
    char text[32];
    queue_open(t, 64, 0);
    for (int i = 0; i < 50; i++) {
        peat_write_options sync = {.size = sizeof sync, .sync = i % 7 == 0};
        (void)snprintf(text, sizeof text, "%d", i);
        assert_ok(
            peat_queue_put(t->queue, NULL, &sync, peat_str("k"), peat_str(text), (uint64_t)i));
    }
    assert_ok(peat_queue_delete(t->queue, NULL, NULL, peat_str("gone"), 50));
    for (size_t count = 0; count < 51;) {
        size_t n = poll_some(t, 512);
        for (size_t i = 0; i < n; i++)
            assert_ok(t->done[i].rc);
        count += n;
    }
    expect_get(&t->k, "k", "49");
    peat_batch *batch = NULL;
    assert_ok(peat_batch_new(&batch));
    assert_ok(peat_batch_put(batch, peat_str("a"), peat_str("1")));
    assert_ok(peat_batch_delete(batch, peat_str("k")));
    assert_ok(peat_queue_write(t->queue, &synced, batch, 7));
    assert_ok(poll_one(t, 7)->rc);
    assert_int_equal(t->done[0].kind, PEAT_QUEUE_WRITE);
    peat_batch_free(batch);
    expect_get(&t->k, "a", "1");
    expect_absent(&t->k, "k");
    assert_ok(peat_queue_sync(t->queue, 8));
    assert_ok(poll_one(t, 8)->rc);
    assert_int_equal(t->done[0].kind, PEAT_QUEUE_SYNC);
}

/* The store has just been opened: files, sections, blocks are brought in. */
TEST_WAYS(what_is_not_in_memory_is_read)
{
    begin_numbers(t, 300, 256 << 10);
    int next = 0, ended = 0, number;
    while (ended < 2 * KEYS) {
        while (next < 2 * KEYS) {
            number = next * 7919 % (KEYS + 100);
            peat_rc rc = peat_queue_get(t->queue, NULL, NULL, nth_key(number), (uint64_t)number);
            if (rc == PEAT_QUEUE_FULL)
                break;
            assert_ok(rc);
            next++;
        }
        size_t n = poll_some(t, 40);
        for (size_t i = 0; i < n; i++)
            check_number(t->done[i].rc, t->done[i].value, (int)t->done[i].tag);
        ended += (int)n;
    }
    assert_int_equal(peat_queue_outstanding(t->queue), 0);
}

static site *waited_for;
static int asked_while_waiting;

/* As another thread would, while this one waits in poll. */
static int ask_then_wait(void *ctx, int event, uint64_t timeout_ns)
{
    site *t = waited_for;
    waited_for = NULL;
    if (t != NULL) {
        int number = 29 * ++asked_while_waiting;
        assert_ok(peat_queue_get(t->queue, NULL, NULL, nth_key(number), 3));
        assert_int_equal(t->queue->gathered_count, 0); /* nobody would begin it */
    }
    return peat_env_default()->event_wait(ctx, event, timeout_ns);
}

TEST_WAYS(a_read_begins_at_once_while_somebody_polls)
{
    if (t->way < BY_THREADS)
        return;
    t->env.event_wait = ask_then_wait;
    begin_numbers(t, 8, 0);
    asked_while_waiting = 0;
    for (int i = 0; i < 60; i++) { /* the first ones open files */
        assert_ok(peat_queue_get(t->queue, NULL, NULL, nth_key(i * 41), 2));
        waited_for = t;
        while (peat_queue_poll(t->queue, t->done, 2, 60000, &t->n) == PEAT_OK)
            for (size_t n = 0; n < t->n; n++)
                assert_ok(t->done[n].rc);
    }
    waited_for = NULL;
    assert_true(asked_while_waiting > 5);
}

TEST_WAYS(many_keys_are_one_operation)
{
    enum { CALL = 100 };
    char text[CALL][32];
    peat_slice keys[CALL];
    begin_numbers(t, 20, 1 << 20);
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < CALL; i++)
            keys[i] = peat_str(numbered((round * 131 + i * 37) % (KEYS + 100), text[i]));
        assert_ok(peat_queue_multi_get(t->queue, NULL, NULL, CALL, keys, (uint64_t)round));
        memset(text, 0, sizeof text); /* they were copied */
        const peat_completion *c = poll_one(t, (uint64_t)round);
        assert_ok(c->rc);
        assert_int_equal(c->n, CALL);
        for (int i = 0; i < CALL; i++)
            check_number(c->rcs[i], c->values[i], (round * 131 + i * 37) % (KEYS + 100));
    }
    assert_ok(peat_queue_multi_get(t->queue, NULL, NULL, 0, NULL, 77));
    assert_int_equal(poll_one(t, 77)->n, 0);
}

static int check_rows(const peat_completion *c, int at, bool backward)
{
    char key[32];
    for (size_t i = 0; i < c->n; i++) {
        expect_bytes(c->rows[i].key.data, c->rows[i].key.size, numbered(at, key));
        check_number(PEAT_OK, c->rows[i].value, at);
        at += backward ? -1 : 1;
    }
    return at;
}

TEST_WAYS(scans_go_on_at_their_cursor)
{
    begin_numbers(t, 4, 0);
    for (int backward = 0; backward < 2; backward++) {
        int at = backward ? KEYS - 1 : 0;
        assert_ok(peat_queue_scan(t->queue, NULL, NULL, backward, 50, 1));
        const peat_completion *c = poll_one(t, 1);
        while (c->cursor != NULL) {
            peat_cursor *cursor = c->cursor;
            at = check_rows(c, at, backward);
            put(&t->k, "key-000000", "changed"); /* the scan does not see it */
            assert_ok(peat_queue_scan_next(t->queue, cursor, 50, 2));
            assert_int_equal(peat_queue_scan_next(t->queue, cursor, 50, 3), PEAT_INVALID);
            c = poll_one(t, 2);
            assert_ok(c->rc);
        }
        at = check_rows(c, at, backward);
        assert_int_equal(at, backward ? -1 : KEYS);
        char value[100];
        memset(value, 'a', 60);
        assert_ok(peat_put(t->k.db, NULL, peat_str("key-000000"), peat_bytes(value, 60)));
    }
    peat_iter_options options = {.size = sizeof options, .lower = peat_str("x")};
    assert_ok(peat_queue_scan(t->queue, NULL, &options, false, 50, 4));
    assert_int_equal(poll_one(t, 4)->rc, PEAT_END);
    assert_null(t->done[0].cursor);
    assert_ok(peat_queue_scan(t->queue, NULL, NULL, false, 50, 5));
    peat_queue_scan_close(t->queue, poll_one(t, 5)->cursor);
}

TEST_WAYS(a_full_queue_says_so)
{
    queue_open(t, 2, PEAT_QUEUE_BYTES_MIN);
    char *big = calloc(1, 70000);
    put(&t->k, "a", "1");
    assert_ok(peat_queue_get(t->queue, NULL, NULL, peat_str("a"), 1));
    assert_ok(peat_queue_get(t->queue, NULL, NULL, peat_str("a"), 2));
    assert_int_equal(peat_queue_get(t->queue, NULL, NULL, peat_str("a"), 3), PEAT_QUEUE_FULL);
    assert_int_equal(poll_some(t, 1), 1);
    assert_int_equal(peat_queue_get(t->queue, NULL, NULL, peat_str("a"), 3), PEAT_QUEUE_FULL);
    assert_int_equal(poll_some(t, 1), 1); /* and the first is free now */
    assert_ok(peat_queue_get(t->queue, NULL, NULL, peat_str("a"), 3));
    assert_int_equal(peat_queue_put(t->queue, NULL, NULL, peat_str("a"), peat_bytes(big, 70000), 4),
                     PEAT_TOO_BIG);
    (void)poll_some(t, 2);
    assert_int_equal(peat_queue_poll(t->queue, t->done, 2, 0, &t->n), PEAT_END);
    assert_ok(peat_queue_put(t->queue, NULL, NULL, peat_str("a"), peat_bytes(big, 40000), 5));
    assert_int_equal(peat_queue_put(t->queue, NULL, NULL, peat_str("a"), peat_bytes(big, 40000), 6),
                     PEAT_QUEUE_FULL);
    (void)poll_one(t, 5);
    free(big);
}

TEST_WAYS(closing_the_store_ends_all)
{
    begin_numbers(t, 200, 0);
    for (int i = 0; i < 200; i++) {
        peat_slice k = nth_key(i * 13 % KEYS);
        assert_ok(i % 3 != 0 ? peat_queue_get(t->queue, NULL, NULL, k, (uint64_t)i)
                             : peat_queue_put(t->queue, NULL, &synced, k, k, (uint64_t)i));
    }
    kit_close(&t->k);
    bool seen[200] = {false};
    size_t count = 0;
    peat_rc rc;
    while ((rc = peat_queue_poll(t->queue, t->done, 7, PEAT_QUEUE_WAIT, &t->n)) == PEAT_OK)
        for (size_t i = 0; i < t->n; i++, count++) {
            assert_false(seen[t->done[i].tag]);
            seen[t->done[i].tag] = true;
            assert_true(t->done[i].rc == PEAT_OK || t->done[i].rc == PEAT_CLOSED);
        }
    assert_int_equal(rc, PEAT_CLOSED);
    assert_int_equal(count, 200);
    assert_int_equal(peat_queue_get(t->queue, NULL, NULL, peat_str("a"), 3), PEAT_CLOSED);
}

TEST_WAYS(a_queue_is_closed_with_operations_under_way)
{
    begin_numbers(t, 200, 0);
    for (int i = 0; i < 190; i++) {
        peat_slice k = nth_key(i * 13 % KEYS);
        assert_ok(i % 3 != 0 ? peat_queue_get(t->queue, NULL, NULL, k, (uint64_t)i)
                             : peat_queue_put(t->queue, NULL, &synced, k, k, (uint64_t)i));
    }
    assert_ok(peat_queue_scan(t->queue, NULL, NULL, false, 1000, 5));
    peat_queue_close(t->queue);
    t->queue = NULL;
}

TEST_WAYS(what_has_not_begun_is_cancelled)
{
    begin_numbers(t, 8, 0);
    assert_int_equal(peat_queue_cancel(t->queue, 5), PEAT_NOT_FOUND);
    assert_ok(peat_queue_get(t->queue, NULL, NULL, peat_str("key-000100"), 5));
    peat_rc rc = peat_queue_cancel(t->queue, 5);
    assert_true(rc == PEAT_OK || rc == PEAT_NOT_FOUND);
    const peat_completion *c = poll_one(t, 5);
    assert_true(c->rc == PEAT_OK || c->rc == PEAT_CANCELLED);
    if (t->way == BY_CALLER)
        assert_int_equal(c->rc, PEAT_CANCELLED);
    assert_int_equal(peat_queue_cancel(t->queue, 5), PEAT_NOT_FOUND);
}

/* Not of what had failed before in the thread. */
TEST_WAYS(want_of_memory_is_told_in_its_own_words)
{
    char *big = calloc(1, PEAT_KEY_SIZE_MAX + 1);
    if (t->way <= BY_SIM_RING) {
        assert_ok(peat_put(t->k.db, NULL, peat_str("a"),
                           peat_bytes(big, 300))); /* in memory, and too large for a slot */
        queue_open(t, 8, 0);
        assert_int_equal(peat_exists(t->k.db, NULL, peat_bytes(big, PEAT_KEY_SIZE_MAX + 1)),
                         PEAT_TOO_BIG);
        sim_fail(t->k.sim, .kinds = SIM_BIT(SIM_ALLOC), .error = ENOMEM);
        assert_ok(peat_queue_get(t->queue, NULL, NULL, peat_str("a"), 1));
        const peat_completion *c = poll_one(t, 1);
        assert_int_equal(c->rc, PEAT_NOMEM);
        assert_int_equal(c->error->rc, PEAT_NOMEM);
        assert_string_equal(c->error->message, peat_rc_text(PEAT_NOMEM));
    }
    free(big);
}
