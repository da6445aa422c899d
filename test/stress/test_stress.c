/* SPDX-License-Identifier: MIT */
/*
 * test_stress.c - many threads on one store of tiny sizes, in the real environment: every read is
 * judged while everything else goes on (see stress.h, and stress_actors.h for who does what).
 * Rounds open the store with random options, run for a moment, close it while a call is in flight
 * and things are still held, and read the whole store again.
 *
 *   SEED=number   what all choices derive from; default: the clock
 *   N=seconds     how long; default 8
 *
 * ctest: timeout=120 label=races
 */
#include "peat_env.h"

#include "stress/stress_actors.h"
#include "world/test.h"

#include <time.h>
#include <unistd.h>

#define ROUND_MS    1200u
#define WATCHDOG_S  100 /* without a beat: a deadlock, beyond any sanitizer's pause */
#define THREADS_MAX 16u

/* Reads a key of the store from inside an event, and writes one; an event that comes of that write
 * writes no more. */
typedef struct event_state {
    stress_arena *a;
    _Atomic(peat_db *) db; /* NULL while it is being opened */
    _Atomic uint64_t events;
} event_state;

static void on_event(void *ctx, const peat_event *event)
{
    event_state *e = (event_state *)ctx;
    peat_db *db = atomic_load(&e->db);
    uint64_t n = atomic_fetch_add(&e->events, 1);
    if (event->kind == PEAT_EVENT_ERROR)
        stress_fail(e->a->w, "event: %s %s", peat_rc_name(event->rc), event->message);
    if (db == NULL || atomic_load(&e->a->stop))
        return;
    if (n % 4 == 0 && peat_exists(db, NULL, peat_str("2/0007")) < 0)
        stress_fail(e->a->w, "event: exists failed");
}

static void random_options(rng *random, peat_options *o, peat_test_options *test)
{
    *test = (peat_test_options){.size = sizeof *test,
                                .memtable_bytes = (size_t)65536 << rng_below(random, 3),
                                .block_bytes = 4096,
                                .partition_bytes = (size_t)32768 << rng_below(random, 4),
                                .table_bytes = (size_t)16384 << rng_below(random, 4),
                                .segment_bytes = (size_t)32768 << rng_below(random, 3)};
    uint64_t threads = rng_below(random, 5);
    *o = (peat_options){.size = sizeof *o,
                        .memory_bytes = PEAT_MEMORY_BYTES_MIN << rng_below(random, 4),
                        .threads = threads == 0 ? PEAT_THREADS_NONE : (int)threads,
                        .sync_interval_ms = (uint32_t)(1 + rng_below(random, 30)),
                        .compression = (peat_compression)rng_below(random, 3),
                        .no_log = rng_below(random, 8) == 0,
                        .test = test};
}

static void open_store(stress_arena *a, const char *dir, const peat_options *o)
{
    peat_error e;
    if (peat_open(dir, o, &a->db, &e) != PEAT_OK)
        stress_fail(a->w, "open: %s", e.message);
}

static void check_rest(stress_arena *a)
{
    stress_actor t = {.a = a, .random = {a->w->seed}};
    stress_bounds *b = (stress_bounds *)stress_alloc(&t, sizeof *b);
    peat_iter *it = NULL;
    stress_low(a->w, b);
    stress_high(a->w, b);
    stress_must(&t, peat_iter_open(a->db, NULL, &it), "iter_open after reopening");
    uint64_t hash = stress_check_scan(a->w, it, 0, b);
    if (stress_check_scan(a->w, it, 1, b) != hash)
        stress_fail(a->w, "the store shows something else backward");
    peat_iter_close(it);
    stress_check_store(&t);
    free(b);
}

static void start(stress_actor *t, stress_arena *a, unsigned number, rng *random,
                  void *(*fn)(void *))
{
    *t = (stress_actor){.a = a, .number = number, .random = {rng_next(random)}};
    if (pthread_create(&t->thread, NULL, fn, t) != 0)
        stress_fail(a->w, "no thread");
}

/* From beat to beat; ends the round when its time is up. */
static void watch(stress_arena *a, uint64_t until_ms)
{
    while (test_now_ms() < until_ms) {
        struct timespec patience;
        (void)clock_gettime(CLOCK_REALTIME, &patience);
        patience.tv_sec += WATCHDOG_S;
        int rc = 0;
        while ((rc = sem_timedwait(&a->beat, &patience)) != 0 && errno == EINTR)
            ;
        if (rc != 0)
            stress_fail(a->w, "the threads have not made %u steps in %d s", STRESS_BEAT_STEPS,
                        WATCHDOG_S);
    }
}

static void run_round(stress_world *w, const char *dir, rng *random, uint64_t ms)
{
    stress_arena a = {.w = w};
    event_state events = {.a = &a};
    peat_host host = {.size = sizeof host, .event_fn = on_event, .event_ctx = &events};
    peat_options o;
    peat_test_options test;
    stress_actor actors[THREADS_MAX];
    void *held[THREADS_MAX] = {NULL};
    static void *(*const fns[])(void *) = {stress_write_all_the_time,
                                           stress_write_all_the_time,
                                           stress_write_all_the_time,
                                           stress_read_all_the_time,
                                           stress_read_all_the_time,
                                           stress_scan_all_the_time,
                                           stress_scan_all_the_time,
                                           stress_use_snapshots,
                                           stress_keep_up,
                                           stress_keep_up};
    unsigned n = sizeof fns / sizeof fns[0];
    if (sem_init(&a.beat, 0, 0) != 0)
        stress_fail(w, "no semaphore");
    random_options(random, &o, &test);
    open_store(&a, dir, &o);
    check_rest(&a);
    if (peat_close(a.db) != PEAT_OK)
        stress_fail(w, "close");
    a.db = NULL;
    random_options(random, &o, &test);
    o.host = &host;
    open_store(&a, dir, &o);
    atomic_store(&events.db, a.db);
    for (unsigned i = 0; i < n; i++)
        start(&actors[i], &a, i, random, fns[i]);
    watch(&a, test_now_ms() + ms);
    atomic_store(&a.stop, true);
    for (unsigned i = 0; i < n; i++)
        (void)pthread_join(actors[i].thread, &held[i]);
    stress_close_in_flight(&a, (unsigned)rng_below(random, 3));
    for (unsigned i = 0; i < 2; i++) { /* what is still held outlives the store */
        stress_drop_pins(&actors[3 + i], held[3 + i]);
        stress_drop_iters(&actors[5 + i], held[5 + i]);
    }
    (void)sem_destroy(&a.beat);
}

TEST(every_read_shows_one_state_while_all_else_goes_on)
{
    stress_world *w = (stress_world *)calloc(1, sizeof *w);
    assert_non_null(w);
    w->seed = test_number("SEED", test_now_ms());
    uint64_t end = test_now_ms() + 1000 * test_number("N", 8), rounds = 0;
    rng random = {w->seed};
    char dir[] = "stress-XXXXXX";
    assert_non_null(mkdtemp(dir));
    while (test_now_ms() < end) {
        run_round(w, dir, &random, ROUND_MS);
        rounds++;
    }
    assert_ok(peat_destroy(dir, NULL));
    print_message("seed %" PRIu64 ": %" PRIu64 " rounds, %" PRIu64 " steps\n", w->seed, rounds,
                  (uint64_t)atomic_load(&w->steps));
    free(w);
}
