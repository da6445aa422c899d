/* SPDX-License-Identifier: MIT */
/* estimate.c - see estimate.h. */
#include "compact/estimate.h"

/* Up to so many entries are all asked for, about half a microsecond each; from then on fewer, but
 * never fewer than one in SAMPLE_MAX. */
#define ASKED_ENOUGH 4096u
#define SAMPLE_MAX   32u
/* An entry of so many bytes is always asked for: a memtable has not many of them. */
#define LARGE_BYTES 4096u
/* The first claims are all looked up, later ones ever more seldom: at most so many for each
 * doubling of their number. */
#define CLAIMS_LOOKED_UP 16u
/* Of the samples that only a block can answer for, one in so many is worth reading it. */
#define READ_ONE_IN 8u

static bool has_large(const pt_layer *layers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pt_table_has_large(layers[i].table_ref->table))
            return true;
    return false;
}

static bool any_large(const pt_estimate *e)
{
    bool any = false;
    unsigned slot = pt_epoch_enter(e->epoch);
    for (size_t i = 0; i < e->version->count && !any; i++) {
        const pt_partition *p = e->version->partitions[i];
        any = has_large(p->runs, p->run_count) || has_large(p->bottom, p->bottom_count);
    }
    pt_epoch_exit(e->epoch, slot);
    return any;
}

void pt_estimate_init(pt_estimate *e, const pt_version *v, pt_epoch *epoch, uint64_t entries)
{
    *e = (pt_estimate){.version = v, .epoch = epoch, .sample = 1};
    while (e->sample < SAMPLE_MAX && entries / e->sample > ASKED_ENOUGH)
        e->sample *= 2;
    e->any_large = e->sample > 1 && any_large(e);
}

/* An older layer has a large entry there, which may be that of this key. */
static bool lies_on_large(const pt_estimate *e, pt_slice key, uint64_t key_hash)
{
    const pt_partition *p = e->version->partitions[pt_version_partition_of(e->version, key)];
    unsigned slot = pt_epoch_enter(e->epoch);
    bool large = false;
    for (size_t i = 0; i < p->run_count && !large; i++)
        large = pt_table_large_at(p->runs[i].table_ref->table, key, key_hash);
    size_t n = large ? 0 : pt_key_index_upper(&p->bottom_index, key);
    if (n != 0)
        large = pt_table_large_at(p->bottom[n - 1].table_ref->table, key, key_hash);
    pt_epoch_exit(e->epoch, slot);
    return large;
}

/* The table was asked by filter or locator before its block was. */
static bool was_asked(const pt_table *t)
{
    return pt_table_loaded(t, PT_SECTION_FILTER) || pt_table_loaded(t, PT_SECTION_LOCATOR);
}

/* *ret_bytes: of the mean entry in the block where the lookup stands. */
static pt_find step(pt_lookup *l, const pt_estimate *e, double *ret_bytes)
{
    unsigned slot = pt_epoch_enter(e->epoch);
    pt_find f = pt_lookup_step(l, e->version);
    *ret_bytes = f == PT_FIND_FOUND || f == PT_FIND_NEED_BLOCK
                     ? (double)pt_table_entry_bytes(l->table_ref->table, l->found.block)
                     : 0;
    pt_epoch_exit(e->epoch, slot);
    return f;
}

static bool worth_looking_up(pt_estimate *e)
{
    uint64_t n = e->claims++, every = 1;
    while (n / every >= CLAIMS_LOOKED_UP)
        every *= 2;
    return n % every == 0;
}

/* What a claim that is not looked up is worth. */
static double believed(const pt_estimate *e)
{
    return e->looked_up_bytes > 0 ? e->confirmed_bytes / e->looked_up_bytes : 1.0;
}

/* In a block, so there for certain; what a tombstone takes is charged when it is written. */
static double found_bytes(pt_estimate *e, const pt_lookup *l, double bytes, bool claimed)
{
    bool put = pt_kind_has_value(l->found.entry.kind);
    if (claimed && put)
        e->confirmed_bytes += bytes;
    return put ? bytes : 0;
}

static double hidden_by(pt_estimate *e, pt_slice key, uint64_t key_hash)
{
    pt_lookup l;
    double bytes, weight = 1, hidden = 0;
    bool claimed = false; /* by a filter, and being looked up */
    pt_lookup_begin(&l, key, key_hash, PT_SEQ_MAX);
    l.hint = PT_FETCH_ONCE;
    for (;;) {
        pt_find f = step(&l, e, &bytes);
        if (f == PT_FIND_FOUND)
            hidden = found_bytes(e, &l, bytes, claimed) * weight;
        if (f != PT_FIND_NEED_SECTION && f != PT_FIND_NEED_BLOCK)
            break;
        if (f == PT_FIND_NEED_BLOCK && was_asked(l.table_ref->table)) {
            if (!worth_looking_up(e)) {
                hidden = bytes * believed(e);
                break;
            }
            e->looked_up_bytes += bytes;
            claimed = true;
        } else if (f == PT_FIND_NEED_BLOCK) {
            if ((key_hash >> 48) % READ_ONE_IN != 0)
                break;
            weight = READ_ONE_IN;
        }
        if (pt_lookup_fetch(&l) != PEAT_OK)
            break;
    }
    pt_lookup_done(&l);
    return hidden;
}

uint64_t pt_estimate_hidden(pt_estimate *e, const pt_entry *entry, uint64_t key_hash)
{
    bool all = entry->value.size >= LARGE_BYTES ||
               (e->any_large && lies_on_large(e, entry->key, key_hash));
    if (!all && (key_hash >> 40) % e->sample != 0)
        return 0;
    double hidden = hidden_by(e, entry->key, key_hash);
    return (uint64_t)(all ? hidden : hidden * e->sample);
}
