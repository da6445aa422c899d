/* SPDX-License-Identifier: MIT */
/*
 * test_repair_log.c - peat_repair finds a record behind damage in the log that begins in the
 * damaged segment and ends in the next.
 */

#include "world/files.h"

enum { VALUE_BYTES = 100000, RECORDS = 3 }; /* the third crosses the end of a segment of 256 KiB */

static void make_store(const char *dir)
{
    peat_db *db = NULL;
    char key[16];
    char *value = calloc(1, VALUE_BYTES);
    peat_options options = {.size = sizeof options, .threads = PEAT_THREADS_NONE};
    assert_non_null(value);
    assert_ok(peat_open(dir, &options, &db, NULL));
    for (int i = 0; i < RECORDS; i++) {
        (void)snprintf(key, sizeof key, "key%d", i);
        assert_ok(peat_put(db, NULL, peat_str(key), peat_bytes(value, VALUE_BYTES)));
    }
    assert_ok(peat_close(db));
    free(value);
}

static void expect_all_but(const char *dir, int lost)
{
    peat_db *db = NULL;
    char key[16];
    peat_buf value = PEAT_BUF_INIT;
    assert_ok(peat_open(dir, NULL, &db, NULL));
    for (int i = 0; i < RECORDS; i++) {
        (void)snprintf(key, sizeof key, "key%d", i);
        peat_rc rc = peat_get(db, NULL, peat_str(key), &value);
        if (rc != (i == lost ? PEAT_NOT_FOUND : PEAT_OK))
            fail_msg("without %d: %s is %s", lost, key, peat_rc_name(rc));
    }
    peat_buf_free(&value);
    assert_ok(peat_close(db));
}

static void one_record_is_lost(size_t offset, int lost)
{
    char dir[256], to_dir[256];
    files_new_dir(dir);
    files_new_dir(to_dir);
    make_store(dir);
    files_flip(dir, "w-000001", offset);
    peat_repair_report report = {.size = sizeof report};
    assert_ok(peat_repair(dir, to_dir, NULL, &report, NULL));
    assert_int_equal(report.entries, RECORDS - 1);
    assert_int_equal(report.lost_log_operations, 1);
    expect_all_but(to_dir, lost);
    files_remove_dir(dir);
    files_remove_dir(to_dir);
}

TEST_LINE(TEST, the_first_record, one_record_is_lost(50000, 0))
TEST_LINE(TEST, the_record_before_one_in_two_segments, one_record_is_lost(150000, 1))
TEST_LINE(TEST, the_record_in_two_segments, one_record_is_lost(230000, 2))
