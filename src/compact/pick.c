/* SPDX-License-Identifier: MIT */
/* pick.c - see pick.h. */
#include "compact/pick.h"

#include "compact/split.h"

/* An intermediate merge takes at least this many upper runs: fewer would rewrite bytes for little.
 *  */
#define INTERMEDIATE_RUNS_MIN 4u
/* Neighbours are merged into one intermediate file up to this many input bytes: long sequential
 * writes, and a unit that ends within a second; but no more than a partition, since its output is
 * on disk beside its inputs. */
#define INTERMEDIATE_BYTES_MAX ((uint64_t)64 << 20)

static bool claimed(const pt_pick_options *o, const pt_partition *p)
{
    for (size_t i = 0; i < o->claimed_count; i++)
        if (o->claimed[i] == p->id)
            return true;
    return false;
}

static uint64_t total_bytes(const pt_partition *p)
{
    return p->run_bytes + p->bottom_bytes;
}

/* Of what the table keeps for snapshots, what none of those that are open needs: all when none of
 * these is older than it, else the share of those that have been closed since it was written. Which
 * version is kept for which is not known; a merge that frees less than its share notes anew. */
static uint64_t releasable(const pt_layer *l, const pt_pick_options *o)
{
    uint32_t then = atomic_load_explicit(&l->table_ref->kept_for, memory_order_relaxed);
    size_t now = 0;
    while (now < o->snapshot_count && o->snapshots[now] < l->table_ref->meta->seq_max)
        now++;
    if (now == 0)
        return l->obsolete_bytes;
    if (now >= then || (now == o->snapshot_count && o->more_snapshots))
        return 0;
    return (uint64_t)((double)l->obsolete_bytes * (double)(then - now) / (double)then);
}

static uint64_t releasable_bytes(const pt_partition *p, const pt_pick_options *o)
{
    uint64_t n = 0;
    if (p->obsolete_bytes == p->run_obsolete_bytes)
        return 0;
    for (size_t i = 0; i < p->bottom_count; i++)
        n += releasable(&p->bottom[i], o);
    return n;
}

/* Merged away, it frees so much; what is kept for a snapshot is no debt. */
static uint64_t obsolete_bytes(const pt_partition *p, const pt_pick_options *o)
{
    uint64_t n = p->run_obsolete_bytes + releasable_bytes(p, o);
    return pt_min_u64(n, total_bytes(p));
}

/* This partition's share of what merges of others have left behind in the files of its upper runs:
 * the fewer it shares them with, the larger, so that the last ones go first. */
static uint64_t stranded_bytes(const pt_partition *p)
{
    double n = 0;
    for (size_t i = 0; i < p->run_count; i++) {
        const pt_table_ref *t = p->runs[i].table_ref;
        uint64_t blocks = t->meta->section[PT_SECTION_INDEX].offset;
        uint64_t live = atomic_load_explicit(&t->live_bytes, memory_order_relaxed);
        if (live != 0 && live < blocks)
            n += (double)(blocks - live) * (double)p->runs[i].bytes / (double)live;
    }
    return (uint64_t)n;
}

/* So little is not worth a merge: a 32nd of a partition, 256 KiB at most. */
#define SLACK_BYTES_MAX ((uint64_t)256 << 10)

static double allowed_bytes(double live, const pt_pick_options *o)
{
    uint64_t slack = pt_min_u64(o->partition_bytes / 32, SLACK_BYTES_MAX);
    return (o->space_target - 1.0) * live + (double)slack + 1.0;
}

static double read_score(const pt_partition *p, size_t runs_max)
{
    return (double)p->run_count / (double)runs_max;
}

/* In memory, where it is not compressed. */
static uint64_t mean_entry_bytes(const pt_layer *l)
{
    const pt_table_meta *m = l->table_ref->meta;
    uint64_t mean = l->entries != 0 ? l->bytes / l->entries : 0;
    uint64_t raw = m->key_bytes + m->value_bytes, packed = m->section[PT_SECTION_INDEX].offset;
    if (packed == 0 || raw <= packed)
        return mean;
    return (uint64_t)((double)mean * (double)raw / (double)packed);
}

/* Entries that are small are not worth counting. */
#define LARGE_ENTRY_BYTES ((uint64_t)64 << 10)

static double held_score(const pt_partition *p, uint64_t held_bytes_max)
{
    uint64_t held = 0;
    for (size_t i = 0; i < p->run_count; i++) {
        uint64_t mean = mean_entry_bytes(&p->runs[i]);
        held += mean >= LARGE_ENTRY_BYTES ? mean : 0;
    }
    return held_bytes_max != 0 ? (double)held / (double)held_bytes_max : 0.0;
}

static bool in_range(const pt_version *v, const pt_pick_options *o, size_t i)
{
    pt_slice upper = pt_version_upper(v, i);
    if (o->upper.data != NULL && pt_slice_compare(v->partitions[i]->lower, o->upper) >= 0)
        return false;
    return upper.data == NULL || pt_slice_compare(upper, o->lower) > 0;
}

/* What is due: by upper runs that reads ask or merges hold, and by space. */
typedef struct debts {
    double read;           /* 1: due */
    size_t read_at;        /* SIZE_MAX: none may be touched */
    double freed, allowed; /* bytes of the whole store, by all that may be touched; by the target */
    double space;          /* 1: due */
    size_t space_at;
    double gain; /* what a merge there frees for each byte it writes; 1: due by itself */
} debts;

static void weigh_read(const pt_partition *p, const pt_pick_options *o, size_t at, debts *d)
{
    double r = read_score(p, o->runs_max), h = held_score(p, o->held_bytes_max);
    double score = r > h ? r : h;
    if (d->read_at == SIZE_MAX || score > d->read) {
        d->read = score;
        d->read_at = at;
    }
}

static void weigh_space(const pt_partition *p, const pt_pick_options *o, size_t at, double freed,
                        debts *d)
{
    uint64_t slack = pt_min_u64(o->partition_bytes / 32, SLACK_BYTES_MAX);
    double written = (double)(total_bytes(p) - obsolete_bytes(p, o)) + (double)slack + 1.0;
    if (freed > 0 && (d->space_at == SIZE_MAX || freed / written > d->gain)) {
        d->gain = freed / written;
        d->space_at = at;
    }
}

static debts weigh(const pt_version *v, const pt_pick_options *o)
{
    debts d = {.read_at = SIZE_MAX, .space_at = SIZE_MAX};
    double live = 0;
    for (size_t i = 0; i < v->count; i++) {
        const pt_partition *p = v->partitions[i];
        uint64_t obsolete = obsolete_bytes(p, o);
        live += (double)(total_bytes(p) - obsolete);
        if (claimed(o, p) || !in_range(v, o, i))
            continue;
        double frees = (double)(obsolete + stranded_bytes(p));
        d.freed += frees;
        weigh_read(p, o, i, &d);
        weigh_space(p, o, i, frees, &d);
    }
    d.allowed = allowed_bytes(live, o);
    d.space = d.freed / (o->space_due * d.allowed);
    return d;
}

/* From the newest upper run on, as many as are of the same order of size, and of so many entries.
 *  */
static pt_merge_part intermediate_part(const pt_partition *p, uint64_t entries_max)
{
    uint64_t sum = 0, entries = 0;
    size_t n = 0;
    while (n < p->run_count && (n < INTERMEDIATE_RUNS_MIN || p->runs[n].bytes <= sum) &&
           entries + p->runs[n].entries <= entries_max) {
        entries += p->runs[n].entries;
        sum += p->runs[n++].bytes;
    }
    return (pt_merge_part){.run_from = 0, .run_count = n};
}

static void part_size(const pt_partition *p, const pt_merge_part *part, uint64_t *ret_bytes,
                      uint64_t *ret_entries)
{
    *ret_bytes = *ret_entries = 0;
    for (size_t i = 0; i < part->run_count; i++) {
        *ret_bytes += p->runs[part->run_from + i].bytes;
        *ret_entries += p->runs[part->run_from + i].entries;
    }
}

/* False when the upper runs are too large for one file. */
static bool pick_intermediate(const pt_version *v, const pt_pick_options *o, size_t at,
                              pt_merge_pick *pick)
{
    uint64_t entries_max = o->entries_max != 0 ? o->entries_max : UINT64_MAX, all_entries = 0;
    uint64_t bytes_max = pt_min_u64(INTERMEDIATE_BYTES_MAX, o->partition_bytes);
    *pick = (pt_merge_pick){.kind = PT_MERGE_INTERMEDIATE, .first = at};
    for (size_t i = at; i < v->count && pick->count < PT_MERGE_PARTS_MAX; i++) {
        const pt_partition *p = v->partitions[i];
        /* a neighbour joins when it is nearly due itself */
        if (i != at && (claimed(o, p) || !in_range(v, o, i) || read_score(p, o->runs_max) < 0.75 ||
                        p->run_bytes >= p->bottom_bytes))
            break;
        pt_merge_part part = intermediate_part(p, entries_max);
        uint64_t bytes, entries;
        part_size(p, &part, &bytes, &entries);
        if (i == at && part.run_count < 2)
            return false;
        if (i != at && (part.run_count < 2 || all_entries + entries > entries_max ||
                        pick->bytes + bytes > bytes_max))
            break;
        pick->parts[pick->count++] = part;
        pick->bytes += bytes;
        pick->write_bytes += bytes;
        all_entries += entries;
    }
    return true;
}

/* The partition as a whole, and neighbours to its right while they are small together. */
static void pick_bottommost(const pt_version *v, const pt_pick_options *o, size_t at,
                            pt_merge_pick *pick)
{
    *pick = (pt_merge_pick){.kind = PT_MERGE_BOTTOMMOST, .first = at};
    for (size_t i = at; i < v->count && pick->count < PT_MERGE_PARTS_MAX; i++) {
        const pt_partition *p = v->partitions[i];
        if (i != at && (claimed(o, p) || !in_range(v, o, i) ||
                        pick->bytes + total_bytes(p) > o->partition_bytes / 4))
            break;
        pick->parts[pick->count++] = (pt_merge_part){.run_count = p->run_count};
        pick->bytes += total_bytes(p);
        pick->write_bytes += total_bytes(p) - obsolete_bytes(p, o);
    }
}

static bool wants_split(const pt_partition *p, const pt_pick_options *o)
{
    pt_split_size size = {.run_bytes = p->run_bytes,
                          .bottom_bytes = p->bottom_bytes,
                          .bottom_count = p->bottom_count};
    return pt_split_is_due(&size, o->partition_bytes);
}

static size_t united(const pt_version *v, const pt_pick_options *o, size_t at)
{
    size_t n = 0;
    uint64_t bytes = 0;
    while (at + n < v->count && n < PT_MERGE_PARTS_MAX) {
        const pt_partition *p = v->partitions[at + n];
        bytes += p->bottom_bytes;
        if (p->run_count != 0 || claimed(o, p) || bytes > o->partition_bytes)
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
static bool too_many_tables(const pt_partition *p, const pt_pick_options *o)
{
    uint64_t raw = 0, entries = 0;
    for (size_t i = 0; i < p->bottom_count; i++) {
        raw += p->bottom[i].table_ref->meta->key_bytes + p->bottom[i].table_ref->meta->value_bytes;
        entries += p->bottom[i].table_ref->meta->entries;
    }
    uint64_t needed = raw / o->table_bytes + 1;
    if (o->entries_max != 0)
        needed += entries / o->entries_max;
    return p->bottom_count >= 8 && p->bottom_count > 4 * needed;
}

static bool wants_settling(const pt_partition *p, const pt_pick_options *o)
{
    return p->run_count != 0 || too_many_tables(p, o) || releasable_bytes(p, o) != 0;
}

#define IDLE_WRITES_PER_BYTE 8

/* What settling the partition writes is in proportion to what came into it, or goes. */
static bool pays(const pt_partition *p, const pt_pick_options *o, uint64_t writes)
{
    return writes <= IDLE_WRITES_PER_BYTE * (p->run_bytes + obsolete_bytes(p, o));
}

/* The one that is settled by writing least. */
static bool pick_idle(const pt_version *v, const pt_pick_options *o, pt_merge_pick *pick)
{
    size_t at = SIZE_MAX;
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < v->count; i++) {
        const pt_partition *p = v->partitions[i];
        if (claimed(o, p) || !in_range(v, o, i) || !wants_settling(p, o))
            continue;
        uint64_t writes = total_bytes(p) - obsolete_bytes(p, o);
        if (writes < least && (writes <= o->idle_bytes_max || pays(p, o, writes))) {
            least = writes;
            at = i;
        }
    }
    if (at == SIZE_MAX)
        return false;
    pick_bottommost(v, o, at, pick);
    pick->on_credit = !pays(v->partitions[at], o, least);
    return true;
}

static void pick_read(const pt_version *v, const pt_pick_options *o, size_t at, pt_merge_pick *pick)
{
    const pt_partition *p = v->partitions[at];
    PT_ASSERT(p->run_count != 0, "upper runs are what is due");
    bool heavy = p->run_bytes >= p->bottom_bytes || held_score(p, o->held_bytes_max) >= 1.0;
    bool settling = o->idle && o->idle_bytes_max == UINT64_MAX; /* all will be one run anyway */
    if (heavy || settling || !pick_intermediate(v, o, at, pick))
        pick_bottommost(v, o, at, pick);
}

pt_unit pt_pick(const pt_version *v, const pt_pick_options *o, pt_merge_pick *ret_pick)
{
    debts d = weigh(v, o);
    bool space = d.space_at != SIZE_MAX && (d.space >= 1.0 || d.gain >= 1.0);
    bool read = d.read_at != SIZE_MAX && d.read >= 1.0;
    if (space && (!read || d.space >= d.read)) {
        pick_bottommost(v, o, d.space_at, ret_pick);
        return PT_UNIT_MERGE;
    }
    if (read) {
        pick_read(v, o, d.read_at, ret_pick);
        return PT_UNIT_MERGE;
    }
    pt_unit shape = pt_pick_shape(v, o, ret_pick);
    if (shape != PT_UNIT_NONE)
        return shape;
    return o->idle && pick_idle(v, o, ret_pick) ? PT_UNIT_MERGE : PT_UNIT_NONE;
}

/* Upper runs: 1 at 1.75 times what makes a merge due. */
static double brake_for_reads(const debts *d)
{
    return 2 * (d->read - 1.25);
}

/* Space: 1 where a little less than the target is used up (a merge that is about to end has written
 * most of its partition beside what it replaces), and a memtable's bytes beyond it, which the
 * constant of the bound has room for; with none where the target is small, each flush would be a
 * jump. */
#define SPACE_BRAKE_FROM 0.82
#define SPACE_BRAKE_FULL 0.92

static double brake_for_space(const debts *d, const pt_pick_options *o)
{
    double from = SPACE_BRAKE_FROM * d->allowed;
    double full = SPACE_BRAKE_FULL * d->allowed + (double)o->memtable_bytes;
    return (d->freed - from) / (full - from);
}

double pt_pick_brake(const pt_version *v, const pt_pick_options *o)
{
    debts d = weigh(v, o);
    double read = brake_for_reads(&d), space = brake_for_space(&d, o);
    double x = space > read ? space : read;
    return x > 0 ? x : 0;
}

uint64_t pt_pick_space_debt(const pt_version *v, double space_target)
{
    double obsolete = 0, total = 0;
    for (size_t i = 0; i < v->count; i++) {
        const pt_partition *p = v->partitions[i];
        obsolete += (double)pt_min_u64(p->obsolete_bytes, total_bytes(p));
        total += (double)total_bytes(p);
    }
    double allowed = (space_target - 1.0) * (total - obsolete);
    return obsolete > allowed ? (uint64_t)(obsolete - allowed) : 0;
}

bool pt_pick_held_back(const pt_version *v, const pt_pick_options *o, uint64_t *ret_before)
{
    *ret_before = 0;
    for (size_t i = 0; i < v->count; i++) {
        const pt_partition *p = v->partitions[i];
        for (size_t j = 0; j < p->bottom_count; j++)
            if (p->bottom[j].obsolete_bytes != releasable(&p->bottom[j], o))
                *ret_before = pt_max_u64(*ret_before, p->bottom[j].table_ref->meta->seq_max);
    }
    return *ret_before != 0;
}
