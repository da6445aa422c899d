/* SPDX-License-Identifier: MIT */
/*
 * queue.h - operations under way for who does not wait for them (peat_queue.h says what is
 * promised). The calls here take arguments that were checked.
 *
 * Reads are gets as objects (read/get.h), patient ones: their blocks are read many at once, over
 * the queue's own pt_reads, and whoever submits or polls moves them on. Whatever may wait, for a
 * lock, a file, a sync, the background, is a job of the store's service (service.h): done by its
 * threads, or inside poll where there are none.
 */
#ifndef PT_QUEUE_QUEUE_H
#define PT_QUEUE_QUEUE_H

#include "peat_queue.h"
#include "read/read.h"
#include "read/scan.h"
#include "state/store.h"
#include "write/write.h"

/* The store's, before it is used; with its last reference they go. PEAT_NOMEM. */
peat_rc pt_queues_new(pt_store *s) PT_MUST_USE;
void pt_queues_free(pt_store *s);
/* Once its tables are known, before they are used. */
void pt_queues_watch_files(pt_store *s);
/* The store is being closed: all that is outstanding ends, and nothing is taken any more. No lock
 * is held. */
void pt_queues_close(pt_store *s);
/* For the statistics. */
typedef struct pt_queue_counts {
    uint64_t queues;              /* open */
    uint64_t by_ring, by_threads; /* of these, as they read */
    uint64_t outstanding;         /* operations */
} pt_queue_counts;
void pt_queues_count(pt_store *s, pt_queue_counts *ret_counts);

/* PEAT_CLOSED, PEAT_NOMEM. A call on the store is under way. */
peat_rc pt_queue_open(pt_store *s, uint32_t keyspace, size_t depth, size_t bytes,
                      peat_queue **ret_queue) PT_MUST_USE;
void pt_queue_close(peat_queue *q);
pt_store *pt_queue_store(const peat_queue *q);
uint32_t pt_queue_keyspace(const peat_queue *q);

/* What each operation has. */
typedef struct pt_queue_submit {
    uint64_t tag;
    peat_queue_kind kind;
} pt_queue_submit;

/* Keys are internal ones, and copied. All: PEAT_QUEUE_FULL, PEAT_TOO_BIG (more than the queue's
 * bytes), PEAT_CLOSED, PEAT_NOMEM. */
peat_rc pt_queue_get(peat_queue *q, pt_queue_submit what, uint32_t keyspace,
                     const pt_read_options *options, peat_slice key) PT_MUST_USE;
peat_rc pt_queue_multi_get(peat_queue *q, pt_queue_submit what, uint32_t keyspace,
                           const pt_read_options *options, size_t n,
                           const peat_slice *keys) PT_MUST_USE;
peat_rc pt_queue_write_one(peat_queue *q, pt_queue_submit what, pt_kind kind, uint32_t keyspace,
                           peat_slice key, peat_slice value, bool sync) PT_MUST_USE;
/* The request's payload stays the caller's, and is needed until the end. An empty one with sync is
 * a sync. */
peat_rc pt_queue_write(peat_queue *q, pt_queue_submit what,
                       const pt_write_request *request) PT_MUST_USE;
/* Takes the scan over with PEAT_OK. */
peat_rc pt_queue_scan(peat_queue *q, pt_queue_submit what, pt_scan *scan, bool backward,
                      size_t n) PT_MUST_USE;
/* PEAT_INVALID: the cursor is none of the queue's, or busy. */
peat_rc pt_queue_scan_next(peat_queue *q, pt_queue_submit what, peat_cursor *cursor,
                           size_t n) PT_MUST_USE;
void pt_queue_scan_close(peat_queue *q, peat_cursor *cursor);

peat_rc pt_queue_poll(peat_queue *q, peat_completion *ret_done, size_t n, uint64_t timeout_ns,
                      size_t *ret_n) PT_MUST_USE;
int pt_queue_fd(peat_queue *q);
peat_rc pt_queue_cancel(peat_queue *q, uint64_t tag) PT_MUST_USE;
size_t pt_queue_outstanding(peat_queue *q);

#endif
