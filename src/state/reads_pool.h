/* SPDX-License-Identifier: MIT */
/*
 * reads_pool.h - what readers of many blocks at once read with (env/reads.h): made when it is
 * needed, kept for the next one, freed when the store rests or is closed.
 */
#ifndef PT_STATE_READS_POOL_H
#define PT_STATE_READS_POOL_H

#include "base/sync.h"
#include "env/reads.h"

#define PT_READS_POOL_KEPT  4u  /* threads that read so at once, mostly */
#define PT_READS_POOL_DEPTH 64u /* reads under way for one of them: devices gain little beyond */

typedef struct pt_reads_pool {
    const pt_env *env;
    unsigned threads; /* fixed: that each may start, without a ring */
    pt_mutex mu;      /* a leaf */
    pt_reads *kept[PT_READS_POOL_KEPT];
    size_t count;
} pt_reads_pool;

void pt_reads_pool_init(pt_reads_pool *p, const pt_env *env, unsigned threads);
void pt_reads_pool_done(pt_reads_pool *p); /* all were given back */
peat_rc pt_reads_pool_take(pt_reads_pool *p, pt_reads **ret_reads) PT_MUST_USE;
void pt_reads_pool_give(pt_reads_pool *p, pt_reads *reads); /* NULL is fine; nothing is under way */
/* Frees those that are not in use. */
void pt_reads_pool_trim(pt_reads_pool *p);

#endif
