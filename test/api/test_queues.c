/* SPDX-License-Identifier: MIT */
/*
 * test_queues.c - rows that are deleted where they are looked for: the head of a queue, the end of
 * a stack, a prefix, pages from the front. However many there were, a look costs the same. Steps
 * are counted (hidden_steps: entries visited that led to no row), nothing is timed. One thread.
 *
 * ctest: label=single
 */
#include "world/kit.h"

/* For one look: eight steps before it asks, and at most some 32 deleted rows that are new since the
 * last one kept what it had found; the mean is half. */
#define STEPS_MAX 32

static uint64_t hidden(kit *k)
{
    return stats_of(k->db).hidden_steps;
}

static peat_slice key_of(char *key, const char *prefix, int i)
{
    return peat_bytes(key, (size_t)snprintf(key, 32, "%s/%08d", prefix, i));
}

static void push(kit *k, const char *prefix, int from, int to)
{
    char key[32];
    for (int i = from; i < to; i++)
        assert_ok(peat_put(k->db, NULL, key_of(key, prefix, i), peat_str("v")));
}

static void pop(kit *k, const char *prefix, int from, int to)
{
    char key[32];
    for (int i = from; i < to; i++)
        assert_ok(peat_delete(k->db, NULL, key_of(key, prefix, i)));
}

/* A fresh iterator finds this row first (or last), or none when i < 0. */
static void look(kit *k, const peat_iter_options *o, bool back, const char *prefix, int i)
{
    peat_iter *it = NULL;
    char key[32];
    assert_ok(peat_iter_open(k->db, o, &it));
    peat_rc rc = back ? peat_iter_last(it) : peat_iter_first(it);
    assert_int_equal(rc, i < 0 ? PEAT_END : PEAT_OK);
    if (i >= 0) {
        peat_slice want = key_of(key, prefix, i), found = peat_iter_key(it);
        assert_int_equal(found.size, want.size);
        assert_memory_equal(found.data, want.data, want.size);
    }
    peat_iter_close(it);
}

/* Steps of 500 pops after `done` rows went. */
static uint64_t steps_of_pops(kit *k, int done, bool back, int n)
{
    char key[32];
    uint64_t before = hidden(k);
    for (int i = 0; i < 500; i++) {
        int at = back ? n - 1 - done - i : done + i;
        look(k, NULL, back, "job", at);
        assert_ok(peat_delete(k->db, NULL, key_of(key, "job", at)));
    }
    return hidden(k) - before;
}

static void expect_few(uint64_t steps, uint64_t looks)
{
    if (steps > looks * STEPS_MAX)
        fail_msg("%" PRIu64 " steps for %" PRIu64 " looks", steps, looks);
}

static void pop_all(kit *k, bool back, bool snapshot, int n)
{
    peat_snapshot *held = NULL;
    push(k, "job", 0, n);
    if (snapshot)
        assert_ok(peat_snapshot_open(k->db, &held));
    uint64_t first = steps_of_pops(k, 0, back, n);
    for (int done = 500; done < n - 500; done += 500)
        expect_few(steps_of_pops(k, done, back, n), 500);
    uint64_t last = steps_of_pops(k, n - 500, back, n);
    assert_true(last <= 2 * first); /* a tombstone in memory, or one and a row in tables */
    if (snapshot) {
        peat_iter_options then = {.size = sizeof then, .snapshot = held};
        look(k, &then, back, "job", back ? n - 1 : 0);
    }
    peat_snapshot_close(held);
}

TEST_OPEN(a_pop_costs_the_same_at_any_length)
{
    k->options.memory_bytes = 256 << 20;
    kit_reopen(k);
    for (int n = 4000; n <= 80000; n *= 20) {
        pop_all(k, false, false, n);
        assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
        pop_all(k, false, true, n);
        pop_all(k, true, true, n);
    }
}

/* With a small memtable the deleted rows are in tables, and flushed and merged meanwhile. */
TEST_OPEN(also_when_they_are_in_tables)
{
    k->options.memory_bytes = PEAT_MEMORY_BYTES_MIN;
    kit_reopen(k);
    pop_all(k, false, true, 20000);
    pop_all(k, true, false, 20000);
}

TEST_OPEN(beside_who_pushes_it_costs_the_same)
{
    char key[32];
    int tail = 20000;
    push(k, "job", 0, tail);
    uint64_t before = hidden(k);
    for (int head = 0; head < 20000; head++) {
        look(k, NULL, false, "job", head);
        pop(k, "job", head, head + 1);
        push(k, "job", tail, tail + 1);
        tail++;
        if (head % 16 == 0) /* before the rest, but behind what is deleted */
            assert_ok(peat_put(k->db, NULL, peat_str("zzz"), peat_str("v")));
        if (head % 1000 == 500) { /* into the midst of what is deleted: it is the head at once */
            int again = head / 2;
            push(k, "job", again, again + 1);
            look(k, NULL, false, "job", again);
            assert_ok(peat_delete(k->db, NULL, key_of(key, "job", again)));
        }
    }
    expect_few(hidden(k) - before, 20000);
}

/* Batches are looked at operation by operation. */
TEST_OPEN(a_put_in_a_batch_is_seen_at_once)
{
    char key[32];
    push(k, "job", 0, 1000);
    pop(k, "job", 0, 999);
    for (int round = 0; round < 3; round++)
        look(k, NULL, false, "job", 999);
    peat_batch *b = NULL;
    assert_ok(peat_batch_new(&b));
    assert_ok(peat_batch_delete(b, key_of(key, "job", 3)));
    assert_ok(peat_batch_put(b, key_of(key, "job", 700), peat_str("v")));
    assert_ok(peat_batch_put(b, key_of(key, "job", 500), peat_str("v")));
    assert_ok(peat_write(k->db, NULL, b));
    peat_batch_free(b);
    look(k, NULL, false, "job", 500);
    pop(k, "job", 500, 501);
    look(k, NULL, false, "job", 700);
    pop(k, "job", 700, 701);
    uint64_t before = hidden(k);
    look(k, NULL, false, "job", 999);
    assert_true(hidden(k) - before <= 2 * STEPS_MAX); /* the pieces are still known */
}

TEST_OPEN(a_deleted_prefix_is_passed_in_both_directions)
{
    push(k, "a", 0, 1);
    push(k, "b", 0, 5000);
    push(k, "c", 0, 1);
    pop(k, "b", 0, 5000);
    peat_iter_options b = {.size = sizeof b, .prefix = peat_str("b/")};
    for (int round = 0; round < 2; round++) {
        uint64_t before = hidden(k);
        for (int i = 0; i < 100; i++) {
            look(k, &b, false, "b", -1);
            look(k, &b, true, "b", -1);
        }
        if (round != 0)
            expect_few(hidden(k) - before, 200);
    }
    push(k, "b", 2500, 2501);
    look(k, &b, false, "b", 2500);
    look(k, &b, true, "b", 2500);
}

/* Each page is deleted once it was read. */
TEST_OPEN(pages_from_the_front)
{
    peat_row rows[100];
    size_t n = 0;
    push(k, "row", 0, 20000);
    uint64_t before = hidden(k);
    for (int page = 0; page < 200; page++) {
        peat_iter *it = NULL;
        char key[32];
        assert_ok(peat_iter_open(k->db, NULL, &it));
        for (size_t got = 0; got < 100; got += n)
            assert_ok(peat_iter_fill(it, rows, 100 - got, &n));
        peat_slice last = key_of(key, "row", page * 100 + 99);
        assert_memory_equal(rows[n - 1].key.data, last.data, last.size);
        peat_iter_close(it);
        pop(k, "row", page * 100, page * 100 + 100);
    }
    assert_true(hidden(k) - before <= (uint64_t)200 * (100 + STEPS_MAX)); /* each row once */
}

/* At a snapshot of before, what came later is as good as deleted. */
TEST_OPEN(readers_at_an_old_snapshot_walk_once)
{
    peat_snapshot *then = NULL;
    push(k, "job", 100000, 100001);
    push(k, "job", 0, 3000);
    pop(k, "job", 0, 3000);
    assert_ok(peat_snapshot_open(k->db, &then));
    push(k, "job", 0, 1500);
    push(k, "job", 5000, 8000);
    peat_iter_options o = {.size = sizeof o, .snapshot = then};
    look(k, &o, false, "job", 100000);
    uint64_t before = hidden(k);
    for (int i = 0; i < 100; i++)
        look(k, &o, false, "job", 100000);
    expect_few(hidden(k) - before, 100);
    look(k, NULL, false, "job", 0);
    peat_snapshot_close(then);
}

/* What is known to be empty now is not so for who reads an earlier state, and the other way. */
TEST_OPEN(each_reader_sees_its_own_state)
{
    peat_snapshot *full = NULL, *empty = NULL;
    peat_iter_options at_full = {.size = sizeof at_full}, at_empty = at_full;
    push(k, "job", 0, 500);
    assert_ok(peat_snapshot_open(k->db, &full));
    pop(k, "job", 0, 500);
    assert_ok(peat_snapshot_open(k->db, &empty));
    at_full.snapshot = full;
    at_empty.snapshot = empty;
    for (int round = 0; round < 3; round++) {
        look(k, NULL, round == 1, "job", -1);
        look(k, &at_full, round == 1, "job", round == 1 ? 499 : 0);
        look(k, &at_empty, round == 1, "job", -1);
    }
    push(k, "job", 250, 251);
    look(k, NULL, false, "job", 250);
    look(k, NULL, true, "job", 250);
    look(k, &at_full, false, "job", 0);
    look(k, &at_empty, false, "job", -1);
    peat_snapshot_close(full);
    peat_snapshot_close(empty);
}

/* Writers stop paying when nobody has looked for a while; what comes then is right all the same. */
TEST_OPEN(what_nobody_uses_is_forgotten)
{
    push(k, "job", 0, 1000);
    pop(k, "job", 0, 1000);
    for (int i = 0; i < 3; i++)
        look(k, NULL, false, "job", -1);
    push(k, "z", 0, 70000);
    uint64_t before = hidden(k);
    look(k, NULL, false, "z", 0);
    assert_true(hidden(k) - before >= 1000);
}
