/* SPDX-License-Identifier: MIT */
/*
 * test_log_recovery.c - torn tails, flips, cuts, missing segments, strange files. The one thing
 * that must never happen is asserted by kit_replay in every test: a wrong record.
 */
#include "log_kit.h"

#include "log/log_format.h"

/* A fresh machine whose store directory holds these bytes as the file `name`. */
static void kit_with(kit *k, const char *name, const uint8_t *data, size_t size)
{
    kit_open(k, NULL);
    sim_file_put(k->sim, KIT_DIR, name, data, size);
}

static void expect_corrupt(kit *k, pt_log_replay replay, const char *file)
{
    kit_seen seen;
    peat_rc rc = kit_replay(k, &replay, &seen);
    if (rc != PEAT_CORRUPT || strstr(kit_error(k), file) == NULL ||
        strstr(kit_error(k), "@") == NULL)
        fail_msg("expected PEAT_CORRUPT for %s, got %d: %s (last %" PRIu64 ")", file, rc,
                 kit_error(k), seen.last);
}

/* Twelve records in one segment: written, then perhaps synced and marked. */
static image small_log(bool marked, uint64_t ret_end[13])
{
    kit k;
    kit_open(&k, NULL);
    kit_new_log(&k, kit_options());
    ret_end[0] = PT_LOG_SEGMENT_HEADER;
    for (int i = 0; i < 12; i++) {
        kit_append(&k, 1, false);
        ret_end[i + 1] = pt_log_position(k.log);
    }
    if (marked)
        assert_ok(pt_log_idle(k.log));
    kit_write(&k);
    image i = image_get(&k, "w-000001");
    kit_close(&k);
    return i;
}

static uint64_t records_before(const uint64_t end[13], uint64_t offset)
{
    uint64_t n = 0;
    while (n < 12 && end[n + 1] <= offset)
        n++;
    return n;
}

/* Whatever byte an unsynced tail ends at, the whole records before it are there. */
TEST(a_torn_tail_ends_the_log)
{
    uint64_t end[13];
    image i = small_log(false, end);
    uint8_t *torn = malloc(i.size);
    for (uint64_t at = PT_LOG_SEGMENT_HEADER; at <= end[12]; at++) {
        memcpy(torn, i.data, i.size);
        memset(torn + at, 0, end[12] - at);
        kit k;
        kit_with(&k, "w-000001", torn, i.size);
        uint64_t n = records_before(end, at);
        /* padding is not part of a record: it may be zero already */
        pt_log_replay replay = kit_replay_of(0);
        kit_seen seen;
        assert_ok(kit_replay(&k, &replay, &seen));
        assert_true(seen.last == n || seen.last == n + 1);
        if (seen.last == n + 1)
            assert_memory_equal(torn + at, i.data + at, end[n + 1] - at);
        pt_log_replay_done(k.env, &replay);
        kit_close(&k);
    }
    free(torn);
    free(i.data);
}

/* One flipped bit anywhere in a log whose records were all synced: all of them, or PEAT_CORRUPT. */
TEST(a_flip_in_the_synced_part_is_never_silent)
{
    uint64_t end[13];
    image i = small_log(true, end);
    kit k;
    kit_with(&k, "w-000001", i.data, i.size);
    uint64_t refused = 0;
    for (uint64_t bit = 0; bit < 8 * i.size; bit++) {
        assert_true(sim_file_flip(k.sim, KIT_DIR, "w-000001", bit / 8, (uint8_t)(1u << bit % 8)));
        pt_log_replay replay = kit_replay_of(0);
        kit_seen seen;
        peat_rc rc = kit_replay(&k, &replay, &seen);
        if (rc == PEAT_CORRUPT) {
            refused++;
            assert_non_null(strstr(kit_error(&k), "w-000001 @"));
        } else if (rc != PEAT_OK || seen.last != 12) {
            fail_msg("bit %" PRIu64 " of byte %" PRIu64 ": code %d, %" PRIu64 " records", bit % 8,
                     bit / 8, rc, seen.last);
        }
        pt_log_replay_done(k.env, &replay);
        assert_true(sim_file_flip(k.sim, KIT_DIR, "w-000001", bit / 8, (uint8_t)(1u << bit % 8)));
    }
    /* every header bit, and every payload bit */
    uint64_t payload = 0;
    for (uint64_t seq = 1; seq <= 12; seq++)
        payload += 8 * (PT_LOG_RECORD_HEADER + kit_payload_size(seq, false));
    assert_int_equal(refused, payload);
    kit_close(&k);
    free(i.data);
}

/* Without a promise a flip cannot be told from a torn tail, but then the log ends there. */
TEST(a_flip_in_the_unsynced_part_ends_the_log)
{
    uint64_t end[13];
    image i = small_log(false, end);
    kit k;
    kit_with(&k, "w-000001", i.data, i.size);
    for (uint64_t bit = 0; bit < 8 * i.size; bit++) {
        assert_true(sim_file_flip(k.sim, KIT_DIR, "w-000001", bit / 8, (uint8_t)(1u << bit % 8)));
        pt_log_replay replay = kit_replay_of(0);
        kit_seen seen;
        assert_ok(kit_replay(&k, &replay, &seen));
        assert_true(seen.last == 12 || seen.last == records_before(end, bit / 8));
        pt_log_replay_done(k.env, &replay);
        assert_true(sim_file_flip(k.sim, KIT_DIR, "w-000001", bit / 8, (uint8_t)(1u << bit % 8)));
    }
    kit_close(&k);
    free(i.data);
}

/* A file is as long as its header says before the header is written. */
TEST(a_shortened_file_is_never_silent)
{
    uint64_t end[13];
    image i = small_log(true, end);
    for (size_t size = 0; size < i.size; size++) {
        kit k;
        kit_with(&k, "w-000001", i.data, size);
        pt_log_replay replay = kit_replay_of(0);
        kit_seen seen;
        peat_rc rc = kit_replay(&k, &replay, &seen);
        if (size >= PT_LOG_SEGMENT_HEADER) {
            assert_int_equal(rc, PEAT_CORRUPT);
            assert_non_null(strstr(kit_error(&k), "w-000001 @"));
        } else {
            /* no header: as a file that was being made; the manifest knows of recorded ones */
            assert_ok(rc);
            assert_int_equal(seen.count, 0);
            pt_log_segment known = {.slot = 1, .serial = 1, .end = end[12]};
            pt_log_replay_done(k.env, &replay);
            replay = kit_replay_of(0);
            replay.ends = &known;
            replay.end_count = 1;
            expect_corrupt(&k, replay, "w-000001");
        }
        pt_log_replay_done(k.env, &replay);
        kit_close(&k);
    }
    free(i.data);
}

/* --- more than one segment --- */

TEST(a_missing_segment_is_damage_when_it_was_synced)
{
    for (int marked = 0; marked < 2; marked++)
        for (unsigned n = 1; n <= 4; n++) {
            kit k;
            char name[16];
            kit_long_log(&k, marked);
            (void)snprintf(name, sizeof name, "w-%06u", n);
            assert_true(sim_file_delete(k.sim, KIT_DIR, name));
            if (marked) {
                expect_corrupt(&k, kit_replay_of(0), "w-00000");
            } else {
                pt_log_replay replay = kit_replay_of(0);
                kit_seen seen;
                assert_ok(kit_replay(&k, &replay, &seen));
                assert_int_equal(replay.live_count, n - 1);
                assert_true(seen.last < 160);
                pt_log_replay_done(k.env, &replay);
            }
            kit_close(&k);
        }
}

TEST(either_copy_of_a_header_is_enough)
{
    kit k;
    kit_long_log(&k, true);
    for (int copy = 0; copy < 2; copy++)
        for (unsigned n = 1; n <= 5; n++) {
            char name[16];
            uint64_t at = copy == 0 ? 40 : KIT_SMALL - PT_LOG_SEGMENT_HEADER + 40;
            (void)snprintf(name, sizeof name, "w-%06u", n);
            assert_true(sim_file_flip(k.sim, KIT_DIR, name, at, 0x10));
            kit_expect(&k, 160);
            assert_true(sim_file_flip(k.sim, KIT_DIR, name, at, 0x10));
        }
    kit_close(&k);
}

TEST(strange_files_are_told_apart)
{
    kit k;
    kit_long_log(&k, true);
    image i = image_get(&k, "w-000002");
    /* not ours, not a segment, or nothing yet: no harm */
    sim_file_put(k.sim, KIT_DIR, "w-1", "abc", 3);
    sim_file_put(k.sim, KIT_DIR, "w-0000001", i.data, i.size);
    sim_file_put(k.sim, KIT_DIR, "notes.txt", "abc", 3);
    sim_file_put(k.sim, KIT_DIR, "w-000077", "abc", 3);
    sim_file_put(k.sim, KIT_DIR, "w-000078", "", 0);
    sim_plant_link(k.sim, KIT_DIR, "w-000079");
    pt_log_replay replay = kit_replay_of(0);
    kit_seen seen;
    assert_ok(kit_replay(&k, &replay, &seen));
    assert_int_equal(seen.count, 160);
    assert_int_equal(replay.dead_count, 2);
    pt_log_replay_done(k.env, &replay);
    /* a segment under another name */
    sim_file_put(k.sim, KIT_DIR, "w-000080", i.data, i.size);
    expect_corrupt(&k, kit_replay_of(0), "w-000080");
    assert_true(sim_file_delete(k.sim, KIT_DIR, "w-000080"));
    /* another store's */
    replay = kit_replay_of(0);
    replay.store_id = 5;
    expect_corrupt(&k, replay, "w-00000");
    free(i.data);
    kit_close(&k);
}

TEST(a_damaged_fragment_loses_its_record_or_is_reported)
{
    for (int marked = 0; marked < 2; marked++) {
        kit k;
        uint64_t position;
        kit_small_log(&k);
        kit_append(&k, 5, false);
        assert_ok(kit_append_size(&k, 20000, &position));
        if (marked)
            assert_ok(pt_log_idle(k.log));
        unsigned files = kit_files(&k);
        assert_true(files >= 5);
        for (unsigned n = 1; n <= files; n++) {
            char name[16];
            (void)snprintf(name, sizeof name, "w-%06u", n);
            /* near the end of each file, but in front of the reserve; the last one is not full */
            uint64_t at = n < files ? KIT_SMALL - 300 : PT_LOG_SEGMENT_HEADER + 40;
            assert_true(sim_file_flip(k.sim, KIT_DIR, name, at, 1));
            if (marked) {
                expect_corrupt(&k, kit_replay_of(0), "w-000001");
            } else {
                pt_log_replay replay = kit_replay_of(0);
                kit_seen seen;
                assert_ok(kit_replay(&k, &replay, &seen));
                assert_int_equal(seen.last, 5);
                assert_int_equal(replay.live_count, 1);
                assert_int_equal(replay.dead_count, files - 1);
                assert_int_equal(replay.torn_serial, 1);
                pt_log_replay_done(k.env, &replay);
            }
            assert_true(sim_file_flip(k.sim, KIT_DIR, name, at, 1));
        }
        kit_expect(&k, 6);
        kit_close(&k);
    }
}

TEST(a_read_only_replay_changes_nothing)
{
    kit k;
    kit_long_log(&k, true);
    uint64_t changes = sim_count(k.sim, SIM_CHANGES);
    pt_log_replay replay = kit_replay_of(0);
    replay.read_only = true;
    kit_seen seen;
    sim_read_only(k.sim, true);
    assert_ok(kit_replay(&k, &replay, &seen));
    sim_read_only(k.sim, false);
    assert_int_equal(seen.count, 160);
    assert_int_equal(sim_count(k.sim, SIM_CHANGES), changes);
    pt_log_replay_done(k.env, &replay);
    kit_close(&k);
}

/* Headers whose checksums are right and whose contents are not. */
TEST(hostile_records_are_refused_without_memory)
{
    uint64_t end[13];
    image i = small_log(false, end);
    pt_log_header h;
    assert_true(pt_log_header_decode(i.data, 0, &h));
    const pt_log_record_header hostile[] = {
        {.kind = PT_LOG_FULL, .length = PT_LOG_FRAGMENT_MAX, .count = 1, .first_seq = 7},
        {.kind = PT_LOG_FULL, .length = KIT_SMALL, .count = 1, .first_seq = 7},
        {.kind = PT_LOG_FIRST, .length = PT_LOG_FRAGMENT_MAX, .count = 1, .first_seq = 7},
        {.kind = PT_LOG_LAST, .length = 8, .count = 1, .first_seq = 7},
        {.kind = PT_LOG_NEXT, .length = 8, .count = 1, .first_seq = 7},
        {.kind = PT_LOG_FIRST, .length = 8, .count = 1, .first_seq = 7},
        {.kind = PT_LOG_IDLE, .length = 8, .count = 0, .first_seq = 7},
        {.kind = PT_LOG_SEAL, .length = 0, .count = 3, .first_seq = 7},
        {.kind = PT_LOG_FULL, .length = 0, .count = 0, .first_seq = 7},
        {.kind = PT_LOG_FULL, .length = 0, .count = 1, .first_seq = 7, .durable_gap = 9},
    };
    for (size_t n = 0; n < PT_COUNT_OF(hostile); n++) {
        image bad = {.data = malloc(i.size), .size = i.size};
        memcpy(bad.data, i.data, i.size);
        pt_log_record_encode(&hostile[n], pt_log_salt(&h), end[6], bad.data + end[6]);
        kit k;
        kit_with(&k, "w-000001", bad.data, bad.size);
        pt_log_replay replay = kit_replay_of(0);
        kit_seen seen;
        sim_peak_reset(k.sim);
        assert_ok(kit_replay(&k, &replay, &seen));
        assert_int_equal(seen.last, 6);
        assert_true(sim_get_held(k.sim).bytes_peak < 64 << 10);
        pt_log_replay_done(k.env, &replay);
        kit_close(&k);
        free(bad.data);
    }
    /* a sequence that comes twice */
    pt_log_record_header again = {
        .kind = PT_LOG_FULL, .length = 0, .count = 1, .first_seq = 6, .durable_gap = 1};
    again.payload_check = pt_log_payload_check(pt_hash(NULL, 0), 6, pt_log_salt(&h), end[6]);
    pt_log_record_encode(&again, pt_log_salt(&h), end[6], i.data + end[6]);
    kit k;
    kit_with(&k, "w-000001", i.data, i.size);
    expect_corrupt(&k, kit_replay_of(0), "w-000001");
    kit_close(&k);
    free(i.data);
}

TEST(damage_before_a_recorded_end_is_reported)
{
    uint64_t end[13];
    image i = small_log(false, end);
    kit k;
    kit_with(&k, "w-000001", i.data, i.size);
    pt_log_segment recorded = {.slot = 1, .serial = 1, .end = end[10]};
    pt_log_replay replay = kit_replay_of(0);
    replay.ends = &recorded;
    replay.end_count = 1;
    kit_seen seen;
    assert_ok(kit_replay(&k, &replay, &seen));
    assert_int_equal(seen.last, 10);
    pt_log_replay_done(k.env, &replay);
    recorded.end = 4; /* inside the header, which no manifest of ours says */
    expect_corrupt(&k, replay, "w-000001");
    recorded.end = end[10];
    assert_true(sim_file_flip(k.sim, KIT_DIR, "w-000001", end[4] + 3, 4));
    expect_corrupt(&k, replay, "w-000001");
    kit_close(&k);
    free(i.data);
}
