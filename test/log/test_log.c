/* SPDX-License-Identifier: MIT */
/* test_log.c - appending, writing, syncing, recycling; the limits of each. */
#include "log_kit.h"

#include "log/log_format.h"
#include "support/doc_hex.h"

TEST_LOG(records_come_back_in_order)
{
    kit_append(k, 500, false);
    kit_write(k);
    assert_true(kit_files(k) >= 4);
    kit_expect(k, 500);
}

TEST_LOG(an_empty_log_makes_no_file)
{
    bool did = true;
    assert_ok(pt_log_prepare(k->log, &did));
    assert_false(did);
    assert_ok(pt_log_idle(k->log));
    assert_ok(pt_log_seal(k->log));
    assert_int_equal(kit_files(k), 0);
    kit_expect(k, 0);
}

TEST_LOG(records_larger_than_a_segment_come_back)
{
    uint64_t position;
    const size_t sizes[] = {1, 100000, 0, 3, 3776, 3744, 20000, 16064, 16000, 7, 300000};
    for (size_t i = 0; i < PT_COUNT_OF(sizes); i++)
        assert_ok(kit_append_size(k, sizes[i], &position));
    kit_sync(k);
    kit_expect_after(k, sim_clone_cut(k->sim, &(sim_cut){.mode = SIM_CUT_LOST}), k->seq);
}

/* Around the border between copied and directly written records, and between segments. */
TEST(every_size_near_a_limit_comes_back)
{
    const size_t direct = KIT_SMALL / 4 - PT_LOG_RECORD_HEADER;
    const size_t segment = KIT_SMALL - 2 * PT_LOG_SEGMENT_HEADER - PT_LOG_RESERVE;
    const size_t near[] = {direct, segment, segment - PT_LOG_RECORD_HEADER, 2 * segment};
    for (size_t i = 0; i < PT_COUNT_OF(near); i++)
        for (size_t size = near[i] - 18; size <= near[i] + 18; size++) {
            kit k;
            uint64_t position;
            kit_small_log(&k);
            for (int n = 0; n < 5; n++)
                assert_ok(kit_append_size(&k, n == 2 ? 40 : size, &position));
            assert_ok(pt_log_idle(k.log));
            assert_ok(pt_log_seal(k.log));
            kit_expect(&k, 5);
            kit_close(&k);
        }
}

TEST_LOG(a_written_record_survives_a_kill)
{
    uint64_t position;
    for (int i = 0; i < 60; i++) {
        assert_ok(kit_append_size(k, kit_payload_size(k->seq + 1, true), &position));
        assert_ok(pt_log_write(k->log, position));
        kit_expect_after(k, sim_clone_killed(k->sim), k->seq);
    }
}

/* Also when the sync comes right after a new segment was begun: the one before it is synced too. */
TEST_LOG(a_synced_record_survives_the_loss_of_everything_else)
{
    for (int i = 0; i < 40; i++) {
        kit_append(k, 1 + (uint64_t)i % 19, true);
        kit_sync(k);
        kit_expect_after(k, sim_clone_cut(k->sim, &(sim_cut){.mode = SIM_CUT_LOST}), k->seq);
        assert_int_equal(pt_log_synced_position(k->log), pt_log_position(k->log));
    }
}

TEST(released_segments_are_used_again)
{
    kit k;
    kit_small_log(&k);
    for (int round = 0; round < 50; round++) {
        uint64_t start = k.seq, serial = pt_log_serial(k.log);
        kit_append(&k, 40, false);
        if (round % 2 == 0)
            kit_sync(&k);
        pt_log_release(k.log, serial);
        assert_true(kit_files(&k) <= 8);
        kit_write(&k);

        pt_log_replay replay = kit_replay_of(serial);
        kit_seen seen;
        assert_ok(kit_replay(&k, &replay, &seen));
        assert_true(seen.first <= start + 1);
        assert_int_equal(seen.last, k.seq);
        pt_log_replay_done(k.env, &replay);
    }
    pt_log_stats stats;
    pt_log_get_stats(k.log, &stats);
    assert_int_equal(stats.disk_bytes, kit_files(&k) * KIT_SMALL);
    kit_close(&k);
}

TEST_LOG(a_closed_segment_lets_go_of_everything)
{
    for (int round = 0; round < 4; round++) {
        kit_append(k, 30, true);
        pt_log_close_segment(k->log);
        uint64_t serial = pt_log_serial(k->log);
        pt_log_release(k->log, serial);
        pt_log_trim(k->log);
        pt_log_stats stats;
        pt_log_get_stats(k->log, &stats);
        assert_int_equal(stats.segments, 0);
        assert_true(stats.disk_bytes <= KIT_SMALL);
        /* what was released is durable elsewhere: waiting for it ends at once */
        assert_ok(pt_log_sync(k->log, pt_log_position(k->log)));

        pt_log_replay replay = kit_replay_of(serial);
        kit_seen seen;
        assert_ok(kit_replay(k, &replay, &seen));
        assert_int_equal(seen.count, 0);
        pt_log_replay_done(k->env, &replay);
    }
}

TEST_LOG(the_next_segment_is_prepared_when_one_is_half_full)
{
    bool did = false;
    uint64_t position;
    assert_ok(kit_append_size(k, 100, &position));
    assert_ok(pt_log_prepare(k->log, &did));
    assert_false(did);
    while (position < KIT_SMALL / 2)
        assert_ok(kit_append_size(k, 100, &position));
    assert_ok(pt_log_prepare(k->log, &did));
    assert_true(did);
    assert_ok(pt_log_prepare(k->log, &did));
    assert_false(did);
    uint64_t made = sim_count(k->sim, SIM_BIT(SIM_FILE_CREATE));
    while (pt_log_serial(k->log) == 1)
        assert_ok(kit_append_size(k, 100, &position));
    assert_int_equal(sim_count(k->sim, SIM_BIT(SIM_FILE_CREATE)), made);
    kit_write(k);
    kit_expect(k, k->seq);
}

TEST_LOG(an_idle_log_gets_one_mark_and_a_closed_one_a_seal)
{
    for (int round = 0; round < 60; round++) {
        kit_append(k, 2, false);
        assert_ok(pt_log_idle(k->log));
        uint64_t position = pt_log_position(k->log);
        assert_ok(pt_log_idle(k->log));
        assert_int_equal(pt_log_position(k->log), position);
        pt_log_replay replay = kit_replay_of(0);
        kit_seen seen;
        assert_ok(kit_replay(k, &replay, &seen));
        assert_int_equal(replay.seq_durable_in_log, k->seq);
        assert_false(replay.sealed);
        pt_log_replay_done(k->env, &replay);
    }
    assert_ok(pt_log_seal(k->log));
    pt_log_replay replay = kit_replay_of(0);
    kit_seen seen;
    assert_ok(kit_replay(k, &replay, &seen));
    assert_true(replay.sealed);
    assert_int_equal(seen.count, 120);
    assert_int_equal(replay.torn_serial, 0);
    pt_log_replay_done(k->env, &replay);
}

TEST(zeros_are_written_ahead_of_small_syncs_only)
{
    kit k;
    pt_log_stats stats;
    pt_log_options options = kit_options();
    options.segment_bytes_min = options.segment_bytes_max = 1 << 20;
    kit_open(&k, NULL);
    kit_new_log(&k, options);
    kit_append(&k, 2000, false);
    kit_write(&k);
    kit_sync(&k);
    pt_log_get_stats(k.log, &stats);
    assert_int_equal(stats.zero_bytes, 0);
    for (int i = 0; i < 100; i++) {
        kit_append(&k, 1, false);
        kit_sync(&k);
    }
    pt_log_get_stats(k.log, &stats);
    assert_int_equal(stats.zero_bytes, 256 << 10);
    kit_append(&k, 6000, false);
    kit_sync(&k);
    for (int i = 0; i < 3; i++) {
        kit_append(&k, 1, false);
        kit_sync(&k);
    }
    kit_expect_after(&k, sim_clone_cut(k.sim, &(sim_cut){.mode = SIM_CUT_LOST}), k.seq);
    kit_close(&k);
}

TEST(a_file_system_without_allocation_gets_zeros)
{
    kit k;
    kit_open(&k, NULL);
    sim_fail(k.sim, .kinds = SIM_BIT(SIM_FILE_ALLOCATE), .error = EOPNOTSUPP, .sticky = true);
    kit_new_log(&k, kit_options());
    kit_append(&k, 100, true);
    kit_sync(&k);
    sim_faults_clear(k.sim);
    kit_expect_after(&k, sim_clone_cut(k.sim, &(sim_cut){.mode = SIM_CUT_LOST}), k.seq);
    kit_close(&k);
}

TEST(the_worked_example_of_the_document_is_true)
{
    kit k;
    uint64_t position = 0;
    kit_open(&k, NULL);
    pt_env env = *k.env;
    env.random = doc_hex_random;
    pt_log_options options = {.store_id = 0x0807060504030201ULL,
                              .open_count = 1,
                              .serial_next = 1,
                              .segment_bytes_min = 256 << 10,
                              .segment_bytes_max = 64 << 20};
    assert_ok(pt_log_new(&env, k.dir, &k.sink, &options, &k.log));
    const struct {
        uint64_t seq;
        uint32_t count;
        const char *payload;
    } records[] = {{1, 1, "put a=1"}, {2, 2, "put b=2, del a now"}};
    for (size_t i = 0; i < PT_COUNT_OF(records); i++) {
        pt_slice p = pt_slice_of(records[i].payload, strlen(records[i].payload));
        assert_ok(pt_log_append(k.log, records[i].seq, records[i].count, p, pt_hash(p.data, p.size),
                                &position));
    }
    assert_ok(pt_log_idle(k.log));
    size_t size = 0;
    uint8_t *data = sim_file_get(k.sim, KIT_DIR, "w-000001", &size);
    assert_int_equal(doc_hex_compare("src/log/log_format.md", "  ", data, size), 18);
    free(data);
    kit_close(&k);
}
