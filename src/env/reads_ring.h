/* SPDX-License-Identifier: MIT */
/* reads_ring.h - jobs of a pt_reads over the environment's ring. */
#ifndef PT_ENV_READS_RING_H
#define PT_ENV_READS_RING_H

#include "env/read_job.h"

typedef struct pt_reads_ring pt_reads_ring;

/* *ret_ring is NULL where the environment has no ring, or none to be used. PEAT_NOMEM. */
peat_rc pt_reads_ring_new(const pt_env *env, unsigned depth, int event,
                          pt_reads_ring **ret_ring) PT_MUST_USE;
void pt_reads_ring_free(pt_reads_ring *r);
/* From here on the event is cleared by every reap. */
void pt_reads_ring_watch(pt_reads_ring *r);
void pt_reads_ring_submit(pt_reads_ring *r, pt_read_job_list jobs);
pt_read_job_list pt_reads_ring_reap(pt_reads_ring *r, bool wait);

#endif
