/* SPDX-License-Identifier: MIT */
/*
 * test_flush_edit.c - what becomes of a version when the outcome of a flush is installed: the
 * version of now, what the flush has made, and what the edit says, as tables of literals.
 */
#include "compact/flush_edit.h"
#include "edit_kit.h"

#define PIECES_MAX 4
#define TARGET     1000u

/* The range of a partition when the flush ran, and what of the upper run falls into it. A list of
 * them ends at the first without entries. */
typedef struct piece_spec {
    const char *lower, *upper; /* NULL: open */
    uint64_t bytes, entries, tombstones, obsolete;
    size_t table; /* 1: of the second */
} piece_spec;

typedef struct flush_case {
    const char *rule;
    uint64_t file, second; /* the upper run; 0: none */
    piece_spec pieces[PIECES_MAX];
    layer_spec appended[KIT_LAYERS];
    bool may_split;
    part_spec now[KIT_PARTITIONS];
    kit_expected expected;
} flush_case;

/* Layers are {file, bytes, entries, tombstones, obsolete bytes}. */
static const flush_case pushed[] = {
    {.rule = "nothing was made, nothing changes", .now = {{100, NULL, {{2, 20, 2}}, {{0}}}}},
    {.rule = "each partition gets its piece",
     .file = 8,
     .pieces = {{NULL, "d", 50, 5, 1, 7}, {"d", "m", 40, 4, 2, 3}, {"m", NULL, 30, 3, 0, 0}},
     .now = {{100, NULL, {{0}}, {{1, 100, 10}}},
             {101, "d", {{0}}, {{0}}},
             {102, "m", {{0}}, {{0}}}},
     .expected = {{{.table = 8},
                   {.push = 100, .layer = {8, 50, 5, 1, 7}},
                   {.push = 101, .layer = {8, 40, 4, 2, 3}},
                   {.push = 102, .layer = {8, 30, 3}}}}},
    {.rule = "one of which nothing was flushed gets none",
     .file = 8,
     .pieces = {{"d", "m", 40, 4, 2, 3}},
     .now = {{100, NULL, {{0}}, {{0}}}, {101, "d", {{0}}, {{0}}}, {102, "m", {{0}}, {{0}}}},
     .expected = {{{.table = 8}, {.push = 101, .layer = {8, 40, 4, 2, 3}}}}},
    {.rule = "one that was split gets its piece in equal shares, rounded down",
     .file = 8,
     .pieces = {{NULL, "m", 50, 7, 4, 9}, {"m", NULL, 30, 3, 0, 0}},
     .now = {{100, NULL, {{0}}, {{0}}},
             {200, "d", {{0}}, {{0}}},
             {201, "g", {{0}}, {{0}}},
             {101, "m", {{0}}, {{0}}}},
     .expected = {{{.table = 8},
                   {.push = 100, .layer = {8, 16, 2, 1, 3}},
                   {.push = 200, .layer = {8, 16, 2, 1, 3}},
                   {.push = 201, .layer = {8, 16, 2, 1, 3}},
                   {.push = 101, .layer = {8, 30, 3}}}}},
    {.rule = "so does the last one, which has no end",
     .file = 8,
     .pieces = {{"d", NULL, 40, 4, 2, 8}},
     .now = {{100, NULL, {{0}}, {{0}}}, {101, "d", {{0}}, {{0}}}, {200, "m", {{0}}, {{0}}}},
     .expected = {{{.table = 8},
                   {.push = 101, .layer = {8, 20, 2, 1, 4}},
                   {.push = 200, .layer = {8, 20, 2, 1, 4}}}}},
    {.rule = "those that were united get one layer of their pieces",
     .file = 8,
     .pieces = {{NULL, "d", 50, 5, 1, 7},
                {"d", "m", 40, 4, 2, 3},
                {"m", "q", 30, 3, 0, 1},
                {"q", NULL, 2, 1, 0, 0}},
     .now = {{100, NULL, {{0}}, {{0}}}, {103, "q", {{0}}, {{0}}}},
     .expected = {{{.table = 8},
                   {.push = 100, .layer = {8, 120, 12, 3, 11}},
                   {.push = 103, .layer = {8, 2, 1}}}}},
    {.rule = "one that was united and cut elsewhere shares a piece with each it meets",
     .file = 8,
     .pieces = {{NULL, "g", 50, 6, 2, 8}, {"g", NULL, 40, 4, 0, 2}},
     .now = {{100, NULL, {{0}}, {{0}}}, {200, "d", {{0}}, {{0}}}, {201, "m", {{0}}, {{0}}}},
     .expected = {{{.table = 8},
                   {.push = 100, .layer = {8, 25, 3, 1, 4}},
                   {.push = 200, .layer = {8, 45, 5, 1, 5}},
                   {.push = 201, .layer = {8, 20, 2, 0, 1}}}}},
    {.rule = "a piece comes from the table that holds it",
     .file = 8,
     .second = 9,
     .pieces = {{NULL, "d", 50, 5, 1, 7},
                {"d", "m", 40, 4, 2, 3, .table = 1},
                {"m", NULL, 30, 3, 0, 0, .table = 1}},
     .now = {{100, NULL, {{0}}, {{1, 100, 10}}},
             {101, "d", {{0}}, {{0}}},
             {102, "m", {{0}}, {{0}}}},
     .expected = {{{.table = 8},
                   {.table = 9},
                   {.push = 100, .layer = {8, 50, 5, 1, 7}},
                   {.push = 101, .layer = {9, 40, 4, 2, 3}},
                   {.push = 102, .layer = {9, 30, 3}}}}},
    {.rule = "partitions of two tables that were united get a layer of each",
     .file = 8,
     .second = 9,
     .pieces = {{NULL, "d", 50, 5, 1, 7},
                {"d", "m", 40, 4, 2, 3},
                {"m", "q", 30, 3, 0, 1, .table = 1},
                {"q", NULL, 2, 1, 0, 0, .table = 1}},
     .now = {{100, NULL, {{0}}, {{0}}}},
     .expected = {{{.table = 8},
                   {.table = 9},
                   {.push = 100, .layer = {8, 90, 9, 3, 10}},
                   {.push = 100, .layer = {9, 32, 4, 0, 1}}}}},
};

static const flush_case appended[] = {
    {.rule = "into an empty store tables are appended",
     .appended = {{8, 80, 8, 0, 1}, {9, 90, 9, 0, 2}},
     .may_split = true,
     .now = {{100, NULL, {{0}}, {{0}}}},
     .expected = {{{.table = 8},
                   {.table = 9},
                   {.part = {100, NULL, {{0}}, {{8, 80, 8, 0, 1}, {9, 90, 9, 0, 2}}}}}}},
    {.rule = "they lie behind the tables of the last partition, below its upper runs",
     .appended = {{8, 80, 8, 0, 1}},
     .may_split = true,
     .now = {{100, NULL, {{0}}, {{1, 100, 10}}},
             {101, "d", {{4, 40, 4}, {3, 30, 3}}, {{2, 20, 2, 0, 3}}}},
     .expected =
         {{{.table = 8},
           {.part = {101, "d", {{4, 40, 4}, {3, 30, 3}}, {{2, 20, 2, 0, 3}, {8, 80, 8, 0, 1}}}}}}},
    {.rule = "what was flushed into the last partition as well lies on top of it",
     .file = 7,
     .pieces = {{NULL, "d", 50, 5, 1, 7}, {"d", NULL, 40, 4, 2, 3}},
     .appended = {{8, 80, 8, 0, 1}},
     .may_split = true,
     .now = {{100, NULL, {{0}}, {{1, 100, 10}}}, {101, "d", {{4, 40, 4}}, {{2, 20, 2, 0, 3}}}},
     .expected = {{{.table = 7},
                   {.table = 8},
                   {.push = 100, .layer = {7, 50, 5, 1, 7}},
                   {.part = {101,
                             "d",
                             {{7, 40, 4, 2, 3}, {4, 40, 4}},
                             {{2, 20, 2, 0, 3}, {8, 80, 8, 0, 1}}}}}}},
    {.rule = "it is the first upper run where there is none",
     .file = 7,
     .pieces = {{NULL, NULL, 50, 5, 1, 7}},
     .appended = {{8, 80, 8, 0, 1}},
     .may_split = true,
     .now = {{100, NULL, {{0}}, {{0}}}},
     .expected = {{{.table = 7},
                   {.table = 8},
                   {.part = {100, NULL, {{7, 50, 5, 1, 7}}, {{8, 80, 8, 0, 1}}}}}}},
    {.rule = "what was flushed into others alone is no upper run of the last",
     .file = 7,
     .pieces = {{NULL, "d", 50, 5, 1, 7}},
     .appended = {{8, 80, 8, 0, 1}},
     .may_split = true,
     .now = {{100, NULL, {{0}}, {{0}}}, {101, "d", {{0}}, {{2, 20, 2, 0, 3}}}},
     .expected = {{{.table = 7},
                   {.table = 8},
                   {.push = 100, .layer = {7, 50, 5, 1, 7}},
                   {.part = {101, "d", {{0}}, {{2, 20, 2, 0, 3}, {8, 80, 8, 0, 1}}}}}}},
    {.rule = "pieces of partitions that were united into the last one lie on top as one layer",
     .file = 7,
     .pieces = {{NULL, "d", 50, 5, 1, 7}, {"d", NULL, 40, 4, 2, 3}},
     .appended = {{8, 80, 8, 0, 1}},
     .may_split = true,
     .now = {{100, NULL, {{0}}, {{2, 20, 2, 0, 3}}}},
     .expected =
         {{{.table = 7},
           {.table = 8},
           {.part = {100, NULL, {{7, 90, 9, 3, 10}}, {{2, 20, 2, 0, 3}, {8, 80, 8, 0, 1}}}}}}},
    {.rule = "those of two tables lie on top as a layer of each",
     .file = 6,
     .second = 7,
     .pieces = {{NULL, "d", 50, 5, 1, 7}, {"d", NULL, 40, 4, 2, 3, .table = 1}},
     .appended = {{8, 80, 8, 0, 1}},
     .may_split = true,
     .now = {{100, NULL, {{5, 10, 1}}, {{2, 20, 2, 0, 3}}}},
     .expected = {{{.table = 6},
                   {.table = 7},
                   {.table = 8},
                   {.part = {100,
                             NULL,
                             {{6, 50, 5, 1, 7}, {7, 40, 4, 2, 3}, {5, 10, 1}},
                             {{2, 20, 2, 0, 3}, {8, 80, 8, 0, 1}}}}}}},
    {.rule = "of one that was split the last part gets its share and the tables",
     .file = 7,
     .pieces = {{NULL, NULL, 50, 6, 2, 8}},
     .appended = {{8, 80, 8, 0, 1}},
     .may_split = true,
     .now = {{100, NULL, {{0}}, {{1, 100, 10}}}, {200, "d", {{0}}, {{2, 20, 2, 0, 3}}}},
     .expected =
         {{{.table = 7},
           {.table = 8},
           {.push = 100, .layer = {7, 25, 3, 1, 4}},
           {.part = {200, "d", {{7, 25, 3, 1, 4}}, {{2, 20, 2, 0, 3}, {8, 80, 8, 0, 1}}}}}}},
};

static const flush_case outgrown[] = {
    {.rule = "the last partition is cut when it has outgrown its target",
     .file = 7,
     .pieces = {{"b", NULL, 40, 8, 4, 12}},
     .appended = {{8, 1500, 150, 0, 1}},
     .may_split = true,
     .now = {{99, NULL, {{0}}, {{0}}}, {100, "b", {{3, 20, 4, 0, 8}}, {{2, 500, 50}}}},
     .expected =
         {{{.table = 7},
           {.table = 8},
           {.part = {100, "b", {{7, 10, 2, 1, 3}, {3, 5, 1, 0, 2}}, {{2, 500, 50}}}},
           {.part = {300, "h", {{7, 30, 6, 3, 9}, {3, 15, 3, 0, 6}}, {{8, 1500, 150, 0, 1}}}}},
          .ids = 1}},
    {.rule = "but not while a merge is at work on it",
     .file = 7,
     .pieces = {{"b", NULL, 40, 8, 4, 12}},
     .appended = {{8, 1500, 150, 0, 1}},
     .now = {{99, NULL, {{0}}, {{0}}}, {100, "b", {{3, 20, 4, 0, 8}}, {{2, 500, 50}}}},
     .expected = {{{.table = 7},
                   {.table = 8},
                   {.part = {100,
                             "b",
                             {{7, 40, 8, 4, 12}, {3, 20, 4, 0, 8}},
                             {{2, 500, 50}, {8, 1500, 150, 0, 1}}}}}}},
};

static peat_rc make_edit(const void *of, kit_files *files, const pt_env *env, uint64_t *io_next,
                         pt_bytes *io_edit)
{
    const flush_case *c = of;
    const layer_spec runs[KIT_LAYERS] = {{.file_number = c->file}, {.file_number = c->second}};
    kit_version now;
    pt_layer run[KIT_LAYERS], tables[KIT_LAYERS];
    pt_piece pieces[PIECES_MAX];
    kit_version_init(&now, files, c->now);
    pt_flush_edit_input in = {.env = env,
                              .runs = {.tables = run, .pieces = pieces},
                              .appended = {.tables = tables},
                              .partition_bytes = TARGET};
    in.runs.table_count = kit_layers(files, runs, run);
    in.appended.table_count = kit_layers(files, c->appended, tables);
    for (size_t n; (n = in.runs.piece_count) < PIECES_MAX && c->pieces[n].entries != 0;
         in.runs.piece_count++)
        pieces[n] = (pt_piece){.lower = kit_key(c->pieces[n].lower),
                               .upper = kit_key(c->pieces[n].upper),
                               .bytes = c->pieces[n].bytes,
                               .entries = c->pieces[n].entries,
                               .tombstones = c->pieces[n].tombstones,
                               .obsolete_bytes = c->pieces[n].obsolete,
                               .table = c->pieces[n].table};
    peat_rc rc = pt_flush_edit_make(&in, &now.version, c->may_split, io_next, io_edit);
    kit_version_done(&now);
    return rc;
}

TEST_CASES(an_upper_run_is_pushed_on_the_partitions_of_now, pushed, pushed[i].file != 0 ? 2 : 0)
TEST_CASES(appended_tables_lie_behind_those_of_the_last_partition, appended, 2)
TEST_CASES(the_last_partition_is_cut_while_no_merge_is_at_work_on_it, outgrown, 2)
