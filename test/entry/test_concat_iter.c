/* SPDX-License-Identifier: MIT */
/* test_concat_iter.c - a chain of links against the array of all their rows. */
#include "strict_run.h"
#include "world/random.h"

#include "entry/concat_iter.h"

#define LINKS   8
#define ROWS    5   /* of a link at most; many have none */
#define SPAN    100 /* keys of a link: [i * SPAN, (i + 1) * SPAN) */
#define ROW_MAX ((size_t)LINKS * ROWS)

typedef struct world {
    pt_concat_iter chain;
    row rows[ROW_MAX];      /* of all links, by key */
    size_t from[LINKS + 1]; /* link i has rows [from[i], from[i + 1]) */
    size_t low, high;       /* rows of the links in bounds */
    run_iter link;          /* the open one */
    int opened, closed;
    fault fault, no_open;
    uint64_t seed;
    rng random;
} world;

static uint64_t roll(world *w, uint64_t n)
{
    return rng_below(&w->random, n);
}

static world *of(const pt_concat_iter *c)
{
    return PT_CONTAINER(c, world, chain);
}

static peat_rc open_link(pt_concat_iter *c, size_t i)
{
    world *w = of(c);
    assert_true(c->open == NULL && i >= c->begin && i < c->end);
    if (w->no_open.countdown != 0 && --w->no_open.countdown == 0)
        return w->no_open.rc;
    w->opened++;
    w->link = (run_iter){.base.ops = &run_ops,
                         .rows = w->rows + w->from[i],
                         .count = w->from[i + 1] - w->from[i],
                         .fault = &w->fault,
                         .done_count = &w->closed};
    c->open = &w->link.base;
    return PEAT_OK;
}

static void close_link(pt_concat_iter *c)
{
    pt_iter_done(c->open);
}

static size_t link_of(const pt_concat_iter *c, pt_slice key)
{
    (void)c;
    return key.size == 0 ? 0 : pt_get_be32(key.data) / SPAN;
}

static const pt_iter_ops ops = {PT_CONCAT_ITER_MOVES};

static void add_link(world *w, size_t i)
{
    size_t count = roll(w, 2) ? 0 : 1 + (size_t)roll(w, ROWS), at = w->from[i];
    uint32_t key = (uint32_t)(i * SPAN + roll(w, 2));
    for (size_t end = at + count; at < end; at++) {
        w->rows[at] = (row){.key_size = 4, .run = i, .place = at};
        pt_put_be32(w->rows[at].key, key);
        key += 1 + (uint32_t)roll(w, 19);
    }
    w->from[i + 1] = at;
}

static world *make_world(uint64_t seed)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->seed = w->random.state = seed;
    for (size_t i = 0; i < LINKS; i++)
        add_link(w, i);
    size_t begin = roll(w, 3) ? 0 : (size_t)roll(w, LINKS);
    size_t end = roll(w, 3) ? LINKS : begin + (size_t)roll(w, LINKS - begin + 1);
    w->chain = (pt_concat_iter){.base.ops = &ops,
                                .begin = begin,
                                .end = end,
                                .open_link = open_link,
                                .close_link = close_link,
                                .link_of = link_of};
    w->low = w->from[begin];
    w->high = w->from[end];
    return w;
}

static void free_world(world *w)
{
    pt_concat_iter_close(&w->chain);
    assert_int_equal(w->opened, w->closed);
    free(w);
}

static bool in_bounds(const world *w, size_t at)
{
    return at >= w->low && at < w->high;
}

static void assert_stands_on(const world *w, peat_rc rc, size_t at)
{
    const pt_entry *e = &w->chain.base.at;
    peat_rc expected = in_bounds(w, at) ? PEAT_OK : PEAT_END;
    if (rc != expected || (rc == PEAT_OK && e->seq != at))
        fail_msg("seed %" PRIu64 ", links %zu to %zu: expected row %zu of %zu to %zu, found %d %zu",
                 w->seed, w->chain.begin, w->chain.end, at, w->low, w->high, rc, (size_t)e->seq);
    if (rc == PEAT_OK)
        assert_true(pt_slice_equal(e->key, row_key(&w->rows[at])));
}

static row_range rows_of(const world *w)
{
    return (row_range){w->rows, w->low, w->high};
}

/* One random move; *io_at is the row it must stand on, or one out of bounds. */
static peat_rc random_move(world *w, size_t *io_at)
{
    pt_iter *it = &w->chain.base;
    uint8_t key[4];
    if (in_bounds(w, *io_at) && roll(w, 6) != 0)
        return step(it, roll(w, 2) != 0, io_at);
    pt_put_be32(key, (uint32_t)roll(w, LINKS * SPAN + 50));
    pt_slice target = pt_slice_of(key, sizeof key);
    return jump(it, rows_of(w), roll(w, 6), target, io_at);
}

TEST(walks_in_both_directions_give_every_row)
{
    for (uint64_t seed = 1; seed <= 500; seed++) {
        world *w = make_world(seed);
        peat_rc rc = pt_iter_first(&w->chain.base);
        for (size_t i = w->low; i < w->high; i++, rc = pt_iter_next(&w->chain.base))
            assert_stands_on(w, rc, i);
        assert_int_equal(rc, PEAT_END);
        rc = pt_iter_last(&w->chain.base);
        for (size_t i = w->high; i-- > w->low; rc = pt_iter_prev(&w->chain.base))
            assert_stands_on(w, rc, i);
        assert_int_equal(rc, PEAT_END);
        free_world(w);
    }
}

TEST(every_key_is_sought_both_ways)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        world *w = make_world(seed);
        for (uint32_t k = 0; k < (LINKS + 1) * SPAN; k++) {
            uint8_t bytes[4];
            pt_put_be32(bytes, k);
            pt_slice key = pt_slice_of(bytes, sizeof bytes);
            assert_stands_on(w, pt_iter_seek(&w->chain.base, key),
                             first_at_or_after(rows_of(w), key));
            assert_stands_on(w, pt_iter_seek_for_prev(&w->chain.base, key),
                             last_at_or_before(rows_of(w), key));
        }
        free_world(w);
    }
}

TEST(random_moves_agree_with_the_array)
{
    for (uint64_t seed = 1; seed <= 500; seed++) {
        world *w = make_world(seed);
        size_t at = SIZE_MAX;
        for (int i = 0; i < 300; i++) {
            peat_rc rc = random_move(w, &at);
            assert_stands_on(w, rc, at);
        }
        free_world(w);
    }
}

TEST(an_error_of_a_link_is_the_answer_and_not_the_end)
{
    unsigned fired = 0;
    for (uint64_t seed = 1; seed <= 900; seed++) {
        world *w = make_world(seed);
        size_t at = SIZE_MAX;
        fault *f = seed % 2 ? &w->fault : &w->no_open;
        *f = (fault){.countdown = 1 + (long)roll(w, 30), .rc = PEAT_IO};
        for (int i = 0; i < 60; i++) {
            peat_rc rc = random_move(w, &at);
            if (rc == PEAT_IO) {
                fired++;
                at = SIZE_MAX; /* absolute moves only, and those work */
                continue;
            }
            assert_stands_on(w, rc, at);
        }
        free_world(w);
    }
    assert_true(fired > 600);
}
