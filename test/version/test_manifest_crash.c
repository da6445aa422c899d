/* SPDX-License-Identifier: MIT */
/*
 * test_manifest_crash.c - the superblock and the manifest: power cuts at every boundary, every call
 * failing, full disks.
 * ctest: timeout=300
 */
#include "manifest_kit.h"

/* --- power cuts --- */

typedef struct life {
    uint64_t acknowledged; /* edits */
    bool created;
    uint64_t lives;
    int depth;
} life;

static void cut_here(void *arg, sim_env *sim, const sim_boundary *b);

/* Opens or creates, appends, rewrites. */
static void live(life *l, sim_env *sim, const life *before)
{
    store s;
    store_init(&s, sim);
    if (before == NULL || !before->created)
        sim_hook_set(sim, cut_here, l);
    peat_rc rc = store_open(&s);
    if (rc == PEAT_NOT_FOUND && (before == NULL || !before->created)) {
        must(&s, store_create(&s));
    } else {
        must(&s, rc);
        if (before != NULL &&
            (s.state < before->acknowledged || s.state > before->acknowledged + 1))
            fail_msg("state %" PRIu64 ", acknowledged %" PRIu64 "; %s", s.state,
                     before->acknowledged, sim_story(sim));
    }
    l->acknowledged = s.state;
    l->created = l->created || (before != NULL && before->created);
    sim_hook_set(sim, cut_here, l);
    must(&s, store_begin(&s));
    l->created = true;
    for (int i = 0; i < 6; i++) {
        must(&s, store_append(&s));
        l->acknowledged = s.state;
        if (i == 3)
            must(&s, store_rewrite(&s));
    }
    sim_hook_set(sim, NULL, NULL);
    store_done(&s);
}

static void cut_here(void *arg, sim_env *sim, const sim_boundary *b)
{
    life *l = arg;
    static const sim_cut_mode modes[] = {SIM_CUT_RANDOM, SIM_CUT_RANDOM, SIM_CUT_LOST, SIM_CUT_KEPT,
                                         SIM_CUT_PREFIX};
    if (l->depth >= 2)
        return;
    /* in the second life one kind of cut per boundary, all kinds in turn */
    size_t first = l->depth == 0 ? 0 : b->index % PT_COUNT_OF(modes);
    size_t count = l->depth == 0 ? PT_COUNT_OF(modes) : 1;
    for (size_t i = first; i < first + count; i++) {
        sim_cut cut = {
            .mode = modes[i], .seed = b->index * 31 + i, .sector_bytes = i % 2 ? 4096 : 512};
        sim_env *after = sim_clone_cut(sim, &cut);
        life next = {.depth = l->depth + 1};
        life before = *l;
        live(&next, after, &before);
        expect_state(after, next.acknowledged);
        l->lives += 1 + next.lives;
        sim_free(after);
    }
}

TEST(acknowledged_edits_survive_power_cuts_at_every_boundary)
{
    life l = {0};
    sim_env *sim = sim_new(sim_seed(1));
    live(&l, sim, NULL);
    expect_state(sim, l.acknowledged);
    print_message("%" PRIu64 " lives\n", l.lives);
    assert_true(l.lives > 1000);
    sim_free(sim);
}

static void garbage_here(void *arg, sim_env *sim, const sim_boundary *b)
{
    for (uint64_t seed = 0; seed < 8; seed++) {
        sim_cut cut = {.mode = SIM_CUT_GARBAGE,
                       .seed = b->index * 31 + seed,
                       .sector_bytes = seed % 2 ? 4096 : 512};
        sim_env *after = sim_clone_cut(sim, &cut);
        expect_state(after, *(uint64_t *)arg);
        sim_free(after);
    }
}

/* On a disk whose sectors may hold anything after a cut, one slot at a time is at risk. */
TEST(the_superblock_survives_garbage_in_the_sector_being_written)
{
    uint64_t expected = 3;
    sim_env *sim = store_with(expected);
    store s;
    for (int i = 0; i < 4; i++) {
        store_init(&s, sim);
        must(&s, store_open(&s));
        sim_hook_set(sim, garbage_here, &expected);
        must(&s, store_begin(&s));
        must(&s, store_rewrite(&s));
        sim_hook_set(sim, NULL, NULL);
        store_done(&s);
    }
    sim_free(sim);
}

/* --- failing calls --- */

TEST(a_failed_append_stops_writes)
{
    static const char *const files[] = {"m-", "PEAT"};
    static const sim_kind kinds[] = {SIM_FILE_WRITE, SIM_FILE_SYNC};
    for (unsigned i = 0; i < 4; i++) {
        sim_env *sim = store_with(2);
        store s;
        store_start(&s, sim);
        sim_fail(sim, .kinds = SIM_BIT(kinds[i / 2]), .error = EIO, .name_prefix = files[i % 2]);
        assert_int_equal(store_append(&s), PEAT_IO);
        assert_int_equal(pt_sink_write_failure(&s.sink), PEAT_IO);
        uint64_t changes = sim_count(sim, SIM_CHANGES);
        assert_int_equal(store_append(&s), PEAT_IO);
        assert_int_equal(store_rewrite(&s), PEAT_IO);
        assert_int_equal(sim_count(sim, SIM_CHANGES), changes);
        store_gone(&s);
    }
}

static peat_rc some_work(store *s, uint64_t *io_acknowledged)
{
    peat_rc rc = store_open(s);
    if (rc == PEAT_OK)
        rc = store_begin(s);
    for (int i = 0; i < 5 && rc == PEAT_OK; i++) {
        rc = store_append(s);
        *io_acknowledged = s->state;
        if (i == 2 && rc == PEAT_OK)
            rc = store_rewrite(s);
    }
    return rc;
}

/* What failed may be there or not after reopening, but it stays as it is then. */
TEST(each_call_may_fail)
{
    static const int errors[] = {EIO, ENOSPC};
    for (size_t e = 0; e < PT_COUNT_OF(errors); e++) {
        bool hit = true;
        for (uint64_t at = 1; hit; at++) {
            sim_env *sim = store_with(2);
            store s;
            uint64_t acknowledged = 2;
            store_init(&s, sim);
            unsigned fault = sim_fail(sim, .kinds = SIM_ANY, .at = at, .error = errors[e]);
            peat_rc rc = some_work(&s, &acknowledged);
            hit = sim_fault_hits(sim, fault) > 0;
            assert_true(rc == PEAT_OK || hit);
            sim_faults_clear(sim);
            if (pt_sink_write_failure(&s.sink) != PEAT_OK)
                assert_int_equal(store_append(&s), pt_sink_write_failure(&s.sink));
            sim_env *after = sim_clone_killed(sim);
            store_done(&s);

            store_init(&s, after);
            must(&s, store_open(&s));
            assert_true(s.state == acknowledged || s.state == acknowledged + 1);
            uint64_t found = s.state;
            must(&s, store_begin(&s));
            sim_env *cut = sim_clone_cut(after, &(sim_cut){.mode = SIM_CUT_LOST});
            store_done(&s);
            expect_state(cut, found);
            sim_free(cut);
            sim_free(after);
            sim_free(sim);
        }
    }
}

TEST(a_failed_create_leaves_nothing)
{
    bool hit = true;
    for (uint64_t at = 1; hit; at++) {
        store s;
        store_init(&s, sim_new(1));
        unsigned fault = sim_fail(s.sim, .kinds = SIM_ANY, .at = at, .error = ENOSPC);
        peat_rc rc = store_create(&s);
        hit = sim_fault_hits(s.sim, fault) > 0;
        sim_faults_clear(s.sim);
        if (rc != PEAT_OK) {
            assert_null(s.m);
            assert_int_equal(names_in(s.sim), 0);
        }
        store_gone(&s);
    }
}

TEST(a_full_disk_refuses_and_resumes)
{
    sim_env *sim = store_with(0);
    store s;
    store_start(&s, sim);
    sim_limit_disk(sim, sim_disk_bytes(sim) + 1000);
    peat_rc rc = PEAT_OK;
    while (rc == PEAT_OK)
        rc = store_append(&s);
    assert_int_equal(rc, PEAT_FULL);
    assert_int_equal(store_rewrite(&s), PEAT_FULL);
    assert_ok(pt_sink_write_failure(&s.sink));
    assert_int_equal(names_in(sim), 2);
    sim_limit_disk(sim, 0);
    must(&s, store_append(&s));
    must(&s, store_rewrite(&s));
    must(&s, store_append(&s));
    uint64_t expected = s.state;
    store_done(&s);
    expect_state(sim, expected);
    sim_free(sim);
}

TEST(no_allocation_call_is_no_obstacle)
{
    store s;
    store_init(&s, sim_new(1));
    sim_fail(s.sim, .kinds = SIM_BIT(SIM_FILE_ALLOCATE), .error = EOPNOTSUPP, .sticky = true);
    must(&s, store_create(&s));
    pt_manifest_free(s.m);
    s.m = NULL;
    must(&s, store_open(&s));
    must(&s, store_begin(&s));
    for (int i = 0; i < 600; i++)
        must(&s, store_append(&s));
    sim_env *sim = s.sim;
    sim_faults_clear(sim);
    store_done(&s);
    expect_state(sim, 600);
    sim_free(sim);
}
