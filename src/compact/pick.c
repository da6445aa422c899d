/* SPDX-License-Identifier: MIT */
/* pick.c - see pick.h. */
#include "compact/pick.h"

/* A mid merge takes at least this many slices: fewer would rewrite bytes for little. */
#define MID_SLICES_MIN 4u
/* Neighbours are merged into one mid file up to this many input bytes: long sequential writes, and
 * a unit that ends within a second. */
#define MID_BYTES_MAX ((uint64_t)64 << 20)

static bool claimed(const pt_pick_options *o, const pt_partition *p)
{
    for (size_t i = 0; i < o->claimed_count; i++)
        if (o->claimed[i] == p->id)
            return true;
    return false;
}

static uint64_t total_bytes(const pt_partition *p)
{
    return p->slice_bytes + p->bottom_bytes;
}

static double space_score(const pt_partition *p, double space_target)
{
    uint64_t total = total_bytes(p);
    /* what the bottom run keeps for snapshots is no debt: a merge would not free it */
    uint64_t obsolete = pt_min_u64(p->slice_obsolete_bytes, total);
    double allowed = (space_target - 1.0) * (double)(total - obsolete);
    return obsolete == 0 ? 0.0 : (double)obsolete / (allowed + 1.0);
}

static double read_score(const pt_partition *p, size_t slices_max)
{
    return (double)p->slice_count / (double)slices_max;
}

/* Entries that are small are not worth counting. */
#define LARGE_ENTRY_BYTES ((uint64_t)64 << 10)

static double held_score(const pt_partition *p, uint64_t held_bytes_max)
{
    uint64_t held = 0;
    for (size_t i = 0; i < p->slice_count; i++) {
        const pt_layer *l = &p->slices[i];
        uint64_t mean = l->entries != 0 ? l->bytes / l->entries : 0;
        held += mean >= LARGE_ENTRY_BYTES ? mean : 0;
    }
    return held_bytes_max != 0 ? (double)held / (double)held_bytes_max : 0.0;
}

static double score_of(const pt_partition *p, const pt_pick_options *o)
{
    double s = space_score(p, o->space_target), r = read_score(p, o->slices_max);
    double h = held_score(p, o->held_bytes_max);
    return s > r ? (s > h ? s : h) : (r > h ? r : h);
}

static bool in_range(const pt_version *v, const pt_pick_options *o, size_t i)
{
    pt_slice upper = pt_version_upper(v, i);
    if (o->upper.data != NULL && pt_slice_compare(v->partitions[i]->lower, o->upper) >= 0)
        return false;
    return upper.data == NULL || pt_slice_compare(upper, o->lower) > 0;
}

/* The worst partition's score; its index, or SIZE_MAX when none may be touched. */
static double worst(const pt_version *v, const pt_pick_options *o, size_t *ret_at)
{
    double most = -1.0;
    *ret_at = SIZE_MAX;
    for (size_t i = 0; i < v->count; i++) {
        const pt_partition *p = v->partitions[i];
        if (claimed(o, p) || !in_range(v, o, i))
            continue;
        double score = score_of(p, o);
        if (score > most) {
            most = score;
            *ret_at = i;
        }
    }
    return most;
}

/* From the newest slice on, as many as are of the same order of size, and of so many entries. */
static pt_merge_part mid_part(const pt_partition *p, uint64_t entries_max)
{
    uint64_t sum = 0, entries = 0;
    size_t n = 0;
    while (n < p->slice_count && (n < MID_SLICES_MIN || p->slices[n].bytes <= sum) &&
           entries + p->slices[n].entries <= entries_max) {
        entries += p->slices[n].entries;
        sum += p->slices[n++].bytes;
    }
    return (pt_merge_part){.slice_from = 0, .slice_count = n};
}

static void part_size(const pt_partition *p, const pt_merge_part *part, uint64_t *ret_bytes,
                      uint64_t *ret_entries)
{
    *ret_bytes = *ret_entries = 0;
    for (size_t i = 0; i < part->slice_count; i++) {
        *ret_bytes += p->slices[part->slice_from + i].bytes;
        *ret_entries += p->slices[part->slice_from + i].entries;
    }
}

/* False when the slices are too large for one file. */
static bool pick_mid(const pt_version *v, const pt_pick_options *o, size_t at, pt_merge_pick *pick)
{
    uint64_t entries_max = o->entries_max != 0 ? o->entries_max : UINT64_MAX, all_entries = 0;
    *pick = (pt_merge_pick){.kind = PT_MERGE_MID, .first = at};
    for (size_t i = at; i < v->count && pick->count < PT_MERGE_PARTS_MAX; i++) {
        const pt_partition *p = v->partitions[i];
        /* a neighbour joins when it is nearly due itself */
        if (i != at && (claimed(o, p) || read_score(p, o->slices_max) < 0.75 ||
                        p->slice_bytes >= p->bottom_bytes))
            break;
        pt_merge_part part = mid_part(p, entries_max);
        uint64_t bytes, entries;
        part_size(p, &part, &bytes, &entries);
        if (i == at && part.slice_count < 2)
            return false;
        if (i != at && (part.slice_count < 2 || all_entries + entries > entries_max ||
                        pick->bytes + bytes > MID_BYTES_MAX))
            break;
        pick->parts[pick->count++] = part;
        pick->bytes += bytes;
        all_entries += entries;
    }
    return true;
}

/* The partition as a whole, and neighbours to its right while they are small together. */
static void pick_bottom(const pt_version *v, const pt_pick_options *o, size_t at,
                        pt_merge_pick *pick)
{
    *pick = (pt_merge_pick){.kind = PT_MERGE_BOTTOM, .first = at};
    for (size_t i = at; i < v->count && pick->count < PT_MERGE_PARTS_MAX; i++) {
        const pt_partition *p = v->partitions[i];
        if (i != at && (claimed(o, p) || !in_range(v, o, i) ||
                        pick->bytes + total_bytes(p) > o->partition_bytes / 4))
            break;
        pick->parts[pick->count++] = (pt_merge_part){.slice_count = p->slice_count};
        pick->bytes += total_bytes(p);
    }
}

static bool wants_split(const pt_partition *p, const pt_pick_options *o)
{
    return p->bottom_bytes >= 2 * o->partition_bytes && p->bottom_count >= 2;
}

static size_t united(const pt_version *v, const pt_pick_options *o, size_t at)
{
    size_t n = 0;
    uint64_t bytes = 0;
    while (at + n < v->count && n < PT_MERGE_PARTS_MAX) {
        const pt_partition *p = v->partitions[at + n];
        bytes += p->bottom_bytes;
        if (p->slice_count != 0 || claimed(o, p) || bytes > o->partition_bytes)
            break;
        n++;
    }
    return n;
}

/* Changes of the manifest alone. A union asks for at least four, so that it does not come back
 * after every growth of the target. */
pt_unit pt_pick_shape(const pt_version *v, const pt_pick_options *o, pt_merge_pick *pick)
{
    for (size_t i = 0; i < v->count; i++) {
        pick->first = i;
        pick->count = 1;
        if (!claimed(o, v->partitions[i]) && wants_split(v->partitions[i], o))
            return PT_UNIT_SPLIT;
        pick->count = united(v, o, i);
        if (pick->count >= 4)
            return PT_UNIT_UNITE;
        if (pick->count > 1)
            i += pick->count - 1;
    }
    return PT_UNIT_NONE;
}

/* Many more tables in the bottom run than its entries need: what many small appends leave behind.
 * Counted in raw bytes, so that a rewrite leaves fewer whatever the codec makes of them. */
static bool crumbs(const pt_partition *p, const pt_pick_options *o)
{
    uint64_t raw = 0, entries = 0;
    for (size_t i = 0; i < p->bottom_count; i++) {
        raw += p->bottom[i].tref->meta->key_bytes + p->bottom[i].tref->meta->value_bytes;
        entries += p->bottom[i].tref->meta->entries;
    }
    uint64_t needed = raw / o->table_bytes + 1;
    if (o->entries_max != 0)
        needed += entries / o->entries_max;
    return p->bottom_count >= 8 && p->bottom_count > 4 * needed;
}

/* The bottom run keeps versions or tombstones that no snapshot needs any more. */
static bool leftovers(const pt_partition *p, const pt_pick_options *o)
{
    for (size_t i = 0; i < p->bottom_count; i++)
        if (p->bottom[i].obsolete_bytes != 0 &&
            p->bottom[i].tref->meta->seq_max <= o->oldest_snapshot)
            return true;
    return false;
}

static bool pick_idle(const pt_version *v, const pt_pick_options *o, pt_merge_pick *pick)
{
    for (size_t i = 0; i < v->count; i++) {
        const pt_partition *p = v->partitions[i];
        if (claimed(o, p) || !in_range(v, o, i) ||
            (p->slice_count == 0 && !crumbs(p, o) && !leftovers(p, o)))
            continue;
        pick_bottom(v, o, i, pick);
        return true;
    }
    return false;
}

pt_unit pt_pick(const pt_version *v, const pt_pick_options *o, pt_merge_pick *ret_pick)
{
    size_t at;
    double score = worst(v, o, &at);
    if (at != SIZE_MAX && score >= 1.0) {
        const pt_partition *p = v->partitions[at];
        bool space = space_score(p, o->space_target) >= 1.0 && p->slice_count != 0;
        bool heavy = p->slice_bytes >= p->bottom_bytes || held_score(p, o->held_bytes_max) >= 1.0;
        if (p->slice_count != 0 && (space || heavy || !pick_mid(v, o, at, ret_pick)))
            pick_bottom(v, o, at, ret_pick);
        if (p->slice_count != 0)
            return PT_UNIT_MERGE;
    }
    pt_unit shape = pt_pick_shape(v, o, ret_pick);
    if (shape != PT_UNIT_NONE)
        return shape;
    return o->idle && pick_idle(v, o, ret_pick) ? PT_UNIT_MERGE : PT_UNIT_NONE;
}

double pt_pick_pressure(const pt_version *v, const pt_pick_options *o)
{
    size_t at;
    double score = worst(v, o, &at);
    return score < 0 ? 0 : score;
}

uint64_t pt_pick_space_debt(const pt_version *v, double space_target)
{
    double debt = 0;
    for (size_t i = 0; i < v->count; i++) {
        const pt_partition *p = v->partitions[i];
        double obsolete = (double)pt_min_u64(p->obsolete_bytes, total_bytes(p));
        double allowed = (space_target - 1.0) * ((double)total_bytes(p) - obsolete);
        debt += obsolete > allowed ? obsolete - allowed : 0;
    }
    return (uint64_t)debt;
}
