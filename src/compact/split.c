/* SPDX-License-Identifier: MIT */
/* split.c - see split.h. */
#include "compact/split.h"

static uint64_t bytes_of(const pt_layer *layers, size_t count)
{
    uint64_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += layers[i].bytes;
    return n;
}

/* Until they are merged upper runs that outweigh the run below become so many times more. */
#define RUNS_GROW 4

static uint64_t counted_bytes(const pt_split_size *size)
{
    bool heavy = size->run_bytes > size->bottom_bytes;
    return size->bottom_bytes + (heavy ? RUNS_GROW * size->run_bytes : 0);
}

bool pt_split_is_due(const pt_split_size *size, uint64_t partition_bytes)
{
    return size->bottom_count >= 2 && counted_bytes(size) >= 2 * partition_bytes;
}

static uint64_t parts_of(const pt_split_size *size, uint64_t partition_bytes)
{
    return (counted_bytes(size) + partition_bytes / 2) / partition_bytes;
}

/* The part's share of each upper run, in proportion to its share of the bottom. */
static void share_runs(const pt_split_plan *plan, uint64_t part, uint64_t whole, pt_layer *ret_runs)
{
    double f = (double)part / (double)whole;
    for (size_t i = 0; i < plan->run_count; i++) {
        pt_layer l = plan->runs[i];
        l.bytes = (uint64_t)((double)l.bytes * f);
        l.entries = (uint64_t)((double)l.entries * f);
        l.tombstones = (uint64_t)((double)l.tombstones * f);
        l.obsolete_bytes = (uint64_t)((double)l.obsolete_bytes * f);
        ret_runs[i] = l;
    }
}

/* How many tables from `from` on make a part of about the target. */
static size_t part_tables(const pt_split_plan *plan, size_t from, uint64_t target,
                          uint64_t *ret_bytes)
{
    uint64_t bytes = 0;
    size_t n = 0;
    while (from + n < plan->bottom_count &&
           (n == 0 || bytes + plan->bottom[from + n].bytes / 2 < target))
        bytes += plan->bottom[from + n++].bytes;
    *ret_bytes = bytes;
    return n;
}

peat_rc pt_split_edit(const pt_env *env, const pt_split_plan *plan, uint64_t partition_bytes,
                      uint64_t *io_partition_next, pt_bytes *io_edit)
{
    PT_ASSERT(plan->id < *io_partition_next, "I15: no partition number is given twice");
    uint64_t whole = bytes_of(plan->bottom, plan->bottom_count);
    pt_split_size size = {.run_bytes = bytes_of(plan->runs, plan->run_count),
                          .bottom_bytes = whole,
                          .bottom_count = plan->bottom_count};
    if (!pt_split_is_due(&size, partition_bytes))
        return pt_edit_add_partition(io_edit, plan->id, plan->lower, plan->runs, plan->run_count,
                                     plan->bottom, plan->bottom_count);
    peat_rc rc = PEAT_OK;
    uint64_t target = whole / parts_of(&size, partition_bytes);
    pt_layer *runs = (pt_layer *)pt_alloc(env, plan->run_count * sizeof *runs);
    if (runs == NULL)
        return PEAT_NOMEM;
    for (size_t from = 0, n; from < plan->bottom_count; from += n) {
        uint64_t bytes;
        n = part_tables(plan, from, target, &bytes);
        PT_ASSERT(n != 0, "I6: each part takes tables, and every table is in one");
        share_runs(plan, bytes, whole, runs);
        bool first = from == 0;
        pt_slice lower = first ? plan->lower : plan->bottom[from].table_ref->meta->key_min;
        uint64_t id = first ? plan->id : (*io_partition_next)++;
        TRY(pt_edit_add_partition(io_edit, id, lower, runs, plan->run_count, plan->bottom + from,
                                  n));
    }
out:
    pt_free(env, runs);
    return rc;
}
