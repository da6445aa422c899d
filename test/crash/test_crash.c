/* SPDX-License-Identifier: MIT */
/*
 * test_crash.c - power cuts and kills at a sample of the moments when something is about to change
 * on disk. ctest: timeout=300
 *
 *     SEED=1 N=1000 crash_test_crash --campaign
 *
 * Each clone of the disk is opened, compared with the plan, written to further, cut again in the
 * middle of that (which includes its recovery), closed and opened once more.
 */
#include "crash/crash.h"
#include "world/test.h"

#define DEPTH        2
#define GO_ON        10 /* commits after a recovery */
#define SAMPLE_PLANS 24
#define KILLED       (SIM_CUT_GARBAGE + 1)

typedef struct tally {
    uint64_t clones, nested, boundaries, commits;
} tally;

/* Cuts the store under `run` now and then. */
typedef struct cutter {
    const crash_run *run;
    rng random;
    uint64_t one_in; /* boundaries */
    unsigned depth, left;
    bool killable; /* nothing that only memory knows is owed */
    tally *tally;
} cutter;

/* What a clone must be: after a kill everything that returned is there, but still only what is
 * durable survives a power cut that follows. */
typedef struct bounds {
    uint64_t low, high, durable;
} bounds;

static void verify_clone(const crash_run *before, sim_env *sim, bounds b, const char *story,
                         unsigned depth, uint64_t seed, tally *t);

static sim_env *make_clone(sim_env *sim, int mode, uint64_t seed, uint32_t sector)
{
    if (mode == KILLED)
        return sim_clone_killed(sim);
    return sim_clone_cut(
        sim, &(sim_cut){.mode = (sim_cut_mode)mode, .seed = seed, .sector_bytes = sector});
}

static void cut_here(void *arg, sim_env *sim, const sim_boundary *b)
{
    static const int modes[] = {SIM_CUT_LOST,   SIM_CUT_KEPT,   SIM_CUT_RANDOM, SIM_CUT_RANDOM,
                                SIM_CUT_RANDOM, SIM_CUT_PREFIX, SIM_CUT_PREFIX, KILLED};
    static const char *const names[] = {"random", "lost", "kept", "prefix", "garbage", "killed"};
    cutter *c = arg;
    char story[400];
    if (c->left == 0 || rng_below(&c->random, c->one_in) != 0)
        return;
    c->left--;
    int mode = modes[rng_below(&c->random, sizeof modes / sizeof *modes)];
    uint64_t seed = rng_next(&c->random);
    uint32_t sector = rng_below(&c->random, 2) ? 512 : 4096;
    bool killed = mode == KILLED && !c->run->open.options.no_log;
    bounds allowed = {.durable = atomic_load(c->run->durable)};
    allowed.low = killed ? atomic_load(c->run->returned) : allowed.durable;
    allowed.high = atomic_load(c->run->begun);
    (void)snprintf(story, sizeof story,
                   "%.180s%sclone at boundary %" PRIu64
                   " (%s %s), %s, sectors of %u, commits %" PRIu64 " to %" PRIu64,
                   c->run->story, c->run->story[0] ? "; then " : "", b->index,
                   sim_kind_name(b->kind), b->name, names[mode], sector, allowed.low, allowed.high);
    verify_clone(c->run, make_clone(sim, mode, seed, sector), allowed, story, c->depth, seed,
                 c->tally);
}

/* Opening without writing sees one of the allowed states, finds no damage and changes nothing. */
static void verify_read_only(crash_run *r, uint64_t low, uint64_t high)
{
    uint64_t changes = sim_count(r->sim, SIM_CHANGES);
    crash_open(r, true);
    (void)crash_identify(r, low, high);
    if (r->db != NULL) {
        crash_check(r);
        crash_close(r);
    }
    if (sim_count(r->sim, SIM_CHANGES) != changes)
        crash_fail(r, "a read-only open changed something on disk");
}

static void verify_clone(const crash_run *before, sim_env *sim, bounds b, const char *story,
                         unsigned depth, uint64_t seed, tally *t)
{
    crash_run r;
    rng random = {seed};
    cutter again = {.run = &r,
                    .random = {seed + 1},
                    .one_in = 1 + rng_below(&random, 60),
                    .depth = depth - 1,
                    .left = depth > 1 ? 2 : 0,
                    .tally = t};
    t->clones++;
    t->nested += depth < DEPTH;
    crash_run_init(&r, before->plan, sim, before->report);
    (void)snprintf(r.story, sizeof r.story, "%s", story);
    if (rng_below(&random, 4) == 0)
        verify_read_only(&r, b.low, b.high);

    atomic_store(r.begun, b.high); /* until it is known which of the states came back */
    atomic_store(r.returned, b.low);
    atomic_store(r.durable, b.durable);
    sim_hook_set(sim, cut_here, &again);
    crash_open(&r, false);
    sim_hook_set(sim, NULL, NULL);
    uint64_t at = crash_identify(&r, b.low, b.high);
    for (int i = 0; i < 3; i++)
        atomic_store(&r.counters[i], at);
    uint64_t to = at + GO_ON < r.plan->commit_count ? at + GO_ON : r.plan->commit_count;
    again.left += depth > 1;
    sim_hook_set(sim, cut_here, &again);
    crash_go_on(&r, at, to);
    sim_hook_set(sim, NULL, NULL);
    (void)crash_identify(&r, to, to);
    crash_check(&r);
    crash_close(&r);
    crash_open(&r, false);
    (void)crash_identify(&r, to, to);
    crash_close(&r);
    if (!sim_is_clean(sim))
        crash_fail(&r, "something was left open or allocated");
    sim_free(sim);
}

typedef struct job {
    uint64_t seed;
    size_t commits;
    unsigned clones;
} job;

static void run_plan(void *arg, FILE *report)
{
    const job *j = arg;
    static const size_t splits[] = {0, 0, 512, 4096, 700};
    rng random = {j->seed * 31 + 7};
    crash_plan plan;
    crash_run r;
    tally t = {0};
    crash_plan_init(&plan, j->seed, j->commits);
    sim_env *sim = sim_new(j->seed);
    sim_split_writes(sim, splits[rng_below(&random, 5)]);
    cutter c = {.run = &r,
                .random = {j->seed + 99},
                .one_in = 1 + rng_below(&random, j->commits / 4),
                .depth = DEPTH,
                .left = j->clones,
                .tally = &t};
    crash_run_init(&r, &plan, sim, report);
    sim_hook_set(sim, cut_here, &c);
    crash_open(&r, false);
    crash_go_on(&r, 0, j->commits);
    crash_close(&r);
    sim_hook_set(sim, NULL, NULL);
    crash_open(&r, false);
    (void)crash_identify(&r, j->commits, j->commits);
    crash_check(&r);
    crash_close(&r);
    if (!sim_is_clean(sim))
        crash_fail(&r, "something was left open or allocated");
    (void)fprintf(report, "%" PRIu64 " %" PRIu64 " %" PRIu64, t.clones, t.nested,
                  sim_boundaries(sim));
    sim_free(sim);
    crash_plan_done(&plan);
}

static bool run_seed(uint64_t seed, tally *io_sum)
{
    char report[2048];
    job j = {.seed = seed, .commits = 120, .clones = (unsigned)test_number("CLONES", 24)};
    tally t = {0};
    if (!model_in_child(run_plan, &j, false, report, sizeof report)) {
        (void)fprintf(stderr,
                      "plan %" PRIu64 ": %s\nrerun: SEED=%" PRIu64
                      " N=1 crash_test_crash --campaign\n",
                      seed, report, seed);
        return false;
    }
    (void)sscanf(report, "%" SCNu64 " %" SCNu64 " %" SCNu64, &t.clones, &t.nested, &t.boundaries);
    io_sum->clones += t.clones;
    io_sum->nested += t.nested;
    io_sum->boundaries += t.boundaries;
    io_sum->commits += j.commits;
    return true;
}

static void print_tally(const tally *t)
{
    print_message("%" PRIu64 " clones (%" PRIu64 " of clones) at %" PRIu64 " boundaries of %" PRIu64
                  " commits\n",
                  t->clones, t->nested, t->boundaries, t->commits);
}

TEST(a_store_comes_back_from_any_cut_as_a_prefix_of_its_commits)
{
    tally sum = {0};
    for (uint64_t seed = 1; seed <= test_number("N", SAMPLE_PLANS); seed++)
        assert_true(run_seed(seed, &sum));
    print_tally(&sum);
    assert_true(sum.clones > 100 && sum.nested > 20);
}

TEST(a_fresh_plan_survives_its_cuts)
{
    tally sum = {0};
    uint64_t seed = test_seed(test_fresh_seed());
    print_message("seed %" PRIu64 "\n", seed);
    assert_true(run_seed(seed, &sum));
}

/* --- the test of the test
 * ------------------------------------------------------------------------- */

/* What commit i wrote is still there after commit `end`. */
static bool shows(const crash_plan *p, uint64_t i, uint64_t end)
{
    const crash_write *write = &p->writes[p->commits[i].first];
    bool seen = !write->deleted && p->commits[i].single;
    for (uint64_t later = i + 1; later <= end; later++)
        for (size_t w = 0; w < p->commits[later].count; w++)
            seen = seen && p->writes[p->commits[later].first + w].rank != write->rank;
    return seen;
}

/* A store that forgets a commit in the middle is found out. */
static void run_plan_with_a_hole(void *arg, FILE *report)
{
    (void)arg;
    crash_plan plan;
    crash_run r;
    sim_env *sim = sim_new(1);
    for (uint64_t seed = 1;; seed++) {
        crash_plan_init(&plan, seed, 30);
        if (shows(&plan, 11, 20))
            break;
        crash_plan_done(&plan);
    }
    crash_run_init(&r, &plan, sim, report);
    crash_open(&r, false);
    crash_go_on(&r, 0, 10);
    atomic_store(r.begun, 11);
    crash_go_on(&r, 11, 20);
    (void)crash_identify(&r, 0, 20);
    crash_close(&r);
}

TEST(a_hole_in_the_order_is_found)
{
    char report[2048];
    assert_false(model_in_child(run_plan_with_a_hole, NULL, true, report, sizeof report));
    assert_non_null(strstr(report, "the state is none of those"));
}

static int campaign(void)
{
    uint64_t first = test_seed(test_fresh_seed()), runs = test_number("N", 1000);
    tally sum = {0};
    unsigned failed = 0;
    for (uint64_t i = 0; i < runs && failed < 5; i++) {
        failed += !run_seed(first + i, &sum);
        if (i % 50 == 49)
            print_tally(&sum);
    }
    print_tally(&sum);
    print_message("seeds from %" PRIu64 ", %" PRIu64 " plans, %u failed\n", first, runs, failed);
    return failed != 0;
}

int main(int argc, char **argv)
{
    if (test_is_campaign(argc, argv))
        return campaign();
    return test_run_all();
}
