/* SPDX-License-Identifier: MIT */
/*
 * fail.h - errors are described once, at their origin, and travel up as codes.
 *
 * A pt_sink belongs to a store (or to a peat_open under way). It keeps the newest error and, once
 * writes have failed, the first cause for ever. Thread-safe.
 */
#ifndef PT_BASE_FAIL_H
#define PT_BASE_FAIL_H

#include "base/base.h"
#include "base/sync.h"

typedef struct pt_fd_reclaim {
    /* Closes files that can be opened again. False: there was nothing to close. */
    bool (*fn)(void *ctx); /* NULL: there is no such thing */
    void *ctx;
    pt_mutex *gate; /* held by who opens a file, so that what was closed for one is not another's */
} pt_fd_reclaim;

/* Where damage is: a file of the store and an offset in it. */
typedef struct pt_spot {
    char file[32]; /* empty: none */
    uint64_t offset;
} pt_spot;

/* An error under the thread that met it. */
typedef struct pt_thread_error {
    uint64_t thread;
    bool used;
    bool call; /* a call ended with it; before: it was recorded on the way */
    peat_error error;
} pt_thread_error;

/* Of a sink: so many errors later a call's own is forgotten. */
#define PT_SINK_THREAD_ERRORS 16u

typedef struct pt_sink {
    pt_fd_reclaim fd_reclaim; /* env/fd_reclaim.h; set before the sink is shared */
    pt_mutex mu;
    peat_error newest;        /* guarded by mu */
    pt_spot place;            /* of the newest; guarded by mu */
    peat_error first;         /* guarded by mu; since init or pt_sink_clear */
    peat_error write_failure; /* guarded by mu; rc != PEAT_OK once writes are refused */
    pt_thread_error thread_errors[PT_SINK_THREAD_ERRORS]; /* guarded by mu; a ring */
    uint64_t thread_error_count;                          /* guarded by mu */
    atomic_int write_failure_rc; /* PEAT_OK, or the code every write gets; set once, under mu */
} pt_sink;

void pt_sink_init(pt_sink *sink);
void pt_sink_done(pt_sink *sink);

/* Records the error and returns `rc`. `os_errno` 0 when the system was not asked. */
peat_rc pt_fail(pt_sink *sink, peat_rc rc, const char *format, ...) PT_PRINTF(3, 4);
/* Damage at a place: the text begins with "FILE @OFFSET: ", and the place is kept beside it. */
peat_rc pt_fail_at(pt_sink *sink, peat_rc rc, const char *file, uint64_t offset, const char *format,
                   ...) PT_PRINTF(5, 6);
/* The same for a failed system call: the code follows from the errno (ENOSPC, EDQUOT: PEAT_FULL;
 * ENOMEM: PEAT_NOMEM; EROFS, EACCES, EPERM: PEAT_READ_ONLY only where the caller says so, else
 * PEAT_IO). */
peat_rc pt_fail_os(pt_sink *sink, int os_errno, const char *format, ...) PT_PRINTF(3, 4);
/* What another sink was told; returns its code. */
peat_rc pt_fail_again(pt_sink *sink, const peat_error *error);

/* A call of this thread ends with `rc`, an error. Its text is `why` or, when that is NULL, what the
 * thread recorded on the way; else what stopped the writes, or what another thread met for it; else
 * the code's own. */
void pt_sink_call(pt_sink *sink, peat_rc rc, const char *why);
/* What the last call of this thread that failed ended with; PEAT_OK: nothing, or it is forgotten.
 */
void pt_sink_thread_error(pt_sink *sink, peat_error *ret_error);

/* From now on writes are refused with the newest error as the cause; the first stays. Returns
 * the code to end the call with: no lack of room or memory (PEAT_IO instead), after which the store
 * would be usable. */
peat_rc pt_sink_stop_writes(pt_sink *sink, peat_rc rc);
static inline peat_rc pt_sink_write_failure(pt_sink *sink)
{
    return (peat_rc)atomic_load_explicit(&sink->write_failure_rc, memory_order_acquire);
}

/* Forgets what was recorded so far, but no write failure: an open that tried one thing and then
 * another. */
void pt_sink_clear(pt_sink *sink);

/* Forgets the newest error: it was expected and has been dealt with. A write failure stays. */
void pt_sink_forget(pt_sink *sink);

/* The cause of the write failure if there is one, else the first error. */
void pt_sink_first(pt_sink *sink, peat_error *ret_error);
/* The cause of the write failure if there is one, else the newest error. */
void pt_sink_get(pt_sink *sink, peat_error *ret_error);
/* As pt_sink_get with the path in front, for a call that failed with this code and leaves no store
 * behind: what has no text of its own gets the general one. Returns the code to end with: where a
 * store had to refuse writes for want of room or memory, that. ret_error may be NULL. */
peat_rc pt_sink_describe(pt_sink *sink, peat_rc rc, const char *path, peat_error *ret_error);
/* Of the newest error: its place, and its text without it. */
void pt_sink_place(pt_sink *sink, pt_spot *ret_place, peat_error *ret_error);

#endif
