/* SPDX-License-Identifier: MIT */
/*
 * test_versions.c - how many versions of a hot key are looked at to find one of them. See
 * mem/versions.h; steps are counted, nothing is timed.
 */
#include "mem/mem_model.h"
#include "mem/tree.h"
#include "world/sim.h"

#define VERSIONS 1000000u
/* 3 log2 of a million */
#define LOOKS_MAX 64u

typedef struct hot {
    sim_env *sim;
    pt_memtable *m;
    uint8_t key[PT_KEYSPACE_BYTES + 3];
    const pt_record *in_tree;
} hot;

static void add(hot *h, uint64_t seq)
{
    pt_entry e = {.key = pt_slice_of(h->key, sizeof h->key),
                  .value = pt_slice_of(&seq, sizeof seq),
                  .seq = seq,
                  .kind = PT_KIND_PUT};
    assert_true(pt_memtable_reserve(h->m, 1, e.key.size, e.value.size));
    pt_memtable_add(h->m, &e);
}

static void begin(hot *h)
{
    h->sim = sim_new(1);
    sim_heap_maps(h->sim);
    pt_put_be32(h->key, PT_KEYSPACE_DEFAULT);
    memcpy(h->key + PT_KEYSPACE_BYTES, "hot", 3);
    assert_ok(pt_memtable_new(sim_peat(h->sim), (size_t)256 << 20, &h->m));
}

static void end(hot *h)
{
    pt_memtable_unref(h->m);
    sim_end(h->sim);
}

static uint32_t looks_for(hot *h, uint64_t seq, uint64_t expected)
{
    pt_place place;
    uint32_t looks = 0;
    pt_tree_find(h->m, pt_slice_of(h->key, sizeof h->key), &place);
    h->in_tree = pt_record_at(&h->m->arena, place.record);
    const pt_record *r = pt_versions_visible(&h->m->arena, h->in_tree, seq, &looks);
    assert_non_null(r);
    assert_int_equal(pt_record_seq(r), expected);
    return looks;
}

/* The most of a few thousand sequences, the first and the last among them. */
static uint32_t most_looks(hot *h, uint64_t seq_max)
{
    uint32_t most = 0;
    for (uint64_t seq = 1; seq <= seq_max; seq += 1 + seq % 613) {
        uint32_t looks = looks_for(h, seq, seq);
        most = looks > most ? looks : most;
    }
    return most;
}

TEST(any_of_a_million_versions_is_found_in_a_few_looks)
{
    hot h;
    begin(&h);
    for (uint64_t seq = 1; seq <= VERSIONS; seq++)
        add(&h, seq);
    assert_int_equal(looks_for(&h, PT_SEQ_MAX, VERSIONS), 1);
    assert_true(most_looks(&h, VERSIONS) <= LOOKS_MAX);
    end(&h);
}

/* As beside writers that are always a little late, and beside a batch whose sequences are older
 * than what was put in before it. */
TEST(versions_that_arrive_late_make_it_a_little_longer)
{
    hot h;
    begin(&h);
    uint64_t seq = 1, n = VERSIONS / 4;
    for (; seq <= n; seq += 4)
        for (uint64_t i = 0; i < 4; i++)
            add(&h, seq + (i * 3 + 2) % 4);
    for (uint64_t late = seq; late < seq + n; late++) {
        if (late == seq)
            for (uint64_t i = 0; i < 8; i++)
                add(&h, seq + n + i);
        add(&h, late);
    }
    seq += n + 8;
    for (uint64_t i = 0; i < n; i++)
        add(&h, seq++);
    assert_true(most_looks(&h, seq - 1) <= 2 * LOOKS_MAX);
    end(&h);
}

typedef struct writer {
    hot *h;
    _Atomic uint64_t *next;
    uint64_t last;
} writer;

static void *write_some(void *ctx)
{
    writer *w = ctx;
    for (;;) {
        uint64_t seq = atomic_fetch_add(w->next, 1);
        if (seq > w->last)
            return NULL;
        add(w->h, seq);
    }
}

TEST(writers_side_by_side_lose_no_version)
{
    hot h;
    begin(&h);
    _Atomic uint64_t next = 1;
    pthread_t threads[4];
    writer w = {&h, &next, VERSIONS / 10};
    for (size_t i = 0; i < PT_COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_some, &w), 0);
    for (size_t i = 0; i < PT_COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (uint64_t seq = 1; seq <= w.last; seq++)
        (void)looks_for(&h, seq, seq);
    const pt_arena *a = &h.m->arena;
    const pt_record *r = pt_versions_oldest(a, h.in_tree);
    for (uint64_t seq = 1; seq <= w.last; seq++, r = pt_versions_newer(a, h.in_tree, r))
        assert_int_equal(pt_record_seq(r), seq);
    assert_null(r);
    r = pt_versions_newest(a, h.in_tree);
    for (uint64_t seq = w.last; seq > 0; seq--, r = pt_versions_older(a, h.in_tree, r))
        assert_int_equal(pt_record_seq(r), seq);
    assert_null(r);
    end(&h);
}
