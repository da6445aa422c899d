/* SPDX-License-Identifier: MIT */
/*
 * space_idle.c - see space.h: a hundred bytes a second on a large store rewrite little, and when
 * they stop it settles and rests; and how much is written for a byte that is put.
 */
#include "space.h"
#include "usage.h"

#define HOUR_S        3600u
#define FULL_SECONDS  100u /* from so many on the store is as large as the promise says */
#define FULL_BYTES    (10240 * MIB)
#define PROMISE_BYTES (256 * MIB) /* in an hour, on that one */
#define TRICKLE_BYTES 100u
#define ROW           1000u
#define REST_S        3u

/* Without threads peat_work finds nothing to do; with them they sleep. */
static void expect_rest(space *s)
{
    space_sampling_stop(s);
    uint64_t written = atomic_load(&s->written_bytes);
    usage before = measure();
    if (s->threads == PEAT_THREADS_NONE)
        space_wait(s, REST_S * S_NS);
    else
        (void)sleep(REST_S);
    usage after = measure();
    written = atomic_load(&s->written_bytes) - written;
    if (written != 0 || after.ticks != before.ticks || after.switches != before.switches)
        space_violation(s, "no rest: %" PRIu64 " bytes, %" PRIu64 " ticks, %" PRIu64 " switches",
                        written, after.ticks - before.ticks, after.switches - before.switches);
}

/* The full settling comes after a quiet minute, or up to some when it was disturbed. */
static void expect_settled(space *s)
{
    space_burst_begin(s);
    space_burst_end(s);
    uint64_t until = atomic_load(&s->strict_from_ns) + 16 * 60 * S_NS;
    double full_s = (double)atomic_load(&s->live_bytes) * 4 / (double)(50 * MIB);
    until += (uint64_t)(full_s * s->speed * 1e9);
    atomic_store(&s->strict_from_ns, until);
    while (space_now(s) < until && peat_settle(s->db, 0) != PEAT_OK)
        space_wait(s, S_NS);
    atomic_store(&s->strict_from_ns, space_now(s));
    peat_rc rc = peat_settle(s->db, 0);
    if (rc != PEAT_OK)
        space_violation(s, "it has not settled when the writing stopped: %s", peat_rc_name(rc));
    space_wait(s, 5 * S_NS + (uint64_t)(s->speed * 1e9)); /* a last mark in the log, a file gone */
}

static void parts_of(const peat_statistics *st, uint64_t ret_parts[4])
{
    ret_parts[0] = st->log_bytes_written + st->zero_fill_bytes_written;
    ret_parts[1] = st->flush_bytes_written;
    ret_parts[2] = st->merge_bytes_written;
    ret_parts[3] = st->manifest_bytes_written;
}

static void tell_hour(space *s, const peat_statistics *before, uint64_t written, uint64_t allowed)
{
    uint64_t was[4], is[4];
    peat_statistics after = space_stats(s);
    parts_of(before, was);
    parts_of(&after, is);
    (void)printf(
        "  idle: %.1f MiB written in an hour of 100 bytes a second (log %.1f, flushes %.1f, merges "
        "%.1f, manifest %.1f), %.1f allowed\n",
        mib(written), mib(is[0] - was[0]), mib(is[1] - was[1]), mib(is[2] - was[2]),
        mib(is[3] - was[3]), mib(allowed));
    if (written > allowed)
        space_violation(s, "%.1f MiB written in the hour, %.1f allowed", mib(written),
                        mib(allowed));
}

void load_idle(space *s)
{
    bool full = s->seconds >= FULL_SECONDS;
    uint64_t keys = (full ? FULL_BYTES : 512 * MIB) / (ROW + 16);
    s->scattered = true;
    s->speed = (double)HOUR_S / (double)s->seconds;
    space_begin(s, keys, ROW + 16);
    space_burst_begin(s);
    space_fill(s, 0, keys, ROW);
    must(peat_settle(s->db, PEAT_WAIT_FOREVER), "settle");
    space_burst_end(s);
    uint64_t before = atomic_load(&s->written_bytes), freed = atomic_load(&s->freed_bytes);
    uint64_t begun = space_now(s);
    peat_statistics stats = space_stats(s);
    for (uint64_t i = 0; i < HOUR_S; i++) {
        space_put(s, rng_below(&s->random, keys), TRICKLE_BYTES - 16);
        space_wait_until(s, begun + (i + 1) * S_NS);
    }
    uint64_t written = atomic_load(&s->written_bytes) - before;
    /* of a small store what the rule says, and something for log and manifest, synced each second
     */
    uint64_t moved = HOUR_S * TRICKLE_BYTES + atomic_load(&s->freed_bytes) - freed;
    uint64_t allowed = full ? PROMISE_BYTES : 8 * moved + space_constant(s) / 4;
    tell_hour(s, &stats, written, allowed);
    expect_settled(s);
    expect_rest(s);
}

/* ---- amplification ---- */

typedef struct meter {
    uint64_t written, put;
} meter;

static meter read_meter(const space *s)
{
    return (meter){atomic_load(&s->written_bytes), atomic_load(&s->user_bytes)};
}

/* What was written since, for each byte of keys and values put, the settling included. It is told
 * for all, and bounded from the default budget on (with memtables of a few MiB runs are merged
 * among themselves first, or a get would have dozens to ask), where threads choose the time: who
 * calls peat_work all the time has each little merged at once. */
static bool is_bounded(const space *s)
{
    return s->budget_bytes >= 256 * MIB && s->threads != PEAT_THREADS_NONE;
}

static void expect_amplification(space *s, meter since, double most, const char *what)
{
    must(peat_settle(s->db, PEAT_WAIT_FOREVER), "settle");
    meter now = read_meter(s);
    double x = (double)(now.written - since.written) / (double)(now.put - since.put);
    (void)printf("  amplification: %s %.2f of %.0f\n", what, x, most);
    if (x > most && is_bounded(s))
        space_violation(s, "%s: %.2f bytes written for each, %.0f allowed", what, x, most);
    if (x / most > s->amplification)
        s->amplification = x / most;
}

/* Values of which half compresses, as those of the benchmark. */
static void amplify(space *s, uint32_t value_bytes)
{
    uint64_t bytes = s->seconds < FULL_SECONDS ? 8 * MIB * s->seconds : 2048 * MIB;
    uint64_t keys = bytes / (value_bytes + 16);
    s->scattered = s->halved = true;
    space_begin(s, keys, value_bytes + 16);
    meter begun = {0};
    space_fill(s, 0, keys, value_bytes);
    expect_amplification(s, begun, 3.0, "fill");
    for (uint64_t i = 0; i < keys; i++) /* each once: the factor is a prime above any count */
        space_put(s, i * 2654435761u % keys, value_bytes);
    expect_amplification(s, begun, 4.0, "fill and one overwrite");
    meter endless = read_meter(s);
    for (uint64_t i = 0; i < 6 * keys; i++)
        space_put(s, rng_below(&s->random, keys), value_bytes);
    expect_amplification(s, endless, 8.0, "endless overwriting");
}

void load_amplification(space *s)
{
    amplify(s, 400);
}

void load_amplification_small(space *s)
{
    amplify(s, 100);
}
