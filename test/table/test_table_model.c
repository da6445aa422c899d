/* SPDX-License-Identifier: MIT */
/*
 * test_table_model.c - tables of many shapes against a sorted array: lookups at any sequence,
 * iterators both ways with bounds, streams.
 */
#include "shape_tables.h"
#include "table/table_internal.h"

/* A key that is there or nearly: its last byte changed, cut, or longer. */
static pt_slice some_key(rng *r, const model *m)
{
    static uint8_t buf[PT_KEY_BYTES_MAX + 1];
    pt_slice key = {buf, 0};
    if (m->count != 0) {
        pt_slice k = m->entries[rng_below(r, m->count)].key;
        memcpy(buf, k.data, k.size);
        key.size = k.size;
    }
    switch (rng_below(r, 6)) {
    case 0:
        if (key.size != 0)
            buf[key.size - 1] = (uint8_t)rng_next(r);
        break;
    case 1:
        key.size = rng_below(r, key.size + 1);
        break;
    case 2:
        buf[key.size++] = (uint8_t)rng_below(r, 2);
        break;
    default:
        break;
    }
    return key;
}

/* ---- lookups ---- */

static void check_find(kit *k, kit_source *s, const model *m, pt_slice key, uint64_t seq_max)
{
    pt_entry have;
    const pt_entry *want = model_find(m, key, seq_max);
    peat_rc rc = kit_find(k, s, key, seq_max, &have);
    assert_int_equal(rc, want != NULL ? PEAT_OK : PEAT_NOT_FOUND);
    if (want != NULL) {
        have.key = key;
        assert_true(entry_equal(&have, want));
        free((void *)(uintptr_t)have.value.data);
    }
}

static void find_agrees(kit *k, const model *m, uint64_t seed)
{
    rng r = {seed};
    kit_source s;
    kit_source_init(&s, k);
    for (int pass = 0; pass < 3; pass++) {
        for (size_t i = 0; i < m->count; i++) {
            check_find(k, &s, m, m->entries[i].key, m->entries[i].seq);
            if (i % 4 == 0)
                check_find(k, &s, m, m->entries[i].key, PT_SEQ_MAX);
            if (i % 16 == 0)
                check_find(k, &s, m, some_key(&r, m), rng_below(&r, m->count + 2));
        }
        /* the same without what helps it */
        pt_table_deny(k->table, PT_SECTION_LOCATOR, true);
        pt_table_unload(k->table, PT_SECTION_LOCATOR);
        if (pass == 1) {
            pt_table_deny(k->table, PT_SECTION_FILTER, true);
            pt_table_unload(k->table, PT_SECTION_FILTER);
        }
        pt_epoch_collect(&k->epoch);
    }
    check_find(k, &s, m, pt_slice_of("", 0), PT_SEQ_MAX);
    assert_int_equal(s.held, 0);
}

TEST_LINE(TEST, find_answers_like_a_sorted_array, each_table(find_agrees))

/* ---- iterators ---- */

typedef struct span {
    size_t lo, hi;
} span;

static void expect_at(pt_iter *it, peat_rc rc, const model *m, span in, size_t i)
{
    if (i < in.lo || i >= in.hi) {
        assert_int_equal(rc, PEAT_END);
        return;
    }
    assert_ok(rc);
    assert_true(entry_equal(pt_iter_entry(it), &m->entries[i]));
    const pt_iter_group *g = it->group;
    assert_true(g->at < g->count && g->count <= PT_ITER_GROUP);
    for (uint32_t j = 0; j < g->count; j++)
        assert_true(entry_equal(&g->entries[j], &m->entries[i + j - g->at]));
    if (g->more_before)
        assert_true(i - g->at > in.lo);
    if (g->more_behind)
        assert_true(i - g->at + g->count < in.hi);
}

/* One step, inside the group without a call when there is room and the coin says so. The value is
 * read again after it when it was said to stay. */
static peat_rc move_one(pt_iter *it, bool back, rng *r)
{
    pt_iter_group *g = it->group;
    pt_slice value = pt_iter_entry(it)->value;
    bool stays = pt_iter_value_stays(it, back), coin = rng_below(r, 2) != 0;
    uint8_t first = stays && value.size != 0 ? value.data[0] : 0;
    peat_rc rc = PEAT_OK;
    if (coin && back && g->at > 0)
        g->at--;
    else if (coin && !back && g->at + 1 < g->count)
        g->at++;
    else
        rc = back ? pt_iter_prev(it) : pt_iter_next(it);
    if (stays && value.size != 0)
        assert_int_equal(value.data[0], first);
    return rc;
}

static void walk_whole(pt_iter *it, const model *m, span in)
{
    peat_rc rc = pt_iter_first(it);
    for (size_t i = in.lo; i < in.hi; i++, rc = pt_iter_next(it))
        expect_at(it, rc, m, in, i);
    assert_int_equal(rc, PEAT_END);
    rc = pt_iter_last(it);
    for (size_t i = in.hi; i > in.lo; i--, rc = pt_iter_prev(it))
        expect_at(it, rc, m, in, i - 1);
    assert_int_equal(rc, PEAT_END);
}

static size_t clamp(size_t i, span in)
{
    return i < in.lo ? in.lo : i;
}

static void walk_random(pt_iter *it, const model *m, span in, rng *r)
{
    for (int n = 0; n < 60; n++) {
        pt_slice key = some_key(r, m);
        size_t at;
        peat_rc rc;
        if (rng_below(r, 2)) {
            at = clamp(model_bound(m, key, false), in);
            rc = pt_iter_seek(it, key);
        } else {
            at = model_bound(m, key, true);
            at = (at < in.hi ? at : in.hi) - 1; /* wraps below the first: out of the span */
            rc = pt_iter_seek_for_prev(it, key);
        }
        expect_at(it, rc, m, in, at);
        for (int step = 0; step < 40 && rc == PEAT_OK; step++) {
            bool on = rng_below(r, 3) != 0;
            rc = move_one(it, !on, r);
            at = on ? at + 1 : at - 1;
            expect_at(it, rc, m, in, at);
        }
    }
}

static void iterate_agrees(kit *k, const model *m, uint64_t seed)
{
    rng r = {seed};
    kit_source s;
    kit_source_init(&s, k);
    pt_iter *it;
    span all = {0, m->count};
    assert_ok(pt_table_iter_new(k->env, k->table, &s.base, NULL, &it));
    walk_whole(it, m, all);
    walk_random(it, m, all, &r);
    pt_table_iter_leave(it);
    assert_int_equal(s.held, 0);
    for (int n = 0; n < 8; n++) { /* the same one again, or another */
        pt_slice lower = copy_slice(some_key(&r, m)), upper = copy_slice(some_key(&r, m));
        pt_table_iter_options o = {.lower = lower, .upper = upper, .hint = PT_FETCH_SCAN};
        if (n == 1)
            o.lower = (pt_slice){0};
        if (n == 2)
            o.upper = (pt_slice){0};
        span in = {o.lower.data ? model_bound(m, o.lower, false) : 0,
                   o.upper.data ? model_bound(m, o.upper, false) : m->count};
        if (n < 6) {
            assert_ok(pt_table_iter_reopen(it, k->table, &s.base, &o));
        } else {
            pt_iter_done(it);
            assert_ok(pt_table_iter_new(k->env, k->table, &s.base, &o, &it));
        }
        if (in.lo <= in.hi) {
            walk_whole(it, m, in);
            walk_random(it, m, in, &r);
        } else {
            assert_int_equal(pt_iter_first(it), PEAT_END);
            assert_int_equal(pt_iter_last(it), PEAT_END);
        }
        free((void *)(uintptr_t)lower.data);
        free((void *)(uintptr_t)upper.data);
    }
    pt_iter_done(it);
    assert_int_equal(s.held, 0);
}

TEST_LINE(TEST, iterators_agree_with_a_sorted_array, each_table(iterate_agrees))

static void stream_agrees(kit *k, const model *m, uint64_t seed)
{
    rng r = {seed};
    pt_block_source *source;
    pt_iter *it;
    assert_ok(pt_table_stream_new(k->env, k->table, PT_STREAM_MERGE, &source));
    assert_ok(pt_table_iter_new(k->env, k->table, source, NULL, &it));
    uint64_t reads = sim_count(k->sim, SIM_BIT(SIM_FILE_READ));
    peat_rc rc = pt_iter_first(it);
    for (size_t i = 0; i < m->count; i++, rc = pt_iter_next(it))
        expect_at(it, rc, m, (span){0, m->count}, i);
    assert_int_equal(rc, PEAT_END);
    /* 256 KiB first, then more at a time; a large entry on its own at worst */
    assert_true(sim_count(k->sim, SIM_BIT(SIM_FILE_READ)) - reads <=
                2 + k->meta.file_bytes / (128 << 10));
    walk_random(it, m, (span){0, m->count}, &r);
    pt_iter_done(it);
    pt_table_stream_free(k->env, source);
}

TEST_LINE(TEST, streams_agree_with_a_sorted_array, each_table(stream_agrees))
