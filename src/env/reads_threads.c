/* SPDX-License-Identifier: MIT */
/*
 * reads_threads.c - see reads_threads.h.
 *
 * A thread sleeps on `queued_cond` while there is nothing to read, who reaps on `ended_cond` while
 * nothing has ended. When somebody watches, the event is signalled under `mu`, when the list of
 * what has ended gets its first job, and cleared under it, when all of the list is taken: it is
 * readable exactly while there is something in the list.
 */
#include "env/reads_threads.h"

#include "base/sync.h"

struct pt_reads_threads {
    /* fixed before any thread starts, but the threads, which the caller's thread alone knows */
    const pt_env *env;
    int event;
    unsigned count;
    /* guarded by mu, a leaf */
    pt_mutex mu;
    pt_cond queued_cond, ended_cond;
    pt_read_job_list queued, ended;
    unsigned under_way; /* queued and being read */
    bool watched, stop;
    peat_env_thread *threads[];
};

static void end(pt_reads_threads *t, pt_read_job *job)
{
    t->under_way--;
    if (t->ended.first == NULL) {
        pt_cond_broadcast(&t->ended_cond);
        if (t->watched)
            t->env->event_signal(t->env->ctx, t->event);
    }
    pt_read_job_list_push(&t->ended, job);
}

static void thread_main(void *arg)
{
    pt_reads_threads *t = arg;
    pt_mutex_lock(&t->mu);
    while (!t->stop) {
        pt_read_job *job = pt_read_job_list_pop(&t->queued);
        if (job == NULL) {
            pt_cond_wait(&t->queued_cond, &t->mu);
            continue;
        }
        pt_mutex_unlock(&t->mu);
        pt_read_job_do(t->env, job);
        pt_mutex_lock(&t->mu);
        end(t, job);
    }
    pt_mutex_unlock(&t->mu);
}

peat_rc pt_reads_threads_new(const pt_env *env, unsigned count, int event,
                             pt_reads_threads **ret_threads)
{
    *ret_threads = NULL;
    if (count == 0)
        return PEAT_OK;
    pt_reads_threads *t = pt_alloc_zero(env, sizeof *t + count * sizeof t->threads[0]);
    if (t == NULL)
        return PEAT_NOMEM;
    t->env = env;
    t->event = event;
    pt_mutex_init(&t->mu);
    pt_cond_init(&t->queued_cond);
    pt_cond_init(&t->ended_cond);
    while (t->count < count &&
           env->thread_start(env->ctx, thread_main, t, &t->threads[t->count]) == 0)
        t->count++;
    if (t->count == 0)
        pt_reads_threads_free(t);
    else
        *ret_threads = t;
    return PEAT_OK;
}

void pt_reads_threads_free(pt_reads_threads *t)
{
    if (t == NULL)
        return;
    pt_mutex_lock(&t->mu);
    t->stop = true;
    pt_cond_broadcast(&t->queued_cond);
    pt_mutex_unlock(&t->mu);
    for (unsigned i = 0; i < t->count; i++)
        t->env->thread_join(t->env->ctx, t->threads[i]);
    pt_cond_done(&t->ended_cond);
    pt_cond_done(&t->queued_cond);
    pt_mutex_done(&t->mu);
    pt_free(t->env, t);
}

void pt_reads_threads_watch(pt_reads_threads *t)
{
    pt_mutex_lock(&t->mu);
    if (!t->watched && t->ended.first != NULL)
        t->env->event_signal(t->env->ctx, t->event);
    t->watched = true;
    pt_mutex_unlock(&t->mu);
}

void pt_reads_threads_submit(pt_reads_threads *t, pt_read_job_list jobs)
{
    unsigned n = 0;
    for (const pt_read_job *job = jobs.first; job != NULL; job = job->next)
        n++;
    if (n == 0)
        return;
    pt_mutex_lock(&t->mu);
    pt_read_job_list_append(&t->queued, jobs);
    t->under_way += n;
    pt_cond_broadcast(&t->queued_cond);
    pt_mutex_unlock(&t->mu);
}

pt_read_job_list pt_reads_threads_reap(pt_reads_threads *t, bool wait)
{
    pt_mutex_lock(&t->mu);
    while (wait && t->ended.first == NULL && t->under_way > 0)
        pt_cond_wait(&t->ended_cond, &t->mu);
    pt_read_job_list ended = pt_read_job_list_take(&t->ended);
    if (t->watched)
        t->env->event_clear(t->env->ctx, t->event);
    pt_mutex_unlock(&t->mu);
    return ended;
}
