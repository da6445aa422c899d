/* SPDX-License-Identifier: MIT */
/*
 * store.h - the open store: every part of it, grouped by who may touch it.
 *
 * Locks, in the order in which they may be taken:
 *   flush_mu    one flush at a time
 *   worker_mu   the inline worker (a caller's thread doing background work)
 *   commit_mu   the order of writing: sequences, log appends, switching memtables
 *   install_mu  the version set
 *   view_mu     replacing the view
 *   snapshot_mu, work_mu, publish_mu, empty_ranges.mu: leaves
 * No lock is held across I/O but flush_mu, worker_mu (they mean "this work is under way"),
 * install_mu (the manifest) and commit_mu when the log needs a new segment.
 */
#ifndef PT_STATE_STORE_H
#define PT_STATE_STORE_H

#include "base/epoch.h"
#include "base/fail.h"
#include "cache/cache.h"
#include "compact/flush.h"
#include "compact/merge.h"
#include "compact/pick.h"
#include "state/empty_ranges.h"
#include "work/quiet.h"
#include "state/view.h"
#include "work/worker.h"
#include "log/log.h"
#include "version/version_set.h"

/* peat_options with every default resolved, and what is derived from them. */
typedef struct pt_settings {
    size_t memory_bytes;
    double space_target;
    uint64_t sync_interval_ns;
    uint64_t lock_wait_ns; /* 0: who finds the store open elsewhere is told at once */
    int threads;
    pt_codec codec;
    bool may_create, read_only, error_if_exists, no_log;
    bool unfinished; /* a store that is made is not to be opened before pt_install_finished */
    peat_host host;  /* event callback, app id */
    size_t memtable_bytes;
    size_t cache_bytes, metadata_bytes, ahead_bytes; /* budgets */
    uint32_t block_bytes;                            /* 0: by codec */
    uint64_t partition_bytes;                        /* 0: by the size of the store */
    uint64_t table_bytes;                            /* 0: by the partition target */
    uint64_t segment_bytes_min, segment_bytes_max;
    uint64_t manifest_bytes_min; /* a shorter one is not rewritten */
    size_t runs_max;
    /* Steps of a scan that lead to no row before it asks whether it was here before, and again; and
     * those it takes before it keeps what it has found out. */
    uint32_t hidden_steps_look, hidden_steps_note;
} pt_settings;

/* Counters of readers: one line per epoch slot, so that only the slot's holder writes it. The last
 * one is shared by those who got no slot. */
typedef struct pt_read_counters {
    _Atomic uint64_t gets, found, filter_checks, filter_skips;
    uint64_t padding[4];
} pt_read_counters;

/* In the store's list of snapshots, which is sorted by seq. */
typedef struct pt_snapshot_link {
    struct pt_snapshot_link *prev, *next;
    uint64_t seq;
} pt_snapshot_link;

/* Of each thread's unit, of the callers' together, and of the flush under way. */
#define PT_CLAIMS_MAX (PT_MERGE_PARTS_MAX * (PEAT_THREADS_MAX + 1) + 1)

/* Guarded by work_mu. */
typedef struct pt_work_state {
    bool stopping;
    uint64_t signals; /* counts wake-ups, so that none is missed */
    uint64_t claimed[PT_CLAIMS_MAX];
    size_t claimed_count;
    uint64_t avoid[64]; /* partitions whose merge met damage: left alone until reopen */
    size_t avoid_count;
    peat_rc error;     /* of the last unit that failed, PEAT_OK once one succeeded */
    uint64_t retry_ns; /* not before: back-off after a failure */
    unsigned failures; /* in a row */
    uint64_t flushes, mid_merges, bottom_merges, appends, partition_changes;
    uint64_t flush_bytes, merge_bytes_written, merge_bytes_read;
    /* time per byte of user data taken in, smoothed: of flushes, and with the merges that went on
     * meanwhile; 0: unknown */
    double flush_ns_per_byte, ns_per_byte;
    uint64_t merge_ns; /* spent in steps of merges since the last flush that was counted */
} pt_work_state;

/* Guarded by commit_mu. */
typedef struct pt_commit_counters {
    uint64_t puts, deletes, batches, user_bytes;
    uint64_t delays, delay_ns, waits, wait_ns;
} pt_commit_counters;

struct pt_store {
    /* fixed after open */
    const pt_env *env;
    const uint32_t *fork_mark; /* 0 in a forked child; NULL: compare pids */
    int64_t pid;
    char *path;
    pt_dir *dir;
    peat_env_lock *lock;
    pt_settings settings;
    uint64_t store_id;
    pt_cache *cache;
    uint64_t open_ns, recovered_records, recovered_bytes;
    uint64_t log_file_bytes; /* of a store that is only read, and has no log */

    pt_sink sink;
    pt_epoch epoch;
    pt_open_tables open_tables;
    pt_read_counters read_counters[PT_EPOCH_SLOTS + 1];
    _Atomic uint64_t hidden_steps; /* of scans: entries visited that lead to no row */
    _Atomic uint64_t seeks, damages, iterators, sync_waiters;

    atomic_uint refs; /* the open handles together, and what may outlive them */
    atomic_bool closed;
    atomic_uint calls; /* under way outside an epoch; close waits for 0 */

    /* guarded by commit_mu */
    pt_mutex commit_mu;
    pt_log *log;    /* NULL: no_log or read-only; the pointer itself is fixed */
    pt_mem *active; /* of the present view, which holds it; no committer need look at the view */
    uint64_t seq_next;
    pt_commit_counters commits;
    double delay_owed_ns;

    /* published: every sequence up to here is visible. Release by the committer whose turn it is,
     * acquire by readers. */
    _Atomic uint64_t seq_published;
    _Atomic uint32_t publish_waiters;
    pt_mutex publish_mu;
    pt_cond publish_cond;

    pt_memtable_pool memtables;
    /* What readers hold beside the cache: memtables that were flushed, and memory of their own. */
    _Atomic uint64_t left_bytes, reader_bytes;
    pt_empty_ranges empty_ranges; /* has its own lock */

    /* replaced under view_mu; readers load it in an epoch */
    pt_mutex view_mu;
    _Atomic(pt_view *) view;
    _Atomic uint64_t view_number; /* how many there were; grows after the pointer has changed */

    pt_mutex install_mu;
    pt_version_set version_set;      /* guarded by install_mu */
    _Atomic uint64_t durable_serial; /* of the segment the manifest has last heard of */
    _Atomic uint64_t file_next;

    pt_mutex snapshot_mu;
    pt_snapshot_link snapshots; /* head of a ring; guarded by snapshot_mu */
    uint64_t snapshot_count;

    pt_mutex flush_mu;
    pt_mutex worker_mu;
    pt_worker inline_worker; /* guarded by worker_mu */

    pt_mutex work_mu;
    pt_cond work_cond;  /* something to do */
    pt_cond done_cond;  /* something was done */
    pt_work_state work; /* guarded by work_mu */
    pt_quiet quiet;     /* guarded by work_mu */
    pt_worker *workers;
    size_t worker_count;

    _Atomic uint64_t throttle_ns_per_kib; /* what a committer owes; throttle.c */
    /* set by a thread that goes to sleep while readers hold back what could go: who ends a read
     * wakes it. seq_cst with the reader's unlinking and its load of this. */
    atomic_bool held_back;
    _Atomic uint64_t held_before; /* by readers at older sequences, or of replaced files */
    atomic_bool inline_due;       /* no threads: the next committers do a step each */
    atomic_uint sleepers;         /* threads that wait without a timeout: a write wakes them */
    _Atomic uint64_t unsynced_since_ns; /* 0: nothing to sync */
};

/* The store is closed, or this is a forked child of the process that opened it. */
static inline bool pt_store_gone(pt_store *s)
{
    bool child =
        PT_LIKELY(s->fork_mark != NULL) ? *s->fork_mark == 0 : s->env->pid(s->env->ctx) != s->pid;
    return PT_UNLIKELY(child) || PT_UNLIKELY(atomic_load(&s->closed));
}
bool pt_store_forked(pt_store *s);

/* Calls that are not covered by an epoch. False: the store is closed. */
bool pt_call_begin(pt_store *s);
void pt_call_end(pt_store *s);

static inline pt_store *pt_store_ref(pt_store *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}
void pt_store_unref(pt_store *s);

/* The present view with a reference. */
pt_view *pt_store_view(pt_store *s);
/* The one function that changes what readers see: `next` (filled) takes the place of the present
 * view. Caller holds view_mu. */
void pt_store_publish_view(pt_store *s, pt_view *next);

/* ---- open.c ---- */
peat_rc pt_store_open(const char *dir, const pt_env *env, const pt_settings *settings,
                      pt_store **ret_store, peat_error *ret_error);
peat_rc pt_store_close(pt_store *s);

/* ---- commit.c ---- */
typedef struct pt_commit {
    pt_slice payload; /* operations (batch_format.md) */
    uint32_t count;
    uint32_t deletes;
    uint64_t key_bytes, value_bytes;
    bool sync;
    bool batch; /* came as one: for the statistics */
} pt_commit;
peat_rc pt_store_commit(pt_store *s, const pt_commit *c) PT_MUST_USE;
/* Switches to a new memtable when the active one holds anything. PEAT_TIMEOUT when that would have
 * to wait for a flush and may not: the thread that flushes must not wait for itself. */
peat_rc pt_store_rotate(pt_store *s, bool may_wait) PT_MUST_USE;
/* PEAT_OK, PEAT_READ_ONLY, or what writes have failed with. */
peat_rc pt_store_writable(pt_store *s) PT_MUST_USE;
peat_rc pt_store_sync(pt_store *s) PT_MUST_USE;
/* The same; what nobody waits for is not counted as waited for. */
peat_rc pt_store_sync_log(pt_store *s, bool waited_for) PT_MUST_USE;
void pt_store_wait_published(pt_store *s, uint64_t seq);

/* ---- throttle.c ---- */
void pt_throttle_update(pt_store *s);
/* What the write of so many bytes owes now is added up; returns what is to be slept, in ns. Caller
 * holds commit_mu. */
uint64_t pt_throttle_owe(pt_store *s, uint64_t bytes);
/* Sleeps it; less when the background has caught up meanwhile. */
void pt_throttle_pay(pt_store *s, uint64_t ns);

/* ---- threads.c, work.c, flushing.c, settle.c, sizes.c ---- */
/* Flushes the oldest immutable memtable; one at a time. */
peat_rc pt_work_flush(pt_store *s, bool *ret_did) PT_MUST_USE;
/* Does nothing while another one is under way. */
peat_rc pt_work_try_flush(pt_store *s, bool *ret_did) PT_MUST_USE;
peat_rc pt_workers_start(pt_store *s) PT_MUST_USE;
void pt_workers_stop(pt_store *s);
void pt_work_wake(pt_store *s);
/* A reader has let go of what it held, and of this sequence (UINT64_MAX: of none): wakes the
 * background when that was what it waits for. */
void pt_work_released(pt_store *s, uint64_t seq);
/* Closes tables, and removes files, that the last reader has let go of. */
void pt_work_sweep(pt_store *s);
/* One unit in the calling thread; *ret_did false: nothing to do. */
peat_rc pt_work_unit(pt_store *s, bool idle, bool *ret_did) PT_MUST_USE;
/* What is due and costs next to nothing: a store that is opened only for moments, as by a command,
 * has no other time for it. */
peat_rc pt_work_before_close(pt_store *s) PT_MUST_USE;
/* A step of work for committers of a store without threads, or some after a write of many bytes. */
void pt_work_step_inline(pt_store *s, uint64_t bytes);
/* Waits for the flush of the oldest immutable memtable, or does it. */
peat_rc pt_work_wait_flush(pt_store *s, size_t immutables_max) PT_MUST_USE;
peat_rc pt_store_flush(pt_store *s) PT_MUST_USE;
peat_rc pt_store_settle(pt_store *s, uint64_t timeout_ms) PT_MUST_USE;
peat_rc pt_store_compact(pt_store *s, pt_slice lower, pt_slice upper,
                         const peat_progress *progress) PT_MUST_USE;
void pt_work_context_init(pt_store *s, const pt_version *v, const uint64_t *snapshots,
                          size_t snapshot_count, pt_work_context *ret_ctx);
void pt_pick_options_init(pt_store *s, const pt_version *v, pt_pick_options *ret_options);

/* ---- rest.c ---- */
/* Memory that holds nothing and files that are not in use go back to the system. */
void pt_store_rest(pt_store *s);

/* ---- budget.c ---- */
/* The locators of this version, and of what it may become, do not all fit the budget. */
bool pt_locators_overflow(pt_store *s, const pt_version *v);
/* Lets go of sections when there are too many, but of the index of `keep` (may be NULL). */
void pt_budget_check(pt_store *s, const pt_table *keep);
/* The same for who asks often: costs nothing while there is nothing to do. Not in an epoch. */
void pt_budget_check_soon(pt_store *s);

/* ---- install.c ---- */
peat_rc pt_install_flush(pt_store *s, pt_flush *flush, pt_mem *mem) PT_MUST_USE;
peat_rc pt_install_merge(pt_store *s, pt_merge *merge) PT_MUST_USE;
/* A split or union of partitions, if one is due; only of partitions that the caller has claimed. */
peat_rc pt_install_shape(pt_store *s, const pt_pick_options *options, const uint64_t *claimed,
                         size_t claimed_count, bool *ret_did) PT_MUST_USE;

/* Writes down in the manifest how far the log is synced, so that the loss of its newest segment is
 * seen; once for each segment, or `always`. */
peat_rc pt_install_durable(pt_store *s, bool always) PT_MUST_USE;
/* The store that was being made is complete. */
peat_rc pt_install_finished(pt_store *s) PT_MUST_USE;

/* When everything is in tables: lets go of the log's segments but one of the smallest size. */
peat_rc pt_install_empty_log(pt_store *s) PT_MUST_USE;

/* ---- snapshot.c ---- */
/* Links it at the present end of the published order. */
void pt_snapshot_link_add(pt_store *s, pt_snapshot_link *link);
/* The same at the sequence of a snapshot that is open. */
void pt_snapshot_link_add_at(pt_store *s, pt_snapshot_link *link, uint64_t seq);
void pt_snapshot_link_remove(pt_store *s, pt_snapshot_link *link);
/* The oldest of their sequences, one of each, ascending, `max` at most: returns how many.
 * *ret_more: there may be others. */
size_t pt_snapshot_oldest(pt_store *s, uint64_t *ret_seqs, size_t max, bool *ret_more);
/* All sequences, ascending, without repeats; env memory. */
peat_rc pt_snapshot_list(pt_store *s, uint64_t **ret_seqs, size_t *ret_count) PT_MUST_USE;

/* ---- event.c ---- */
void pt_event_send(pt_store *s, peat_event_kind kind, peat_rc rc, uint64_t duration_ns,
                   uint64_t bytes_in, uint64_t bytes_out, const char *message);

#endif
