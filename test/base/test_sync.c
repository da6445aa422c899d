/* SPDX-License-Identifier: MIT */
/* test_sync.c - mutex and condition between real threads. */
#include "base/sync.h"

#include "peat_env.h"
#include "world/test.h"

#define THREADS 4
#define ROUNDS  2000

typedef struct shared {
    pt_mutex mu;
    pt_cond changed;
    unsigned turn;  /* guarded by mu */
    unsigned count; /* guarded by mu */
    bool open;      /* guarded by mu */
} shared;

typedef struct worker {
    shared *s;
    unsigned number;
} worker;

static int set_up(void **state)
{
    shared *s = calloc(1, sizeof *s);
    pt_mutex_init(&s->mu);
    pt_cond_init(&s->changed);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    shared *s = *state;
    pt_cond_done(&s->changed);
    pt_mutex_done(&s->mu);
    free(s);
    return 0;
}

static void run_all(shared *s, void (*run)(void *arg), worker *workers, peat_env_thread **threads)
{
    const peat_env *env = peat_env_default();
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (worker){.s = s, .number = i};
        assert_int_equal(env->thread_start(env->ctx, run, &workers[i], &threads[i]), 0);
    }
}

static void join_all(peat_env_thread **threads)
{
    const peat_env *env = peat_env_default();
    for (unsigned i = 0; i < THREADS; i++)
        env->thread_join(env->ctx, threads[i]);
}

static void count_alone(void *arg)
{
    worker *w = arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        pt_mutex_lock(&w->s->mu);
        w->s->count++;
        pt_mutex_unlock(&w->s->mu);
        pt_spin_pause();
    }
}

#define TEST_F(name) TEST_WITH(name, shared *s, set_up, tear_down)

TEST_F(a_mutex_excludes)
{
    worker workers[THREADS];
    peat_env_thread *threads[THREADS];
    run_all(s, count_alone, workers, threads);
    join_all(threads);
    assert_int_equal(s->count, THREADS * ROUNDS);
}

/* Each waits for its turn, takes it, and passes it on. */
static void take_turns(void *arg)
{
    worker *w = arg;
    for (unsigned i = 0; i < 100; i++) {
        pt_mutex_lock(&w->s->mu);
        while (w->s->turn % THREADS != w->number)
            pt_cond_wait(&w->s->changed, &w->s->mu);
        w->s->turn++;
        pt_cond_broadcast(&w->s->changed);
        pt_mutex_unlock(&w->s->mu);
    }
}

TEST_F(a_broadcast_wakes_whoever_waits)
{
    worker workers[THREADS];
    peat_env_thread *threads[THREADS];
    run_all(s, take_turns, workers, threads);
    join_all(threads);
    assert_int_equal(s->turn, THREADS * 100);
}

TEST_F(nobody_signals_and_the_wait_ends)
{
    static const uint64_t timeouts_ns[] = {0, 1, 999999, 1000000};
    pt_mutex_lock(&s->mu);
    for (size_t i = 0; i < PT_COUNT_OF(timeouts_ns); i++)
        while (pt_cond_wait_for(&s->changed, &s->mu, timeouts_ns[i])) {
        } /* woken for nothing: allowed, but not for ever */
    pt_mutex_unlock(&s->mu);
}

static void open_the_gate(void *arg)
{
    worker *w = arg;
    pt_mutex_lock(&w->s->mu);
    w->s->open = true;
    pt_cond_broadcast(&w->s->changed);
    pt_mutex_unlock(&w->s->mu);
}

/* Were the time-out taken for a moment in the past, the wait would answer false before the gate is
 * open; the carry of the nanoseconds is test_sync_deadline.c's. */
TEST_F(a_long_wait_ends_with_the_signal)
{
    const peat_env *env = peat_env_default();
    worker w = {.s = s};
    peat_env_thread *thread;
    bool in_time = true;
    pt_mutex_lock(&s->mu);
    assert_int_equal(env->thread_start(env->ctx, open_the_gate, &w, &thread), 0);
    while (!s->open && in_time)
        in_time = pt_cond_wait_for(&s->changed, &s->mu, 3600999999999u);
    assert_true(in_time);
    pt_mutex_unlock(&s->mu);
    env->thread_join(env->ctx, thread);
}
