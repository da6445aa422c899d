/* SPDX-License-Identifier: MIT */
/*
 * test_order_of_time.c - rows that come in order of time, and go in that order a while later: what
 * lies above all that there is stays where it was first written, also where a memtable is smaller
 * than a part of a table, and with deletes beside it.
 */
#include "world/kit.h"

#define ROW   200u
#define ROWS  72000u
#define ALIVE 24000u

static peat_slice row_key(char *buf, size_t size, unsigned i)
{
    return peat_bytes(buf, (size_t)snprintf(buf, size, "%010u", i));
}

/* Whoever puts does the background's work as well. */
static void come_and_go(kit *k)
{
    char key[16], value[ROW];
    memset(value, 'v', sizeof value);
    for (unsigned i = 0; i < ROWS; i++) {
        assert_ok(peat_put(k->db, NULL, row_key(key, sizeof key, i), peat_bytes(value, ROW)));
        if (i >= ALIVE)
            assert_ok(peat_delete(k->db, NULL, row_key(key, sizeof key, i - ALIVE)));
    }
    assert_ok(peat_settle(k->db, 60000));
}

static void expect_written_once(kit *k, size_t memtable_bytes)
{
    k->test.memtable_bytes = memtable_bytes;
    k->test.table_bytes = k->test.partition_bytes = 256 << 10;
    k->options.compression = PEAT_COMPRESSION_NONE;
    kit_must_open(k);
    come_and_go(k);
    peat_statistics st = stats_of(k->db);
    uint64_t written = st.flush_bytes_written + st.merge_bytes_written;
    assert_true(st.appends != 0);
    if (written > st.user_bytes_written + st.user_bytes_written / 4 * 3)
        fail_msg("%" PRIu64 " bytes written as tables for %" PRIu64, written,
                 st.user_bytes_written);
}

TEST_NEW(rows_in_order_of_time_are_written_once)
{
    expect_written_once(k, 256 << 10);
}

TEST_NEW(and_where_a_memtable_is_a_part_of_a_table)
{
    expect_written_once(k, 16 << 10);
}
