/* SPDX-License-Identifier: MIT */
/* service.c - see service.h. */
#include "queue/service.h"

/* ---- jobs ---- */

static void list_init(pt_service_jobs *l)
{
    l->first = NULL;
    l->end = &l->first;
}

static void push(pt_service_jobs *l, pt_service_job *job)
{
    job->next = NULL;
    *l->end = job;
    l->end = &job->next;
}

pt_service_job *pt_service_jobs_pop(pt_service_jobs *l)
{
    pt_service_job *job = l->first;
    if (job == NULL)
        return NULL;
    l->first = job->next;
    if (l->first == NULL)
        l->end = &l->first;
    return job;
}

/* ---- lanes ---- */

/* mu held. Up to so many of a lane that has some, in their order. */
static void take(pt_service_lane *l, size_t max, pt_service_jobs *ret)
{
    if (l->queued <= max) {
        *ret = l->jobs;
        list_init(&l->jobs);
        l->queued = 0;
        return;
    }
    list_init(ret);
    for (l->queued -= max; max > 0; max--)
        push(ret, pt_service_jobs_pop(&l->jobs));
}

/* mu held, given up while the jobs are done: up to so many, in order. */
static void run_lot(pt_service_lane *l, size_t max)
{
    pt_service_jobs jobs;
    pt_mutex *mu = &l->service->mu;
    PT_DCHECK(pt_mutex_held(mu), "the service's mu guards its lanes");
    take(l, max, &jobs);
    l->running++;
    pt_mutex_unlock(mu);
    if (l->run_all != NULL)
        l->run_all(l->service->ctx, &jobs);
    else
        for (pt_service_job *job; (job = pt_service_jobs_pop(&jobs)) != NULL;)
            job->run(job);
    pt_mutex_lock(mu);
    l->running--;
    if (l->running == 0)
        pt_cond_broadcast(&l->changed); /* for who drains, or goes on behind who helped */
}

static void lane_main(void *arg)
{
    pt_service_lane *l = (pt_service_lane *)arg;
    pt_service *sv = l->service;
    pt_mutex_lock(&sv->mu);
    while (!sv->stop) {
        /* of a lane of one thread: who helped before there was one may still be at it */
        if (l->jobs.first != NULL && (l->threads_max > 1 || l->running == 0)) {
            run_lot(l, l->lot_max);
            continue;
        }
        l->idle++;
        pt_cond_wait(&l->changed, &sv->mu);
        l->idle--;
    }
    pt_mutex_unlock(&sv->mu);
}

/* mu held. One more, when there are more jobs than threads that wait for some. */
static void start_thread(pt_service_lane *l)
{
    pt_service *sv = l->service;
    if (!sv->may_have_threads || l->queued <= l->idle || l->threads == l->threads_max)
        return;
    if (sv->env->thread_start(sv->env->ctx, lane_main, l, &l->thread[l->threads]) == 0)
        l->threads++;
}

/* Of a lane, by who helps: as many as share a sync in a queue of the usual depth; reads of a
 * millisecond or two. */
static const size_t help_max[PT_SERVICE_LANES] = {
    [PT_SERVICE_WRITE] = 256, [PT_SERVICE_SYNC] = SIZE_MAX, [PT_SERVICE_READ] = 16};

void pt_service_init(pt_service *sv, const pt_env *env, bool may_have_threads,
                     void (*sync_all)(void *ctx, pt_service_jobs *jobs), void *ctx)
{
    *sv = (pt_service){.env = env, .may_have_threads = may_have_threads, .ctx = ctx};
    pt_mutex_init(&sv->mu);
    for (size_t i = 0; i < PT_SERVICE_LANES; i++) {
        pt_service_lane *l = &sv->lanes[i];
        l->service = sv;
        l->threads_max = i == PT_SERVICE_READ ? PT_SERVICE_READ_THREADS : 1;
        l->lot_max = i == PT_SERVICE_READ ? 1 : SIZE_MAX;
        l->help_max = help_max[i];
        l->run_all = i == PT_SERVICE_SYNC ? sync_all : NULL;
        list_init(&l->jobs);
        pt_cond_init(&l->changed);
    }
}

void pt_service_done(pt_service *sv)
{
    for (size_t i = 0; i < PT_SERVICE_LANES; i++) {
        PT_ASSERT(sv->lanes[i].threads == 0, "threads end before what they work for");
        pt_cond_done(&sv->lanes[i].changed);
    }
    pt_mutex_done(&sv->mu);
}

bool pt_service_add(pt_service *sv, pt_service_lane_name name, pt_service_job *job)
{
    pt_service_lane *l = &sv->lanes[name];
    pt_mutex_lock(&sv->mu);
    push(&l->jobs, job);
    l->queued++;
    start_thread(l);
    if (l->idle != 0)
        pt_cond_broadcast(&l->changed);
    bool served = l->threads != 0;
    pt_mutex_unlock(&sv->mu);
    return served;
}

/* mu held. */
static bool is_helpless(const pt_service_lane *l)
{
    return l->jobs.first != NULL && l->threads == 0 && l->running == 0;
}

bool pt_service_help(pt_service *sv)
{
    bool did = false;
    pt_mutex_lock(&sv->mu);
    for (size_t i = 0; i < PT_SERVICE_LANES; i++) { /* in this order: writes become syncs */
        pt_service_lane *l = &sv->lanes[i];
        if (!is_helpless(l))
            continue;
        run_lot(l, l->help_max);
        did = true;
    }
    pt_mutex_unlock(&sv->mu);
    return did;
}

bool pt_service_wants_help(pt_service *sv)
{
    bool wants = false;
    pt_mutex_lock(&sv->mu);
    for (size_t i = 0; i < PT_SERVICE_LANES; i++)
        wants = wants || is_helpless(&sv->lanes[i]);
    pt_mutex_unlock(&sv->mu);
    return wants;
}

/* mu held. */
static bool is_busy(const pt_service_lane *l)
{
    return l->jobs.first != NULL || l->running != 0;
}

void pt_service_drain(pt_service *sv)
{
    pt_mutex_lock(&sv->mu);
    for (size_t i = 0; i < PT_SERVICE_LANES;) { /* in this order: writes become syncs */
        pt_service_lane *l = &sv->lanes[i];
        if (!is_busy(l))
            i++;
        else if (is_helpless(l))
            run_lot(l, SIZE_MAX);
        else
            pt_cond_wait(&l->changed, &sv->mu);
    }
    pt_mutex_unlock(&sv->mu);
}

void pt_service_stop(pt_service *sv)
{
    const pt_env *env = sv->env;
    pt_mutex_lock(&sv->mu);
    sv->stop = true;
    for (size_t i = 0; i < PT_SERVICE_LANES; i++)
        pt_cond_broadcast(&sv->lanes[i].changed);
    pt_mutex_unlock(&sv->mu);
    for (size_t i = 0; i < PT_SERVICE_LANES; i++) {
        pt_service_lane *l = &sv->lanes[i];
        for (unsigned t = 0; t < l->threads; t++)
            env->thread_join(env->ctx, l->thread[t]);
        l->threads = 0;
    }
    pt_mutex_lock(&sv->mu);
    sv->stop = false;
    pt_mutex_unlock(&sv->mu);
}
