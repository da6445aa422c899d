/* SPDX-License-Identifier: MIT */
/*
 * test_pick.c - which merge is due when reads ask too many upper runs or too much is obsolete: each
 * rule of pick.c on versions made of literals. What is due without a debt: test_pick_quiet.c.
 */
#include "pick_kit.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)

static const pick_case within_bounds[] = {
    {.rule = "an empty store", .parts = {{.n = 1}}},
    {.rule = "one run in each partition", .parts = {{.n = 3, .bottom = {{.bytes = 2000}}}}},
    {.rule = "upper runs, but fewer than runs_max",
     .parts = {{.runs = {{.n = 3, .bytes = 100}}, .bottom = {{.bytes = 2000}}}}},
    {.rule = "upper runs, and it is not idle",
     .parts = {{.runs = {{.bytes = 1000}}, .bottom = {{.bytes = 1000}}}},
     .options = {.idle_bytes_max = UINT64_MAX}},
};

static const pick_case reads[] = {
    {.rule = "runs_max upper runs over a heavier run are merged among themselves",
     .parts = {{.runs = {{.n = 4, .bytes = 100}}, .bottom = {{.bytes = 2000}}}},
     .expected = {MID, .runs = {4}, .bytes = 400, .writes = 400}},
    {.rule = "upper runs one byte lighter than the run are merged among themselves",
     .parts = {{.runs = {{.n = 3, .bytes = 500}, {.bytes = 499}}, .bottom = {{.bytes = 2000}}}},
     .expected = {MID, .runs = {4}, .bytes = 1999, .writes = 1999}},
    {.rule = "upper runs as heavy as the run are merged with it",
     .parts = {{.runs = {{.n = 4, .bytes = 500}}, .bottom = {{.bytes = 2000}}}},
     .expected = {BOTTOM, .runs = {4}, .bytes = 4000, .writes = 4000}},
    {.rule = "upper runs over nothing become a run",
     .parts = {{.runs = {{.n = 5, .bytes = 100}}}},
     .expected = {BOTTOM, .runs = {5}, .bytes = 500, .writes = 500}},
    {.rule = "the partition with the most upper runs comes first",
     .parts = {{.runs = {{.n = 4, .bytes = 100}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 5, .bytes = 100}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 6, .bytes = 100}}, .bottom = {{.bytes = 2000}}}},
     .expected = {MID, .first = 2, .runs = {6}, .bytes = 600, .writes = 600}},
    {.rule = "of partitions with equally many upper runs the first one",
     .parts = {{.n = 2, .runs = {{.n = 4, .bytes = 100}}}},
     .expected = {BOTTOM, .count = 2, .runs = {4, 4}, .bytes = 800, .writes = 800}},
};

/* Newest first. */
static const pick_case mid_slices[] = {
    {.rule = "four upper runs are taken whatever their sizes",
     .parts = {{.runs = {{.bytes = 10}, {.bytes = 1000}, {.bytes = 20}, {.bytes = 2000}},
                .bottom = {{.bytes = 6000}}}},
     .expected = {MID, .runs = {4}, .bytes = 3030, .writes = 3030}},
    {.rule = "then each that is no larger than those before it together",
     .parts = {{.runs = {{.n = 4, .bytes = 100}, {.bytes = 400}, {.bytes = 800}},
                .bottom = {{.bytes = 6000}}}},
     .expected = {MID, .runs = {6}, .bytes = 1600, .writes = 1600}},
    {.rule = "one that is larger stays, and what is older as well",
     .parts = {{.runs = {{.n = 4, .bytes = 100}, {.bytes = 400}, {.bytes = 801}, {.bytes = 10}},
                .bottom = {{.bytes = 6000}}}},
     .expected = {MID, .runs = {5}, .bytes = 800, .writes = 800}},
    {.rule = "a fifth that is larger than the four before it stays",
     .parts = {{.runs = {{.n = 4, .bytes = 100}, {.bytes = 401}}, .bottom = {{.bytes = 6000}}}},
     .expected = {MID, .runs = {4}, .bytes = 400, .writes = 400}},
    {.rule = "as many entries as a table may have are merged",
     .parts = {{.runs = {{.n = 4, .bytes = 100, .entries = 30}}, .bottom = {{.bytes = 2000}}}},
     .options = {.entries_max = 120},
     .expected = {MID, .runs = {4}, .bytes = 400, .writes = 400}},
    {.rule = "an upper run that would make them too many stays",
     .parts = {{.runs = {{.n = 4, .bytes = 100, .entries = 30}}, .bottom = {{.bytes = 2000}}}},
     .options = {.entries_max = 119},
     .expected = {MID, .runs = {3}, .bytes = 300, .writes = 300}},
    {.rule = "two upper runs are enough when no third one fits",
     .parts = {{.runs = {{.n = 4, .bytes = 100, .entries = 50}}, .bottom = {{.bytes = 2000}}}},
     .options = {.entries_max = 100},
     .expected = {MID, .runs = {2}, .bytes = 200, .writes = 200}},
    {.rule = "upper runs of which no two fit into a table are merged with the run",
     .parts = {{.runs = {{.n = 4, .bytes = 100, .entries = 51}}, .bottom = {{.bytes = 2000}}}},
     .options = {.entries_max = 100},
     .expected = {BOTTOM, .runs = {4}, .bytes = 2400, .writes = 2400}},
};

/* An entry counts as held from 64 KiB on. */
static const pick_case held_entries[] = {
    {.rule = "large entries of few upper runs are due at held_bytes_max, and merged with the run",
     .parts = {{.runs = {{.n = 2, .bytes = 128 * KIB, .entries = 2}}, .bottom = {{.bytes = MIB}}}},
     .options = {.held_bytes_max = 128 * KIB},
     .expected = {BOTTOM, .runs = {2}, .bytes = 256 * KIB + MIB, .writes = 256 * KIB + MIB}},
    {.rule = "below held_bytes_max they are not",
     .parts = {{.runs = {{.n = 2, .bytes = 128 * KIB, .entries = 2}}, .bottom = {{.bytes = MIB}}}},
     .options = {.held_bytes_max = 128 * KIB + 1}},
    {.rule = "entries below 64 KiB are not held, nor those of the run",
     .parts = {{.runs = {{.n = 2, .bytes = 128 * KIB - 1, .entries = 2}},
                .bottom = {{.bytes = MIB, .entries = 1}}}},
     .options = {.held_bytes_max = KIB}},
    {.rule = "a compressed one is held as large as it is in memory",
     .parts =
         {{.runs =
               {{.n = 2, .bytes = 64 * KIB, .entries = 2, .raw = 128 * KIB, .blocks = 64 * KIB}},
           .bottom = {{.bytes = MIB}}}},
     .options = {.held_bytes_max = 128 * KIB},
     .expected = {BOTTOM, .runs = {2}, .bytes = 128 * KIB + MIB, .writes = 128 * KIB + MIB}},
    {.rule = "and not smaller than it is on disk",
     .parts = {{.runs = {{.n = 2,
                          .bytes = 128 * KIB,
                          .entries = 2,
                          .raw = 64 * KIB,
                          .blocks = 128 * KIB,
                          .live = 128 * KIB}},
                .bottom = {{.bytes = MIB}}}},
     .options = {.held_bytes_max = 128 * KIB},
     .expected = {BOTTOM, .runs = {2}, .bytes = 256 * KIB + MIB, .writes = 256 * KIB + MIB}},
    {.rule = "an upper run without entries holds none",
     .parts = {{.runs = {{.n = 2, .bytes = 128 * KIB}}, .bottom = {{.bytes = MIB}}}},
     .options = {.held_bytes_max = KIB}},
    {.rule = "without held_bytes_max any may be held",
     .parts = {{.runs = {{.n = 2, .bytes = 128 * KIB, .entries = 1}}, .bottom = {{.bytes = MIB}}}}},
    {.rule = "where too much is held, too many light upper runs are merged with the run as well",
     .parts = {{.runs = {{.n = 4, .bytes = 64 * KIB, .entries = 1}}, .bottom = {{.bytes = MIB}}}},
     .options = {.held_bytes_max = 256 * KIB},
     .expected = {BOTTOM, .runs = {4}, .bytes = 256 * KIB + MIB, .writes = 256 * KIB + MIB}},
    {.rule = "where not too much is held they are not",
     .parts = {{.runs = {{.n = 4, .bytes = 64 * KIB, .entries = 1}}, .bottom = {{.bytes = MIB}}}},
     .options = {.held_bytes_max = 256 * KIB + 1},
     .expected = {MID, .runs = {4}, .bytes = 256 * KIB, .writes = 256 * KIB}},
    {.rule = "holding twice too much is worse than an upper run too many",
     .parts = {{.runs = {{.n = 5, .bytes = 100}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 2, .bytes = 64 * KIB, .entries = 1}}, .bottom = {{.bytes = MIB}}}},
     .options = {.held_bytes_max = 64 * KIB},
     .expected = {BOTTOM, .first = 1, .runs = {2}, .bytes = 128 * KIB + MIB,
                  .writes = 128 * KIB + MIB}},
};

static const pick_case mid_neighbours[] = {
    {.rule = "the next partition joins from three quarters of runs_max on",
     .parts = {{.runs = {{.n = 4, .bytes = 100}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 3, .bytes = 100}}, .bottom = {{.bytes = 2000}}}},
     .expected = {MID, .count = 2, .runs = {4, 3}, .bytes = 700, .writes = 700}},
    {.rule = "with fewer upper runs it does not, nor does what lies behind it",
     .parts = {{.runs = {{.n = 4, .bytes = 100}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 2, .bytes = 100}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 3, .bytes = 100}}, .bottom = {{.bytes = 2000}}}},
     .expected = {MID, .runs = {4}, .bytes = 400, .writes = 400}},
    {.rule = "the partition before does not join",
     .parts = {{.runs = {{.n = 3, .bytes = 100}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 4, .bytes = 100}}, .bottom = {{.bytes = 2000}}}},
     .expected = {MID, .first = 1, .runs = {4}, .bytes = 400, .writes = 400}},
    {.rule = "a neighbour that is claimed does not join an intermediate merge",
     .parts = {{.n = 2, .runs = {{.n = 4, .bytes = 100}}, .bottom = {{.bytes = 2000}}}},
     .options = {CLAIMED(101)},
     .expected = {MID, .runs = {4}, .bytes = 400, .writes = 400}},
    {.rule = "a neighbour outside of the range does not join an intermediate merge",
     .parts = {{.n = 2, .runs = {{.n = 4, .bytes = 100}}, .bottom = {{.bytes = 2000}}}},
     .options = {.upper = KEY("B")},
     .expected = {MID, .runs = {4}, .bytes = 400, .writes = 400}},
    {.rule = "a neighbour whose upper runs are as heavy as its run does not",
     .parts = {{.runs = {{.n = 4, .bytes = 100}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 4, .bytes = 100}}, .bottom = {{.bytes = 400}}}},
     .expected = {MID, .runs = {4}, .bytes = 400, .writes = 400}},
    {.rule = "a neighbour joins while they have no more entries than a table may have",
     .parts = {{.runs = {{.n = 4, .bytes = 100, .entries = 20}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 4, .bytes = 100, .entries = 5}}, .bottom = {{.bytes = 2000}}}},
     .options = {.entries_max = 100},
     .expected = {MID, .count = 2, .runs = {4, 4}, .bytes = 800, .writes = 800}},
    {.rule = "with one entry more it does not, nor does what lies behind it",
     .parts = {{.runs = {{.n = 4, .bytes = 100, .entries = 20}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 3, .bytes = 100, .entries = 7}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 3, .bytes = 100, .entries = 1}}, .bottom = {{.bytes = 2000}}}},
     .options = {.entries_max = 100},
     .expected = {MID, .runs = {4}, .bytes = 400, .writes = 400}},
    {.rule = "the entries of all neighbours count",
     .parts = {{.n = 2,
                .runs = {{.n = 4, .bytes = 100, .entries = 10}},
                .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 3, .bytes = 100, .entries = 7}}, .bottom = {{.bytes = 2000}}}},
     .options = {.entries_max = 100},
     .expected = {MID, .count = 2, .runs = {4, 4}, .bytes = 800, .writes = 800}},
    {.rule = "a neighbour of which two upper runs fit into a table joins with these",
     .parts = {{.runs = {{.n = 4, .bytes = 100, .entries = 5}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 4, .bytes = 100, .entries = 40}}, .bottom = {{.bytes = 2000}}}},
     .options = {.entries_max = 100},
     .expected = {MID, .count = 2, .runs = {4, 2}, .bytes = 600, .writes = 600}},
    {.rule = "a neighbour of which a single upper run fits into a table does not join",
     .parts = {{.runs = {{.n = 4, .bytes = 100, .entries = 10}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 4, .bytes = 100, .entries = 60}}, .bottom = {{.bytes = 2000}}}},
     .options = {.entries_max = 100},
     .expected = {MID, .runs = {4}, .bytes = 400, .writes = 400}},
    {.rule = "neighbours join up to the bytes of a partition",
     .parts = {{.n = 2, .runs = {{.n = 4, .bytes = 400}}, .bottom = {{.bytes = 2000}}}},
     .expected = {MID, .count = 2, .runs = {4, 4}, .bytes = 3200, .writes = 3200}},
    {.rule = "beyond the bytes of a partition they do not",
     .parts = {{.runs = {{.n = 4, .bytes = 400}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 3, .bytes = 400}, {.bytes = 401}}, .bottom = {{.bytes = 2000}}}},
     .expected = {MID, .runs = {4}, .bytes = 1600, .writes = 1600}},
    {.rule = "what is due itself may be larger than a partition",
     .parts = {{.runs = {{.n = 4, .bytes = 900}}, .bottom = {{.bytes = 4000}}}},
     .expected = {MID, .runs = {4}, .bytes = 3600, .writes = 3600}},
    {.rule = "neighbours join up to 64 MiB when partitions are larger than that",
     .parts = {{.n = 2, .runs = {{.n = 4, .bytes = 8 * MIB}}, .bottom = {{.bytes = 90 * MIB}}},
               {.runs = {{.n = 3, .bytes = 1}}, .bottom = {{.bytes = 90 * MIB}}}},
     .options = {.partition_bytes = 128 * MIB},
     .expected = {MID, .count = 2, .runs = {4, 4}, .bytes = 64 * MIB, .writes = 64 * MIB}},
    {.rule = "an intermediate merge has 64 partitions at most",
     .parts = {{.n = 70, .runs = {{.n = 4, .bytes = 2}}, .bottom = {{.bytes = 100}}}},
     .expected = {MID, .count = 64, .runs = {4, 4, 4, 4}, .bytes = 512, .writes = 512}},
};

static const pick_case bottom_neighbours[] = {
    {.rule = "neighbours join, with upper runs or without, up to a quarter of a partition",
     .parts = {{.runs = {{.n = 4, .bytes = 50}}, .bottom = {{.bytes = 200}}},
               {.bottom = {{.bytes = 200}}},
               {.runs = {{.n = 2, .bytes = 50}}, .bottom = {{.bytes = 100}}},
               {.bottom = {{.bytes = 1}}}},
     .expected = {BOTTOM, .count = 3, .runs = {4, 0, 2}, .bytes = 800, .writes = 800}},
    {.rule = "beyond a quarter of a partition they do not, nor does what lies behind",
     .parts = {{.runs = {{.n = 4, .bytes = 50}}, .bottom = {{.bytes = 200}}},
               {.bottom = {{.bytes = 401}}},
               {.bottom = {{.bytes = 10}}}},
     .expected = {BOTTOM, .runs = {4}, .bytes = 400, .writes = 400}},
    {.rule = "the small partition before does not join",
     .parts = {{.bottom = {{.bytes = 100}}},
               {.runs = {{.n = 4, .bytes = 50}}, .bottom = {{.bytes = 200}}}},
     .expected = {BOTTOM, .first = 1, .runs = {4}, .bytes = 400, .writes = 400}},
    {.rule = "a neighbour that is claimed does not join a bottom merge, nor what lies behind it",
     .parts = {{.runs = {{.n = 4, .bytes = 50}}, .bottom = {{.bytes = 200}}},
               {.n = 2, .bottom = {{.bytes = 100}}}},
     .options = {CLAIMED(101)},
     .expected = {BOTTOM, .runs = {4}, .bytes = 400, .writes = 400}},
    {.rule = "a neighbour outside of the range does not join a bottom merge",
     .parts = {{.runs = {{.n = 4, .bytes = 50}}, .bottom = {{.bytes = 200}}},
               {.n = 2, .bottom = {{.bytes = 100}}}},
     .options = {.upper = KEY("C")},
     .expected = {BOTTOM, .count = 2, .runs = {4, 0}, .bytes = 500, .writes = 500}},
    {.rule = "a bottom merge has 64 partitions at most",
     .parts = {{.runs = {{.n = 4, .bytes = 2}}, .bottom = {{.bytes = 8}}},
               {.n = 70, .bottom = {{.bytes = 10}}}},
     .expected = {BOTTOM, .count = 64, .runs = {4}, .bytes = 646, .writes = 646}},
    {.rule = "what is obsolete is read and not written, that of neighbours as well",
     .parts = {{.runs = {{.n = 4, .bytes = 50, .obsolete = 20}}, .bottom = {{.bytes = 200}}},
               {.runs = {{.bytes = 100, .obsolete = 50}}, .bottom = {{.bytes = 200}}}},
     .expected = {BOTTOM, .count = 2, .runs = {4, 1}, .bytes = 700, .writes = 570}},
};

/* A merge of the partition alone frees less than it writes, unless the rule says otherwise. */
static const pick_case space[] = {
    {.rule = "obsolete bytes within the target stay",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 500}}, .bottom = {{.bytes = 2000}}}}},
    {.rule = "obsolete bytes beyond the target are merged away",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 501}}, .bottom = {{.bytes = 2000}}}},
     .expected = {BOTTOM, .runs = {1}, .bytes = 2100, .writes = 1599}},
    {.rule = "merges are due at a part of the target where the options say so",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 301}}, .bottom = {{.bytes = 2201}}}},
     .options = {.space_due = 0.5},
     .expected = {BOTTOM, .runs = {1}, .bytes = 2301, .writes = 2000}},
    {.rule = "and not before that",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 300}}, .bottom = {{.bytes = 2200}}}},
     .options = {.space_due = 0.5}},
    {.rule = "the slack is counted once for the whole store",
     .parts = {{.n = 2, .runs = {{.bytes = 100, .obsolete = 500}}, .bottom = {{.bytes = 2000}}}},
     .expected = {BOTTOM, .runs = {1}, .bytes = 2100, .writes = 1600}},
    {.rule = "a partition may be beyond the target while the store is not",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 700}}, .bottom = {{.bytes = 2000}}},
               {.bottom = {{.bytes = 3000}}}}},
    {.rule = "a slack of 256 KiB stays in large partitions",
     .parts = {{.runs = {{.bytes = 64 * KIB, .obsolete = 512 * KIB + 1}},
                .bottom = {{.bytes = 1472 * KIB + 2}}}},
     .options = {.partition_bytes = 128 * MIB}},
    {.rule = "the slack of large partitions is no more than 256 KiB",
     .parts = {{.runs = {{.bytes = 64 * KIB, .obsolete = 512 * KIB + 1}},
                .bottom = {{.bytes = 1472 * KIB + 1}}}},
     .options = {.partition_bytes = 128 * MIB},
     .expected = {BOTTOM, .runs = {1}, .bytes = 1536 * KIB + 1, .writes = MIB}},
    {.rule = "the partition that frees most for what it writes comes first",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 400}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.bytes = 100, .obsolete = 300}}, .bottom = {{.bytes = 500}}},
               {.runs = {{.bytes = 100, .obsolete = 100}}, .bottom = {{.bytes = 500}}}},
     .expected = {BOTTOM, .first = 1, .runs = {1}, .bytes = 600, .writes = 300}},
    {.rule = "a merge that frees what it writes is due within the target as well",
     .parts = {{.n = 2, .bottom = {{.bytes = 3000}}},
               {.runs = {{.bytes = 100, .obsolete = 551}}, .bottom = {{.bytes = 901}}}},
     .expected = {BOTTOM, .first = 2, .runs = {1}, .bytes = 1001, .writes = 450}},
    {.rule = "one that frees a byte less is not",
     .parts = {{.n = 2, .bottom = {{.bytes = 3000}}},
               {.runs = {{.bytes = 100, .obsolete = 550}}, .bottom = {{.bytes = 901}}}}},
    {.rule = "no more can be obsolete than is there",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 5000}}, .bottom = {{.bytes = 2000}}},
               {.bottom = {{.bytes = 3000}}}},
     .expected = {BOTTOM, .runs = {1}, .bytes = 2100, .writes = 0}},
};

/* Of files whose other parts were merged away. */
static const pick_case left_behind[] = {
    {.rule = "bytes left behind in files are due beyond the target",
     .parts = {{.runs = {{.bytes = 100, .blocks = 726, .live = 100}}, .bottom = {{.bytes = 2000}}}},
     .expected = {BOTTOM, .runs = {1}, .bytes = 2100, .writes = 2100}},
    {.rule = "within the target they stay",
     .parts = {{.runs = {{.bytes = 100, .blocks = 725, .live = 100}},
                .bottom = {{.bytes = 2000}}}}},
    {.rule = "a partition is charged with its share of the file",
     .parts = {{.runs = {{.bytes = 100, .blocks = 1454, .live = 200}},
                .bottom = {{.bytes = 2000}}}},
     .expected = {BOTTOM, .runs = {1}, .bytes = 2100, .writes = 2100}},
    {.rule = "what several files have left is added up",
     .parts = {{.runs = {{.bytes = 50, .blocks = 376, .live = 50},
                         {.bytes = 50, .blocks = 350, .live = 50}},
                .bottom = {{.bytes = 2000}}}},
     .expected = {BOTTOM, .runs = {2}, .bytes = 2100, .writes = 2100}},
    {.rule = "where less is written for it comes first",
     .parts = {{.runs = {{.bytes = 300, .blocks = 2400, .live = 400}}, .bottom = {{.bytes = 3000}}},
               {.runs = {{.bytes = 100, .blocks = 2400, .live = 400}}, .bottom = {{.bytes = 500}}}},
     .expected = {BOTTOM, .first = 1, .runs = {1}, .bytes = 600, .writes = 600}},
    {.rule = "a file whose layers nobody has counted yet has left nothing",
     .parts = {{.runs = {{.bytes = 100, .blocks = 100000}}, .bottom = {{.bytes = 2000}}}}},
    {.rule = "a file whose layers are estimated larger than it is has left nothing",
     .parts = {{.runs = {{.bytes = 100, .blocks = 1, .live = 1000}}, .bottom = {{.bytes = 2000}}}}},
};

static const pick_case read_beside_space[] = {
    {.rule = "space goes first when its debt is as large",
     .parts = {{.runs = {{.n = 4, .bytes = 100}}, .bottom = {{.bytes = 1996}}},
               {.runs = {{.bytes = 100, .obsolete = 980}}, .bottom = {{.bytes = 2000}}}},
     .expected = {BOTTOM, .first = 1, .runs = {1}, .bytes = 2100, .writes = 1120}},
    {.rule = "reads go first when theirs is larger",
     .parts = {{.runs = {{.n = 6, .bytes = 100}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.bytes = 100, .obsolete = 1100}}, .bottom = {{.bytes = 2000}}}},
     .expected = {MID, .runs = {6}, .bytes = 600, .writes = 600}},
    {.rule = "a merge that frees what it writes waits for reads while the store is in its target",
     .parts = {{.runs = {{.n = 4, .bytes = 100}}, .bottom = {{.bytes = 3000}}},
               {.bottom = {{.bytes = 3000}}},
               {.runs = {{.bytes = 100, .obsolete = 551}}, .bottom = {{.bytes = 900}}}},
     .expected = {MID, .runs = {4}, .bytes = 400, .writes = 400}},
};

static const pick_case snapshots[] = {
    {.rule = "what the run keeps for a snapshot that is open is no debt",
     .parts = {{.bottom = {{.bytes = 2100, .obsolete = 501, .seq_max = 10}}}},
     .options = {.snapshots = {9}, .snapshot_count = 1}},
    {.rule = "what it keeps for older ones than are open is",
     .parts = {{.bottom = {{.bytes = 2100, .obsolete = 501, .seq_max = 10}}}},
     .options = {.snapshots = {10}, .snapshot_count = 1},
     .expected = {BOTTOM, .bytes = 2100, .writes = 1599}},
    {.rule = "without open snapshots all that is kept is",
     .parts = {{.bottom = {{.bytes = 2100, .obsolete = 501, .seq_max = 10}}}},
     .expected = {BOTTOM, .bytes = 2100, .writes = 1599}},
    {.rule = "of what it keeps for two the half is debt when one of them is closed",
     .parts = {{.bottom = {{.bytes = 2600, .obsolete = 1202, .seq_max = 10, .kept_for = 2}}}},
     .options = {.snapshots = {9}, .snapshot_count = 1},
     .expected = {BOTTOM, .bytes = 2600, .writes = 1999}},
    {.rule = "and none while both are open",
     .parts = {{.bottom = {{.bytes = 2600, .obsolete = 1202, .seq_max = 10, .kept_for = 2}}}},
     .options = {.snapshots = {8, 9}, .snapshot_count = 2}},
    {.rule = "a snapshot that sees all of the table is none of them",
     .parts = {{.bottom = {{.bytes = 2600, .obsolete = 1202, .seq_max = 10, .kept_for = 2}}}},
     .options = {.snapshots = {9, 10}, .snapshot_count = 2},
     .expected = {BOTTOM, .bytes = 2600, .writes = 1999}},
    {.rule = "where there are more than are known of none is counted",
     .parts = {{.bottom = {{.bytes = 2600, .obsolete = 1202, .seq_max = 10, .kept_for = 9}}}},
     .options = {.snapshots = {8, 9}, .snapshot_count = 2, .more_snapshots = true}},
    {.rule = "each table of a run is judged by itself",
     .parts = {{.bottom = {{.bytes = 1050, .obsolete = 501, .seq_max = 10},
                           {.bytes = 1050, .obsolete = 501, .seq_max = 20}}}},
     .options = {.snapshots = {15}, .snapshot_count = 1},
     .expected = {BOTTOM, .bytes = 2100, .writes = 1599}},
    {.rule = "what the tables of a run keep is added up",
     .parts = {{.bottom = {{.bytes = 1050, .obsolete = 251, .seq_max = 10},
                           {.bytes = 1050, .obsolete = 250, .seq_max = 15}}}},
     .options = {.snapshots = {15}, .snapshot_count = 1},
     .expected = {BOTTOM, .bytes = 2100, .writes = 1599}},
    {.rule = "what upper runs hide is a debt whatever is open",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 501, .seq_max = 50}},
                .bottom = {{.bytes = 2000, .obsolete = 400, .seq_max = 40}}}},
     .options = {.snapshots = {1}, .snapshot_count = 1},
     .expected = {BOTTOM, .runs = {1}, .bytes = 2100, .writes = 1599}},
    {.rule = "what upper runs hide and the run keeps is one debt",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 401, .seq_max = 50}},
                .bottom = {{.bytes = 2000, .obsolete = 100, .seq_max = 40}}}},
     .options = {.snapshots = {45}, .snapshot_count = 1},
     .expected = {BOTTOM, .runs = {1}, .bytes = 2100, .writes = 1599}},
};

static const pick_case claims[] = {
    {.rule = "upper runs of a claimed partition are not due",
     .parts = {{.runs = {{.n = 9, .bytes = 100}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 4, .bytes = 100}}, .bottom = {{.bytes = 2000}}}},
     .options = {CLAIMED(107, 100)},
     .expected = {MID, .first = 1, .runs = {4}, .bytes = 400, .writes = 400}},
    {.rule = "what a claimed partition will free is no debt",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 2000}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.bytes = 100, .obsolete = 500}}, .bottom = {{.bytes = 2000}}}},
     .options = {CLAIMED(100)}},
    {.rule = "another one is due when it is beyond the target without it",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 2000}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.bytes = 100, .obsolete = 600}}, .bottom = {{.bytes = 2000}}}},
     .options = {CLAIMED(100)},
     .expected = {BOTTOM, .first = 1, .runs = {1}, .bytes = 2100, .writes = 1500}},
    {.rule = "what is live in a claimed partition still allows for obsolete bytes",
     .parts = {{.bottom = {{.bytes = 2000}}},
               {.runs = {{.bytes = 100, .obsolete = 501}}, .bottom = {{.bytes = 2000}}}},
     .options = {CLAIMED(100)}},
    {.rule = "where all is claimed nothing is due",
     .parts = {{.n = 2,
                .runs = {{.n = 9, .bytes = 100, .obsolete = 100}},
                .bottom = {{.bytes = 900}}}},
     .options = {CLAIMED(100, 101), .idle = true, .idle_bytes_max = UINT64_MAX}},
};

/* Partitions begin at A, B, C, ...; these are too large to be merged with their neighbours. */
static const pick_case ranges[] = {
    {.rule = "only partitions in the range are asked",
     .parts = {{.n = 2, .runs = {{.n = 9, .bytes = 100}}},
               {.runs = {{.n = 4, .bytes = 100}}},
               {.runs = {{.n = 5, .bytes = 100}}},
               {.runs = {{.n = 9, .bytes = 100}}}},
     .options = {.lower = KEY("C"), .upper = KEY("E")},
     .expected = {BOTTOM, .first = 3, .runs = {5}, .bytes = 500, .writes = 500}},
    {.rule = "a range that begins within a partition meets it",
     .parts = {{.runs = {{.n = 5, .bytes = 100}}}, {.runs = {{.n = 4, .bytes = 100}}}},
     .options = {.lower = KEY("AZ")},
     .expected = {BOTTOM, .runs = {5}, .bytes = 500, .writes = 500}},
    {.rule = "a range that begins where a partition ends does not",
     .parts = {{.runs = {{.n = 5, .bytes = 100}}}, {.runs = {{.n = 4, .bytes = 100}}}},
     .options = {.lower = KEY("B")},
     .expected = {BOTTOM, .first = 1, .runs = {4}, .bytes = 400, .writes = 400}},
    {.rule = "a range that ends within a partition meets it",
     .parts = {{.runs = {{.n = 4, .bytes = 100}}}, {.runs = {{.n = 5, .bytes = 100}}}},
     .options = {.upper = KEY("BA")},
     .expected = {BOTTOM, .first = 1, .runs = {5}, .bytes = 500, .writes = 500}},
    {.rule = "a range that ends where a partition begins does not",
     .parts = {{.runs = {{.n = 4, .bytes = 100}}}, {.runs = {{.n = 5, .bytes = 100}}}},
     .options = {.upper = KEY("B")},
     .expected = {BOTTOM, .runs = {4}, .bytes = 400, .writes = 400}},
    {.rule = "what is obsolete outside of the range is no debt",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 2000}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.bytes = 100, .obsolete = 500}}, .bottom = {{.bytes = 2000}}}},
     .options = {.lower = KEY("B")}},
};

/* ---- figures ---- */

typedef struct figure_case {
    const char *rule;
    part_spec parts[KIT_SPECS];
    pt_pick_options options;
    uint64_t figure; /* of the brake thousandths */
} figure_case;

/* The bottommost runs of the last ones: 3,596 bytes are live, and the target allows 1,000. */
static const figure_case brakes[] = {
    {.rule = "in an empty store writers run free", .parts = {{.n = 1}}, .figure = 0},
    {.rule = "so they do up to a quarter more upper runs than make a merge due",
     .parts = {{.runs = {{.n = 5, .bytes = 100}}, .bottom = {{.bytes = 2000}}}},
     .figure = 0},
    {.rule = "then it is the partition with the most of them",
     .parts = {{.runs = {{.n = 5, .bytes = 100}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 6, .bytes = 100}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 2, .bytes = 100}}, .bottom = {{.bytes = 2000}}}},
     .figure = 500},
    {.rule = "at 1.75 times as many they are as fast as merges",
     .parts = {{.runs = {{.n = 7, .bytes = 100}}, .bottom = {{.bytes = 2000}}}},
     .figure = 1000},
    {.rule = "held bytes count as upper runs do",
     .parts = {{.runs = {{.n = 2, .bytes = 64 * KIB, .entries = 1}}}},
     .options = {.held_bytes_max = 64 * KIB},
     .figure = 1500},
    {.rule = "where 0.82 of the target is used nobody is braked",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 820}}, .bottom = {{.bytes = 4316}}}},
     .figure = 0},
    {.rule = "where 0.92 of it is they are as fast as merges",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 920}}, .bottom = {{.bytes = 4416}}}},
     .figure = 1000},
    {.rule = "beyond it they are slower",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 1120}}, .bottom = {{.bytes = 4616}}}},
     .figure = 3000},
    {.rule = "a memtable's bytes make the way there longer",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 1070}}, .bottom = {{.bytes = 4566}}}},
     .options = {.memtable_bytes = 400},
     .figure = 500},
    {.rule = "what files have left behind counts as well",
     .parts = {{.runs = {{.bytes = 100, .blocks = 1020, .live = 100}},
                .bottom = {{.bytes = 3496}}}},
     .figure = 1000},
    {.rule = "of upper runs and space it is the worse",
     .parts = {{.runs = {{.n = 6, .bytes = 100, .obsolete = 175}}, .bottom = {{.bytes = 4046}}}},
     .figure = 2300},
    {.rule = "what is claimed is being worked off",
     .parts = {{.runs = {{.n = 9, .bytes = 100, .obsolete = 200}}, .bottom = {{.bytes = 2000}}},
               {.runs = {{.n = 6, .bytes = 100}}, .bottom = {{.bytes = 2000}}}},
     .options = {CLAIMED(100)},
     .figure = 500},
};

static const figure_case space_debts[] = {
    {.rule = "no more than the target allows is no debt",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 400}}, .bottom = {{.bytes = 1900}}}},
     .figure = 0},
    {.rule = "what is above it is",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 404}}, .bottom = {{.bytes = 1900}}}},
     .figure = 5},
    {.rule = "what runs keep for snapshots counts",
     .parts = {{.bottom = {{.bytes = 2000, .obsolete = 404, .seq_max = 10}}}},
     .figure = 5},
    {.rule = "the debt is that of the whole store",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 404}}, .bottom = {{.bytes = 1900}}},
               {.bottom = {{.bytes = 2000}}}},
     .figure = 0},
    {.rule = "a partition has no more obsolete bytes than bytes",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 5000}}, .bottom = {{.bytes = 100}}},
               {.bottom = {{.bytes = 400}}}},
     .figure = 100},
};

static const figure_case held_back[] = {
    {.rule = "what upper runs hide is not held back",
     .parts = {{.runs = {{.bytes = 100, .obsolete = 50}}, .bottom = {{.bytes = 900}}}},
     .options = {.snapshots = {1}, .snapshot_count = 1},
     .figure = 0},
    {.rule = "a snapshot as old as what is kept does not hold it back",
     .parts = {{.n = 2, .bottom = {{.bytes = 900, .obsolete = 90, .seq_max = 10}}}},
     .options = {.snapshots = {10}, .snapshot_count = 1},
     .figure = 0},
    {.rule = "an older one does",
     .parts = {{.bottom = {{.bytes = 900, .obsolete = 90, .seq_max = 10}}},
               {.bottom = {{.bytes = 900}}}},
     .options = {.snapshots = {9}, .snapshot_count = 1},
     .figure = 10},
    {.rule = "a single table that is held back is enough",
     .parts = {{.bottom = {{.bytes = 900, .obsolete = 90, .seq_max = 10}}},
               {.runs = {{.bytes = 100, .obsolete = 50}},
                .bottom = {{.bytes = 900, .obsolete = 90, .seq_max = 10},
                           {.bytes = 900, .obsolete = 1, .seq_max = 20}}}},
     .options = {.snapshots = {15}, .snapshot_count = 1},
     .figure = 20},
};

typedef uint64_t figure_function(const pt_version *, const pt_pick_options *);

static uint64_t brake_of(const pt_version *v, const pt_pick_options *o)
{
    return (uint64_t)(1000 * pt_pick_brake(v, o) + 0.5);
}

static uint64_t space_debt_of(const pt_version *v, const pt_pick_options *o)
{
    return pt_pick_space_debt(v, o->space_target);
}

static uint64_t held_back_of(const pt_version *v, const pt_pick_options *o)
{
    uint64_t before;
    return pt_pick_held_back(v, o, &before) ? before : 0;
}

static void figures_hold(const figure_case *cases, size_t count, figure_function *figure)
{
    size_t failed = 0;
    for (size_t i = 0; i < count; i++) {
        pt_pick_options o = kit_options(&cases[i].options);
        uint64_t found = figure(kit_version(cases[i].parts), &o);
        failed += !case_agrees(cases[i].rule, "the figure", found, cases[i].figure);
    }
    assert_int_equal(failed, 0);
}

/* ---- the tests ---- */

TEST_CASES(a_store_within_its_bounds_has_nothing_due, within_bounds, pt_pick)
TEST_CASES(runs_that_reads_ask_are_merged, reads, pt_pick)
TEST_CASES(large_entries_that_are_held_are_merged, held_entries, pt_pick)
TEST_CASES(an_intermediate_merge_takes_the_newest_runs_of_one_order_of_size, mid_slices, pt_pick)
TEST_CASES(neighbours_join_an_intermediate_merge_within_bounds, mid_neighbours, pt_pick)
TEST_CASES(neighbours_join_a_bottommost_merge_within_bounds, bottom_neighbours, pt_pick)
TEST_CASES(space_comes_back_where_it_costs_least, space, pt_pick)
TEST_CASES(what_merges_left_behind_in_files_comes_back, left_behind, pt_pick)
TEST_CASES(the_larger_debt_goes_first, read_beside_space, pt_pick)
TEST_CASES(what_open_snapshots_need_is_no_debt, snapshots, pt_pick)
TEST_CASES(what_is_claimed_is_left_alone, claims, pt_pick)
TEST_CASES(what_is_outside_of_the_range_is_left_alone, ranges, pt_pick)

TEST(figures_tell_how_much_is_due)
{
    figures_hold(brakes, PT_COUNT_OF(brakes), brake_of);
    figures_hold(space_debts, PT_COUNT_OF(space_debts), space_debt_of);
    figures_hold(held_back, PT_COUNT_OF(held_back), held_back_of);
}
