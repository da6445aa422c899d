/* SPDX-License-Identifier: MIT */
/*
 * test_cache_threads.c - many threads in one small cache: misses are read once, failures reach
 * everyone who waits, and no thread ever sees a block that is not the one it asked for.
 */
#include "blocks.h"

#include "cache/frames.h"

#include <sched.h>

#define GROUP_COST ((size_t)16384 + 4 * 33 + 12)
#define THREADS    6

/* ---- a storm on one block ---- */

typedef struct storm {
    fake_table table;
    atomic_int arrived;
    atomic_int right, failed;
} storm;

/* The load does not go on before all threads have asked, and gives them time to queue up. */
static void wait_for_all(fake_table *t)
{
    storm *s = t->arg;
    while (atomic_load(&s->arrived) < THREADS)
        sched_yield();
    for (int i = 0; i < 200; i++)
        sched_yield();
}

static void *join_storm(void *arg)
{
    storm *s = arg;
    pt_block_ref ref;
    atomic_fetch_add(&s->arrived, 1);
    peat_rc rc = fake_fetch(&s->table, 3, PT_FETCH_POINT, &ref);
    if (rc == PEAT_OK) {
        atomic_fetch_add(&s->right, fake_ref_is(&s->table, 3, &ref));
        fake_release(&s->table, &ref);
    } else {
        atomic_fetch_add(&s->failed, rc == PEAT_CORRUPT);
    }
    return NULL;
}

static void run_storm(storm *s, peat_rc fail, pt_cache_stats *ret_stats)
{
    sim_env *sim = sim_new(1);
    pt_epoch epoch;
    pt_cache *cache = NULL;
    pt_epoch_init(&epoch);
    assert_ok(pt_cache_new(sim_peat(sim), &epoch, 4 * GROUP_COST, &cache));
    memset(s, 0, sizeof *s);
    s->table = (fake_table){.id = 1,
                            .block_count = 8,
                            .frame_bytes = 4096,
                            .fail = fail,
                            .before_load = wait_for_all,
                            .arg = s};
    assert_ok(fake_attach(cache, &s->table));
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, join_storm, s), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    pt_cache_get_stats(cache, ret_stats);
    pt_cache_detach(cache, s->table.source);
    pt_cache_free(cache);
    pt_epoch_done(&epoch);
    sim_end(sim);
}

TEST(a_storm_of_misses_reads_the_block_once)
{
    storm s;
    pt_cache_stats stats;
    run_storm(&s, PEAT_OK, &stats);
    assert_int_equal(atomic_load(&s.table.loads), 1);
    assert_int_equal(atomic_load(&s.right), THREADS);
    assert_int_equal(stats.misses, 1);
    assert_int_equal(stats.pinned, 0);
}

TEST(a_failing_load_is_everyones_answer)
{
    storm s;
    pt_cache_stats stats;
    run_storm(&s, PEAT_CORRUPT, &stats);
    assert_int_equal(atomic_load(&s.failed), THREADS);
    assert_int_equal(stats.frame_bytes + stats.heap_bytes + stats.pinned, 0);
}

/* ---- pins against unlinking, with nothing in between ---- */

#define TURNS 60000

typedef struct duel {
    pt_frames frames; /* the array of frames only */
    pt_frame frame[8];
    _Atomic uint32_t link;
    atomic_bool reused; /* the frame belongs to somebody else */
    atomic_bool over;
    atomic_uint reuses;
} duel;

static void *unlink_and_reuse(void *arg)
{
    duel *d = arg;
    while (!atomic_load(&d->over)) {
        atomic_store_explicit(&d->link, 0, memory_order_release);
        if (atomic_fetch_add_explicit(&d->frame[5].pins, 0, memory_order_acq_rel) == 0) {
            atomic_store(&d->reused, true);
            for (int i = 0; i < 20; i++)
                pt_spin_pause();
            atomic_store(&d->reused, false);
            atomic_fetch_add(&d->reuses, 1);
        }
        atomic_store_explicit(&d->link, 5, memory_order_release);
        for (int i = 0; i < 5; i++)
            pt_spin_pause();
    }
    return NULL;
}

TEST(a_pinned_frame_is_never_reused)
{
    static duel d;
    memset(&d, 0, sizeof d);
    d.frames.frame = d.frame;
    pthread_t other;
    unsigned pinned = 0, wrong = 0;
    assert_int_equal(pthread_create(&other, NULL, unlink_and_reuse, &d), 0);
    while (pinned < TURNS || atomic_load(&d.reuses) < TURNS) {
        pt_frame *frame = pt_frame_pin(&d.frames, &d.link);
        if (frame == NULL)
            continue;
        pinned++;
        wrong += atomic_load(&d.reused);
        pt_frame_unpin(frame);
    }
    atomic_store(&d.over, true);
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_int_equal(wrong, 0);
    assert_int_equal(atomic_load(&d.frame[5].pins), 0);
}

/* ---- everything at once ---- */

#define SHARED_TABLES 3
#define ROUNDS        4000

typedef struct stress {
    sim_env *sim;
    pt_epoch epoch;
    pt_cache *cache;
    fake_table shared[SHARED_TABLES];
    atomic_uint wrong;
    atomic_uint next_id;
    atomic_bool over;
} stress;

static void fetch_and_check(stress *s, fake_table *t, uint64_t r, pt_block_ref *io_kept,
                            uint32_t *io_kept_block)
{
    uint32_t block = (uint32_t)(r >> 8) % t->block_count;
    pt_block_ref ref;
    if (fake_fetch(t, block, (pt_fetch_hint)(r % 3), &ref) != PEAT_OK ||
        !fake_ref_is(t, block, &ref)) {
        atomic_fetch_add(&s->wrong, 1);
        return;
    }
    if (io_kept == NULL || r >> 60 != 0) {
        fake_release(t, &ref);
        return;
    }
    if (io_kept->pin != NULL) { /* held across many other calls */
        if (!fake_ref_is(t, *io_kept_block, io_kept))
            atomic_fetch_add(&s->wrong, 1);
        fake_release(t, io_kept);
    }
    *io_kept = ref;
    *io_kept_block = block;
}

static void peek_and_check(stress *s, fake_table *t, uint64_t r)
{
    uint32_t block = (uint32_t)(r >> 8) % t->block_count;
    unsigned slot = pt_epoch_enter(&s->epoch);
    const uint8_t *data = pt_block_peek(t->source, block);
    if (data != NULL && !fake_is(t, block, data, fake_size(t, block)))
        atomic_fetch_add(&s->wrong, 1);
    pt_epoch_exit(&s->epoch, slot);
}

/* A table of the thread's own comes and goes, so that frames change owners. */
static void use_own_table(stress *s, uint64_t r)
{
    fake_table t = {.id = atomic_fetch_add(&s->next_id, 1),
                    .block_count = 30,
                    .frame_bytes = r % 2 ? 4096 : 16384};
    if (fake_attach(s->cache, &t) != PEAT_OK) {
        atomic_fetch_add(&s->wrong, 1);
        return;
    }
    for (uint32_t b = 0; b < 30; b++)
        fetch_and_check(s, &t, (uint64_t)b << 8, NULL, NULL);
    pt_cache_detach(s->cache, t.source);
    pt_epoch_collect(&s->epoch);
}

static void *use_cache(void *arg)
{
    stress *s = arg;
    rng random = {atomic_fetch_add(&s->next_id, 1)};
    pt_block_ref kept[SHARED_TABLES] = {{0}};
    uint32_t kept_block[SHARED_TABLES] = {0};
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t r = rng_next(&random);
        size_t n = (size_t)rng_below(&random, SHARED_TABLES);
        if (r % 64 == 0)
            use_own_table(s, r >> 6);
        else if (r % 2)
            peek_and_check(s, &s->shared[n], r >> 1);
        else
            fetch_and_check(s, &s->shared[n], r, &kept[n], &kept_block[n]);
    }
    for (size_t n = 0; n < SHARED_TABLES; n++)
        if (kept[n].pin != NULL)
            fake_release(&s->shared[n], &kept[n]);
    return NULL;
}

static void *count_frames(void *arg)
{
    stress *s = arg;
    while (!atomic_load(&s->over)) {
        pt_cache_stats stats;
        pt_cache_get_stats(s->cache, &stats);
        if (stats.frame_bytes > 12 * 16384)
            atomic_fetch_add(&s->wrong, 1);
        for (int i = 0; i < 20; i++)
            sched_yield();
    }
    return NULL;
}

TEST(threads_never_see_a_block_they_did_not_ask_for)
{
    static stress s;
    memset(&s, 0, sizeof s);
    s.sim = sim_new(1);
    pt_epoch_init(&s.epoch);
    atomic_init(&s.next_id, 100);
    assert_ok(pt_cache_new(sim_peat(s.sim), &s.epoch, 12 * GROUP_COST, &s.cache));
    for (uint32_t i = 0; i < SHARED_TABLES; i++) {
        s.shared[i] = (fake_table){.id = i + 1,
                                   .block_count = 40,
                                   .frame_bytes = i == 1 ? 16384 : 4096,
                                   .some_large = i == 2};
        assert_ok(fake_attach(s.cache, &s.shared[i]));
    }
    pthread_t threads[4], counter;
    assert_int_equal(pthread_create(&counter, NULL, count_frames, &s), 0);
    for (size_t i = 0; i < PT_COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_cache, &s), 0);
    for (size_t i = 0; i < PT_COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    atomic_store(&s.over, true);
    assert_int_equal(pthread_join(counter, NULL), 0);
    assert_int_equal(atomic_load(&s.wrong), 0);
    pt_cache_stats stats;
    pt_cache_get_stats(s.cache, &stats);
    assert_int_equal(stats.pinned, 0);
    assert_int_equal(stats.heap_bytes, 0);
    assert_true(stats.evictions > 100);
    for (size_t i = 0; i < SHARED_TABLES; i++)
        pt_cache_detach(s.cache, s.shared[i].source);
    pt_cache_free(s.cache);
    pt_epoch_done(&s.epoch);
    sim_end(s.sim);
}
