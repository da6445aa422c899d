/* SPDX-License-Identifier: MIT */
/*
 * test_split.c - where a partition that has outgrown its target is cut, and what its parts say of
 * its upper runs: split.c on plans made of literals, without a store or a file.
 */
#include "compact/edit_kit.h"
#include "compact/split.h"

#define TARGET 100u
#define FIRST  7u /* the file of the first table, which begins with "g" */
#define ID     7u

/* What a part has: so many tables, and of each upper run so much. No tables: the end of a list. */
typedef struct split_part {
    size_t tables;
    layer_spec runs[KIT_LAYERS];
} split_part;

typedef struct split_case {
    const char *rule;
    uint64_t tables[KIT_LAYERS]; /* their bytes */
    layer_spec runs[KIT_LAYERS];
    /* what is expected; none: one part of all tables that keeps its upper runs */
    split_part parts[KIT_PARTITIONS];
} split_case;

static const split_case cuts[] = {
    {.rule = "below twice the target nothing is cut",
     .tables = {50, 50, 50, 49},
     .runs = {{1, 100, 10, 4, 50}}},
    {.rule = "at twice the target it is",
     .tables = {50, 50, 50, 50},
     .parts = {{.tables = 2}, {.tables = 2}}},
    {.rule = "a single table cannot be cut", .tables = {900}, .runs = {{1, 100, 10, 4, 50}}},
    {.rule = "a run of nothing is not cut", .runs = {{1, 1000, 10, 4, 50}, {2, 100, 1, 1, 0}}},
    {.rule = "below two and a half targets there are two parts",
     .tables = {29, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20},
     .parts = {{.tables = 6}, {.tables = 6}}},
    {.rule = "from two and a half on there are three",
     .tables = {30, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20},
     .parts = {{.tables = 4}, {.tables = 4}, {.tables = 4}}},
    {.rule = "a table that lies more than half within the part belongs to it",
     .tables = {60, 78, 62},
     .parts = {{.tables = 2}, {.tables = 1}}},
    {.rule = "one that lies half within it does not",
     .tables = {60, 80, 60},
     .parts = {{.tables = 1}, {.tables = 1}, {.tables = 1}}},
    {.rule = "a table larger than the target is a part",
     .tables = {10, 300, 10},
     .parts = {{.tables = 1}, {.tables = 1}, {.tables = 1}}},
    {.rule = "upper runs that outweigh the run count four times",
     .tables = {10, 20, 10, 20},
     .runs = {{1, 60, 6, 0, 0}, {2, 15, 1, 0, 0}},
     .parts = {{.tables = 1, .runs = {{1, 10, 1, 0, 0}, {2, 2, 0, 0, 0}}},
               {.tables = 1, .runs = {{1, 20, 2, 0, 0}, {2, 5, 0, 0, 0}}},
               {.tables = 1, .runs = {{1, 10, 1, 0, 0}, {2, 2, 0, 0, 0}}},
               {.tables = 1, .runs = {{1, 20, 2, 0, 0}, {2, 5, 0, 0, 0}}}}},
    {.rule = "and do not where they weigh as much", .tables = {30, 30}, .runs = {{1, 60, 6, 0, 0}}},
};

static const split_case shares[] = {
    {.rule = "an upper run is shared in proportion to the run",
     .tables = {100, 100},
     .runs = {{1, 1000, 100, 10, 500}},
     .parts = {{.tables = 1, .runs = {{1, 500, 50, 5, 250}}},
               {.tables = 1, .runs = {{1, 500, 50, 5, 250}}}}},
    {.rule = "every upper run is, in its order, and shares are rounded down",
     .tables = {150, 50},
     .runs = {{1, 1000, 100, 10, 500}, {2, 9, 3, 1, 0}},
     .parts = {{.tables = 1, .runs = {{1, 750, 75, 7, 375}, {2, 6, 2, 0, 0}}},
               {.tables = 1, .runs = {{1, 250, 25, 2, 125}, {2, 2, 0, 0, 0}}}}},
};

/* Its tables as layers, each with figures of its own. */
static size_t tables_of(const split_case *c, layer_spec tables[KIT_LAYERS])
{
    size_t n = 0;
    for (; n < KIT_LAYERS && c->tables[n] != 0; n++)
        tables[n] = (layer_spec){FIRST + n, c->tables[n], 10 + n, n, 2 * n};
    return n;
}

static peat_rc make_edit(const void *of, kit_files *files, const pt_env *env, uint64_t *io_next,
                         pt_bytes *io_edit)
{
    const split_case *c = of;
    layer_spec tables[KIT_LAYERS] = {{0}};
    pt_layer runs[KIT_LAYERS], bottom[KIT_LAYERS];
    pt_split_plan p = {.id = ID, .lower = kit_key("A"), .runs = runs, .bottom = bottom};
    p.run_count = kit_layers(files, c->runs, runs);
    p.bottom_count = tables_of(c, tables);
    (void)kit_layers(files, tables, bottom);
    return pt_split_edit(env, &p, TARGET, io_next, io_edit);
}

static void expect(const split_case *c, char lower[KIT_PARTITIONS][2], kit_expected *ret_expected)
{
    layer_spec tables[KIT_LAYERS] = {{0}};
    split_part whole = {.tables = tables_of(c, tables)};
    memcpy(whole.runs, c->runs, sizeof whole.runs);
    bool cut = c->parts[0].tables != 0;
    for (size_t i = 0, from = 0; i == 0 || (cut && c->parts[i].tables != 0); i++) {
        const split_part *part = cut ? &c->parts[i] : &whole;
        part_spec *p = &ret_expected->items[i].part;
        lower[i][0] = i == 0 ? 'A' : (char)('`' + FIRST + from);
        *p = (part_spec){.id = i == 0 ? ID : KIT_NEXT + i - 1, .lower = lower[i]};
        memcpy(p->runs, part->runs, sizeof p->runs);
        memcpy(p->bottom, &tables[from], part->tables * sizeof *tables);
        from += part->tables;
        ret_expected->ids = i;
    }
}

static void cases_hold(const split_case *cases, size_t count)
{
    size_t failed = 0;
    for (size_t i = 0; i < count; i++) {
        char lower[KIT_PARTITIONS][2] = {{0}};
        kit_expected expected = {.ids = 0};
        expect(&cases[i], lower, &expected);
        failed += !kit_case_holds(cases[i].rule, &cases[i], make_edit, &expected);
    }
    assert_int_equal(failed, 0);
}

TEST_LINE(TEST, a_run_is_cut_at_tables_into_parts_of_about_the_target,
          cases_hold(cuts, PT_COUNT_OF(cuts)))
TEST_LINE(TEST, every_part_gets_its_share_of_the_slices, cases_hold(shares, PT_COUNT_OF(shares)))

TEST(without_memory_there_is_no_edit_and_nothing_is_held)
{
    assert_true(kit_fails_each(&shares[1], make_edit) >= 2); /* the shares, and the edit */
}
