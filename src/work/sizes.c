/* SPDX-License-Identifier: MIT */
/*
 * sizes.c - what is derived from the size of the store: partitions, tables, and the context of a
 * unit of work.
 */
#include "work/sizes.h"

#include "state/budget.h"
#include "state/snapshot.h"

void pt_sizes_context(pt_store *s, const pt_version *v, const uint64_t *snapshots,
                      size_t snapshot_count, pt_compact_context *ret_ctx)
{
    pt_pick_options o;
    pt_sizes_options(s, v, &o);
    pt_mutex_lock(&s->install_mu);
    uint64_t edit_number = s->version_set.state.edit_number + 1;
    pt_mutex_unlock(&s->install_mu);
    *ret_ctx = (pt_compact_context){.env = s->env,
                                    .dir = s->dir,
                                    .sink = &s->sink,
                                    .store_id = s->store_id,
                                    .edit_number = edit_number,
                                    .file_next = &s->file_next,
                                    .table_bytes = o.table_bytes,
                                    .entries_max = o.entries_max,
                                    .partition_bytes = o.partition_bytes,
                                    .codec = s->settings.codec,
                                    .block_bytes = s->settings.block_bytes,
                                    .bottom_filter = pt_budget_locators_overflow(s, v),
                                    .stream_bytes_max = s->settings.memory_bytes / 16,
                                    .snapshots = snapshots,
                                    .snapshot_count = snapshot_count};
}

static uint64_t store_bytes(const pt_version *v)
{
    uint64_t n = 0;
    for (size_t i = 0; i < v->count; i++)
        n += v->partitions[i]->run_bytes + v->partitions[i]->bottom_bytes;
    return n;
}

/* What a filter is built from takes an eighth of the memory at most; but tables of fewer entries
 * than these would be so many that they themselves fill it. */
#define ENTRIES_MAX_MIN ((uint64_t)8192)

/* Partitions: a 64th of the store, 8 to 128 MiB, larger only when there would be more than 512. */
void pt_sizes_options(pt_store *s, const pt_version *v, pt_pick_options *ret_options)
{
    uint64_t bytes = store_bytes(v);
    uint64_t target = pt_min_u64(pt_max_u64(bytes / 64, (uint64_t)8 << 20), (uint64_t)128 << 20);
    target = pt_max_u64(target, bytes / 512);
    if (s->settings.partition_bytes != 0)
        target = s->settings.partition_bytes;
    uint64_t table = pt_max_u64(target / 8, (uint64_t)8 << 20);
    if (s->settings.table_bytes != 0)
        table = s->settings.table_bytes;
    *ret_options =
        (pt_pick_options){.partition_bytes = target,
                          .table_bytes = pt_min_u64(table, target),
                          .entries_max = pt_max_u64(
                              s->settings.memory_bytes / 8 / PT_TABLE_KEY_MEMORY, ENTRIES_MAX_MIN),
                          .space_target = s->settings.space_target,
                          .runs_max = s->settings.runs_max,
                          .held_bytes_max = s->settings.memory_bytes / 8};
    ret_options->snapshot_count = pt_snapshot_oldest(
        s, ret_options->snapshots, PT_PICK_SNAPSHOTS_MAX, &ret_options->more_snapshots);
}
