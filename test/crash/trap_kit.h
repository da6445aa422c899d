/* SPDX-License-Identifier: MIT */
/*
 * trap_kit.h - a store on a simulated disk whose commit i writes key i, so that a prefix of the
 * commit order is an unbroken run of keys; and clones of the disk that must show one. Used by
 * test_traps.c.
 */
#ifndef TEST_CRASH_TRAP_KIT_H
#define TEST_CRASH_TRAP_KIT_H

#include "world/sim.h"

#define VALUE_BYTES 300

typedef struct trap {
    sim_env *sim;
    peat_db *db;
    uint64_t durable, written; /* commits */
    uint32_t kinds;            /* boundaries at which the power fails */
    const char *prefix;        /* of the names they are about; NULL: all */
    void (*cut)(struct trap *t, sim_env *sim);
    unsigned images;
} trap;

static void fill_value(uint64_t i, uint8_t *ret)
{
    for (size_t b = 0; b < VALUE_BYTES; b++)
        ret[b] = (uint8_t)(i * 31 + b * b);
}

static peat_rc open_store(sim_env *sim, peat_db **ret_db, peat_error *ret_error)
{
    peat_host host = {.size = sizeof host, .env = sim_peat(sim)};
    peat_test_options tiny = {.size = sizeof tiny,
                              .memtable_bytes = 1 << 16,
                              .segment_bytes = 8192,
                              .block_bytes = 4096,
                              .table_bytes = 8192};
    peat_options options = {.size = sizeof options,
                            .memory_bytes = PEAT_MEMORY_BYTES_MIN,
                            .threads = PEAT_THREADS_NONE,
                            .sync_interval_ms = 1000000,
                            .host = &host,
                            .test = &tiny};
    return peat_open("store", &options, ret_db, ret_error);
}

static void must_open(trap *t)
{
    peat_error error;
    if (open_store(t->sim, &t->db, &error) != PEAT_OK)
        fail_msg("%s (%s)", error.message, sim_story(t->sim));
}

static void put(trap *t, bool sync)
{
    uint8_t value[VALUE_BYTES];
    char key[16];
    peat_write_options o = {.size = sizeof o, .sync = sync};
    uint64_t i = t->written++; /* from here on it may be on disk */
    (void)snprintf(key, sizeof key, "k%06" PRIu64, i);
    fill_value(i, value);
    assert_ok(peat_put(t->db, &o, peat_str(key), peat_bytes(value, sizeof value)));
    if (sync)
        t->durable = t->written;
}

static void put_many(trap *t, unsigned n, bool sync)
{
    while (n-- > 0)
        put(t, sync);
}

/* How many of the commits the open store holds: the first ones, or the test fails. */
static uint64_t count_prefix(peat_db *db, const char *story)
{
    peat_iter *it = NULL;
    uint8_t value[VALUE_BYTES];
    char key[16];
    uint64_t n = 0;
    peat_rc rc = peat_iter_open(db, NULL, &it);
    while (rc == PEAT_OK && (rc = peat_iter_next(it)) == PEAT_OK) {
        peat_slice k = peat_iter_key(it), v = peat_iter_value(it);
        (void)snprintf(key, sizeof key, "k%06" PRIu64, n);
        fill_value(n++, value);
        if (k.size != strlen(key) || memcmp(k.data, key, k.size) != 0)
            fail_msg("a hole before key %" PRIu64 " (%s)", n - 1, story);
        if (v.size != sizeof value || memcmp(v.data, value, sizeof value) != 0)
            fail_msg("a wrong value of key %" PRIu64 " (%s)", n - 1, story);
    }
    peat_iter_close(it);
    assert_int_equal(rc, PEAT_END);
    return n;
}

static void expect_clone(trap *t, sim_env *after)
{
    trap later = {.sim = after};
    must_open(&later);
    uint64_t n = count_prefix(later.db, sim_story(after));
    if (n < t->durable || n > t->written)
        fail_msg("%" PRIu64 " commits, %" PRIu64 " were durable and %" PRIu64 " begun (%s)", n,
                 t->durable, t->written, sim_story(after));
    later.written = n;
    put(&later, true);
    assert_ok(peat_close(later.db));
    must_open(&later);
    assert_int_equal(count_prefix(later.db, sim_story(after)), n + 1);
    assert_ok(peat_close(later.db));
    sim_end(after);
    t->images++;
}

static void expect_cut(trap *t, sim_env *sim, sim_cut_mode mode, uint64_t seed, uint32_t sector)
{
    expect_clone(
        t, sim_clone_cut(sim, &(sim_cut){.mode = mode, .seed = seed, .sector_bytes = sector}));
}

static void at_boundary(void *arg, sim_env *sim, const sim_boundary *b)
{
    trap *t = arg;
    bool named = t->prefix == NULL || strncmp(b->name, t->prefix, strlen(t->prefix)) == 0;
    if (named && (t->kinds & SIM_BIT(b->kind)))
        t->cut(t, sim);
}

static void cut_from_now_on(trap *t, uint32_t kinds, const char *prefix,
                            void (*cut)(trap *, sim_env *))
{
    t->kinds = kinds;
    t->prefix = prefix;
    t->cut = cut;
    sim_hook_set(t->sim, at_boundary, t);
}

static void end(trap *t)
{
    sim_hook_set(t->sim, NULL, NULL);
    assert_ok(peat_close(t->db));
    sim_end(t->sim);
}

#endif
