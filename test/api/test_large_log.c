/* SPDX-License-Identifier: MIT */
/*
 * test_large_log.c - a store that was killed with much in its log, opened again with less memory
 * than that: a writer takes all of it within its budget, a reader is told what it would need.
 *
 * ctest: timeout=120 label=single
 */
#include "world/kit.h"

#define MIB ((size_t)1 << 20)
/* Beside the budget, and the quarter for sections that the cache has mapped as well: a window of
 * the log, and what the smallest table needs to be written. */
#define CONSTANT_BYTES (2 * MIB)

/* Opened with memtables of `memtable` bytes, `n` entries, killed. Nothing is flushed. */
static void leave_log(kit *k, size_t memtable, int n, size_t filler)
{
    k->test.memtable_bytes = memtable;
    kit_must_open(k);
    put_many(k, n, filler);
    assert_int_equal(stats_of(k->db).flushes, 0);
    kit_kill(k);
    k->test.memtable_bytes = 0;
}

static void expect_all(kit *k, int n, size_t filler)
{
    char head[32];
    assert_int_equal(count_all(k->db), n);
    for (int i = 0; i < n; i += 17) {
        int size = snprintf(head, sizeof head, "%d ", i);
        assert_ok(peat_get(k->db, NULL, nth_key(i), &k->buf));
        assert_int_equal(k->buf.size, (size_t)size + filler);
        assert_memory_equal(k->buf.data, head, (size_t)size);
    }
}

TEST_NEW(a_log_larger_than_the_budget_is_recovered_within_it)
{
    static const size_t budgets[] = {1 * MIB, 2 * MIB, 4 * MIB, 8 * MIB};
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
        leave_log(k, 16 * MIB, 24000, 400); /* 10 MB */
        k->options.memory_bytes = budgets[i];
        sim_peak_reset(k->sim);
        kit_must_open(k);
        uint64_t peak = sim_get_held(k->sim).bytes_peak;
        if (peak > budgets[i] / 4 * 5 + KIT_LENT(budgets[i]) + CONSTANT_BYTES)
            fail_msg("%zu bytes allowed, %" PRIu64 " held", budgets[i], peak);
        assert_true(stats_of(k->db).flushes > 0);
        assert_int_equal(stats_of(k->db).recovered_records, 24000);
        assert_true(stats_of(k->db).immutable_memtables == 0);
        expect_all(k, 24000, 400);
        kit_close(k);
        k->options.memory_bytes = 0;
        assert_ok(peat_open("store", &k->options, &k->db, NULL));
        expect_all(k, 24000, 400);
        kit_close(k);
        peat_buf_free(&k->buf);
        sim_free(k->sim);
        k->sim = sim_new(sim_seed(5));
        k->host.env = sim_peat(k->sim);
    }
}

/* Three full memtables, as a writer of the same sizes leaves them: in one pass, nothing is written
 * but the catalog. */
TEST_NEW(a_log_of_the_same_budget_is_recovered_without_a_flush)
{
    k->options.memory_bytes = 4 * MIB;
    leave_log(k, 2 * MIB, 1800, 400);
    uint64_t reads = sim_count(k->sim, SIM_BIT(SIM_FILE_READ));
    kit_must_open(k);
    assert_int_equal(stats_of(k->db).flushes, 0);
    reads = sim_count(k->sim, SIM_BIT(SIM_FILE_READ)) - reads;
    assert_true(reads < 40);
    expect_all(k, 1800, 400);
}

TEST_NEW(a_reader_is_told_what_it_needs_and_that_suffices)
{
    leave_log(k, 16 * MIB, 12000, 400);
    k->options.read_only = true;
    k->options.memory_bytes = 4 * MIB;
    uint64_t image = sim_image_hash(k->sim), changes = sim_count(k->sim, SIM_CHANGES);
    assert_int_equal(kit_open(k), PEAT_BUDGET);
    assert_int_equal(k->error.rc, PEAT_BUDGET);
    const char *least = strstr(k->error.message, "at least ");
    assert_non_null(least);
    unsigned long mib = strtoul(least + 9, NULL, 10);
    assert_true(mib > 4 && mib < 32);
    k->options.memory_bytes = (mib - 1) * MIB;
    assert_int_equal(kit_open(k), PEAT_BUDGET);
    k->options.memory_bytes = mib * MIB;
    kit_must_open(k);
    expect_all(k, 12000, 400);
    kit_close(k);
    assert_int_equal(sim_count(k->sim, SIM_CHANGES), changes);
    assert_int_equal(sim_image_hash(k->sim), image);

    /* or the other thing that the text says */
    k->options.read_only = false;
    k->options.memory_bytes = 4 * MIB;
    kit_must_open(k);
    kit_close(k);
    k->options.read_only = true;
    kit_must_open(k);
    expect_all(k, 12000, 400);
}

/* Whatever is wrong with the log is said first: more memory would not help. */
TEST_NEW(a_large_log_is_judged_before_its_size)
{
    k->test.segment_bytes = 256 << 10;
    k->test.memtable_bytes = 16 * MIB;
    kit_must_open(k);
    put_many(k, 12000, 400);
    assert_ok(peat_put(k->db, &synced, peat_str("z"), peat_str("z")));
    kit_kill(k);
    assert_true(sim_file_flip(k->sim, "store", "w-000009", 5000, 4));
    uint64_t image = sim_image_hash(k->sim);
    k->test.memtable_bytes = 0;
    k->options.memory_bytes = 1 * MIB;
    assert_int_equal(kit_open(k), PEAT_CORRUPT);
    assert_non_null(strstr(k->error.message, "w-000009"));
    assert_int_equal(sim_image_hash(k->sim), image);
    k->options.read_only = true;
    assert_int_equal(kit_open(k), PEAT_CORRUPT);
}

static void put_batch(kit *k, char first, size_t entries, size_t value_size)
{
    peat_batch *batch = NULL;
    char key[32];
    void *room;
    assert_ok(peat_batch_new(&batch));
    for (size_t i = 0; i < entries; i++) {
        (void)snprintf(key, sizeof key, "%c%06zu", first, i);
        assert_ok(peat_batch_put_reserve(batch, peat_str(key), value_size, &room));
        memset(room, first, value_size);
    }
    assert_ok(peat_write(k->db, NULL, batch));
    peat_batch_free(batch);
}

/* Each of them is many memtables of the store that recovers it. */
TEST_NEW(batches_larger_than_all_memtables_pass_through)
{
    k->test.memtable_bytes = 128 * MIB;
    kit_must_open(k);
    put_batch(k, 'a', 3, 1 * MIB);
    put_batch(k, 'b', 20000, 100);
    put(k, "m", "between");
    put_batch(k, 'c', 1, 5 * MIB);
    put_batch(k, 'd', 2, 400 << 10);
    assert_int_equal(stats_of(k->db).flushes, 0);
    kit_kill(k);
    k->test.memtable_bytes = 64 << 10;
    k->options.memory_bytes = 1 * MIB;
    kit_must_open(k);
    assert_true(stats_of(k->db).flushes >= 3);
    assert_int_equal(count_all(k->db), 3 + 20000 + 1 + 1 + 2);
    expect_get(k, "m", "between");
    kit_reopen(k);
    assert_int_equal(count_all(k->db), 3 + 20000 + 1 + 1 + 2);
    assert_ok(peat_get(k->db, NULL, peat_str("c000000"), &k->buf));
    assert_int_equal(k->buf.size, 5 * MIB);
}

TEST_NEW(a_store_without_a_log_takes_the_one_that_is_there)
{
    leave_log(k, 16 * MIB, 6000, 400);
    k->options.no_log = true;
    k->options.memory_bytes = 1 * MIB;
    kit_must_open(k);
    assert_true(stats_of(k->db).flushes > 0);
    expect_all(k, 6000, 400);
    put(k, "more", "of it");
    assert_ok(peat_flush(k->db));
    kit_kill(k);
    k->options.no_log = false;
    kit_must_open(k);
    assert_int_equal(count_all(k->db), 6001);
    expect_get(k, "more", "of it");
}

/* What was taken out of the log is no longer in it: another kill leaves no more than one memtable
 * to be taken again. */
TEST_NEW(what_was_taken_is_not_taken_again)
{
    k->test.segment_bytes = 1 * MIB;
    leave_log(k, 16 * MIB, 12000, 400);
    k->options.memory_bytes = 1 * MIB;
    kit_must_open(k);
    kit_kill(k);
    kit_must_open(k);
    assert_true(stats_of(k->db).recovered_records < 400);
    assert_int_equal(stats_of(k->db).flushes, 0);
    expect_all(k, 12000, 400);
}
