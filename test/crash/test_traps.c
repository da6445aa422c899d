/* SPDX-License-Identifier: MIT */
/*
 * test_traps.c - the traps that trusted stores fall into, one test each, named after the trap and
 * the stores it was seen in (LevelDB 1.23, RocksDB 7.8, LMDB 0.9.24, SQLite 3.40).
 *
 * At the moments that a trap is about the disk is cloned as a power cut may leave it, and opened.
 */
#include "crash/trap_kit.h"

/* --- ways of losing things --- */

static void lose_all(trap *t, sim_env *sim)
{
    expect_cut(t, sim, SIM_CUT_LOST, 0, 512);
}

static void lose_each_name(trap *t, sim_env *sim)
{
    size_t names;
    (void)sim_cut_items(sim, 4096, &names);
    for (size_t i = 0; i < names; i++)
        expect_cut(t, sim, SIM_CUT_BUT_NAME, i, 4096);
    for (uint64_t seed = 0; names != 0 && seed < 4; seed++)
        expect_cut(t, sim, SIM_CUT_RANDOM, seed, 4096);
}

static void keep_each_thing_alone(trap *t, sim_env *sim)
{
    size_t names, items = sim_cut_items(sim, 4096, &names);
    for (size_t i = 0; i < items; i++)
        expect_cut(t, sim, SIM_CUT_ONLY_ONE, i, 4096);
}

static void tear(trap *t, sim_env *sim)
{
    size_t names, items = sim_cut_items(sim, 512, &names);
    for (size_t i = 0; i < items; i++) {
        expect_cut(t, sim, SIM_CUT_BUT_ONE, i, 512);
        expect_cut(t, sim, SIM_CUT_ONLY_ONE, i, 512);
    }
    for (uint64_t seed = 0; seed < 8; seed++)
        expect_cut(t, sim, SIM_CUT_PREFIX, seed, 512);
}

/* --- the traps
 * ------------------------------------------------------------------------------------
 */

/* LevelDB: acknowledged sync writes vanish with a log whose directory entry was never synced. */
TEST(the_name_of_a_new_log_is_durable_before_its_first_synced_write)
{
    trap t = {.sim = sim_new(1)};
    must_open(&t);
    for (unsigned i = 0; i < 90; i++) { /* three segments and more */
        put(&t, true);
        lose_all(&t, t.sim);
    }
    assert_true(sim_file_exists(t.sim, "store", "w-000003"));
    end(&t);
}

/* LevelDB, RocksDB: a sync covers the current log; the tail of the one before it is lost. */
TEST(a_sync_covers_the_tail_of_the_log_before)
{
    for (unsigned before = 1; before < 60; before += 2) { /* the roll falls anywhere in between */
        trap t = {.sim = sim_new(before)};
        must_open(&t);
        put_many(&t, before, false);
        put(&t, true);
        lose_all(&t, t.sim);
        put_many(&t, 40, false); /* beyond a roll, nothing synced: a prefix in any case */
        for (uint64_t seed = 0; seed < 10; seed++)
            expect_cut(&t, t.sim, SIM_CUT_RANDOM, seed, seed % 2 ? 512 : 4096);
        end(&t);
    }
}

/* RocksDB: a manifest record torn at a sector, the file's size kept, and the store refuses. */
TEST(a_torn_tail_of_the_manifest_is_no_damage)
{
    trap t = {.sim = sim_new(2)};
    must_open(&t);
    cut_from_now_on(&t, SIM_BIT(SIM_FILE_SYNC), "m-", tear);
    for (unsigned i = 0; i < 12; i++) {
        put_many(&t, 8, false);
        assert_ok(peat_flush(t.db));
        t.durable = t.written;
        assert_ok(peat_work(t.db, 2, NULL));
    }
    assert_true(t.images > 100);
    end(&t);
}

/* RocksDB, LevelDB: files and the switch to them are created, and the directory synced once. */
TEST(no_order_of_new_names_keeps_a_store_from_opening)
{
    trap t = {.sim = sim_new(3)};
    cut_from_now_on(&t, SIM_CHANGES, NULL, lose_each_name);
    must_open(&t);
    for (unsigned i = 0; i < 6; i++) {
        put_many(&t, 12, i % 2 != 0);
        assert_ok(peat_flush(t.db));
        t.durable = t.written;
        assert_ok(peat_work(t.db, 4, NULL));
    }
    assert_true(t.images > 300);
    end(&t);
}

/* LevelDB, CURRENT: a file goes before the name that replaces it is durable. */
TEST(nothing_is_removed_before_what_replaces_it_is_durable)
{
    trap t = {.sim = sim_new(4)};
    uint64_t removals = sim_count(t.sim, SIM_BIT(SIM_DIR_REMOVE));
    must_open(&t);
    cut_from_now_on(&t, SIM_CHANGES, NULL, keep_each_thing_alone);
    for (unsigned i = 0; i < 6; i++) {
        put_many(&t, 20, i % 2 != 0);
        assert_ok(peat_settle(t.db, PEAT_WAIT_FOREVER));
        t.durable = t.written;
    }
    assert_true(sim_count(t.sim, SIM_BIT(SIM_DIR_REMOVE)) > removals + 3);
    assert_true(t.images > 300);
    end(&t);
}

/* Kills the process that makes a store, and cuts the power under the one that comes after it. */
static void kill_then_cut(trap *t, sim_env *sim)
{
    trap later = {.sim = sim_clone_killed(sim)};
    cut_from_now_on(&later, SIM_CHANGES, NULL, lose_each_name);
    must_open(&later);
    put(&later, true);
    lose_all(&later, later.sim);
    t->images += later.images;
    end(&later);
}

/* LMDB: the first files are used before the directory that names them is synced. */
TEST(the_first_files_of_a_store_are_durable_before_they_are_used)
{
    trap t = {.sim = sim_new(5)};
    cut_from_now_on(&t, SIM_CHANGES, NULL, kill_then_cut);
    must_open(&t);
    sim_hook_set(t.sim, NULL, NULL);
    put(&t, true);
    lose_all(&t, t.sim);
    assert_true(t.images > 100);
    end(&t);
}

/* SQLite at FULL: the journal's removal is not durable, and undoes a commit that was acknowledged.
 * Here: what a recovery left out comes back behind what was written after it. */
TEST(what_a_recovery_left_out_never_comes_back)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        trap first = {.sim = sim_new(seed)};
        must_open(&first);
        put_many(&first, 4, true);
        put_many(&first, 50, false);
        sim_env *disk = sim_clone_cut(first.sim, &(sim_cut){SIM_CUT_RANDOM, seed, 512});
        end(&first);

        trap second = {.sim = disk};
        must_open(&second);
        second.written = second.durable = count_prefix(second.db, sim_story(disk));
        put(&second, true); /* one more, and not those that were lost behind it */
        cut_from_now_on(&second, SIM_CHANGES, NULL, lose_all);
        expect_cut(&second, disk, SIM_CUT_KEPT, 0, 512);
        assert_ok(peat_flush(second.db));
        expect_cut(&second, disk, SIM_CUT_LOST, 0, 512);
        end(&second);
    }
}

/* LevelDB, RocksDB: a flipped bit ends the replay, and acknowledged data is dropped in silence. */
TEST(a_flipped_bit_in_the_middle_of_the_log_is_told)
{
    for (uint64_t offset = 128; offset < 128 + 20 * (VALUE_BYTES + 40); offset += 7) {
        trap t = {.sim = sim_new(6)};
        peat_error error;
        must_open(&t);
        put_many(&t, 22, true); /* the last two tell what was synced before them */
        sim_env *after = sim_clone_cut(t.sim, &(sim_cut){.mode = SIM_CUT_LOST});
        end(&t);
        assert_true(sim_file_flip(after, "store", "w-000001", offset, (uint8_t)(1u << offset % 8)));
        peat_db *db = NULL;
        peat_rc rc = open_store(after, &db, &error);
        if (rc == PEAT_OK) /* a byte that says nothing */
            assert_int_equal(count_prefix(db, sim_story(after)), 22);
        else
            assert_int_equal(rc, PEAT_CORRUPT);
        if (rc != PEAT_OK)
            assert_non_null(strstr(error.message, "w-000001"));
        assert_ok(peat_close(db));
        sim_free(after);
    }
}

typedef struct table_name {
    char name[64];
    uint64_t size;
} table_name;

static int find_table(void *arg, const char *name, bool regular_file, uint64_t size)
{
    table_name *found = arg;
    (void)regular_file;
    if (name[0] == 't') {
        (void)snprintf(found->name, sizeof found->name, "%s", name);
        found->size = size;
    }
    return 0;
}

/* LMDB, SQLite: a value without a checksum comes back wrong, or crashes the process. */
TEST(a_value_that_changed_on_disk_is_never_returned)
{
    trap t = {.sim = sim_new(7)};
    table_name table = {.size = 0};
    unsigned told = 0;
    must_open(&t);
    put_many(&t, 20, false);
    assert_ok(peat_settle(t.db, PEAT_WAIT_FOREVER));
    assert_ok(peat_close(t.db));
    assert_int_equal(sim_file_list(t.sim, "store", find_table, &table), 0);
    for (uint64_t offset = 0; offset < table.size; offset += 11) {
        uint8_t mask = (uint8_t)(1u << offset % 8), value[VALUE_BYTES];
        char key[16];
        assert_true(sim_file_flip(t.sim, "store", table.name, offset, mask));
        must_open(&t);
        for (uint64_t i = 0; i < 20; i++) {
            peat_buf got = PEAT_BUF_INIT;
            (void)snprintf(key, sizeof key, "k%06" PRIu64, i);
            fill_value(i, value);
            peat_rc rc = peat_get(t.db, NULL, peat_str(key), &got);
            assert_true(rc == PEAT_OK || rc == PEAT_CORRUPT);
            assert_true(rc != PEAT_OK ||
                        (got.size == sizeof value && memcmp(got.data, value, got.size) == 0));
            told += rc == PEAT_CORRUPT;
            peat_buf_free(&got);
        }
        assert_ok(peat_close(t.db));
        assert_true(sim_file_flip(t.sim, "store", table.name, offset, mask));
    }
    assert_true(told > 100);
    sim_end(t.sim);
}
