/* SPDX-License-Identifier: MIT */
/*
 * test_large_log_cuts.c - the recovery of a log that is larger than memtables may be, which flushes
 * as it goes: cut and killed at every boundary of it, and in the recovery of what that left, and
 * failed at its calls. The log is whole in the disk's memory before, so all of it is there after.
 *
 * ctest: timeout=300 label=slow
 */
#include "world/sim.h"

#define ENTRIES     1000u
#define VALUE_BYTES 700u
#define CUTS_EACH   2u  /* at a boundary, of which one is a kill now and then */
#define DEEP_ONE_IN 40u /* images whose recovery is cut again */

typedef struct world {
    sim_env *sim;
    bool no_log, deep; /* deep: cuts in the recovery of an image */
    uint64_t cuts, images, deeper, opens;
} world;

static peat_rc open_store(world *w, sim_env *sim, size_t memtable_bytes, peat_db **ret_db)
{
    peat_host host = {.size = sizeof host, .env = sim_peat(sim)};
    peat_test_options test = {.size = sizeof test,
                              .memtable_bytes = memtable_bytes,
                              .table_bytes = 16 << 10,
                              .partition_bytes = 128 << 10,
                              .segment_bytes = memtable_bytes / 2};
    peat_options options = {.size = sizeof options,
                            .memory_bytes = PEAT_MEMORY_BYTES_MIN,
                            .threads = PEAT_THREADS_NONE,
                            .sync_interval_ms = 100000,
                            .no_log = w->no_log,
                            .host = &host,
                            .test = &test};
    w->opens++;
    return peat_open("db", &options, ret_db, NULL);
}

/* Every key is written twice, far apart; the second time by a batch of several. */
static void write_all(peat_db *db)
{
    char key[16];
    static char value[VALUE_BYTES];
    peat_batch *batch = NULL;
    assert_ok(peat_batch_new(&batch));
    for (unsigned i = 0; i < ENTRIES; i++) {
        unsigned k = i * 7 % (ENTRIES / 2);
        (void)snprintf(key, sizeof key, "%06u", k);
        memset(value, (int)(i % 251), sizeof value);
        assert_ok(peat_batch_put(batch, peat_str(key), peat_bytes(value, sizeof value)));
        if (i < ENTRIES / 2 || i % 5 == 4 || i + 1 == ENTRIES) {
            assert_ok(peat_write(db, NULL, batch));
            peat_batch_clear(batch);
        }
    }
    peat_batch_free(batch);
}

static void expect_all(peat_db *db, sim_env *sim)
{
    peat_iter *it = NULL;
    unsigned n = 0;
    peat_rc rc;
    static unsigned char last[ENTRIES / 2];
    for (unsigned i = 0; i < ENTRIES; i++)
        last[i * 7 % (ENTRIES / 2)] = (unsigned char)(i % 251);
    assert_ok(peat_iter_open(db, NULL, &it));
    while ((rc = peat_iter_next(it)) == PEAT_OK) {
        char key[8] = {0};
        assert_int_equal(peat_iter_key(it).size, 6);
        memcpy(key, peat_iter_key(it).data, 6);
        unsigned k = (unsigned)strtoul(key, NULL, 10);
        const unsigned char *value = peat_iter_value(it).data;
        if (k != n || peat_iter_value(it).size != VALUE_BYTES || value[0] != last[k])
            fail_msg("%s: row %u is key %u", sim_story(sim), n, k);
        n++;
    }
    peat_iter_close(it);
    if (rc != PEAT_END || n != ENTRIES / 2)
        fail_msg("%s: %u rows, then %s", sim_story(sim), n, peat_rc_name(rc));
}

static void recover(world *w, sim_env *sim, bool cut_again);

static void cut_here(void *arg, sim_env *sim, const sim_boundary *b)
{
    world *w = arg;
    bool outer = !w->deep;
    if (!outer && b->index % 3 != 0)
        return;
    for (unsigned i = 0; i < (outer ? CUTS_EACH : 1); i++) {
        uint64_t seed = b->index * CUTS_EACH + i;
        sim_cut cut = {.mode = (sim_cut_mode)(seed % SIM_CUT_GARBAGE), .seed = seed};
        sim_env *after = seed % 5 == 4 ? sim_clone_killed(sim) : sim_clone_cut(sim, &cut);
        w->cuts++;
        bool deep = outer && w->cuts % DEEP_ONE_IN == 0;
        w->deep = true; /* no cuts in the recovery of this one, unless asked for */
        recover(w, after, deep);
        w->deep = !outer;
        w->deeper += !outer;
        sim_free(after);
    }
}

/* Opens the image, which must be whole, closes it, and it is whole again. */
static void recover(world *w, sim_env *sim, bool cut_again)
{
    peat_db *db = NULL;
    w->images++;
    if (cut_again)
        sim_hook_set(sim, cut_here, w);
    peat_rc rc = open_store(w, sim, 64 << 10, &db);
    sim_hook_set(sim, NULL, NULL);
    if (rc != PEAT_OK)
        fail_msg("%s: %s", sim_story(sim), peat_rc_name(rc));
    expect_all(db, sim);
    assert_ok(peat_close(db));
    assert_true(sim_is_clean(sim));
}

/* A disk that holds nothing but a log, all of it synced. */
static sim_env *make_disk(world *w)
{
    peat_db *db = NULL;
    bool no_log = w->no_log;
    sim_env *sim = sim_new(sim_seed(31));
    w->no_log = false;
    assert_ok(open_store(w, sim, 4 << 20, &db));
    write_all(db);
    assert_ok(peat_sync(db));
    sim_env *killed = sim_clone_killed(sim);
    assert_ok(peat_close(db));
    sim_free(sim);
    w->no_log = no_log;
    return killed;
}

static void cut_at_every_boundary(bool no_log)
{
    peat_db *db = NULL;
    world w = {.no_log = no_log};
    sim_env *sim = make_disk(&w);
    sim_hook_set(sim, cut_here, &w);
    assert_ok(open_store(&w, sim, 64 << 10, &db));
    sim_hook_set(sim, NULL, NULL);
    peat_statistics stats = {.size = sizeof stats};
    assert_ok(peat_stats(db, &stats));
    assert_true(stats.flushes >= 8);
    expect_all(db, sim);
    assert_ok(peat_close(db));
    sim_end(sim);
    print_message("%" PRIu64 " cuts, %" PRIu64 " of them in a second recovery\n", w.cuts, w.deeper);
    assert_true(w.cuts > 150 && w.deeper > 20);
}

TEST_LINE(TEST, a_recovery_that_flushes_comes_back_from_any_cut, cut_at_every_boundary(false))
TEST_LINE(TEST, so_does_one_of_a_store_without_a_log, cut_at_every_boundary(true))

/* The at-th call fails, once or from then on; then the disk is mended. */
static void fail_calls(uint32_t kinds, int error, bool sticky, unsigned stride)
{
    for (uint64_t at = 1;; at += stride) {
        peat_db *db = NULL;
        world w = {0};
        sim_env *sim = make_disk(&w);
        unsigned fault = sim_fail(sim, .kinds = kinds, .at = at, .error = error, .sticky = sticky);
        peat_rc rc = open_store(&w, sim, 64 << 10, &db);
        uint64_t hits = sim_fault_hits(sim, fault);
        sim_faults_clear(sim);
        if (rc == PEAT_OK) {
            expect_all(db, sim);
            (void)!peat_close(db); /* may be fenced */
        } else if (hits == 0) {
            fail_msg("nothing failed, and yet: %s", peat_rc_name(rc));
        }
        if (!sim_is_clean(sim))
            fail_msg("call %" PRIu64 " failed: something is held", at);
        sim_env *after = sim_clone_cut(sim, &(sim_cut){.mode = (sim_cut_mode)(at % 4), .seed = at});
        sim_free(sim);
        recover(&w, after, false);
        sim_free(after);
        if (hits == 0)
            return;
    }
}

TEST(a_recovery_that_fails_anywhere_leaves_a_store_that_opens)
{
    fail_calls(SIM_DISK, EIO, false, 7);
    fail_calls(SIM_CHANGES, EIO, true, 11);
}

TEST(so_does_one_on_a_full_disk_or_without_memory)
{
    fail_calls(SIM_BIT(SIM_FILE_WRITE) | SIM_BIT(SIM_FILE_CREATE) | SIM_BIT(SIM_FILE_ALLOCATE),
               ENOSPC, true, 3);
    fail_calls(SIM_MEMORY, ENOMEM, false, 13);
}
