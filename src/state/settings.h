/* SPDX-License-Identifier: MIT */
/* settings.h - what a store is opened with; api/settings.c makes it out of peat_options. */
#ifndef PT_STATE_SETTINGS_H
#define PT_STATE_SETTINGS_H

#include "base/base.h"
#include "peat_env.h"
#include "state/taps.h"
#include "table/table.h"

/* peat_options with every default resolved, and what is derived from them. */
typedef struct pt_settings {
    size_t memory_bytes;
    double space_target;
    uint64_t sync_interval_ns;
    uint64_t lock_wait_ns; /* 0: who finds the store open elsewhere is told at once */
    int threads;
    pt_codec codec;
    bool may_create, read_only, error_if_exists, no_log;
    bool unfinished; /* a store that is made is not to be opened before pt_durable_finish */
    peat_host host;  /* event callback, app id */
    size_t memtable_bytes;
    /* Budgets: of decoded blocks, at least (state/budget.c), of sections of tables at the most, of
     * the windows of scans. And what memtables and a merge take, and a memtable alone. */
    size_t cache_bytes, metadata_bytes, ahead_bytes, writing_bytes, resting_bytes;
    uint32_t block_bytes;     /* 0: by codec */
    uint64_t partition_bytes; /* 0: by the size of the store */
    uint64_t table_bytes;     /* 0: by the partition target */
    uint64_t segment_bytes_min, segment_bytes_max;
    uint64_t manifest_bytes_min; /* a shorter one is not rewritten */
    size_t runs_max;             /* a partition with more upper runs is due for a merge */
    /* After so many steps that lead to no row a scan asks whether an earlier one was here, and so
     * many later again (look). One that took so many keeps what it has found out (note). */
    uint32_t hidden_steps_look, hidden_steps_note;
    pt_taps taps;
} pt_settings;

#endif
