/* SPDX-License-Identifier: MIT */
/* test_upkeep.c - flush, compact, settle, work, check, and how they are stopped. */
#include "world/kit.h"
#include "api/handle.h"
#include "work/work.h"

static int new_tiny_open(void **state)
{
    (void)kit_new(state);
    make_tiny(*state);
    return kit_open(*state) == PEAT_OK ? 0 : -1;
}

#define TEST_TINY(name) TEST_WITH(name, kit *k, new_tiny_open, kit_end)

TEST_OPEN(a_flush_empties_memory_into_tables)
{
    put(k, "a", "1");
    assert_int_equal(stats_of(k->db).tables, 0);
    assert_ok(peat_flush(k->db));
    peat_statistics s = stats_of(k->db);
    assert_int_equal(s.tables, 1);
    assert_int_equal(s.entries, 1);
    assert_int_equal(s.immutable_memtables, 0);
    assert_ok(peat_flush(k->db)); /* nothing to do */
    assert_int_equal(stats_of(k->db).tables, 1);
    expect_get(k, "a", "1");
}

TEST_TINY(a_settled_store_has_one_run_and_nothing_to_do)
{
    for (int i = 0; i < 4; i++)
        put_many(k, 1500, 60 + (size_t)i);
    assert_int_equal(peat_settle(k->db, 0), PEAT_TIMEOUT);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    assert_ok(peat_settle(k->db, 0));
    peat_statistics s = stats_of(k->db);
    assert_int_equal(s.slices, 0);
    assert_int_equal(s.entries, 1500);
    assert_int_equal(s.immutable_memtables, 0);
    size_t done = 7;
    assert_ok(peat_work(k->db, 100, &done));
    assert_int_equal(done, 0);
    assert_int_equal(count_all(k->db), 1500);
}

TEST_TINY(a_settled_store_touches_the_disk_no_more)
{
    put_many(k, 2000, 60);
    assert_ok(peat_settle(k->db, PEAT_WAIT_FOREVER));
    uint64_t calls = sim_count(k->sim, SIM_DISK);
    for (int i = 0; i < 20; i++) {
        sim_clock_advance(k->sim, 1000000000);
        assert_ok(peat_work(k->db, 10, NULL));
    }
    assert_int_equal(sim_count(k->sim, SIM_DISK), calls);
}

TEST_TINY(space_is_given_back)
{
    for (int i = 0; i < 5; i++)
        put_many(k, 1000, 200);
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    uint64_t full = stats_of(k->db).bottom_bytes;
    for (int i = 0; i < 1000; i++) {
        if (i % 10 != 0)
            assert_ok(peat_delete(k->db, NULL, nth_key(i)));
    }
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    peat_statistics s = stats_of(k->db);
    assert_int_equal(s.entries, 100);
    assert_int_equal(s.tombstones, 0);
    assert_true(s.bottom_bytes < full / 4);
    assert_int_equal(count_all(k->db), 100);
    for (int i = 0; i < 1000; i += 10) {
        assert_ok(peat_delete(k->db, NULL, nth_key(i)));
    }
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), NULL));
    assert_int_equal(stats_of(k->db).entries, 0);
    assert_int_equal(stats_of(k->db).tables, 0);
}

TEST_TINY(a_range_is_compacted_and_the_rest_left_alone)
{
    put_many(k, 4000, 60);
    put_many(k, 4000, 50);
    assert_ok(peat_compact(k->db, peat_str("key-001000"), peat_str("key-001100"), NULL));
    assert_int_equal(count_all(k->db), 4000);
    assert_int_equal(peat_compact(NULL, peat_unbounded(), peat_unbounded(), NULL), PEAT_INVALID);
    assert_int_equal(peat_compact(k->db, peat_bytes(NULL, 1), peat_unbounded(), NULL),
                     PEAT_INVALID);
}

TEST_TINY(units_of_work_are_counted)
{
    put_many(k, 3000, 60);
    size_t done = 99, total = 0;
    assert_ok(peat_work(k->db, 0, &done));
    assert_int_equal(done, 0);
    do {
        assert_ok(peat_work(k->db, 1, &done));
        assert_true(done <= 1);
        total += done;
    } while (done == 1 && total < 10000);
    assert_int_equal(done, 0);
    assert_ok(peat_work(k->db, 5, NULL));
    done = 1;
    assert_int_equal(peat_work(NULL, 1, &done), PEAT_INVALID);
    assert_int_equal(done, 0);
}

/* Without threads puts do the work themselves: the debt stays bounded. */
TEST_TINY(puts_without_threads_keep_the_store_in_shape)
{
    for (int round = 0; round < 10; round++)
        put_many(k, 2000, 100);
    peat_statistics s = stats_of(k->db);
    assert_true(s.flushes > 2);
    assert_true(s.immutable_memtables <= 3);
    assert_true(s.read_debt <= 24);
}

/* --- progress and stopping --- */

typedef struct watcher {
    unsigned calls, stop_at;
    uint64_t last, total;
    bool backwards;
    char phase[32];
} watcher;

static bool watch(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    watcher *w = ctx;
    if (strcmp(w->phase, phase) == 0 && done < w->last)
        w->backwards = true;
    (void)snprintf(w->phase, sizeof w->phase, "%s", phase);
    w->last = done;
    w->total = total;
    return ++w->calls != w->stop_at;
}

TEST_TINY(a_compaction_reports_and_can_be_cancelled)
{
    watcher w = {.stop_at = 1};
    peat_progress progress = {.size = sizeof progress, .fn = watch, .ctx = &w};
    put_many(k, 8000, 300);
    assert_ok(peat_flush(k->db));
    assert_int_equal(peat_compact(k->db, peat_unbounded(), peat_unbounded(), &progress),
                     PEAT_CANCELLED);
    assert_int_equal(count_all(k->db), 8000);
    assert_ok(peat_check(k->db, NULL, NULL));
    w = (watcher){0};
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), &progress));
    assert_true(w.calls >= 1 && !w.backwards);
    assert_true(w.phase[0] != '\0');
    assert_int_equal(stats_of(k->db).slices, 0);
    progress.fn = NULL;
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), &progress));
    progress.size = 1;
    assert_int_equal(peat_compact(k->db, peat_unbounded(), peat_unbounded(), &progress),
                     PEAT_INVALID);
}

/* As a flush has the last partition for as long as its edit is on its way to the disk. */
static bool claim_for_one_call(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    pt_store *s = ((kit *)ctx)->db->store;
    (void)phase;
    (void)total;
    uint64_t last = s->version_set.version->partitions[s->version_set.version->count - 1]->id;
    pt_mutex_lock(&s->work->mu);
    if (done == 0)
        pt_claims_add(&s->work->state.claims, last);
    else if (done == 1)
        pt_claims_end(&s->work->state.claims, last);
    pt_mutex_unlock(&s->work->mu);
    return true;
}

TEST_TINY(a_compaction_waits_for_what_others_work_on)
{
    for (int i = 0; i < 2; i++) {
        put(k, "a", "1");
        put(k, "b", "1");
        assert_ok(peat_delete(k->db, NULL, peat_str("b")));
        assert_ok(peat_flush(k->db));
    }
    assert_int_not_equal(stats_of(k->db).slices, 0);
    peat_progress p = {.size = sizeof p, .fn = claim_for_one_call, .ctx = k};
    assert_ok(peat_compact(k->db, peat_unbounded(), peat_unbounded(), &p));
    assert_int_equal(stats_of(k->db).slices, 0);
    assert_int_equal(stats_of(k->db).tombstones, 0);
}

TEST_TINY(a_check_reports_what_it_read)
{
    peat_check_report report = {.size = sizeof report};
    assert_ok(peat_check(k->db, NULL, &report));
    assert_int_equal(report.entries, 0);
    put_many(k, 3000, 100);
    assert_ok(peat_flush(k->db));
    assert_ok(peat_check(k->db, NULL, &report));
    assert_int_equal(report.entries, 3000);
    assert_int_equal(report.damages, 0);
    assert_true(report.files >= 2 && report.blocks > 10);
    assert_true(report.bytes >= stats_of(k->db).bottom_bytes + stats_of(k->db).fresh_bytes);
    assert_ok(peat_check(k->db, NULL, NULL));
    report.size = 3;
    assert_int_equal(peat_check(k->db, NULL, &report), PEAT_INVALID);
    assert_int_equal(peat_check(NULL, NULL, NULL), PEAT_INVALID);
}

TEST_TINY(a_check_can_be_cancelled)
{
    watcher w = {.stop_at = 1};
    peat_progress progress = {.size = sizeof progress, .fn = watch, .ctx = &w};
    peat_check_options options = {.size = sizeof options, .progress = &progress};
    put_many(k, 8000, 300);
    assert_ok(peat_flush(k->db));
    assert_int_equal(peat_check(k->db, &options, NULL), PEAT_CANCELLED);
    w = (watcher){0};
    assert_ok(peat_check(k->db, &options, NULL));
    assert_true(w.calls >= 1 && !w.backwards);
}

/* Each file with a flipped bit: found, by name; and gone when flipped back. */
TEST_TINY(a_flipped_bit_in_any_table_is_found)
{
    put_many(k, 600, 100);
    assert_ok(peat_flush(k->db));
    kit_close(k);
    kit_must_open(k);
    unsigned found = 0;
    for (uint64_t offset = 0; offset < 100000; offset += 97) {
        peat_check_report report = {.size = sizeof report};
        char name[] = "t-000001";
        bool there = false;
        for (int n = 1; n <= 9 && !there; n++) {
            name[7] = (char)('0' + n);
            there = sim_file_flip(k->sim, "store", name, offset, 0x04);
        }
        if (!there)
            break;
        peat_rc rc = peat_check(k->db, NULL, &report);
        if (rc != PEAT_CORRUPT)
            fail_msg("%s at %" PRIu64 ": %s", name, offset, peat_rc_name(rc));
        assert_true(report.damages >= 1);
        assert_true(sim_file_flip(k->sim, "store", name, offset, 0x04));
        assert_ok(peat_check(k->db, NULL, NULL));
        found++;
    }
    assert_true(found > 20);
}
