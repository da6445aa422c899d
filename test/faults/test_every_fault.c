/* SPDX-License-Identifier: MIT */
/*
 * test_every_fault.c - workloads again and again: the first call of the environment fails, then the
 * second, and so on until there is no such call. In every way: with each error, once or from then
 * on, with a part written or nothing; allocations, mappings, threads; and the disk that is full
 * from that moment on. ctest: timeout=300
 *
 *     faults_test_every_fault --campaign     every point; SEED=, N= points at most, BOUND= seconds
 *     ONLY=merge WAY=EIO STICKY=1 AT=17 SEED=1 faults_test_every_fault --campaign    one of them
 */
#include "faults/faults_strike.h"
#include "world/sanitizer.h"
#include "world/shared.h"
#include "world/test.h"
#include "support/result_codes.h"

#define CHUNK        200 /* points in one child process, which has minutes */
#define FAILURES_MAX 3   /* each may have waited for what does not come */
/* The test takes one point of so many: sanitizers are slow. ThreadSanitizer has nothing to see in
 * the workloads of one thread. */
#define SAMPLE_STRIDE     TEST_SAMPLE(173, 701, 401)
#define ONLY_WITH_THREADS TEST_SAMPLE(false, false, true)
/* All points of all lines were 91,000 when last counted, 21,000 to 23,000 of them in a store with
 * threads: a workload that got shorter by much, or a count that misses calls, shows here. */
#define TOTAL_MIN TEST_SAMPLE(84000, 84000, 19000)
/* Lines without a point: no thread is started where the store has none of its own, and no random
 * number is asked for where nothing is made, nothing read where all is in memory. */
#define EMPTY_LINES TEST_SAMPLE(34, 34, 2)

static const faults_way ways[] = {
    {"EIO", SIM_DISK, EIO, SIM_KEEP_NONE, PEAT_OK, false, PEAT_OK},
    {"ENOSPC", SIM_DISK, ENOSPC, SIM_KEEP_NONE, PEAT_OK, false, PEAT_OK},
    {"EDQUOT", SIM_DISK, EDQUOT, SIM_KEEP_ALL, PEAT_OK, false, PEAT_OK},
    {"EINTR", SIM_DISK, EINTR, SIM_KEEP_ALL, PEAT_OK, false, PEAT_OK},
    {"short", SIM_DISK, EIO, SIM_KEEP_SOME, PEAT_OK, false, PEAT_OK},
    {"sync", SIM_BIT(SIM_FILE_SYNC), EIO, SIM_KEEP_SOME, PEAT_OK, false, PEAT_OK},
    {"read", SIM_BIT(SIM_FILE_READ), EIO, SIM_KEEP_NONE, PEAT_IO, true, PEAT_OK},
    {"memory", SIM_MEMORY, ENOMEM, SIM_KEEP_NONE, PEAT_NOMEM, true, PEAT_OK},
    {"thread", SIM_BIT(SIM_THREAD_START), EAGAIN, SIM_KEEP_NONE, PEAT_OK, true, PEAT_OK},
    {"random", SIM_BIT(SIM_RANDOM), EIO, SIM_KEEP_NONE, PEAT_OK, false, PEAT_OK},
    {"full", 0, ENOSPC, SIM_KEEP_NONE, PEAT_FULL, true, PEAT_OK},
};
#define WAYS (sizeof ways / sizeof *ways)

/* Written by the child, read by the parent, which outlives a crash. */
typedef struct progress {
    uint64_t at;   /* the point under way */
    uint64_t next; /* where to go on; 0: where the sample begins */
    bool counted;
    uint64_t total; /* points when nothing fails; threads make it differ from run to run */
    uint64_t first; /* the point the sample begins with */
    uint64_t reached, hits;
    bool ended; /* no call had the number `next` */
} progress;

typedef struct line {
    faults_line what;
    const faults_world *base; /* what the workload begins with */
    uint64_t stride, offset;
    uint64_t total; /* points of the line before, which strikes the same calls; 0: not known */
    progress *progress;
} line;

static bool has_threads(const faults_workload *w)
{
    return w->options.field[MODEL_OPTION_threads] >= 0;
}

/* Its calls differ from run to run: threads; gets of a queue that meet in a flight of the cache,
 * which is found by an address, read one by one. */
static bool is_loose(const line *l)
{
    const faults_workload *w = l->what.workload;
    return strcmp(w->name, "queue") == 0 || has_threads(w);
}

/* The points that a line has in every run. With threads, what they do when differs, and by far not
 * by half. */
static uint64_t sure_points(const line *l)
{
    return is_loose(l) ? (l->progress->total + 1) / 2 : l->progress->total;
}

/* How many points the sample must have reached at the least; exactly so many without threads. */
static uint64_t sample_size(const line *l)
{
    uint64_t sure = sure_points(l), first = l->progress->first;
    if (sure == 0)
        return 0;
    return first > sure ? 1 : (sure - first) / l->stride + 1;
}

/* Each line's sample begins elsewhere, and within its points when it has any. */
static void begin_sample(const line *l, const faults_world *base)
{
    progress *g = l->progress;
    g->total = l->total != 0 ? l->total : faults_count_points(&l->what, base);
    uint64_t sure = sure_points(l);
    g->first = 1 + (sure != 0 ? l->offset % l->stride % sure : 0);
    g->next = g->next != 0 ? g->next : g->first;
    g->counted = true;
}

static void run_chunk(void *arg, FILE *report)
{
    const line *l = arg;
    progress *g = l->progress;
    faults_world *base = malloc(sizeof *base);
    *base = *l->base;
    base->report = report;
    result_codes_expect(l->what.way->error);
    if (!g->counted)
        begin_sample(l, base);
    for (unsigned i = 0; i < CHUNK && !g->ended; i++, g->next += l->stride) {
        g->at = g->next;
        uint64_t hits = faults_run_point(&l->what, base, g->at);
        g->hits += hits;
        g->reached += hits != 0;
        g->ended = hits == 0;
    }
    free(base);
}

/* --- all of them --- */

typedef struct campaign {
    uint64_t seed, stride, points_max;
    uint64_t end_ns;
    const char *only, *only_way, *only_sticky, *only_at;
    progress *progress;
    uint64_t points, total, hits;
    unsigned workloads, lines, failures, empty;
    unsigned missed; /* lines whose sample is not what it must be */
    bool only_threads, stopped;
} campaign;

static bool wanted(const char *only, const char *name)
{
    return only == NULL || strcmp(only, name) == 0;
}

static void judge_sample(campaign *c, const line *l)
{
    const progress *g = l->progress;
    uint64_t expected = sample_size(l);
    if (c->stopped || c->only_at != NULL || c->failures >= FAILURES_MAX)
        return;
    if (g->reached == expected || (is_loose(l) && g->reached > expected))
        return;
    (void)fprintf(stderr,
                  "ONLY=%s WAY=%s STICKY=%d: %" PRIu64 " points reached, %" PRIu64 " of %" PRIu64
                  " is one in %" PRIu64 " from %" PRIu64 " on\n",
                  l->what.workload->name, l->what.way->name, l->what.sticky, g->reached, expected,
                  g->total, l->stride, g->first);
    c->missed++;
}

static void run_line(campaign *c, const line *l)
{
    char report[2048];
    progress *g = l->progress;
    *g = (progress){.next = c->only_at != NULL ? strtoull(c->only_at, NULL, 10) : 0};
    while (!g->ended && c->failures < FAILURES_MAX) {
        line copy = *l;
        if (!model_in_child(run_chunk, &copy, false, report, sizeof report)) {
            (void)fprintf(stderr,
                          "ONLY=%s WAY=%s STICKY=%d AT=%" PRIu64 " SEED=%" PRIu64
                          " faults_test_every_fault --campaign\n  %s",
                          l->what.workload->name, l->what.way->name, l->what.sticky, g->at,
                          l->what.seed, report);
            c->failures++;
            g->reached++;
            g->next = g->at + l->stride;
        }
        bool late = test_now_ns() >= c->end_ns;
        c->stopped = late || c->points + g->reached >= c->points_max;
        if (c->stopped || c->only_at != NULL)
            break;
    }
    judge_sample(c, l);
    c->empty += g->counted && g->total == 0;
    c->points += g->reached;
    c->total += g->total;
    c->hits += g->hits;
    c->lines++;
    if (l->stride == 1 && c->only_at == NULL)
        print_message("%-12s %-7s %-6s %6" PRIu64 " of %" PRIu64 " points, %" PRIu64
                      " failed calls\n",
                      l->what.workload->name, l->what.way->name, l->what.sticky ? "sticky" : "once",
                      g->reached, g->total, g->hits);
}

static void run_ways(campaign *c, const faults_workload *workload, const faults_world *base)
{
    uint64_t total = 0;
    for (size_t y = 0; y < WAYS; y++) {
        if (y != 0 && ways[y].kinds != ways[y - 1].kinds)
            total = 0;
        for (int sticky = 0; sticky <= 1; sticky++) {
            line l = {.what = {workload, &ways[y], sticky, c->seed},
                      .base = base,
                      .stride = c->stride,
                      .offset = c->lines * UINT64_C(7919),
                      .total = total,
                      .progress = c->progress};
            if (c->stopped || c->failures >= FAILURES_MAX || (ways[y].kinds == 0 && !sticky) ||
                !wanted(c->only_way, ways[y].name) || !wanted(c->only_sticky, sticky ? "1" : "0"))
                continue;
            run_line(c, &l);
            total = c->progress->total;
        }
    }
}

static void run_lines(campaign *c)
{
    for (size_t w = 0; w < faults_workload_count(); w++) {
        const faults_workload *workload = faults_workload_at(w);
        if (!wanted(c->only, workload->name) || (c->only_threads && !has_threads(workload)))
            continue;
        c->workloads++;
        faults_world *base = faults_prepare(workload, c->seed);
        run_ways(c, workload, base);
        sim_free(base->sim);
        free(base);
    }
}

static campaign campaign_of(uint64_t seed)
{
    return (campaign){.seed = seed,
                      .stride = 1,
                      .points_max = UINT64_MAX,
                      .end_ns = UINT64_MAX,
                      .only = getenv("ONLY"),
                      .only_way = getenv("WAY"),
                      .only_sticky = getenv("STICKY"),
                      .only_at = getenv("AT"),
                      .progress = shared_new(sizeof(progress))};
}

TEST_CAMPAIGN
{
    campaign c = campaign_of(test_seed(1));
    c.points_max = test_limit("N");
    c.stride = test_number("STRIDE", 1);
    c.end_ns = test_end_ns(0);
    run_lines(&c);
    print_message("%" PRIu64 " trials, %u violations; %" PRIu64 " of %" PRIu64
                  " points of %u lines reached%s, %" PRIu64 " calls failed\n",
                  c.points, c.failures, c.points, c.total, c.lines,
                  c.stopped ? " until the bound" : "", c.hits);
    shared_free(c.progress, sizeof *c.progress);
    return c.failures != 0 || c.missed != 0;
}

TEST(no_failing_call_breaks_a_promise)
{
    campaign c = campaign_of(1);
    c.stride = test_number("STRIDE", SAMPLE_STRIDE);
    c.only_threads = ONLY_WITH_THREADS;
    run_lines(&c);
    print_message("%" PRIu64 " of %" PRIu64 " points of %u lines\n", c.points, c.total, c.lines);
    assert_int_equal(c.failures, 0);
    assert_int_equal(c.missed, 0);
    /* each way once and sticky, but a disk can only be full from then on */
    assert_int_equal(c.lines, c.workloads * (2 * WAYS - 1));
    assert_true(c.only_threads ? c.workloads > 2 : c.workloads == faults_workload_count());
    assert_int_equal(c.empty, EMPTY_LINES);
    assert_true(c.total >= TOTAL_MIN);
    assert_true(c.points >= c.total / c.stride);
    shared_free(c.progress, sizeof *c.progress);
}

static void expect_clean(uint64_t stride, const char *workload, const char *way, const char *sticky)
{
    campaign c = campaign_of(1);
    c.stride = stride;
    c.only = workload;
    c.only_way = way;
    c.only_sticky = sticky;
    run_lines(&c);
    assert_int_equal(c.failures, 0);
    assert_int_equal(c.missed, 0);
    assert_true(c.points > 20);
    shared_free(c.progress, sizeof *c.progress);
}

/* A merge whose inputs cannot be read is put off, then left alone; writes go on. */
TEST(an_unreadable_table_stops_no_writes)
{
    TEST_NOT_FOR_THREADS();
    expect_clean(5, "merge", "read", "1");
}

/* The sync of the interval, and the promise behind it. */
TEST_LINE(TEST, a_sync_that_fails_in_a_thread_refuses_writes,
          expect_clean(1, "interval", "sync", NULL))
