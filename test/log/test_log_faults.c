/* SPDX-License-Identifier: MIT */
/* test_log_faults.c - the log when the disk says no, and under threads. */
#include "log_kit.h"

TEST_LOG(a_full_disk_refuses_and_resumes)
{
    sim_limit_disk(k->sim, 40000);
    peat_rc rc = PEAT_OK;
    uint64_t position = 0;
    while (rc == PEAT_OK)
        rc = kit_append_size(k, 150, &position);
    assert_int_equal(rc, PEAT_FULL);
    assert_ok(pt_sink_write_failure(&k->sink));
    uint64_t before = pt_log_position(k->log);
    assert_int_equal(kit_append_size(k, 150, &position), PEAT_FULL);
    assert_int_equal(kit_append_size(k, 90000, &position), PEAT_FULL);
    assert_int_equal(pt_log_position(k->log), before);
    kit_sync(k);
    kit_expect_after(k, sim_clone_killed(k->sim), k->seq);

    sim_limit_disk(k->sim, 0);
    assert_ok(kit_append_size(k, 90000, &position));
    kit_append(k, 50, true);
    kit_sync(k);
    kit_expect(k, k->seq);
}

static void after_a_failed(sim_kind kind)
{
    kit k;
    uint64_t position = 0;
    kit_open(&k, NULL);
    kit_new_log(&k, kit_options());
    kit_append(&k, 20, false);
    kit_sync(&k);
    kit_append(&k, 3, false);
    sim_stores(k.sim, kind == SIM_FILE_STORE);
    sim_fail(k.sim, .kinds = SIM_BIT(kind), .error = EIO);
    assert_int_equal(pt_log_sync(k.log, pt_log_position(k.log)), PEAT_IO);
    assert_int_equal(pt_sink_write_failure(&k.sink), PEAT_IO);
    assert_non_null(strstr(kit_error(&k), "w-00000"));
    /* the fault is over, the write failure is not */
    uint64_t calls = sim_count(k.sim, SIM_CHANGES);
    assert_int_equal(pt_log_sync(k.log, pt_log_position(k.log)), PEAT_IO);
    if (kind != SIM_FILE_SYNC)
        assert_int_equal(pt_log_write(k.log, pt_log_position(k.log)), PEAT_IO);
    assert_int_equal(kit_append_size(&k, 10, &position), PEAT_IO);
    assert_int_equal(kit_append_size(&k, 10000, &position), PEAT_IO);
    assert_int_equal(pt_log_idle(k.log), PEAT_IO);
    assert_int_equal(pt_log_seal(k.log), PEAT_IO);
    assert_int_equal(sim_count(k.sim, SIM_CHANGES), calls);

    sim_env *after = sim_clone_cut(k.sim, &(sim_cut){.mode = SIM_CUT_RANDOM, .seed = 5});
    kit other;
    kit_open(&other, after);
    pt_log_replay replay = kit_replay_of(0);
    kit_seen seen;
    assert_ok(kit_replay(&other, &replay, &seen));
    assert_true(seen.count >= 20 && seen.count <= 23);
    pt_log_replay_done(other.env, &replay);
    kit_close(&other);
    sim_free(after);
    kit_close(&k);
}

TEST(a_failed_write_stops_writes)
{
    after_a_failed(SIM_FILE_WRITE);
    after_a_failed(SIM_FILE_STORE);
}

TEST_LINE(TEST, a_failed_sync_stops_writes_and_is_not_retried, after_a_failed(SIM_FILE_SYNC))

/* Every call fails once. Whatever was acknowledged as synced is there; nothing leaks. */
TEST(each_call_may_fail)
{
    bool hit = true;
    for (uint64_t at = 1; hit; at++) {
        kit k;
        peat_rc rc = PEAT_OK;
        uint64_t position = 0;
        kit_open(&k, NULL);
        unsigned fault =
            sim_fail(k.sim, .kinds = SIM_ANY, .at = at, .error = at % 2 ? EIO : ENOSPC);
        pt_log_options options = kit_options();
        rc = pt_log_new(k.env, k.dir, &k.sink, &options, &k.log);
        for (int i = 0; i < 45 && rc == PEAT_OK; i++) {
            rc = kit_append_size(&k, kit_payload_size(k.seq + 1, true), &position);
            if (rc == PEAT_OK && i % 5 == 0 && (rc = pt_log_sync(k.log, position)) == PEAT_OK)
                k.synced = k.seq;
            if (i == 30)
                pt_log_release(k.log, 2);
        }
        hit = sim_fault_hits(k.sim, fault) > 0;
        sim_faults_clear(k.sim);
        sim_env *after = sim_clone_cut(k.sim, &(sim_cut){.mode = SIM_CUT_RANDOM, .seed = at});
        kit other;
        kit_open(&other, after);
        pt_log_replay replay = kit_replay_of(0);
        kit_seen seen;
        replay.seq_min = k.seq > 30 ? 30 : 0;
        replay.serial_min = k.seq > 30 ? 2 : 0;
        if (kit_replay(&other, &replay, &seen) != PEAT_OK)
            fail_msg("call %" PRIu64 ": %s; %s", at, kit_error(&other), sim_story(after));
        assert_true(pt_max_u64(seen.last, replay.seq_min) >= k.synced && seen.last <= k.seq + 1);
        pt_log_replay_done(other.env, &replay);
        kit_close(&other);
        sim_free(after);
        kit_close(&k);
    }
}

/* --- threads --- */

typedef struct crowd {
    kit *k;
    pt_mutex commit;
    uint64_t per_thread;
    bool sync;
    _Atomic bool failed;
} crowd;

static void crowd_member(void *arg)
{
    crowd *c = arg;
    for (uint64_t i = 0; i < c->per_thread; i++) {
        uint64_t position = 0;
        pt_mutex_lock(&c->commit);
        peat_rc rc = kit_append_size(c->k, kit_payload_size(c->k->seq + 1, true), &position);
        pt_mutex_unlock(&c->commit);
        if (rc == PEAT_OK)
            rc = c->sync && i % 3 == 0 ? pt_log_sync(c->k->log, position)
                                       : pt_log_write(c->k->log, position);
        if (rc != PEAT_OK)
            c->failed = true;
    }
}

static void crowd_upkeep(void *arg)
{
    crowd *c = arg;
    for (uint64_t i = 0; i < c->per_thread; i++) {
        bool did = false;
        if (pt_log_prepare(c->k->log, &did) != PEAT_OK)
            c->failed = true;
        uint64_t serial = pt_log_serial(c->k->log);
        if (serial > 6)
            pt_log_release(c->k->log, serial - 5);
        pt_log_stats stats;
        pt_log_get_stats(c->k->log, &stats);
    }
}

static void run_crowd(bool sync, bool upkeep)
{
    kit k;
    kit_open(&k, NULL);
    kit_new_log(&k, kit_options());
    crowd c = {.k = &k, .per_thread = 400, .sync = sync};
    pt_mutex_init(&c.commit);
    peat_env_thread *threads[5];
    for (size_t i = 0; i < PT_COUNT_OF(threads); i++)
        assert_int_equal(k.env->thread_start(k.env->ctx,
                                             upkeep && i == 4 ? crowd_upkeep : crowd_member, &c,
                                             &threads[i]),
                         0);
    for (size_t i = 0; i < PT_COUNT_OF(threads); i++)
        k.env->thread_join(k.env->ctx, threads[i]);
    assert_false(c.failed);
    pt_mutex_done(&c.commit);
    pt_log_stats stats;
    pt_log_get_stats(k.log, &stats);
    assert_true(stats.syncs <= 5 * 400 + 2 * stats.segments || upkeep);
    if (!upkeep) {
        kit_expect(&k, k.seq);
    } else {
        pt_log_release(k.log, pt_log_serial(k.log) - 3);
        pt_log_replay replay = kit_replay_of(pt_log_serial(k.log) - 3);
        kit_seen seen;
        assert_ok(kit_replay(&k, &replay, &seen));
        assert_int_equal(seen.last, k.seq);
        pt_log_replay_done(k.env, &replay);
    }
    kit_close(&k);
}

TEST_LINE(TEST, threads_write_for_one_another, run_crowd(false, false))
TEST_LINE(TEST, threads_share_syncs, run_crowd(true, false))
TEST_LINE(TEST, segments_are_prepared_and_released_meanwhile, run_crowd(true, true))
