/* SPDX-License-Identifier: MIT */
/* log_release.c - segments that are no longer needed: let go of, their files kept as spares. */
#include "log/log_internal.h"

/* A file smaller than what the next segment will be would never be chosen. */
static void recycle(pt_log *log, pt_log_spare spare)
{
    pt_mutex_lock(&log->make_mu);
    uint64_t wanted = log->size_next;
    pt_mutex_unlock(&log->make_mu);
    if (spare.file_bytes < wanted)
        pt_log_remove_slot(log, spare.slot, spare.file_bytes);
    else
        pt_log_spare_add(log, spare);
}

/* Both roles held, everything written. The oldest segment leaves the list, or stays as an anchor
 * without a file when it is the newest one too. Returns false when there is none to release. */
static bool release_first(pt_log *log, uint64_t serial_min, pt_log_spare *ret_spare, bool *ret_file)
{
    PT_DCHECK(pt_mutex_held(&log->mu), "log.mu guards the list of segments");
    PT_DCHECK(atomic_load(&log->sync_role.busy) == 1 && atomic_load(&log->write_role.busy) == 1,
              "who releases a segment has both roles");
    pt_log_seg *seg = log->first;
    uint64_t written = atomic_load_explicit(&log->written, memory_order_relaxed);
    uint64_t end = atomic_load_explicit(&seg->end, memory_order_acquire);
    pt_log_seg *next = atomic_load_explicit(&seg->next, memory_order_acquire);
    if (end > written || seg->serial >= serial_min)
        return false;
    PT_ASSERT(next == NULL || next->serial > seg->serial, "I16: serials ascend");
    *ret_file = seg->kept;
    if (seg->file != NULL)
        log->env->file_close(log->env->ctx, seg->file);
    seg->file = NULL;
    if (seg->kept) {
        seg->kept = false;
        *ret_spare = (pt_log_spare){.slot = seg->slot,
                                    .file_bytes = seg->file_bytes,
                                    .zeroed_to = pt_max_u64(seg->zeroed_to, end - seg->base),
                                    .durable = true};
    }
    /* what was in it is durable in tables, so whoever waits for its sync has it */
    if (atomic_load_explicit(&log->synced, memory_order_relaxed) < end)
        atomic_store_explicit(&log->synced, end, memory_order_release);
    if (next == NULL)
        return *ret_file;
    if (log->write_seg == seg) {
        log->write_seg = next;
        atomic_store_explicit(&log->written, next->base + PT_LOG_SEGMENT_HEADER,
                              memory_order_release);
    }
    if (log->sync_seg == seg)
        log->sync_seg = next;
    log->first = next;
    pt_free(log->env, seg);
    return true;
}

static void release_begun(pt_log *log, uint64_t serial_min)
{
    for (bool more = true; more;) {
        pt_log_spare spare = {0};
        bool file = false;
        (void)pt_log_role_enter(&log->sync_role, NULL, PT_LOG_NEVER, 0);
        (void)pt_log_role_enter(&log->write_role, NULL, PT_LOG_NEVER, 0);
        more = pt_log_write_out(log) == PEAT_OK;
        if (more) {
            pt_mutex_lock(&log->mu);
            more = release_first(log, serial_min, &spare, &file);
            pt_mutex_unlock(&log->mu);
        }
        pt_log_role_leave(&log->write_role);
        pt_log_role_leave(&log->sync_role);
        if (file)
            recycle(log, spare);
    }
}

static bool release_old(pt_log *log, uint64_t serial_min, pt_log_spare *ret_spare)
{
    bool found = false;
    pt_mutex_lock(&log->mu);
    for (size_t i = 0; i < log->old_count && !found; i++) {
        if (log->old[i].serial >= serial_min)
            continue;
        *ret_spare = (pt_log_spare){.slot = log->old[i].slot, .file_bytes = log->old[i].file_bytes};
        log->old[i] = log->old[--log->old_count];
        found = true;
    }
    pt_mutex_unlock(&log->mu);
    return found;
}

void pt_log_release(pt_log *log, uint64_t serial_min)
{
    pt_log_spare spare;
    if (pt_sink_write_failure(log->sink) != PEAT_OK)
        return;
    while (release_old(log, serial_min, &spare))
        recycle(log, spare);
    release_begun(log, serial_min);
}

peat_rc pt_log_adopt(pt_log *log, const pt_log_segment *live, size_t count)
{
    pt_mutex_lock(&log->mu);
    bool ok =
        pt_grow(log->env, &log->old, &log->old_capacity, log->old_count + count, sizeof *log->old);
    for (size_t i = 0; ok && i < count; i++) {
        log->old[log->old_count++] = live[i];
        pt_log_count(&log->disk_bytes, live[i].file_bytes);
    }
    pt_mutex_unlock(&log->mu);
    return ok ? PEAT_OK : pt_fail(log->sink, PEAT_NOMEM, "no memory for %zu log segments", count);
}

void pt_log_trim(pt_log *log)
{
    pt_mutex_lock(&log->make_mu);
    if (log->ready != NULL) {
        pt_log_seg_drop(log, log->ready);
        log->ready = NULL;
    }
    log->size_next = log->segment_bytes_min;
    pt_mutex_unlock(&log->make_mu);

    pt_log_spare keep = {0}, spare;
    while (pt_log_spare_take(log, 0, &spare)) {
        if (keep.file_bytes == 0 && spare.file_bytes == log->segment_bytes_min)
            keep = spare;
        else
            pt_log_remove_slot(log, spare.slot, spare.file_bytes);
    }
    if (keep.file_bytes != 0)
        pt_log_spare_add(log, keep);
}
