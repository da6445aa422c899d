/* SPDX-License-Identifier: MIT */
/*
 * log_kit.h - a store directory in the simulated environment with nothing in it but a log. The
 * payload of a record follows from its sequence number, so a replay can tell right from wrong
 * without being told what was written.
 */
#ifndef PT_TEST_LOG_LOG_KIT_H
#define PT_TEST_LOG_LOG_KIT_H

#include "base/hash.h"
#include "log/log.h"
#include "support/sim_env.h"
#include "world/test.h"

#define KIT_DIR      "db"
#define KIT_STORE_ID 0x1122334455667788ULL
#define KIT_SMALL    4096u

typedef struct kit {
    sim_env *sim;
    bool owns_sim;
    const pt_env *env;
    pt_dir *dir;
    pt_sink sink;
    pt_log *log;
    uint64_t seq;    /* of the last append */
    uint64_t synced; /* acknowledged as synced */
} kit;

static inline void kit_open(kit *k, sim_env *sim)
{
    memset(k, 0, sizeof *k);
    k->owns_sim = sim == NULL;
    k->sim = sim != NULL ? sim : sim_new(sim_seed(1));
    k->env = sim_peat(k->sim);
    pt_sink_init(&k->sink);
    assert_int_equal(k->env->dir_open(k->env->ctx, KIT_DIR, PEAT_ENV_DIR_CREATE, &k->dir), 0);
}

static inline void kit_close(kit *k)
{
    pt_log_free(k->log);
    k->env->dir_close(k->env->ctx, k->dir);
    pt_sink_done(&k->sink);
    assert_true(sim_is_clean(k->sim));
    if (k->owns_sim)
        sim_free(k->sim);
}

static inline const char *kit_error(kit *k)
{
    static peat_error e;
    pt_sink_get(&k->sink, &e);
    return e.message;
}

static inline pt_log_options kit_options(void)
{
    return (pt_log_options){.store_id = KIT_STORE_ID,
                            .open_count = 1,
                            .serial_next = 1,
                            .segment_bytes_min = KIT_SMALL,
                            .segment_bytes_max = 4 * KIT_SMALL};
}

static inline void kit_new_log(kit *k, pt_log_options options)
{
    assert_ok(pt_log_new(k->env, k->dir, &k->sink, &options, &k->log));
}

static inline int kit_begin(void **state)
{
    kit *k = malloc(sizeof *k);
    kit_open(k, NULL);
    kit_new_log(k, kit_options());
    *state = k;
    return 0;
}

static inline int kit_end(void **state)
{
    kit_close(*state);
    free(*state);
    return 0;
}

/* With an empty log. */
#define TEST_LOG(name) TEST_WITH(name, kit *k, kit_begin, kit_end)

/* 0 to 210 bytes for most sequences, some kilobytes for every 17th when asked for. */
static inline size_t kit_payload_size(uint64_t seq, bool large)
{
    uint64_t h = pt_mix(seq * 7919);
    return large && seq % 17 == 0 ? 1000 + h % 14000 : h % 211;
}

static inline void kit_payload(uint64_t seq, uint8_t *ret_payload, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ret_payload[i] = (uint8_t)(pt_mix(seq + i / 8) >> (i % 8 * 8));
}

/* Appends the record of the next sequence, with `size` bytes. */
static inline peat_rc kit_append_size(kit *k, size_t size, uint64_t *ret_position)
{
    uint8_t *p = malloc(size + 1);
    assert_non_null(p);
    kit_payload(k->seq + 1, p, size);
    uint64_t position = 0;
    peat_rc rc =
        pt_log_append(k->log, k->seq + 1, 1, pt_slice_of(p, size), pt_hash(p, size), &position);
    free(p);
    if (rc == PEAT_OK) {
        k->seq++;
        *ret_position = position;
    }
    return rc;
}

static inline void kit_append(kit *k, uint64_t count, bool large)
{
    uint64_t position;
    for (uint64_t i = 0; i < count; i++)
        assert_ok(kit_append_size(k, kit_payload_size(k->seq + 1, large), &position));
}

static inline void kit_write(kit *k)
{
    assert_ok(pt_log_write(k->log, pt_log_position(k->log)));
}

static inline void kit_sync(kit *k)
{
    uint64_t seq = k->seq;
    assert_ok(pt_log_sync(k->log, pt_log_position(k->log)));
    k->synced = seq;
}

/* What a replay has shown. */
typedef struct kit_seen {
    uint64_t first, last, count;
    bool wrong;
} kit_seen;

static inline peat_rc kit_visit(void *ctx, const pt_log_record *r)
{
    kit_seen *seen = ctx;
    uint8_t *expected = malloc(r->payload.size + 1);
    kit_payload(r->first_seq, expected, r->payload.size);
    if (seen->first == 0)
        seen->first = r->first_seq;
    if ((seen->last != 0 && r->first_seq != seen->last + 1) || r->count != 1 ||
        (r->payload.size != 0 && memcmp(expected, r->payload.data, r->payload.size) != 0))
        seen->wrong = true;
    seen->last = r->first_seq;
    seen->count++;
    free(expected);
    return PEAT_OK;
}

static inline pt_log_replay kit_replay_of(uint64_t serial_min)
{
    return (pt_log_replay){.store_id = KIT_STORE_ID, .serial_min = serial_min};
}

/* Never shows a wrong record, whatever its code. */
static inline peat_rc kit_replay(kit *k, pt_log_replay *io_replay, kit_seen *ret_seen)
{
    *ret_seen = (kit_seen){0};
    peat_rc rc = pt_log_replay_run(k->env, k->dir, &k->sink, io_replay, kit_visit, ret_seen);
    if (ret_seen->wrong)
        fail_msg("a wrong record near sequence %" PRIu64 "; %s", ret_seen->last, sim_story(k->sim));
    return rc;
}

/* The whole log, from its first record to `last`. */
static inline void kit_expect(kit *k, uint64_t last)
{
    pt_log_replay replay = kit_replay_of(0);
    kit_seen seen;
    peat_rc rc = kit_replay(k, &replay, &seen);
    if (rc != PEAT_OK || seen.last != last || seen.count != last)
        fail_msg("replay: code %d (%s), %" PRIu64 " records, last %" PRIu64 ", expected %" PRIu64
                 "; %s",
                 rc, kit_error(k), seen.count, seen.last, last, sim_story(k->sim));
    assert_int_equal(replay.seq_last, last);
    pt_log_replay_done(k->env, &replay);
}

/* The same after a power cut or a kill. */
static inline void kit_expect_after(kit *k, sim_env *after, uint64_t last)
{
    kit other;
    kit_open(&other, after);
    kit_expect(&other, last);
    kit_close(&other);
    sim_free(after);
    (void)k;
}

static inline int kit_count_file(void *arg, const char *name, bool regular_file, uint64_t size)
{
    (void)size;
    *(unsigned *)arg += regular_file && name[0] == 'w' && name[1] == '-';
    return 0;
}

static inline unsigned kit_files(kit *k)
{
    unsigned n = 0;
    assert_int_equal(sim_file_list(k->sim, KIT_DIR, kit_count_file, &n), 0);
    return n;
}

typedef struct image {
    uint8_t *data;
    size_t size;
} image;

static inline image image_get(kit *k, const char *name)
{
    image i = {0};
    i.data = sim_file_get(k->sim, KIT_DIR, name, &i.size);
    assert_non_null(i.data);
    return i;
}

/* With segments of 4 KiB. */
static inline void kit_small_log(kit *k)
{
    pt_log_options options = kit_options();
    options.segment_bytes_max = KIT_SMALL;
    kit_open(k, NULL);
    kit_new_log(k, options);
}

/* Records over five or more segments of 4 KiB. */
static inline void kit_long_log(kit *k, bool marked)
{
    kit_small_log(k);
    kit_append(k, 160, false);
    kit_write(k);
    if (marked)
        assert_ok(pt_log_idle(k->log));
    assert_true(kit_files(k) >= 5);
}

#endif
