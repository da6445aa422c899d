/* SPDX-License-Identifier: MIT */
/*
 * test_space.c - the directory stays within space_target times what is live and a constant,
 * whatever is overwritten and deleted, and what is left alone settles. Small sizes, a simulated
 * disk and clock, no threads: the work is done by the writes themselves, or by peat_work as well,
 * which a program with an event loop calls now and then. make proof-space has the same in full
 * size.
 *
 * Not under sanitizers, where it would take half an hour: other tests go the same ways.
 * ctest: timeout=240 label=slow
 */
#include "api/handle.h"
#include "world/kit.h"
#include "world/random.h"

#include <sched.h>
#include <semaphore.h>

#define MEMTABLE_BYTES  ((uint64_t)64 << 10)
#define PARTITION_BYTES ((uint64_t)256 << 10)
/* Three memtables, their log twice, and one unit of work that has not replaced anything yet. */
#define CONSTANT_BYTES (9 * MEMTABLE_BYTES + PARTITION_BYTES)
#define TABLES_BYTES   (3 * MEMTABLE_BYTES + PARTITION_BYTES)
#define KEY_BYTES      16u
#define KEYS_MAX       60000u
#define MS             ((uint64_t)1000000)

/* What is there in truth. */
typedef struct truth {
    kit *k;
    uint32_t sizes[KEYS_MAX]; /* of the values; 0: not there */
    uint64_t live, held, put, extra_bytes;
    bool holding;   /* somebody still sees what is freed */
    bool scattered; /* keys are not in the order of their numbers */
    bool halved;    /* half of a value compresses */
    bool works;     /* peat_work is called, too */
    uint64_t steps;
    rng random;
    double worst;
    char where[96]; /* that was */
} truth;

static int new_store(void **state)
{
    (void)kit_new(state);
    kit *k = *state;
    k->options.memory_bytes = PEAT_MEMORY_BYTES_MIN;
    k->test.memtable_bytes = MEMTABLE_BYTES;
    k->test.block_bytes = 4096;
    k->test.partition_bytes = PARTITION_BYTES;
    k->test.table_bytes = PARTITION_BYTES / 2;
    k->test.segment_bytes = MEMTABLE_BYTES / 2;
    return kit_open(k) == PEAT_OK ? 0 : -1;
}

#define TEST_SPACE(name) TEST_WITH(name, kit *k, new_store, kit_end)

static truth *begin(kit *k)
{
    truth *t = calloc(1, sizeof *t);
    t->k = k;
    return t;
}

static void end(truth *t, const char *load)
{
    (void)printf("space %s: %.2f of the bound\n", load, t->worst);
    double worst = t->worst;
    char where[96];
    memcpy(where, t->where, sizeof where);
    free(t);
    if (worst > 1.0)
        fail_msg("%s: %.2f of what is allowed: %s", load, worst, where);
}

/* ---- the bound ---- */

static void look(truth *t)
{
    uint64_t disk = sim_disk_bytes(t->k->sim), live = t->live + t->held;
    double allowed = 1.2 * (double)live + (double)(CONSTANT_BYTES + t->extra_bytes);
    double ratio = (double)disk / allowed;
    if (ratio <= t->worst)
        return;
    t->worst = ratio;
    (void)snprintf(t->where, sizeof t->where,
                   "%" PRIu64 " bytes on disk, %" PRIu64 " live, after %" PRIu64 " steps", disk,
                   live, t->steps);
}

/* Time goes on; now and then somebody looks. */
static void step(truth *t, uint64_t ms)
{
    sim_clock_advance(t->k->sim, ms * MS);
    if (t->steps++ % 64 != 0)
        return;
    look(t);
    if (t->works) {
        assert_ok(peat_work(t->k->db, 8, NULL));
        look(t);
    }
}

/* Nobody writes; what is to be done is done. */
static void leave_alone(truth *t)
{
    size_t did = 0;
    for (int second = 0; second < 600; second++) {
        sim_clock_advance(t->k->sim, 1000 * MS);
        for (unsigned n = 0; n < 10000; n++) {
            assert_ok(peat_work(t->k->db, 1, &did));
            if (did == 0)
                break;
        }
        assert_int_equal(did, 0);
    }
}

/* The estimate: within a factor of two of the truth, but for what is on its way. */
static void check_obsolete(truth *t)
{
    assert_ok(peat_flush(t->k->db));
    peat_statistics s = stats_of(t->k->db);
    uint64_t tables = s.bottom_bytes + s.mid_bytes + s.fresh_bytes, live = t->live + t->held;
    uint64_t obsolete = tables > live ? tables - live : 0;
    if (s.obsolete_bytes > 2 * obsolete + TABLES_BYTES ||
        2 * (s.obsolete_bytes + TABLES_BYTES) < obsolete)
        fail_msg("%" PRIu64 " obsolete bytes are said to be %" PRIu64, obsolete, s.obsolete_bytes);
}

/* ---- writing ---- */

static peat_slice key_of(const truth *t, uint64_t i, char key[32])
{
    return peat_bytes(key,
                      (size_t)snprintf(key, 32, "%016" PRIx64, t->scattered ? rng_hash(i + 1) : i));
}

static void account(truth *t, uint64_t i, uint32_t after)
{
    assert_true(i < KEYS_MAX);
    if (t->sizes[i] != 0) {
        t->live -= t->sizes[i] + KEY_BYTES;
        t->held += t->holding ? t->sizes[i] + KEY_BYTES : 0;
    }
    if (after != 0)
        t->live += after + KEY_BYTES;
    t->sizes[i] = after;
    t->put += after + KEY_BYTES;
}

static void put_value(truth *t, uint64_t i, uint32_t size)
{
    static uint8_t value[1 << 20];
    char key[32];
    assert_true(size <= sizeof value);
    for (uint32_t at = 0; at + 8 <= size; at += 8) {
        uint64_t x = rng_hash(t->put + i * 65537 + (t->halved ? at % (size / 2) : at));
        memcpy(value + at, &x, 8);
    }
    assert_ok(peat_put(t->k->db, NULL, key_of(t, i, key), peat_bytes(value, size)));
    account(t, i, size);
}

static void delete_key(truth *t, uint64_t i)
{
    char key[32];
    assert_ok(peat_delete(t->k->db, NULL, key_of(t, i, key)));
    account(t, i, 0);
}

static void fill(truth *t, uint64_t count, uint32_t size)
{
    for (uint64_t i = 0; i < count; i++)
        put_value(t, i, size);
    assert_ok(peat_settle(t->k->db, PEAT_WAIT_FOREVER));
}

/* ---- loads that go on ---- */

typedef void (*load_fn)(truth *t);

static void run_load(kit *k, const char *name, load_fn load, bool works)
{
    truth *t = begin(k);
    t->works = works;
    load(t);
    check_obsolete(t);
    end(t, name);
}

/* Twice: with writes alone, and in another store with peat_work. */
static void run_steady(kit *k, const char *name, load_fn load)
{
    void *another = NULL;
    assert_int_equal(new_store(&another), 0);
    run_load(k, name, load, false);
    run_load(another, name, load, true);
    assert_int_equal(kit_end(&another), 0);
}

static void retain(truth *t)
{
    for (uint64_t i = 0; i < 8000; i++) {
        put_value(t, i, 1000);
        if (i >= 1000)
            delete_key(t, i - 1000);
        step(t, 1);
        if (i % 2000 == 1999)
            check_obsolete(t);
    }
}

TEST_SPACE(retention_by_time_keeps_within_the_bound)
{
    run_steady(k, "retention", retain);
}

static void pass_through_queues(truth *t)
{
    for (uint64_t i = 0; i < 10000; i++)
        for (uint64_t topic = 0; topic < 4; topic++) {
            put_value(t, topic * 10000 + i, 200);
            if (i >= 500)
                delete_key(t, topic * 10000 + i - 500);
            step(t, 1);
        }
}

TEST_SPACE(queues_keep_within_the_bound)
{
    run_steady(k, "queues", pass_through_queues);
}

static void cache_and_evict(truth *t)
{
    enum { OBJECTS = 2000 };
    static uint64_t held[OBJECTS];
    t->scattered = true;
    for (uint64_t i = 0; i < 12000; i++) {
        uint64_t slot = i < OBJECTS ? i : rng_below(&t->random, OBJECTS);
        if (i >= OBJECTS)
            delete_key(t, held[slot]);
        held[slot] = i;
        put_value(t, i, 200 + (uint32_t)rng_below(&t->random, 1800));
        step(t, 1);
    }
}

TEST_SPACE(a_cache_with_eviction_keeps_within_the_bound)
{
    run_steady(k, "cache", cache_and_evict);
}

static void overwrite_large_values(truth *t)
{
    t->extra_bytes = 4 * 100000; /* the log and a table hold whole values */
    for (uint64_t i = 0; i < 10 * 40; i++) {
        put_value(t, i % 10, 100000);
        step(t, 20);
    }
}

TEST_SPACE(a_few_large_values_overwritten_keep_within_the_bound)
{
    run_steady(k, "large values", overwrite_large_values);
}

static void overwrite_anything(truth *t)
{
    t->scattered = true;
    fill(t, 4000, 400);
    for (uint64_t i = 0; i < 40000; i++) {
        put_value(t, rng_below(&t->random, 4000), 400);
        step(t, 1);
    }
}

TEST_SPACE(uniform_overwriting_keeps_within_the_bound)
{
    run_steady(k, "uniform", overwrite_anything);
}

/* Small values and large ones, of which each overwrites another's kind. */
static void overwrite_by_other_sizes(truth *t)
{
    for (uint64_t i = 0; i < 30000; i++) {
        uint64_t key = rng_below(&t->random, 3000);
        put_value(t, key, t->sizes[key] > 500 ? 20 : 1000);
        step(t, 1);
    }
}

TEST_SPACE(values_of_changing_size_keep_within_the_bound)
{
    run_steady(k, "changing sizes", overwrite_by_other_sizes);
}

static void delete_ranges_while_writing(truth *t)
{
    enum { ROWS = 100, RANGES = 400 };
    for (uint64_t r = 0; r < RANGES; r++)
        for (uint64_t i = 0; i < ROWS; i++) {
            put_value(t, r * 79 % RANGES * ROWS + i, 400);
            if (r >= 40)
                delete_key(t, (r - 40) * 79 % RANGES * ROWS + i);
            step(t, 1);
        }
}

TEST_SPACE(ranges_deleted_row_by_row_keep_within_the_bound)
{
    run_steady(k, "ranges", delete_ranges_while_writing);
}

/* ---- much is freed at once ---- */

/* The bound holds again, from here on. */
static void begin_judging(truth *t)
{
    t->worst = 0;
    look(t);
}

TEST_SPACE(deleted_space_returns_while_little_is_written)
{
    truth *t = begin(k);
    fill(t, 6000, 1000);
    for (uint64_t i = 0; i < 6000; i++)
        if (i % 1000 != 0)
            delete_key(t, i);
    for (int i = 0; i < 200; i++) {
        if (i == 100)
            begin_judging(t);
        put(t->k, "heartbeat", "tiny");
        sim_clock_advance(t->k->sim, 400 * MS);
        assert_ok(peat_work(t->k->db, 8, NULL));
        look(t);
    }
    end(t, "trickle");
}

/* The writes alone do it, too. */
TEST_SPACE(deleted_space_returns_by_writing_a_little)
{
    truth *t = begin(k);
    fill(t, 6000, 1000);
    for (uint64_t i = 0; i < 6000; i++)
        if (i % 1000 != 0)
            delete_key(t, i);
    for (int i = 0; i < 1000; i++) {
        put(t->k, "heartbeat", "tiny");
        sim_clock_advance(t->k->sim, 400 * MS);
    }
    begin_judging(t);
    end(t, "trickle without peat_work");
}

TEST_SPACE(small_values_over_large_ones_free_their_space)
{
    truth *t = begin(k);
    fill(t, 6000, 3000);
    for (uint64_t i = 0; i < 6000; i++)
        put_value(t, i, 100);
    check_obsolete(t);
    leave_alone(t);
    begin_judging(t);
    end(t, "small over large");
}

TEST_SPACE(few_deletes_free_their_space_in_a_quiet_store)
{
    truth *t = begin(k);
    fill(t, 20, 1000000);
    for (uint64_t i = 0; i < 20; i++)
        delete_key(t, i);
    leave_alone(t);
    begin_judging(t);
    assert_ok(peat_settle(t->k->db, 0));
    kit_close(t->k);
    look(t);
    kit_must_open(t->k);
    leave_alone(t);
    look(t);
    assert_ok(peat_settle(t->k->db, 0));
    end(t, "quiet deletes");
}

/* As a shell does it: each delete opens the store and closes it. */
TEST_SPACE(deletes_of_one_open_each_free_their_space)
{
    truth *t = begin(k);
    fill(t, 20, 1000000);
    for (uint64_t i = 0; i < 20; i++) {
        delete_key(t, i);
        kit_reopen(t->k);
    }
    kit_close(t->k);
    begin_judging(t);
    kit_must_open(t->k);
    end(t, "deletes of one open each");
}

TEST_SPACE(few_small_values_over_large_ones_free_their_space_in_a_quiet_store)
{
    truth *t = begin(k);
    fill(t, 20, 1000000);
    for (uint64_t i = 0; i < 20; i++)
        put_value(t, i, 10);
    leave_alone(t);
    begin_judging(t);
    assert_ok(peat_settle(t->k->db, 0));
    end(t, "quiet overwriting");
}

/* ---- what kept old versions is closed ---- */

static void expect_returned(truth *t, const char *load)
{
    t->holding = false;
    t->held = 0;
    leave_alone(t);
    begin_judging(t);
    end(t, load);
}

TEST_SPACE(a_closed_snapshot_gives_space_back_without_a_commit)
{
    truth *t = begin(k);
    peat_snapshot *snapshot = NULL;
    fill(t, 6000, 1000);
    assert_ok(peat_snapshot_open(t->k->db, &snapshot));
    t->holding = true;
    for (uint64_t i = 0; i < 6000; i++)
        delete_key(t, i);
    leave_alone(t);
    look(t);
    peat_snapshot_close(snapshot);
    expect_returned(t, "snapshot");
}

TEST_SPACE(a_closed_iterator_gives_space_back_without_a_commit)
{
    truth *t = begin(k);
    peat_iter *it = NULL;
    fill(t, 6000, 1000);
    assert_ok(peat_iter_open(t->k->db, NULL, &it));
    for (int i = 0; i < 3000; i++)
        assert_ok(peat_iter_next(it));
    t->holding = true;
    for (uint64_t i = 0; i < 6000; i++)
        put_value(t, i, 1000);
    leave_alone(t);
    look(t);
    peat_iter_close(it);
    expect_returned(t, "iterator");
}

TEST_SPACE(an_unpinned_value_gives_space_back_without_a_commit)
{
    truth *t = begin(k);
    char key[32];
    peat_pinned pinned = PEAT_PINNED_INIT;
    fill(t, 6000, 1000);
    assert_ok(peat_get_pinned(t->k->db, NULL, key_of(t, 3000, key), &pinned));
    for (uint64_t i = 0; i < 6000; i++)
        delete_key(t, i);
    leave_alone(t);
    begin_judging(t); /* a pin holds a block, not the versions of other keys */
    peat_unpin(&pinned);
    expect_returned(t, "pin");
}

/* ---- with a thread ---- */

static void on_event(void *ctx, const peat_event *event)
{
    (void)event;
    (void)sem_post((sem_t *)ctx);
}

/* From event to event, for as long as it takes: nothing is written meanwhile, so a store that does
 * not begin by itself has this test wait for ever. */
static void wait_for_bound(truth *t, sem_t *events)
{
    for (begin_judging(t); t->worst > 1.0; begin_judging(t))
        while (sem_wait(events) != 0)
            ;
}

static void reopen_with_thread(kit *k, sem_t *events)
{
    assert_int_equal(sem_init(events, 0, 0), 0);
    kit_close(k);
    k->options.threads = 1;
    k->host.event_fn = on_event;
    k->host.event_ctx = events;
    kit_must_open(k);
}

static void close_with_thread(kit *k, sem_t *events)
{
    kit_close(k);
    k->host.event_fn = NULL;
    (void)sem_destroy(events);
}

/* Its thread has nothing to do and waits, without a limit, for somebody to wake it. */
static void wait_for_rest(kit *k)
{
    while (atomic_load(&k->db->store->sleepers) == 0)
        (void)sched_yield();
}

TEST_SPACE(closing_an_iterator_wakes_the_background)
{
    truth *t = begin(k);
    sem_t events;
    peat_iter *it = NULL;
    reopen_with_thread(k, &events);
    fill(t, 6000, 1000);
    assert_ok(peat_iter_open(k->db, NULL, &it));
    assert_ok(peat_iter_next(it));
    for (uint64_t i = 0; i < 6000; i++)
        delete_key(t, i);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    wait_for_rest(k);
    peat_iter_close(it);
    wait_for_bound(t, &events);
    close_with_thread(k, &events);
    end(t, "an iterator closed");
}

/* Deletes alone: nobody holds anything, and nobody asks it to settle. */
TEST_SPACE(deletes_in_memory_wake_the_background)
{
    truth *t = begin(k);
    sem_t events;
    fill(t, 20, 1000000);
    reopen_with_thread(k, &events);
    wait_for_rest(k);
    for (uint64_t i = 0; i < 20; i++)
        delete_key(t, i);
    wait_for_bound(t, &events);
    close_with_thread(k, &events);
    end(t, "deletes in memory");
}

/* ---- how much is written ---- */

static uint64_t bytes_written(kit *k)
{
    peat_statistics s = stats_of(k->db);
    return s.log_bytes_written + s.zero_fill_bytes_written + s.flush_bytes_written +
           s.merge_bytes_written + s.manifest_bytes_written;
}

/* 8 MiB are to a trickle of an hour here what 10 GB are to one in the field: 8 bytes for each that
 * is written, and what a log and the manifest need besides. */
TEST_SPACE(an_hour_of_a_trickle_rewrites_little)
{
    truth *t = begin(k);
    t->scattered = true;
    fill(t, 8000, 1000);
    uint64_t before = bytes_written(t->k), put = t->put;
    for (int second = 0; second < 3600; second++) {
        put_value(t, rng_below(&t->random, 8000), 84);
        sim_clock_advance(t->k->sim, 1000 * MS);
        assert_ok(peat_work(t->k->db, 8, NULL));
    }
    uint64_t written = bytes_written(t->k) - before, freed = 3600 * 1016;
    (void)printf("space idle: %" PRIu64 " KiB written\n", written / 1024);
    if (written > 8 * (t->put - put + freed) + CONSTANT_BYTES)
        fail_msg("%" PRIu64 " bytes written for %" PRIu64, written, t->put - put);
    leave_alone(t);
    assert_ok(peat_settle(t->k->db, 0));
    before = sim_count(t->k->sim, SIM_CHANGES);
    leave_alone(t);
    assert_int_equal(sim_count(t->k->sim, SIM_CHANGES), before);
    begin_judging(t);
    end(t, "after a trickle");
}

static void expect_amplification(uint64_t written, uint64_t put, double most, const char *what)
{
    double x = (double)written / (double)put;
    (void)printf("space amplification: %s %.2f\n", what, x);
    if (x > most)
        fail_msg("%s: %.2f bytes written for each", what, x);
}

/* In the proportions of a quarter of a gigabyte under the default memory. */
#define FILL_KEYS  10000u
#define FILL_BYTES 400u

static truth *begin_fill(kit *k)
{
    truth *t = begin(k);
    kit_close(k);
    k->options.memory_bytes = 4 << 20;
    k->test.memtable_bytes = 4 * MEMTABLE_BYTES;
    k->test.segment_bytes = MEMTABLE_BYTES;
    kit_must_open(k);
    t->scattered = t->halved = true;
    fill(t, FILL_KEYS, FILL_BYTES);
    return t;
}

TEST_SPACE(a_fill_and_an_overwrite_write_each_byte_four_times_at_most)
{
    truth *t = begin_fill(k);
    for (uint64_t i = 0; i < FILL_KEYS; i++)
        put_value(t, i * 7919 % FILL_KEYS, FILL_BYTES);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    expect_amplification(bytes_written(k), t->put, 4.0, "fill and one overwrite");
    free(t);
}

TEST_SPACE(endless_overwriting_writes_each_byte_eight_times_at_most)
{
    truth *t = begin_fill(k);
    uint64_t before = bytes_written(k), put_before = t->put;
    for (uint64_t i = 0; i < 6 * (uint64_t)FILL_KEYS; i++)
        put_value(t, rng_below(&t->random, FILL_KEYS), FILL_BYTES);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    expect_amplification(bytes_written(k) - before, t->put - put_before, 8.0,
                         "endless overwriting");
    free(t);
}
