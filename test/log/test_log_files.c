/* SPDX-License-Identifier: MIT */
/* test_log_files.c - how many descriptors a log holds: a segment's from its making to its last
 * sync. */
#include "log_kit.h"

static uint64_t files_held(kit *k)
{
    return sim_get_held(k->sim).files;
}

static uint64_t segments(kit *k)
{
    pt_log_stats s;
    pt_log_get_stats(k->log, &s);
    return s.segments;
}

static void append_segments(kit *k, uint64_t count)
{
    for (uint64_t wanted = segments(k) + count; segments(k) < wanted;)
        kit_append(k, 1, false);
}

TEST_LOG(finished_segments_are_closed_by_their_last_sync)
{
    append_segments(k, 5);
    kit_write(k);
    assert_int_equal(files_held(k), 5); /* not synced */
    kit_sync(k);
    assert_int_equal(files_held(k), 1);
    assert_int_equal(segments(k), 5); /* all are still needed */
    append_segments(k, 2);
    kit_sync(k);
    assert_int_equal(files_held(k), 1);
}

TEST(closed_segments_are_released_and_used_again)
{
    kit k;
    pt_log_stats s;
    pt_log_options o = kit_options();
    o.segment_bytes_max = o.segment_bytes_min;
    kit_open(&k, NULL);
    kit_new_log(&k, o);
    append_segments(&k, 4);
    kit_sync(&k);
    pt_log_release(k.log, pt_log_serial(k.log));
    pt_log_get_stats(k.log, &s);
    assert_int_equal(s.segments, 1);
    assert_int_equal(s.spares, 2);
    assert_int_equal(files_held(&k), 1);
    append_segments(&k, 2); /* the spares */
    kit_sync(&k);
    pt_log_get_stats(k.log, &s);
    assert_int_equal(s.segments, 3);
    assert_int_equal(s.spares, 0);
    kit_close(&k);
}

TEST_LOG(a_log_goes_on_with_two_descriptors)
{
    sim_limit_files(k->sim, 3); /* the directory is one */
    append_segments(k, 12);     /* syncs what is finished, to close it */
    kit_append(k, 200, false);
    assert_true(files_held(k) <= 2);
    kit_sync(k);
    kit_seen seen = {0};
    pt_log_replay r = {.store_id = KIT_STORE_ID, .read_only = true};
    assert_ok(pt_log_replay_run(k->env, k->dir, &k->sink, &r, kit_visit, &seen));
    assert_int_equal(seen.last, k->seq);
    assert_int_equal(seen.count, k->seq);
    assert_false(seen.wrong);
    pt_log_replay_done(k->env, &r);
}

TEST_LOG(without_a_descriptor_an_append_fails_and_can_be_repeated)
{
    uint64_t position;
    kit_append(k, 3, false);
    sim_limit_files(k->sim, 2); /* the directory and the first segment */
    peat_rc rc = PEAT_OK;
    for (int i = 0; i < 1000 && rc == PEAT_OK; i++)
        rc = kit_append_size(k, 100, &position);
    assert_int_equal(rc, PEAT_IO);
    assert_non_null(strstr(kit_error(k), "cannot be made"));
    assert_ok(pt_sink_write_failure(&k->sink));
    sim_limit_files(k->sim, 0);
    kit_append(k, 100, false);
    kit_sync(k);
}

TEST_LOG(a_segment_made_ready_is_no_descriptor_at_rest)
{
    bool did = false;
    while (!did) {
        kit_append(k, 1, false);
        assert_ok(pt_log_prepare(k->log, &did));
    }
    kit_sync(k);
    assert_int_equal(files_held(k), 2);
    pt_log_rest(k->log);
    assert_int_equal(files_held(k), 1);
    append_segments(k, 1);
    kit_sync(k);
}
