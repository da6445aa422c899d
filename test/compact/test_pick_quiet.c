/* SPDX-License-Identifier: MIT */
/*
 * test_pick_quiet.c - what is due when no debt is: partitions are split or united, and an idle
 * store is settled. Each rule on versions made of literals; those of debts are in test_pick.c.
 */
#include "pick_kit.h"

static const pick_case splits[] = {
    {.rule = "a run of twice a partition is split",
     .parts = {{.bottom = {{.n = 2, .bytes = 3200}}}},
     .expected = {SPLIT, .first = 0}},
    {.rule = "one that is a byte smaller is not",
     .parts = {{.bottom = {{.bytes = 3200}, {.bytes = 3199}}}}},
    {.rule = "a run of one table is not", .parts = {{.bottom = {{.bytes = 9000}}}}},
    {.rule = "upper runs do not make it larger",
     .parts = {{.runs = {{.bytes = 1000}}, .bottom = {{.n = 2, .bytes = 3000}}}}},
    {.rule = "upper runs that outweigh the run below count four times",
     .parts = {{.runs = {{.bytes = 1350}}, .bottom = {{.n = 2, .bytes = 500}}}},
     .expected = {SPLIT, .first = 0}},
    {.rule = "where they are a byte lighter it is not split",
     .parts = {{.runs = {{.bytes = 1349}}, .bottom = {{.n = 2, .bytes = 500}}}}},
    {.rule = "those that weigh as much as the run below do not count",
     .parts = {{.runs = {{.bytes = 2800}}, .bottom = {{.n = 2, .bytes = 1400}}}}},
    {.rule = "a partition with upper runs is split as well",
     .parts = {{.bottom = {{.bytes = 3000}}},
               {.runs = {{.bytes = 1000}}, .bottom = {{.n = 2, .bytes = 3200}}}},
     .expected = {SPLIT, .first = 1}},
    {.rule = "a claimed one is not, but the next one is",
     .parts = {{.n = 2, .bottom = {{.n = 2, .bytes = 3200}}}},
     .options = {CLAIMED(100)},
     .expected = {SPLIT, .first = 1}},
    {.rule = "what comes first is changed first, a split",
     .parts = {{.bottom = {{.n = 2, .bytes = 3200}}}, {.n = 4, .bottom = {{.bytes = 100}}}},
     .expected = {SPLIT, .first = 0}},
    {.rule = "what comes first is changed first, a union",
     .parts = {{.n = 4, .bottom = {{.bytes = 100}}}, {.bottom = {{.n = 2, .bytes = 3200}}}},
     .expected = {UNITE, .count = 4}},
};

static const pick_case unions[] = {
    {.rule = "four partitions that are one together are united",
     .parts = {{.n = 4, .bottom = {{.bytes = 800}}}},
     .expected = {UNITE, .count = 4}},
    {.rule = "three are not", .parts = {{.n = 3, .bottom = {{.bytes = 100}}}}},
    {.rule = "four that are a byte more than one are not",
     .parts = {{.n = 3, .bottom = {{.bytes = 800}}}, {.bottom = {{.bytes = 801}}}}},
    {.rule = "as many are united as fit into one",
     .parts = {{.n = 7, .bottom = {{.bytes = 600}}}},
     .expected = {UNITE, .count = 5}},
    {.rule = "empty ones are united", .parts = {{.n = 5}}, .expected = {UNITE, .count = 5}},
    {.rule = "64 are united at most",
     .parts = {{.n = 70, .bottom = {{.bytes = 1}}}},
     .expected = {UNITE, .count = 64}},
    {.rule = "behind one that is large enough four are united",
     .parts = {{.bottom = {{.bytes = 3200}}}, {.n = 4, .bottom = {{.bytes = 100}}}},
     .expected = {UNITE, .first = 1, .count = 4}},
    {.rule = "one with upper runs stays, and parts those beside it",
     .parts = {{.n = 3, .bottom = {{.bytes = 100}}},
               {.runs = {{.bytes = 10}}, .bottom = {{.bytes = 100}}},
               {.n = 3, .bottom = {{.bytes = 100}}}}},
    {.rule = "behind one with upper runs four are united",
     .parts = {{.n = 3, .bottom = {{.bytes = 100}}},
               {.runs = {{.bytes = 10}}, .bottom = {{.bytes = 100}}},
               {.n = 4, .bottom = {{.bytes = 100}}}},
     .expected = {UNITE, .first = 4, .count = 4}},
    {.rule = "a claimed one stays, and parts those beside it",
     .parts = {{.n = 7, .bottom = {{.bytes = 100}}}},
     .options = {CLAIMED(103)}},
    {.rule = "partitions that were too few are passed over together",
     .parts = {{.n = 3, .bottom = {{.bytes = 1000}}}, {.n = 4, .bottom = {{.bytes = 500}}}},
     .expected = {UNITE, .first = 3, .count = 4}},
};

/* With both debts, and upper runs to settle. */
static const pick_case shape_and_debts[] = {
    {.rule = "a debt goes before a change of shape",
     .parts = {{.bottom = {{.n = 2, .bytes = 3200}}}, {.runs = {{.n = 4, .bytes = 300}}}},
     .expected = {BOTTOM, .first = 1, .runs = {4}, .bytes = 1200, .writes = 1200}},
    {.rule = "a change of shape goes before idle work",
     .parts = {{.runs = {{.bytes = 1000}}, .bottom = {{.bytes = 1000}}},
               {.bottom = {{.n = 2, .bytes = 3200}}}},
     .options = {.idle = true},
     .expected = {SPLIT, .first = 1}},
};

static const pick_case shape_alone[] = {
    {.rule = "asked for the shape, debts do not matter",
     .parts = {{.runs = {{.n = 9, .bytes = 300, .obsolete = 300}}},
               {.bottom = {{.n = 2, .bytes = 3200}}}},
     .expected = {SPLIT, .first = 1}},
    {.rule = "asked for the shape, idle work is none",
     .parts = {{.runs = {{.n = 9, .bytes = 300, .obsolete = 300}}}},
     .options = {.idle = true, .idle_bytes_max = UINT64_MAX}},
};

/* A merge pays when it writes 8 bytes at most for each that came or goes. */
static const pick_case idle_bounds[] = {
    {.rule = "settling that writes 8 times what came in pays",
     .parts = {{.runs = {{.bytes = 200}}, .bottom = {{.bytes = 1400}}}},
     .options = {.idle = true},
     .expected = {BOTTOM, .runs = {1}, .bytes = 1600, .writes = 1600}},
    {.rule = "writing a byte more does not pay",
     .parts = {{.runs = {{.bytes = 200}}, .bottom = {{.bytes = 1401}}}},
     .options = {.idle = true}},
    {.rule = "what goes pays as well, and is not written",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 100}}, .bottom = {{.bytes = 1600}}}},
     .options = {.idle = true},
     .expected = {BOTTOM, .runs = {1}, .bytes = 1700, .writes = 1600}},
    {.rule = "what does not pay is done within idle_bytes_max, on credit",
     .parts = {{.runs = {{.bytes = 200}}, .bottom = {{.bytes = 1401}}}},
     .options = {.idle = true, .idle_bytes_max = 1601},
     .expected = {BOTTOM, .runs = {1}, .bytes = 1601, .writes = 1601, .on_credit = true}},
    {.rule = "beyond idle_bytes_max it is not",
     .parts = {{.runs = {{.bytes = 200}}, .bottom = {{.bytes = 1401}}}},
     .options = {.idle = true, .idle_bytes_max = 1600}},
    {.rule = "where all is settled upper runs that are due are not merged among themselves first",
     .parts = {{.runs = {{.n = 4, .bytes = 100}}, .bottom = {{.bytes = 2000}}}},
     .options = {.idle = true, .idle_bytes_max = UINT64_MAX},
     .expected = {BOTTOM, .runs = {4}, .bytes = 2400, .writes = 2400}},
    {.rule = "with a limit they are",
     .parts = {{.runs = {{.n = 4, .bytes = 100}}, .bottom = {{.bytes = 2000}}}},
     .options = {.idle = true, .idle_bytes_max = UINT64_MAX - 1},
     .expected = {MID, .runs = {4}, .bytes = 400, .writes = 400}},
    {.rule = "what pays needs no credit where there is some",
     .parts = {{.runs = {{.bytes = 200}}, .bottom = {{.bytes = 1400}}}},
     .options = {.idle = true, .idle_bytes_max = UINT64_MAX},
     .expected = {BOTTOM, .runs = {1}, .bytes = 1600, .writes = 1600}},
    {.rule = "one run per partition is settled",
     .parts = {{.n = 2, .bottom = {{.bytes = 1000}}}},
     .options = {.idle = true, .idle_bytes_max = UINT64_MAX}},
};

static const pick_case idle_order[] = {
    {.rule = "the partition that is settled by writing least comes first",
     .parts = {{.runs = {{.bytes = 200}}, .bottom = {{.bytes = 1100}}},
               {.runs = {{.bytes = 200}}, .bottom = {{.bytes = 1000}}},
               {.runs = {{.bytes = 150}}, .bottom = {{.bytes = 1050}}}},
     .options = {.idle = true},
     .expected = {BOTTOM, .first = 1, .runs = {1}, .bytes = 1200, .writes = 1200}},
    {.rule = "least is written, not read",
     .parts = {{.runs = {{.bytes = 200}}, .bottom = {{.bytes = 1100}}},
               {.runs = {{.bytes = 200, .obsolete = 200}}, .bottom = {{.bytes = 1200}}}},
     .options = {.idle = true},
     .expected = {BOTTOM, .first = 1, .runs = {1}, .bytes = 1400, .writes = 1200}},
    {.rule = "one that does not pay is passed over for one that does",
     .parts = {{.runs = {{.bytes = 10}}, .bottom = {{.bytes = 900}}},
               {.runs = {{.bytes = 200}}, .bottom = {{.bytes = 1400}}}},
     .options = {.idle = true},
     .expected = {BOTTOM, .first = 1, .runs = {1}, .bytes = 1600, .writes = 1600}},
    {.rule = "on credit, too, least goes first",
     .parts = {{.runs = {{.bytes = 200}}, .bottom = {{.bytes = 1400}}},
               {.runs = {{.bytes = 10}}, .bottom = {{.bytes = 900}}}},
     .options = {.idle = true, .idle_bytes_max = 910},
     .expected = {BOTTOM, .first = 1, .runs = {1}, .bytes = 910, .writes = 910, .on_credit = true}},
    {.rule = "small neighbours are settled with it",
     .parts = {{.runs = {{.bytes = 50}}, .bottom = {{.bytes = 300}}},
               {.bottom = {{.bytes = 450}}},
               {.bottom = {{.bytes = 10}}}},
     .options = {.idle = true},
     .expected = {BOTTOM, .count = 2, .runs = {1, 0}, .bytes = 800, .writes = 800}},
    {.rule = "a claimed partition is not settled",
     .parts = {{.runs = {{.bytes = 200}}, .bottom = {{.bytes = 1000}}},
               {.runs = {{.bytes = 200}}, .bottom = {{.bytes = 1400}}}},
     .options = {.idle = true, CLAIMED(100)},
     .expected = {BOTTOM, .first = 1, .runs = {1}, .bytes = 1600, .writes = 1600}},
    {.rule = "a partition outside of the range is not settled",
     .parts = {{.runs = {{.bytes = 200}}, .bottom = {{.bytes = 1000}}},
               {.runs = {{.bytes = 200}}, .bottom = {{.bytes = 1400}}},
               {.runs = {{.bytes = 200}}, .bottom = {{.bytes = 1000}}}},
     .options = {.idle = true, .lower = KEY("B"), .upper = KEY("C")},
     .expected = {BOTTOM, .first = 1, .runs = {1}, .bytes = 1600, .writes = 1600}},
    {.rule = "debts go before idle work",
     .parts = {{.runs = {{.bytes = 200}}, .bottom = {{.bytes = 700}}},
               {.runs = {{.n = 4, .bytes = 300}}, .bottom = {{.bytes = 3000}}}},
     .options = {.idle = true},
     .expected = {MID, .first = 1, .runs = {4}, .bytes = 1200, .writes = 1200}},
};

/* A table is meant to have 400 bytes. Settling them is always on credit: nothing came or
 * goes. */
static const pick_case too_many_tables[] = {
    {.rule = "eight tables where one is enough are merged",
     .parts = {{.bottom = {{.n = 7, .bytes = 30, .raw = 50}, {.bytes = 30, .raw = 49}}}},
     .options = {.idle = true, .idle_bytes_max = 240},
     .expected = {BOTTOM, .bytes = 240, .writes = 240, .on_credit = true}},
    {.rule = "not without credit",
     .parts = {{.bottom = {{.n = 8, .bytes = 30, .raw = 40}}}},
     .options = {.idle = true, .idle_bytes_max = 239}},
    {.rule = "seven tables are not too many",
     .parts = {{.bottom = {{.n = 7, .bytes = 30, .raw = 40}}}},
     .options = {.idle = true, .idle_bytes_max = UINT64_MAX}},
    {.rule = "four times as many as are needed are not, counted in raw bytes",
     .parts = {{.bottom = {{.n = 8, .bytes = 30, .raw = 50}}}},
     .options = {.idle = true, .idle_bytes_max = UINT64_MAX}},
    {.rule = "one more is",
     .parts = {{.bottom = {{.n = 9, .bytes = 30, .raw = 50}}}},
     .options = {.idle = true, .idle_bytes_max = UINT64_MAX},
     .expected = {BOTTOM, .bytes = 270, .writes = 270, .on_credit = true}},
    {.rule = "what entries_max asks for is needed",
     .parts = {{.bottom = {{.n = 8, .bytes = 30, .raw = 40, .entries = 10}}}},
     .options = {.idle = true, .idle_bytes_max = UINT64_MAX, .entries_max = 80}},
    {.rule = "while entries_max asks for no more they are merged",
     .parts = {{.bottom = {{.n = 8, .bytes = 30, .raw = 40, .entries = 10}}}},
     .options = {.idle = true, .idle_bytes_max = UINT64_MAX, .entries_max = 81},
     .expected = {BOTTOM, .bytes = 240, .writes = 240, .on_credit = true}},
};

static const pick_case idle_snapshots[] = {
    {.rule = "what a run kept for snapshots that are gone is settled where that pays",
     .parts = {{.bottom = {{.bytes = 900, .obsolete = 100, .seq_max = 10}}}},
     .options = {.idle = true, .snapshots = {10}, .snapshot_count = 1},
     .expected = {BOTTOM, .bytes = 900, .writes = 800}},
    {.rule = "where it does not pay it stays",
     .parts = {{.bottom = {{.bytes = 901, .obsolete = 100, .seq_max = 10}}}},
     .options = {.idle = true, .snapshots = {10}, .snapshot_count = 1}},
    {.rule = "what it keeps for one that is open stays whatever the credit",
     .parts = {{.bottom = {{.bytes = 900, .obsolete = 100, .seq_max = 10}}}},
     .options =
         {.idle = true, .idle_bytes_max = UINT64_MAX, .snapshots = {9}, .snapshot_count = 1}},
};

/* ---- the tests ---- */

TEST_CASES(a_partition_that_has_outgrown_twice_its_target_is_split, splits, pt_pick)
TEST_CASES(so_it_is_where_the_shape_alone_is_asked_for, splits, pt_pick_shape)
TEST_CASES(four_small_partitions_or_more_are_united, unions, pt_pick)
TEST_CASES(so_they_are_where_the_shape_alone_is_asked_for, unions, pt_pick_shape)
TEST_CASES(shape_comes_behind_debts_and_before_idle_work, shape_and_debts, pt_pick)
TEST_CASES(asked_for_the_shape_nothing_else_is_due, shape_alone, pt_pick_shape)
TEST_CASES(idle_work_is_in_proportion_or_on_credit, idle_bounds, pt_pick)
TEST_CASES(idle_work_that_writes_least_comes_first, idle_order, pt_pick)
TEST_CASES(an_idle_store_sweeps_up_crumbs, too_many_tables, pt_pick)
TEST_CASES(an_idle_store_lets_go_of_what_closed_snapshots_needed, idle_snapshots, pt_pick)
