/* SPDX-License-Identifier: MIT */
/*
 * test_history.c - recorded histories of 2 to 16 threads, some ended by SIGKILL, judged for one
 * order of all writes (see history.h). ctest: timeout=300 label=races
 *
 *     SEED=1 N=20 history_test_history
 *     SEED=1 OPS=400000 BOUND=60 history_test_history --campaign    rounds of OPS, BOUND seconds
 *
 * What the threads do is chosen by the seed, when they do it is not: a failure may need several
 * runs to come again.
 */
#include "history/history.h"
#include "model/model.h"
#include "world/test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUND_NS     ((uint64_t)4000000000)
#define HANG_SECONDS 200

typedef enum ending { END_CLOSED, END_LEFT, END_KILLED, END_KINDS } ending;

typedef struct arena {
    history *h;
    history_record *records;
    history_state *states;
    uint64_t random, records_max;
    model_options options;
    char dir[128];
    ending ending;
    uint64_t calls, rows, rounds, kills;
    bool broken; /* told already */
} arena;

static bool tell(arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool tell(arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fprintf(stderr, "seed %" PRIu64 " round %u, %u threads, ending %d:", a->h->seed,
                  a->h->round, a->h->threads, (int)a->ending);
    model_options_print(&a->options, stderr);
    (void)fputs("\n  ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fprintf(stderr,
                  "\n  the store is left in %s; rerun: SEED=%" PRIu64
                  " history_test_history --campaign\n",
                  a->dir, a->h->seed);
    va_end(args);
    a->broken = true;
    return false;
}

static void arena_init(arena *a, uint64_t seed, uint64_t records_max)
{
    *a = (arena){.h = history_new(records_max), .random = seed, .records_max = records_max};
    a->h->seed = seed;
    a->records = a->h->thread[0].records;
    a->states = a->h->thread[0].seen;
    model_dir_name(true, getpid(), a->dir, sizeof a->dir - 8);
    (void)strcat(a->dir, "-h");
}

static void choose(arena *a)
{
    history *h = a->h;
    rng r = {a->random};
    int64_t *f = a->options.field;
    model_options_random(&r, &a->options);
    f[MODEL_OPTION_disk] = 2;
    /* below, nearly every write waits for a flush */
    if (f[MODEL_OPTION_memtable] != 0)
        f[MODEL_OPTION_memtable] *= 16;
    a->random = rng_next(&r);
    a->ending = (ending)rng_below(&r, END_KINDS);
    h->round++;
    h->threads = 2 + (uint32_t)rng_below(&r, rng_below(&r, 2) ? 3 : HISTORY_THREADS_MAX - 1);
    h->records_max = a->records_max / h->threads;
    h->states_max = HISTORY_STATES / h->threads;
    for (uint32_t t = 0; t < HISTORY_THREADS_MAX; t++) {
        atomic_store(&h->thread[t].count, 0);
        atomic_store(&h->thread[t].states, 0);
        h->thread[t].records = a->records + (t % h->threads) * h->records_max;
        h->thread[t].seen = a->states + (t % h->threads) * h->states_max;
    }
    memcpy(h->initial, h->final.seen, sizeof h->initial);
    for (uint32_t k = 0; k < HISTORY_KEYS; k++)
        atomic_store(&h->deleted[k], false);
    h->lossy = f[MODEL_OPTION_no_log] != 0 && a->ending != END_CLOSED;
    h->deadline_ns = ROUND_NS;
    h->deadline = test_now_ns() + ROUND_NS;
}

static peat_rc open_store(arena *a, model_open *open, peat_db **ret_db, peat_error *ret_error)
{
    model_open_make(&a->options, NULL, open);
    peat_rc rc = peat_open(a->dir, &open->options, ret_db, ret_error);
    if (rc == PEAT_UNSUPPORTED && open->options.compression == PEAT_COMPRESSION_ZSTD) {
        open->options.compression = PEAT_COMPRESSION_LZ4; /* a build without it */
        rc = peat_open(a->dir, &open->options, ret_db, ret_error);
    }
    return rc;
}

static void child(arena *a, int fd, uint64_t tell_at)
{
    peat_db *db = NULL;
    model_open open;
    peat_error error;
    (void)alarm(HANG_SECONDS);
    if (open_store(a, &open, &db, &error) != PEAT_OK)
        history_fail("open: %s", error.message);
    history_play(a->h, db, a->ending == END_KILLED ? fd : -1, tell_at);
    if (a->ending == END_CLOSED && peat_close(db) != PEAT_OK)
        history_fail("close");
    _exit(0);
}

static bool run_child(arena *a)
{
    int fds[2], status = 0;
    char byte;
    rng r = {a->random};
    uint64_t tell_at = rng_below(&r, a->h->records_max);
    (void)fflush(NULL);
    if (pipe(fds) != 0)
        return tell(a, "no pipe");
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(fds[0]);
        child(a, fds[1], tell_at);
    }
    (void)close(fds[1]);
    bool told = a->ending == END_KILLED && read(fds[0], &byte, 1) == 1;
    if (told)
        (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    (void)close(fds[0]);
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    a->kills += told && killed;
    if (WIFEXITED(status) ? WEXITSTATUS(status) == 0 : told && killed)
        return true;
    return WIFSIGNALED(status)
               ? tell(a, "%s (signal %d)", WTERMSIG(status) == SIGALRM ? "it hangs" : "it crashed",
                      WTERMSIG(status))
               : tell(a, "it ended with status %d", WEXITSTATUS(status));
}

static bool read_final(arena *a)
{
    peat_db *db = NULL;
    peat_iter *it = NULL;
    model_open open;
    peat_error error;
    history_state *s = &a->h->final;
    model_options kept = a->options;
    a->options.field[MODEL_OPTION_threads] = PEAT_THREADS_NONE;
    peat_rc rc = open_store(a, &open, &db, &error);
    a->options = kept;
    if (rc != PEAT_OK)
        return tell(a, "open: %s", error.message);
    s->start = test_now_ns();
    rc = peat_iter_open(db, NULL, &it);
    s->end = test_now_ns();
    if (rc == PEAT_OK)
        history_scan(it, (unsigned)(a->h->round % 4), s->seen);
    s->complete = true;
    peat_iter_close(it);
    if (rc == PEAT_OK)
        rc = peat_check(db, NULL, NULL);
    peat_rc closed = peat_close(db);
    a->calls++;
    a->rows += HISTORY_KEYS;
    return rc == PEAT_OK && closed == PEAT_OK ? true : tell(a, "check: %s", peat_rc_name(rc));
}

static void count(arena *a)
{
    history *h = a->h;
    for (uint32_t t = 0; t < h->threads; t++) {
        const history_record *before = NULL;
        for (uint64_t i = 0; i < h->thread[t].count; i++) {
            const history_record *r = &h->thread[t].records[i];
            bool item = before != NULL && r->kind < HISTORY_GET && before->kind < HISTORY_GET &&
                        r->id == before->id; /* of the same batch */
            a->calls += r->end != 0 && !item;
            before = r;
        }
        a->calls += h->thread[t].states;
    }
    a->calls += atomic_exchange(&h->other_calls, 0);
    a->rows += atomic_exchange(&h->scanned_rows, 0);
    a->rounds++;
}

static bool judge(arena *a)
{
    char text[512];
    const char *why = history_judge_linear(a->h, text, sizeof text);
    if (why == NULL)
        why = history_judge_states(a->h, text, sizeof text);
    return why == NULL || tell(a, "%s", why);
}

static bool play_round(arena *a)
{
    choose(a);
    if (!run_child(a) || !read_final(a))
        return false;
    count(a);
    return true;
}

static void arena_done(arena *a)
{
    if (!a->broken)
        (void)!peat_destroy(a->dir, NULL);
}

/* --- tests -------------------------------------------------------------------------------- */

TEST(one_order_explains_what_all_threads_saw)
{
    arena a;
    arena_init(&a, test_seed(test_fresh_seed()), 24000);
    for (uint64_t i = 0; i < test_number("N", 12); i++)
        assert_true(play_round(&a) && judge(&a));
    print_message("seed %" PRIu64 ": %" PRIu64 " calls, %" PRIu64 " rows, %" PRIu64 " kills\n",
                  a.h->seed, a.calls, a.rows, a.kills);
    arena_done(&a);
}

/* A history whose final state is complete, for the tests of the judges. */
static void play_honest(arena *a)
{
    arena_init(a, 7, 6000);
    do
        assert_true(play_round(a) && judge(a));
    while (a->h->lossy || a->h->round < 2);
}

static void expect_caught(const arena *a, bool by_linear, const char *what)
{
    char text[512];
    const char *why = by_linear ? history_judge_linear(a->h, text, sizeof text)
                                : history_judge_states(a->h, text, sizeof text);
    if (why == NULL)
        fail_msg("not caught: %s", what);
}

/* The last complete put of a key below `limit`, and of which thread. */
static history_record *last_put(const arena *a, uint32_t from, uint32_t limit)
{
    history_record *last = NULL;
    for (uint32_t t = 0; t < a->h->threads; t++)
        for (uint64_t i = 0; i < a->h->thread[t].count; i++) {
            history_record *r = &a->h->thread[t].records[i];
            if (r->kind == HISTORY_PUT && r->end != 0 && r->key >= from && r->key < limit &&
                a->h->final.seen[r->key] == r->id && (last == NULL || r->end > last->end))
                last = r;
        }
    assert_non_null(last);
    return last;
}

/* A read of a key below `limit` that saw a write of this round. */
static history_record *some_read(const arena *a, uint32_t limit)
{
    for (uint32_t t = 0; t < a->h->threads; t++)
        for (uint64_t i = 0; i < a->h->thread[t].count; i++) {
            history_record *r = &a->h->thread[t].records[i];
            if (r->kind == HISTORY_GET && r->end != 0 && r->key < limit &&
                HISTORY_ROUND_OF(r->id) == a->h->round)
                return r;
        }
    fail_msg("no read saw a write");
    return NULL;
}

/* A check that cannot fail is a defect. */
TEST(planted_lies_are_found)
{
    arena a;
    const uint32_t shared = HISTORY_CONTENDED, owned = HISTORY_CONTENDED + HISTORY_SHARED;
    play_honest(&a);
    history_id *final = a.h->final.seen;

    history_record *r = last_put(&a, 0, shared);
    final[r->key] = a.h->initial[r->key];
    expect_caught(&a, true, "a write of a contended key is lost");
    final[r->key] = r->id;

    r = last_put(&a, owned, HISTORY_KEYS - HISTORY_THREADS_MAX);
    final[r->key] = a.h->initial[r->key];
    expect_caught(&a, true, "a write of an owned key is lost, per key");
    expect_caught(&a, false, "a write of an owned key is lost, as a state");
    final[r->key] = r->id;

    r = last_put(&a, shared, owned);
    final[r->key] = a.h->initial[r->key];
    expect_caught(&a, false, "half a batch is lost");
    final[r->key] = r->id;

    r = some_read(&a, shared);
    uint64_t start = r->start, end = r->end;
    r->start = 1;
    r->end = 2;
    expect_caught(&a, true, "a value is read before it is written");
    r->start = start;
    r->end = end;

    r = last_put(&a, 0, shared);
    history_id id = r->id;
    r->id = HISTORY_ID(a.h->round, HISTORY_THREAD_OF(id), HISTORY_NUMBER_OF(id) + 1000000u);
    expect_caught(&a, true, "a value nobody wrote");
    r->id = id;

    assert_true(judge(&a));
    arena_done(&a);
}

static void add_write(history *h, history_kind kind, uint32_t key, uint32_t number, uint64_t start)
{
    history_thread *t = &h->thread[0];
    t->records[t->count++] = (history_record){
        .start = start, .end = start + 1, .id = HISTORY_ID(1, 0, number), .key = key, .kind = kind};
}

/* A put that was deleted again does not show, and neither is missing; a put alone is. */
TEST(what_cannot_show_is_not_missed)
{
    char text[512];
    const uint32_t key = HISTORY_CONTENDED + HISTORY_SHARED;
    history *h = history_new(16);
    h->round = 1;
    h->threads = 2;
    h->thread[1].records = h->thread[0].records;
    h->final.start = 100;
    h->final.end = 101;
    add_write(h, HISTORY_PUT, key, 1, 10);
    assert_non_null(history_judge_states(h, text, sizeof text));
    add_write(h, HISTORY_DELETE, key, 2, 20);
    assert_null(history_judge_states(h, text, sizeof text));
    add_write(h, HISTORY_PUT, key + 1, 3, 30);
    assert_non_null(history_judge_states(h, text, sizeof text));
    h->final.seen[key + 1] = HISTORY_ID(1, 0, 3);
    assert_null(history_judge_states(h, text, sizeof text));
}

TEST_CAMPAIGN
{
    arena a;
    uint64_t rounds = test_number("N", 1000000), end_ns = test_end_ns(60);
    bool ok = true;
    arena_init(&a, test_seed(test_fresh_seed()), test_number("OPS", 400000));
    for (uint64_t i = 0; ok && i < rounds && test_now_ns() < end_ns; i++) {
        ok = play_round(&a) && judge(&a);
        if (i % 20 == 19) {
            print_message("%" PRIu64 " rounds, %" PRIu64 " calls\n", a.rounds, a.calls);
            (void)fflush(stdout);
        }
    }
    print_message("%" PRIu64 " trials, %d violations; %" PRIu64 " calls, %" PRIu64
                  " rows scanned, %" PRIu64 " kills, seed %" PRIu64 "\n",
                  a.rounds, !ok, a.calls, a.rows, a.kills, a.h->seed);
    arena_done(&a);
    return !ok;
}
