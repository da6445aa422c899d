/* SPDX-License-Identifier: MIT */
/*
 * test_queue_waits.c - what one queue's calls wait for of another queue's. ctest: timeout=240
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "queue/queue_site.h"
#include "queue/queue_state.h"
#include "world/settings.h"

#define PATIENCE_MS 20000

/* What happens in the store's calls of the system, as other threads would do it meanwhile. */
typedef struct scene {
    site t;
    peat_queue *other;
    bool stops; /* a sync, until it is told to go on */
    atomic_bool entered, go_on, ended, gave_up;
} scene;

static scene *now;

static void await(const atomic_bool *what)
{
    for (uint64_t end = test_now_ns() + PATIENCE_MS / 4 * 1000000ull;
         !atomic_load(what) && test_now_ns() < end;)
        (void)sched_yield();
}

static int stop_in_sync(void *ctx, peat_env_file *file)
{
    if (now->stops) {
        atomic_store(&now->entered, true);
        await(&now->go_on);
        now->gave_up = !atomic_load(&now->go_on);
    }
    return peat_env_default()->file_sync(ctx, file);
}

static peat_queue *open_other(scene *s)
{
    peat_queue *queue = NULL;
    assert_ok(peat_queue_open(s->t.k.db, NULL, &queue));
    return queue;
}

static scene *scene_begin(int threads)
{
    scene *s = calloc(1, sizeof *s);
    now = s;
    site_begin(&s->t, BY_THREADS);
    s->t.env.file_sync = stop_in_sync;
    s->t.k.options.threads = threads;
    reopen(&s->t);
    queue_open(&s->t, 16, 0);
    return s;
}

static void scene_end(scene *s)
{
    s->stops = false;
    peat_queue_close(s->other);
    site_end(&s->t);
    now = NULL;
    free(s);
}

static void begin_thread(pthread_t *thread, void *(*fn)(void *), void *arg)
{
    assert_int_equal(pthread_create(thread, NULL, fn, arg), 0);
}

/* ---- opening and closing ---- */

static void *close_other(void *arg)
{
    scene *s = arg;
    peat_queue_close(s->other);
    atomic_store(&s->ended, true);
    return NULL;
}

static void await_close_of(peat_queue *q)
{
    bool closed = false;
    while (!closed) {
        (void)sched_yield();
        pt_mutex_lock(&q->mu);
        closed = q->closed;
        pt_mutex_unlock(&q->mu);
    }
}

TEST(no_queue_waits_for_the_close_of_another)
{
    scene *s = scene_begin(0);
    pthread_t thread;
    peat_queue *queue = NULL;
    s->stops = true;
    s->other = open_other(s);
    assert_ok(peat_queue_put(s->other, NULL, &synced, peat_str("k"), peat_str("1"), 1));
    await(&s->entered);
    begin_thread(&thread, close_other, s);
    await_close_of(s->other);
    assert_ok(peat_queue_open(s->t.k.db, NULL, &queue));
    if (atomic_load(&s->gave_up))
        fail_msg("a queue was opened only when another one had been closed");
    peat_queue_close(queue);
    if (atomic_load(&s->gave_up))
        fail_msg("a queue was closed only when another one had been");
    atomic_store(&s->go_on, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    s->other = NULL;
    scene_end(s);
}
