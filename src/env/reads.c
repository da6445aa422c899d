/* SPDX-License-Identifier: MIT */
/* reads.c - see reads.h: which way reads go, and those that go plainly. */
#include "env/reads.h"

#include "env/reads_ring.h"
#include "env/reads_threads.h"

struct pt_reads {
    const pt_env *env;
    int event; /* -1: the environment has none */
    pt_reads_ring *ring;
    pt_reads_threads *threads;
    pt_read_job_list added;
    /* of the plain kind */
    pt_read_job_list ended;
    bool watched; /* others signal the event: it is to be cleared */
};

static bool has_events(const pt_env *env)
{
    return PT_ENV_HAS(env, event_open) && PT_ENV_HAS(env, event_wait);
}

/* The best kind that there is. */
static peat_rc choose(pt_reads *r, unsigned depth, unsigned threads)
{
    if (!has_events(r->env) || r->env->event_open(r->env->ctx, &r->event) != 0) {
        r->event = -1;
        return PEAT_OK;
    }
    peat_rc rc = pt_reads_ring_new(r->env, depth, r->event, &r->ring);
    if (rc == PEAT_OK && r->ring == NULL)
        rc = pt_reads_threads_new(r->env, threads < depth ? threads : depth, r->event, &r->threads);
    return rc;
}

peat_rc pt_reads_new(const pt_env *env, unsigned depth, unsigned threads, pt_reads **ret_reads)
{
    PT_ASSERT(depth > 0, "one read at least is under way at once");
    pt_reads *r = pt_alloc_zero(env, sizeof *r);
    if (r == NULL)
        return PEAT_NOMEM;
    r->env = env;
    peat_rc rc = choose(r, depth, threads);
    if (rc == PEAT_OK)
        *ret_reads = r;
    else
        pt_reads_free(r);
    return rc;
}

void pt_reads_free(pt_reads *r)
{
    if (r == NULL)
        return;
    pt_reads_ring_free(r->ring);
    pt_reads_threads_free(r->threads);
    if (r->event >= 0)
        r->env->event_close(r->env->ctx, r->event);
    pt_free(r->env, r);
}

pt_reads_kind pt_reads_kind_of(const pt_reads *r)
{
    if (r->ring != NULL)
        return PT_READS_RING;
    return r->threads != NULL ? PT_READS_THREADS : PT_READS_PLAIN;
}

void pt_reads_add(pt_reads *r, pt_read_job *job)
{
    pt_read_job_list_push(&r->added, job);
}

void pt_reads_submit(pt_reads *r)
{
    pt_read_job_list jobs = pt_read_job_list_take(&r->added);
    if (r->ring != NULL)
        pt_reads_ring_submit(r->ring, jobs);
    else if (r->threads != NULL)
        pt_reads_threads_submit(r->threads, jobs);
    else
        for (pt_read_job *job; (job = pt_read_job_list_pop(&jobs)) != NULL;) {
            pt_read_job_do(r->env, job);
            pt_read_job_list_push(&r->ended, job);
        }
}

pt_read_job *pt_reads_reap(pt_reads *r, bool wait)
{
    if (r->ring != NULL)
        return pt_reads_ring_reap(r->ring, wait).first;
    if (r->threads != NULL)
        return pt_reads_threads_reap(r->threads, wait).first;
    if (r->watched)
        r->env->event_clear(r->env->ctx, r->event);
    return pt_read_job_list_take(&r->ended).first;
}

int pt_reads_fd(pt_reads *r)
{
    if (r->ring != NULL)
        pt_reads_ring_watch(r->ring);
    else if (r->threads != NULL)
        pt_reads_threads_watch(r->threads);
    else
        r->watched = r->event >= 0;
    return r->event;
}
