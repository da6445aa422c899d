/* SPDX-License-Identifier: MIT */
/* reads_pool.c - see reads_pool.h. */
#include "state/reads_pool.h"

void pt_reads_pool_init(pt_reads_pool *p, const pt_env *env, unsigned threads)
{
    *p = (pt_reads_pool){.env = env, .threads = threads};
    pt_mutex_init(&p->mu);
}

void pt_reads_pool_done(pt_reads_pool *p)
{
    pt_reads_pool_trim(p);
    pt_mutex_done(&p->mu);
}

static pt_reads *take_kept(pt_reads_pool *p)
{
    pt_mutex_lock(&p->mu);
    pt_reads *reads = p->count != 0 ? p->kept[--p->count] : NULL;
    pt_mutex_unlock(&p->mu);
    return reads;
}

peat_rc pt_reads_pool_take(pt_reads_pool *p, pt_reads **ret_reads)
{
    *ret_reads = take_kept(p);
    return *ret_reads != NULL ? PEAT_OK
                              : pt_reads_new(p->env, PT_READS_POOL_DEPTH, p->threads, ret_reads);
}

void pt_reads_pool_give(pt_reads_pool *p, pt_reads *reads)
{
    pt_mutex_lock(&p->mu);
    if (reads != NULL && p->count < PT_READS_POOL_KEPT) {
        p->kept[p->count++] = reads;
        reads = NULL;
    }
    pt_mutex_unlock(&p->mu);
    pt_reads_free(reads);
}

void pt_reads_pool_trim(pt_reads_pool *p)
{
    pt_reads *reads;
    while ((reads = take_kept(p)) != NULL)
        pt_reads_free(reads);
}
