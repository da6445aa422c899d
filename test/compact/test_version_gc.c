/* SPDX-License-Identifier: MIT */
/*
 * test_version_gc.c - which versions a flush or merge keeps, as tables of literals. A case is
 * written as the snapshots that are open, then versions in entry order: a letter for the key, a put
 * or a tombstone, the sequence; and what becomes of it: kept with which sequence, or gone.
 */
#include "compact/version_gc.h"
#include "world/sim.h"

#define GONE         UINT64_MAX
#define VERSIONS_MAX 8u
#define PUT          PT_KIND_PUT
#define DEL          PT_KIND_DELETE

typedef struct version {
    const char *key;
    pt_kind kind;
    uint64_t seq;
    uint64_t kept; /* with this sequence, or GONE */
} version;

typedef struct gc_case {
    const char *rule;
    bool bottom;
    uint64_t snapshots[3]; /* ascending; 0 ends them */
    version versions[VERSIONS_MAX];
} gc_case;

static const gc_case cases[] = {
    {"of one key the newest stays, as old as can be",
     true,
     {0},
     {{"a", PUT, 9, 0}, {"a", PUT, 7, GONE}, {"a", PUT, 3, GONE}}},
    {"other keys are others", true, {0}, {{"a", PUT, 9, 0}, {"ab", PUT, 7, 0}, {"b", PUT, 3, 0}}},
    {"and of each, though it begins as another ends",
     true,
     {0},
     {{"a", PUT, 9, 0},
      {"b", PUT, 8, 0},
      {"b", PUT, 7, GONE},
      {"bb", PUT, 6, 0},
      {"c", PUT, 5, 0}}},
    {"a snapshot keeps what it sees",
     true,
     {5},
     {{"a", PUT, 9, 9}, {"a", PUT, 7, GONE}, {"a", PUT, 5, 0}, {"a", PUT, 3, GONE}}},
    {"a snapshot at the version's own sequence sees it", true, {9}, {{"a", PUT, 9, 0}}},
    {"two snapshots with nothing between them share a version",
     true,
     {5, 6},
     {{"a", PUT, 9, 9}, {"a", PUT, 4, 0}, {"a", PUT, 3, GONE}}},
    {"each snapshot has its own",
     true,
     {3, 6},
     {{"a", PUT, 9, 9}, {"a", PUT, 6, 6}, {"a", PUT, 4, GONE}, {"a", PUT, 3, 0}}},
    {"a tombstone goes at the bottom, and what it hides",
     true,
     {0},
     {{"a", DEL, 9, GONE}, {"a", PUT, 7, GONE}, {"b", PUT, 2, 0}}},
    {"but not where older versions may lie below",
     false,
     {0},
     {{"a", DEL, 9, 0}, {"a", PUT, 7, GONE}, {"b", PUT, 2, 0}}},
    {"nor while a snapshot sees what it hides",
     true,
     {7},
     {{"a", DEL, 9, 9}, {"a", PUT, 7, 0}, {"a", DEL, 5, GONE}}},
    {"a tombstone that every snapshot sees goes",
     true,
     {9},
     {{"a", DEL, 9, GONE}, {"a", PUT, 7, GONE}}},
    {"a put over a tombstone hides it", true, {0}, {{"a", PUT, 9, 0}, {"a", DEL, 7, GONE}}},
    {"a sequence that was made 0 before is the oldest",
     true,
     {5},
     {{"a", PUT, 6, 6}, {"a", PUT, 0, 0}, {"b", DEL, 0, GONE}}},
    {"the empty key is a key", true, {0}, {{"", PUT, 9, 0}, {"", PUT, 8, GONE}, {"a", PUT, 1, 0}}},
};

static void check_version(pt_version_gc *p, const gc_case *c, size_t i)
{
    const version *v = &c->versions[i];
    pt_entry e = {.key = pt_slice_of(v->key, strlen(v->key)), .kind = v->kind, .seq = v->seq};
    bool keep = false;
    assert_ok(pt_version_gc_entry(p, &e, &keep));
    if (keep != (v->kept != GONE) || (keep && e.seq != v->kept))
        fail_msg("%s: version %zu is %s with sequence %llu", c->rule, i, keep ? "kept" : "gone",
                 (unsigned long long)e.seq);
}

TEST(versions_are_kept_as_the_table_says)
{
    for (size_t i = 0; i < PT_COUNT_OF(cases); i++) {
        const gc_case *c = &cases[i];
        pt_version_gc p;
        size_t count = 0;
        while (count < PT_COUNT_OF(c->snapshots) && c->snapshots[count] != 0)
            count++;
        pt_version_gc_init(&p, peat_env_default(), c->snapshots, count, c->bottom);
        for (size_t n = 0; n < VERSIONS_MAX && c->versions[n].key != NULL; n++)
            check_version(&p, c, n);
        pt_version_gc_done(&p);
    }
}

/* What a merge tells of an entry it keeps: whether it is there for a snapshot only, and whether a
 * table may end before it. */
TEST(what_is_kept_for_a_snapshot_is_told)
{
    static const uint64_t snapshots[] = {5};
    static const struct {
        version v;
        bool for_snapshot, same_key;
    } steps[] = {
        {{"a", PUT, 9, 9}, false, false},
        {{"a", PUT, 5, 0}, true, true},
        {{"b", DEL, 9, 9}, true, false},
        {{"c", PUT, 2, 0}, false, false},
    };
    pt_version_gc p;
    pt_version_gc_init(&p, peat_env_default(), snapshots, 1, true);
    for (size_t i = 0; i < PT_COUNT_OF(steps); i++) {
        const version *v = &steps[i].v;
        pt_entry e = {.key = pt_slice_of(v->key, strlen(v->key)), .kind = v->kind, .seq = v->seq};
        bool keep = false;
        assert_ok(pt_version_gc_entry(&p, &e, &keep));
        assert_true(keep);
        assert_int_equal(p.needed_by_snapshot, steps[i].for_snapshot);
        assert_int_equal(p.same_key, steps[i].same_key);
    }
    pt_version_gc_done(&p);
}

TEST(what_goes_is_counted)
{
    pt_version_gc p;
    bool keep;
    pt_version_gc_init(&p, peat_env_default(), NULL, 0, true);
    pt_entry newest = {.key = pt_slice_of("key", 3), .kind = PUT, .seq = 2};
    pt_entry older = {
        .key = pt_slice_of("key", 3), .value = pt_slice_of("value", 5), .kind = PUT, .seq = 1};
    assert_ok(pt_version_gc_entry(&p, &newest, &keep));
    assert_int_equal(p.dropped_bytes, 0);
    assert_ok(pt_version_gc_entry(&p, &older, &keep));
    assert_int_equal(p.dropped_bytes, 8);
    older.value.size = 2;
    assert_ok(pt_version_gc_entry(&p, &older, &keep));
    assert_int_equal(p.dropped_bytes, 8 + 5);
    pt_version_gc_done(&p);
}

/* A damaged table may say anything; what goes before its predecessor is refused. */
TEST(entries_out_of_order_are_told)
{
    static const struct {
        const char *rule;
        uint64_t snapshots[2];
        version first, second;
        peat_rc expected;
    } orders[] = {
        {"a key before the last one", {0}, {"b", PUT, 9, 0}, {"a", PUT, 8, 0}, PEAT_CORRUPT},
        {"its prefix", {0}, {"ab", PUT, 9, 0}, {"a", PUT, 8, 0}, PEAT_CORRUPT},
        {"the empty key", {0}, {"a", PUT, 9, 0}, {"", PUT, 8, 0}, PEAT_CORRUPT},
        {"a version that a snapshot tells from the older one before it",
         {5},
         {"a", PUT, 5, 0},
         {"a", PUT, 6, 0},
         PEAT_CORRUPT},
        {"one that none does, which may have been made 0 before",
         {5},
         {"a", PUT, 0, 0},
         {"a", PUT, 5, 0},
         PEAT_OK},
    };
    for (size_t i = 0; i < PT_COUNT_OF(orders); i++) {
        pt_version_gc p;
        const version *v[] = {&orders[i].first, &orders[i].second};
        pt_version_gc_init(&p, peat_env_default(), orders[i].snapshots,
                           orders[i].snapshots[0] != 0 ? 1 : 0, true);
        for (size_t n = 0; n < 2; n++) {
            pt_entry e = {.key = pt_slice_of(v[n]->key, strlen(v[n]->key)), .seq = v[n]->seq};
            bool keep = false;
            e.kind = v[n]->kind;
            peat_rc rc = pt_version_gc_entry(&p, &e, &keep);
            if (rc != (n == 0 ? PEAT_OK : orders[i].expected))
                fail_msg("%s: %s", orders[i].rule, peat_rc_name(rc));
        }
        pt_version_gc_done(&p);
    }
}

TEST(without_memory_for_a_key_nothing_is_decided)
{
    sim_env *sim = sim_new(1);
    pt_version_gc p;
    bool keep;
    pt_entry e = {.key = pt_slice_of("key", 3), .kind = PUT, .seq = 1};
    pt_version_gc_init(&p, sim_peat(sim), NULL, 0, true);
    sim_fail(sim, .kinds = SIM_MEMORY, .at = 1, .error = ENOMEM);
    assert_int_equal(pt_version_gc_entry(&p, &e, &keep), PEAT_NOMEM);
    assert_ok(pt_version_gc_entry(&p, &e, &keep)); /* what has memory gives it back */
    pt_version_gc_done(&p);
    sim_end(sim);
}
