/* SPDX-License-Identifier: MIT */
/*
 * reads_ring.c - see reads_ring.h.
 *
 * What is beyond the depth waits here and is begun by the reap that makes room for it. A ring that
 * has room for nothing although nothing is in it would hold up everything: then one read is done
 * plainly.
 */
#include "env/reads_ring.h"

#include <errno.h>

#define REAPED_AT_ONCE 32u

struct pt_reads_ring {
    const pt_env *env;
    peat_env_ring *ring;
    int event;
    bool watched; /* nobody waits for the event otherwise: it need not be cleared */
    unsigned depth, under_way;
    pt_read_job_list waiting; /* submitted by the caller, not yet taken by the ring */
    pt_read_job_list ended;   /* that the ring knows nothing of */
};

/* The default's ring reads past a file_read that is not the default's. */
static bool may_use_ring(const pt_env *env)
{
    const pt_env *real = peat_env_default();
    if (!PT_ENV_HAS(env, ring_open) || !PT_ENV_HAS(env, ring_reap))
        return false;
    return env->ring_read != real->ring_read || env->file_read == real->file_read;
}

peat_rc pt_reads_ring_new(const pt_env *env, unsigned depth, int event, pt_reads_ring **ret_ring)
{
    peat_env_ring *ring = NULL;
    *ret_ring = NULL;
    if (!may_use_ring(env) || env->ring_open(env->ctx, depth, event, &ring) != 0)
        return PEAT_OK; /* whatever it is, there are other ways */
    pt_reads_ring *r = pt_alloc(env, sizeof *r);
    if (r == NULL) {
        env->ring_close(env->ctx, ring);
        return PEAT_NOMEM;
    }
    *r = (pt_reads_ring){.env = env, .ring = ring, .event = event, .depth = depth};
    *ret_ring = r;
    return PEAT_OK;
}

void pt_reads_ring_free(pt_reads_ring *r)
{
    if (r == NULL)
        return;
    r->env->ring_close(r->env->ctx, r->ring);
    pt_free(r->env, r);
}

void pt_reads_ring_watch(pt_reads_ring *r)
{
    if (r->watched)
        return;
    r->watched = true;
    r->env->event_clear(r->env->ctx, r->event);
    if (r->under_way > 0 || r->ended.first != NULL) /* one that has ended may be among them */
        r->env->event_signal(r->env->ctx, r->event);
}

static void end_here(pt_reads_ring *r, pt_read_job *job)
{
    if (r->ended.first == NULL)
        r->env->event_signal(r->env->ctx, r->event);
    pt_read_job_list_push(&r->ended, job);
}

/* False: the ring is full, and the job waits on. */
static bool begin(pt_reads_ring *r, pt_read_job *job)
{
    int e =
        r->env->ring_read(r->env->ctx, r->ring, job->file, job->offset, job->buf, job->size, job);
    if (e == EAGAIN)
        return false;
    (void)pt_read_job_list_pop(&r->waiting);
    if (e == 0) {
        r->under_way++;
    } else {
        job->error = e;
        job->done = 0;
        end_here(r, job);
    }
    return true;
}

static void begin_what_fits(pt_reads_ring *r)
{
    unsigned before = r->under_way;
    pt_read_job *job;
    while ((job = r->waiting.first) != NULL && r->under_way < r->depth) {
        if (begin(r, job))
            continue;
        if (r->under_way > 0)
            break; /* until something has ended */
        (void)pt_read_job_list_pop(&r->waiting);
        pt_read_job_do(r->env, job);
        end_here(r, job);
    }
    if (r->under_way != before)
        r->env->ring_submit(r->env->ctx, r->ring);
}

void pt_reads_ring_submit(pt_reads_ring *r, pt_read_job_list jobs)
{
    pt_read_job_list_append(&r->waiting, jobs);
    begin_what_fits(r);
}

/* What is signalled after the event was cleared is found by a later call, or by this one. */
static void collect(pt_reads_ring *r, bool wait, pt_read_job_list *io_ended)
{
    peat_env_completion ended[REAPED_AT_ONCE];
    if (r->watched)
        r->env->event_clear(r->env->ctx, r->event);
    pt_read_job_list_append(io_ended, pt_read_job_list_take(&r->ended));
    for (size_t n = REAPED_AT_ONCE; n == REAPED_AT_ONCE && r->under_way > 0; wait = false) {
        n = r->env->ring_reap(r->env->ctx, r->ring, wait, ended, REAPED_AT_ONCE);
        PT_ASSERT(n <= r->under_way, "a read of a ring ends once");
        for (size_t i = 0; i < n; i++) {
            pt_read_job *job = ended[i].tag;
            job->error = ended[i].error;
            job->done = ended[i].bytes;
            pt_read_job_list_push(io_ended, job);
        }
        r->under_way -= (unsigned)n;
    }
}

pt_read_job_list pt_reads_ring_reap(pt_reads_ring *r, bool wait)
{
    pt_read_job_list ended = {NULL, NULL};
    collect(r, false, &ended);
    while (wait && ended.first == NULL && r->under_way > 0) {
        collect(r, true, &ended);
        if (r->watched)
            collect(r, false, &ended); /* takes away the signal of what was waited for */
    }
    begin_what_fits(r);
    return ended;
}
