/* SPDX-License-Identifier: MIT */
/*
 * log_write.c - the way of the bytes: ring -> file (write role) -> disk (sync role), and how far
 * they have come.
 * See log_internal.h for positions, roles and their order.
 */
#include "log/log_internal.h"

#include <errno.h>

/* A write takes about 1 us, going to sleep and waking up several: look that long for its end. */
#define WRITE_SPINS 200u
/* Whoever waited for another thread's write gives that thread time for its next append, and writes
 * both: a quarter fewer writes with two threads (e4_log). */
#define COMPANY_SPINS 16u

void pt_log_role_init(pt_log_role *role)
{
    atomic_init(&role->busy, 0);
    atomic_init(&role->waiters, 0);
    pt_mutex_init(&role->mu);
    pt_cond_init(&role->changed);
}

void pt_log_role_done(pt_log_role *role)
{
    pt_cond_done(&role->changed);
    pt_mutex_done(&role->mu);
}

static bool role_reached(_Atomic uint64_t *reached, uint64_t target)
{
    return reached != NULL && atomic_load_explicit(reached, memory_order_acquire) >= target;
}

static bool role_try(pt_log_role *role)
{
    int free_role = 0;
    return atomic_load_explicit(&role->busy, memory_order_relaxed) == 0 &&
           atomic_compare_exchange_strong(&role->busy, &free_role, 1);
}

/* Sleeps until the role was left at least once, or takes it. */
static bool role_wait(pt_log_role *role, _Atomic uint64_t *reached, uint64_t target)
{
    bool taken = false;
    pt_mutex_lock(&role->mu);
    atomic_fetch_add(&role->waiters, 1); /* before busy is looked at; see pt_log_role */
    while (!role_reached(reached, target)) {
        int free_role = 0;
        taken = atomic_compare_exchange_strong(&role->busy, &free_role, 1);
        if (taken)
            break;
        pt_cond_wait(&role->changed, &role->mu);
    }
    atomic_fetch_sub(&role->waiters, 1);
    pt_mutex_unlock(&role->mu);
    return taken;
}

bool pt_log_role_enter(pt_log_role *role, _Atomic uint64_t *reached, uint64_t target,
                       unsigned spins)
{
    for (unsigned i = 0; i <= spins; i++) {
        if (role_reached(reached, target))
            return false;
        if (role_try(role))
            return true;
        pt_spin_pause();
    }
    return role_wait(role, reached, target);
}

void pt_log_role_leave(pt_log_role *role)
{
    PT_DCHECK(atomic_load(&role->busy) == 1, "who leaves a role has it");
    atomic_store(&role->busy, 0);
    if (atomic_load(&role->waiters) == 0)
        return;
    pt_mutex_lock(&role->mu);
    pt_cond_broadcast(&role->changed);
    pt_mutex_unlock(&role->mu);
}

static peat_rc fail_and_stop_writes(pt_log *log, const pt_log_seg *seg, int e, const char *what)
{
    peat_rc rc = pt_fail_os(log->sink, e, "log w-%06" PRIu64 " cannot be %s", seg->slot, what);
    return pt_sink_stop_writes(log->sink, rc);
}

static void read_ahead(pt_log *log, pt_log_seg *seg, uint64_t end)
{
    const pt_env *env = log->env;
    uint64_t from = seg->asked_to;
    seg->asked_to =
        pt_min_u64(pt_round_up(end, PT_LOG_READ_AHEAD) + PT_LOG_READ_AHEAD, seg->file_bytes);
    /* advice: without it the writes are slower */
    (void)env->file_advise(env->ctx, seg->file, from, seg->asked_to - from,
                           PEAT_ENV_ADVISE_WILLNEED);
}

/* Stored where the environment can, which costs no system call. */
static int put_bytes(pt_log *log, pt_log_seg *seg, uint64_t offset, const uint8_t *p, size_t n)
{
    const pt_env *env = log->env;
    if (env->file_store != NULL) {
        int e = env->file_store(env->ctx, seg->file, offset, p, n);
        if (e != EOPNOTSUPP)
            return e;
    }
    pt_log_count_owned(&log->writes, 1);
    return env->file_write(env->ctx, seg->file, offset, p, n);
}

peat_rc pt_log_write_at(pt_log *log, pt_log_seg *seg, uint64_t offset, const void *data, size_t n)
{
    const uint8_t *p = data;
    PT_DCHECK(seg->file != NULL && offset + n <= seg->file_bytes - PT_LOG_SEGMENT_HEADER,
              "records lie between a segment's two headers");
    if (PT_UNLIKELY(offset + n > seg->asked_to && seg->asked_to < seg->file_bytes))
        read_ahead(log, seg, offset + n);
    for (size_t piece; n != 0; p += piece, offset += piece, n -= piece) {
        piece = n < PT_LOG_WRITE_MAX ? n : PT_LOG_WRITE_MAX;
        int e = put_bytes(log, seg, offset, p, piece);
        if (PT_UNLIKELY(e != 0))
            return fail_and_stop_writes(log, seg, e, "written");
        pt_log_count_owned(&log->written_bytes, piece);
    }
    return PEAT_OK;
}

peat_rc pt_log_write_out(pt_log *log)
{
    uint64_t tail = atomic_load_explicit(&log->tail, memory_order_acquire);
    uint64_t at = atomic_load_explicit(&log->written, memory_order_relaxed);
    PT_DCHECK(atomic_load(&log->write_role.busy) == 1, "who writes has the write role");
    /* a segment's header is passed over when the segment is begun, the tail a moment later */
    PT_DCHECK(at <= tail + PT_LOG_SEGMENT_HEADER, "I8: nothing is written that was not appended");
    while (at < tail) {
        peat_rc rc = pt_sink_write_failure(log->sink);
        if (PT_UNLIKELY(rc != PEAT_OK))
            return rc;
        pt_log_seg *seg = log->write_seg;
        uint64_t end = atomic_load_explicit(&seg->end, memory_order_acquire);
        if (at == end) {
            seg = atomic_load_explicit(&seg->next, memory_order_acquire);
            PT_DCHECK(seg != NULL && seg->base == end,
                      "I16: a segment begins where the one before it ended");
            log->write_seg = seg;
            at = seg->base + PT_LOG_SEGMENT_HEADER; /* written when it was begun */
        } else {
            uint64_t in_ring = at % PT_LOG_RING_BYTES;
            size_t n = (size_t)pt_min_u64(pt_min_u64(tail, end) - at, PT_LOG_RING_BYTES - in_ring);
            rc = pt_log_write_at(log, seg, at - seg->base, log->ring + in_ring, n);
            if (PT_UNLIKELY(rc != PEAT_OK))
                return rc;
            at += n;
        }
        /* pairs with the acquire in make_room and in pt_log_write: the ring's bytes are free */
        atomic_store_explicit(&log->written, at, memory_order_release);
    }
    return PEAT_OK;
}

peat_rc pt_log_write(pt_log *log, uint64_t position)
{
    if (role_reached(&log->written, position))
        return PEAT_OK;
    if (!role_try(&log->write_role)) {
        if (!pt_log_role_enter(&log->write_role, &log->written, position, WRITE_SPINS))
            return PEAT_OK;
        for (unsigned i = 0; i < COMPANY_SPINS && !role_reached(&log->tail, position + 1); i++)
            pt_spin_pause();
    }
    peat_rc rc = pt_log_write_out(log);
    pt_log_role_leave(&log->write_role);
    return rc;
}

/* Write role held. A file whose blocks have contents needs no metadata in its syncs; so while the
 * groups are small, the space ahead of the tail is filled with zeros, in pieces. */
static peat_rc zero_ahead(pt_log *log, uint64_t group_bytes)
{
    static const uint8_t zeros[8192];
    pt_log_seg *seg = log->write_seg;
    uint64_t written = atomic_load_explicit(&log->written, memory_order_relaxed);
    uint64_t limit = seg->file_bytes - PT_LOG_SEGMENT_HEADER;
    uint64_t at = pt_max_u64(seg->zeroed_to, written - seg->base);
    if (seg->file == NULL || at >= limit || at - (written - seg->base) >= PT_LOG_ZERO_MARGIN ||
        group_bytes > PT_LOG_ZERO_GROUP_MAX)
        return PEAT_OK;
    uint64_t to = pt_min_u64(at + PT_LOG_ZERO_AHEAD, limit);
    while (at < to) {
        size_t n = (size_t)pt_min_u64(to - at, sizeof zeros);
        peat_rc rc = pt_log_write_at(log, seg, at, zeros, n);
        if (rc != PEAT_OK)
            return rc;
        at += n;
        pt_log_count_owned(&log->zero_bytes, n);
    }
    seg->zeroed_to = to;
    return PEAT_OK;
}

static peat_rc sync_file(pt_log *log, pt_log_seg *seg)
{
    const pt_env *env = log->env;
    uint64_t begun = env->now_ns(env->ctx);
    int e = env->file_sync(env->ctx, seg->file);
    if (e != 0)
        return fail_and_stop_writes(log, seg, e, "synced");
    pt_log_count_owned(&log->syncs, 1);
    pt_log_count_owned(&log->sync_ns, env->now_ns(env->ctx) - begun);
    return PEAT_OK;
}

/* Sync role held: the files that hold [synced, target), oldest first, so that no later byte is
 * acknowledged before an earlier one. A file that is finished is closed. */
static peat_rc sync_files(pt_log *log, uint64_t target)
{
    for (;;) {
        pt_log_seg *seg = log->sync_seg;
        uint64_t end = atomic_load_explicit(&seg->end, memory_order_acquire);
        uint64_t synced = atomic_load_explicit(&log->synced, memory_order_relaxed);
        if (seg->file != NULL && synced < end) {
            peat_rc rc = sync_file(log, seg);
            if (rc != PEAT_OK)
                return rc;
        }
        if (end > target)
            return PEAT_OK;
        pt_log_seg *next = atomic_load_explicit(&seg->next, memory_order_acquire);
        if (next == NULL || next->base >= target)
            return PEAT_OK;
        PT_ASSERT(next->base == end, "I8: no byte between two synced ones is left out");
        if (seg->file != NULL)
            log->env->file_close(log->env->ctx, seg->file);
        seg->file = NULL;
        log->sync_seg = next;
    }
}

/* Sync role held: everything appended so far. */
static peat_rc sync_group(pt_log *log)
{
    peat_rc rc = pt_sink_write_failure(log->sink);
    if (rc != PEAT_OK)
        return rc;
    uint64_t seq = atomic_load_explicit(&log->tail_seq, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&log->tail, memory_order_acquire);
    uint64_t synced = atomic_load_explicit(&log->synced, memory_order_relaxed);
    if (synced >= tail)
        return PEAT_OK;
    (void)pt_log_role_enter(&log->write_role, NULL, PT_LOG_NEVER, WRITE_SPINS);
    rc = pt_log_write_out(log);
    if (rc == PEAT_OK)
        rc = zero_ahead(log, tail - synced);
    pt_log_role_leave(&log->write_role);
    if (rc == PEAT_OK)
        rc = sync_files(log, tail);
    if (rc != PEAT_OK)
        return rc;
    PT_ASSERT(seq >= atomic_load_explicit(&log->synced_seq, memory_order_relaxed),
              "I8: the durable sequence only grows");
    PT_ASSERT(atomic_load_explicit(&log->written, memory_order_relaxed) >= tail,
              "I8: what is synced was written");
    atomic_store_explicit(&log->synced_seq, seq, memory_order_release);
    /* pairs with the acquire in pt_log_role_enter: whoever rides along may return */
    atomic_store_explicit(&log->synced, tail, memory_order_release);
    return PEAT_OK;
}

peat_rc pt_log_sync(pt_log *log, uint64_t position)
{
    if (!pt_log_role_enter(&log->sync_role, &log->synced, position, 0))
        return PEAT_OK;
    peat_rc rc = sync_group(log);
    pt_log_role_leave(&log->sync_role);
    return rc;
}

uint64_t pt_log_position(pt_log *log)
{
    return atomic_load_explicit(&log->tail, memory_order_acquire);
}

uint64_t pt_log_synced_position(pt_log *log)
{
    return atomic_load_explicit(&log->synced, memory_order_acquire);
}

uint64_t pt_log_durable(pt_log *log)
{
    return atomic_load_explicit(&log->synced_seq, memory_order_acquire);
}
