/* SPDX-License-Identifier: MIT */
/*
 * test_faults.c - the same workload again and again, each time another call of the environment
 * fails: once or from then on, with one error or another, or an allocation. ctest: timeout=300
 *
 *     SEED=1 N=20000 crash_test_faults --campaign
 *
 * Whatever fails: calls say so and nothing crashes; reads are right or say that they failed; what
 * was acknowledged is there afterwards, and what failed is there or not, whole, for good.
 */
#include "crash/crash_fault.h"
#include "world/test.h"

#include <time.h>

#define SAMPLE_RUNS 400

/* --- the workload under a fault --- */

static void read_some(crash_fault_run *f, rng *random)
{
    const model_keys *keys = &f->run.plan->keys;
    peat_buf buf = PEAT_BUF_INIT;
    peat_iter *it = NULL;
    size_t rank = rng_below(random, keys->ranks);
    peat_rc rc = peat_get(f->run.db, NULL, keys->by_rank[rank], &buf);
    if (rc >= 0)
        (void)crash_source_of(f, rank, (crash_reading){rc, peat_bytes(buf.data, rc ? 0 : buf.size)},
                              CRASH_FAULT_COMMITS);
    peat_buf_free(&buf);
    if (peat_iter_open(f->run.db, NULL, &it) == PEAT_OK) {
        rc = peat_iter_seek(it, keys->by_rank[rank]);
        for (int i = 0; i < 5 && rc == PEAT_OK; i++) {
            rank = model_keys_seek(keys, peat_iter_key(it));
            (void)crash_source_of(f, rank, (crash_reading){PEAT_OK, peat_iter_value(it)},
                                  CRASH_FAULT_COMMITS);
            rc = peat_iter_next(it);
        }
    }
    peat_iter_close(it);
}

static void try_commit(crash_fault_run *f)
{
    crash_run *r = &f->run;
    uint64_t i = atomic_load(r->begun) + 1;
    atomic_store(r->begun, i);
    peat_rc rc = crash_apply(r, i);
    f->acked[i] = rc == PEAT_OK;
    if (rc > 0)
        crash_fail(r, "a write returned %s", peat_rc_name(rc));
    if (rc == PEAT_OK && r->plan->commits[i].sync && !r->open.options.no_log)
        f->durable = i;
}

static void try_open(crash_fault_run *f)
{
    crash_run *r = &f->run;
    peat_error error;
    model_open_make(&r->plan->options, sim_peat(r->sim), &r->open);
    peat_rc rc = peat_open(r->dir, &r->open.options, &r->db, &error);
    f->reopened_badly = rc != PEAT_OK;
    if (rc > 0 || (rc < 0 && error.message[0] == '\0'))
        crash_fail(r, "peat_open: %s, \"%s\"", peat_rc_name(rc), error.message);
}

static void try_step(crash_fault_run *f, crash_step_kind step)
{
    crash_run *r = &f->run;
    uint64_t begun = atomic_load(r->begun);
    peat_rc rc = PEAT_NOMEM;
    if (step == CRASH_COMMIT) {
        try_commit(f);
    } else if (step == CRASH_SYNC) {
        rc = peat_sync(r->db);
    } else if (step == CRASH_FLUSH) {
        rc = peat_flush(r->db);
    } else if (step == CRASH_WORK) {
        (void)!peat_work(r->db, 2, NULL); /* an error is fine, a wrong answer later is not */
    } else if (step == CRASH_COMPACT) {
        (void)!peat_compact(r->db, peat_unbounded(), peat_unbounded(), NULL);
    } else if (step == CRASH_SETTLE) {
        (void)!peat_settle(r->db, 0);
    } else if (step == CRASH_REOPEN) {
        rc = peat_close(r->db);
        r->db = NULL;
        try_open(f);
    }
    if (rc == PEAT_OK)
        f->durable = begun;
}

/* A sync that failed may have dropped what the system held in memory: what was not durable then is
 * there or not from the next open on. */
static void note_failed_syncs(crash_fault_run *f)
{
    uint64_t hits = sim_fault_hits(f->run.sim, f->fault);
    bool sync = (f->job->fault.kinds & SIM_BIT(SIM_FILE_SYNC)) != 0;
    for (uint64_t i = f->durable + 1; sync && hits != f->hits && i <= atomic_load(f->run.begun);
         i++)
        f->acked[i] = false;
    f->hits = hits;
}

static void follow(crash_fault_run *f)
{
    rng random = {f->job->seed + 5};
    try_open(f);
    for (size_t i = 0; i < f->run.plan->step_count && !f->reopened_badly; i++) {
        try_step(f, f->run.plan->steps[i]);
        note_failed_syncs(f);
        if (!f->reopened_badly && i % 4 == 0)
            read_some(f, &random);
    }
}

/* --- afterwards --- */

/* A store that had no room or no memory works on when there is some again. */
static void expect_usable(crash_fault_run *f)
{
    crash_run *r = &f->run;
    peat_rc rc = peat_put(r->db, NULL, peat_str("after the fault"), peat_str("v"));
    bool gentle = f->job->fault.kinds == SIM_MEMORY;
    if (rc != PEAT_OK && gentle)
        crash_fail(r, "a put when memory was there again: %s", peat_rc_name(rc));
    if (rc == PEAT_OK)
        rc = peat_delete(r->db, NULL, peat_str("after the fault"));
    if (rc != PEAT_OK && gentle)
        crash_fail(r, "a delete when memory was there again: %s", peat_rc_name(rc));
}

/* Opens what is on this disk, twice, and compares. */
static void expect_recovered(const crash_fault_run *f, sim_env *sim, uint64_t sure, const char *how)
{
    crash_fault_run after = *f;
    size_t ranks = f->run.plan->keys.ranks;
    uint64_t *source = calloc(ranks, sizeof *source), *again = calloc(ranks, sizeof *again);
    after.run.sim = sim;
    (void)snprintf(after.run.story, sizeof after.run.story, "%.400s, then %s", f->run.story, how);
    crash_open(&after.run, false);
    crash_expect_allowed(&after, sure, source);
    crash_check(&after.run);
    crash_close(&after.run);
    crash_open(&after.run, false);
    crash_expect_allowed(&after, sure, again);
    for (size_t rank = 0; rank < ranks; rank++)
        if (source[rank] != again[rank])
            crash_fail(&after.run, "rank %zu came from commit %" PRIu64 " and then from %" PRIu64,
                       rank, source[rank], again[rank]);
    if (peat_put(after.run.db, NULL, peat_str("after"), peat_str("v")) != PEAT_OK)
        crash_fail(&after.run, "the store takes no writes after it was opened again");
    crash_close(&after.run);
    if (!sim_is_clean(sim))
        crash_fail(&after.run, "something was left open or allocated");
    free(source);
    free(again);
}

static void run_fault(void *arg, FILE *report)
{
    const crash_fault_job *j = arg;
    crash_plan plan;
    crash_fault_run f = {.job = j};
    crash_plan_init(&plan, j->seed, CRASH_FAULT_COMMITS);
    sim_env *sim = sim_new(j->seed);
    crash_run_init(&f.run, &plan, sim, report);
    (void)snprintf(f.run.story, sizeof f.run.story, "call %" PRIu64 " of %s fails with errno %d%s",
                   j->fault.at, j->name, j->fault.error,
                   j->fault.sticky ? " and all later ones" : "");
    f.fault = sim_fault_add(sim, j->fault);
    follow(&f);
    uint64_t hits = sim_fault_hits(sim, f.fault);
    uint64_t killed_spares =
        plan.options.field[MODEL_OPTION_no_log] ? f.durable : CRASH_FAULT_COMMITS;
    sim_env *killed = sim_clone_killed(sim);
    sim_env *cut =
        sim_clone_cut(sim, &(sim_cut){.mode = SIM_CUT_RANDOM, .seed = j->seed + j->fault.at});
    expect_recovered(&f, killed, killed_spares, "killed");
    expect_recovered(&f, cut, f.durable, "cut");
    if (plan.options.field[MODEL_OPTION_threads] < 0) { /* faults change while no thread runs */
        sim_faults_clear(sim);
        if (!f.reopened_badly)
            expect_usable(&f);
    }
    (void)!peat_close(f.run.db); /* fails when a sync had failed */
    f.run.db = NULL;
    if (plan.options.field[MODEL_OPTION_threads] >= 0)
        note_failed_syncs(&f); /* also of the close */
    sim_faults_clear(sim);
    expect_recovered(&f, sim, killed_spares, "closed");
    (void)fprintf(report, "%" PRIu64, hits);
    sim_free(killed);
    sim_free(cut);
    sim_free(sim);
    crash_plan_done(&plan);
}

/* --- which calls --- */

typedef struct family {
    const char *name;
    uint32_t kinds;
    int errors[4];
} family;

static const family families[] = {
    {"any disk call", SIM_DISK, {EIO, EIO, EINTR, EACCES}},
    {"any change", SIM_CHANGES, {EIO, ENOSPC, EDQUOT, EROFS}},
    {"write", SIM_BIT(SIM_FILE_WRITE), {EIO, ENOSPC, EDQUOT, EIO}},
    {"sync", SIM_BIT(SIM_FILE_SYNC) | SIM_BIT(SIM_DIR_SYNC), {EIO, EIO, ENOSPC, EDQUOT}},
    {"read", SIM_BIT(SIM_FILE_READ), {EIO, EIO, EIO, EIO}},
    {"open", SIM_BIT(SIM_FILE_OPEN) | SIM_BIT(SIM_FILE_CREATE), {EMFILE, EACCES, ENFILE, EIO}},
    {"memory", SIM_MEMORY, {ENOMEM, ENOMEM, ENOMEM, ENOMEM}},
};
#define FAMILIES (sizeof families / sizeof *families)

/* How many such calls the workload makes when nothing fails; told by the child's report. */
static void count_calls(void *arg, FILE *report)
{
    crash_fault_job *j = arg;
    crash_plan plan;
    crash_fault_run f = {.job = j};
    crash_plan_init(&plan, j->seed, CRASH_FAULT_COMMITS);
    sim_env *sim = sim_new(j->seed);
    crash_run_init(&f.run, &plan, sim, report);
    f.fault = sim_fail(sim, .kinds = SIM_ANY, .at = UINT64_MAX, .error = EIO);
    follow(&f);
    if (f.reopened_badly)
        crash_fail(&f.run, "without a fault the store does not open");
    (void)fprintf(report, "%" PRIu64, sim_count(sim, j->fault.kinds));
    (void)!peat_close(f.run.db);
    sim_free(sim);
    crash_plan_done(&plan);
}

/* One random fault in one random workload. Returns the calls that were failed, or -1. */
static int64_t run_one(uint64_t seed)
{
    char report[2048];
    rng random = {seed};
    const family *chosen = &families[rng_below(&random, FAMILIES)];
    crash_fault_job j = {.seed = seed % 16 + 1, .name = chosen->name};
    j.fault.kinds = chosen->kinds;
    if (!model_in_child(count_calls, &j, false, report, sizeof report)) {
        (void)fprintf(stderr, "fault %" PRIu64 ": %s", seed, report);
        return -1;
    }
    j.fault.at = 1 + rng_below(&random, strtoull(report, NULL, 10));
    j.fault.error = chosen->errors[rng_below(&random, 4)];
    j.fault.sticky = rng_below(&random, 2) == 0;
    j.fault.keep = (sim_keep)rng_below(&random, 3);
    if (!model_in_child(run_fault, &j, false, report, sizeof report)) {
        (void)fprintf(stderr, "fault %" PRIu64 ": %s", seed, report);
        (void)fprintf(stderr, "rerun: SEED=%" PRIu64 " N=1 crash_test_faults --campaign\n", seed);
        return -1;
    }
    return (int64_t)strtoull(report, NULL, 10);
}

static unsigned run_many(uint64_t first, uint64_t runs, unsigned failures_max)
{
    uint64_t hits = 0, done = 0, bound = test_number("BOUND", 0);
    time_t end = bound != 0 ? time(NULL) + (time_t)bound : 0;
    unsigned failed = 0;
    for (; done < runs && failed < failures_max && (end == 0 || time(NULL) < end); done++) {
        int64_t calls = run_one(first + done);
        failed += calls < 0;
        hits += calls > 0 ? (uint64_t)calls : 0;
    }
    print_message("%" PRIu64 " trials, %u violations; seeds from %" PRIu64 ", %" PRIu64
                  " failed calls\n",
                  done, failed, first, hits);
    return failed;
}

TEST(no_failing_call_loses_what_was_acknowledged)
{
    assert_int_equal(run_many(1, test_number("N", SAMPLE_RUNS), 1), 0);
}

TEST(no_failing_call_of_fresh_seeds_does_either)
{
    assert_int_equal(run_many(test_seed(test_fresh_seed()), 20, 1), 0);
}

int main(int argc, char **argv)
{
    if (test_is_campaign(argc, argv))
        return run_many(test_seed(test_fresh_seed()), test_number("N", 10000), 10) != 0;
    return test_run_all();
}
