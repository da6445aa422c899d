/* SPDX-License-Identifier: MIT */
/*
 * test_repair.c - repair recovers every intact record and invents none, whatever was damaged.
 *
 * What comes out is the new store (certain) and the doubtful entries. Everything must have been
 * written once; what is certain must be the newest, unless writes of the log are lost and counted;
 * and what is in neither must have been in a block or record that is lost, as counted.
 * With --campaign N random trials, for BOUND seconds: test/proof/repair.sh.
 * ctest: timeout=300
 */
#include "damage_trial.h"
#include "world/sanitizer.h"
#include "world/kit.h"

#define NEW_DIR  "mended"
#define FAULT_IN TEST_SAMPLE(1, 2, 2)

typedef struct outcome {
    const damage_world *w;
    uint8_t certain[DAMAGE_KEYS], doubtful[DAMAGE_KEYS]; /* versions; 0: none */
    size_t count, count_doubtful;                        /* that the key "count" tells; 0: none */
    peat_repair_report report;
    char why[300];
} outcome;

typedef struct tally {
    uint64_t trials, bad, complete, with_doubts, manifest_lost, missing;
} tally;

__attribute__((format(printf, 2, 3))) static void wrong(outcome *o, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (o->why[0] == '\0')
        (void)vsnprintf(o->why, sizeof o->why, format, args);
    va_end(args);
}

/* An entry that was written once: which key, which version. */
static void take(outcome *o, peat_slice key, peat_slice value, bool certain)
{
    char k[40] = "", v[140] = "", text[140];
    size_t rank = 0;
    unsigned version = 0;
    memcpy(k, key.data, key.size < sizeof k ? key.size : sizeof k - 1);
    memcpy(v, value.data, value.size < sizeof v ? value.size : sizeof v - 1);
    if (strcmp(k, "count") == 0) {
        *(certain ? &o->count : &o->count_doubtful) = (size_t)strtoull(v, NULL, 10);
        return;
    }
    if (sscanf(k, "key/%zu", &rank) != 1 || rank >= DAMAGE_KEYS ||
        sscanf(v, "%*u.%u", &version) != 1 || version == 0 || version > 110 ||
        damage_key(rank, text) != key.size || memcmp(text, key.data, key.size) != 0 ||
        damage_value(rank, (uint8_t)version, text) != value.size ||
        memcmp(text, value.data, value.size) != 0)
        wrong(o, "%s = %s was never written", k, v);
    else
        (certain ? o->certain : o->doubtful)[rank] = (uint8_t)version;
}

static bool take_doubtful(void *ctx, peat_slice key, peat_slice value)
{
    take(ctx, key, value, false);
    return true;
}

static void read_mended(outcome *o, sim_env *sim)
{
    model_open open;
    peat_db *db = NULL;
    peat_iter *it = NULL;
    damage_options(o->w, sim, &open);
    peat_error e;
    peat_rc rc = peat_open(NEW_DIR, &open.options, &db, &e);
    if (rc == PEAT_OK)
        rc = peat_check(db, NULL, NULL);
    if (rc == PEAT_OK)
        rc = peat_iter_open(db, NULL, &it);
    if (rc != PEAT_OK)
        wrong(o, "the new store: %s", peat_rc_name(rc));
    while (rc == PEAT_OK && (rc = peat_iter_next(it)) == PEAT_OK)
        take(o, peat_iter_key(it), peat_iter_value(it), true);
    peat_iter_close(it);
    (void)!peat_close(db);
}

static void mend(outcome *o, sim_env *sim)
{
    model_open open;
    peat_error e;
    damage_options(o->w, sim, &open);
    peat_repair_options repair = {
        .size = sizeof repair, .open = &open.options, .doubtful_fn = take_doubtful, .ctx = o};
    o->report = (peat_repair_report){.size = sizeof o->report};
    peat_rc rc = peat_repair(DAMAGE_DIR, NEW_DIR, &repair, &o->report, &e);
    if (rc != PEAT_OK)
        wrong(o, "repair: %s, %s", peat_rc_name(rc), e.message);
    else
        read_mended(o, sim);
    if (!sim_is_clean(sim))
        wrong(o, "something was left open or allocated");
}

/* How many true entries are in neither place; what is certain and not true is wrong, unless writes
 * are lost that nobody can count. */
static uint64_t compare(outcome *o, bool stale_is_fine)
{
    const damage_world *w = o->w;
    uint64_t missing = 0;
    for (size_t key = 0; key < DAMAGE_KEYS; key++) {
        uint8_t truth = damage_version(w, key, w->commit_count);
        if (o->certain[key] != 0 && o->certain[key] != truth && !stale_is_fine)
            wrong(o, "key %zu is certain to have version %u, not %u", key, o->certain[key], truth);
        missing += truth != 0 && o->certain[key] != truth && o->doubtful[key] != truth;
    }
    missing +=
        w->commit_count != 0 && o->count != w->commit_count && o->count_doubtful != w->commit_count;
    return missing;
}

static void judge(outcome *o, const trial *t)
{
    const damage_world *w = o->w;
    const peat_repair_report *r = &o->report;
    bool newest = t->file != NULL && strcmp(t->file->name, w->newest) == 0;
    /* the last commits, of which no promise tells that they were there */
    bool open_end = newest && (w->end == DAMAGE_CUT || w->end == DAMAGE_LATEST);
    uint64_t uncounted = !open_end ? 0 : t->kind == TRIAL_FLIP ? 2 : UINT32_MAX;
    uint64_t missing = compare(o, r->lost_log_operations != 0 || open_end);
    if (missing > r->lost_table_entries + r->lost_log_operations + uncounted)
        wrong(o,
              "%" PRIu64 " true entries are missing, %" PRIu64 " and %" PRIu64
              " are said to be lost",
              missing, r->lost_table_entries, r->lost_log_operations);
    if (t->kind == TRIAL_FLIP && r->lost_log_operations > 2)
        wrong(o, "one flip lost %" PRIu64 " operations", r->lost_log_operations);
    if (t->kind == TRIAL_FLIP && r->lost_table_entries > 70)
        wrong(o, "one flip lost %" PRIu64 " entries of tables", r->lost_table_entries);
    if (r->damages == 0 && missing != 0 && !open_end)
        wrong(o, "nothing is said to be damaged");
}

static void try_repair(const damage_world *w, const trial *t, tally *io)
{
    static outcome o;
    memset(&o, 0, sizeof o);
    o.w = w;
    sim_env *sim = damage_world_copy(w, DAMAGE_DIR);
    if (!trial_apply(w, sim, t)) {
        sim_free(sim);
        return;
    }
    mend(&o, sim);
    if (o.why[0] == '\0')
        judge(&o, t);
    io->trials++;
    io->with_doubts += o.report.doubtful != 0;
    io->manifest_lost += o.report.manifest_lost;
    io->complete +=
        o.report.doubtful + o.report.lost_table_entries + o.report.lost_log_operations == 0;
    if (o.why[0] != '\0') {
        char text[200];
        trial_print(w, t, text, sizeof text);
        (void)fprintf(stderr, "%s: %s\n", text, o.why);
        io->bad++;
    }
    sim_free(sim);
}

static void print_tally(const tally *t)
{
    print_message("%" PRIu64 " repairs: %" PRIu64 " complete, %" PRIu64 " with doubts, %" PRIu64
                  " without a manifest\n",
                  t->trials, t->complete, t->with_doubts, t->manifest_lost);
}

static void each_world(trial_kind kind, uint64_t most)
{
    tally sum = {0};
    rng random = {sim_seed(kind + 11)};
    for (int end = 0; end < DAMAGE_ENDS; end++) {
        damage_world w;
        damage_world_make(&w, (damage_end)end, (peat_compression)(1 + (end + (int)kind) % 3), 1);
        uint64_t all = trial_count(&w, kind);
        for (uint64_t i = 0; i < (all < most ? all : most); i++) {
            trial t = trial_at(&w, kind, all <= most ? i : rng_below(&random, all));
            try_repair(&w, &t, &sum);
        }
        damage_world_done(&w);
    }
    print_tally(&sum);
    assert_int_equal(sum.bad, 0);
    assert_true(sum.trials > 0);
}

TEST_LINE(TEST, flipped_bits, each_world(TRIAL_FLIP, TEST_SAMPLE(500, 200, 200)))
TEST_LINE(TEST, cut_files, each_world(TRIAL_CUT, 150))
TEST_LINE(TEST, exchanged_pieces, each_world(TRIAL_EXCHANGE, 150))

TEST(missing_older_and_other_files)
{
    each_world(TRIAL_GONE, 100);
    each_world(TRIAL_OLDER, 100);
    each_world(TRIAL_OTHER, 100);
    each_world(TRIAL_EXTRA, 100);
}

/* One call of the environment fails, or all from there on: no leak, no half a store, nothing
 * changed in the damaged one. Returns false when the run did not come that far. */
static bool repair_with_fault(const damage_world *w, uint32_t kinds, uint64_t at, bool sticky,
                              int whole)
{
    static outcome o;
    memset(&o, 0, sizeof o);
    o.w = w;
    sim_env *sim = damage_world_copy(w, DAMAGE_DIR);
    (void)sim_file_flip(sim, DAMAGE_DIR, w->newest, 1000, 1);
    model_open open;
    peat_error e;
    damage_options(w, sim, &open);
    peat_repair_options repair = {.size = sizeof repair, .open = &open.options};
    unsigned fault = sim_fail(sim, .kinds = kinds, .at = at, .error = EIO, .sticky = sticky);
    peat_rc rc = peat_repair(DAMAGE_DIR, NEW_DIR, &repair, NULL, &e);
    bool reached = sim_fault_hits(sim, fault) != 0;
    sim_faults_clear(sim);
    if (!sim_is_clean(sim))
        fail_msg("fault %" PRIu64 ": something was left open or allocated", at);
    peat_db *db = NULL;
    peat_rc opened = peat_open(NEW_DIR, &open.options, &db, NULL);
    if (rc == PEAT_OK)
        assert_ok(opened);
    else if (opened == PEAT_OK) /* what opens is a new and empty store, or a whole one */
        assert_true(count_all(db) == 0 || count_all(db) == whole);
    (void)!peat_close(db);
    for (size_t i = 0; i < w->file_count; i++) {
        size_t size = 0;
        uint8_t *data = sim_file_get(sim, DAMAGE_DIR, w->files[i].name, &size);
        if (strcmp(w->files[i].name, w->newest) == 0)
            data[1000] ^= 1;
        assert_int_equal(size, w->files[i].size);
        assert_memory_equal(data, w->files[i].data, size);
        free(data);
    }
    sim_free(sim);
    return reached;
}

TEST(a_store_is_not_repaired_into_itself)
{
    static const struct {
        const char *dir, *to_dir;
        bool refused;
    } cases[] = {{"no", "no", true},     {"no/", "no", true},        {"no", "no/", true},
                 {"no", "no/in", true},  {"no//", "no/in/it", true}, {"/no", "/no/in", true},
                 {"no", "north", false}, {"no/in", "no", false},     {"no", "./no", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        peat_error e;
        peat_rc rc = peat_repair(cases[i].dir, cases[i].to_dir, NULL, NULL, &e);
        assert_int_equal(rc == PEAT_INVALID, cases[i].refused);
        assert_true(rc != PEAT_OK && e.message[0] != '\0');
    }
}

TEST(a_repair_that_fails_leaves_both_as_they_were)
{
    static const uint32_t kinds[] = {SIM_MEMORY, SIM_DISK};
    damage_world w;
    uint64_t points = 0;
    int whole = 1;                                                 /* "count" */
    damage_world_make(&w, DAMAGE_CLOSED, PEAT_COMPRESSION_LZ4, 2); /* a put is what is damaged */
    for (size_t key = 0; key < DAMAGE_KEYS; key++)
        whole += damage_version(&w, key, w.commit_count) != 0;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int sticky = 0; sticky < 2; sticky++)
            for (uint64_t at = 1; repair_with_fault(&w, kinds[k], at, sticky != 0, whole);
                 at += FAULT_IN)
                points++;
    print_message("%" PRIu64 " points of failure\n", points);
    assert_true(points * FAULT_IN > 200);
    damage_world_done(&w);
}

TEST_CAMPAIGN
{
    tally sum = {0};
    uint64_t seed = test_number("SEED", 1), n = test_number("N", UINT64_MAX);
    rng random = {seed};
    uint64_t end_ns = test_end_ns(60);
    while (sum.trials < n && sum.bad < 20 && test_now_ns() < end_ns) {
        damage_world w;
        damage_world_make(&w, (damage_end)(rng_below(&random, DAMAGE_ENDS)),
                          (peat_compression)(1 + rng_below(&random, 3)), 1 + rng_below(&random, 4));
        for (int i = 0; i < 500 && sum.bad < 20; i++) {
            trial_kind kind =
                (trial_kind)(rng_below(&random, 2) == 0 ? TRIAL_FLIP
                                                        : rng_below(&random, TRIAL_KINDS));
            trial t = trial_at(&w, kind, rng_below(&random, trial_count(&w, kind)));
            try_repair(&w, &t, &sum);
        }
        damage_world_done(&w);
    }
    printf("%" PRIu64 " trials, %" PRIu64 " violations; %" PRIu64 " repairs complete, %" PRIu64
           " with doubts, %" PRIu64 " without a manifest\n",
           sum.trials, sum.bad, sum.complete, sum.with_doubts, sum.manifest_lost);
    if (sum.bad != 0)
        printf("rerun: SEED=%" PRIu64 " damage_test_repair --campaign\n", seed);
    return sum.bad != 0;
}
