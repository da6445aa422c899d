/* SPDX-License-Identifier: MIT */
/*
 * test_split.c - where a partition that has outgrown its target is cut, and what its parts say of
 * its upper runs: split.c on plans made of literals, without a store or a file.
 */
#include "compact/split.h"
#include "world/sim.h"

#define TABLES_MAX     12
#define UPPER_RUNS_MAX 2
#define PARTS_MAX      5

#define PARTITION_ID   7u
#define PARTITION_NEXT 20u
#define TARGET         100u

/* Bytes 0: the end of a list. */
typedef struct slice_spec {
    uint64_t bytes, entries, tombstones, obsolete;
} slice_spec;

typedef struct part_spec {
    size_t tables; /* 0: the end of a list */
    slice_spec runs[UPPER_RUNS_MAX];
} part_spec;

typedef struct split_case {
    const char *rule;
    uint64_t tables[TABLES_MAX]; /* their bytes */
    slice_spec runs[UPPER_RUNS_MAX];
    /* what is expected; none: one part of all tables that keeps its upper runs */
    part_spec parts[PARTS_MAX];
} split_case;

static const split_case cuts[] = {
    {.rule = "below twice the target nothing is cut",
     .tables = {50, 50, 50, 49},
     .runs = {{100, 10, 4, 50}}},
    {.rule = "at twice the target it is",
     .tables = {50, 50, 50, 50},
     .parts = {{.tables = 2}, {.tables = 2}}},
    {.rule = "a single table cannot be cut", .tables = {900}, .runs = {{100, 10, 4, 50}}},
    {.rule = "a run of nothing is not cut", .runs = {{1000, 10, 4, 50}, {100, 1, 1, 0}}},
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
};

static const split_case shares[] = {
    {.rule = "an upper run is shared in proportion to the run",
     .tables = {100, 100},
     .runs = {{1000, 100, 10, 500}},
     .parts = {{.tables = 1, .runs = {{500, 50, 5, 250}}},
               {.tables = 1, .runs = {{500, 50, 5, 250}}}}},
    {.rule = "every upper run is, in its order, and shares are rounded down",
     .tables = {150, 50},
     .runs = {{1000, 100, 10, 500}, {9, 3, 1, 0}},
     .parts = {{.tables = 1, .runs = {{750, 75, 7, 375}, {6, 2, 0, 0}}},
               {.tables = 1, .runs = {{250, 25, 2, 125}, {2, 0, 0, 0}}}}},
};

/* ---- a plan of a case ---- */

typedef struct site {
    sim_env *sim;
    pt_layer runs[UPPER_RUNS_MAX], bottom[TABLES_MAX];
    pt_table_ref table_refs[UPPER_RUNS_MAX + TABLES_MAX];
    pt_table_meta metas[UPPER_RUNS_MAX + TABLES_MAX];
    uint8_t keys[TABLES_MAX];
    pt_split_plan plan;
} site;

/* Table i begins with the letter 'a' + i. Files are numbered from 1 on, upper runs first. */
static pt_layer make_layer(site *s, size_t i, const slice_spec *size)
{
    s->metas[i].file_number = 1 + i;
    s->table_refs[i].meta = &s->metas[i];
    return (pt_layer){.table_ref = &s->table_refs[i],
                      .bytes = size->bytes,
                      .entries = size->entries,
                      .tombstones = size->tombstones,
                      .obsolete_bytes = size->obsolete};
}

static void make_site(site *s, const split_case *c)
{
    memset(s, 0, sizeof *s);
    s->sim = sim_new(1);
    pt_split_plan *p = &s->plan;
    *p = (pt_split_plan){
        .id = PARTITION_ID, .lower = pt_slice_of("A", 1), .runs = s->runs, .bottom = s->bottom};
    for (size_t i = 0; i < UPPER_RUNS_MAX && c->runs[i].bytes != 0; i++, p->run_count++)
        s->runs[i] = make_layer(s, i, &c->runs[i]);
    for (size_t i = 0; i < TABLES_MAX && c->tables[i] != 0; i++, p->bottom_count++) {
        slice_spec size = {c->tables[i], 10 + i, i, 2 * i};
        s->bottom[i] = make_layer(s, UPPER_RUNS_MAX + i, &size);
        s->keys[i] = (uint8_t)('a' + i);
        s->metas[UPPER_RUNS_MAX + i].key_min = pt_slice_of(&s->keys[i], 1);
    }
}

/* ---- what the edit says ---- */

static bool is(const char *rule, const char *what, uint64_t found, uint64_t expected)
{
    if (found != expected)
        print_error("\"%s\": %s is %llu, expected %llu\n", rule, what, (unsigned long long)found,
                    (unsigned long long)expected);
    return found == expected;
}

static bool layer_is(const char *rule, pt_cursor *layers, const pt_layer *l, const slice_spec *size)
{
    pt_layer_record r = pt_layer_decode(layers);
    bool good = is(rule, "the file of a layer", r.file_number, l->table_ref->meta->file_number);
    good = is(rule, "bytes of a layer", r.bytes, size->bytes) && good;
    good = is(rule, "entries of a layer", r.entries, size->entries) && good;
    good = is(rule, "tombstones of a layer", r.tombstones, size->tombstones) && good;
    return is(rule, "obsolete bytes of a layer", r.obsolete_bytes, size->obsolete) && good;
}

static bool part_is(const site *s, const char *rule, pt_edit_item *item, const part_spec *expected,
                    size_t part, size_t from)
{
    bool good = is(rule, "the tag", item->tag, PT_EDIT_PARTITION);
    uint64_t id = part == 0 ? PARTITION_ID : PARTITION_NEXT + part - 1;
    good = is(rule, "the id of a part", item->partition_id, id) && good;
    uint8_t lower = part == 0 ? 'A' : (uint8_t)('a' + from);
    good = is(rule, "the size of a bound", item->lower.size, 1) && good;
    good = good && is(rule, "the lower bound", item->lower.data[0], lower);
    good = is(rule, "the count of upper runs", item->run_count, s->plan.run_count) && good;
    good = is(rule, "the count of tables", item->bottom_count, expected->tables) && good;
    for (size_t i = 0; good && i < item->run_count; i++)
        good = layer_is(rule, &item->layers, &s->runs[i], &expected->runs[i]);
    for (size_t i = from; good && i < from + item->bottom_count; i++) {
        const pt_layer *l = &s->bottom[i];
        slice_spec whole = {l->bytes, l->entries, l->tombstones, l->obsolete_bytes};
        good = layer_is(rule, &item->layers, l, &whole);
    }
    return good;
}

static bool edit_is(const site *s, const split_case *c, const pt_bytes *edit, uint64_t next)
{
    part_spec whole = {.tables = s->plan.bottom_count};
    memcpy(whole.runs, c->runs, sizeof whole.runs);
    const part_spec *parts = c->parts[0].tables != 0 ? c->parts : &whole;
    size_t count = 1, from = 0;
    while (parts == c->parts && count < PARTS_MAX && parts[count].tables != 0)
        count++;
    pt_cursor cursor = pt_cursor_of(edit->data, edit->size);
    bool good = is(c->rule, "the next id", next, PARTITION_NEXT + count - 1);
    for (size_t i = 0; good && i < count; from += parts[i++].tables) {
        pt_edit_item item;
        good = is(c->rule, "a part", (uint64_t)pt_edit_next(&cursor, &item), PEAT_OK) &&
               part_is(s, c->rule, &item, &parts[i], i, from);
    }
    return good && is(c->rule, "what is left of the edit", pt_cursor_left(&cursor), 0);
}

static bool case_holds(const split_case *c)
{
    site s;
    pt_bytes edit;
    uint64_t next = PARTITION_NEXT;
    make_site(&s, c);
    pt_bytes_init(&edit, sim_peat(s.sim));
    peat_rc rc = pt_split_edit(sim_peat(s.sim), &s.plan, TARGET, &next, &edit);
    bool good = is(c->rule, "the result", (uint64_t)rc, PEAT_OK) && edit_is(&s, c, &edit, next);
    pt_bytes_done(&edit);
    sim_end(s.sim);
    return good;
}

static void cases_hold(const split_case *cases, size_t count)
{
    size_t failed = 0;
    for (size_t i = 0; i < count; i++)
        failed += !case_holds(&cases[i]);
    assert_int_equal(failed, 0);
}

/* ---- the tests ---- */

TEST(a_run_is_cut_at_tables_into_parts_of_about_the_target)
{
    cases_hold(cuts, PT_COUNT_OF(cuts));
}

TEST(every_part_gets_its_share_of_the_slices)
{
    cases_hold(shares, PT_COUNT_OF(shares));
}

/* Each allocation fails once, until none is left to fail. */
TEST(without_memory_there_is_no_edit_and_nothing_is_held)
{
    peat_rc rc = PEAT_NOMEM;
    uint64_t n = 0;
    while (rc != PEAT_OK) {
        site s;
        pt_bytes edit;
        uint64_t next = PARTITION_NEXT;
        make_site(&s, &shares[1]);
        unsigned fault = sim_fail(s.sim, .kinds = SIM_MEMORY, .at = ++n, .error = ENOMEM);
        pt_bytes_init(&edit, sim_peat(s.sim));
        rc = pt_split_edit(sim_peat(s.sim), &s.plan, TARGET, &next, &edit);
        assert_int_equal(rc, sim_fault_hits(s.sim, fault) == 0 ? PEAT_OK : PEAT_NOMEM);
        pt_bytes_done(&edit);
        sim_end(s.sim);
    }
    assert_true(n > 2); /* the shares, and the edit */
}
