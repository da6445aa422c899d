/* SPDX-License-Identifier: MIT */
/*
 * test_allocations.c - what a call asks of the environment once all is warm. Reads ask nothing: no
 * memory, no file, no system call. Writes ask for no memory until a memtable or a segment of the
 * log is full. Opening an iterator has a price, which doc/performance.md names; moving it has none,
 * wherever it goes.
 *
 * The library takes memory from its environment alone (lint), so the calls of the simulated one are
 * all there are.
 */
#include "world/kit.h"
#include "world/random.h"

enum { KEYS = 6000, MANY = 100, ROUNDS = 1500, ROWS = 64 };

/* Where the entries are. */
typedef enum place { IN_MEMTABLE, IN_ONE_RUN, IN_LAYERS, PLACES } place;
static const char *const place_names[PLACES] = {"in the memtable", "in one run", "in layers"};

typedef struct desk {
    kit *k;
    rng random;
    peat_iter *it;
    peat_batch *batch;
    peat_buf values[MANY];
    char text[MANY][32], value[128];
} desk;

static peat_slice some_key(desk *d, unsigned i)
{
    return peat_str(numbered((int)rng_below(&d->random, KEYS), d->text[i]));
}

static peat_slice absent_key(desk *d)
{
    (void)snprintf(d->text[0], sizeof d->text[0], "key-%06d.", (int)rng_below(&d->random, KEYS));
    return peat_str(d->text[0]);
}

static peat_slice value_of(desk *d)
{
    return peat_bytes(d->value, sizeof d->value);
}

/* ---- the calls ---- */

static void get(desk *d)
{
    assert_ok(peat_get(d->k->db, NULL, some_key(d, 0), &d->values[0]));
}

static void get_absent(desk *d)
{
    assert_int_equal(peat_get(d->k->db, NULL, absent_key(d), &d->values[0]), PEAT_NOT_FOUND);
}

static void exists(desk *d)
{
    assert_ok(peat_exists(d->k->db, NULL, some_key(d, 0)));
}

static void multi_get(desk *d)
{
    peat_slice keys[MANY];
    peat_rc rcs[MANY];
    for (unsigned i = 0; i < MANY; i++)
        keys[i] = some_key(d, i);
    assert_ok(peat_multi_get(d->k->db, NULL, MANY, keys, d->values, rcs));
    for (unsigned i = 0; i < MANY; i++)
        assert_ok(rcs[i]);
}

static void next(desk *d)
{
    if (peat_iter_next(d->it) == PEAT_END)
        assert_ok(peat_iter_first(d->it));
}

static void prev(desk *d)
{
    if (peat_iter_prev(d->it) == PEAT_END)
        assert_ok(peat_iter_last(d->it));
}

static void seek_and_next(desk *d)
{
    assert_ok(peat_iter_seek(d->it, some_key(d, 0)));
    for (unsigned i = 0; i < 10; i++)
        next(d);
}

static void seek_back(desk *d)
{
    assert_ok(peat_iter_seek_for_prev(d->it, some_key(d, 0)));
    prev(d);
}

static void seek_and_fill(desk *d)
{
    peat_row rows[ROWS];
    size_t n;
    assert_ok(peat_iter_seek(d->it, some_key(d, 0)));
    assert_ok(peat_iter_fill(d->it, rows, ROWS, &n));
}

static void put_some(desk *d)
{
    assert_ok(peat_put(d->k->db, NULL, some_key(d, 0), value_of(d)));
}

static void delete_absent(desk *d)
{
    assert_ok(peat_delete(d->k->db, NULL, absent_key(d)));
}

static void write_many(desk *d)
{
    peat_batch_clear(d->batch);
    for (unsigned i = 0; i < MANY; i++)
        assert_ok(peat_batch_put(d->batch, some_key(d, 0), value_of(d)));
    assert_ok(peat_write(d->k->db, NULL, d->batch));
}

/* ---- counting ---- */

/* The calls of these kinds in `rounds` rounds, after as many that are not counted. */
static uint64_t counted(desk *d, void (*call)(desk *d), unsigned rounds, uint32_t kinds)
{
    for (unsigned i = 0; i < rounds; i++)
        call(d);
    uint64_t before = sim_count(d->k->sim, kinds);
    for (unsigned i = 0; i < rounds; i++)
        call(d);
    return sim_count(d->k->sim, kinds) - before;
}

static const struct row {
    const char *name;
    void (*call)(desk *d);
    unsigned rounds;
    uint32_t kinds; /* of which there may be none */
} rows[] = {
    {"get", get, ROUNDS, SIM_ANY},
    {"get, absent", get_absent, ROUNDS, SIM_ANY},
    {"exists", exists, ROUNDS, SIM_ANY},
    {"multi-get", multi_get, ROUNDS / MANY, SIM_ANY},
    {"next", next, 2 * KEYS, SIM_ANY},
    {"prev", prev, 2 * KEYS, SIM_ANY},
    {"seek and ten steps", seek_and_next, ROUNDS, SIM_ANY},
    {"seek backward and a step", seek_back, ROUNDS, SIM_ANY},
    {"seek and fill", seek_and_fill, ROUNDS, SIM_ANY},
    {"put", put_some, ROUNDS, SIM_MEMORY},
    {"delete", delete_absent, ROUNDS, SIM_MEMORY},
    {"batch", write_many, ROUNDS / MANY, SIM_MEMORY},
};

static void fill(kit *k, place where)
{
    k->test.block_bytes = 1 << 10;
    k->test.table_bytes = k->test.partition_bytes = 64 << 10;
    k->test.memtable_bytes = k->test.segment_bytes = 16 << 20; /* neither is ever full */
    k->options.compression = PEAT_COMPRESSION_NONE;
    k->options.sync_interval_ms = 3600 * 1000;
    kit_reopen(k);
    put_many(k, KEYS, 100);
    if (where == IN_MEMTABLE)
        return;
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    assert_true(stats_of(k->db).partitions > 4);
    for (int i = 0; where == IN_LAYERS && i < KEYS; i += 7) {
        char text[32];
        assert_ok(peat_put(k->db, NULL, peat_str(numbered(i, text)), peat_str("newer")));
        if (i % 2000 < 7)
            assert_ok(peat_flush(k->db));
    }
}

static desk *desk_new(kit *k, place where)
{
    desk *d = calloc(1, sizeof *d);
    *d = (desk){.k = k, .random.state = 7};
    fill(k, where);
    assert_ok(peat_iter_open(k->db, NULL, &d->it));
    assert_ok(peat_batch_new(&d->batch));
    return d;
}

static void desk_free(desk *d)
{
    peat_iter_close(d->it);
    peat_batch_free(d->batch);
    for (unsigned i = 0; i < MANY; i++)
        peat_buf_free(&d->values[i]);
    free(d);
}

/* Every block and every value's room are there after one read of all. */
static void warm(desk *d)
{
    char text[32];
    for (int i = 0; i < KEYS; i++)
        assert_ok(peat_get(d->k->db, NULL, peat_str(numbered(i, text)), &d->values[0]));
    for (unsigned i = 0; i < 20; i++)
        multi_get(d);
}

static void nothing_is_asked_for(kit *k, place where)
{
    desk *d = desk_new(k, where);
    warm(d);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        uint64_t n = counted(d, r->call, r->rounds, r->kinds);
        if (n != 0)
            fail_msg("%s, %s: %" PRIu64 " calls of the environment in %u", r->name,
                     place_names[where], n, r->rounds);
    }
    desk_free(d);
}

TEST_LINE(TEST_OPEN, calls_ask_for_nothing_in_the_memtable, nothing_is_asked_for(k, IN_MEMTABLE))
TEST_LINE(TEST_OPEN, calls_ask_for_nothing_in_one_run, nothing_is_asked_for(k, IN_ONE_RUN))
TEST_LINE(TEST_OPEN, calls_ask_for_nothing_in_layers, nothing_is_asked_for(k, IN_LAYERS))

/* ---- the price of an iterator ---- */

static void open_seek_close(desk *d)
{
    peat_iter *it;
    assert_ok(peat_iter_open(d->k->db, NULL, &it));
    assert_ok(peat_iter_seek(it, some_key(d, 0)));
    peat_iter_close(it);
}

static void refresh_and_seek(desk *d)
{
    assert_ok(peat_iter_seek(d->it, some_key(d, 0)));
    assert_ok(peat_iter_refresh(d->it));
    assert_ok(peat_iter_seek(d->it, some_key(d, 0)));
}

/* Not the same for every key: at the edge of a partition a second one is opened. */
static void an_iterator_costs(kit *k, place where, uint64_t opened_most, uint64_t refreshed_most)
{
    desk *d = desk_new(k, where);
    warm(d);
    uint64_t opened = counted(d, open_seek_close, 100, SIM_MEMORY);
    uint64_t refreshed = counted(d, refresh_and_seek, 100, SIM_MEMORY);
    (void)printf("an iterator %s: %.2f allocations opened, %.2f refreshed\n", place_names[where],
                 (double)opened / 100, (double)refreshed / 100);
    assert_in_range(opened, 100, 100 * opened_most);
    assert_in_range(refreshed, 0, 100 * refreshed_most);
    desk_free(d);
}

TEST_LINE(TEST_OPEN, an_iterator_over_a_memtable_costs, an_iterator_costs(k, IN_MEMTABLE, 10, 9))
TEST_LINE(TEST_OPEN, an_iterator_over_a_run_costs, an_iterator_costs(k, IN_ONE_RUN, 12, 12))
TEST_LINE(TEST_OPEN, an_iterator_over_layers_costs, an_iterator_costs(k, IN_LAYERS, 18, 21))
