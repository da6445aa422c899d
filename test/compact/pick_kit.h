/* SPDX-License-Identifier: MIT */
/*
 * pick_kit.h - what the tests of pick.c share: versions made of literals, without a store or a
 * file, and cases that say which unit is due in one.
 */
#ifndef PT_TEST_PICK_KIT_H
#define PT_TEST_PICK_KIT_H

#include "compact/pick.h"
#include "world/test.h"

/* ---- a version as literals ---- */

/* Layers that are alike. A list of them ends at the first without bytes. */
typedef struct layer_spec {
    size_t n; /* how many; 0: one */
    uint64_t bytes, entries, obsolete;
    uint64_t seq_max;      /* of the table */
    uint32_t kept_for;     /* so many snapshots, when it was written */
    uint64_t raw;          /* its keys and values */
    uint64_t blocks, live; /* its blocks, and what of them layers of the version take */
} layer_spec;

/* Partitions that are alike. A list of them ends at the first that says nothing. */
typedef struct part_spec {
    size_t n; /* how many; 0: one */
    layer_spec runs[7], bottom[3];
} part_spec;

#define KIT_SPECS      6
#define KIT_PARTITIONS 80
#define KIT_LAYERS     512

/* Partition i has the id 100 + i, and holds the keys from the letter 'A' + i on, the first one also
 * all before. */
typedef struct world {
    pt_version version;
    pt_partition partitions[KIT_PARTITIONS], *pointers[KIT_PARTITIONS];
    uint8_t lower[KIT_PARTITIONS];
    pt_layer layers[KIT_LAYERS];
    pt_table_ref table_refs[KIT_LAYERS];
    pt_table_meta metas[KIT_LAYERS];
    size_t layer_count;
} world;

static inline void world_add_layer(world *w, const layer_spec *s)
{
    size_t i = w->layer_count++;
    assert_true(i < KIT_LAYERS);
    w->metas[i].entries = s->entries;
    w->metas[i].key_bytes = s->raw / 4;
    w->metas[i].value_bytes = s->raw - s->raw / 4;
    w->metas[i].seq_max = s->seq_max;
    w->metas[i].section[PT_SECTION_INDEX].offset = s->blocks;
    w->table_refs[i].meta = &w->metas[i];
    atomic_store(&w->table_refs[i].live_bytes, s->live);
    atomic_store(&w->table_refs[i].kept_for, s->kept_for);
    w->layers[i] = (pt_layer){.table_ref = &w->table_refs[i],
                              .bytes = s->bytes,
                              .entries = s->entries,
                              .obsolete_bytes = s->obsolete};
}

/* Returns the first of the list. */
static inline pt_layer *world_add_layers(world *w, const layer_spec *specs, size_t specs_max,
                                         size_t *ret_count)
{
    pt_layer *first = &w->layers[w->layer_count];
    for (size_t i = 0; i < specs_max && specs[i].bytes != 0; i++)
        for (size_t n = 0; n < (specs[i].n != 0 ? specs[i].n : 1); n++)
            world_add_layer(w, &specs[i]);
    *ret_count = (size_t)(&w->layers[w->layer_count] - first);
    return first;
}

static inline void world_add_partition(world *w, const part_spec *s)
{
    size_t i = w->version.count++;
    assert_true(i < KIT_PARTITIONS);
    pt_partition *p = &w->partitions[i];
    w->lower[i] = (uint8_t)('A' + i);
    w->pointers[i] = p;
    p->id = 100 + i;
    p->lower = pt_slice_of(&w->lower[i], i != 0 ? 1 : 0);
    p->runs = world_add_layers(w, s->runs, PT_COUNT_OF(s->runs), &p->run_count);
    p->bottom = world_add_layers(w, s->bottom, PT_COUNT_OF(s->bottom), &p->bottom_count);
    for (size_t j = 0; j < p->run_count; j++) {
        p->run_bytes += p->runs[j].bytes;
        p->run_obsolete_bytes += p->runs[j].obsolete_bytes;
    }
    p->obsolete_bytes = p->run_obsolete_bytes;
    for (size_t j = 0; j < p->bottom_count; j++) {
        p->bottom_bytes += p->bottom[j].bytes;
        p->obsolete_bytes += p->bottom[j].obsolete_bytes;
    }
}

static inline bool part_spec_ends(const part_spec *s)
{
    return s->n == 0 && s->runs[0].bytes == 0 && s->bottom[0].bytes == 0;
}

/* One at a time: the next call takes the same memory. */
static inline const pt_version *kit_version(const part_spec parts[KIT_SPECS])
{
    static world w;
    memset(&w, 0, sizeof w);
    w.version.partitions = w.pointers;
    for (size_t i = 0; i < KIT_SPECS && !part_spec_ends(&parts[i]); i++)
        for (size_t n = 0; n < (parts[i].n != 0 ? parts[i].n : 1); n++)
            world_add_partition(&w, &parts[i]);
    return &w.version;
}

/* ---- options as literals ---- */

#define CLAIMED(...)                                                                               \
    .claimed = (const uint64_t[]){__VA_ARGS__},                                                    \
    .claimed_count = PT_COUNT_OF(((const uint64_t[]){__VA_ARGS__}))
#define KEY(text)                                                                                  \
    {                                                                                              \
        .data = (const uint8_t *)(text), .size = sizeof(text) - 1                                  \
    }

/* What is 0 gets its usual value. A partition has 3200 bytes, so its slack is 100; with the target
 * of 1.25, obsolete bytes are due from a quarter of the live ones + 101 on. No snapshot is open. */
static inline pt_pick_options kit_options(const pt_pick_options *said)
{
    pt_pick_options o = *said;
    o.partition_bytes = o.partition_bytes != 0 ? o.partition_bytes : 3200;
    o.table_bytes = o.table_bytes != 0 ? o.table_bytes : 400;
    o.space_target = o.space_target > 0 ? o.space_target : 1.25;
    o.space_due = o.space_due > 0 ? o.space_due : 1.0;
    o.runs_max = o.runs_max != 0 ? o.runs_max : 4;
    return o;
}

/* ---- cases ---- */

typedef enum due { NOTHING, MID, BOTTOM, SPLIT, UNITE } due;

typedef struct pick_expected {
    due due;
    size_t first;
    size_t count;           /* of partitions; 0: one */
    size_t runs[4];         /* of each partition; those beyond are like the last */
    uint64_t bytes, writes; /* of merges */
    bool on_credit;
} pick_expected;

typedef struct pick_case {
    const char *rule;
    part_spec parts[KIT_SPECS];
    pt_pick_options options;
    pick_expected expected;
} pick_case;

static inline bool case_agrees(const char *rule, const char *what, uint64_t found,
                               uint64_t expected)
{
    if (found != expected)
        print_error("\"%s\": %s is %llu, expected %llu\n", rule, what, (unsigned long long)found,
                    (unsigned long long)expected);
    return found == expected;
}

static inline due due_of(pt_unit unit, const pt_merge_pick *pick)
{
    switch (unit) {
    case PT_UNIT_MERGE:
        return pick->kind == PT_MERGE_INTERMEDIATE ? MID : BOTTOM;
    case PT_UNIT_SPLIT:
        return SPLIT;
    case PT_UNIT_UNITE:
        return UNITE;
    case PT_UNIT_NONE:
        break;
    }
    return NOTHING;
}

static inline bool merge_agrees(const pick_case *c, const pt_merge_pick *pick)
{
    const pick_expected *e = &c->expected;
    bool good = case_agrees(c->rule, "bytes", pick->bytes, e->bytes);
    good = case_agrees(c->rule, "write_bytes", pick->write_bytes, e->writes) && good;
    good = case_agrees(c->rule, "on_credit", pick->on_credit, e->on_credit) && good;
    for (size_t i = 0; i < pick->count && i < PT_MERGE_PARTS_MAX; i++) {
        size_t expected = e->runs[pt_min_u64(i, PT_COUNT_OF(e->runs) - 1)];
        good = case_agrees(c->rule, "run_from", pick->parts[i].run_from, 0) && good;
        good = case_agrees(c->rule, "run_count", pick->parts[i].run_count, expected) && good;
    }
    return good;
}

typedef pt_unit pick_function(const pt_version *, const pt_pick_options *, pt_merge_pick *);

static inline bool case_holds(const pick_case *c, pick_function *choose)
{
    static const char *const names[] = {"nothing", "an intermediate merge", "a bottommost merge",
                                        "a split", "a union"};
    const pick_expected *e = &c->expected;
    pt_merge_pick pick;
    memset(&pick, 0, sizeof pick);
    pick.bytes = pick.write_bytes = pick.first = pick.count = 77; /* left over from before */
    pick.on_credit = true;
    pt_pick_options o = kit_options(&c->options);
    due found = due_of(choose(kit_version(c->parts), &o, &pick), &pick);
    if (found != e->due)
        print_error("\"%s\": due is %s, expected %s\n", c->rule, names[found], names[e->due]);
    if (found != e->due || found == NOTHING)
        return found == e->due;
    bool good = case_agrees(c->rule, "first", pick.first, e->first);
    good = case_agrees(c->rule, "count", pick.count, e->count != 0 ? e->count : 1) && good;
    return (found == SPLIT || found == UNITE || merge_agrees(c, &pick)) && good;
}

/* Every case that fails is named. */
static inline void cases_hold(const pick_case *cases, size_t count, pick_function *choose)
{
    size_t failed = 0;
    for (size_t i = 0; i < count; i++)
        failed += !case_holds(&cases[i], choose);
    assert_int_equal(failed, 0);
}

#define TEST_CASES(name, cases, choose)                                                            \
    TEST(name)                                                                                     \
    {                                                                                              \
        cases_hold(cases, PT_COUNT_OF(cases), choose);                                             \
    }

#endif
