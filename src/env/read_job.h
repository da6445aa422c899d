/* SPDX-License-Identifier: MIT */
/* read_job.h - one read of a pt_reads (reads.h), and what reads*.c do with it: a queue of them, and
 * a read that is done plainly. */
#ifndef PT_ENV_READ_JOB_H
#define PT_ENV_READ_JOB_H

#include "env/env.h"

typedef struct pt_read_job {
    pt_file *file;
    uint64_t offset;
    void *buf;
    size_t size;
    int error;                /* ended: 0, or an errno value */
    size_t done;              /* bytes read; fewer than size only at the end of the file */
    struct pt_read_job *next; /* of a list that reap returns; else its own */
} pt_read_job;

typedef struct pt_read_job_list {
    pt_read_job *first, *last; /* last: while there is a first */
} pt_read_job_list;

/* `jobs`, a list by their `next`, goes to the end. */
static inline void pt_read_job_list_append(pt_read_job_list *list, pt_read_job_list jobs)
{
    if (jobs.first == NULL)
        return;
    if (list->first == NULL)
        list->first = jobs.first;
    else
        list->last->next = jobs.first;
    list->last = jobs.last;
}

static inline void pt_read_job_list_push(pt_read_job_list *list, pt_read_job *job)
{
    job->next = NULL;
    pt_read_job_list_append(list, (pt_read_job_list){job, job});
}

static inline pt_read_job *pt_read_job_list_pop(pt_read_job_list *list)
{
    pt_read_job *job = list->first;
    if (job != NULL)
        list->first = job->next;
    return job;
}

/* All of it; the list is empty then. */
static inline pt_read_job_list pt_read_job_list_take(pt_read_job_list *list)
{
    pt_read_job_list all = *list;
    list->first = NULL;
    return all;
}

static inline void pt_read_job_do(const pt_env *env, pt_read_job *job)
{
    job->done = 0;
    job->error = env->file_read(env->ctx, job->file, job->offset, job->buf, job->size, &job->done);
    if (job->error != 0)
        job->done = 0;
}

#endif
