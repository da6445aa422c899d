/* SPDX-License-Identifier: MIT */
/* test_refusing_disk.c - a disk without permission, without writing or without room; simulated, so
 * that it also holds for root. */
#include "world/kit.h"

TEST_NEW(a_directory_without_permission_says_so)
{
    sim_fail(k->sim, .kinds = SIM_BIT(SIM_DIR_OPEN), .error = EACCES, .sticky = true);
    assert_int_equal(kit_open(k), PEAT_IO);
    assert_int_equal(k->error.os_errno, EACCES);
    assert_non_null(strstr(k->error.message, "store"));
    assert_non_null(strstr(k->error.message, strerror(EACCES)));
    sim_faults_clear(k->sim);
    kit_must_open(k);
}

TEST_NEW(a_file_without_permission_is_named)
{
    kit_must_open(k);
    put(k, "a", "1");
    kit_close(k);
    sim_fail(k->sim, .kinds = SIM_BIT(SIM_FILE_OPEN), .error = EACCES, .sticky = true,
             .name_prefix = "m-");
    assert_int_equal(kit_open(k), PEAT_IO);
    assert_int_equal(k->error.os_errno, EACCES);
    assert_non_null(strstr(k->error.message, "m-"));
    sim_faults_clear(k->sim);
    kit_must_open(k);
    expect_get(k, "a", "1");
}

TEST_NEW(a_read_only_file_system_opens_read_only)
{
    kit_must_open(k);
    put(k, "a", "1");
    kit_close(k);
    sim_read_only(k->sim, true);
    assert_int_equal(kit_open(k), PEAT_READ_ONLY);
    assert_non_null(strstr(k->error.message, "store"));
    assert_non_null(strstr(k->error.message, "read-only"));
    k->options.read_only = true;
    kit_must_open(k);
    expect_get(k, "a", "1");
    kit_close(k);
    k->options.read_only = false;
    sim_read_only(k->sim, false);
    kit_must_open(k);
    expect_get(k, "a", "1");
}

TEST_NEW(a_new_store_on_a_read_only_file_system_is_refused)
{
    sim_read_only(k->sim, true);
    assert_int_equal(kit_open(k), PEAT_READ_ONLY);
    sim_read_only(k->sim, false);
    kit_must_open(k);
}

TEST_NEW(a_full_disk_refuses_a_new_store_and_leaves_none)
{
    sim_limit_disk(k->sim, 1);
    assert_int_equal(kit_open(k), PEAT_FULL);
    assert_non_null(strstr(k->error.message, "store"));
    sim_limit_disk(k->sim, 0);
    kit_must_open(k);
    assert_int_equal(count_all(k->db), 0);
}

/* Whatever it was about to do: there is no store behind it that could be taken for usable, so it
 * does not say PEAT_IO as one that refuses writes. */
TEST_NEW(an_open_that_finds_no_room_says_so)
{
    uint64_t full = 0;
    kit_must_open(k);
    put_many(k, 20, 100);
    kit_kill(k);
    sim_env *killed = k->sim;
    for (uint64_t at = 1;; at++) {
        k->sim = sim_clone_killed(killed);
        k->host.env = sim_peat(k->sim);
        unsigned fault =
            sim_fail(k->sim, .kinds = SIM_CHANGES, .at = at, .error = ENOSPC, .sticky = true);
        peat_rc rc = kit_open(k);
        if (rc != PEAT_OK && rc != PEAT_FULL)
            fail_msg("call %" PRIu64 ": %s", at, peat_rc_name(rc));
        full += rc == PEAT_FULL;
        bool hit = sim_fault_hits(k->sim, fault) != 0;
        if (rc == PEAT_OK)
            (void)!peat_close(k->db);
        k->db = NULL;
        sim_end(k->sim);
        if (!hit)
            break;
    }
    k->sim = killed;
    k->host.env = sim_peat(killed);
    kit_must_open(k);
    assert_int_equal(count_all(k->db), 20);
    assert_true(full > 5);
}

TEST_NEW(a_full_disk_refuses_writes_and_takes_them_again_later)
{
    make_tiny(k);
    kit_must_open(k);
    put_many(k, 200, 100);
    sim_limit_disk(k->sim, sim_disk_bytes(k->sim) + (64 << 10));
    char value[1000], key[32];
    int written = 0;
    peat_rc rc = PEAT_OK;
    memset(value, 'v', sizeof value);
    for (int i = 0; i < 5000 && rc == PEAT_OK; i++) {
        (void)snprintf(key, sizeof key, "more-%06d", i);
        rc = peat_put(k->db, NULL, peat_str(key), peat_bytes(value, sizeof value));
        written += rc == PEAT_OK;
    }
    assert_int_equal(rc, PEAT_FULL);
    assert_ok(peat_get(k->db, NULL, peat_str("key-000000"), &k->buf)); /* reads go on */
    assert_int_equal(k->buf.size, 102);
    assert_int_equal(count_all(k->db), 200 + written);
    sim_limit_disk(k->sim, 0);
    put(k, "after", "there is room"); /* and writes resume by themselves */
    kit_reopen(k);
    assert_int_equal(count_all(k->db), 201 + written);
    expect_get(k, "after", "there is room");
}
