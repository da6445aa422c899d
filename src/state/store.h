/* SPDX-License-Identifier: MIT */
/*
 * store.h - the open store: what its rooms share. Who reads, who writes and who works in the
 * background know this, and not one another.
 *
 * Locks, in the order in which they may be taken (I12 in doc/invariants.md):
 *   inline_mu, flush_mu  (work/work.h) "this work is under way", in this order
 *   commit_mu   the order of writing: sequences, log appends, switching memtables
 *   install_mu  the version set
 *   view_mu     replacing the view
 *   tap.published_mu, tap.durable_mu: below flush_mu and inline_mu; the tap is called under them
 *   work.mu, snapshots.mu, published.mu, empty_ranges.mu, reads.mu, budget.mu: leaves
 * Log, cache, tables, memtables and the sink have locks of their own, behind all of these.
 * Held across I/O: flush_mu and inline_mu, install_mu (the manifest), and commit_mu where the log
 * needs a new segment, is closed, or rests.
 */
#ifndef PT_STATE_STORE_H
#define PT_STATE_STORE_H

#include "base/epoch.h"
#include "base/fail.h"
#include "cache/cache.h"
#include "log/log.h"
#include "state/background.h"
#include "state/empty_ranges.h"
#include "state/published.h"
#include "state/settings.h"
#include "state/snapshot_list.h"
#include "state/reads_pool.h"
#include "state/taps.h"
#include "state/view.h"
#include "version/version_set.h"

/* Counters of readers: one cache line per epoch slot, so that only the slot's holder writes it. The
 * last one is shared by those who got no slot. */
typedef struct pt_store_read_counters {
    _Atomic uint64_t gets, found, filter_checks, filter_skips;
    uint64_t padding[4];
} pt_store_read_counters;

/* Guarded by commit_mu. */
typedef struct pt_store_write_counters {
    uint64_t puts, deletes, batches, user_bytes;
    uint64_t delays, delay_ns, waits, wait_ns;
} pt_store_write_counters;

/* How the memory is divided now (budget.h). */
typedef struct pt_store_budget {
    pt_mutex mu;
    size_t cache_bytes;             /* guarded by mu: told to the cache */
    _Atomic uint64_t section_bytes; /* that sections may take before it is divided again */
    atomic_bool lent;               /* what writing takes is the cache's */
} pt_store_budget;

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
    pt_log *log; /* NULL: no_log or read-only */
    uint64_t open_ns, recovered_records, recovered_bytes;
    uint64_t log_file_bytes;  /* of a store that is only read, and has no log */
    size_t worker_count;      /* threads; changed by open and close alone */
    struct pt_work *work;     /* the room's own: work/work.h */
    struct pt_write *write;   /* likewise: write/write.h */
    struct pt_queues *queues; /* likewise: queue/queue_state.h */
    pt_background background;
    void (*rooms_done)(pt_store *s); /* frees them, with the last reference */

    pt_sink sink;
    pt_epoch epoch;
    pt_open_tables open_tables;
    pt_store_read_counters read_counters[PT_EPOCH_SLOTS + 1];
    _Atomic uint64_t hidden_steps; /* of scans: entries visited that lead to no row */
    _Atomic uint64_t iterators;    /* open now */
    _Atomic uint64_t seeks, damages, sync_waiters; /* how many there were since the open */

    atomic_uint refs; /* the open handles together, and what may outlive them */
    atomic_bool closed;
    atomic_uint calls; /* under way outside an epoch; close waits for 0 */

    /* the order of writing, guarded by commit_mu */
    pt_mutex commit_mu;
    pt_mem *active; /* the view's, which holds it: committers need not look at the view */
    uint64_t seq_next;
    pt_store_write_counters commits;

    pt_published published;
    pt_tap_state tap; /* has its own locks */
    pt_mem_home mems;
    _Atomic uint64_t reader_bytes; /* that iterators and pins hold beside the cache and memtables */
    pt_store_budget budget;        /* has its own lock */
    pt_empty_ranges empty_ranges;  /* likewise */
    pt_reads_pool reads;           /* likewise */

    /* replaced under view_mu; readers load it in an epoch */
    pt_mutex view_mu;
    _Atomic(pt_view *) view;
    _Atomic uint64_t view_number; /* how many there were; grows after the pointer has changed */

    pt_mutex install_mu;
    pt_version_set version_set;      /* guarded by install_mu */
    _Atomic uint64_t durable_serial; /* of the segment the manifest has last heard of */
    _Atomic uint64_t file_next;

    pt_snapshots snapshots;

    _Atomic uint64_t throttle_ns_per_kib; /* what a committer owes */
    atomic_bool inline_due; /* without threads: each committer does a step, until it is false */
    atomic_uint sleepers;   /* threads that wait without a timeout: a write wakes them */
    _Atomic uint64_t unsynced_since_ns; /* 0: nothing to sync */
};

/* The store is closed, or this is a forked child of the process that opened it. */
static inline bool pt_store_gone(pt_store *s)
{
    bool child =
        PT_LIKELY(s->fork_mark != NULL) ? *s->fork_mark == 0 : s->env->pid(s->env->ctx) != s->pid;
    return PT_UNLIKELY(child) || PT_UNLIKELY(atomic_load(&s->closed));
}
/* The second half of that alone: what a child may still do with the handles it has inherited. */
bool pt_store_forked(pt_store *s);

/* Calls that are not covered by an epoch. False: the store is closed. */
bool pt_store_call_begin(pt_store *s);
void pt_store_call_end(pt_store *s);

static inline pt_store *pt_store_ref(pt_store *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}
void pt_store_unref(pt_store *s);
/* Makes the locks and what cannot fail, once env and settings are set; the first reference is the
 * caller's. */
void pt_store_init(pt_store *s);

/* The present view with a reference. */
pt_view *pt_store_view(pt_store *s);
/* The one function that changes what readers see: `next` (filled) takes the place of the present
 * view. Caller holds view_mu. */
void pt_store_publish_view(pt_store *s, pt_view *next);

/* PEAT_OK, PEAT_READ_ONLY, or what stopped the writes. */
peat_rc pt_store_writable(pt_store *s) PT_MUST_USE;

#endif
