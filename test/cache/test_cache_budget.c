/* SPDX-License-Identifier: MIT */
/* test_cache_budget.c - who leaves when frames are short, and what a small budget does. */
#include "one_table.h"

TEST_CACHE(a_scan_does_not_push_out_what_was_asked_for, 64, 4096, 6000)
{
    touch_all(x, 0, 100, PT_FETCH_POINT);
    for (uint32_t b = 1000; b < 6000; b++) {
        touch(x, b, PT_FETCH_SCAN);
        if (b % 50 == 0)
            for (uint32_t hot = 0; hot < 100; hot++)
                assert_true(resident(x, hot)); /* a peek is a credit */
    }
    assert_true(resident(x, 5999));
    assert_false(resident(x, 1000));
}

TEST_CACHE(a_scan_of_twice_the_cache_leaves_what_was_asked_for_once, 64, 4096, 2000)
{
    touch_all(x, 0, 100, PT_FETCH_POINT);
    touch_all(x, 1000, 1500, PT_FETCH_SCAN);
    assert_true(count_resident(x, 0, 100) > 90);
}

TEST_CACHE(blocks_of_scans_go_first, 16, 16384, 200)
{
    touch_all(x, 0, 7, PT_FETCH_POINT);
    touch_all(x, 10, 18, PT_FETCH_SCAN);
    touch_all(x, 20, 24, PT_FETCH_POINT);
    assert_int_equal(count_resident(x, 0, 7), 7);
    assert_true(count_resident(x, 10, 18) < 8);
}

TEST_CACHE(what_a_scan_brought_can_earn_its_place, 16, 16384, 2000)
{
    touch(x, 1, PT_FETCH_SCAN);
    for (uint32_t b = 100; b < 2000; b++) {
        touch(x, 1, PT_FETCH_POINT);
        touch(x, b, PT_FETCH_SCAN);
    }
    assert_true(resident(x, 1));
}

TEST_CACHE(when_all_frames_are_pinned_a_fetch_takes_heap_memory, 2, 16384, 10)
{
    pt_block_ref refs[10];
    for (uint32_t b = 0; b < 10; b++)
        assert_ok(fake_fetch(&x->table, b, PT_FETCH_POINT, &refs[b]));
    pt_cache_stats s = stats_of(x);
    assert_int_equal(s.pinned, 2);
    assert_int_equal(s.heap_fetches, 8);
    assert_true(s.heap_bytes > 8 * 15000);
    for (uint32_t b = 0; b < 10; b++) {
        assert_true(fake_ref_is(&x->table, b, &refs[b]));
        fake_release(&x->table, &refs[b]);
    }
    assert_int_equal(stats_of(x).heap_bytes, 0);
    touch(x, 9, PT_FETCH_POINT);
    assert_true(resident(x, 9));
}

TEST_CACHE(a_cache_without_frames_still_fetches, 0, 4096, 10)
{
    touch_all(x, 0, 10, PT_FETCH_POINT);
    assert_int_equal(stats_of(x).heap_fetches, 10);
    assert_false(resident(x, 3));
    assert_int_equal(stats_of(x).frame_bytes, 0);
}

TEST_CACHE(a_reader_inside_an_epoch_keeps_the_bytes_it_peeked, 4, 16384, 100)
{
    touch(x, 0, PT_FETCH_SCAN);
    unsigned slot = pt_epoch_enter(&x->epoch);
    const uint8_t *data = pt_block_peek(x->table.source, 0);
    assert_non_null(data);
    touch_all(x, 1, 100, PT_FETCH_POINT); /* by the heap, once limbo is full */
    assert_true(fake_is(&x->table, 0, data, fake_size(&x->table, 0)));
    assert_true(stats_of(x).heap_fetches > 0);
    pt_epoch_exit(&x->epoch, slot);
    uint64_t before = stats_of(x).heap_fetches;
    touch_all(x, 1, 100, PT_FETCH_POINT);
    assert_int_equal(stats_of(x).heap_fetches, before);
}

TEST_CACHE(small_and_large_frames_share_the_slab, 16, 4096, 1000)
{
    fake_table large = {.id = 2, .block_count = 1000, .frame_bytes = 16384};
    assert_ok(fake_attach(x->cache, &large));
    for (int round = 0; round < 4; round++) {
        touch_all(x, 0, 200, PT_FETCH_POINT);
        for (uint32_t b = 0; b < 200; b++)
            touch_block(&large, b, PT_FETCH_POINT);
    }
    pt_cache_stats s = stats_of(x);
    assert_int_equal(s.heap_fetches, 0);
    assert_true(s.frame_bytes <= 16 * 16384 && s.frame_bytes >= 12 * 16384);
    pt_cache_detach(x->cache, large.source);
}

/* ---- the budget changes ---- */

TEST_CACHE(a_smaller_budget_holds_from_now_on_and_a_larger_one_is_used, 16, 4096, 200)
{
    touch_all(x, 0, 60, PT_FETCH_POINT);
    assert_int_equal(stats_of(x).frame_bytes, 60 * 4096);
    pt_cache_limit(x->cache, GROUPS(4));
    assert_int_equal(stats_of(x).frame_bytes, 4 * 16384);
    assert_int_equal(count_resident(x, 0, 60), 16);
    for (unsigned i = 0; i < 3; i++) {
        touch_all(x, 0, 200, PT_FETCH_POINT);
        assert_true(stats_of(x).frame_bytes <= 4 * 16384);
    }
    pt_cache_limit(x->cache, GROUPS(16));
    touch_all(x, 0, 40, PT_FETCH_POINT); /* beside the sixteen that are there */
    assert_int_equal(count_resident(x, 0, 40), 40);
    pt_cache_limit(x->cache, GROUPS(64)); /* not beyond what it was made with */
    touch_all(x, 0, 200, PT_FETCH_POINT);
    assert_true(stats_of(x).frame_bytes <= 16 * 16384);
}

TEST_CACHE(what_is_pinned_beyond_a_smaller_budget_stays_until_it_is_let_go, 8, 4096, 200)
{
    pt_block_ref ref;
    touch_all(x, 0, 27, PT_FETCH_POINT);
    assert_ok(fake_fetch(&x->table, 27, PT_FETCH_POINT, &ref));
    pt_cache_limit(x->cache, GROUPS(2));
    assert_false(resident(x, 27));
    assert_true(stats_of(x).frame_bytes > 2 * 16384);
    touch_all(x, 30, 130, PT_FETCH_POINT);
    assert_true(fake_ref_is(&x->table, 27, &ref));
    pt_cache_limit(x->cache, GROUPS(8)); /* its group is one of many again */
    touch_all(x, 30, 130, PT_FETCH_POINT);
    assert_true(fake_ref_is(&x->table, 27, &ref));
    pt_cache_limit(x->cache, GROUPS(2));
    fake_release(&x->table, &ref);
    touch_all(x, 30, 130, PT_FETCH_POINT);
    assert_true(stats_of(x).frame_bytes <= 2 * 16384);
    assert_int_equal(stats_of(x).pinned, 0);
}

TEST_CACHE(what_is_loaded_while_the_budget_becomes_smaller_is_not_kept_beyond_it, 8, 16384, 200)
{
    pt_cache_fill fill[8];
    pt_block_ref ref;
    for (uint32_t b = 0; b < 8; b++) {
        assert_ok(pt_cache_fill_begin(x->table.source, b, 16384, PT_FETCH_POINT, &fill[b], &ref));
        assert_true(fill[b].state == PT_FILL_LEADS);
    }
    pt_cache_limit(x->cache, GROUPS(3));
    for (uint32_t b = 0; b < 8; b++) {
        size_t size;
        assert_ok(fake_load(&x->table, b, fill[b].room, fill[b].room_size, &size));
        assert_ok(pt_cache_fill_end(x->table.source, &fill[b], PEAT_OK, size, &ref));
        assert_true(fake_ref_is(&x->table, b, &ref));
        fake_release(&x->table, &ref);
    }
    assert_true(count_resident(x, 0, 8) <= 3);
    touch_all(x, 0, 100, PT_FETCH_POINT);
    assert_true(stats_of(x).frame_bytes <= 3 * 16384);
    pt_cache_limit(x->cache, GROUPS(8));
    touch_all(x, 0, 7, PT_FETCH_POINT);
    assert_int_equal(count_resident(x, 0, 7), 7);
}
