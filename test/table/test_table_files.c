/* SPDX-License-Identifier: MIT */
/* test_table_files.c - tables that share descriptors: how many, whose go, and what happens when the
 * system has none left. */
#include "shared_files.h"

/* ---- without a shortage ---- */

TEST_F(files_stay_open_below_the_limit)
{
    uint64_t before = opens(f);
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < TABLES; i++)
            assert_ok(read_table(f, i));
    assert_int_equal(opens(f) - before, TABLES);
    assert_int_equal(f->files.open, TABLES);
    assert_int_equal(files_held(f), TABLES);
}

TEST_F(no_more_than_the_limit_are_open)
{
    f->files.limit = 2;
    for (int n = 0; n < 5 * TABLES; n++) {
        assert_ok(read_table(f, n * 5 % TABLES));
        assert_true(files_held(f) <= 2);
    }
    assert_int_equal(files_held(f), 2);
}

TEST_F(what_was_used_again_stays_before_what_was_not)
{
    for (int i = 0; i < TABLES; i++)
        assert_ok(read_table(f, i)); /* the index and the block: used */
    f->files.limit = 3;
    assert_true(pt_table_files_relieve(&f->files)); /* 3 to 5 are left, not used since */
    assert_ok(read_table(f, 3));
    assert_ok(read_table(f, 0)); /* takes the place of 4 */
    uint64_t before = opens(f);
    assert_ok(read_table(f, 3));
    assert_ok(read_table(f, 5));
    assert_int_equal(opens(f), before);
    assert_ok(read_table(f, 4));
    assert_int_equal(opens(f), before + 1);
}

TEST_F(a_freed_table_gives_its_place_back)
{
    assert_ok(read_table(f, 0));
    assert_ok(read_table(f, 1));
    pt_table_free(f->tables[0]);
    f->tables[0] = NULL;
    assert_int_equal(f->files.open, 1);
    assert_int_equal(files_held(f), 1);
}

TEST_F(a_table_on_its_own_keeps_its_file)
{
    pt_table *alone = NULL;
    assert_ok(
        pt_table_new(f->env, f->dir, &f->sink, &f->epoch, pt_table_get_meta(f->tables[0]), &alone));
    assert_ok(pt_table_load(alone, PT_SECTION_INDEX));
    assert_false(pt_table_files_relieve(&f->files));
    assert_int_equal(files_held(f), 1);
    pt_table_free(alone);
    assert_int_equal(files_held(f), 0);
}

/* ---- the system has none left ---- */

TEST_F(a_shortage_halves_what_is_open_and_reads_go_on)
{
    leave_descriptors(f, 4);
    for (int i = 0; i < TABLES; i++)
        assert_ok(read_table(f, i));
    assert_int_equal(f->files.limit, 2);
    assert_int_equal(files_held(f), 2);
    assert_ok(read_table(f, 0));
    assert_int_equal(files_held(f), 2);
}

TEST_F(a_single_descriptor_is_enough)
{
    leave_descriptors(f, 1);
    for (int n = 0; n < 3 * TABLES; n++)
        assert_ok(read_table(f, n % TABLES));
    uint64_t bytes = 0;
    assert_ok(pt_table_check(f->tables[3], NULL, NULL, &bytes));
    assert_true(bytes > 0);
}

TEST_F(without_any_the_read_fails_and_later_ones_do_not)
{
    peat_error e;
    leave_descriptors(f, 0);
    assert_int_equal(read_table(f, 0), PEAT_IO);
    pt_sink_get(&f->sink, &e);
    assert_int_equal(e.os_errno, EMFILE);
    assert_non_null(strstr(e.message, "cannot open table t-000001"));
    leave_descriptors(f, 1);
    assert_ok(read_table(f, 0));
}

TEST_F(a_full_system_is_a_shortage_too)
{
    assert_ok(read_table(f, 0));
    unsigned fault = sim_fail(f->sim, .kinds = SIM_BIT(SIM_FILE_OPEN), .error = ENFILE);
    assert_ok(read_table(f, 1));
    assert_int_equal(sim_fault_hits(f->sim, fault), 1);
    assert_int_equal(files_held(f), 1);
}

TEST_F(another_error_closes_nothing)
{
    assert_ok(read_table(f, 0));
    sim_fail(f->sim, .kinds = SIM_BIT(SIM_FILE_OPEN), .error = EIO);
    assert_int_equal(read_table(f, 1), PEAT_IO);
    assert_int_equal(files_held(f), 1);
    assert_int_equal(f->files.limit, PT_TABLE_FILES_MAX);
}

TEST_F(reclaim_closes_half_but_keeps_the_last)
{
    assert_false(pt_table_files_relieve(&f->files));
    assert_int_equal(f->files.limit, PT_TABLE_FILES_MAX);
    for (int i = 0; i < TABLES; i++)
        assert_ok(read_table(f, i));
    static const size_t left[] = {3, 1};
    for (size_t i = 0; i < PT_COUNT_OF(left); i++) {
        assert_true(pt_table_files_relieve(&f->files));
        assert_int_equal(files_held(f), left[i]);
    }
    assert_false(pt_table_files_relieve(&f->files));
    assert_int_equal(files_held(f), 1);
    assert_ok(read_table(f, 0));
}

TEST_F(the_limit_grows_again_in_quiet_times)
{
    assert_ok(read_table(f, 0));
    assert_ok(read_table(f, 1));
    assert_true(pt_table_files_relieve(&f->files));
    assert_int_equal(f->files.limit, 1);
    for (unsigned n = 0; n < PT_TABLE_FILES_CALM - 1; n++)
        assert_ok(read_table(f, n % 2 != 0));
    assert_int_equal(f->files.limit, 1);
    assert_ok(read_table(f, 2));
    assert_int_equal(f->files.limit, 2);
    f->files.limit = PT_TABLE_FILES_MAX;
    f->files.calm = PT_TABLE_FILES_CALM;
    assert_ok(read_table(f, 3));
    assert_int_equal(f->files.limit, PT_TABLE_FILES_MAX);
}

/* ---- reads that nobody collects unless asked ---- */

typedef struct lingering {
    fixture *f;
    unsigned asked, refuse; /* so often it cannot be ended yet */
} lingering;

static bool end_lingering(void *ctx)
{
    lingering *l = ctx;
    if (l->asked++ < l->refuse)
        return false;
    if (l->asked == l->refuse + 1)
        pt_table_read_cancel(l->f->tables[0]);
    return true;
}

TEST_F(who_needs_a_file_has_reads_ended_that_would_stay_for_long)
{
    for (unsigned refuse = 0; refuse < 3; refuse++) {
        lingering l = {.f = f, .refuse = refuse};
        pt_file *file;
        f->files.hurry = (pt_table_files_hurry){end_lingering, &l};
        f->files.limit = 1;
        assert_ok(read_table(f, 0));
        assert_true(pt_table_read_begin(f->tables[0], &file));
        assert_ok(read_table(f, 1)); /* 0 has to close its file for it */
        assert_true(l.asked > refuse);
        assert_int_equal(files_held(f), 1);
    }
    f->files.hurry = (pt_table_files_hurry){NULL, NULL};
}
