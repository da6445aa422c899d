/* SPDX-License-Identifier: MIT */
/*
 * test_fill_columns.c - fills that take a block's rows as they lie there: the same rows as by
 * steps, whatever is mixed, with keys and values of one size or of many, within bounds, and where
 * not all entries of a block are rows.
 */
#include "api/iter_kit.h"
#include "world/random.h"

enum { COUNT = 1500, ROWS = 64 };

typedef struct shape {
    bool long_keys, long_values; /* of several sizes */
    int lower, upper;            /* bounds: [lower, upper) */
} shape;

static const char *key_of(const shape *s, int i, char *buf)
{
    (void)snprintf(buf, 40, "key-%06d%.*s", i, s->long_keys ? i % 7 : 0, "abcdefg");
    return buf;
}

static peat_slice value_of(const shape *s, int i, int version, char *buf)
{
    memset(buf, '.', 128);
    int n = snprintf(buf, 128, "%d of %d", version, i);
    buf[n] = '.';
    return peat_bytes(buf, 60 + (size_t)(s->long_values ? i % 50 : 0));
}

static void put_all(kit *k, const shape *s, int version, int step)
{
    char key[40], value[128];
    for (int i = 0; i < COUNT; i += step)
        assert_ok(
            peat_put(k->db, NULL, peat_str(key_of(s, i, key)), value_of(s, i, version, value)));
}

static void expect_rows(const shape *s, const peat_row *rows, size_t n, int first, int step,
                        int newest)
{
    char key[40], value[128];
    for (size_t r = 0; r < n; r++) {
        int i = first + (int)r * step;
        expect_bytes(rows[r].key.data, rows[r].key.size, key_of(s, i, key));
        peat_slice v = value_of(s, i, i % 3 == 0 ? newest : 0, value);
        assert_int_equal(rows[r].value.size, v.size);
        assert_memory_equal(rows[r].value.data, v.data, v.size);
    }
}

static int place(const shape *s, peat_iter *it, rng *random)
{
    char key[40];
    int at = s->lower + (int)rng_below(random, (uint64_t)(s->upper - s->lower));
    assert_ok(peat_iter_seek(it, peat_str(key_of(s, at, key))));
    return at;
}

/* Fills, steps and seeks in any order. `newest`: of every third row, at the point it sees. */
static void wander(const shape *s, peat_iter *it, int newest, rng *random)
{
    peat_row rows[ROWS];
    int at = place(s, it, random), step = 1;
    bool returned = false;
    for (int turn = 0; turn < 600; turn++) {
        uint64_t move = rng_below(random, 12);
        size_t n = 0, want = 1 + rng_below(random, ROWS);
        step = rng_below(random, 6) == 0 ? -step : step;
        int next = move < 9 && !returned ? at : at + step;
        bool end = next < s->lower || next >= s->upper;
        peat_rc rc = move >= 9  ? step > 0 ? peat_iter_next(it) : peat_iter_prev(it)
                      : step > 0 ? peat_iter_fill(it, rows, want, &n)
                                : peat_iter_fill_back(it, rows, want, &n);
        assert_int_equal(rc, end ? PEAT_END : PEAT_OK);
        if (move < 9 && !end) {
            assert_true(n >= 1 && n <= want);
            expect_rows(s, rows, n, next, step, newest);
        } else if (!end) {
            rows[0] = (peat_row){peat_iter_key(it), peat_iter_value(it)};
            expect_rows(s, rows, 1, next, step, newest);
        }
        at = end ? place(s, it, random) : next + (n != 0 ? (int)n - 1 : 0) * step;
        returned = !end && move < 9;
        if (end)
            continue;
        rows[0] = (peat_row){peat_iter_key(it), peat_iter_value(it)};
        expect_rows(s, rows, 1, at, step, newest);
    }
}

static void walk_at(kit *k, const shape *s, const peat_snapshot *snapshot, int newest, rng *random)
{
    char lower[40], upper[40];
    peat_iter_options o = {.size = sizeof o, .snapshot = snapshot};
    o.lower = peat_str(key_of(s, s->lower, lower));
    o.upper = peat_str(key_of(s, s->upper, upper));
    peat_iter *it = open_iter(k, &o);
    wander(s, it, newest, random);
    peat_iter_close(it);
}

static void walk_shape(kit *k, const shape *s, rng *random)
{
    peat_snapshot *snapshot;
    put_all(k, s, 0, 1);
    put_all(k, s, 1, 3);
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    walk_at(k, s, NULL, 1, random);
    assert_ok(peat_snapshot_open(k->db, &snapshot));
    put_all(k, s, 2, 3);
    walk_at(k, s, NULL, 2, random); /* merged with what is in memory */
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    walk_at(k, s, NULL, 2, random);
    walk_at(k, s, snapshot, 1, random);
    peat_snapshot_close(snapshot);
}

static void walk_form(kit *k, int form)
{
    rng random = {23 + (uint64_t)form};
    shape s = {.long_keys = (form & 1) != 0, .long_values = (form & 2) != 0};
    s.lower = 111 * form;
    s.upper = COUNT - 77 * form;
    k->test.block_bytes = 1 << 10;
    kit_must_open(k);
    walk_shape(k, &s, &random);
}

TEST_NEW(fills_give_the_rows_that_steps_give)
{
    walk_form(k, 0);
}

TEST_NEW(so_do_those_of_keys_of_many_sizes)
{
    walk_form(k, 1);
}

TEST_NEW(so_do_those_of_values_of_many_sizes)
{
    walk_form(k, 2);
}

TEST_NEW(so_do_those_of_both)
{
    walk_form(k, 3);
}

/* A key's oldest version is the first of a block of nothing but puts, and newer ones end the block
 * before: on the way back it is not a row yet. Where blocks end is tried out. */
TEST_NEW(a_fill_back_asks_the_block_before_for_newer_versions)
{
    enum { BEFORE = 24, BEHIND = 30, VERSIONS = 3 };
    char key[40], value[128];
    const shape s = {.long_keys = false};
    peat_snapshot *held[VERSIONS];
    k->test.block_bytes = 1 << 10;
    kit_must_open(k);
    for (int before = 1; before <= BEFORE; before++) {
        for (int i = BEFORE - before; i < BEFORE + BEHIND; i++)
            assert_ok(
                peat_put(k->db, NULL, peat_str(key_of(&s, i, key)), value_of(&s, i, 0, value)));
        for (int v = 1; v < VERSIONS + 1; v++) {
            assert_ok(peat_snapshot_open(k->db, &held[v - 1]));
            assert_ok(peat_put(k->db, NULL, peat_str(key_of(&s, BEFORE, key)),
                               value_of(&s, BEFORE, v, value)));
        }
        assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
        peat_iter *it = open_iter(k, NULL);
        peat_row rows[ROWS];
        size_t n = 0;
        int i = BEFORE + BEHIND;
        peat_rc rc;
        while ((rc = peat_iter_fill_back(it, rows, ROWS, &n)) == PEAT_OK)
            for (size_t r = 0; r < n; r++) {
                i--;
                expect_bytes(rows[r].key.data, rows[r].key.size, key_of(&s, i, key));
                (void)value_of(&s, i, i == BEFORE ? VERSIONS : 0, value);
                assert_memory_equal(rows[r].value.data, value, 60);
            }
        assert_int_equal(rc, PEAT_END);
        assert_int_equal(i, BEFORE - before);
        peat_iter_close(it);
        for (int v = 0; v < VERSIONS; v++)
            peat_snapshot_close(held[v]);
    }
}
