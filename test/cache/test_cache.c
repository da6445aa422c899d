/* SPDX-License-Identifier: MIT */
/* test_cache.c - what a fetch, a failure and a detach do, call by call. */
#include "one_table.h"

TEST_CACHE(a_block_is_read_once_and_then_resident, 8, 4096, 100)
{
    assert_false(resident(x, 5));
    uint64_t allocations = sim_count(x->sim, SIM_MEMORY);
    for (int i = 0; i < 3; i++)
        touch(x, 5, PT_FETCH_POINT);
    assert_true(resident(x, 5));
    assert_int_equal(atomic_load(&x->table.loads), 1);
    pt_cache_stats s = stats_of(x);
    assert_int_equal(s.hits_fetch, 2);
    assert_int_equal(s.misses, 1);
    assert_int_equal(s.frame_bytes, 4096);
    assert_int_equal(s.pinned, 0);
    assert_int_equal(sim_count(x->sim, SIM_MEMORY), allocations);
}

TEST_CACHE(misses_that_evict_do_not_allocate, 8, 4096, 1000)
{
    uint64_t allocations = sim_count(x->sim, SIM_MEMORY);
    for (uint32_t b = 0; b < 1000; b++)
        touch(x, b, b % 3 ? PT_FETCH_POINT : PT_FETCH_SCAN);
    assert_int_equal(sim_count(x->sim, SIM_MEMORY), allocations);
    pt_cache_stats s = stats_of(x);
    assert_int_equal(s.misses, 1000);
    assert_int_equal(s.heap_fetches, 0);
    assert_true(s.evictions >= 1000 - 8 * 4);
    assert_true(s.frame_bytes <= 8 * 16384);
}

TEST_CACHE(blocks_fetched_once_are_not_kept, 8, 16384, 100)
{
    for (uint32_t b = 0; b < 100; b++) {
        touch(x, b, PT_FETCH_ONCE);
        assert_false(resident(x, b));
        assert_true(stats_of(x).frame_bytes <= 3 * 16384); /* freed when the next ones come */
    }
}

TEST_CACHE(a_large_block_is_heap_memory_while_it_is_held, 8, 4096, 100)
{
    x->table.some_large = true;
    uint64_t held = sim_memory_held(x->sim);
    pt_block_ref a, b;
    assert_ok(fake_fetch(&x->table, 7, PT_FETCH_POINT, &a));
    assert_ok(fake_fetch(&x->table, 15, PT_FETCH_SCAN, &b));
    assert_true(fake_ref_is(&x->table, 7, &a) && fake_ref_is(&x->table, 15, &b));
    assert_false(resident(x, 7));
    assert_true(stats_of(x).heap_bytes >= a.size + b.size);
    fake_release(&x->table, &a);
    assert_true(fake_ref_is(&x->table, 15, &b));
    fake_release(&x->table, &b);
    pt_cache_stats s = stats_of(x);
    assert_int_equal(s.heap_bytes, 0);
    assert_int_equal(s.heap_fetches, 0);
    assert_int_equal(s.frame_bytes, 0);
    assert_int_equal(sim_memory_held(x->sim), held);
}

TEST(detaching_frees_the_frames_at_once)
{
    fixture x;
    open_fixture(&x, 8, 4096, 100);
    fake_table other = {.id = 2, .block_count = 10, .frame_bytes = 4096};
    assert_ok(fake_attach(x.cache, &other));
    for (uint32_t b = 0; b < 10; b++) {
        touch_block(&other, b, PT_FETCH_POINT);
        touch(&x, b, PT_FETCH_POINT);
    }
    unsigned slot = pt_epoch_enter(&x.epoch);
    const uint8_t *data = pt_block_peek(other.source, 4);
    pt_block_source *source = other.source;
    pt_cache_detach(x.cache, source);
    assert_null(pt_block_peek(source, 4)); /* the array lives while a reader may look */
    assert_true(fake_is(&other, 4, data, fake_size(&other, 4)));
    pt_epoch_exit(&x.epoch, slot);
    pt_epoch_collect(&x.epoch);
    assert_int_equal(count_resident(&x, 0, 10), 10);
    close_fixture(&x);

    open_fixture(&x, 8, 4096, 100);
    assert_ok(fake_attach(x.cache, &other));
    touch_block(&other, 3, PT_FETCH_POINT);
    pt_cache_detach(x.cache, other.source);
    assert_int_equal(stats_of(&x).frame_bytes, 0);
    close_fixture(&x);
}

TEST_CACHE(a_failing_load_leaves_nothing_behind, 4, 4096, 100)
{
    x->table.some_large = true;
    uint64_t held = sim_memory_held(x->sim);
    atomic_store(&x->table.fail, PEAT_CORRUPT);
    for (uint32_t b = 0; b < 100; b++) {
        pt_block_ref ref = {.size = 77};
        assert_int_equal(fake_fetch(&x->table, b, (pt_fetch_hint)(b % 3), &ref), PEAT_CORRUPT);
        assert_int_equal(ref.size, 77);
        assert_false(resident(x, b));
    }
    pt_cache_stats s = stats_of(x);
    assert_int_equal(s.frame_bytes + s.heap_bytes + s.pinned, 0);
    assert_int_equal(sim_memory_held(x->sim), held);
    atomic_store(&x->table.fail, PEAT_OK);
    touch(x, 5, PT_FETCH_POINT);
    assert_true(resident(x, 5));
}

TEST_CACHE(without_memory_a_large_fetch_fails_and_a_small_one_does_not, 4, 4096, 100)
{
    x->table.some_large = true;
    pt_block_ref ref;
    sim_fail(x->sim, .kinds = SIM_MEMORY, .error = ENOMEM);
    touch(x, 3, PT_FETCH_POINT);
    assert_int_equal(fake_fetch(&x->table, 7, PT_FETCH_POINT, &ref), PEAT_NOMEM);
    touch(x, 7, PT_FETCH_POINT);
}

TEST(a_cache_that_cannot_be_made_leaves_nothing)
{
    pt_epoch e;
    pt_epoch_init(&e);
    peat_rc rc = PEAT_NOMEM;
    uint64_t n = 0;
    while (rc != PEAT_OK) {
        sim_env *sim = sim_new(1);
        pt_cache *c = NULL;
        sim_fail(sim, .kinds = SIM_MEMORY, .at = ++n, .error = ENOMEM);
        rc = pt_cache_new(sim_peat(sim), &e, GROUPS(4), &c);
        assert_true(rc == PEAT_OK ? c != NULL : rc == PEAT_NOMEM && c == NULL);
        pt_cache_free(c);
        sim_end(sim);
    }
    assert_true(n > 4);
    pt_cache_free(NULL);
    pt_epoch_done(&e);
}
