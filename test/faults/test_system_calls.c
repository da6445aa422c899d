/* SPDX-License-Identifier: MIT */
/*
 * test_system_calls.c - workloads on the real file system, one system call after the other: the
 * process is killed before it, or the call answers an error, is interrupted, or is cut short.
 * ctest: timeout=300
 *
 *     faults_test_system_calls --campaign      WAY=kill, EIO, ENOSPC, EDQUOT, EINTR or short; all
 *                                              but kill when it is not set. SEED=, N=, BOUND=
 *     ONLY=merge WAY=kill AT=170 faults_test_system_calls --campaign
 */
#include "faults/faults.h"
#include "faults/faults_trace.h"
#include "world/shared.h"
#include "world/test.h"
#include "support/result_codes.h"

#include <unistd.h>

#define FAILURES_MAX 10
#define HANG_SECONDS 120

/* Seen by the parent when the child is gone. */
typedef struct shared {
    faults_world world; /* first: see real_hits */
    _Atomic uint64_t hits;
} shared;

typedef struct way {
    const char *name;
    faults_trace_act act;
    int error;
    bool sticky_too;
} way;

static const way ways[] = {
    {"kill", FAULTS_TRACE_KILL, 0, false},        {"EIO", FAULTS_TRACE_ERROR, EIO, true},
    {"ENOSPC", FAULTS_TRACE_ERROR, ENOSPC, true}, {"EDQUOT", FAULTS_TRACE_ERROR, EDQUOT, true},
    {"EINTR", FAULTS_TRACE_ERROR, EINTR, false},  {"short", FAULTS_TRACE_SHORT, 0, false},
};
#define WAYS (sizeof ways / sizeof *ways)

typedef struct scene {
    char root[200], dir[240], copy[240], base[240];
    const faults_workload *workload;
    shared *memory;
    faults_world begin; /* what the workload begins with */
    uint64_t seed;
    char story[200];
} scene;

static uint64_t real_hits(const faults_world *w)
{
    return atomic_load(&((const shared *)(const void *)w)->hits);
}

/* --- one trial --- */

static void run_workload(void *arg)
{
    scene *s = arg;
    (void)close(STDIN_FILENO); /* its number must be avoided, by calls that may fail */
    s->workload->run(&s->memory->world);
    faults_close(&s->memory->world);
}

static void put_base(const scene *s)
{
    model_dir_remove(s->dir);
    model_dir_remove(s->copy);
    if (s->workload->prepare != NULL && !model_dir_copy(s->base, s->dir))
        abort();
}

/* The store as the child left it. */
static void judge_store(void *arg, FILE *report)
{
    const scene *s = arg;
    faults_world *w = malloc(sizeof *w);
    *w = s->memory->world;
    w->report = report;
    w->struck_sync = false;
    bool no_log = w->options.field[MODEL_OPTION_no_log] != 0;
    faults_expect_copy(w, NULL);
    faults_expect_recovered(w, NULL, no_log ? w->book.durable : UINT32_MAX, "opened");
    free(w);
}

static bool run_trial(scene *s, faults_trace *t)
{
    char report[2048] = "";
    put_base(s);
    s->memory->world = s->begin;
    s->memory->world.story = s->story;
    atomic_store(&s->memory->hits, 0);
    t->hits = &s->memory->hits;
    t->timeout_seconds = HANG_SECONDS;
    result_codes_expect(t->error); /* of the child */
    if (!faults_trace_run(t, run_workload, s)) {
        (void)fprintf(stderr, "%s: the child %s (status %#x)\n", s->story,
                      t->hung ? "hangs" : "ended badly", (unsigned)t->status);
        return false;
    }
    if (!model_in_child(judge_store, s, false, report, sizeof report)) {
        (void)fprintf(stderr, "%s\n", report);
        return false;
    }
    return true;
}

static void scene_init(scene *s, shared *memory, const faults_workload *workload, uint64_t seed)
{
    const char *tmp = getenv("TMPDIR");
    if (tmp == NULL && access("/dev/shm", W_OK) == 0)
        tmp = "/dev/shm"; /* what a kill leaves is the same on every file system */
    *s = (scene){.workload = workload, .memory = memory, .seed = seed};
    (void)snprintf(s->root, sizeof s->root, "%.150s/peat-calls-XXXXXX", tmp ? tmp : "/tmp");
    if (mkdtemp(s->root) == NULL)
        abort();
    (void)snprintf(s->dir, sizeof s->dir, "%s/store", s->root);
    (void)snprintf(s->copy, sizeof s->copy, "%s/copy", s->root);
    (void)snprintf(s->base, sizeof s->base, "%s/base", s->root);
    faults_init(&s->begin, NULL, s->base, s->copy, seed);
    s->begin.story = workload->name;
    s->begin.options = workload->options;
    if (workload->prepare != NULL)
        workload->prepare(&s->begin);
    s->begin.dir = s->dir;
    s->begin.hits = real_hits;
}

static void scene_done(const scene *s)
{
    model_dir_remove(s->dir);
    model_dir_remove(s->copy);
    model_dir_remove(s->base);
    (void)rmdir(s->root);
}

/* How many points there are for this way; threads make it differ from run to run. */
static uint64_t count_points(scene *s, const way *y)
{
    faults_trace t = {.act = FAULTS_TRACE_COUNT, .error = y->error};
    (void)snprintf(s->story, sizeof s->story, "%s, no fault", s->workload->name);
    if (!run_trial(s, &t))
        return 0;
    return y->act == FAULTS_TRACE_KILL    ? t.calls
           : y->act == FAULTS_TRACE_SHORT ? t.transfers
                                          : t.file_calls;
}

/* --- all of them --- */

typedef struct campaign {
    uint64_t seed, trials_max, trials, points, hits;
    uint64_t end_ns;
    const char *only, *only_way, *only_at, *only_sticky;
    unsigned failures;
    bool sample, stopped;
    rng random;
} campaign;

static void run_point(campaign *c, scene *s, const way *y, bool sticky, uint64_t at)
{
    faults_trace t = {.act = y->act, .nth = at, .sticky = sticky, .error = y->error};
    (void)snprintf(s->story, sizeof s->story,
                   "ONLY=%s WAY=%s STICKY=%d AT=%" PRIu64 " SEED=%" PRIu64
                   " faults_test_system_calls --campaign",
                   s->workload->name, y->name, sticky, at, s->seed);
    c->failures += !run_trial(s, &t);
    c->trials++;
    c->hits += t.killed + atomic_load(&s->memory->hits);
}

static void run_way(campaign *c, scene *s, const way *y, bool sticky)
{
    uint64_t total = count_points(s, y), first = 1, last = total, before = c->trials;
    if (total == 0) {
        c->failures++;
        return;
    }
    if (c->only_at != NULL)
        first = last = strtoull(c->only_at, NULL, 10);
    else if (c->sample)
        first = last = 1 + rng_below(&c->random, total);
    for (uint64_t at = first; at <= last && c->failures < FAILURES_MAX && !c->stopped; at++) {
        run_point(c, s, y, sticky, at);
        c->stopped = c->trials >= c->trials_max || test_now_ns() >= c->end_ns;
    }
    c->points += total;
    if (!c->sample)
        print_message("%-12s %-6s %-6s %" PRIu64 " of %" PRIu64 " points\n", s->workload->name,
                      y->name, sticky ? "sticky" : "once", c->trials - before, total);
}

static bool wanted(const char *only, const char *name)
{
    return only == NULL || strcmp(only, name) == 0;
}

static void run_workloads(campaign *c)
{
    shared *memory = shared_new(sizeof *memory);
    scene *s = malloc(sizeof *s);
    for (size_t i = 0; i < faults_workload_count(); i++) {
        const faults_workload *workload = faults_workload_at(i);
        if (c->stopped || c->failures >= FAILURES_MAX || !wanted(c->only, workload->name))
            continue;
        scene_init(s, memory, workload, c->seed);
        for (size_t y = 0; y < WAYS; y++)
            for (int sticky = 0; sticky <= ways[y].sticky_too; sticky++)
                if (!c->stopped && !(c->sample && rng_below(&c->random, 3) != 0) &&
                    wanted(c->only_way, ways[y].name) &&
                    wanted(c->only_sticky, sticky ? "1" : "0") && c->failures < FAILURES_MAX)
                    run_way(c, s, &ways[y], sticky);
        scene_done(s);
    }
    free(s);
    shared_free(memory, sizeof *memory);
}

static campaign campaign_of(uint64_t seed)
{
    return (campaign){.seed = seed,
                      .trials_max = UINT64_MAX,
                      .end_ns = UINT64_MAX,
                      .only = getenv("ONLY"),
                      .only_way = getenv("WAY"),
                      .only_at = getenv("AT"),
                      .only_sticky = getenv("STICKY"),
                      .random = {seed}};
}

TEST_CAMPAIGN
{
    campaign c = campaign_of(test_seed(1));
    c.end_ns = test_end_ns(0);
    c.trials_max = test_limit("N");
    if (!faults_trace_works()) {
        print_message("ptrace does not work here\n");
        return 77;
    }
    run_workloads(&c);
    print_message("%" PRIu64 " trials, %u violations; %" PRIu64 " of %" PRIu64
                  " system calls, %" PRIu64 " struck\n",
                  c.trials, c.failures, c.trials, c.points, c.hits);
    return c.failures != 0;
}

TEST(no_system_call_is_fatal)
{
    campaign c = campaign_of(test_seed(test_fresh_seed()));
    if (!faults_trace_works())
        skip();
    c.sample = true;
    c.only_way = getenv("WAY");
    print_message("seed %" PRIu64 "\n", c.seed);
    run_workloads(&c);
    print_message("%" PRIu64 " system calls of %" PRIu64 "\n", c.trials, c.points);
    assert_int_equal(c.failures, 0);
    assert_true(c.trials > 0);
}
