/* SPDX-License-Identifier: MIT */
/*
 * space_idle.c - see space.h: a hundred bytes a second on a large store rewrite little, and when
 * they stop it settles and rests; and how much is written for a byte that is put.
 */
#include "space/space.h"

#define HOUR_S        3600u
#define TRICKLE_BYTES 100u
/* Of what is put and what that frees. */
#define REWRITTEN 8u

/* The full settling comes after a quiet minute, or up to some when it was disturbed. */
static void expect_settled(space *s)
{
    space_burst_begin(s);
    space_burst_end(s);
    uint64_t until = atomic_load(&s->strict_from_ns) + 16 * 60 * S_NS;
    double full_s = (double)atomic_load(&s->live_bytes) * 4 / (double)(50 * MIB);
    until += (uint64_t)(full_s * s->speed * 1e9);
    atomic_store(&s->strict_from_ns, until);
    while (world_now(s) < until && peat_settle(s->db, 0) != PEAT_OK)
        space_wait(s, S_NS);
    atomic_store(&s->strict_from_ns, world_now(s));
    peat_rc rc = peat_settle(s->db, 0);
    if (rc != PEAT_OK)
        space_violation(s, "it has not settled when the writing stopped: %s", peat_rc_name(rc));
    space_wait(s, 5 * S_NS + (uint64_t)(s->speed * 1e9)); /* a last mark in the log, a file gone */
}

static void tell_hour(space *s, const peat_statistics *before, uint64_t written, uint64_t allowed)
{
    peat_statistics st = space_stats(s);
    (void)printf("  idle: %.1f MiB written in an hour of 100 bytes a second (flushes %.1f, merges "
                 "%.1f, manifest %.1f), %.1f allowed\n",
                 mib(written), mib(st.flush_bytes_written - before->flush_bytes_written),
                 mib(st.merge_bytes_written - before->merge_bytes_written),
                 mib(st.manifest_bytes_written - before->manifest_bytes_written), mib(allowed));
    if (written > allowed)
        space_violation(s, "%.1f MiB written in the hour, %.1f allowed", mib(written),
                        mib(allowed));
}

void load_idle(space *s)
{
    uint64_t keys = s->size.count;
    uint32_t row = s->size.value_bytes;
    s->scattered = true;
    space_begin(s, keys, row + KEY_BYTES);
    space_burst_begin(s);
    space_fill(s, 0, keys, row);
    must(peat_settle(s->db, PEAT_WAIT_FOREVER), "settle");
    space_burst_end(s);
    uint64_t before = world_written_bytes(s), begun = world_now(s);
    peat_statistics stats = space_stats(s);
    for (uint64_t i = 0; i < HOUR_S; i++) {
        space_put(s, rng_below(&s->random, keys), TRICKLE_BYTES - KEY_BYTES);
        space_wait_until(s, begun + (i + 1) * S_NS);
    }
    uint64_t written = world_written_bytes(s) - before;
    uint64_t moved = HOUR_S * (TRICKLE_BYTES + (uint64_t)row + KEY_BYTES);
    uint64_t log = space_constant(s) / 4; /* and the manifest, synced each second */
    uint64_t rule = REWRITTEN * moved + log;
    tell_hour(s, &stats, written, s->idle_max != 0 ? s->idle_max : rule);
    expect_settled(s);
    world_sampling_stop(s);
    world_expect_rest(s);
}

/* ---- amplification ---- */

typedef struct meter {
    uint64_t written, put;
} meter;

static meter read_meter(space *s)
{
    return (meter){world_written_bytes(s), atomic_load(&s->user_bytes)};
}

/* What was written since, for each byte of keys and values put, the settling included. */
static void expect_amplification(space *s, meter since, double most, const char *what)
{
    must(peat_settle(s->db, PEAT_WAIT_FOREVER), "settle");
    meter now = read_meter(s);
    double x = (double)(now.written - since.written) / (double)(now.put - since.put);
    (void)printf("  amplification: %s %.2f of %.0f\n", what, x, most);
    if (x > most && s->bounded)
        space_violation(s, "%s: %.2f bytes written for each, %.0f allowed", what, x, most);
}

/* Values of which half compresses, as those of the benchmark. */
void load_amplification(space *s)
{
    uint64_t keys = s->size.count;
    uint32_t value_bytes = s->size.value_bytes;
    s->scattered = s->halved = true;
    space_begin(s, keys, value_bytes + KEY_BYTES);
    meter begun = {0};
    space_fill(s, 0, keys, value_bytes);
    expect_amplification(s, begun, s->fill_max, "fill");
    for (uint64_t i = 0; i < keys; i++) /* each once: the factor is a prime above any count */
        space_put(s, i * 2654435761u % keys, value_bytes);
    expect_amplification(s, begun, 4.0, "fill and one overwrite");
    meter endless = read_meter(s);
    for (uint64_t i = 0; i < 6 * keys; i++)
        space_put(s, rng_below(&s->random, keys), value_bytes);
    expect_amplification(s, endless, 8.0, "endless overwriting");
}
