/* SPDX-License-Identifier: MIT */
/*
 * test_queue_races.c - threads that use queues at once: one submits while another polls, a third
 * closes the store under a poll without a timeout, queues come and go, files are few. For
 * ThreadSanitizer, too. ctest: timeout=240
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queue/queue_site.h"
#include "world/settings.h"

#define PATIENCE_MS 20000
#define SEEN_MAX    (1u << 18)

typedef struct party {
    site t;
    atomic_bool closed; /* the store; nobody submits any more */
    atomic_bool ended;  /* who polls */
    _Atomic size_t taken, told;
    bool seen[SEEN_MAX];       /* the tag; by who polls */
    _Atomic uint64_t last_put; /* of the key "w", acknowledged */
    uint64_t number;
} party;

static party *party_begin(way w)
{
    party *p = calloc(1, sizeof *p);
    site_begin(&p->t, w);
    put_numbers(&p->t);
    return p;
}

static void party_end(party *p)
{
    site_end(&p->t);
    free(p);
}

static void begin_thread(pthread_t *thread, void *(*fn)(void *), void *arg)
{
    assert_int_equal(pthread_create(thread, NULL, fn, arg), 0);
}

static peat_rc submit(peat_queue *queue, uint64_t i)
{
    char value[32];
    peat_slice k = nth_key((int)(i * 7919 % (KEYS + 100)));
    switch (i % 9) {
    case 0:
        (void)snprintf(value, sizeof value, "%llu", (unsigned long long)i);
        return peat_queue_put(queue, NULL, i % 4 == 0 ? &synced : NULL, peat_str("w"),
                              peat_str(value), i);
    case 1:
        return peat_queue_exists(queue, NULL, NULL, k, i);
    case 2:
        return peat_queue_multi_get(queue, NULL, NULL, 1, &k, i);
    case 3:
        return i % 5 == 0 ? peat_queue_scan(queue, NULL, NULL, i % 2, 20, i)
                          : peat_queue_sync(queue, i);
    default:
        return peat_queue_get(queue, NULL, NULL, k, i);
    }
}

/* Until `n`, or the store is closed. */
static void *submit_all(void *arg)
{
    party *p = arg;
    for (uint64_t i = 0; i < p->number; i++) {
        peat_rc rc = submit(p->t.queue, i);
        while (rc == PEAT_QUEUE_FULL && !atomic_load(&p->closed)) {
            (void)sched_yield();
            rc = submit(p->t.queue, i);
        }
        if (rc != PEAT_OK) {
            assert_true(rc == PEAT_CLOSED || rc == PEAT_QUEUE_FULL);
            break;
        }
        p->taken++;
        if (i % 50 == 49)
            (void)!peat_queue_cancel(p->t.queue, i);
    }
    return NULL;
}

static void take(party *p, const peat_completion *c)
{
    if (c->tag < SEEN_MAX && p->seen[c->tag])
        fail_msg("operation %u was told of twice", (unsigned)c->tag);
    if (c->tag < SEEN_MAX)
        p->seen[c->tag] = true;
    if (c->kind == PEAT_QUEUE_GET && (c->rc == PEAT_OK || c->rc == PEAT_NOT_FOUND))
        check_number(c->rc, c->value, (int)(c->tag * 7919 % (KEYS + 100)));
    else
        assert_true(c->rc >= 0 || c->rc == PEAT_CLOSED || c->rc == PEAT_CANCELLED);
    if (c->cursor != NULL)
        peat_queue_scan_close(p->t.queue, c->cursor);
    p->told++;
}

TEST(one_submits_while_another_polls)
{
    for (way w = BY_THREADS; w < WAYS; w++) {
        party *p = party_begin(w);
        pthread_t thread;
        reopen(&p->t);
        queue_open(&p->t, 60, 0);
        p->number = 4000;
        begin_thread(&thread, submit_all, p);
        while (p->told < p->number) {
            peat_rc rc = peat_queue_poll(p->t.queue, p->t.done, 16, PEAT_QUEUE_WAIT, &p->t.n);
            assert_true(rc == PEAT_OK || rc == PEAT_END);
            for (size_t i = 0; i < p->t.n; i++)
                take(p, &p->t.done[i]);
        }
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(p->told, p->taken);
        assert_int_equal(peat_queue_poll(p->t.queue, p->t.done, 16, 0, &p->t.n), PEAT_END);
        party_end(p);
    }
}

/* Until the store is closed; never longer than that. */
static void *poll_for_ever(void *arg)
{
    party *p = arg;
    peat_rc rc;
    do {
        rc = peat_queue_poll(p->t.queue, p->t.done, 8, PEAT_QUEUE_WAIT, &p->t.n);
        for (size_t i = 0; i < p->t.n; i++)
            take(p, &p->t.done[i]);
        assert_true(rc == PEAT_OK || rc == PEAT_END || rc == PEAT_CLOSED);
    } while (rc != PEAT_CLOSED);
    atomic_store(&p->ended, true);
    return NULL;
}

static void *close_store(void *arg)
{
    party *p = arg;
    kit_close(&p->t.k);
    atomic_store(&p->closed, true);
    return NULL;
}

static void await(const party *p, const atomic_bool *what, const char *who)
{
    for (uint64_t end = test_now_ns() + PATIENCE_MS * 1000000ull; !atomic_load(what);) {
        if (test_now_ns() > end)
            fail_msg("%s waits on: told of %zu operations of %zu", who, atomic_load(&p->told),
                     atomic_load(&p->taken));
        (void)sched_yield();
    }
}

TEST(the_store_is_closed_under_a_poll_that_waits)
{
    for (int round = 0; round < 12; round++) {
        party *p = party_begin(round % 2 ? BY_THREADS : BY_RING);
        pthread_t poller, submitter, closer;
        reopen(&p->t);
        queue_open(&p->t, 100, 0);
        p->number = UINT64_MAX;
        begin_thread(&poller, poll_for_ever, p);
        begin_thread(&submitter, submit_all, p);
        while (p->taken < (size_t)round * 40) /* later in each round */
            (void)sched_yield();
        begin_thread(&closer, close_store, p);
        await(p, &p->closed, "the close of a store");
        await(p, &p->ended, "a poll, though the store is closed,");
        assert_int_equal(pthread_join(closer, NULL), 0);
        assert_int_equal(pthread_join(submitter, NULL), 0);
        assert_int_equal(pthread_join(poller, NULL), 0);
        assert_int_equal(p->told, p->taken);
        party_end(p);
    }
}

/* ---- queues that come and go ---- */

typedef struct visitor {
    site *t;
    uint64_t number;
    pthread_t thread;
} visitor;

static void *come_and_go(void *arg)
{
    visitor *v = arg;
    peat_completion done[20];
    for (int round = 0; round < 30; round++) {
        peat_queue *queue = NULL;
        peat_queue_options o = {.size = sizeof o, .depth = 40};
        size_t n, told = 0;
        assert_ok(peat_queue_open(v->t->k.db, &o, &queue));
        for (uint64_t i = 0; i < 40; i++)
            assert_ok(submit(queue, v->number * 1000 + i));
        while (round % 3 != 0 && told < 40) {
            assert_ok(peat_queue_poll(queue, done, 20, PATIENCE_MS, &n));
            told += n;
        }
        peat_queue_close(queue);
    }
    return NULL;
}

static void visit(site *t)
{
    visitor v[4];
    for (unsigned i = 0; i < 4; i++) {
        v[i] = (visitor){.t = t, .number = i};
        begin_thread(&v[i].thread, come_and_go, &v[i]);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_join(v[i].thread, NULL), 0);
}

TEST(queues_come_and_go)
{
    for (way w = BY_THREADS; w < WAYS; w++) {
        site t;
        site_begin(&t, w);
        put_numbers(&t);
        reopen(&t);
        visit(&t);
        site_end(&t);
    }
}

/* Each does the jobs of all, in the order of each. */
TEST(queues_come_and_go_where_their_callers_do_all)
{
    for (way w = BY_THREADS; w < WAYS; w++) {
        site t;
        site_begin(&t, w);
        put_numbers(&t);
        kit_close(&t.k);
        t.k.options.threads = PEAT_THREADS_NONE;
        open_store(&t);
        visit(&t);
        site_end(&t);
    }
}

/* ---- few files ---- */

static void *poll_alone(void *arg)
{
    party *p = arg;
    for (int round = 0; round < 150; round++) {
        for (int i = 0; i < 20; i++) {
            uint64_t tag = (uint64_t)(round * 20 + i);
            peat_slice k = nth_key((int)(tag * 7919 % (KEYS + 100)));
            assert_ok(peat_queue_get(p->t.queue, NULL, NULL, k, tag));
        }
        for (int told = 0; told < 20; told += (int)p->t.n) {
            peat_rc rc = peat_queue_poll(p->t.queue, p->t.done, 512, PATIENCE_MS, &p->t.n);
            if (rc != PEAT_OK)
                fail_msg("%s with %zu outstanding", peat_rc_name(rc),
                         peat_queue_outstanding(p->t.queue));
            for (size_t i = 0; i < p->t.n; i++)
                take(p, &p->t.done[i]);
        }
    }
    return NULL;
}

/* Returns what it was. */
static rlim_t limit_files(rlim_t n)
{
    struct rlimit l;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
    rlim_t before = l.rlim_cur;
    l.rlim_cur = n;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
    return before;
}

/* Others let go of files that the queue reads: what they reap for it is not lost. */
TEST(reads_that_others_hurry_are_not_lost)
{
    for (way w = BY_THREADS; w < WAYS; w++) {
        party *p = party_begin(w);
        pthread_t thread;
        kit_close(&p->t.k);
        rlim_t before = limit_files(40);
        open_store(&p->t);
        queue_open(&p->t, 100, 0);
        begin_thread(&thread, poll_alone, p);
        for (int i = 0; i < 6000; i++) {
            peat_rc rc = peat_get(p->t.k.db, NULL, nth_key(i * 31 % KEYS), &p->t.k.buf);
            check_number(rc, peat_bytes(p->t.k.buf.data, p->t.k.buf.size), i * 31 % KEYS);
        }
        assert_int_equal(pthread_join(thread, NULL), 0);
        party_end(p);
        (void)limit_files(before);
    }
}

/* ---- values that wait for room ---- */

enum { LONG_KEY = 20000, LONG_VALUE = 100000, ROOM = 128 << 10 };

static peat_slice long_key(char *buf, char first)
{
    memset(buf, first, LONG_KEY);
    return peat_bytes(buf, LONG_KEY);
}

/* Two gets hold their keys, and neither has room for its value beside the other or the write. Once
 * that has ended, in two lanes, nobody comes any more who could tell the poll. */
static void two_gets_behind_a_write(party *p)
{
    char *key = malloc(LONG_KEY), *value = calloc(1, LONG_VALUE);
    for (char c = 'a'; c <= 'b'; c++)
        assert_ok(peat_put(p->t.k.db, NULL, long_key(key, c), peat_bytes(value, LONG_VALUE)));
    queue_open(&p->t, 8, ROOM);
    for (int round = 0; round < 100; round++) {
        assert_ok(peat_queue_put(p->t.queue, NULL, &synced, peat_str("w"),
                                 peat_bytes(value, 2 * LONG_KEY), 0));
        for (char c = 'a'; c <= 'b'; c++)
            assert_ok(peat_queue_get(p->t.queue, NULL, NULL, long_key(key, c), SEEN_MAX));
        for (int told = 0; told < 3; told += (int)p->t.n) {
            peat_rc rc = peat_queue_poll(p->t.queue, p->t.done, 8, PATIENCE_MS, &p->t.n);
            if (rc != PEAT_OK)
                fail_msg("%s in round %d, with %zu outstanding", peat_rc_name(rc), round,
                         peat_queue_outstanding(p->t.queue));
        }
        peat_rc rc = peat_queue_poll(p->t.queue, p->t.done, 8, 0, &p->t.n);
        assert_int_equal(rc, PEAT_END); /* and what they held is given back */
    }
    free(key);
    free(value);
}

TEST(values_find_room_behind_the_last_write)
{
    for (way w = BY_THREADS; w < WAYS; w++) {
        party *p = party_begin(w);
        reopen(&p->t);
        two_gets_behind_a_write(p);
        party_end(p);
    }
}

/* ---- fork ---- */

static void fork_beside(site *t)
{
    queue_open(t, 8, 0);
    put(&t->k, "a", "1");
    int fd = peat_queue_fd(t->queue);
    assert_true(fd >= 0);
    assert_ok(peat_queue_get(t->queue, NULL, NULL, peat_str("a"), 1));
    assert_ok(peat_queue_put(t->queue, NULL, &synced, peat_str("b"), peat_str("2"), 2));
    pid_t pid = fork();
    if (pid == 0) {
        bool dead = peat_queue_get(t->queue, NULL, NULL, peat_str("a"), 3) == PEAT_CLOSED &&
                    peat_queue_poll(t->queue, t->done, 8, PEAT_QUEUE_WAIT, &t->n) == PEAT_CLOSED &&
                    peat_queue_cancel(t->queue, 1) == PEAT_CLOSED &&
                    peat_queue_fd(t->queue) == -1 && peat_queue_outstanding(t->queue) == 0;
        peat_queue_close(t->queue);
        _exit(dead ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    for (size_t told = 0; told < 2; told += t->n)
        assert_ok(peat_queue_poll(t->queue, t->done, 8, PEAT_QUEUE_WAIT, &t->n));
}

/* Of the system's: a simulated process has no children. */
TEST(a_child_of_fork_has_no_queue)
{
    for (way w = BY_THREADS; w < WAYS; w++) {
        site t;
        site_begin(&t, w);
        fork_beside(&t);
        site_end(&t);
    }
}
