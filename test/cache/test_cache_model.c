/* SPDX-License-Identifier: MIT */
/*
 * test_cache_model.c - random calls on tables of both frame sizes in a cache of a few groups:
 * whatever is fetched, held or peeked is the block that was asked for, and the counts add up.
 */
#include "blocks.h"

#define GROUP_COST ((size_t)16384 + 4 * 33 + 12)
#define TABLES     5
#define HELD       12
#define STEPS      6000

typedef struct held_ref {
    fake_table *table;
    uint32_t block;
    pt_block_ref ref;
} held_ref;

typedef struct model {
    sim_env *sim;
    pt_epoch epoch;
    pt_cache *cache;
    fake_table tables[TABLES];
    held_ref held[HELD];
    rng random;
    uint64_t seed;
    uint32_t next_id;
} model;

static uint32_t roll(model *m, uint32_t n)
{
    return (uint32_t)rng_below(&m->random, n);
}

static void check(model *m, bool ok, const char *what)
{
    if (!ok)
        print_error("seed %" PRIu64 ": %s\n", m->seed, what);
    assert_true(ok);
}

static void attach_new(model *m, fake_table *t)
{
    static const uint32_t counts[] = {1, 7, 40, 300};
    *t = (fake_table){.id = m->next_id++,
                      .block_count = counts[roll(m, 4)],
                      .frame_bytes = roll(m, 2) ? 4096 : 16384,
                      .some_large = roll(m, 3) == 0};
    assert_ok(fake_attach(m->cache, t));
}

static void drop(model *m, held_ref *h)
{
    if (h->table == NULL)
        return;
    check(m, fake_ref_is(h->table, h->block, &h->ref), "a held block has changed");
    fake_release(h->table, &h->ref);
    h->table = NULL;
}

static void fetch_some(model *m)
{
    held_ref *h = &m->held[roll(m, HELD)];
    drop(m, h);
    fake_table *t = &m->tables[roll(m, TABLES)];
    uint32_t block = roll(m, t->block_count);
    atomic_store(&t->fail, roll(m, 20) == 0 ? PEAT_IO : PEAT_OK);
    peat_rc rc = fake_fetch(t, block, (pt_fetch_hint)roll(m, 3), &h->ref);
    if (rc != PEAT_OK) {
        check(m, rc == PEAT_IO && atomic_load(&t->fail) == PEAT_IO, "a fetch has failed");
        return;
    }
    check(m, fake_ref_is(t, block, &h->ref), "a fetched block is another one");
    if (roll(m, 3) == 0) {
        h->table = t;
        h->block = block;
    } else {
        fake_release(t, &h->ref);
    }
}

static void peek_some(model *m)
{
    fake_table *t = &m->tables[roll(m, TABLES)];
    uint32_t block = roll(m, t->block_count);
    unsigned slot = pt_epoch_enter(&m->epoch);
    const uint8_t *data = pt_block_peek(t->source, block);
    if (data != NULL)
        check(m, fake_is(t, block, data, fake_size(t, block)), "a peeked block is another one");
    if (roll(m, 4) == 0) { /* misses while a reader is inside do not touch what it sees */
        for (int i = 0; i < 20; i++)
            fetch_some(m);
        if (data != NULL)
            check(m, fake_is(t, block, data, fake_size(t, block)), "a peeked block has changed");
    }
    pt_epoch_exit(&m->epoch, slot);
}

static void replace_table(model *m)
{
    fake_table *t = &m->tables[roll(m, TABLES)];
    for (size_t i = 0; i < HELD; i++)
        if (m->held[i].table == t)
            drop(m, &m->held[i]);
    pt_cache_detach(m->cache, t->source);
    attach_new(m, t);
}

static void check_counts(model *m)
{
    pt_cache_stats s;
    uint64_t held = 0;
    pt_cache_get_stats(m->cache, &s);
    for (size_t i = 0; i < HELD; i++)
        held += m->held[i].table != NULL;
    check(m, s.pinned <= held, "frames are pinned that nobody holds");
    check(m, held != 0 || s.heap_bytes == 0, "heap blocks are kept that nobody holds");
    check(m, s.frame_bytes <= m->seed * 2 * 16384, "more frames than the budget has");
}

static void step(model *m)
{
    uint32_t r = roll(m, 1000);
    if (r < 700)
        fetch_some(m);
    else if (r < 970)
        peek_some(m);
    else if (r < 980)
        replace_table(m);
    else if (r < 990)
        check_counts(m);
    else
        pt_epoch_collect(&m->epoch);
}

TEST(random_calls_never_show_a_stale_or_mixed_block)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        model m = {.random = {seed}, .seed = seed, .next_id = 1};
        m.sim = sim_new(seed);
        pt_epoch_init(&m.epoch);
        assert_ok(pt_cache_new(sim_peat(m.sim), &m.epoch, seed * 2 * GROUP_COST, &m.cache));
        for (size_t i = 0; i < TABLES; i++)
            attach_new(&m, &m.tables[i]);
        for (int i = 0; i < STEPS; i++)
            step(&m);
        for (size_t i = 0; i < HELD; i++)
            drop(&m, &m.held[i]);
        check_counts(&m);
        for (size_t i = 0; i < TABLES; i++)
            pt_cache_detach(m.cache, m.tables[i].source);
        pt_cache_free(m.cache);
        pt_epoch_done(&m.epoch);
        sim_end(m.sim);
    }
}
