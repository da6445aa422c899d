/* SPDX-License-Identifier: MIT */
/*
 * test_queue_waits.c - what one queue's calls wait for of another queue's: an open and a close for
 * none of it, a poll that does the jobs of all for no more than a lot; and who waits for a job is
 * told when somebody has left it undone. ctest: timeout=240
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "queue/queue_site.h"
#include "queue/queue_state.h"
#include "world/settings.h"

#define PATIENCE_MS 20000
#define OTHERS_MAX  3000u

/* What happens in the store's calls of the system, as other threads would do it meanwhile. */
typedef struct scene {
    site t;
    peat_queue *other;
    atomic_bool stops;  /* a sync, until it is told to go on */
    atomic_bool adds;   /* each write brings one more of the other queue's */
    atomic_bool takes;  /* each takes a second */
    atomic_bool awaits; /* the first one waits until somebody waits for the other queue */
    size_t added;
    atomic_bool holds; /* who waits for the event, before it looks, until it is let go */
    atomic_bool entered, go_on, ended, gave_up, held, let_go;
    _Atomic uint64_t ahead_ns;
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

static bool is_waited_for(peat_queue *q)
{
    pt_mutex_lock(&q->mu);
    bool closes = q->closed;
    pt_mutex_unlock(&q->mu);
    pt_mutex_lock(&q->done_mu);
    bool waits = q->waiting;
    pt_mutex_unlock(&q->done_mu);
    return closes || waits;
}

static int write_beside_others(void *ctx, peat_env_file *file, uint64_t offset, const void *buf,
                               size_t n)
{
    scene *s = now;
    if (s->adds && s->added < OTHERS_MAX) {
        assert_ok(peat_queue_put(s->other, NULL, NULL, peat_str("o"), peat_str("1"), 1));
        s->added++;
    }
    if (s->takes)
        s->ahead_ns += 1000000000u;
    if (s->awaits) {
        s->awaits = false;
        atomic_store(&s->entered, true);
        for (uint64_t end = test_now_ns() + PATIENCE_MS / 4 * 1000000ull;
             !atomic_load(&s->go_on) && !is_waited_for(s->other) && test_now_ns() < end;)
            (void)sched_yield();
    }
    return peat_env_default()->file_write(ctx, file, offset, buf, n);
}

static int wait_held(void *ctx, int event, uint64_t timeout_ns)
{
    if (!atomic_load(&now->holds))
        return peat_env_default()->event_wait(ctx, event, timeout_ns);
    atomic_store(&now->held, true);
    await(&now->let_go);
    now->gave_up = peat_env_default()->event_wait(ctx, event, 5000000000u) == ETIMEDOUT;
    return 0;
}

static uint64_t hasty_clock(void *ctx)
{
    return peat_env_default()->now_ns(ctx) + (now != NULL ? atomic_load(&now->ahead_ns) : 0);
}

static peat_queue *open_other(scene *s)
{
    peat_queue *queue = NULL;
    peat_queue_options o = {.size = sizeof o, .depth = OTHERS_MAX + 1};
    assert_ok(peat_queue_open(s->t.k.db, &o, &queue));
    return queue;
}

static scene *scene_begin(int threads)
{
    scene *s = calloc(1, sizeof *s);
    now = s;
    site_begin(&s->t, BY_THREADS);
    kit_close(&s->t.k);
    s->t.env.file_store = NULL;
    s->t.env.file_write = write_beside_others;
    s->t.env.file_sync = stop_in_sync;
    s->t.env.now_ns = hasty_clock;
    s->t.env.event_wait = wait_held;
    s->t.k.options.threads = threads;
    open_store(&s->t);
    queue_open(&s->t, 16, 0);
    return s;
}

static void scene_end(scene *s)
{
    s->adds = s->takes = s->awaits = s->stops = false;
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

static void *poll_own(void *arg)
{
    scene *s = arg;
    assert_ok(peat_queue_poll(s->t.queue, s->t.done, 16, PEAT_QUEUE_WAIT, &s->t.n));
    return NULL;
}

static bool has_ended(peat_queue *q)
{
    pt_mutex_lock(&q->done_mu);
    bool has = q->done.first != NULL;
    pt_mutex_unlock(&q->done_mu);
    return has;
}

/* Until one is under way; files are open by then. */
static void begin_a_read(scene *s)
{
    peat_queue *q = s->t.queue;
    size_t reading = 0;
    for (int i = 0; reading == 0 && i < KEYS; i += 7) {
        assert_int_not_equal(peat_queue_get(q, NULL, NULL, nth_key(i * 41 % KEYS), 2),
                             PEAT_INVALID);
        pt_mutex_lock(&q->mu);
        reading = q->reading;
        pt_mutex_unlock(&q->mu);
    }
    assert_int_not_equal(reading, 0);
}

/* A write has signalled the event; the close, which reaps reads, clears it. */
TEST(who_polls_is_told_of_the_close_whatever_was_told_before)
{
    scene *s = scene_begin(0);
    pthread_t poller;
    put_numbers(&s->t);
    peat_queue_close(s->t.queue);
    reopen(&s->t);
    queue_open(&s->t, 512, 0);
    for (int i = 0; i < 100; i++) {
        peat_slice k = nth_key(i * 29 % KEYS);
        assert_ok(peat_queue_get(s->t.queue, NULL, NULL, k, 1));
        (void)poll_one(&s->t, 1);
    }
    s->stops = s->holds = true;
    assert_ok(peat_queue_put(s->t.queue, NULL, &synced, peat_str("k"), peat_str("1"), 3));
    await(&s->entered);
    begin_thread(&poller, poll_own, s);
    await(&s->held);
    begin_a_read(s);
    s->stops = false;
    atomic_store(&s->go_on, true);
    while (!has_ended(s->t.queue))
        (void)sched_yield();
    kit_close(&s->t.k);
    s->gave_up = false;
    atomic_store(&s->let_go, true);
    assert_int_equal(pthread_join(poller, NULL), 0);
    if (atomic_load(&s->gave_up))
        fail_msg("the store was closed, and who polls was not told");
    scene_end(s);
}

/* ---- the jobs of all ---- */

TEST(a_poll_leaves_what_others_add_meanwhile)
{
    scene *s = scene_begin(PEAT_THREADS_NONE);
    s->other = open_other(s);
    s->adds = true;
    assert_ok(peat_queue_put(s->t.queue, NULL, NULL, peat_str("k"), peat_str("1"), 1));
    assert_ok(peat_queue_poll(s->t.queue, s->t.done, 16, PEAT_QUEUE_WAIT, &s->t.n));
    if (s->added > 300)
        fail_msg("a poll has done %zu writes that came after its own", s->added - 1);
    scene_end(s);
}

/* A thousand seconds of others' work are before its own. */
TEST(a_poll_ends_in_its_time_with_the_jobs_of_others)
{
    for (unsigned timeout_ms = 0; timeout_ms <= 5000; timeout_ms += 5000) {
        scene *s = scene_begin(PEAT_THREADS_NONE);
        s->other = open_other(s);
        for (int i = 0; i < 1000; i++)
            assert_ok(peat_queue_put(s->other, NULL, NULL, peat_str("o"), peat_str("1"), 1));
        assert_ok(peat_queue_put(s->t.queue, NULL, NULL, peat_str("k"), peat_str("1"), 1));
        s->takes = true;
        size_t polls = 0;
        peat_rc rc;
        do {
            rc = peat_queue_poll(s->t.queue, s->t.done, 16, timeout_ms, &s->t.n);
            polls++;
        } while (rc == PEAT_TIMEOUT);
        assert_ok(rc);
        if (polls < 4 || polls > 1001)
            fail_msg("%zu polls of %u ms did 1000 seconds' work", polls, timeout_ms);
        scene_end(s);
    }
}

/* ---- what is left ---- */

/* Somebody is at the lane: what is added is left. */
static void add_beside_helper(scene *s, pthread_t *ret_helper)
{
    s->other = open_other(s);
    assert_ok(peat_queue_put(s->t.queue, NULL, NULL, peat_str("k"), peat_str("1"), 1));
    s->awaits = true;
    begin_thread(ret_helper, poll_own, s);
    await(&s->entered);
    assert_ok(peat_queue_put(s->other, NULL, NULL, peat_str("o"), peat_str("1"), 1));
}

static void expect_told(scene *s, const char *who, bool told)
{
    if (!told)
        fail_msg("%s was not told that its job was left", who);
    peat_completion done;
    size_t n = 0;
    peat_rc rc = s->other != NULL ? peat_queue_poll(s->other, &done, 1, 0, &n) : PEAT_END;
    assert_true(rc == PEAT_OK || rc == PEAT_END);
}

TEST(who_polls_is_told_of_a_job_that_was_left)
{
    for (int by_event = 0; by_event < 2; by_event++) {
        scene *s = scene_begin(PEAT_THREADS_NONE);
        pthread_t helper;
        peat_completion done;
        size_t n;
        add_beside_helper(s, &helper);
        if (!by_event)
            s->other->event = -1;
        peat_rc rc = peat_queue_poll(s->other, &done, 1, PATIENCE_MS, &n);
        assert_int_equal(pthread_join(helper, NULL), 0);
        expect_told(s, "who polls", rc == PEAT_OK);
        scene_end(s);
    }
}

TEST(who_waits_for_the_descriptor_is_told_of_a_job_that_was_left)
{
    scene *s = scene_begin(PEAT_THREADS_NONE);
    pthread_t helper;
    peat_completion done;
    size_t n;
    add_beside_helper(s, &helper);
    struct pollfd p = {.fd = peat_queue_fd(s->other), .events = POLLIN};
    assert_int_equal(peat_queue_poll(s->other, &done, 1, 0, &n), PEAT_TIMEOUT);
    atomic_store(&s->go_on, true);
    peat_rc rc = poll(&p, 1, PATIENCE_MS) == 1 ? PEAT_OK : PEAT_TIMEOUT;
    assert_int_equal(pthread_join(helper, NULL), 0);
    if (rc == PEAT_OK)
        rc = peat_queue_poll(s->other, &done, 1, 0, &n);
    expect_told(s, "who waits for the descriptor", rc == PEAT_OK);
    scene_end(s);
}

TEST(who_closes_is_told_of_a_job_that_was_left)
{
    scene *s = scene_begin(PEAT_THREADS_NONE);
    pthread_t helper, closer;
    add_beside_helper(s, &helper);
    begin_thread(&closer, close_other, s);
    assert_int_equal(pthread_join(helper, NULL), 0);
    await(&s->ended);
    bool told = atomic_load(&s->ended);
    if (told)
        assert_int_equal(pthread_join(closer, NULL), 0);
    s->other = NULL;
    expect_told(s, "who closes", told);
    scene_end(s);
}
