/* SPDX-License-Identifier: MIT */
/*
 * budget.c - see budget.h. What is loaded of indexes, filters and locators is counted by the tables
 * themselves; when it is over the budget, locators are let go and done without, then filters.
 * Indexes are needed by every read, so they are let go last, each partition's in its turn, and come
 * back with the next read.
 */
#include "state/budget.h"

/* Bytes per entry: a locator's cell at the fill rate of a binary fuse map, see locator.h. */
#define LOCATOR_BYTES_PER_ENTRY 2.5

bool pt_budget_locators_overflow(pt_store *s, const pt_version *v)
{
    uint64_t entries = 0;
    for (size_t i = 0; i < v->count; i++)
        entries += v->partitions[i]->entries;
    return (double)entries * LOCATOR_BYTES_PER_ENTRY > (double)s->settings.metadata_bytes / 2;
}

static uint64_t loaded_bytes(const pt_open_tables *open_tables)
{
    return atomic_load_explicit(&open_tables->files.section_bytes, memory_order_relaxed);
}

static void let_go(pt_table *t, pt_section section, const pt_table *keep)
{
    if (!pt_table_loaded(t, section))
        return;
    if (section != PT_SECTION_INDEX)
        pt_table_deny(t, section, true);
    else if (t == keep || pt_table_section_shared(t, section))
        return;
    pt_table_unload(t, section);
}

/* Sections are given as many 32nds of the memory as they need, and a quarter of one more. */
#define SECTION_STEPS 32u

void pt_budget_divide(pt_store *s)
{
    const pt_settings *set = &s->settings;
    pt_mutex_lock(&s->budget.mu);
    uint64_t step = set->memory_bytes / SECTION_STEPS;
    uint64_t steps = (loaded_bytes(&s->open_tables) + step / 4) / step + 1;
    uint64_t sections = pt_min_u64(steps * step, set->metadata_bytes);
    uint64_t writing = atomic_load(&s->budget.lent) ? set->resting_bytes : set->writing_bytes;
    uint64_t others = sections + set->ahead_bytes + writing;
    uint64_t rest = set->memory_bytes > others ? set->memory_bytes - others : 0;
    size_t bytes = (size_t)pt_max_u64(rest, set->cache_bytes);
    /* relaxed: a later look is as good */
    atomic_store_explicit(&s->budget.section_bytes, sections, memory_order_relaxed);
    if (bytes != s->budget.cache_bytes)
        pt_cache_limit(s->cache, bytes);
    s->budget.cache_bytes = bytes;
    pt_mutex_unlock(&s->budget.mu);
}

void pt_budget_lend(pt_store *s)
{
    atomic_store(&s->budget.lent, true);
    pt_budget_divide(s);
}

void pt_budget_take_back(pt_store *s)
{
    if (PT_LIKELY(!atomic_load_explicit(&s->budget.lent, memory_order_relaxed)) ||
        !atomic_exchange(&s->budget.lent, false))
        return;
    pt_budget_divide(s);
}

/* More than they have been given, or so much less that the cache should have it. */
static bool is_division_off(pt_store *s)
{
    uint64_t loaded = loaded_bytes(&s->open_tables),
             step = s->settings.memory_bytes / SECTION_STEPS;
    uint64_t given = atomic_load_explicit(&s->budget.section_bytes, memory_order_relaxed);
    return PT_UNLIKELY((loaded > given && given < s->settings.metadata_bytes) ||
                       loaded + 3 * step < given);
}

typedef struct visit {
    pt_open_tables *open_tables;
    const pt_version *version;
    uint64_t budget;
    const pt_table *keep; /* its index is needed now; may be NULL */
} visit;

static void visit_layers(const visit *v, const pt_layer *layers, size_t count, pt_section section)
{
    for (size_t i = 0; i < count && loaded_bytes(v->open_tables) > v->budget; i++)
        let_go(layers[i].table_ref->table, section, v->keep);
}

/* From partition `from` on, round. Returns where the next call should go on. */
static size_t visit_all(const visit *v, pt_section section, size_t from)
{
    size_t count = v->version->count;
    for (size_t n = 0; n < count && loaded_bytes(v->open_tables) > v->budget; n++, from++) {
        const pt_partition *p = v->version->partitions[from % count];
        visit_layers(v, p->runs, p->run_count, section);
        visit_layers(v, p->bottom, p->bottom_count, section);
    }
    return from % count;
}

static void enforce(const visit *v)
{
    (void)visit_all(v, PT_SECTION_LOCATOR, 0); /* always the same ones: no turns */
    (void)visit_all(v, PT_SECTION_FILTER, 0);
    v->open_tables->hand = visit_all(v, PT_SECTION_INDEX, v->open_tables->hand);
}

/* What is in use cannot be let go: asked again once there is a good deal more. */
void pt_budget_check_soon(pt_store *s)
{
    if (is_division_off(s))
        pt_budget_divide(s);
    uint64_t loaded = loaded_bytes(&s->open_tables);
    uint64_t left = atomic_load_explicit(&s->open_tables.left_bytes, memory_order_relaxed);
    if (PT_UNLIKELY(loaded > s->settings.metadata_bytes && loaded > left + left / 16))
        pt_budget_check(s, NULL);
}

void pt_budget_check(pt_store *s, const pt_table *keep)
{
    if (is_division_off(s))
        pt_budget_divide(s);
    if (loaded_bytes(&s->open_tables) <= s->settings.metadata_bytes)
        return;
    if (atomic_exchange_explicit(&s->open_tables.letting_go, true, memory_order_acquire))
        return;
    pt_view *view = pt_store_view(s);
    visit v = {.open_tables = &s->open_tables,
               .version = view->version,
               .budget = s->settings.metadata_bytes,
               .keep = keep};
    enforce(&v);
    pt_view_unref(view);
    atomic_store_explicit(&s->open_tables.left_bytes, loaded_bytes(&s->open_tables),
                          memory_order_relaxed);
    atomic_store_explicit(&s->open_tables.letting_go, false, memory_order_release);
    pt_epoch_collect(&s->epoch);
}
