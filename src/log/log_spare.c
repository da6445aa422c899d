/* SPDX-License-Identifier: MIT */
/*
 * log_spare.c - files that no live record needs: kept for the segments to come, or removed.
 */
#include "log/log_internal.h"

#include "base/file_name.h"

void pt_log_remove_slot(pt_log *log, uint64_t slot, uint64_t file_bytes)
{
    char name[PT_FILE_NAME_SIZE];
    pt_file_name('w', slot, name);
    /* what cannot be removed is found dead by the next recovery and used again */
    (void)log->env->dir_remove(log->env->ctx, log->dir, name);
    atomic_fetch_sub_explicit(&log->disk_bytes, file_bytes, memory_order_relaxed);
}

bool pt_log_spare_take(pt_log *log, uint64_t bytes, pt_log_spare *ret_spare)
{
    pt_mutex_lock(&log->mu);
    size_t best = log->spare_count;
    for (size_t i = 0; i < log->spare_count; i++)
        if (log->spares[i].file_bytes >= bytes &&
            (best == log->spare_count || log->spares[i].file_bytes < log->spares[best].file_bytes))
            best = i;
    bool found = best < log->spare_count;
    if (found) {
        *ret_spare = log->spares[best];
        log->spares[best] = log->spares[--log->spare_count];
    }
    pt_mutex_unlock(&log->mu);
    return found;
}

void pt_log_spare_add(pt_log *log, pt_log_spare spare)
{
    pt_mutex_lock(&log->mu);
    bool keep = log->spare_count < PT_LOG_SPARES_MAX &&
                spare.file_bytes >= log->segment_bytes_min &&
                spare.file_bytes <= PT_LOG_FILE_BYTES_MAX && spare.file_bytes % PT_LOG_ALIGN == 0;
    keep = keep && pt_grow(log->env, &log->spares, &log->spare_capacity, log->spare_count + 1,
                           sizeof *log->spares);
    if (keep)
        log->spares[log->spare_count++] = spare;
    pt_mutex_unlock(&log->mu);
    if (!keep)
        pt_log_remove_slot(log, spare.slot, spare.file_bytes);
}
