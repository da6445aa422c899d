/* SPDX-License-Identifier: MIT */
/*
 * test_log_crash.c - power cuts at every boundary and kills, and another life of the log after
 * each. ctest: timeout=300
 */
#include "log_kit.h"

#include "log/log_format.h"

/* --- lives: what a store does between two power cuts --- */

/* What the manifest would hold durably. */
typedef struct known {
    pt_log_segment ends[64];
    size_t end_count;
    uint64_t serial_min, seq_min, open_count;
} known;

typedef struct life {
    kit k;
    known known;
    uint64_t depth;
    uint64_t lives; /* of all clones, for the test to count */
} life;

static void live(life *l, sim_env *sim, const known *before, uint64_t promised, uint64_t at_most,
                 uint64_t depth, uint64_t seed, uint64_t *io_lives);

/* Recovers as a store does: every record that was promised, no hole, ends recorded before new
 * records are accepted. Returns the last sequence. */
static uint64_t recover(life *l, uint64_t promised, uint64_t at_most)
{
    pt_log_replay replay = {.store_id = KIT_STORE_ID,
                            .serial_min = l->known.serial_min,
                            .seq_min = l->known.seq_min,
                            .ends = l->known.ends,
                            .end_count = l->known.end_count};
    kit_seen seen;
    peat_rc rc = kit_replay(&l->k, &replay, &seen);
    if (rc != PEAT_OK)
        fail_msg("code %d: %s; %s", rc, kit_error(&l->k), sim_story(l->k.sim));
    uint64_t last = pt_max_u64(seen.last, l->known.seq_min);
    if (last < promised || last > at_most || (seen.count != 0 && seen.first > l->known.seq_min + 1))
        fail_msg("sequences %" PRIu64 " to %" PRIu64 ", promised %" PRIu64 " after %" PRIu64
                 ", at most %" PRIu64 "; %s",
                 seen.first, last, promised, l->known.seq_min, at_most, sim_story(l->k.sim));

    assert_true(replay.live_count < PT_COUNT_OF(l->known.ends));
    l->known.end_count = replay.live_count;
    if (replay.live_count != 0)
        memcpy(l->known.ends, replay.live, replay.live_count * sizeof *replay.live);
    l->known.open_count++;
    pt_log_options options = {.store_id = KIT_STORE_ID,
                              .open_count = l->known.open_count,
                              /* a store's manifest may be ahead of what the disk holds */
                              .serial_next = pt_max_u64(replay.serial_max + 1, replay.serial_min),
                              .seq_synced = last,
                              .segment_bytes_min = KIT_SMALL,
                              .segment_bytes_max = 2 * KIT_SMALL,
                              .spares = replay.dead,
                              .spare_count = replay.dead_count};
    if (replay.live_count != 0) {
        const pt_log_segment *end = &replay.live[replay.live_count - 1];
        options.prev_serial = end->serial;
        options.prev_salt = end->salt;
        options.prev_end = end->end;
    }
    kit_new_log(&l->k, options);
    assert_ok(pt_log_adopt(l->k.log, replay.live, replay.live_count));
    pt_log_replay_done(l->k.env, &replay);
    l->k.seq = l->k.synced = last;
    return last;
}

/* At a boundary: power cuts of several kinds, and another life after each. */
static void cut_here(void *arg, sim_env *sim, const sim_boundary *b)
{
    life *l = arg;
    static const sim_cut_mode modes[] = {SIM_CUT_RANDOM, SIM_CUT_LOST, SIM_CUT_KEPT,
                                         SIM_CUT_PREFIX};
    size_t first = l->depth == 0 ? 0 : b->index % PT_COUNT_OF(modes);
    size_t count = l->depth == 0 ? PT_COUNT_OF(modes) : 1;
    if (l->depth != 0 && b->index % 5 != 0)
        return;
    for (size_t i = first; i < first + count; i++) {
        uint64_t seed = b->index * 31 + i + sim_seed(1);
        sim_cut cut = {.mode = modes[i], .seed = seed, .sector_bytes = b->index % 2 ? 512 : 4096};
        /* one more than acknowledged may be there: the append under way */
        live(l, sim_clone_cut(sim, &cut), &l->known, l->k.synced, l->k.seq + 1, l->depth + 1, seed,
             &l->lives);
    }
}

static void append_some(life *l, uint64_t seed)
{
    for (uint64_t i = 0; i < 40; i++) {
        kit_append(&l->k, 1, i % 9 == 0);
        uint64_t what = pt_mix(seed + i) % 8;
        if (what < 2)
            kit_sync(&l->k);
        else if (what < 5)
            kit_write(&l->k);
        else if (what == 5)
            assert_ok(pt_log_idle(l->k.log));
        if (i == 25) { /* as if a memtable was flushed and the manifest said so */
            uint64_t serial = pt_log_serial(l->k.log);
            l->known.seq_min = l->k.synced = l->k.seq;
            l->known.serial_min = serial;
            pt_log_release(l->k.log, serial);
        }
    }
}

static void live(life *parent, sim_env *sim, const known *before, uint64_t promised,
                 uint64_t at_most, uint64_t depth, uint64_t seed, uint64_t *io_lives)
{
    life l = {.known = *before, .depth = depth};
    (void)parent;
    ++*io_lives;
    kit_open(&l.k, sim);
    recover(&l, promised, at_most);
    if (depth < 2) {
        sim_hook_set(l.k.sim, cut_here, &l);
        append_some(&l, seed);
        sim_hook_set(l.k.sim, NULL, NULL);
        /* and an orderly end */
        assert_ok(pt_log_seal(l.k.log));
        l.k.synced = l.k.seq;
        live(&l, sim_clone_cut(l.k.sim, &(sim_cut){.mode = SIM_CUT_LOST}), &l.known, l.k.synced,
             l.k.seq, 2, seed, &l.lives);
    }
    *io_lives += l.lives;
    kit_close(&l.k);
    sim_free(sim);
}

TEST(synced_records_survive_power_cuts_at_every_boundary)
{
    uint64_t lives = 0, first = sim_seed(0);
    for (uint64_t round = 0; round < 2; round++) {
        known nothing = {0};
        sim_env *sim = sim_new(first + round);
        live(NULL, sim, &nothing, 0, 0, 0, round, &lives);
    }
    print_message("%" PRIu64 " lives\n", lives);
    assert_true(lives > 200);
}

/* The tail of a segment is lost while the next one survives: what is in that one must not come
 * back, neither now nor when new segments follow. */
TEST(records_behind_a_hole_never_come_back)
{
    for (uint64_t cut_at = PT_LOG_SEGMENT_HEADER; cut_at < 3600; cut_at += 160) {
        kit k;
        kit_long_log(&k, false);
        image i = image_get(&k, "w-000002");
        memset(i.data + cut_at, 0, i.size - cut_at);
        kit first;
        kit_open(&first, sim_clone_killed(k.sim));
        sim_file_put(first.sim, KIT_DIR, "w-000002", i.data, i.size);

        life l = {.k = first};
        uint64_t last = recover(&l, 0, 160);
        assert_true(last < 100);
        assert_int_equal(l.known.end_count, 2);
        for (int round = 0; round < 3; round++) {
            kit second;
            kit_open(&second, sim_clone_killed(l.k.sim));
            life again = {.k = second, .known = l.known};
            assert_int_equal(recover(&again, 0, 160), l.k.seq);
            sim_env *done = again.k.sim;
            kit_close(&again.k);
            sim_free(done);
            kit_append(&l.k, 1 + 20 * (uint64_t)round, false);
            kit_sync(&l.k);
        }
        sim_env *done = l.k.sim;
        kit_close(&l.k);
        sim_free(done);
        free(i.data);
        kit_close(&k);
    }
}

/* A page that a failed sync left in memory is not on the disk: recovery must not build on it. */
TEST(what_a_failed_sync_left_in_memory_is_not_believed)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        kit k;
        sim_env *sim = sim_new(seed);
        kit_open(&k, sim);
        kit_new_log(&k, kit_options());
        kit_append(&k, 5, false);
        kit_sync(&k);
        kit_append(&k, 10, false);
        sim_fail(sim, .kinds = SIM_BIT(SIM_FILE_SYNC), .error = EIO);
        assert_int_equal(pt_log_sync(k.log, pt_log_position(k.log)), PEAT_IO);
        sim_faults_clear(sim);

        kit other;
        kit_open(&other, sim_clone_killed(sim));
        life l = {.k = other};
        uint64_t last = recover(&l, 5, 15);
        /* what was shown is on the disk */
        kit third;
        kit_open(&third, sim_clone_cut(l.k.sim, &(sim_cut){.mode = SIM_CUT_LOST}));
        life m = {.k = third, .known = l.known};
        assert_int_equal(recover(&m, last, last), last);
        sim_env *done[] = {m.k.sim, l.k.sim, sim};
        kit_close(&m.k);
        kit_close(&l.k);
        kit_close(&k);
        for (size_t i = 0; i < PT_COUNT_OF(done); i++)
            sim_free(done[i]);
    }
}

/* A killed process leaves records that are written and not synced. */
TEST(what_recovery_shows_is_on_the_disk)
{
    kit k;
    kit_long_log(&k, false);
    kit killed;
    kit_open(&killed, sim_clone_killed(k.sim));
    life l = {.k = killed};
    assert_int_equal(recover(&l, 160, 160), 160);
    kit cut;
    kit_open(&cut, sim_clone_cut(l.k.sim, &(sim_cut){.mode = SIM_CUT_LOST}));
    life m = {.k = cut, .known = l.known};
    assert_int_equal(recover(&m, 160, 160), 160);
    sim_env *done[] = {m.k.sim, l.k.sim};
    kit_close(&m.k);
    kit_close(&l.k);
    for (size_t i = 0; i < PT_COUNT_OF(done); i++)
        sim_free(done[i]);
    kit_close(&k);
}
