/* SPDX-License-Identifier: MIT */
/*
 * reads.h - many reads of files under way for one thread: over the environment's ring where there
 * is one, else by threads with plain reads, else one after another at pt_reads_submit.
 *
 *   pt_reads_add(r, job) ...        fills in what is to be read; nothing has begun yet
 *   pt_reads_submit(r);             all that was added is under way
 *   done = pt_reads_reap(r, wait);  those that have ended, in any order
 *
 * One thread at a time. A job, its buffer and its open file stay the caller's, untouched, until the
 * job has been reaped. A child of fork() touches none of it, and frees nothing.
 */
#ifndef PT_ENV_READS_H
#define PT_ENV_READS_H

#include "env/read_job.h"

typedef struct pt_reads pt_reads;

typedef enum pt_reads_kind { PT_READS_RING, PT_READS_THREADS, PT_READS_PLAIN } pt_reads_kind;

/* depth: how many may be under way at once; more that are added wait. threads: how many it may
 * start where there is no ring, 0: none. PEAT_NOMEM; anything else that fails means a poorer kind.
 */
peat_rc pt_reads_new(const pt_env *env, unsigned depth, unsigned threads,
                     pt_reads **ret_reads) PT_MUST_USE;
/* NULL is fine. Waits for what is under way; what waits to begin never does, and what has not been
 * reaped is the caller's again. */
void pt_reads_free(pt_reads *r);
pt_reads_kind pt_reads_kind_of(const pt_reads *r);
void pt_reads_add(pt_reads *r, pt_read_job *job);
void pt_reads_submit(pt_reads *r);
/* NULL: nothing has ended (with wait: nothing is under way). */
pt_read_job *pt_reads_reap(pt_reads *r, bool wait);
/* A descriptor that polls readable once something has ended since the last reap; -1: the
 * environment has no events. It may poll readable once more for what a reap has already returned.
 * It is an event of the environment: others may signal it too, and every reap clears it. Of the
 * plain kind, of which all ends at submit, nothing signals it. */
int pt_reads_fd(pt_reads *r);

#endif
