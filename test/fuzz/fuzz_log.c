/* SPDX-License-Identifier: MIT */
/*
 * fuzz_log.c - up to four log segments, recovered; then a new log goes on behind them, and a second
 * recovery must show what the first one showed and the new records.
 *
 * Input: flags, serial_min u8, seq_min u8, then segments: file size u8 (in KiB, at least 4), bytes
 * u16, these bytes (zeros follow).
 */
#include "fuzz/fuzz.h"
#include "log/log.h"
#include "log/log_format.h"
#include "support/sim_env.h"

#include <stdio.h>
#include <stdlib.h>

#define FUZZ_FOLLOW    2u /* with FUZZ_REPAIR: each segment names the one before it */
#define FUZZ_READ_ONLY 4u
#define SEGMENTS_MAX   4
#define STORE_ID       0x1122334455667788ULL

typedef struct seen {
    size_t records;
    uint64_t last, sum; /* of everything shown */
} seen;

static peat_rc visit(void *ctx, const pt_log_record *r)
{
    seen *s = ctx;
    FUZZ_REQUIRE(r->first_seq > s->last, "sequences ascend");
    FUZZ_REQUIRE(r->count != 0, "a record shown has operations");
    s->last = r->first_seq + r->count - 1;
    s->sum = pt_mix(s->sum ^ pt_mix(r->first_seq) ^ pt_hash(r->payload.data, r->payload.size));
    s->records++;
    return PEAT_OK;
}

typedef struct place {
    const pt_env *env;
    pt_dir *dir;
    pt_sink sink;
    uint64_t serial_min, seq_min;
    const pt_log_segment *ends;
    size_t end_count;
    bool read_only;
} place;

static peat_rc replay(place *p, pt_log_replay *ret_replay, seen *ret_seen)
{
    *ret_seen = (seen){0};
    *ret_replay = (pt_log_replay){.store_id = STORE_ID,
                                  .serial_min = p->serial_min,
                                  .seq_min = p->seq_min,
                                  .ends = p->ends,
                                  .end_count = p->end_count,
                                  .read_only = p->read_only};
    return pt_log_replay_run(p->env, p->dir, &p->sink, ret_replay, visit, ret_seen);
}

/* Three records behind what was recovered, as the store would write them. */
static void write_more(place *p, const pt_log_replay *r, uint64_t first_seq)
{
    pt_log_options o = {.store_id = STORE_ID,
                        .open_count = 77,
                        .serial_next = pt_max_u64(r->serial_max + 1, p->serial_min),
                        .seq_synced = first_seq - 1,
                        .segment_bytes_min = 4096,
                        .segment_bytes_max = 8192,
                        .spares = r->dead,
                        .spare_count = r->dead_count};
    pt_log *log = NULL;
    uint64_t position = 0;
    if (r->live_count != 0) {
        const pt_log_segment *last = &r->live[r->live_count - 1];
        o.prev_serial = last->serial;
        o.prev_salt = last->salt;
        o.prev_end = last->end;
    }
    FUZZ_REQUIRE(pt_log_new(p->env, p->dir, &p->sink, &o, &log) == PEAT_OK &&
                     pt_log_adopt(log, r->live, r->live_count) == PEAT_OK,
                 "a log goes on after a recovery");
    for (uint64_t i = 0; i < 3; i++) {
        uint8_t payload[40] = {(uint8_t)i};
        FUZZ_REQUIRE(pt_log_append(log, first_seq + i, 1, pt_slice_of(payload, sizeof payload),
                                   pt_hash(payload, sizeof payload), &position) == PEAT_OK,
                     "records can be written");
    }
    FUZZ_REQUIRE(pt_log_sync(log, position) == PEAT_OK, "and synced");
    pt_log_free(log);
}

static size_t use_log(place *p)
{
    pt_log_replay r, again;
    seen first, second;
    if (replay(p, &r, &first) != PEAT_OK)
        return 0;
    uint64_t next = pt_max_u64(first.last, p->seq_min) + 1;
    FUZZ_REQUIRE(r.seq_last == first.last, "the end is that of the last record");
    /* counted up by ones, the largest are never reached */
    if (!p->read_only && r.serial_max < PT_STORED_NUMBER_MAX && next < PT_STORED_NUMBER_MAX - 3) {
        write_more(p, &r, next);
        p->ends = r.live; /* durable by then */
        p->end_count = r.live_count;
        FUZZ_REQUIRE(replay(p, &again, &second) == PEAT_OK, "what was recovered recovers again");
        FUZZ_REQUIRE(second.records == first.records + 3 && second.last == next + 2,
                     "with the new records");
        pt_log_replay_done(p->env, &again);
    }
    pt_log_replay_done(p->env, &r);
    return first.records;
}

static void put_segments(sim_env *sim, pt_cursor *c, unsigned flags)
{
    fuzz_log_chain chain = {0};
    for (unsigned i = 1; i <= SEGMENTS_MAX && pt_cursor_left(c) > 3; i++) {
        size_t file_size = ((size_t)pt_cursor_u8(c) % 16 + 4) << 10;
        size_t n = fuzz_u16(c), left = pt_cursor_left(c);
        pt_slice bytes = pt_cursor_bytes(c, n < left ? n : left);
        uint8_t *file = calloc(1, file_size);
        char name[32];
        if (bytes.size != 0)
            memcpy(file, bytes.data, bytes.size < file_size ? bytes.size : file_size);
        if (flags & FUZZ_REPAIR) {
            pt_put_u64(file + 24, STORE_ID);
            pt_put_u64(file + 56, i);
            fuzz_repair_segment(&chain, file, file_size, (flags & FUZZ_FOLLOW) != 0);
        } else { /* the second header is a copy of the first */
            memcpy(file + file_size - PT_LOG_SEGMENT_HEADER, file, PT_LOG_SEGMENT_HEADER);
        }
        (void)snprintf(name, sizeof name, "w-%06u", i);
        sim_file_put(sim, "db", name, file, file_size);
        free(file);
    }
    fuzz_log_chain_done(&chain);
}

static size_t run(const uint8_t *data, size_t size)
{
    pt_cursor c = pt_cursor_of(data, size);
    unsigned flags = pt_cursor_u8(&c);
    place p = {.serial_min = pt_cursor_u8(&c), .seq_min = pt_cursor_u8(&c)};
    sim_env *sim = sim_new(1);
    p.env = sim_peat(sim);
    p.read_only = (flags & FUZZ_READ_ONLY) != 0;
    pt_sink_init(&p.sink);
    FUZZ_REQUIRE(p.env->dir_open(p.env->ctx, "db", PEAT_ENV_DIR_CREATE, &p.dir) == 0,
                 "there is a directory");
    put_segments(sim, &c, flags);
    size_t n = use_log(&p);
    p.env->dir_close(p.env->ctx, p.dir);
    pt_sink_done(&p.sink);
    FUZZ_REQUIRE(sim_get_held(sim).bytes_peak < (uint64_t)16 << 20, "no huge allocation");
    FUZZ_REQUIRE(sim_is_clean(sim), "nothing is left over");
    sim_free(sim);
    return n;
}

const fuzz_target fuzz_log = {.name = "log", .run = run, .size_max = 12 << 10};
