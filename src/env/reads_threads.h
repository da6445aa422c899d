/* SPDX-License-Identifier: MIT */
/* reads_threads.h - jobs of a pt_reads by threads that read plainly. */
#ifndef PT_ENV_READS_THREADS_H
#define PT_ENV_READS_THREADS_H

#include "env/read_job.h"

typedef struct pt_reads_threads pt_reads_threads;

/* Up to `count` threads; *ret_threads is NULL where not one could be started. PEAT_NOMEM. */
peat_rc pt_reads_threads_new(const pt_env *env, unsigned count, int event,
                             pt_reads_threads **ret_threads) PT_MUST_USE;
void pt_reads_threads_free(pt_reads_threads *t);
/* From here on the event is readable while something has ended that was not reaped. */
void pt_reads_threads_watch(pt_reads_threads *t);
void pt_reads_threads_submit(pt_reads_threads *t, pt_read_job_list jobs);
pt_read_job_list pt_reads_threads_reap(pt_reads_threads *t, bool wait);

#endif
