/* SPDX-License-Identifier: MIT */
/*
 * test_merge_edit.c - what becomes of a version when the outcome of a merge is installed: the
 * version that was merged, what the merge has made, the version of now, and what the edit says, as
 * tables of literals.
 */
#include "compact/merge_edit.h"
#include "edit_kit.h"

#define MERGED_MAX 3
#define TARGET     1000u

/* What of an upper run file falls into a partition. A list of them ends at the first without
 * entries. */
typedef struct piece_spec {
    uint64_t id, bytes, entries, tombstones;
} piece_spec;

typedef struct merge_case {
    const char *rule;
    part_spec then[KIT_PARTITIONS];
    /* what of it was merged: so many partitions, 0 for one, and their upper runs; bottommost merges
     * take all */
    pt_merge_kind kind;
    size_t first, count;
    pt_merge_part parts[MERGED_MAX];
    uint64_t dropped[MERGED_MAX];
    /* what the merge made */
    layer_spec tables[KIT_LAYERS];
    piece_spec pieces[MERGED_MAX];
    part_spec now[KIT_PARTITIONS]; /* nothing: as then */
    kit_expected expected;
} merge_case;

#define MID    .kind = PT_MERGE_INTERMEDIATE
#define BOTTOM .kind = PT_MERGE_BOTTOMMOST

/* Layers are {file, bytes, entries, tombstones, obsolete bytes}. */
static const merge_case intermediate[] = {
    {.rule = "a new upper run takes the place of those that were merged",
     .then = {{100, NULL, {{3, 30, 3, 1, 9}, {2, 20, 2, 0, 5}}, {{1, 500, 50, 0, 7}}}},
     MID,
     .parts = {{0, 2}},
     .tables = {{8, 999, 99, 9}},
     .pieces = {{100, 44, 4, 1}},
     .expected = {{{.table = 8},
                   {.part = {100, NULL, {{8, 44, 4, 1, 14}}, {{1, 500, 50, 0, 7}}}}}}},
    {.rule = "what it dropped is obsolete no more",
     .then = {{100, NULL, {{3, 30, 3, 1, 9}, {2, 20, 2, 0, 5}}, {{1, 500, 50, 0, 7}}}},
     MID,
     .parts = {{0, 2}},
     .dropped = {13},
     .tables = {{8, 999, 99, 9}},
     .pieces = {{100, 44, 4, 1}},
     .expected = {{{.table = 8}, {.part = {100, NULL, {{8, 44, 4, 1, 1}}, {{1, 500, 50, 0, 7}}}}}}},
    {.rule = "nor is there less than nothing of it",
     .then = {{100, NULL, {{3, 30, 3, 1, 9}, {2, 20, 2, 0, 5}}, {{1, 500, 50, 0, 7}}}},
     MID,
     .parts = {{0, 2}},
     .dropped = {15},
     .tables = {{8, 999, 99, 9}},
     .pieces = {{100, 44, 4, 1}},
     .expected = {{{.table = 8}, {.part = {100, NULL, {{8, 44, 4, 1}}, {{1, 500, 50, 0, 7}}}}}}},
    {.rule = "only what those that were merged hide counts for the new one",
     .then = {{100,
               NULL,
               {{5, 50, 5, 0, 100}, {4, 40, 4, 0, 20}, {3, 30, 3, 0, 3}, {2, 9, 1, 0, 7}}}},
     MID,
     .parts = {{1, 2}},
     .tables = {{8, 70, 7}},
     .pieces = {{100, 70, 7, 0}},
     .expected =
         {{{.table = 8},
           {.part = {100, NULL, {{5, 50, 5, 0, 100}, {8, 70, 7, 0, 23}, {2, 9, 1, 0, 7}}}}}}},
    {.rule = "what was flushed meanwhile stays on top, older upper runs below, tables behind",
     .then = {{100, NULL, {{4, 40, 4}, {3, 30, 3}, {2, 20, 2}}, {{1, 500, 50}}}},
     MID,
     .parts = {{0, 2}},
     .tables = {{8, 70, 7}},
     .pieces = {{100, 70, 7, 0}},
     .now = {{100,
              NULL,
              {{10, 10, 1, 0, 6}, {9, 90, 9, 2, 3}, {4, 40, 4}, {3, 30, 3}, {2, 20, 2}},
              {{1, 500, 50}, {11, 110, 11}}}},
     .expected = {{{.table = 8},
                   {.part = {100,
                             NULL,
                             {{10, 10, 1, 0, 6}, {9, 90, 9, 2, 3}, {8, 70, 7}, {2, 20, 2}},
                             {{1, 500, 50}, {11, 110, 11}}}}}}},
    {.rule = "of which nothing is left, they go and nothing comes",
     .then = {{100, NULL, {{3, 30, 3, 3}, {2, 20, 2}}}},
     MID,
     .parts = {{0, 2}},
     .dropped = {50},
     .now = {{100, NULL, {{9, 90, 9}, {3, 30, 3, 3}, {2, 20, 2}}}},
     .expected = {{{.part = {100, NULL, {{9, 90, 9}}}}}}},
    {.rule = "neighbours get their pieces of one file, each by its name",
     .then = {{100, NULL, {{3, 30, 3, 0, 3}, {2, 20, 2, 0, 2}}, {{1, 100, 10}}},
              {101, "g", {{3, 31, 4, 1, 30}, {2, 21, 3, 1, 20}}, {{7, 100, 10}}}},
     MID,
     .count = 2,
     .parts = {{0, 2}, {0, 2}},
     .dropped = {1, 10},
     .tables = {{8, 95, 11, 2}},
     .pieces = {{100, 50, 5, 0}, {101, 45, 6, 2}},
     .expected = {{{.table = 8},
                   {.part = {100, NULL, {{8, 50, 5, 0, 4}}, {{1, 100, 10}}}},
                   {.part = {101, "g", {{8, 45, 6, 2, 40}}, {{7, 100, 10}}}}}}},
    {.rule = "one of which nothing is left gets no piece of another's",
     .then = {{99, NULL, {{6, 1, 1}}},
              {100, "c", {{3, 30, 3, 3}, {2, 20, 2}}},
              {101, "g", {{3, 31, 4, 1, 30}, {2, 21, 3, 1, 20}}},
              {102, "k", {{3, 32, 5, 5}, {2, 22, 4}}}},
     MID,
     .first = 1,
     .count = 3,
     .parts = {{0, 2}, {0, 2}, {0, 2}},
     .tables = {{8, 45, 6, 2}},
     .pieces = {{101, 45, 6, 2}},
     .expected = {{{.table = 8},
                   {.part = {100, "c"}},
                   {.part = {101, "g", {{8, 45, 6, 2, 50}}}},
                   {.part = {102, "k"}}}}},
    {.rule = "it is found where it lies now: before it two were united, behind it one was split",
     .then = {{98, NULL, {{0}}, {{1, 100, 10}}},
              {99, "b", {{0}}, {{2, 100, 10}}},
              {100, "d", {{4, 40, 4}, {3, 30, 3}}},
              {101, "k", {{0}}, {{5, 500, 50}, {6, 600, 60}}}},
     MID,
     .first = 2,
     .parts = {{0, 2}},
     .tables = {{8, 70, 7}},
     .pieces = {{100, 70, 7, 0}},
     .now = {{98, NULL, {{0}}, {{1, 100, 10}, {2, 100, 10}}},
             {100, "d", {{4, 40, 4}, {3, 30, 3}}},
             {101, "k", {{0}}, {{5, 500, 50}}},
             {200, "p", {{0}}, {{6, 600, 60}}}},
     .expected = {{{.table = 8}, {.part = {100, "d", {{8, 70, 7}}}}}}},
};

static const merge_case bottommost[] = {
    {.rule = "tables take the place of all layers",
     .then = {{100, NULL, {{3, 30, 3, 1, 9}, {2, 20, 2, 0, 5}}, {{1, 500, 50, 0, 7}}}},
     BOTTOM,
     .parts = {{0, 2}},
     .tables = {{8, 400, 40, 0, 6}, {9, 90, 9}},
     .expected = {{{.table = 8},
                   {.table = 9},
                   {.part = {100, NULL, {{0}}, {{8, 400, 40, 0, 6}, {9, 90, 9}}}}}}},
    {.rule = "of which nothing is left, they go and nothing comes",
     .then = {{100, NULL, {{3, 30, 3, 3}}, {{1, 500, 50}}}},
     BOTTOM,
     .parts = {{0, 1}},
     .expected = {{{.part = {100, NULL}}}}},
    {.rule = "what was flushed meanwhile stays on top, and what was appended behind",
     .then = {{100, NULL, {{2, 20, 2, 0, 5}}, {{1, 500, 50, 0, 7}}}},
     BOTTOM,
     .parts = {{0, 1}},
     .tables = {{8, 400, 40}},
     .now = {{100,
              NULL,
              {{10, 10, 1, 0, 3}, {9, 90, 9, 1, 2}, {2, 20, 2, 0, 5}},
              {{1, 500, 50, 0, 7}, {11, 110, 11, 0, 1}}}},
     .expected = {{{.table = 8},
                   {.part = {100,
                             NULL,
                             {{10, 10, 1, 0, 3}, {9, 90, 9, 1, 2}},
                             {{8, 400, 40}, {11, 110, 11, 0, 1}}}}}}},
    {.rule = "neighbours become one, the first",
     .then = {{99, NULL, {{0}}, {{6, 60, 6}}},
              {100, "c", {{3, 30, 3}}, {{1, 100, 10}}},
              {101, "g", {{3, 31, 3}}, {{0}}},
              {102, "k", {{0}}, {{2, 100, 10}}},
              {103, "p", {{0}}, {{7, 70, 7}}}},
     BOTTOM,
     .first = 1,
     .count = 3,
     .parts = {{0, 1}, {0, 1}, {0, 0}},
     .tables = {{8, 250, 25}},
     .expected = {{{.table = 8},
                   {.drop = 101},
                   {.drop = 102},
                   {.part = {100, "c", {{0}}, {{8, 250, 25}}}}}}},
    {.rule = "neighbours of which nothing is left become one that holds nothing",
     .then = {{100, NULL, {{3, 30, 3, 3}}, {{0}}},
              {101, "g", {{3, 30, 3, 3}}, {{0}}},
              {102, "k", {{3, 30, 3, 3}}, {{0}}}},
     BOTTOM,
     .count = 3,
     .parts = {{0, 1}, {0, 1}, {0, 1}},
     .expected = {{{.drop = 101}, {.drop = 102}, {.part = {100, NULL}}}}},
    {.rule = "of a file that was flushed into several of them, one layer is left",
     .then = {{100, NULL, {{2, 20, 2}}, {{1, 100, 10}}}, {101, "g", {{2, 20, 2}}, {{3, 100, 10}}}},
     BOTTOM,
     .count = 2,
     .parts = {{0, 1}, {0, 1}},
     .tables = {{8, 200, 20}},
     .now = {{100, NULL, {{9, 90, 9, 2, 5}, {2, 20, 2}}, {{1, 100, 10}}},
             {101, "g", {{9, 10, 1, 1, 4}, {2, 20, 2}}, {{3, 100, 10}}}},
     .expected = {{{.table = 8},
                   {.drop = 101},
                   {.part = {100, NULL, {{9, 100, 10, 3, 9}}, {{8, 200, 20}}}}}}},
    {.rule = "files that were flushed into one or another lie newest first",
     .then = {{100, NULL, {{0}}, {{1, 100, 10}}},
              {101, "g", {{0}}, {{2, 100, 10}}},
              {102, "k", {{0}}, {{3, 100, 10}}}},
     BOTTOM,
     .count = 3,
     .tables = {{8, 300, 30}},
     .now = {{100, NULL, {{12, 12, 1}, {9, 90, 9}}, {{1, 100, 10}}},
             {101, "g", {{13, 13, 1}, {11, 11, 1}, {9, 10, 1}}, {{2, 100, 10}}},
             {102, "k", {{11, 1, 1}, {10, 5, 1}}, {{3, 100, 10}}}},
     .expected = {{{.table = 8},
                   {.drop = 101},
                   {.drop = 102},
                   {.part = {100,
                             NULL,
                             {{13, 13, 1}, {12, 12, 1}, {11, 12, 2}, {10, 5, 1}, {9, 100, 10}},
                             {{8, 300, 30}}}}}}},
    {.rule = "one that has outgrown its target is cut, with its share of what was flushed",
     .then = {{100, "A", {{2, 20, 2}}, {{1, 1500, 150}}}},
     BOTTOM,
     .parts = {{0, 1}},
     .tables = {{8, 1500, 150}, {9, 500, 50}},
     .now = {{100, "A", {{10, 100, 8, 4, 12}, {2, 20, 2}}, {{1, 1500, 150}}}},
     .expected = {{{.table = 8},
                   {.table = 9},
                   {.part = {100, "A", {{10, 75, 6, 3, 9}}, {{8, 1500, 150}}}},
                   {.part = {300, "i", {{10, 25, 2, 1, 3}}, {{9, 500, 50}}}}},
                  .ids = 1}},
};

static peat_rc make_edit(const void *of, kit_files *files, const pt_env *env, uint64_t *io_next,
                         pt_bytes *io_edit)
{
    const merge_case *c = of;
    kit_version then, now;
    pt_layer tables[KIT_LAYERS];
    pt_piece pieces[MERGED_MAX];
    pt_merge_pick pick = {
        .kind = c->kind, .first = c->first, .count = c->count != 0 ? c->count : 1};
    memcpy(pick.parts, c->parts, sizeof c->parts);
    kit_version_init(&then, files, c->then);
    kit_version_init(&now, files, c->now[0].id != 0 ? c->now : c->then);
    pt_merge_edit_input in = {.env = env,
                              .version = &then.version,
                              .pick = &pick,
                              .dropped_bytes = c->dropped,
                              .files = {.tables = tables, .pieces = pieces},
                              .partition_bytes = TARGET};
    in.files.table_count = kit_layers(files, c->tables, tables);
    for (size_t n; (n = in.files.piece_count) < MERGED_MAX && c->pieces[n].entries != 0;
         in.files.piece_count++)
        pieces[n] = (pt_piece){.partition_id = c->pieces[n].id,
                               .bytes = c->pieces[n].bytes,
                               .entries = c->pieces[n].entries,
                               .tombstones = c->pieces[n].tombstones};
    peat_rc rc = pt_merge_edit_make(&in, &now.version, io_next, io_edit);
    kit_version_done(&then);
    kit_version_done(&now);
    return rc;
}

TEST_CASES(an_intermediate_merge_is_installed_in_place, intermediate, 2)
TEST_CASES(a_bottommost_merge_leaves_what_came_meanwhile, bottommost, 2)
