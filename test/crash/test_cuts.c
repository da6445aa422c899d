/* SPDX-License-Identifier: MIT */
/*
 * test_cuts.c - every kind of work, cut at every boundary; see crash_cuts.h. ctest: timeout=300
 *
 *     SEED=1 N=1000000 BOUND=3600 crash_test_cuts --campaign
 *
 * follows plans of all kinds until N distinct images were verified or BOUND seconds have passed.
 * LOAD= takes one kind only, COMMITS= the length of a plan. With GARBAGE=1 sectors that were being
 * written may hold anything: what that breaks is an assumption about the disk, see
 * src/log/log_format.md; it is counted, not failed.
 */
#include "crash/crash_cuts.h"
#include "world/sanitizer.h"
#include "world/test.h"

#define COMMITS         40
#define FAILURES_MAX    5
#define SAMPLE_IN       TEST_SAMPLE(25, 50, 50) /* boundaries, in the ordinary test */
#define SAMPLE_LENGTH   24                      /* commits */
#define REWRITES_LENGTH 120                     /* commits */
#define ANY_PLANS       TEST_SAMPLE(24, 5, 5)
#define ANY_IN          2000 /* boundaries */
#define ANY_LENGTH      120  /* commits */

static bool run_job(crash_job *j)
{
    char report[2048];
    if (model_in_child(crash_cut_plan, j, false, report, sizeof report))
        return true;
    (void)printf("plan: %s\nrerun: SEED=%" PRIu64
                 " LOAD=%s COMMITS=%zu PLANS=1 %scrash_test_cuts --campaign\n",
                 report, j->seed, j->load->name, j->commits, j->garbage ? "GARBAGE=1 " : "");
    (void)fflush(stdout);
    return false;
}

TEST(every_kind_of_work_comes_back_from_its_cuts)
{
    crash_tally *t = crash_tally_new(100000);
    for (size_t i = 0; crash_load_at(i) != NULL; i++) {
        crash_job j = {.load = crash_load_at(i),
                       .seed = test_seed(1),
                       .commits = SAMPLE_LENGTH,
                       .one_in = SAMPLE_IN,
                       .tally = t};
        assert_true(run_job(&j));
    }
    print_message("%" PRIu64 " distinct images, %" PRIu64 " rewrites of the manifest\n", t->images,
                  t->rewrites);
    assert_true(t->images > 500 && t->at_depth[2] > 20 && t->at_depth[3] > 5);
    crash_tally_free(t);
}

/* The cuts are those while it is being rewritten, and next to no others. */
TEST(a_manifest_that_is_rewritten_again_and_again_comes_back)
{
    crash_tally *t = crash_tally_new(100000);
    crash_job j = {.load = crash_load_of("manifest"),
                   .seed = test_seed(1),
                   .commits = REWRITES_LENGTH,
                   .one_in = 1000,
                   .tally = t};
    assert_true(run_job(&j));
    print_message("%" PRIu64 " distinct images, %" PRIu64 " rewrites\n", t->images, t->rewrites);
    assert_true(t->rewrites >= 8 && t->images > 40 * t->rewrites);
    crash_tally_free(t);
}

/* Options by chance, and many commits before and after. */
static void cut_any(uint64_t seed, size_t plans)
{
    crash_tally *t = crash_tally_new(100000);
    for (size_t i = 0; i < plans; i++) {
        crash_job j = {.load = crash_load_of("any"),
                       .seed = seed + i,
                       .commits = ANY_LENGTH,
                       .one_in = ANY_IN,
                       .go_on = 10,
                       .tally = t};
        assert_true(run_job(&j));
    }
    print_message("seed %" PRIu64 ": %" PRIu64 " distinct images\n", seed, t->images);
    assert_true(plans == 1 || (t->images > 100 && t->at_depth[2] > 20));
    crash_tally_free(t);
}

TEST_LINE(TEST, a_store_comes_back_from_any_cut_as_a_prefix_of_its_commits,
          cut_any(1, test_number("N", ANY_PLANS)))
TEST_LINE(TEST, a_fresh_plan_survives_its_cuts, cut_any(test_seed(test_fresh_seed()), 1))

/* --- the test of the test --- */

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

/* --- campaign --- */

static void print_line(const crash_tally *t, unsigned failed, size_t loads)
{
    (void)printf("%" PRIu64 " trials, %u violations; distinct images of %zu workloads, %" PRIu64
                 " plans, %" PRIu64 " commits, %" PRIu64 " boundaries, %" PRIu64
                 " rewrites of the manifest; opened after one cut %" PRIu64 ", two %" PRIu64
                 ", three %" PRIu64 "; recovered twice %" PRIu64 ", read-only first %" PRIu64
                 ", killed %" PRIu64 ", copies %" PRIu64 "\n",
                 t->images, failed, loads, t->plans, t->commits, t->boundaries, t->rewrites,
                 t->at_depth[1], t->at_depth[2], t->at_depth[3], t->twice, t->read_only, t->killed,
                 t->copies);
    (void)fflush(stdout);
}

TEST_CAMPAIGN
{
    uint64_t seed = test_seed(test_fresh_seed()), wanted = test_number("N", 20000);
    uint64_t plans = test_number("PLANS", UINT64_MAX);
    const char *only = getenv("LOAD");
    uint64_t end_ns = test_end_ns(3600);
    unsigned failed = 0;
    size_t loads = 0, done = 0;
    crash_tally *t = crash_tally_new(wanted);
    while (crash_load_at(loads) != NULL)
        loads++;
    for (; done < plans && t->images < wanted && test_now_ns() < end_ns && failed < FAILURES_MAX;
         done++) {
        crash_job j = {.load = crash_load_at(done % loads),
                       .seed = seed + done / loads,
                       .commits = test_number("COMMITS", COMMITS),
                       .one_in = 1,
                       .garbage = test_number("GARBAGE", 0) != 0,
                       .tally = t};
        if (only != NULL && *only != '\0') {
            j.load = crash_load_of(only);
            j.seed = seed + done;
        }
        if (j.load == NULL)
            return 2;
        failed += !run_job(&j);
        if (done % loads == loads - 1)
            print_line(t, failed, loads);
    }
    if (only != NULL && *only != '\0')
        loads = 1;
    print_line(t, failed, done < loads ? done : loads);
    if (t->broken != 0)
        (void)printf("%" PRIu64 " of %" PRIu64 " images with garbage did not come back whole\n",
                     t->broken, t->at_depth[1]);
    crash_tally_free(t);
    return failed != 0;
}
