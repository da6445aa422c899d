/* SPDX-License-Identifier: MIT */
/* test_inside.c - statistics, their JSON, the shape of the store, estimates, events. */
#include "world/kit.h"

/* --- statistics --- */

TEST_OPEN(counters_count_what_was_done)
{
    peat_batch *batch = NULL;
    put(k, "a", "1");
    put(k, "bb", "22");
    assert_ok(peat_delete(k->db, NULL, peat_str("a")));
    assert_ok(peat_batch_new(&batch));
    assert_ok(peat_batch_put(batch, peat_str("c"), peat_str("3")));
    assert_ok(peat_batch_delete(batch, peat_str("d")));
    assert_ok(peat_write(k->db, NULL, batch));
    peat_batch_free(batch);
    expect_get(k, "bb", "22");
    expect_absent(k, "x");
    assert_int_equal(count_all(k->db), 2);
    peat_statistics s = stats_of(k->db);
    assert_int_equal(s.puts, 3);
    assert_int_equal(s.deletes, 2);
    assert_int_equal(s.gets, 2);
    assert_int_equal(s.gets_found, 1);
    assert_int_equal(s.batches, 1);
    assert_int_equal(s.user_bytes_written, 2 + 4 + 1 + 2 + 1);
    assert_true(s.seeks >= 1);
    assert_true(s.log_bytes_written >= s.user_bytes_written);
    assert_true(s.memory_bytes > 0);
    assert_int_equal(s.flushes, 0);
    assert_int_equal(s.tables, 0);
}

TEST_OPEN(a_flush_and_a_merge_show_up)
{
    reopen_tiny(k, PEAT_COMPRESSION_DEFAULT);
    put_many(k, 1000, 100);
    assert_ok(peat_flush(k->db));
    peat_statistics s = stats_of(k->db);
    assert_true(s.flushes >= 1);
    assert_true(s.flush_bytes_written > 10000);
    assert_int_equal(s.entries, 1000);
    assert_int_equal(s.tombstones, 0);
    assert_true(s.tables >= 1 && s.partitions >= 1);
    put_many(k, 1000, 90);
    assert_ok(peat_delete(k->db, NULL, peat_str("key-000000")));
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    s = stats_of(k->db);
    assert_true(s.merge_bytes_written > 0 && s.merge_bytes_read > 0);
    assert_true(s.bottom_merges >= 1);
    assert_int_equal(s.entries, 999);
    assert_int_equal(s.tombstones, 0);
    assert_int_equal(s.slices, 0);
    assert_int_equal(s.fresh_bytes + s.mid_bytes, 0);
    assert_int_equal(s.bottom_bytes + s.mid_bytes + s.fresh_bytes + s.log_bytes + s.other_bytes,
                     s.disk_bytes);
    /* what is said to be on disk is what is there; the lock file is not the store's */
    assert_true(s.disk_bytes <= sim_disk_bytes(k->sim));
    /* the disk counts whole pages */
    assert_true(s.disk_bytes + 4096 * (s.tables + 2) >= sim_disk_bytes(k->sim));
}

static void expect_entries(kit *k, uint64_t in_memory)
{
    peat_check_report in_tables = {.size = sizeof in_tables};
    assert_ok(peat_check(k->db, NULL, &in_tables));
    assert_int_equal(stats_of(k->db).entries, in_tables.entries + in_memory);
}

/* Partitions split below slices, tables lie in several of them, records are still in memory. */
TEST_OPEN(entries_are_counted_exactly)
{
    static const char value[100];
    char key[32];
    reopen_tiny(k, PEAT_COMPRESSION_NONE);
    for (int i = 0; i < 6000; i++) {
        (void)snprintf(key, sizeof key, "key-%06d", i * 4241 % 6000);
        assert_ok(peat_put(k->db, NULL, peat_str(key), peat_bytes(value, sizeof value)));
        if (i % 200 != 199)
            continue;
        assert_ok(peat_flush(k->db));
        expect_entries(k, 0);
        put(k, key, "again");
        expect_entries(k, 1);
        assert_ok(peat_delete(k->db, NULL, peat_str("absent")));
        expect_entries(k, 2);
        assert_true(stats_of(k->db).tombstones >= 1);
    }
    assert_true(stats_of(k->db).partitions > 4);
}

TEST_OPEN(the_memory_stays_within_its_limit)
{
    k->options.memory_bytes = 4 << 20;
    kit_reopen(k);
    sim_peak_reset(k->sim);
    put_many(k, 30000, 400);
    for (int i = 0; i < 30000; i += 7) {
        assert_ok(peat_get(k->db, NULL, nth_key(i), &k->buf));
    }
    assert_int_equal(count_all(k->db), 30000);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    assert_true(stats_of(k->db).memory_bytes <= 4 << 20);
    uint64_t peak = sim_get_held(k->sim).bytes_peak;
    if (peak > (5 << 20) + KIT_LENT(4 << 20))
        fail_msg("%" PRIu64 " bytes at the peak, where 4 MiB were allowed", peak);
}

/* While nothing is written blocks have what writing would take, and what indexes leave; a flush
 * takes the former back. */
TEST_OPEN(a_store_that_rests_uses_its_memory_for_blocks)
{
    const uint64_t memory = 16 << 20;
    k->options.memory_bytes = memory;
    k->options.compression = PEAT_COMPRESSION_NONE;
    kit_reopen(k);
    put_many(k, 40000, 500);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 40000; i++)
            assert_ok(peat_get(k->db, NULL, nth_key(i * 7919 % 40000), &k->buf));
        peat_statistics s = stats_of(k->db);
        assert_true(s.cache_bytes > memory * 12 / 16 && s.memory_bytes <= memory);
        put_many(k, 2000, 500); /* some, and then more than the one memtable that is left to it */
        assert_ok(peat_flush(k->db));
        s = stats_of(k->db);
        assert_true(s.cache_bytes <= memory * 11 / 16 && s.memory_bytes <= memory);
        assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    }
}

TEST_OPEN(a_shorter_struct_gets_what_fits)
{
    peat_statistics s;
    memset(&s, 0x55, sizeof s);
    put(k, "a", "1");
    s.size = offsetof(peat_statistics, deletes);
    assert_ok(peat_stats(k->db, &s));
    assert_int_equal(s.puts, 1);
    assert_int_equal(s.deletes, 0x5555555555555555);
    s.size = 0;
    assert_int_equal(peat_stats(k->db, &s), PEAT_INVALID);
    assert_int_equal(peat_stats(k->db, NULL), PEAT_INVALID);
    assert_int_equal(peat_stats(NULL, &s), PEAT_INVALID);
}

TEST_NEW(the_files_say_their_format_and_their_codecs)
{
    k->host.app_id = 77;
    k->options.compression = PEAT_COMPRESSION_NONE;
    kit_must_open(k);
    put_many(k, 300, 100);
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    peat_statistics s = stats_of(k->db);
    assert_int_equal(s.format_version, 1);
    assert_int_equal(s.features, 0);
    assert_int_equal(s.app_id, 77);
    assert_int_equal(s.raw_bytes, 300 * 10 + 300 * 101 + 10 + 90 * 2 + 200 * 3);
    assert_true(s.plain_bytes >= s.raw_bytes && s.lz4_bytes == 0 && s.zstd_bytes == 0);
    k->options.compression = PEAT_COMPRESSION_LZ4;
    kit_reopen(k);
    put_many(k, 300, 100);
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    s = stats_of(k->db);
    assert_true(s.lz4_bytes > 0 && s.plain_bytes == 0);
}

/* What a store with a bottommost run has flushed, of values that compress; in parts of its size. */
static double upper_part(kit *k, peat_compression compression)
{
    k->options.compression = compression;
    kit_reopen(k);
    uint64_t before = stats_of(k->db).flush_bytes_written;
    put_many(k, 3000, 100);
    assert_ok(peat_flush(k->db));
    peat_statistics s = stats_of(k->db);
    assert_true(s.slices > 0 && s.zstd_bytes == 0);
    return (double)(s.flush_bytes_written - before) / (3000.0 * 110);
}

TEST_NEW(what_waits_for_a_merge_is_compressed_as_well)
{
    kit_must_open(k);
    put_many(k, 3000, 100);
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    assert_true(upper_part(k, PEAT_COMPRESSION_LZ4) < 0.7);
    assert_int_equal(stats_of(k->db).plain_bytes, 0);
    assert_true(upper_part(k, PEAT_COMPRESSION_NONE) > 1.0);
    assert_true(stats_of(k->db).plain_bytes > 0);
}

/* {"name":number,...} in the order of the list, and nothing else. */
TEST_OPEN(the_json_says_the_same_as_the_struct)
{
    put(k, "a", "1");
    assert_ok(peat_flush(k->db));
    expect_get(k, "a", "1");
    assert_ok(peat_stats_json(k->db, &k->buf));
    peat_statistics s = stats_of(k->db);
    char *expected = malloc(16384);
    size_t at = 0;
#define EXPECT_PAIR(name)                                                                          \
    at += (size_t)sprintf(expected + at, "%c\"%s\":%" PRIu64, at ? ',' : '{', #name, s.name);
    PEAT_STATISTICS_LIST(EXPECT_PAIR)
#undef EXPECT_PAIR
    (void)strcpy(expected + at, "}");
    char *found = calloc(1, k->buf.size + 1);
    memcpy(found, k->buf.data, k->buf.size);
    assert_string_equal(found, expected);
    free(found);
    free(expected);
    assert_int_equal(peat_stats_json(k->db, NULL), PEAT_INVALID);
    assert_int_equal(peat_stats_json(NULL, &k->buf), PEAT_INVALID);
}

/* --- shape --- */

typedef struct shape {
    uint64_t seen, entries, tables, stop_at;
    char last_lower[64];
} shape;

static peat_rc see_partition(void *ctx, const peat_partition_info *p)
{
    shape *s = ctx;
    if (p->size != sizeof *p || p->index != s->seen || p->index >= p->count)
        return PEAT_CORRUPT;
    if ((p->index == 0) != (p->lower.data == NULL))
        return PEAT_CORRUPT;
    if (p->index > 0) {
        char lower[64] = "";
        memcpy(lower, p->lower.data, p->lower.size < 63 ? p->lower.size : 63);
        if (strcmp(lower, s->last_lower) <= 0)
            return PEAT_CORRUPT;
        (void)strcpy(s->last_lower, lower);
    }
    s->seen++;
    s->entries += p->entries;
    s->tables += p->bottom_tables;
    return s->seen == s->stop_at ? PEAT_CANCELLED : PEAT_OK;
}

TEST_OPEN(the_shape_is_told_in_order_of_keys)
{
    reopen_tiny(k, PEAT_COMPRESSION_NONE); /* or all of it fits one partition */
    shape empty = {0};
    assert_ok(peat_shape(k->db, see_partition, &empty));
    assert_int_equal(empty.seen, 1);
    put_many(k, 4000, 100);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    shape all = {0}, some = {.stop_at = 1};
    assert_ok(peat_shape(k->db, see_partition, &all));
    assert_true(all.seen >= 2);
    assert_int_equal(all.seen, stats_of(k->db).partitions);
    assert_int_equal(all.entries, 4000);
    assert_true(all.tables >= all.seen);
    assert_int_equal(peat_shape(k->db, see_partition, &some), PEAT_CANCELLED);
    assert_int_equal(some.seen, 1);
    assert_int_equal(peat_shape(k->db, NULL, NULL), PEAT_INVALID);
    assert_int_equal(peat_shape(NULL, see_partition, &some), PEAT_INVALID);
}

/* --- estimates --- */

TEST_OPEN(estimates_are_near_the_truth)
{
    uint64_t all = 0, half = 0, none = 1, count = 0, count_half = 0;
    reopen_tiny(k, PEAT_COMPRESSION_NONE);
    put_many(k, 4000, 100);
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    peat_slice middle = peat_str("key-002000"), behind = peat_str("z");
    assert_ok(peat_approximate_size(k->db, peat_unbounded(), peat_unbounded(), &all));
    assert_ok(peat_approximate_size(k->db, peat_unbounded(), middle, &half));
    assert_ok(peat_approximate_size(k->db, behind, peat_unbounded(), &none));
    assert_true(all > 4000 * 100 && all < 4000 * 200);
    assert_true(half > all / 2 - all / 10 && half < all / 2 + all / 10);
    assert_true(none < all / 10);
    assert_ok(peat_approximate_count(k->db, peat_unbounded(), peat_unbounded(), &count));
    assert_ok(peat_approximate_count(k->db, middle, peat_unbounded(), &count_half));
    assert_int_equal(count, 4000);
    assert_true(count_half > 1800 && count_half < 2200);
}

TEST_OPEN(estimates_include_what_is_in_memory)
{
    uint64_t bytes = 0, count = 0;
    put_many(k, 500, 100);
    assert_ok(peat_approximate_size(k->db, peat_unbounded(), peat_unbounded(), &bytes));
    assert_ok(peat_approximate_count(k->db, peat_unbounded(), peat_unbounded(), &count));
    assert_true(bytes >= 500 * 100);
    assert_true(count > 250 && count < 1000);
    char *key = calloc(1, PEAT_BOUND_SIZE_MAX + 1);
    peat_slice long_key = peat_bytes(key, PEAT_BOUND_SIZE_MAX + 1);
    assert_int_equal(peat_approximate_size(k->db, long_key, peat_unbounded(), &bytes),
                     PEAT_TOO_BIG);
    free(key);
    assert_int_equal(peat_approximate_size(NULL, peat_unbounded(), peat_unbounded(), &bytes),
                     PEAT_INVALID);
    assert_int_equal(peat_approximate_count(k->db, peat_unbounded(), peat_unbounded(), NULL),
                     PEAT_INVALID);
}

/* --- events --- */

typedef struct events {
    peat_db **db;
    unsigned of_kind[16];
    unsigned wrong;
    uint64_t flush_bytes_out, recovery_bytes;
} events;

static void see_event(void *ctx, const peat_event *e)
{
    events *seen = ctx;
    if (e->size != sizeof *e || e->message == NULL || strchr(e->message, '\n') != NULL ||
        (unsigned)e->kind >= 16) {
        seen->wrong++;
        return;
    }
    seen->of_kind[e->kind]++;
    if (e->kind == PEAT_EVENT_FLUSH)
        seen->flush_bytes_out += e->bytes_out;
    if (e->kind == PEAT_EVENT_RECOVERY)
        seen->recovery_bytes += e->bytes_in;
    peat_db *db = *seen->db;
    if (db != NULL && peat_exists(db, NULL, peat_str("key-000001")) < 0) /* no lock is held */
        seen->wrong++;
}

TEST_OPEN(events_tell_of_recovery_flush_merge_and_sync)
{
    events seen = {.db = &k->db};
    kit_close(k);
    make_tiny(k);
    k->host.event_fn = see_event;
    k->host.event_ctx = &seen;
    kit_must_open(k);
    put_many(k, 2000, 100);
    assert_ok(peat_sync(k->db));
    assert_ok(peat_flush(k->db));
    put_many(k, 2000, 90);
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    assert_true(seen.of_kind[PEAT_EVENT_FLUSH] >= 1);
    assert_true(seen.of_kind[PEAT_EVENT_MERGE] >= 1);
    assert_true(seen.of_kind[PEAT_EVENT_SYNC] >= 1);
    assert_int_equal(seen.of_kind[PEAT_EVENT_ERROR], 0);
    assert_true(seen.flush_bytes_out > 0);
    put(k, "in the log", "only");
    sim_env *killed = sim_clone_killed(k->sim);
    peat_db *db = NULL;
    events again = {.db = &db};
    peat_host host = {
        .size = sizeof host, .env = sim_peat(killed), .event_fn = see_event, .event_ctx = &again};
    peat_options options = {.size = sizeof options, .threads = PEAT_THREADS_NONE, .host = &host};
    assert_ok(peat_open("store", &options, &db, NULL));
    assert_int_equal(again.of_kind[PEAT_EVENT_RECOVERY], 1);
    assert_true(again.recovery_bytes > 0);
    assert_ok(peat_close(db));
    sim_free(killed);
    assert_int_equal(seen.wrong + again.wrong, 0);
    kit_close(k);
    k->db = NULL;
}

TEST_OPEN(an_error_is_an_event_and_the_stores_first_cause)
{
    events seen = {.db = &k->db};
    kit_close(k);
    k->host.event_fn = see_event;
    k->host.event_ctx = &seen;
    kit_must_open(k);
    put(k, "a", "1");
    sim_fail(k->sim, .kinds = SIM_BIT(SIM_FILE_SYNC), .error = EIO, .name_prefix = "w-");
    assert_int_equal(peat_sync(k->db), PEAT_IO);
    sim_faults_clear(k->sim);
    assert_int_equal(peat_db_error(k->db, &k->error), PEAT_IO);
    assert_int_equal(k->error.os_errno, EIO);
    assert_non_null(strstr(k->error.message, "w-"));
    assert_true(seen.of_kind[PEAT_EVENT_ERROR] >= 1);
    assert_int_equal(peat_put(k->db, NULL, peat_str("b"), peat_str("2")), PEAT_IO);
    expect_get(k, "a", "1"); /* reads go on */
    expect_absent(k, "b");
    peat_db *db = k->db;
    k->db = NULL;
    assert_int_equal(peat_close(db), PEAT_IO);
    kit_must_open(k);
    put(k, "b", "2");
    k->host.event_fn = NULL;
    kit_reopen(k);
}

TEST(every_event_kind_has_a_name)
{
#define EXPECT_NAME(name, number, text)                                                            \
    assert_string_equal(peat_event_name(name), text);                                              \
    assert_int_equal(name, number);
    PEAT_EVENT_LIST(EXPECT_NAME)
#undef EXPECT_NAME
    assert_non_null(peat_event_name((peat_event_kind)77));
}
