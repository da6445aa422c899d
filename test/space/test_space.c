/* SPDX-License-Identifier: MIT */
/*
 * test_space.c - the loads of space.h in the quick world: small sizes, a simulated disk and clock,
 * no threads: the work is done by the writes themselves, or by peat_work as well, which a program
 * with an event loop calls now and then. make proof-space runs them in full size.
 *
 * Not under sanitizers, where it would take half an hour: other tests go the same ways.
 * ctest: timeout=240 label=slow
 */
#include "space/space.h"
#include "api/handle.h"
#include "world/kit.h"

#include <sched.h>
#include <semaphore.h>

#define MEMTABLE_BYTES  ((uint64_t)64 << 10)
#define PARTITION_BYTES ((uint64_t)256 << 10)

struct space_world {
    kit k;
    sem_t events;
};

/* ---- the world ---- */

void must(peat_rc rc, const char *what)
{
    if (rc != PEAT_OK)
        fail_msg("%s: %s", what, peat_rc_name(rc));
}

void world_open(space *s)
{
    kit_must_open(&s->world->k);
    s->db = s->world->k.db;
}

void world_close(space *s)
{
    kit_close(&s->world->k);
    s->db = NULL;
}

uint64_t world_now(space *s)
{
    const peat_env *env = sim_peat(s->world->k.sim);
    return env->now_ns(env->ctx);
}

void world_wait_until(space *s, uint64_t ns)
{
    uint64_t now = world_now(s);
    if (now < ns)
        sim_clock_advance(s->world->k.sim, ns - now);
}

void world_sampling_start(space *s)
{
    (void)s;
}

void world_sampling_stop(space *s)
{
    (void)s;
}

uint64_t world_dir_bytes(space *s)
{
    return sim_disk_bytes(s->world->k.sim);
}

uint64_t world_written_bytes(space *s)
{
    peat_statistics st = space_stats(s);
    return st.log_bytes_written + st.zero_fill_bytes_written + st.flush_bytes_written +
           st.merge_bytes_written + st.manifest_bytes_written;
}

void world_delete_apart(space *s, uint64_t number)
{
    char key[32];
    world_open(s);
    assert_ok(peat_delete(s->db, NULL, space_key(s, number, key)));
    world_close(s);
}

void world_expect_rest(space *s)
{
    uint64_t before = sim_count(s->world->k.sim, SIM_CHANGES);
    space_wait(s, 600 * S_NS);
    assert_int_equal(sim_count(s->world->k.sim, SIM_CHANGES), before);
}

static int new_space(void **state)
{
    space *s = calloc(1, sizeof *s);
    s->world = calloc(1, sizeof *s->world);
    kit *k = &s->world->k;
    kit_begin(k, sim_new(sim_seed(5)));
    k->options.memory_bytes = PEAT_MEMORY_BYTES_MIN;
    k->test.memtable_bytes = MEMTABLE_BYTES;
    k->test.block_bytes = 4096;
    k->test.partition_bytes = PARTITION_BYTES;
    k->test.table_bytes = PARTITION_BYTES / 2;
    k->test.segment_bytes = MEMTABLE_BYTES / 2;
    s->memtable_bytes = MEMTABLE_BYTES;
    s->partition_bytes_min = s->partition_bytes_max = PARTITION_BYTES;
    s->sample_ns = 64 * MS_NS;
    s->burst_ns = 40 * S_NS;
    s->bounded = true;
    s->fill_max = 4.0;
    s->works = true;
    s->speed = 1.0;
    *state = s;
    return 0;
}

static int end_space(void **state)
{
    space *s = *state;
    sim_end(s->world->k.sim);
    free(s->world);
    free(s);
    return 0;
}

/* ---- loads ---- */

#define TEST_SPACE(name) TEST_WITH(name, space *s, new_space, end_space)

static void end(space *s)
{
    space_end(s);
    if (s->over != 0)
        space_violation(s, "%.2f of the bound, %" PRIu64 " bytes for %" PRIu64 " live",
                        s->worst.ratio, s->worst.dir_bytes, s->worst.live_bytes);
    (void)printf("space %s: %.2f of the bound\n", s->load, s->worst.ratio);
    assert_int_equal(s->violations, 0);
    assert_int_not_equal(s->samples, 0);
}

static void run(space *s, const char *name, void (*load)(space *s), space_size size)
{
    s->load = name;
    s->size = size;
    load(s);
    end(s);
}

/* Twice: with peat_work, and in another store with writes alone. */
static void run_steady(space *s, const char *name, void (*load)(space *s), space_size size)
{
    void *another = NULL;
    assert_int_equal(new_space(&another), 0);
    ((space *)another)->works = false;
    run(s, name, load, size);
    run(another, name, load, size);
    assert_int_equal(end_space(&another), 0);
}

#define TEST_STEADY(name, load, ...)                                                               \
    TEST_SPACE(name)                                                                               \
    {                                                                                              \
        run_steady(s, #load, load, (space_size){__VA_ARGS__});                                     \
    }
#define TEST_LOAD(name, load, ...)                                                                 \
    TEST_SPACE(name)                                                                               \
    {                                                                                              \
        run(s, #load, load, (space_size){__VA_ARGS__});                                            \
    }
#define ROWS .count = 6000, .value_bytes = 1000
#define FEW  .count = 20, .value_bytes = 1000000

TEST_STEADY(retention_by_time_keeps_within_the_bound, load_retention, 8000, 1000, 1000, MS_NS)
TEST_STEADY(queues_keep_within_the_bound, load_queue, 10000, 500, 200, MS_NS)
TEST_STEADY(a_cache_with_eviction_keeps_within_the_bound, load_cache, 12000, 2000, 2000, MS_NS)
TEST_STEADY(large_values_overwritten_keep_within_the_bound, load_large, 400, 10, 100000, 20 * MS_NS)
TEST_STEADY(uniform_overwriting_keeps_within_the_bound, load_uniform, 40000, 4000, 400, MS_NS)
TEST_STEADY(values_of_changing_size_keep_within_the_bound, load_sizes, 30000, 3000, 1000, MS_NS)
TEST_STEADY(ranges_deleted_row_by_row_keep_within_the_bound, load_ranges, 400, 40, 400, MS_NS)
TEST_LOAD(deleted_space_returns_while_little_is_written, load_trickle, ROWS)
TEST_LOAD(small_values_over_large_ones_free_their_space, load_shrink, 6000, .value_bytes = 3000)
TEST_LOAD(few_deletes_free_their_space_in_a_quiet_store, load_quiet_delete, FEW)
TEST_LOAD(few_small_values_over_large_ones_free_their_space, load_quiet_shrink, FEW)
TEST_LOAD(deletes_of_one_open_each_free_their_space, load_shell, FEW)
TEST_LOAD(a_closed_snapshot_gives_space_back_without_a_commit, load_snapshot, ROWS)
TEST_LOAD(an_iterator_that_moves_keeps_no_more_than_it_sees, load_iterator, ROWS)
TEST_LOAD(a_closed_iterator_gives_space_back_without_a_commit, load_iterator_standing, ROWS)
TEST_LOAD(an_unpinned_value_gives_space_back_without_a_commit, load_pin, ROWS)

/* The writes alone do it, too. */
TEST_SPACE(deleted_space_returns_by_writing_a_little)
{
    s->works = false;
    s->burst_ns = 400 * S_NS;
    run(s, "load_trickle without peat_work", load_trickle, (space_size){ROWS});
}

/* 8 MiB are to a trickle of an hour here what 10 GB are to one in the field. */
TEST_SPACE(an_hour_of_a_trickle_rewrites_little)
{
    s->sample_ns = S_NS;
    run(s, "load_idle", load_idle, (space_size){.count = 8000, .value_bytes = 1000});
}

/* In the proportions of a quarter of a gigabyte under the default memory. */
TEST_SPACE(a_fill_and_overwriting_write_each_byte_a_few_times_at_most)
{
    kit *k = &s->world->k;
    k->options.memory_bytes = 4 << 20;
    k->test.memtable_bytes = s->memtable_bytes = 4 * MEMTABLE_BYTES;
    k->test.segment_bytes = MEMTABLE_BYTES;
    s->works = false;
    run(s, "load_amplification", load_amplification,
        (space_size){.count = 10000, .value_bytes = 400});
}

/* ---- with a thread ---- */

static void on_event(void *ctx, const peat_event *event)
{
    (void)event;
    (void)sem_post((sem_t *)ctx);
}

static void begin_with_thread(space *s, const char *load, uint64_t count, uint32_t value_bytes)
{
    kit *k = &s->world->k;
    assert_int_equal(sem_init(&s->world->events, 0, 0), 0);
    k->options.threads = 1;
    k->host.event_fn = on_event;
    k->host.event_ctx = &s->world->events;
    s->load = load;
    s->workers = 1;
    space_begin(s, count, value_bytes + KEY_BYTES);
    s->entry_bytes_max = 0;
    space_burst_begin(s);
    space_fill(s, 0, count, value_bytes);
    assert_ok(peat_settle(s->db, PEAT_WAIT_FOREVER));
}

/* Its thread has nothing to do and waits, without a limit, for somebody to wake it. */
static void wait_for_rest(space *s)
{
    while (atomic_load(&s->db->store->sleepers) == 0)
        (void)sched_yield();
}

/* From event to event, for as long as it takes: nothing is written meanwhile, so a store that does
 * not begin by itself has this test wait for ever. */
static void wait_for_bound(space *s)
{
    for (space_sample_now(s); s->last.ratio > 1.0; space_sample_now(s))
        while (sem_wait(&s->world->events) != 0)
            ;
    atomic_store(&s->strict_from_ns, 0);
    space_sample_now(s);
    end(s);
    (void)sem_destroy(&s->world->events);
}

TEST_SPACE(closing_an_iterator_wakes_the_background)
{
    enum { COUNT = 6000 };
    peat_iter *it = NULL;
    begin_with_thread(s, "an iterator closed", COUNT, 1000);
    assert_ok(peat_iter_open(s->db, NULL, &it));
    assert_ok(peat_iter_next(it));
    for (uint64_t i = 0; i < COUNT; i++)
        space_delete(s, i);
    assert_ok(peat_settle(s->db, PEAT_WAIT_FOREVER));
    wait_for_rest(s);
    peat_iter_close(it);
    wait_for_bound(s);
}

/* Deletes alone: nobody holds anything, and nobody asks it to settle. */
TEST_SPACE(deletes_in_memory_wake_the_background)
{
    begin_with_thread(s, "deletes in memory", 20, 1000000);
    wait_for_rest(s);
    for (uint64_t i = 0; i < 20; i++)
        space_delete(s, i);
    wait_for_bound(s);
}
