/* SPDX-License-Identifier: MIT
 *
 * peat_queue.h - operations that do not make their caller wait.
 *
 * A program hands operations to a queue and collects what became of them later, when it likes:
 * thousands under way for one thread, without callbacks and without a thread of its own for each.
 * This is the order of things, with one operation:
 *
 *     peat_queue_open(db, NULL, &queue);
 *     peat_queue_get(queue, NULL, NULL, peat_str("apple"), 7);       // returns at once
 *     peat_queue_poll(queue, &done, 1, PEAT_QUEUE_WAIT, &n);         // waits until one has ended
 *     // done.tag is 7, done.rc says what became of it, done.value has the value
 *     peat_queue_close(queue);
 *
 * examples/queue.c is a whole program; examples/queue_epoll.c and examples/queue_libuv.c wait for a
 * queue and for other things at once. How it works inside: doc/queue.md.
 *
 * What holds for every operation:
 *
 * - Once. An operation that was taken (the call returned PEAT_OK) ends exactly once, and only
 *   peat_queue_poll tells of it: nothing is called back, nothing happens on a thread of the
 *   program's. Operations end in any order. The tag is the program's own number: it comes back with
 *   the completion, and is not looked at.
 * - At once. No call but peat_queue_poll and peat_queue_close waits for a disk, a sync or the
 *   background; what has no room is PEAT_QUEUE_FULL, and nothing of it is done. Reads of the disk
 *   begin at submission once peat_queue_fd was called, and while a thread is in peat_queue_poll;
 *   else with the eighth of them, or the next poll.
 * - Reads see the state of the moment at which they were submitted, or their snapshot's: every
 *   write that had returned, or whose completion was given out, is in it. Whether they see writes
 *   of the queue that have not ended yet is open. A snapshot may be closed as soon as the call that
 *   used it has returned.
 * - Writes of one queue are committed in the order of submission, each by itself. Between queues,
 *   and beside the blocking calls, there is no order. With sync, one ends when it is durable:
 *   those that wait share one sync of the log (peat.h, section 9).
 * - Inputs. Keys and values are copied at submission; a batch is borrowed, and may not be touched
 *   until its operation has ended.
 * - Outputs belong to the queue: what a completion points to stays until the next peat_queue_poll
 *   on the queue, or its close.
 * - Memory and depth are fixed at open: `depth` operations may be outstanding, from their
 *   submission until the poll after the one that gave them out. `bytes` bounds what they hold in
 *   keys, values and rows; a read whose value finds no room waits until a poll has made some, and
 *   one operation alone may hold more.
 * - Threads. Calls on one queue come from one thread at a time, whichever, but that one thread may
 *   wait in peat_queue_poll while another submits. Any number of queues may be open on a store.
 *   The store's own threads do the writes and what a read cannot do without waiting (opening a
 *   file, a scan); with PEAT_THREADS_NONE peat_queue_poll does these in the caller's thread, and
 *   waits for them: for a lot of them, of any queue's, before it looks at its timeout.
 * - Closing the store ends all that is outstanding: what had begun to be written ends as it ends,
 *   the rest with PEAT_CLOSED. Polling still tells of each; then it returns PEAT_CLOSED.
 * - Fork. In a child every queue is dead: calls return PEAT_CLOSED, closing it does nothing.
 */
#ifndef PEAT_QUEUE_H
#define PEAT_QUEUE_H

#include "peat.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct peat_queue peat_queue;
typedef struct peat_cursor peat_cursor;

/* ---- 1  Open and close ----------------------------------------------------------------------- */

#define PEAT_QUEUE_DEPTH_DEFAULT ((size_t)256)
#define PEAT_QUEUE_DEPTH_MAX     ((size_t)65536)
#define PEAT_QUEUE_BYTES_DEFAULT ((size_t)4 << 20)
#define PEAT_QUEUE_BYTES_MIN     ((size_t)64 << 10)

typedef struct peat_queue_options {
    size_t size;
    size_t depth; /* operations outstanding; 1 to PEAT_QUEUE_DEPTH_MAX */
    size_t bytes; /* held by them in keys, values and rows; PEAT_QUEUE_BYTES_MIN at least */
} peat_queue_options;

/* Opens a queue on the store of db. It is closed with peat_queue_close, before or after its store.
 * Returns PEAT_OK, PEAT_INVALID, PEAT_CLOSED or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_queue_open(peat_db *db, const peat_queue_options *options,
                                               peat_queue **ret_queue);

/* Waits for what has begun, drops what has not, and frees the queue with its cursors. Nobody is
 * told what became of operations that were outstanding: a write among them was done or was not.
 * Poll until PEAT_END first to know. NULL is fine. */
PEAT_API void peat_queue_close(peat_queue *queue);

/* ---- 2  Submit ----------------------------------------------------------------------------------
 * `keyspace` is a handle on the queue's store, NULL for the one that it was opened on.
 * PEAT_QUEUE_FULL: the depth or the bytes are used up; poll, and submit again. A poll makes room of
 * what the one before gave out, also when it answers PEAT_END. PEAT_TOO_BIG: beyond the limits of
 * peat.h, or more than the queue's bytes could hold at all. */

/* The value of a key, and whether it is there.
 * They complete with PEAT_OK, PEAT_NOT_FOUND, PEAT_CANCELLED, PEAT_CLOSED, PEAT_IO, PEAT_CORRUPT
 * or PEAT_NOMEM.
 * Return PEAT_OK, PEAT_QUEUE_FULL, PEAT_INVALID (a snapshot of another store, too), PEAT_TOO_BIG,
 * PEAT_CLOSED or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_queue_get(peat_queue *queue, peat_db *keyspace,
                                              const peat_read_options *options, peat_slice key,
                                              uint64_t tag);
PEAT_MUST_USE PEAT_API peat_rc peat_queue_exists(peat_queue *queue, peat_db *keyspace,
                                                 const peat_read_options *options, peat_slice key,
                                                 uint64_t tag);

/* n keys as one operation, of one state: the completion has their values and codes, those of
 * peat_queue_get. n may be 0.
 * It completes with PEAT_OK, PEAT_CANCELLED or PEAT_CLOSED.
 * Returns PEAT_OK, PEAT_QUEUE_FULL, PEAT_INVALID, PEAT_TOO_BIG, PEAT_CLOSED or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_queue_multi_get(peat_queue *queue, peat_db *keyspace,
                                                    const peat_read_options *options, size_t n,
                                                    const peat_slice *keys, uint64_t tag);

/* As peat_put, peat_delete and peat_write.
 * They complete with PEAT_OK, PEAT_CANCELLED or PEAT_CLOSED (nothing was done), PEAT_READ_ONLY,
 * PEAT_NOMEM, PEAT_FULL or PEAT_IO, which say of the write what they say of peat_put.
 * Return PEAT_OK, PEAT_QUEUE_FULL, PEAT_INVALID, PEAT_TOO_BIG, PEAT_CLOSED or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_queue_put(peat_queue *queue, peat_db *keyspace,
                                              const peat_write_options *options, peat_slice key,
                                              peat_slice value, uint64_t tag);
PEAT_MUST_USE PEAT_API peat_rc peat_queue_delete(peat_queue *queue, peat_db *keyspace,
                                                 const peat_write_options *options, peat_slice key,
                                                 uint64_t tag);
PEAT_MUST_USE PEAT_API peat_rc peat_queue_write(peat_queue *queue,
                                                const peat_write_options *options,
                                                peat_batch *batch, uint64_t tag);

/* As peat_sync: makes durable what had been written before, and what was submitted to this queue
 * before.
 * It completes with PEAT_OK, PEAT_CANCELLED, PEAT_CLOSED, PEAT_READ_ONLY or PEAT_IO, with no_log
 * also PEAT_NOMEM or PEAT_FULL.
 * Returns PEAT_OK, PEAT_QUEUE_FULL, PEAT_INVALID or PEAT_CLOSED. */
PEAT_MUST_USE PEAT_API peat_rc peat_queue_sync(peat_queue *queue, uint64_t tag);

/* The first up to n rows of what an iterator with these options would give, `backward` from its
 * end. The completion has 1 to n rows, fewer where they are large, and a cursor where there may be
 * more: peat_queue_scan_next goes on behind the last row, at the same state. PEAT_END: there were
 * none. One operation of a cursor is outstanding at a time.
 * They complete with PEAT_OK, PEAT_END, PEAT_CANCELLED, PEAT_CLOSED, PEAT_IO, PEAT_CORRUPT or
 * PEAT_NOMEM. But for PEAT_OK and PEAT_CANCELLED the cursor is closed then.
 * Return PEAT_OK, PEAT_QUEUE_FULL, PEAT_INVALID (n is 0, the cursor is busy, a snapshot of another
 * store), PEAT_TOO_BIG (a bound or prefix), PEAT_CLOSED or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_queue_scan(peat_queue *queue, peat_db *keyspace,
                                               const peat_iter_options *options, bool backward,
                                               size_t n, uint64_t tag);
PEAT_MUST_USE PEAT_API peat_rc peat_queue_scan_next(peat_queue *queue, peat_cursor *cursor,
                                                    size_t n, uint64_t tag);
/* A cursor that is not read to its end. Not while an operation of it is outstanding: ignored, then.
 * NULL is fine. */
PEAT_API void peat_queue_scan_close(peat_queue *queue, peat_cursor *cursor);

/* ---- 3  Collect ------------------------------------------------------------------------------ */

typedef enum peat_queue_kind {
    PEAT_QUEUE_GET = 1,
    PEAT_QUEUE_EXISTS = 2,
    PEAT_QUEUE_MULTI_GET = 3,
    PEAT_QUEUE_PUT = 4,
    PEAT_QUEUE_DELETE = 5,
    PEAT_QUEUE_WRITE = 6,
    PEAT_QUEUE_SYNC = 7,
    PEAT_QUEUE_SCAN = 8
} peat_queue_kind;

typedef struct peat_completion {
    uint64_t tag;
    peat_queue_kind kind;     /* what it was */
    peat_rc rc;               /* what became of it: listed with the call that submitted it */
    const peat_error *error;  /* of an error: why, in words (of a multi-get, of one of its keys);
                                 NULL: there is no more to say than rc does */
    peat_slice value;         /* of a get with PEAT_OK */
    size_t n;                 /* keys of a multi-get; rows of a scan */
    const peat_slice *values; /* of a multi-get: of the keys with PEAT_OK */
    const peat_rc *rcs;       /* of a multi-get */
    const peat_row *rows;     /* of a scan */
    peat_cursor *cursor;      /* of a scan: NULL when there are no more rows */
    uint64_t reserved[2];
} peat_completion;

#define PEAT_QUEUE_WAIT UINT64_MAX /* no timeout */

/* Up to n completions into ret_done, oldest first. Waits for the first of them, up to timeout_ms
 * milliseconds; 0: does not wait. *ret_n is set in every case, 0 unless PEAT_OK.
 * Returns PEAT_OK with 1 to n; PEAT_TIMEOUT; PEAT_END when nothing is outstanding, PEAT_INVALID
 * (queue, ret_done or ret_n is NULL, or n is 0), or PEAT_CLOSED: the store is closed, and nothing
 * is outstanding. */
PEAT_MUST_USE PEAT_API peat_rc peat_queue_poll(peat_queue *queue, peat_completion *ret_done,
                                               size_t n, uint64_t timeout_ms, size_t *ret_n);

/* A descriptor, the queue's own, that is readable while there is something to poll for; for poll,
 * epoll and event loops, level-triggered. It may be readable once more than there are completions:
 * poll with a timeout of 0, and take PEAT_TIMEOUT for nothing. Not to be read, written or closed.
 * -1: queue is NULL, or the environment has no events. */
PEAT_API int peat_queue_fd(peat_queue *queue);

/* Asks for the outstanding operations with this tag to end early. Each still ends once: with
 * PEAT_CANCELLED, and nothing was done, or as it would have.
 * Returns PEAT_OK; PEAT_NOT_FOUND: none with this tag is outstanding, or what there is has ended;
 * PEAT_INVALID (queue is NULL) or PEAT_CLOSED. */
PEAT_MUST_USE PEAT_API peat_rc peat_queue_cancel(peat_queue *queue, uint64_t tag);

/* Operations that poll has not yet told of. 0 for NULL. */
PEAT_API size_t peat_queue_outstanding(peat_queue *queue);

#ifdef __cplusplus
}
#endif

#endif /* PEAT_QUEUE_H */
