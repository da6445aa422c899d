/* SPDX-License-Identifier: MIT */
/*
 * budget.c - the memory of tables' sections (index, filter, locator) held to its share: when what
 * is loaded is over the budget, sections are let go and done without: locators first, then filters,
 * indexes never.
 */
#include "db/store.h"

/* Bytes per entry: a locator word at the fill rate of a binary fuse map, see locator.h. */
#define LOCATOR_BYTES_PER_ENTRY 5u

bool pt_locators_overflow(pt_store *s, const pt_version *v)
{
    uint64_t entries = 0;
    for (size_t i = 0; i < v->count; i++)
        entries += v->partitions[i]->entries;
    return entries * LOCATOR_BYTES_PER_ENTRY > s->settings.metadata_bytes / 2;
}

typedef struct tally {
    uint64_t bytes; /* loaded, all sections */
    uint64_t let_go;
    uint64_t budget;
    pt_section section; /* being let go; PT_SECTION_COUNT: only counting */
} tally;

static void visit_table(tally *t, const pt_layer *l)
{
    pt_table *table = l->tref->table;
    for (int i = 0; i < PT_SECTION_COUNT; i++) {
        pt_section section = (pt_section)i;
        if (!pt_table_loaded(table, section))
            continue;
        size_t bytes = pt_table_section_memory(table, section);
        if (t->section == PT_SECTION_COUNT)
            t->bytes += bytes;
        else if (t->section == section && t->bytes > t->budget) {
            pt_table_deny(table, section, true);
            pt_table_unload(table, section);
            t->bytes -= bytes;
            t->let_go += bytes;
        }
    }
}

static void visit_all(tally *t, const pt_version *v)
{
    for (size_t i = 0; i < v->count; i++) {
        const pt_partition *p = v->partitions[i];
        for (size_t j = 0; j < p->slice_count; j++)
            visit_table(t, &p->slices[j]);
        for (size_t j = 0; j < p->bottom_count; j++)
            visit_table(t, &p->bottom[j]);
    }
}

uint64_t pt_budget_metadata(const pt_version *v)
{
    tally t = {.section = PT_SECTION_COUNT};
    visit_all(&t, v);
    return t.bytes;
}

static void enforce(pt_store *s, const pt_version *v)
{
    tally t = {.section = PT_SECTION_COUNT, .budget = s->settings.metadata_bytes};
    visit_all(&t, v);
    static const pt_section order[] = {PT_SECTION_LOCATOR, PT_SECTION_FILTER};
    for (size_t i = 0; i < PT_COUNT_OF(order) && t.bytes > t.budget; i++) {
        t.section = order[i];
        visit_all(&t, v);
    }
    if (t.let_go != 0)
        pt_epoch_collect(&s->epoch);
}

void pt_budget_check(pt_store *s)
{
    pt_view *v = pt_store_view(s);
    enforce(s, v->version);
    pt_view_unref(v);
}
