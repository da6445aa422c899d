/* SPDX-License-Identifier: MIT */
/*
 * test_damage.c - every bit, every length, every two pieces exchanged, every file missing, extra or
 * older: a damaged store answers rightly or says where it is damaged, and nothing else.
 *
 * As a test it takes a sample of every kind. With --campaign it goes through all of them, or N
 * random ones, for BOUND seconds: test/proof/damage.sh. With --save END COMPRESSION DIR it writes a
 * world's files.
 * ctest: timeout=300
 */
#include "damage_trial.h"
#include "world/sanitizer.h"
#include "world/test.h"

typedef struct tally {
    uint64_t trials, bad;
    uint64_t by_verdict[DAMAGE_SHORTER + 1];
    uint64_t newest_lost;  /* as a whole, without a trace */
    uint64_t window_bytes; /* flips of one bit that shortened the log */
    uint64_t checks, merges;
} tally;

static void tell(const damage_world *w, const trial *t, const damage_result *r, const char *why)
{
    char text[200];
    trial_print(w, t, text, sizeof text);
    (void)fprintf(stderr, "%s: %s; %s\n", text, why, r->error.message);
}

/* Read-only, in the world's own disk: quick. */
static void try_reading(const damage_world *w, const trial *t, bool check, tally *io)
{
    damage_result r;
    if (!trial_apply(w, w->sim, t))
        return;
    damage_judge(w, w->sim, trial_promised(w, t), true, check, &r);
    trial_undo(w->sim, t);
    const char *why = trial_judge(w, t, &r);
    io->trials++;
    io->checks += check;
    io->newest_lost += r.verdict == DAMAGE_SHORTER && trial_loses_newest(w, t);
    io->by_verdict[r.verdict]++;
    io->window_bytes += t->kind == TRIAL_FLIP && t->bit == 0 && r.verdict == DAMAGE_SHORTER;
    if (why != NULL) {
        io->bad++;
        tell(w, t, &r, why);
    }
}

/* Opens it for writing, writes, and has everything merged that can be. */
static const char *write_and_merge(const damage_world *w, sim_env *sim, peat_error *ret_error)
{
    model_open open;
    peat_db *db = NULL;
    damage_options(w, sim, &open);
    peat_rc rc = peat_open(DAMAGE_DIR, &open.options, &db, ret_error);
    if (rc == PEAT_OK)
        rc = peat_put(db, NULL, peat_str("new"), peat_str("one"));
    if (rc == PEAT_OK)
        rc = peat_compact(db, peat_unbounded(), peat_unbounded(), NULL);
    if (rc == PEAT_OK)
        rc = peat_exists(db, NULL, peat_str("new"));
    peat_rc closed = peat_close(db);
    return rc != PEAT_OK ? peat_rc_name(rc) : closed != PEAT_OK ? "close failed" : NULL;
}

/* A merge that meets the damage leaves its inputs as they are: mended, they give all answers. */
static const char *judge_merged(const damage_world *w, sim_env *sim, const trial *t,
                                damage_result *ret_after)
{
    const char *why = write_and_merge(w, sim, &ret_after->error);
    if (why != NULL)
        return why;
    damage_judge(w, sim, w->promised, true, false, ret_after);
    if (ret_after->verdict == DAMAGE_WRONG)
        return ret_after->why;
    if (ret_after->verdict == DAMAGE_REFUSED)
        return "it does not open any more";
    if (t->file->name[0] != 't' || !trial_is_there(sim, t))
        return NULL;
    trial_undo(sim, t);
    damage_judge(w, sim, w->promised, true, false, ret_after);
    return ret_after->verdict == DAMAGE_SAME ? NULL : "mended, it does not give all answers";
}

/* For writing, in a copy. */
static void try_writing(const damage_world *w, const trial *t, tally *io)
{
    damage_result r, after;
    sim_env *sim = damage_world_copy(w, DAMAGE_DIR);
    (void)trial_apply(w, sim, t); /* a flip: it changes something */
    damage_judge(w, sim, w->promised, false, true, &r);
    const char *why = trial_judge(w, t, &r);
    after = r;
    if (why == NULL && r.verdict != DAMAGE_REFUSED) {
        why = judge_merged(w, sim, t, &after);
        io->merges++;
    }
    io->trials++;
    io->by_verdict[r.verdict]++;
    if (why != NULL) {
        io->bad++;
        tell(w, t, &after, why);
    }
    sim_free(sim);
}

/* ---- samples ---- */

/* `most` trials of a kind, or all of them. */
static void sample(const damage_world *w, trial_kind k, uint64_t most, rng *io_random, tally *io)
{
    uint64_t all = trial_count(w, k);
    bool every = all <= most;
    for (uint64_t i = 0; i < (every ? all : most); i++) {
        trial t = trial_at(w, k, every ? i : rng_below(io_random, all));
        try_reading(w, &t, k != TRIAL_FLIP || i % 4 == 0, io);
    }
}

static void print_tally(const tally *t)
{
    print_message("%" PRIu64 " trials: %" PRIu64 " refused, %" PRIu64 " told to readers, %" PRIu64
                  " without effect, %" PRIu64 " a shorter log without promise (%" PRIu64
                  " bytes); %" PRIu64 " checks, %" PRIu64 " merges\n",
                  t->trials, t->by_verdict[DAMAGE_REFUSED], t->by_verdict[DAMAGE_NOTICED],
                  t->by_verdict[DAMAGE_SAME], t->by_verdict[DAMAGE_SHORTER], t->window_bytes,
                  t->checks, t->merges);
}

static void each_world(trial_kind k, uint64_t most)
{
    tally sum = {0};
    rng random = {sim_seed(k + 1)};
    for (int end = 0; end < DAMAGE_ENDS; end++) {
        damage_world w;
        damage_world_make(&w, (damage_end)end, (peat_compression)(1 + end % 3), 1);
        sample(&w, k, most, &random, &sum);
        damage_world_done(&w);
    }
    print_tally(&sum);
    assert_true(sum.trials > 0);
    assert_int_equal(sum.bad, 0);
}

TEST(an_undamaged_world_gives_all_answers)
{
    for (int end = 0; end < DAMAGE_ENDS; end++) {
        for (int c = PEAT_COMPRESSION_NONE; c <= PEAT_COMPRESSION_ZSTD; c++) {
            damage_world w;
            damage_result r;
            damage_world_make(&w, (damage_end)end, (peat_compression)c, 3);
            damage_judge(&w, w.sim, w.promised, true, true, &r);
            if (r.verdict != DAMAGE_SAME)
                fail_msg("%s: %s %s", damage_end_name(w.end), r.why, r.error.message);
            assert_int_equal(r.damages, 0);
            damage_world_done(&w);
        }
    }
}

TEST_LINE(TEST, flipped_bits_are_told_or_harmless,
          each_world(TRIAL_FLIP, TEST_SAMPLE(4000, 1500, 1500)))
TEST_LINE(TEST, cut_files_are_told_or_harmless, each_world(TRIAL_CUT, TEST_SAMPLE(1500, 600, 600)))
TEST_LINE(TEST, exchanged_pieces_are_told_or_harmless,
          each_world(TRIAL_EXCHANGE, TEST_SAMPLE(1500, 600, 600)))
TEST_LINE(TEST, missing_files_are_told_or_harmless, each_world(TRIAL_GONE, 1000))
TEST_LINE(TEST, older_files_are_told_or_harmless, each_world(TRIAL_OLDER, 1000))

TEST(files_under_other_names_are_told_or_harmless)
{
    each_world(TRIAL_OTHER, 1000);
    each_world(TRIAL_EXTRA, 1000);
}

TEST(a_merge_that_meets_damage_keeps_its_inputs)
{
    tally sum = {0};
    rng random = {sim_seed(99)};
    for (int end = 0; end < DAMAGE_ENDS; end++) {
        damage_world w;
        damage_world_make(&w, (damage_end)end, (peat_compression)(1 + end % 3), 1);
        for (int i = 0; i < TEST_SAMPLE(400, 200, 200); i++) {
            trial t = trial_at(&w, TRIAL_FLIP, rng_below(&random, trial_count(&w, TRIAL_FLIP)));
            if (t.file->name[0] == 't' || i % 4 == 0)
                try_writing(&w, &t, &sum);
        }
        damage_world_done(&w);
    }
    print_tally(&sum);
    assert_true(sum.merges > 50);
    assert_int_equal(sum.bad, 0);
}

/* ---- campaign ---- */

/* Everything there is to try in one world, in random order when N limits it. */
static void exhaust(damage_world *w, uint64_t most, uint64_t end_ns, tally *io)
{
    rng random = {w->seed * 31 + 1};
    for (int k = TRIAL_KINDS; k-- > 0;) {
        uint64_t all = trial_count(w, (trial_kind)k);
        bool every = all <= most;
        for (uint64_t i = 0; i < (every ? all : most) && io->bad < 20; i++) {
            if (test_now_ns() >= end_ns)
                return;
            trial t = trial_at(w, (trial_kind)k, every ? i : rng_below(&random, all));
            try_reading(w, &t, k != TRIAL_FLIP || i % 8 == i / 8 % 8, io);
            if (k == TRIAL_FLIP && i % 64 == 5)
                try_writing(w, &t, io);
        }
    }
}

TEST_CAMPAIGN
{
    tally sum = {0};
    uint64_t seed = test_number("SEED", 1), n = test_number("N", 0);
    uint64_t end_ns = test_end_ns(0);
    uint64_t worlds = DAMAGE_ENDS * 3;
    for (uint64_t i = 0; i < worlds && sum.bad < 20 && test_now_ns() < end_ns; i++) {
        damage_world w;
        damage_world_make(&w, (damage_end)(i % DAMAGE_ENDS),
                          (peat_compression)(1 + i / DAMAGE_ENDS), seed);
        exhaust(&w, n != 0 ? n / worlds / 3 + 1 : UINT64_MAX, end_ns, &sum);
        print_tally(&sum);
        damage_world_done(&w);
    }
    printf("%" PRIu64 " trials, %" PRIu64 " violations; %" PRIu64 " refused, %" PRIu64
           " told, %" PRIu64 " harmless, %" PRIu64 " shorter without promise, %" PRIu64 " merges\n",
           sum.trials, sum.bad, sum.by_verdict[DAMAGE_REFUSED], sum.by_verdict[DAMAGE_NOTICED],
           sum.by_verdict[DAMAGE_SAME], sum.by_verdict[DAMAGE_SHORTER], sum.merges);
    if (sum.bad != 0)
        printf("rerun: SEED=%" PRIu64 " damage_test_damage --campaign\n", seed);
    return sum.bad != 0;
}

/* A world's files into a directory that is not there yet: for test/golden/make_golden.py. */
static int save(const char *end_name, const char *compression, const char *path)
{
    damage_world w;
    damage_end end = DAMAGE_CLOSED;
    while (end < DAMAGE_ENDS && strcmp(damage_end_name(end), end_name) != 0)
        end++;
    if (end == DAMAGE_ENDS)
        return 2;
    damage_world_make(&w, end, (peat_compression)atoi(compression), 1);
    int e = sim_save(w.sim, DAMAGE_DIR, path);
    damage_world_done(&w);
    return e != 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "--save") == 0)
        return save(argv[2], argv[3], argv[4]);
    return test_main(argc, argv);
}
