/* SPDX-License-Identifier: MIT */
/*
 * test_ahead.c - memory is there before frames are taken: as much as it should be, where it
 * should be, and not for longer. The environment notes for each group whether its memory was asked
 * for, and whether it went back.
 */
#include "cache/frames.h"
#include "world/sim.h"
#include "world/test.h"

#define GROUPS_MAX 2048u
#define STEP       PT_SLAB_STEP_GROUPS
#define AHEAD_MAX  (4 * STEP)
#define SECOND     ((uint64_t)1000 * 1000 * 1000)
#define ALL        ((uint64_t)GROUPS_MAX * PT_SLAB_GROUP_BYTES)

typedef struct ahead {
    sim_env *sim;
    peat_env env;
    pt_epoch epoch;
    pt_frames fs;
    uint32_t frame[GROUPS_MAX];
    uint32_t count;
    unsigned lows;
    void (*meanwhile)(struct ahead *x); /* while memory is on its way */
    unsigned there[GROUPS_MAX + 1];     /* how often it was asked for since it last went back */
} ahead;

static ahead *now; /* the environment's ctx is the sim's */

static void note(const void *p, size_t size, unsigned by)
{
    size_t from = (size_t)((const uint8_t *)p - now->fs.slab.data) / PT_SLAB_GROUP_BYTES;
    for (size_t g = from; g < from + size / PT_SLAB_GROUP_BYTES; g++)
        now->there[g] = by == 0 ? 0 : now->there[g] + by;
}

static void note_needed(void *ctx, void *p, size_t size)
{
    (void)ctx;
    assert_int_equal(pt_mutex_try_lock(&now->fs.mu), true); /* nobody waits for memory */
    pt_mutex_unlock(&now->fs.mu);
    if (now->meanwhile != NULL)
        now->meanwhile(now);
    note(p, size, 1);
}

static void note_unneeded(void *ctx, void *p, size_t size)
{
    (void)ctx;
    note(p, size, 0);
}

static void low(void *ctx)
{
    ((ahead *)ctx)->lows++;
}

static void open_ahead(ahead *x, size_t size)
{
    memset(x, 0, sizeof *x);
    now = x;
    x->sim = sim_new(1);
    x->env = *sim_peat(x->sim);
    x->env.needed = note_needed;
    x->env.unneeded = note_unneeded;
    x->env.size = size;
    pt_epoch_init(&x->epoch);
    assert_ok(pt_frames_init(&x->fs, &x->env, &x->epoch, (size_t)ALL));
    assert_true(x->fs.slab.limit > GROUPS_MAX - 100);
    sim_clock_advance(x->sim, SECOND);
    pt_frames_watch(&x->fs, low, x);
}

static void close_ahead(ahead *x)
{
    pt_frames_done(&x->fs);
    pt_epoch_done(&x->epoch);
    sim_end(x->sim);
}

#define TEST_AHEAD(name) TEST_BETWEEN(name, ahead, x, open_ahead, close_ahead, sizeof(peat_env))

/* The worker, when it was woken. */
static void bring_all(ahead *x, uint64_t bytes_max)
{
    uint64_t again;
    while (pt_frames_bring(&x->fs, bytes_max, &again) || again == 0)
        continue;
}

static void take_one(ahead *x)
{
    uint32_t f = pt_frames_take(&x->fs, true);
    assert_int_not_equal(f, 0);
    x->frame[x->count++] = f;
}

static void give_up_all(ahead *x)
{
    while (x->count != 0)
        pt_frames_give_up(&x->fs, x->frame[--x->count]);
}

/* Takes so many frames, with a worker that comes as soon as it is called. Returns how many of them
 * had no memory. */
static unsigned take(ahead *x, uint32_t count, uint64_t bytes_max)
{
    unsigned bare = 0;
    for (uint32_t i = 0; i < count; i++) {
        unsigned lows = x->lows;
        take_one(x);
        bare += x->there[x->frame[x->count - 1] / PT_SLAB_GROUP_UNITS] == 0;
        if (x->lows != lows)
            bring_all(x, bytes_max);
    }
    return bare;
}

static uint32_t there_from(const ahead *x, uint32_t from)
{
    uint32_t n = 0;
    for (uint32_t g = from; g < GROUPS_MAX; g++)
        n += x->there[g] != 0;
    return n;
}

static uint32_t top(const ahead *x)
{
    return x->fs.slab.top;
}

TEST_AHEAD(quick_use_finds_memory_that_is_there)
{
    assert_int_equal(take(x, STEP - 1, ALL), STEP - 1);
    assert_int_equal(take(x, 1000, ALL), 0);
    assert_true(there_from(x, top(x)) > AHEAD_MAX - 2 * STEP);
    assert_true(there_from(x, top(x)) <= AHEAD_MAX);
    for (uint32_t g = 0; g < GROUPS_MAX; g++)
        assert_true(x->there[g] <= 1); /* nothing twice */
    give_up_all(x);
}

TEST_AHEAD(there_is_as_much_ahead_as_is_used)
{
    (void)take(x, STEP, ALL);
    assert_true(x->lows != 0);
    assert_int_equal(there_from(x, 0), STEP); /* the second step: who uses the first is in it */
    assert_int_equal(there_from(x, STEP), STEP);
    (void)take(x, STEP, ALL);
    assert_int_equal(there_from(x, top(x)), 2 * STEP - 1); /* it is the second group of its step */
    give_up_all(x);
}

TEST_AHEAD(slow_use_brings_none)
{
    for (unsigned i = 0; i < 20; i++) {
        (void)take(x, 50, ALL);
        sim_clock_advance(x->sim, SECOND);
    }
    assert_int_equal(x->lows, 0);
    bring_all(x, ALL);
    assert_int_equal(there_from(x, 0), 0);
    give_up_all(x);
}

TEST_AHEAD(what_nobody_comes_to_goes_back_after_a_second)
{
    uint64_t again = 0;
    (void)take(x, 700, ALL);
    assert_true(there_from(x, top(x)) > 2 * STEP);
    assert_false(pt_frames_bring(&x->fs, ALL, &again));
    assert_true(again <= SECOND && again > SECOND / 2);
    sim_clock_advance(x->sim, again);
    bring_all(x, ALL);
    assert_false(pt_frames_bring(&x->fs, ALL, &again));
    assert_true(again == UINT64_MAX); /* no look at rest */
    /* but for the huge page that is in use */
    assert_int_equal(there_from(x, top(x)), STEP - top(x) % STEP);
    unsigned lows = x->lows;
    (void)take(x, STEP, ALL); /* slowly at first */
    (void)take(x, STEP, ALL);
    assert_true(x->lows > lows);
    assert_true(there_from(x, top(x)) > 2 * STEP);
    give_up_all(x);
}

TEST_AHEAD(no_more_comes_than_tables_have)
{
    uint64_t used = 600 * PT_SLAB_GROUP_BYTES;
    (void)take(x, 300, used);
    assert_true(there_from(x, top(x)) >= STEP);
    (void)take(x, 300, used);
    assert_int_equal(there_from(x, 601), 0);
    assert_int_equal(there_from(x, 0), 3 * STEP); /* from 128 to 512: no whole one is left */
    give_up_all(x);
}

TEST_AHEAD(nothing_comes_beyond_the_limit)
{
    pt_frames_limit(&x->fs, (size_t)ALL / 4);
    uint32_t limit = x->fs.slab.limit;
    assert_true(limit < GROUPS_MAX / 4);
    (void)take(x, limit - 1, ALL);
    bring_all(x, ALL);
    assert_int_equal(there_from(x, limit), 0);
    assert_int_equal(there_from(x, STEP), limit / STEP * STEP - STEP);
    give_up_all(x);
}

static void lower_limit(ahead *x)
{
    pt_frames_limit(&x->fs, (size_t)300 * PT_SLAB_GROUP_BYTES);
}

TEST_AHEAD(what_comes_while_the_limit_goes_down_goes_back)
{
    uint64_t again;
    (void)take(x, 250, ALL);
    x->meanwhile = lower_limit;
    take_one(x);
    (void)take(x, 40, ALL);
    assert_true(pt_frames_bring(&x->fs, ALL, &again) || x->fs.slab.limit <= 300);
    x->meanwhile = NULL;
    lower_limit(x);
    assert_int_equal(there_from(x, x->fs.slab.limit), 0);
    sim_clock_advance(x->sim, SECOND);
    bring_all(x, ALL);
    assert_int_equal(there_from(x, x->fs.slab.limit), 0);
    give_up_all(x);
}

TEST_AHEAD(a_cache_that_was_emptied_begins_anew)
{
    (void)take(x, 700, ALL);
    give_up_all(x);
    pt_frames_trim(&x->fs);
    assert_int_equal(there_from(x, 0), 0);
    assert_int_equal(top(x), 1);
    (void)take(x, STEP, ALL);
    assert_int_equal(take(x, 600, ALL), 0);
    give_up_all(x);
}

TEST_BETWEEN(an_environment_that_has_no_such_member_is_not_asked, ahead, x, open_ahead, close_ahead,
             offsetof(peat_env, needed))
{
    (void)take(x, 1000, ALL);
    assert_int_equal(x->lows, 0);
    assert_int_equal(there_from(x, 0), 0);
    give_up_all(x);
}
