/* SPDX-License-Identifier: MIT */
/*
 * test_stress.c - many threads on one store of tiny sizes, in the real environment: every read is
 * judged while everything else goes on (see stress.h). Rounds open the store with random options,
 * run for a moment, close it while a call is in flight and things are still held, and read the
 * whole store again.
 *
 *   SEED=number   what all choices derive from; default: the clock
 *   N=seconds     how long; default 8
 *
 * ctest: timeout=120 label=races
 */
#include "stress/stress.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define WRITERS  3u
#define ROUND_MS 1200u
#define WATCHDOG_S                                                                                 \
    100 /* without one step of any thread: a deadlock, beyond any sanitizer's pause */
#define PINS        12u
#define HELD_ITERS  4u
#define THREADS_MAX 16u

typedef struct arena {
    stress_world *w;
    peat_db *db;
    atomic_bool stop;
    bool no_log;
} arena;

typedef struct actor {
    arena *a;
    unsigned number;
    uint64_t random;
    pthread_t thread;
} actor;

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool going_on(actor *t)
{
    atomic_fetch_add(&t->a->w->steps, 1);
    return !atomic_load(&t->a->stop);
}

static uint64_t pick(actor *t, uint64_t n)
{
    return stress_random(&t->random, n);
}

static void must(const actor *t, peat_rc rc, const char *what)
{
    peat_error e;
    if (rc >= 0)
        return;
    (void)peat_db_error(t->a->db, &e);
    stress_fail(t->a->w, "%s: %s; first trouble: %s", what, peat_rc_name(rc), e.message);
}

static void *must_alloc(const actor *t, size_t size)
{
    void *p = calloc(1, size);
    if (p == NULL)
        stress_fail(t->a->w, "no memory for the test itself");
    return p;
}

/* ---- writers ---- */

static void *write_all_the_time(void *arg)
{
    actor *t = (actor *)arg;
    uint8_t *scratch = (uint8_t *)must_alloc(t, STRESS_VALUE_MAX);
    peat_batch *batch = NULL;
    must(t, peat_batch_new(&batch), "batch_new");
    while (going_on(t)) {
        /* groups go to writers by their remainder; half of the writes go to a few hot ones */
        unsigned range = pick(t, 2) == 0 ? 30 : STRESS_ALL;
        unsigned g = (unsigned)(pick(t, range / WRITERS) * WRITERS + t->number % WRITERS);
        peat_rc rc;
        if (g < STRESS_ALL &&
            !stress_write(t->a->w, t->a->db, batch, g, pick(t, 64) == 0, scratch, &rc))
            must(t, rc, "write");
    }
    peat_batch_free(batch);
    free(scratch);
    return NULL;
}

/* ---- readers ---- */

static uint64_t get_version(actor *t, const peat_read_options *o, unsigned group, unsigned member,
                            peat_buf *buf, const char *where)
{
    char key[STRESS_KEY_MAX];
    peat_slice k = peat_bytes(key, stress_key(t->a->w, group, member, key));
    peat_rc rc = peat_get(t->a->db, o, k, buf);
    must(t, rc, where);
    if (rc == PEAT_NOT_FOUND)
        return 0;
    return stress_check_value(t->a->w, group, member, peat_bytes(buf->data, buf->size), where);
}

static void read_point(actor *t, peat_buf *buf)
{
    stress_world *w = t->a->w;
    unsigned g = (unsigned)pick(t, STRESS_ALL), m = (unsigned)pick(t, stress_members(g));
    peat_read_options o = {.size = sizeof o, .no_cache_fill = pick(t, 8) == 0};
    uint64_t low = atomic_load(&w->acked[g]);
    uint64_t v = get_version(t, &o, g, m, buf, "get");
    stress_check_point(w, g, m, v, low, atomic_load(&w->started[g]), "get");
}

static void ask_point(actor *t)
{
    stress_world *w = t->a->w;
    char key[STRESS_KEY_MAX];
    unsigned g = (unsigned)pick(t, STRESS_ALL), m = (unsigned)pick(t, stress_members(g));
    uint64_t low = atomic_load(&w->acked[g]);
    peat_rc rc = peat_exists(t->a->db, NULL, peat_bytes(key, stress_key(w, g, m, key)));
    must(t, rc, "exists");
    uint64_t high = atomic_load(&w->started[g]);
    for (uint64_t v = low; v <= high; v++)
        if ((v == 0 || stress_is_delete(w, g, m, v)) == (rc == PEAT_NOT_FOUND))
            return;
    stress_fail(w, "exists: group %u member %u: %s, versions %" PRIu64 "..%" PRIu64, g, m,
                peat_rc_name(rc), low, high);
}

typedef struct pin {
    peat_pinned value;
    uint64_t version;
    unsigned group, member;
    bool used;
} pin;

/* The bytes are still those of the day they were pinned. */
static void drop_pin(const actor *t, pin *p)
{
    if (p->used &&
        stress_check_value(t->a->w, p->group, p->member, peat_bytes(p->value.data, p->value.size),
                           "pin") != p->version)
        stress_fail(t->a->w, "pin: group %u has changed its version", p->group);
    if (p->used)
        peat_unpin(&p->value);
    p->used = false;
}

static void pin_point(actor *t, pin *pins)
{
    stress_world *w = t->a->w;
    pin *p = &pins[pick(t, PINS)];
    char key[STRESS_KEY_MAX];
    drop_pin(t, p);
    *p = (pin){.group = (unsigned)pick(t, STRESS_ALL)};
    p->member = (unsigned)pick(t, stress_members(p->group));
    uint64_t low = atomic_load(&w->acked[p->group]);
    peat_rc rc = peat_get_pinned(
        t->a->db, NULL, peat_bytes(key, stress_key(w, p->group, p->member, key)), &p->value);
    must(t, rc, "get_pinned");
    p->used = rc == PEAT_OK;
    if (p->used)
        p->version = stress_check_value(w, p->group, p->member,
                                        peat_bytes(p->value.data, p->value.size), "get_pinned");
    stress_check_point(w, p->group, p->member, p->version, low, atomic_load(&w->started[p->group]),
                       "get_pinned");
}

/* Pins are left for the main thread to drop after the store is closed. */
static void *read_all_the_time(void *arg)
{
    actor *t = (actor *)arg;
    pin *pins = (pin *)must_alloc(t, PINS * sizeof *pins);
    peat_buf buf = PEAT_BUF_INIT;
    while (going_on(t)) {
        uint64_t what = pick(t, 10);
        if (what < 6)
            read_point(t, &buf);
        else if (what < 9)
            pin_point(t, pins);
        else
            ask_point(t);
    }
    peat_buf_free(&buf);
    return pins;
}

/* ---- snapshots ---- */

static uint64_t read_group_at(actor *t, const peat_snapshot *snapshot, unsigned g, peat_buf *buf,
                              uint64_t low, uint64_t high)
{
    uint64_t seen[STRESS_MEMBERS] = {0}, hash = 0;
    peat_read_options o = {.size = sizeof o, .snapshot = snapshot};
    for (unsigned m = 0; m < stress_members(g); m++) {
        seen[m] = get_version(t, &o, g, m, buf, "get at a snapshot");
        hash = stress_mix(hash ^ seen[m]);
    }
    stress_check_group(t->a->w, g, seen, low, high, "get at a snapshot");
    return hash;
}

/* The same groups read twice at one snapshot, with an iterator at it in between. */
static void use_snapshot(actor *t, stress_bounds *b, peat_buf *buf)
{
    peat_snapshot *snapshot = NULL;
    peat_iter *it = NULL;
    uint64_t hashes[STRESS_ALL / 4];
    unsigned from = (unsigned)pick(t, 4);
    stress_low(t->a->w, b);
    must(t, peat_snapshot_open(t->a->db, &snapshot), "snapshot_open");
    stress_high(t->a->w, b);
    for (unsigned i = 0; i < STRESS_ALL / 4; i++) {
        unsigned g = i * 4 + from;
        hashes[i] = read_group_at(t, snapshot, g, buf, b->low[g], b->high[g]);
    }
    peat_iter_options o = {.size = sizeof o, .snapshot = snapshot};
    must(t, peat_iter_open(t->a->db, &o, &it), "iter_open at a snapshot");
    (void)stress_check_scan(t->a->w, it, (unsigned)pick(t, 4), b);
    for (unsigned i = 0; i < STRESS_ALL / 4; i++) {
        unsigned g = i * 4 + from;
        if (read_group_at(t, snapshot, g, buf, b->low[g], b->high[g]) != hashes[i])
            stress_fail(t->a->w, "snapshot: group %u has changed", g);
    }
    peat_snapshot_close(snapshot);
    peat_iter_close(it);
}

static void *use_snapshots(void *arg)
{
    actor *t = (actor *)arg;
    stress_bounds *b = (stress_bounds *)must_alloc(t, sizeof *b);
    peat_buf buf = PEAT_BUF_INIT;
    while (going_on(t))
        use_snapshot(t, b, &buf);
    peat_buf_free(&buf);
    free(b);
    return NULL;
}

/* ---- iterators ---- */

typedef struct held_iter {
    peat_iter *it;
    stress_bounds bounds;
    uint64_t hash;
} held_iter;

static void open_held(actor *t, held_iter *h)
{
    stress_low(t->a->w, &h->bounds);
    must(t, peat_iter_open(t->a->db, NULL, &h->it), "iter_open");
    stress_high(t->a->w, &h->bounds);
    h->hash = stress_check_scan(t->a->w, h->it, (unsigned)pick(t, 4), &h->bounds);
}

/* A few steps to and fro from a random place: the way back shows the same keys. */
static void walk_to_and_fro(actor *t, peat_iter *it)
{
    char keys[8][STRESS_KEY_MAX], key[STRESS_KEY_MAX];
    size_t sizes[8], n = 0;
    unsigned g = (unsigned)pick(t, STRESS_ALL);
    peat_slice k = peat_bytes(key, stress_key(t->a->w, g, (unsigned)pick(t, STRESS_MEMBERS), key));
    peat_rc rc = pick(t, 2) == 0 ? peat_iter_seek(it, k) : peat_iter_seek_for_prev(it, k);
    for (; rc == PEAT_OK && n < 8; rc = peat_iter_next(it), n++) {
        sizes[n] = peat_iter_key(it).size;
        memcpy(keys[n], peat_iter_key(it).data, sizes[n]);
    }
    must(t, rc, "iter_next");
    if (rc == PEAT_END)
        rc = n != 0 ? peat_iter_last(it) : PEAT_END;
    else
        rc = peat_iter_prev(it);
    for (; rc == PEAT_OK && n > 0; rc = peat_iter_prev(it)) {
        n--;
        peat_slice at = peat_iter_key(it);
        if (at.size != sizes[n] || memcmp(at.data, keys[n], sizes[n]) != 0)
            stress_fail(t->a->w, "walk: the way back shows other keys, at step %zu", n);
    }
    must(t, rc, "iter_prev");
    if (n != 0)
        stress_fail(t->a->w, "walk: the way back ends %zu entries too soon", n);
}

static void *scan_all_the_time(void *arg)
{
    actor *t = (actor *)arg;
    held_iter *held = (held_iter *)must_alloc(t, HELD_ITERS * sizeof *held);
    while (going_on(t)) {
        held_iter *h = &held[pick(t, HELD_ITERS)];
        if (h->it == NULL)
            open_held(t, h);
        walk_to_and_fro(t, h->it);
        if (stress_check_scan(t->a->w, h->it, (unsigned)pick(t, 4), &h->bounds) != h->hash)
            stress_fail(t->a->w, "scan: an open iterator shows another state than before");
        if (pick(t, 3) == 0) {
            peat_iter_close(h->it);
            h->it = NULL;
        }
    }
    return held;
}

/* ---- upkeep ---- */

static bool damaged(void *ctx, const peat_damage *d)
{
    stress_fail((const stress_world *)ctx, "check: %s @%" PRIu64 ": %s", d->file, d->offset,
                d->message);
}

static peat_rc look_at_partition(void *ctx, const peat_partition_info *p)
{
    const stress_world *w = (const stress_world *)ctx;
    if (p->index >= p->count || p->damages != 0)
        stress_fail(w, "shape: partition %" PRIu64 " of %" PRIu64, p->index, p->count);
    return PEAT_OK;
}

static peat_rc take_bytes(void *ctx, const void *data, size_t size)
{
    uint64_t *sum = (uint64_t *)ctx;
    if (size != 0)
        *sum += size + ((const uint8_t *)data)[0];
    return PEAT_OK;
}

static bool cancel_sometimes(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    (void)phase;
    (void)done;
    (void)total;
    return pick((actor *)ctx, 8) != 0;
}

static void compact_somewhere(actor *t)
{
    char low[2] = {(char)('0' + pick(t, 4)), '\0'}, high[2] = {(char)('4' + pick(t, 3)), '\0'};
    peat_progress progress = {.size = sizeof progress, .fn = cancel_sometimes, .ctx = t};
    peat_rc rc = peat_compact(t->a->db, pick(t, 2) ? peat_str(low) : peat_unbounded(),
                              pick(t, 2) ? peat_str(high) : peat_unbounded(), &progress);
    if (rc != PEAT_CANCELLED)
        must(t, rc, "compact");
}

static void look_inside(actor *t)
{
    peat_statistics stats = {.size = sizeof stats};
    peat_buf json = PEAT_BUF_INIT;
    uint64_t n;
    must(t, peat_stats(t->a->db, &stats), "stats");
    must(t, peat_stats_json(t->a->db, &json), "stats_json");
    must(t, peat_shape(t->a->db, look_at_partition, t->a->w), "shape");
    must(t, peat_approximate_size(t->a->db, peat_str("1"), peat_str("3"), &n), "approximate_size");
    must(t, peat_approximate_count(t->a->db, peat_unbounded(), peat_unbounded(), &n),
         "approximate_count");
    peat_buf_free(&json);
}

static void check_store(actor *t)
{
    peat_check_options o = {.size = sizeof o, .damage_fn = damaged, .damage_ctx = t->a->w};
    peat_check_report report = {.size = sizeof report};
    must(t, peat_check(t->a->db, &o, &report), "check");
}

static void do_upkeep(actor *t)
{
    uint64_t sum = 0;
    size_t units;
    switch (pick(t, 12)) {
    case 0:
    case 1:
        must(t, peat_flush(t->a->db), "flush");
        break;
    case 2:
        compact_somewhere(t);
        break;
    case 3:
        must(t, peat_settle(t->a->db, pick(t, 20)), "settle");
        break;
    case 4:
    case 5:
        must(t, peat_work(t->a->db, pick(t, 4), &units), "work");
        break;
    case 6:
        check_store(t);
        break;
    case 7:
        must(t, peat_export(t->a->db, NULL, take_bytes, &sum), "export");
        break;
    case 8:
        must(t, peat_sync(t->a->db), "sync");
        break;
    default:
        look_inside(t);
    }
}

static void *keep_up(void *arg)
{
    actor *t = (actor *)arg;
    while (going_on(t))
        do_upkeep(t);
    return NULL;
}

/* ---- closing while a call is in flight ---- */

typedef struct flight {
    arena *a;
    atomic_bool inside, closing;
    unsigned kind;
    peat_rc rc;
    pthread_t thread;
} flight;

static void hold_until_closing(flight *f)
{
    atomic_store(&f->inside, true);
    while (!atomic_load(&f->closing))
        (void)sched_yield();
}

static peat_rc hold_export(void *ctx, const void *data, size_t size)
{
    (void)data;
    (void)size;
    hold_until_closing((flight *)ctx);
    return PEAT_OK;
}

static bool hold_compact(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    (void)phase;
    (void)done;
    (void)total;
    hold_until_closing((flight *)ctx);
    return true;
}

static peat_rc hold_shape(void *ctx, const peat_partition_info *p)
{
    (void)p;
    hold_until_closing((flight *)ctx);
    return PEAT_OK;
}

static void *fly(void *arg)
{
    flight *f = (flight *)arg;
    peat_progress progress = {.size = sizeof progress, .fn = hold_compact, .ctx = f};
    if (f->kind == 0)
        f->rc = peat_export(f->a->db, NULL, hold_export, f);
    else if (f->kind == 1)
        f->rc = peat_compact(f->a->db, peat_unbounded(), peat_unbounded(), &progress);
    else
        f->rc = peat_shape(f->a->db, hold_shape, f);
    atomic_store(&f->inside, true);
    return NULL;
}

static void close_in_flight(arena *a, unsigned kind)
{
    flight f = {.a = a, .kind = kind};
    if (pthread_create(&f.thread, NULL, fly, &f) != 0)
        stress_fail(a->w, "no thread");
    while (!atomic_load(&f.inside))
        (void)sched_yield();
    atomic_store(&f.closing, true);
    peat_rc rc = peat_close(a->db);
    (void)pthread_join(f.thread, NULL);
    if (rc != PEAT_OK)
        stress_fail(a->w, "close: %s", peat_rc_name(rc));
    if (f.rc != PEAT_OK && f.rc != PEAT_CLOSED)
        stress_fail(a->w, "call %u in flight while closing: %s", kind, peat_rc_name(f.rc));
}

/* ---- rounds ---- */

/* Reads a key of the store from inside an event, and writes one; an event that comes of that write
 * writes no more. */
typedef struct event_state {
    arena *a;
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

static void random_options(uint64_t *random, peat_options *o, peat_test_options *test)
{
    *test = (peat_test_options){.size = sizeof *test,
                                .memtable_bytes = (size_t)65536 << stress_random(random, 3),
                                .block_bytes = 4096,
                                .partition_bytes = (size_t)32768 << stress_random(random, 4),
                                .table_bytes = (size_t)16384 << stress_random(random, 4),
                                .segment_bytes = (size_t)32768 << stress_random(random, 3)};
    uint64_t threads = stress_random(random, 5);
    *o = (peat_options){.size = sizeof *o,
                        .memory_bytes = PEAT_MEMORY_BYTES_MIN << stress_random(random, 4),
                        .threads = threads == 0 ? PEAT_THREADS_NONE : (int)threads,
                        .sync_interval_ms = (uint32_t)(1 + stress_random(random, 30)),
                        .compression = (peat_compression)stress_random(random, 3),
                        .no_log = stress_random(random, 8) == 0,
                        .test = test};
}

static void open_store(arena *a, const char *dir, const peat_options *o)
{
    peat_error e;
    if (peat_open(dir, o, &a->db, &e) != PEAT_OK)
        stress_fail(a->w, "open: %s", e.message);
}

static void check_rest(arena *a)
{
    actor t = {.a = a, .random = a->w->seed};
    stress_bounds *b = (stress_bounds *)must_alloc(&t, sizeof *b);
    peat_iter *it = NULL;
    stress_low(a->w, b);
    stress_high(a->w, b);
    must(&t, peat_iter_open(a->db, NULL, &it), "iter_open after reopening");
    uint64_t hash = stress_check_scan(a->w, it, 0, b);
    if (stress_check_scan(a->w, it, 1, b) != hash)
        stress_fail(a->w, "the store shows something else backward");
    peat_iter_close(it);
    check_store(&t);
    free(b);
}

static void start(actor *t, arena *a, unsigned number, uint64_t *random, void *(*fn)(void *))
{
    *t = (actor){.a = a, .number = number, .random = stress_mix(stress_random(random, UINT64_MAX))};
    if (pthread_create(&t->thread, NULL, fn, t) != 0)
        stress_fail(a->w, "no thread");
}

/* Looks that steps go on; ends the round when its time is up. */
static void watch(arena *a, uint64_t until_ms)
{
    uint64_t steps = 0, moved_ms = now_ms();
    while (now_ms() < until_ms || atomic_load(&a->w->steps) == steps) {
        uint64_t s = atomic_load(&a->w->steps);
        if (s != steps)
            moved_ms = now_ms();
        steps = s;
        if (now_ms() > moved_ms + (uint64_t)WATCHDOG_S * 1000)
            stress_fail(a->w, "no thread has done anything for %d s", WATCHDOG_S);
        (void)usleep(5000);
    }
}

/* What readers and scanners still hold outlives the store. */
static void drop_held(const actor *readers, void **pins, void **iters)
{
    for (unsigned i = 0; i < 2; i++) {
        pin *p = (pin *)pins[i];
        for (unsigned j = 0; j < PINS; j++)
            drop_pin(&readers[i], &p[j]);
        free(p);
        held_iter *h = (held_iter *)iters[i];
        for (unsigned j = 0; j < HELD_ITERS; j++) {
            if (h[j].it != NULL && peat_iter_first(h[j].it) != PEAT_CLOSED)
                stress_fail(readers[0].a->w, "an iterator outlives its store");
            peat_iter_close(h[j].it);
        }
        free(h);
    }
}

static void run_round(stress_world *w, const char *dir, uint64_t *random, uint64_t ms)
{
    arena a = {.w = w};
    event_state events = {.a = &a};
    peat_host host = {.size = sizeof host, .event_fn = on_event, .event_ctx = &events};
    peat_options o;
    peat_test_options test;
    actor actors[THREADS_MAX];
    void *held[THREADS_MAX] = {NULL};
    static void *(*const fns[])(void *) = {write_all_the_time,
                                           write_all_the_time,
                                           write_all_the_time,
                                           read_all_the_time,
                                           read_all_the_time,
                                           scan_all_the_time,
                                           scan_all_the_time,
                                           use_snapshots,
                                           keep_up,
                                           keep_up};
    unsigned n = sizeof fns / sizeof fns[0];
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
    watch(&a, now_ms() + ms);
    atomic_store(&a.stop, true);
    for (unsigned i = 0; i < n; i++)
        (void)pthread_join(actors[i].thread, &held[i]);
    close_in_flight(&a, (unsigned)stress_random(random, 3));
    drop_held(&actors[3], &held[3], &held[5]);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void every_read_shows_one_state_while_all_else_goes_on(void **state)
{
    (void)state;
    stress_world *w = (stress_world *)calloc(1, sizeof *w);
    assert_non_null(w);
    w->seed = number_from("SEED", now_ms());
    uint64_t end = now_ms() + 1000 * number_from("N", 8), random = stress_mix(w->seed), rounds = 0;
    char dir[] = "stress-XXXXXX";
    assert_non_null(mkdtemp(dir));
    while (now_ms() < end) {
        run_round(w, dir, &random, ROUND_MS);
        rounds++;
    }
    assert_int_equal(peat_destroy(dir, NULL), PEAT_OK);
    print_message("seed %" PRIu64 ": %" PRIu64 " rounds, %" PRIu64 " steps\n", w->seed, rounds,
                  (uint64_t)atomic_load(&w->steps));
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_read_shows_one_state_while_all_else_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
