/* SPDX-License-Identifier: MIT */
/*
 * log_segment.c - segment files: made, and begun.
 *
 * A file's size and name are durable before its header is written, so a header that verifies in a
 * file that is shorter than it says means that the file was cut (log_format.md).
 */
#include "log/log_internal.h"

#include "base/file_name.h"
#include "env/fd_reclaim.h"

#include <errno.h>

/* --- making --- */

/* make_mu held. A segment that is finished is closed by its last sync: so when there is no
 * descriptor left, that is the last thing to try. */
static int open_file(pt_log *log, const char *name, unsigned flags, pt_file **ret_file)
{
    flags |= PEAT_ENV_FILE_WRITE;
    int e = pt_file_open(log->env, log->dir, log->sink, name, flags, ret_file);
    if (pt_out_of_files(e) && pt_log_sync(log, pt_log_position(log)) == PEAT_OK)
        e = pt_file_open(log->env, log->dir, log->sink, name, flags, ret_file);
    return e;
}

/* make_mu held. Space for the whole file; zeros are written where it cannot be reserved. */
static peat_rc fill_file(pt_log *log, pt_log_seg *seg)
{
    static const uint8_t zeros[8192];
    const pt_env *env = log->env;
    int e = env->file_allocate(env->ctx, seg->file, 0, seg->file_bytes);
    if (e == EOPNOTSUPP) {
        e = 0;
        for (uint64_t at = 0; e == 0 && at < seg->file_bytes; at += sizeof zeros) {
            size_t n = (size_t)pt_min_u64(seg->file_bytes - at, sizeof zeros);
            e = env->file_write(env->ctx, seg->file, at, zeros, n);
            pt_log_count(&log->made_bytes, n);
        }
        seg->zeroed_to = seg->file_bytes;
    }
    return e == 0
               ? PEAT_OK
               : pt_fail_os(log->sink, e, "no log segment of %" PRIu64 " bytes", seg->file_bytes);
}

static peat_rc sync_made(pt_log *log, pt_log_seg *seg)
{
    const pt_env *env = log->env;
    int e = env->file_sync(env->ctx, seg->file);
    if (e != 0)
        return pt_fail_os(log->sink, e, "new log w-%06" PRIu64 " cannot be synced", seg->slot);
    e = env->dir_sync(env->ctx, log->dir);
    return e == 0 ? PEAT_OK : pt_fail_os(log->sink, e, "the store's directory cannot be synced");
}

void pt_log_seg_drop(pt_log *log, pt_log_seg *seg)
{
    log->env->file_close(log->env->ctx, seg->file);
    pt_log_remove_slot(log, seg->slot, seg->file_bytes);
    pt_free(log->env, seg);
}

static pt_log_seg *seg_alloc(pt_log *log, uint64_t file_bytes)
{
    pt_log_seg *seg = pt_alloc_zero(log->env, sizeof *seg);
    if (seg == NULL) {
        (void)pt_fail(log->sink, PEAT_NOMEM, "no memory for a log segment");
        return NULL;
    }
    seg->file_bytes = file_bytes;
    seg->kept = true;
    atomic_init(&seg->next, NULL);
    atomic_init(&seg->end, PT_LOG_NEVER);
    return seg;
}

/* make_mu held. The first slot whose name is free. */
static peat_rc create_file(pt_log *log, pt_log_seg *seg)
{
    int e = EEXIST;
    char name[PT_FILE_NAME_SIZE] = "";
    PT_DCHECK(pt_mutex_held(&log->make_mu), "make_mu guards the slots");
    while (e == EEXIST) {
        seg->slot = log->slot_next++;
        pt_file_name('w', seg->slot, name);
        e = open_file(log, name, PEAT_ENV_FILE_CREATE, &seg->file);
    }
    return e == 0 ? PEAT_OK : pt_fail_os(log->sink, e, "log %s cannot be made", name);
}

static peat_rc make_new(pt_log *log, uint64_t file_bytes, pt_log_seg **ret_seg)
{
    pt_log_seg *seg = seg_alloc(log, file_bytes);
    if (seg == NULL)
        return PEAT_NOMEM;
    peat_rc rc = create_file(log, seg);
    if (rc != PEAT_OK) {
        pt_free(log->env, seg);
        return rc;
    }
    seg->asked_to = file_bytes; /* there is nothing old in it */
    pt_log_count(&log->disk_bytes, file_bytes);
    rc = fill_file(log, seg);
    if (rc == PEAT_OK)
        rc = sync_made(log, seg);
    if (rc != PEAT_OK) {
        log->slot_next = seg->slot; /* the name is free again */
        pt_log_seg_drop(log, seg);
        return rc;
    }
    *ret_seg = seg;
    return PEAT_OK;
}

static peat_rc open_spare(pt_log *log, const pt_log_spare *spare, pt_log_seg **ret_seg)
{
    const pt_env *env = log->env;
    char name[PT_FILE_NAME_SIZE];
    uint64_t size = 0;
    pt_log_seg *seg = seg_alloc(log, spare->file_bytes);
    if (seg == NULL)
        return PEAT_NOMEM;
    seg->slot = spare->slot;
    seg->zeroed_to = spare->zeroed_to;
    pt_file_name('w', seg->slot, name);
    int e = open_file(log, name, 0, &seg->file);
    if (e == 0)
        e = env->file_size(env->ctx, seg->file, &size);
    if (e == 0 && size != spare->file_bytes)
        e = EIO;
    peat_rc rc = e == 0 ? PEAT_OK : pt_fail_os(log->sink, e, "spare log %s is unusable", name);
    if (rc == PEAT_OK && !spare->durable)
        rc = sync_made(log, seg);
    if (rc == PEAT_OK) {
        *ret_seg = seg;
        return PEAT_OK;
    }
    if (seg->file != NULL)
        env->file_close(env->ctx, seg->file);
    pt_free(env, seg);
    return rc;
}

/* make_mu held. A spare that cannot be opened is forgotten, and the next one tried. */
static bool make_from_spare(pt_log *log, uint64_t bytes, pt_log_seg **ret_seg)
{
    pt_log_spare spare;
    while (pt_log_spare_take(log, bytes, &spare)) {
        if (open_spare(log, &spare, ret_seg) == PEAT_OK)
            return true;
        pt_log_remove_slot(log, spare.slot, spare.file_bytes);
    }
    return false;
}

/* make_mu held. On a disk that is nearly full a smaller one will do. */
static peat_rc make_any(pt_log *log, pt_log_seg **ret_seg)
{
    if (make_from_spare(log, log->size_next, ret_seg))
        return PEAT_OK;
    peat_rc rc = make_new(log, log->size_next, ret_seg);
    if (rc != PEAT_FULL)
        return rc;
    if (make_from_spare(log, log->segment_bytes_min, ret_seg))
        return PEAT_OK;
    if (log->size_next > log->segment_bytes_min)
        rc = make_new(log, log->segment_bytes_min, ret_seg);
    return rc;
}

static peat_rc make_locked(pt_log *log, pt_log_seg **ret_seg)
{
    const pt_env *env = log->env;
    PT_DCHECK(pt_mutex_held(&log->make_mu), "make_mu guards the segment that is ready");
    if (log->ready != NULL) {
        *ret_seg = log->ready;
        log->ready = NULL;
        return PEAT_OK;
    }
    uint64_t random = 0;
    int e = env->random(env->ctx, &random, sizeof random);
    if (e != 0)
        return pt_fail_os(log->sink, e, "no random number for a log segment");
    pt_log_seg *seg = NULL;
    peat_rc rc = make_any(log, &seg);
    if (rc != PEAT_OK)
        return rc;
    seg->random = random;
    if (seg->asked_to == 0) { /* recycled; before the first append waits for these bytes */
        seg->asked_to = pt_min_u64(PT_LOG_READ_AHEAD, seg->file_bytes);
        (void)env->file_advise(env->ctx, seg->file, 0, seg->asked_to, PEAT_ENV_ADVISE_WILLNEED);
    }
    log->size_next = pt_min_u64(2 * seg->file_bytes, log->segment_bytes_max);
    *ret_seg = seg;
    return PEAT_OK;
}

peat_rc pt_log_seg_make(pt_log *log, pt_log_seg **ret_seg)
{
    pt_mutex_lock(&log->make_mu);
    peat_rc rc = make_locked(log, ret_seg);
    pt_mutex_unlock(&log->make_mu);
    return rc;
}

void pt_log_seg_unmake(pt_log *log, pt_log_seg *seg)
{
    pt_mutex_lock(&log->make_mu);
    if (log->ready == NULL)
        log->ready = seg;
    else
        pt_log_seg_drop(log, seg);
    pt_mutex_unlock(&log->make_mu);
}

peat_rc pt_log_prepare(pt_log *log, bool *ret_did)
{
    peat_rc rc = pt_sink_write_failure(log->sink);
    *ret_did = false;
    if (rc != PEAT_OK || atomic_load_explicit(&log->tail, memory_order_relaxed) <
                             atomic_load_explicit(&log->prepare_at, memory_order_relaxed))
        return rc;
    pt_mutex_lock(&log->make_mu);
    if (log->ready == NULL) {
        rc = make_locked(log, &log->ready);
        *ret_did = rc == PEAT_OK;
    }
    pt_mutex_unlock(&log->make_mu);
    return rc;
}

/* A segment whose headers may be in its file in part: with the serial they carry it must stay the
 * only one. So it is the next to be tried; another that was prepared meanwhile goes. */
static void keep_for_retry(pt_log *log, pt_log_seg *seg)
{
    pt_mutex_lock(&log->make_mu);
    if (log->ready != NULL)
        pt_log_seg_drop(log, log->ready);
    log->ready = seg;
    pt_mutex_unlock(&log->make_mu);
}

/* Not one whose headers may be in its file: see above. */
void pt_log_ready_rest(pt_log *log)
{
    pt_mutex_lock(&log->make_mu);
    pt_log_seg *seg = log->ready;
    bool plain = seg != NULL && seg->serial == 0;
    if (plain)
        log->ready = NULL;
    pt_mutex_unlock(&log->make_mu);
    if (!plain)
        return;
    pt_log_spare spare = {.slot = seg->slot,
                          .file_bytes = seg->file_bytes,
                          .zeroed_to = seg->zeroed_to,
                          .durable = true};
    log->env->file_close(log->env->ctx, seg->file);
    pt_free(log->env, seg);
    pt_log_spare_add(log, spare);
}

/* --- beginning --- */

static int write_headers(pt_log *log, pt_log_seg *seg)
{
    pt_log_header h = {
        .store_id = log->store_id,
        .open_count = log->open_count,
        .serial = seg->serial,
        .random = seg->random,
        .slot = seg->slot,
        .file_bytes = seg->file_bytes,
        .prev_serial = log->prev_serial,
        .prev_salt = log->prev_salt,
        .prev_end = log->prev_end,
        .seq_durable = atomic_load_explicit(&log->synced_seq, memory_order_acquire),
    };
    const uint64_t offsets[] = {0, seg->file_bytes - PT_LOG_SEGMENT_HEADER};
    int e = 0;
    seg->salt = pt_log_salt(&h);
    for (size_t i = 0; e == 0 && i < PT_COUNT_OF(offsets); i++)
        e = pt_log_header_write(log->env, seg->file, &h, offsets[i]);
    pt_log_count(&log->made_bytes, PT_LOG_SEGMENT_HEADER * PT_COUNT_OF(offsets));
    return e;
}

peat_rc pt_log_seg_begin(pt_log *log, pt_log_seg *seg, uint64_t tail)
{
    pt_log_seg *before = log->last;
    uint64_t serial = atomic_load_explicit(&log->serial_next, memory_order_relaxed);
    PT_ASSERT(seg->file != NULL, "a segment is made before it is begun");
    PT_ASSERT(serial > before->serial, "I16: serials ascend and none is used twice");
    PT_ASSERT(tail >= before->base, "I16: a segment begins where the one before it ended");
    if (log->cur != NULL) {
        log->prev_serial = before->serial;
        log->prev_salt = before->salt;
        log->prev_end = tail - before->base;
    }
    seg->serial = serial;
    seg->base = tail;
    int e = write_headers(log, seg);
    if (e != 0) {
        peat_rc rc = pt_fail_os(log->sink, e, "log w-%06" PRIu64 " cannot be begun", seg->slot);
        keep_for_retry(log, seg);
        return rc;
    }
    atomic_store_explicit(&before->next, seg, memory_order_release);
    if (log->cur != NULL) /* pairs with the acquires of `end` in log_write.c */
        atomic_store_explicit(&before->end, tail, memory_order_release);
    log->cur = seg;
    log->last = seg;
    log->limit = tail + seg->file_bytes - PT_LOG_SEGMENT_HEADER - PT_LOG_RESERVE;
    atomic_store_explicit(&log->prepare_at, tail + seg->file_bytes / 2, memory_order_relaxed);
    atomic_store_explicit(&log->serial_now, serial, memory_order_relaxed);
    /* last: pairs with pt_log_serial, which loads it first */
    atomic_store_explicit(&log->serial_next, serial + 1, memory_order_release);
    return PEAT_OK;
}

void pt_log_close_segment(pt_log *log)
{
    if (log->cur == NULL)
        return;
    uint64_t tail = atomic_load_explicit(&log->tail, memory_order_relaxed);
    log->prev_serial = log->cur->serial;
    log->prev_salt = log->cur->salt;
    log->prev_end = tail - log->cur->base;
    atomic_store_explicit(&log->cur->end, tail, memory_order_release);
    log->cur = NULL;
    atomic_store_explicit(&log->serial_now, 0, memory_order_release);
}

uint64_t pt_log_serial(pt_log *log)
{
    uint64_t next = atomic_load_explicit(&log->serial_next, memory_order_acquire);
    uint64_t now = atomic_load_explicit(&log->serial_now, memory_order_acquire);
    return now != 0 ? now : next;
}
