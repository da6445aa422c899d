/* SPDX-License-Identifier: MIT */
/*
 * sizes.c - what is derived from the size of the store: partitions, tables, and the context of a
 * unit of work.
 */
#include "work/sizes.h"

#include "state/budget.h"
#include "state/snapshot.h"

/* Tables of a flush: an eighth of it each, so that an eighth of the partitions share one. Until the
 * last of them is merged it keeps what the others have left behind, and that counts as obsolete. */
#define UPPER_TABLES    8
#define UPPER_BYTES_MIN ((uint64_t)256 << 10)

static uint64_t upper_bytes(const pt_store *s)
{
    uint64_t least = s->settings.table_bytes != 0 ? 0 : UPPER_BYTES_MIN; /* tests: tiny ones */
    return pt_max_u64(s->settings.memtable_bytes / UPPER_TABLES, least);
}

static uint64_t store_bytes(const pt_version *v)
{
    uint64_t n = 0;
    for (size_t i = 0; i < v->count; i++)
        n += v->partitions[i]->run_bytes + v->partitions[i]->bottom_bytes;
    return n;
}

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
                                    .upper_bytes = upper_bytes(s),
                                    .codec = s->settings.codec,
                                    .block_bytes = s->settings.block_bytes,
                                    .beyond_memory = store_bytes(v) > s->settings.cache_bytes,
                                    .bottom_filter = pt_budget_locators_overflow(s, v),
                                    .stream_bytes_max = s->settings.memory_bytes / 16,
                                    .snapshots = snapshots,
                                    .snapshot_count = snapshot_count};
}

/* What a filter is built from takes an eighth of the memory at most; but tables of fewer entries
 * than these would be so many that they themselves fill it. */
#define ENTRIES_MAX_MIN ((uint64_t)8192)

/* Merges begin before the target is used up: what they free comes back when they end, and writers
 * are braked where it is. */
#define SPACE_DUE 0.78

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
                          .space_due = SPACE_DUE,
                          .memtable_bytes = s->settings.memtable_bytes,
                          .runs_max = s->settings.runs_max,
                          .held_bytes_max = s->settings.memory_bytes / 8};
    ret_options->snapshot_count = pt_snapshot_oldest(
        s, ret_options->snapshots, PT_PICK_SNAPSHOTS_MAX, &ret_options->more_snapshots);
}
