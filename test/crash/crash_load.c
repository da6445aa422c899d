/* SPDX-License-Identifier: MIT */
/*
 * crash_load.c - the kinds of work that are cut: each leans on another part of the store. Sizes are
 * the smallest the store takes, so that a few dozen commits meet every turn of a file's life and a
 * disk is cloned in microseconds.
 */
#include "crash/crash.h"

#include <string.h>

/* One column a word: the fields of a load that say what is written, and how often a commit is
 * followed by each step (crash_step_kind from CRASH_SYNC on). */
#define WRITES(of_sync, of_deletes, of_hot, of_batches, to_batch, to_value, of_huge, to_huge)      \
    .sync = (of_sync), .deletes = (of_deletes), .hot = (of_hot), .batches = (of_batches),          \
    .batch_max = (to_batch), .value_max = (to_value), .huge = (of_huge), .huge_max = (to_huge)
#define AFTER(sync, flush, work, compact, settle, reopen, snapshot, copy)                          \
    .after = {0, sync, flush, work, compact, settle, reopen, snapshot, copy}
#define OPT(name) [MODEL_OPTION_##name]

/* clang-format off */
static const crash_load loads[] = {
    {"any",           WRITES(20, 17, 33, 50, 12, 1500, 3, 9000), AFTER(4, 4, 10, 2, 2, 3, 4, 0),
     .any_options = true},
    {"mixed",         WRITES(20, 17, 33, 50, 12, 1500, 3, 9000), AFTER(4, 4, 10, 2, 2, 3, 4, 0),
     .option = {OPT(keys) = 1, OPT(threads) = -1}},
    {"sequential",    WRITES(15, 0, 0, 20, 4, 600, 0, 0),      AFTER(5, 8, 12, 0, 0, 0, 0, 0),
     .ascending = true, .option = {OPT(keys) = 1, OPT(threads) = -1}},
    {"random",        WRITES(15, 5, 0, 20, 6, 900, 0, 0),      AFTER(5, 6, 12, 4, 0, 0, 0, 0),
     .option = {OPT(keys) = 2, OPT(threads) = -1}},
    {"overwrite",     WRITES(15, 8, 90, 20, 6, 400, 0, 0),     AFTER(0, 10, 15, 0, 3, 0, 8, 0),
     .option = {OPT(space) = 105, OPT(threads) = -1}},
    {"deletes",       WRITES(15, 60, 20, 30, 16, 300, 0, 0),   AFTER(0, 10, 15, 4, 4, 0, 0, 0),
     .option = {OPT(threads) = -1}},
    {"batches",       WRITES(30, 15, 0, 100, 20, 300, 2, CRASH_VALUE_MAX),
                      AFTER(0, 4, 8, 0, 0, 3, 0, 0),
     .option = {OPT(keys) = 4, OPT(threads) = -1}},
    {"mixed_syncs",   WRITES(50, 15, 40, 30, 4, 200, 0, 0),    AFTER(20, 0, 4, 0, 0, 0, 0, 0),
     .option = {OPT(interval) = 1, OPT(keys) = 1, OPT(threads) = -1}},
    {"reopens",       WRITES(15, 15, 0, 30, 6, 300, 0, 0),     AFTER(0, 5, 5, 0, 0, 40, 0, 0),
     .option = {OPT(keys) = 1, OPT(threads) = -1}},
    {"partitions",    WRITES(10, 0, 0, 100, 30, 1500, 0, 0),   AFTER(0, 15, 30, 0, 12, 0, 0, 0),
     .ascending = true, .waves = true,
     .option = {OPT(compression) = 1, OPT(keys) = 1, OPT(partition) = 4096, OPT(threads) = -1}},
    {"recycling",     WRITES(25, 10, 50, 30, 8, 1500, 10, 3000), AFTER(0, 18, 10, 0, 0, 0, 0, 0),
     .option = {OPT(threads) = -1}},
    {"manifest",      WRITES(10, 10, 30, 20, 3, 100, 0, 0),    AFTER(0, 60, 5, 25, 0, 5, 0, 0),
     .option = {OPT(threads) = -1}},
    {"copies",        WRITES(10, 10, 0, 60, 20, 600, 0, 0),    AFTER(0, 6, 0, 0, 0, 0, 0, 12),
     .option = {OPT(keys) = 1, OPT(threads) = -1}},
    {"plain_blocks",  WRITES(10, 20, 0, 60, 12, 1200, 0, 0),   AFTER(0, 12, 20, 4, 4, 0, 0, 0),
     .option = {OPT(compression) = 1, OPT(keys) = 1, OPT(threads) = -1}},
    {"zstd_blocks",   WRITES(10, 20, 0, 60, 12, 1200, 0, 0),   AFTER(0, 12, 20, 4, 4, 0, 0, 0),
     .option = {OPT(block) = 16384, OPT(compression) = 3, OPT(keys) = 1, OPT(threads) = -1}},
    {"large_values",  WRITES(25, 10, 0, 20, 4, 5000, 15, CRASH_VALUE_MAX),
                      AFTER(5, 5, 8, 0, 0, 0, 0, 0),
     .option = {OPT(threads) = -1}},
    {"without_log",   WRITES(30, 15, 0, 40, 12, 500, 0, 0),    AFTER(5, 15, 10, 0, 0, 5, 0, 0),
     .option = {OPT(keys) = 1, OPT(no_log) = 1, OPT(threads) = -1}},
    {"one_thread",    WRITES(20, 15, 20, 40, 12, 900, 0, 0),   AFTER(0, 12, 0, 0, 4, 3, 0, 0),
     .option = {OPT(interval) = 1, OPT(keys) = 1, OPT(threads) = 1}},
    {"three_threads", WRITES(20, 15, 20, 60, 12, 1500, 0, 0),  AFTER(0, 20, 0, 0, 6, 3, 0, 0),
     .waves = true, .option = {OPT(keys) = 1, OPT(partition) = 4096, OPT(threads) = 3}},
    {"queue",         WRITES(25, 17, 33, 40, 8, 900, 2, 5000), AFTER(8, 5, 8, 0, 0, 9, 3, 0),
     .queue = true, .option = {OPT(keys) = 1, OPT(threads) = -1}},
    {"queue_threads", WRITES(25, 17, 20, 40, 8, 900, 0, 0),    AFTER(10, 8, 0, 0, 2, 8, 0, 0),
     .queue = true, .option = {OPT(keys) = 1, OPT(threads) = 1}},
};

/* What happens after a recovery, before the next cut. */
static const crash_load afterwards =
    {"afterwards", WRITES(40, 20, 30, 30, 4, 300, 0, 0), AFTER(5, 8, 8, 0, 0, 4, 0, 0)};
/* clang-format on */

const crash_load *crash_load_at(size_t i)
{
    return i < sizeof loads / sizeof *loads ? &loads[i] : NULL;
}

const crash_load *crash_load_of(const char *name)
{
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++)
        if (strcmp(loads[i].name, name) == 0)
            return &loads[i];
    return NULL;
}

const crash_load *crash_load_afterwards(void)
{
    return &afterwards;
}
