/* SPDX-License-Identifier: MIT */
/* stress_upkeep.c - actors that keep the store in shape and look inside. */
#include "stress/stress_actors.h"

#include <inttypes.h>

static bool damaged(void *ctx, const peat_damage *d)
{
    stress_fail((const stress_world *)ctx, "check: %s @%" PRIu64 ": %s", d->file, d->offset,
                d->message);
}

static peat_rc look_at_partition(void *ctx, const peat_partition_info *p)
{
    const stress_world *w = (const stress_world *)ctx;
    if (p->index >= p->count || p->damages != 0)
        stress_fail(w, "shape: partition %" PRIu64 " of %" PRIu64, p->index, p->count);
    return PEAT_OK;
}

static peat_rc take_bytes(void *ctx, const void *data, size_t size)
{
    uint64_t *sum = (uint64_t *)ctx;
    if (size != 0)
        *sum += size + ((const uint8_t *)data)[0];
    return PEAT_OK;
}

static bool cancel_sometimes(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    (void)phase;
    (void)done;
    (void)total;
    return stress_pick((stress_actor *)ctx, 8) != 0;
}

static void compact_somewhere(stress_actor *t)
{
    char low[2] = {(char)('0' + stress_pick(t, 4)), '\0'},
         high[2] = {(char)('4' + stress_pick(t, 3)), '\0'};
    peat_progress progress = {.size = sizeof progress, .fn = cancel_sometimes, .ctx = t};
    peat_rc rc = peat_compact(t->a->db, stress_pick(t, 2) ? peat_str(low) : peat_unbounded(),
                              stress_pick(t, 2) ? peat_str(high) : peat_unbounded(), &progress);
    if (rc != PEAT_CANCELLED)
        stress_must(t, rc, "compact");
}

static void look_inside(stress_actor *t)
{
    peat_statistics stats = {.size = sizeof stats};
    peat_buf json = PEAT_BUF_INIT;
    uint64_t n;
    stress_must(t, peat_stats(t->a->db, &stats), "stats");
    stress_must(t, peat_stats_json(t->a->db, &json), "stats_json");
    stress_must(t, peat_shape(t->a->db, look_at_partition, t->a->w), "shape");
    stress_must(t, peat_approximate_size(t->a->db, peat_str("1"), peat_str("3"), &n),
                "approximate_size");
    stress_must(t, peat_approximate_count(t->a->db, peat_unbounded(), peat_unbounded(), &n),
                "approximate_count");
    peat_buf_free(&json);
}

void stress_check_store(stress_actor *t)
{
    peat_check_options o = {.size = sizeof o, .damage_fn = damaged, .damage_ctx = t->a->w};
    peat_check_report report = {.size = sizeof report};
    stress_must(t, peat_check(t->a->db, &o, &report), "check");
}

static void do_upkeep(stress_actor *t)
{
    uint64_t sum = 0;
    size_t units;
    switch (stress_pick(t, 12)) {
    case 0:
    case 1:
        stress_must(t, peat_flush(t->a->db), "flush");
        break;
    case 2:
        compact_somewhere(t);
        break;
    case 3:
        stress_must(t, peat_settle(t->a->db, stress_pick(t, 20)), "settle");
        break;
    case 4:
    case 5:
        stress_must(t, peat_work(t->a->db, stress_pick(t, 4), &units), "work");
        break;
    case 6:
        stress_check_store(t);
        break;
    case 7:
        stress_must(t, peat_export(t->a->db, NULL, take_bytes, &sum), "export");
        break;
    case 8:
        stress_must(t, peat_sync(t->a->db), "sync");
        break;
    default:
        look_inside(t);
    }
}

void *stress_keep_up(void *arg)
{
    stress_actor *t = (stress_actor *)arg;
    while (stress_going_on(t))
        do_upkeep(t);
    return NULL;
}
