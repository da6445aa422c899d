/* SPDX-License-Identifier: MIT */
/*
 * test_random_faults.c - calls by chance in a store of options by chance, of which another one
 * fails each time: once or from then on, with one error or another, or an allocation.
 * ctest: timeout=300
 *
 *     SEED=1 N=20000 faults_test_random_faults --campaign
 */
#include "faults/faults_strike.h"
#include "world/sanitizer.h"
#include "world/test.h"

#define SAMPLE_RUNS TEST_SAMPLE(400, 120, 60)
#define STEPS       60
#define PLANS       16 /* calls and options that differ; faults differ by far more */

/* --- what is done --- */

static unsigned below(faults_world *w, uint64_t n)
{
    return (unsigned)rng_below(&w->random, n);
}

static uint32_t some_size(faults_world *w)
{
    return 20 + (below(w, 33) == 0 ? 9000 : below(w, below(w, 6) != 0 ? 120 : 1500));
}

static void write_something(faults_world *w)
{
    unsigned key = below(w, below(w, 3) == 0 ? 5 : FAULTS_KEYS);
    bool sync = below(w, 5) == 0;
    if (below(w, 2) == 0)
        faults_batch(w, key, 1 + below(w, 12), some_size(w), sync);
    else if (below(w, 6) == 0)
        faults_delete(w, key, sync);
    else
        faults_put(w, key, some_size(w), sync);
}

static void keep_up(faults_world *w)
{
    unsigned dice = below(w, 100);
    if (dice < 4)
        faults_sync(w);
    else if (dice < 8)
        faults_flush(w);
    else if (dice < 18)
        faults_work(w, 2);
    else if (dice < 20)
        faults_compact(w);
    else if (dice < 22)
        faults_settle(w);
    else if (dice < 25)
        faults_close(w);
    else if (dice < 29)
        faults_snapshot(w);
}

static void do_anything(faults_world *w)
{
    for (unsigned i = 0; i < STEPS; i++) {
        faults_open(w); /* when it is closed, or did not open before */
        write_something(w);
        keep_up(w);
        if (i % 4 == 0)
            faults_read(w);
    }
}

/* --- which calls fail --- */

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

static faults_way choose_way(rng *r)
{
    const family *f = &families[rng_below(r, sizeof families / sizeof *families)];
    bool memory = f->kinds == SIM_MEMORY;
    faults_way way = {.name = f->name, .kinds = f->kinds, .gentle = memory};
    way.error = f->errors[rng_below(r, 4)];
    way.keep = (sim_keep)rng_below(r, 3);
    way.only = memory ? PEAT_NOMEM : PEAT_OK;
    way.also = way.error == EROFS || way.error == EACCES ? PEAT_READ_ONLY : PEAT_OK;
    return way;
}

/* One fault; how many calls failed is the report. */
static void run_fault(void *arg, FILE *report)
{
    uint64_t seed = *(const uint64_t *)arg;
    rng r = {seed}, plan = {seed % PLANS + 1};
    faults_workload workload = {.name = "anything", .run = do_anything};
    model_options_random_simulated(&plan, &workload.options);
    if (workload.options.field[MODEL_OPTION_compression] == PEAT_COMPRESSION_ZSTD)
        workload.options.field[MODEL_OPTION_compression] =
            PEAT_COMPRESSION_LZ4; /* in every build */
    faults_way way = choose_way(&r);
    faults_line line = {&workload, &way, rng_below(&r, 2) == 0, seed % PLANS + 1};
    faults_world *base = faults_prepare(&workload, line.seed);
    base->report = report;
    uint64_t points = faults_count_points(&line, base);
    uint64_t hits = faults_run_point(&line, base, 1 + rng_below(&r, points));
    (void)fprintf(report, "%" PRIu64, hits);
    sim_free(base->sim);
    free(base);
}

static unsigned run_many(uint64_t first, uint64_t runs, unsigned failures_max)
{
    char report[2048];
    uint64_t hits = 0, done = 0, end_ns = test_end_ns(0);
    unsigned failed = 0;
    for (; done < runs && failed < failures_max && test_now_ns() < end_ns; done++) {
        uint64_t seed = first + done;
        if (model_in_child(run_fault, &seed, false, report, sizeof report)) {
            hits += strtoull(report, NULL, 10);
            continue;
        }
        (void)fprintf(stderr,
                      "%srerun: SEED=%" PRIu64 " N=1 faults_test_random_faults --campaign\n",
                      report, seed);
        failed++;
    }
    print_message("%" PRIu64 " trials, %u violations; seeds from %" PRIu64 ", %" PRIu64
                  " failed calls\n",
                  done, failed, first, hits);
    return failed;
}

TEST_LINE(TEST, no_failing_call_loses_what_was_acknowledged,
          assert_int_equal(run_many(1, test_number("N", SAMPLE_RUNS), 1), 0))
TEST_LINE(TEST, no_failing_call_of_fresh_seeds_does_either,
          assert_int_equal(run_many(test_seed(test_fresh_seed()), 20, 1), 0))

TEST_CAMPAIGN
{
    return run_many(test_seed(test_fresh_seed()), test_number("N", 10000), 10) != 0;
}
