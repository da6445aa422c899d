/* SPDX-License-Identifier: MIT */
/* test_kinds.c - what each kind of entry means, as a table of literals. */
#include "entry/entry.h"
#include "world/test.h"

typedef struct meaning {
    unsigned number;
    bool known;
    pt_resolution seen; /* by a reader at its sequence or later */
    bool drops;
} meaning;

/* What is reserved says nothing and stays. */
static const meaning meanings[] = {
    {0, false, PT_RESOLVED_MORE, false}, {1, true, PT_RESOLVED_ABSENT, true},
    {2, true, PT_RESOLVED_VALUE, false}, {3, false, PT_RESOLVED_MORE, false},
    {4, false, PT_RESOLVED_MORE, false}, {5, false, PT_RESOLVED_MORE, false},
    {6, false, PT_RESOLVED_MORE, false}, {7, false, PT_RESOLVED_MORE, false},
    {8, false, PT_RESOLVED_MORE, false}, {255, false, PT_RESOLVED_MORE, false},
};

TEST(kinds_mean_what_the_table_says)
{
    for (size_t i = 0; i < PT_COUNT_OF(meanings); i++) {
        const meaning *m = &meanings[i];
        assert_int_equal(pt_kind_known(m->number), m->known);
        assert_int_equal(pt_kind_resolution((pt_kind)m->number), m->seen);
        assert_int_equal(pt_kind_has_value((pt_kind)m->number), m->seen == PT_RESOLVED_VALUE);
        assert_int_equal(pt_kind_drops((pt_kind)m->number), m->drops);
    }
}

TEST(numbers_on_disk_stay)
{
    assert_int_equal(PT_KIND_DELETE, 1);
    assert_int_equal(PT_KIND_PUT, 2);
}

TEST(a_version_is_seen_from_its_sequence_on)
{
    static const struct {
        pt_kind kind;
        uint64_t seq, at;
        pt_resolution expected;
    } cases[] = {
        {PT_KIND_PUT, 5, 4, PT_RESOLVED_MORE},
        {PT_KIND_PUT, 5, 5, PT_RESOLVED_VALUE},
        {PT_KIND_PUT, 5, 6, PT_RESOLVED_VALUE},
        {PT_KIND_PUT, 0, 0, PT_RESOLVED_VALUE},
        {PT_KIND_DELETE, 5, 4, PT_RESOLVED_MORE},
        {PT_KIND_DELETE, 5, 5, PT_RESOLVED_ABSENT},
        {PT_KIND_DELETE, 0, 0, PT_RESOLVED_ABSENT},
        {PT_KIND_PUT, PT_SEQ_MAX, PT_SEQ_MAX - 1, PT_RESOLVED_MORE},
        {PT_KIND_PUT, PT_SEQ_MAX, PT_SEQ_MAX, PT_RESOLVED_VALUE},
    };
    for (size_t i = 0; i < PT_COUNT_OF(cases); i++) {
        pt_entry e = {.kind = cases[i].kind, .seq = cases[i].seq};
        assert_int_equal(pt_entry_resolution(&e, cases[i].at), cases[i].expected);
    }
}
