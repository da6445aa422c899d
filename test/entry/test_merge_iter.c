/* SPDX-License-Identifier: MIT */
/* test_merge_iter.c - the merge against a sorted array, over random runs, in every direction. */
#include "strict_run.h"

#include "entry/merge_iter.h"
#include "world/random.h"
#include "world/sim.h"

#define ROWS 40
#define RUNS 9

/* ---- a set of runs, and all their rows in the order the merge must give them ---- */

typedef struct world {
    sim_env *sim;
    row rows[RUNS][ROWS];
    run_iter runs[RUNS];
    size_t run_count;
    row all[RUNS * ROWS];
    size_t all_count;
    fault fault;
    int done_count;
    uint64_t seed;
    rng random;
    pt_iter *it;
} world;

static uint64_t roll(world *w, uint64_t n)
{
    return rng_below(&w->random, n);
}

/* Few different keys, many ties in the first twelve bytes, some keys shorter than those. */
static void random_key(world *w, row *r)
{
    static const uint32_t keyspaces[] = {0, 1, 2, 0x7fffffff, 0x80000000, UINT32_MAX};
    pt_put_be32(r->key, keyspaces[roll(w, 2) ? 1 : roll(w, PT_COUNT_OF(keyspaces))]);
    size_t size = (size_t)roll(w, 13);
    uint8_t fill = roll(w, 2) ? 0x00 : 0xff;
    for (size_t i = 0; i < size; i++)
        r->key[4 + i] = roll(w, 5) ? fill : (uint8_t)roll(w, 256);
    r->key_size = 4 + size;
}

static int by_key(const void *a, const void *b)
{
    return pt_slice_compare(row_key(a), row_key(b));
}

static int in_merge_order(const void *a, const void *b)
{
    const row *x = a, *y = b;
    int c = by_key(a, b);
    if (c == 0)
        c = x->run < y->run ? -1 : x->run > y->run;
    return c != 0 ? c : x->place < y->place ? -1 : x->place > y->place;
}

static void fill_run(world *w, size_t run)
{
    size_t count = roll(w, 5) == 0 ? 0 : 1 + (size_t)roll(w, ROWS);
    row *rows = w->rows[run];
    for (size_t i = 0; i < count; i++) {
        if (w->all_count > 0 && roll(w, 3) == 0)
            rows[i] = w->all[roll(w, w->all_count)]; /* a key that another run or row has */
        else
            random_key(w, &rows[i]);
    }
    qsort(rows, count, sizeof(row), by_key);
    for (size_t i = 0; i < count; i++) {
        rows[i].run = run;
        rows[i].place = i;
        w->all[w->all_count++] = rows[i];
    }
    w->runs[run] = (run_iter){.base = {.ops = &run_ops},
                              .rows = rows,
                              .count = count,
                              .fault = &w->fault,
                              .done_count = &w->done_count};
}

static world *make_world(uint64_t seed, size_t run_count)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->sim = sim_new(seed);
    w->seed = w->random.state = seed;
    w->run_count = run_count;
    pt_iter *children[RUNS];
    for (size_t i = 0; i < run_count; i++) {
        fill_run(w, i);
        children[i] = &w->runs[i].base;
    }
    qsort(w->all, w->all_count, sizeof(row), in_merge_order);
    assert_ok(pt_merge_iter_new(sim_peat(w->sim), children, run_count, &w->it));
    return w;
}

static void free_world(world *w)
{
    pt_iter_done(w->it);
    assert_int_equal(w->done_count, w->run_count);
    sim_end(w->sim);
    free(w);
}

static void assert_stands_on(world *w, peat_rc rc, size_t i)
{
    if (i >= w->all_count) {
        assert_int_equal(rc, PEAT_END);
        return;
    }
    const row *r = &w->all[i];
    if (rc != PEAT_OK || pt_merge_iter_child(w->it) != r->run || w->it->at.seq != r->place)
        print_error("seed %" PRIu64
                    " runs %zu: row %zu expected (run %zu place %zu), rc %d run %zu "
                    "place %" PRIu64 "\n",
                    w->seed, w->run_count, i, r->run, r->place, rc, pt_merge_iter_child(w->it),
                    w->it->at.seq);
    assert_ok(rc);
    assert_int_equal(pt_merge_iter_child(w->it), r->run);
    assert_int_equal(w->it->at.seq, r->place);
    assert_true(pt_slice_equal(w->it->at.key, row_key(r)));
    assert_memory_equal(w->it->at.value.data, r, sizeof *r);
    assert_int_equal(w->it->at.kind, r->place % 3 ? PT_KIND_PUT : PT_KIND_DELETE);
}

static row_range rows_of(const world *w)
{
    return (row_range){w->all, 0, w->all_count};
}

/* One random move of the iterator; *io_at is the row it must stand on, or nonsense for none. */
static peat_rc random_move(world *w, size_t *io_at)
{
    row target = {.key_size = 0};
    if (*io_at < w->all_count && roll(w, 8) != 0)
        return step(w->it, roll(w, 2) != 0, io_at);
    if (w->all_count > 0 && roll(w, 2))
        target = w->all[roll(w, w->all_count)];
    else
        random_key(w, &target);
    return jump(w->it, rows_of(w), roll(w, 6), row_key(&target), io_at);
}

TEST(walks_in_both_directions_give_every_row_in_order)
{
    for (uint64_t seed = 1; seed <= 600; seed++) {
        world *w = make_world(seed, seed % (RUNS + 1));
        peat_rc rc = pt_iter_first(w->it);
        for (size_t i = 0; i <= w->all_count;
             i++, rc = i <= w->all_count ? pt_iter_next(w->it) : rc)
            assert_stands_on(w, rc, i);
        rc = pt_iter_last(w->it);
        for (size_t i = w->all_count; i-- > 0; rc = pt_iter_prev(w->it))
            assert_stands_on(w, rc, i);
        assert_int_equal(rc, PEAT_END);
        free_world(w);
    }
}

TEST(random_moves_agree_with_the_sorted_array)
{
    for (uint64_t seed = 1; seed <= 600; seed++) {
        world *w = make_world(seed, seed % (RUNS + 1));
        size_t at = SIZE_MAX;
        for (int i = 0; i < 400; i++) {
            peat_rc rc = random_move(w, &at);
            assert_stands_on(w, rc, at);
        }
        free_world(w);
    }
}

TEST(turning_at_every_row_gives_its_neighbours)
{
    for (uint64_t seed = 1; seed <= 150; seed++) {
        world *w = make_world(seed, seed % (RUNS + 1));
        for (size_t i = 1; i + 1 < w->all_count; i++) {
            pt_slice key = row_key(&w->all[i]);
            size_t first = first_at_or_after(rows_of(w), key);
            peat_rc rc = pt_iter_seek(w->it, key);
            for (size_t j = first; j < i; j++)
                rc = pt_iter_next(w->it);
            assert_stands_on(w, rc, i);
            assert_stands_on(w, pt_iter_prev(w->it), i - 1);
            assert_stands_on(w, pt_iter_next(w->it), i);
            assert_stands_on(w, pt_iter_next(w->it), i + 1);
            assert_stands_on(w, pt_iter_prev(w->it), i);
            assert_stands_on(w, pt_iter_prev(w->it), i - 1);
        }
        free_world(w);
    }
}

TEST(an_error_of_any_child_is_the_answer_and_never_a_wrong_row)
{
    int fired = 0;
    for (uint64_t seed = 1; seed <= 900; seed++) {
        world *w = make_world(seed, 2 + seed % (RUNS - 1));
        size_t at = SIZE_MAX;
        for (int i = 0; i < 150; i++) {
            if (roll(w, 10) == 0) {
                w->fault.countdown = 1 + (long)roll(w, 8);
                w->fault.rc = roll(w, 2) ? PEAT_IO : PEAT_CORRUPT;
            }
            peat_rc rc = random_move(w, &at);
            if (!w->fault.fired) {
                assert_stands_on(w, rc, at);
                continue;
            }
            assert_int_equal(rc, w->fault.rc);
            assert_int_equal(pt_iter_next(w->it), w->fault.rc);
            assert_int_equal(pt_iter_prev(w->it), w->fault.rc);
            w->fault.fired = false;
            at = SIZE_MAX;
            fired++;
        }
        free_world(w);
    }
    assert_true(fired > 1000);
}

TEST(no_children_are_an_end_and_one_is_itself)
{
    world *w = make_world(7, 0);
    assert_int_equal(pt_iter_next(w->it), PEAT_END);
    assert_int_equal(pt_iter_first(w->it), PEAT_END);
    assert_int_equal(pt_iter_seek_for_prev(w->it, pt_slice_of("\0\0\0\1", 4)), PEAT_END);
    free_world(w);
    w = make_world(8, 1);
    assert_ptr_equal(w->it, &w->runs[0].base);
    assert_int_equal(pt_merge_iter_child(w->it), 0);
    free_world(w);
}

TEST(without_memory_the_children_stay_the_callers)
{
    sim_env *sim = sim_new(1);
    sim_fail(sim, .kinds = SIM_MEMORY, .error = ENOMEM);
    int done_count = 0;
    run_iter runs[2] = {{.base = {.ops = &run_ops}, .done_count = &done_count},
                        {.base = {.ops = &run_ops}, .done_count = &done_count}};
    pt_iter *children[2] = {&runs[0].base, &runs[1].base};
    pt_iter *it = NULL;
    assert_int_equal(pt_merge_iter_new(sim_peat(sim), children, 2, &it), PEAT_NOMEM);
    assert_null(it);
    assert_int_equal(done_count, 0);
    sim_end(sim);
}
