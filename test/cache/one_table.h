/* SPDX-License-Identifier: MIT */
/* one_table.h - a cache with one made-up table attached, and the calls tests make on it. */
#ifndef TEST_CACHE_ONE_TABLE_H
#define TEST_CACHE_ONE_TABLE_H

#include "blocks.h"

/* The budget that gives n groups of 16 KiB, what describes them included. */
#define GROUPS(n) ((size_t)(n) * (16384 + 4 * 33 + 12))

typedef struct fixture {
    sim_env *sim;
    pt_epoch epoch;
    pt_cache *cache;
    fake_table table;
} fixture;

static inline void open_fixture(fixture *x, size_t groups, size_t frame_bytes, uint32_t block_count)
{
    memset(x, 0, sizeof *x);
    x->sim = sim_new(1);
    pt_epoch_init(&x->epoch);
    assert_ok(pt_cache_new(sim_peat(x->sim), &x->epoch, GROUPS(groups), &x->cache));
    x->table = (fake_table){.id = 1, .block_count = block_count, .frame_bytes = frame_bytes};
    assert_ok(fake_attach(x->cache, &x->table));
}

static inline void close_fixture(fixture *x)
{
    pt_cache_detach(x->cache, x->table.source);
    pt_cache_free(x->cache);
    pt_epoch_done(&x->epoch);
    sim_end(x->sim);
}

#define TEST_CACHE(name, ...)                                                                      \
    TEST_BETWEEN(name, fixture, x, open_fixture, close_fixture, __VA_ARGS__)

static inline pt_cache_stats stats_of(fixture *x)
{
    pt_cache_stats s;
    pt_cache_get_stats(x->cache, &s);
    return s;
}

static inline void touch_block(fake_table *table, uint32_t block, pt_fetch_hint hint)
{
    pt_block_ref ref;
    assert_ok(fake_fetch(table, block, hint, &ref));
    assert_true(fake_ref_is(table, block, &ref));
    fake_release(table, &ref);
    assert_null(ref.pin);
}

static inline void touch(fixture *x, uint32_t block, pt_fetch_hint hint)
{
    touch_block(&x->table, block, hint);
}

static inline void touch_all(fixture *x, uint32_t from, uint32_t to, pt_fetch_hint hint)
{
    for (uint32_t b = from; b < to; b++)
        touch(x, b, hint);
}

static inline bool resident(fixture *x, uint32_t block)
{
    unsigned slot = pt_epoch_enter(&x->epoch);
    const uint8_t *data = pt_block_peek(x->table.source, block);
    bool right = data == NULL || fake_is(&x->table, block, data, fake_size(&x->table, block));
    pt_epoch_exit(&x->epoch, slot);
    assert_true(right);
    return data != NULL;
}

static inline unsigned count_resident(fixture *x, uint32_t from, uint32_t to)
{
    unsigned n = 0;
    for (uint32_t b = from; b < to; b++)
        n += resident(x, b);
    return n;
}

#endif
