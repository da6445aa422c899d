/* SPDX-License-Identifier: MIT */
/*
 * faults_workloads.c - what is done while calls fail. Each is as short as what it is to reach
 * allows: its calls are failed one by one.
 */
#include "faults/faults.h"

#define SIZES(the_threads, without)                                                                \
    {                                                                                              \
        .field = {                                                                                 \
            [MODEL_OPTION_threads] = (the_threads),                                                \
            [MODEL_OPTION_memory] = 1 << 20,                                                       \
            [MODEL_OPTION_memtable] = 65536,                                                       \
            [MODEL_OPTION_block] = 4096,                                                           \
            [MODEL_OPTION_partition] = 16384,                                                      \
            [MODEL_OPTION_table] = 8192,                                                           \
            [MODEL_OPTION_segment] = 8192,                                                         \
            [MODEL_OPTION_no_log] = (without),                                                     \
            [MODEL_OPTION_compression] = PEAT_COMPRESSION_LZ4                                      \
        }                                                                                          \
    }

/* One thread, which syncs what has waited for a millisecond. The memtable is too large to be
 * flushed for idleness: on a busy machine half a second passes anywhere. */
#define INTERVAL                                                                                   \
    {                                                                                              \
        .field = {                                                                                 \
            [MODEL_OPTION_threads] = 1,                                                            \
            [MODEL_OPTION_interval] = 1,                                                           \
            [MODEL_OPTION_memory] = 1 << 26,                                                       \
            [MODEL_OPTION_memtable] = 1 << 22,                                                     \
            [MODEL_OPTION_segment] = 8192,                                                         \
        }                                                                                          \
    }

static unsigned some_key(faults_world *w)
{
    return (unsigned)rng_below(&w->random, FAULTS_KEYS);
}

static void put_some(faults_world *w, unsigned count, uint32_t size)
{
    for (unsigned i = 0; i < count; i++) {
        uint32_t n = size / 2 + (uint32_t)rng_below(&w->random, size);
        bool sync = i % 8 == 7;
        if (i % 6 == 5)
            faults_delete(w, some_key(w), sync);
        else
            faults_put(w, some_key(w), n, sync);
    }
}

static void some_rounds(faults_world *w, unsigned rounds, unsigned puts, uint32_t size)
{
    for (unsigned i = 0; i < rounds; i++) {
        put_some(w, puts, size);
        faults_flush(w);
    }
}

static void reopen_and_read(faults_world *w)
{
    faults_close(w);
    faults_open(w);
    faults_read(w);
}

static void begin(faults_world *w)
{
    faults_open(w);
    faults_put(w, 3, 100, true);
    reopen_and_read(w);
    faults_close(w);
}

/* Several segments, and their replay. */
static void log_and_replay(faults_world *w)
{
    faults_open(w);
    put_some(w, 40, 800);
    faults_sync(w);
    faults_read(w);
    faults_close(w);
    faults_open(w);
    put_some(w, 10, 500);
    faults_read(w);
}

static void flushes(faults_world *w)
{
    faults_open(w);
    some_rounds(w, 3, 12, 600);
    faults_read(w);
    faults_close(w);
    faults_open(w);
    some_rounds(w, 1, 8, 300);
    faults_read(w);
}

static void fill_tables(faults_world *w)
{
    faults_open(w);
    some_rounds(w, 5, 30, 1200);
    faults_close(w);
}

/* Overwrites and deletes that merges take away, with partitions divided on the way. */
static void merges(faults_world *w)
{
    faults_open(w);
    put_some(w, 20, 1500);
    faults_work(w, 3);
    faults_compact(w);
    faults_read(w);
    some_rounds(w, 2, 10, 500);
    faults_settle(w);
    faults_read(w);
    faults_check(w);
}

static void batches(faults_world *w)
{
    faults_open(w);
    for (unsigned i = 0; i < 6; i++) {
        faults_batch(w, some_key(w), 3 + i * 3, 300 + i * 200, i % 3 == 0);
        faults_put(w, some_key(w), 90, false);
    }
    faults_read(w);
    reopen_and_read(w);
}

/* Above a quarter of the memtable: a batch becomes a run of its own, or spans segments. */
static void large_batches(faults_world *w)
{
    faults_open(w);
    put_some(w, 4, 200);
    faults_batch(w, 5, 20, 3000, false);
    faults_put(w, some_key(w), 100, false);
    faults_batch(w, 20, 25, 6000, true);
    faults_put(w, some_key(w), 100, true);
    faults_read(w);
    reopen_and_read(w);
}

/* Entries larger than a block, than a segment, than a memtable. */
static void large_values(faults_world *w)
{
    static const uint32_t sizes[] = {5000, 20000, 70000, 150000, 9000};
    faults_open(w);
    for (unsigned i = 0; i < 5; i++)
        faults_put(w, 2 * i, sizes[i], i == 2);
    faults_flush(w);
    faults_put(w, 4, 30000, false);
    faults_read(w);
    faults_compact(w);
    faults_read(w);
}

/* Old versions are kept for a snapshot while everything under it is replaced. */
static void snapshots(faults_world *w)
{
    faults_open(w);
    put_some(w, 10, 400);
    faults_snapshot(w);
    some_rounds(w, 2, 10, 400);
    faults_read(w);
    faults_compact(w);
    faults_read(w);
    faults_snapshot(w);
    faults_settle(w);
    faults_read(w);
}

static void reads_and_checks(faults_world *w)
{
    faults_open_read_only(w);
    faults_read(w);
    faults_check(w);
    reopen_and_read(w);
    faults_stats(w);
    faults_check(w);
}

static void reopens(faults_world *w)
{
    for (unsigned i = 0; i < 5; i++) {
        faults_open(w);
        put_some(w, 5, 300);
        if (i % 2 == 0)
            faults_close(w);
    }
}

static void leave_a_log(faults_world *w)
{
    faults_open(w);
    some_rounds(w, 2, 20, 700);
    put_some(w, 60, 700);
    faults_close(w);
}

/* The log that was left is longer than a memtable. */
static void recovery(faults_world *w)
{
    faults_open(w);
    put_some(w, 3, 100);
    reopen_and_read(w);
}

static void copies(faults_world *w)
{
    faults_open(w);
    put_some(w, 5, 300);
    faults_copy(w);
    put_some(w, 5, 300);
    faults_read(w);
}

static void without_log(faults_world *w)
{
    faults_open(w);
    some_rounds(w, 2, 10, 500);
    put_some(w, 10, 500);
    faults_read(w);
    reopen_and_read(w);
}

/* Through the memory of many small memtables with the background's own threads. */
static void background(faults_world *w)
{
    faults_open(w);
    for (unsigned i = 0; i < 4; i++) {
        put_some(w, 25, 3000);
        faults_read(w);
    }
    faults_settle(w);
    faults_read(w);
    faults_close(w);
}

/* The log is synced, and its promise written to the manifest, by a thread alone. */
static void intervals(faults_world *w)
{
    faults_open(w);
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned put = 0; put < 5; put++)
            faults_put(w, some_key(w), 1500, false);
        faults_await_sync(w);
    }
    faults_put(w, some_key(w), 100, false);
    faults_read(w);
    faults_close(w);
}

static void make_edits(faults_world *w, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        faults_put(w, some_key(w), 60, false);
        faults_flush(w);
        if (i % 16 == 15)
            faults_settle(w);
    }
}

/* With tables as small as these a few edits are enough for the manifest to be written anew. */
static void many_edits(faults_world *w)
{
    faults_open(w);
    make_edits(w, 20);
    faults_close(w);
}

static void new_manifest(faults_world *w)
{
    faults_open(w);
    make_edits(w, 24);
    faults_settle(w);
    faults_read(w);
}

/* Tables of a store that has just been opened are read, and the log is written and synced. */
static void queues(faults_world *w)
{
    faults_open(w);
    faults_queue(w);
    faults_read(w);
    reopen_and_read(w);
}

static const faults_workload workloads[] = {
    {"begin", SIZES(-1, 0), NULL, begin},
    {"log", SIZES(-1, 0), NULL, log_and_replay},
    {"flush", SIZES(-1, 0), NULL, flushes},
    {"merge", SIZES(-1, 0), fill_tables, merges},
    {"batch", SIZES(-1, 0), NULL, batches},
    {"large-batch", SIZES(-1, 0), NULL, large_batches},
    {"large-value", SIZES(-1, 0), NULL, large_values},
    {"snapshot", SIZES(-1, 0), NULL, snapshots},
    {"read", SIZES(-1, 0), fill_tables, reads_and_checks},
    {"reopen", SIZES(-1, 0), NULL, reopens},
    {"recovery", SIZES(-1, 0), leave_a_log, recovery},
    {"copy", SIZES(-1, 0), fill_tables, copies},
    {"no-log", SIZES(-1, 1), NULL, without_log},
    {"manifest", SIZES(-1, 0), many_edits, new_manifest},
    {"queue", SIZES(-1, 0), fill_tables, queues},
    {"queue-log", SIZES(1, 0), NULL, queues},
    {"background", SIZES(2, 0), NULL, background},
    {"interval", INTERVAL, NULL, intervals},
};

size_t faults_workload_count(void)
{
    return sizeof workloads / sizeof *workloads;
}

const faults_workload *faults_workload_at(size_t i)
{
    return &workloads[i];
}
