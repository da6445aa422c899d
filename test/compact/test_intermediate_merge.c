/* SPDX-License-Identifier: MIT */
/*
 * test_intermediate_merge.c - many small upper runs over a large bottom run become one upper run:
 * what they hide in the run stays hidden.
 */
#include "peat.h"
#include "world/sim.h"

#define KEYS    3000u
#define FLUSHES 16u /* more than the upper runs a partition may have before they are merged */

static peat_slice key_of(unsigned i, char text[16])
{
    return peat_bytes(text, (size_t)snprintf(text, 16, "key-%06u", i));
}

static void put(peat_db *db, unsigned i, const char *value)
{
    char text[16];
    assert_ok(peat_put(db, NULL, key_of(i, text), peat_str(value)));
}

/* Even numbers are keys of the bottom run; each flush overwrites one, deletes one, and adds the odd
 * one between them. */
static void add_upper_runs(peat_db *db)
{
    char text[16];
    for (unsigned i = 0; i < FLUSHES; i++) {
        unsigned at = 100 * (i + 1);
        put(db, at, "overwritten");
        put(db, at + 1, "new");
        assert_ok(peat_delete(db, NULL, key_of(at + 2, text)));
        assert_ok(peat_flush(db));
    }
}

static void expect(peat_db *db, unsigned i, const char *value)
{
    char text[16];
    peat_buf found = PEAT_BUF_INIT;
    peat_rc rc = peat_get(db, NULL, key_of(i, text), &found);
    assert_int_equal(rc, value != NULL ? PEAT_OK : PEAT_NOT_FOUND);
    if (value != NULL)
        assert_true(found.size == strlen(value) && memcmp(found.data, value, found.size) == 0);
    peat_buf_free(&found);
}

static void expect_all(peat_db *db)
{
    peat_iter *it = NULL;
    size_t rows = 0;
    for (unsigned i = 0; i < FLUSHES; i++) {
        expect(db, 100 * (i + 1), "overwritten");
        expect(db, 100 * (i + 1) + 1, "new");
        expect(db, 100 * (i + 1) + 2, NULL);
    }
    assert_ok(peat_iter_open(db, NULL, &it));
    while (peat_iter_next(it) == PEAT_OK)
        rows++;
    peat_iter_close(it);
    assert_int_equal(rows, KEYS); /* one more and one fewer each time */
}

static uint64_t mid_merges(peat_db *db)
{
    peat_statistics stats = {.size = sizeof stats};
    assert_ok(peat_stats(db, &stats));
    return stats.mid_merges;
}

TEST(a_merge_of_slices_keeps_what_hides_the_run_below)
{
    sim_env *sim = sim_new(sim_seed(1));
    peat_host host = {.size = sizeof host, .env = sim_peat(sim)};
    peat_options options = {.size = sizeof options, .threads = PEAT_THREADS_NONE, .host = &host};
    peat_db *db = NULL;
    char value[120];
    memset(value, 'v', sizeof value);
    value[sizeof value - 1] = '\0';
    assert_ok(peat_open("db", &options, &db, NULL));
    for (unsigned i = 0; i < KEYS; i++)
        put(db, 2 * i, value);
    assert_ok(peat_compact(db, peat_unbounded(), peat_unbounded(), NULL));
    add_upper_runs(db);
    for (size_t did = 1; did != 0;)
        assert_ok(peat_work(db, 8, &did));
    assert_true(mid_merges(db) >= 1);
    expect_all(db);
    assert_ok(peat_close(db));
    assert_ok(peat_open("db", &options, &db, NULL));
    expect_all(db);
    assert_ok(peat_compact(db, peat_unbounded(), peat_unbounded(), NULL));
    expect_all(db);
    assert_ok(peat_close(db));
    sim_end(sim);
}
