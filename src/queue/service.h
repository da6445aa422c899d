/* SPDX-License-Identifier: MIT */
/*
 * service.h - who does what may wait, for all queues of a store: jobs in three lanes.
 *
 *   write   one thread: commits in the order of submission; throttle, full memtables
 *   sync    one thread: all that wait for a sync share one
 *   read    a few threads: what gets cannot do by a read of their own, and scans
 *
 * Threads are started when there is something to do. Where there are none (PEAT_THREADS_NONE, or
 * none can be started) pt_service_help does the jobs in the thread of who polls. A job is always
 * run: what has become superfluous is told by the job itself.
 */
#ifndef PT_QUEUE_SERVICE_H
#define PT_QUEUE_SERVICE_H

#include "base/sync.h"
#include "env/env.h"

typedef enum pt_service_lane_name {
    PT_SERVICE_WRITE,
    PT_SERVICE_SYNC,
    PT_SERVICE_READ,
    PT_SERVICE_LANES
} pt_service_lane_name;

#define PT_SERVICE_READ_THREADS 4u

typedef struct pt_service_job {
    struct pt_service_job *next;
    void (*run)(struct pt_service_job *job); /* may free it, and what it lies in */
} pt_service_job;

typedef struct pt_service_jobs {
    pt_service_job *first, **end;
} pt_service_jobs;

pt_service_job *pt_service_jobs_pop(pt_service_jobs *l);

typedef struct pt_service pt_service;

typedef struct pt_service_lane {
    pt_service *service;
    unsigned threads_max;
    size_t lot_max, help_max; /* jobs at a time, by a thread and by who helps */
    /* of jobs that are taken together; NULL: each by its `run` */
    void (*run_all)(void *ctx, pt_service_jobs *jobs);
    /* guarded by mu */
    pt_service_jobs jobs;
    pt_cond changed;
    size_t queued;
    unsigned threads, idle, running; /* running: jobs are being done by somebody, in so many lots */
    peat_env_thread *thread[PT_SERVICE_READ_THREADS];
} pt_service_lane;

struct pt_service {
    const pt_env *env;
    bool may_have_threads;
    void *ctx;   /* of run_all */
    pt_mutex mu; /* a leaf */
    bool stop;   /* guarded by mu */
    pt_service_lane lanes[PT_SERVICE_LANES];
};

void pt_service_init(pt_service *sv, const pt_env *env, bool may_have_threads,
                     void (*sync_all)(void *ctx, pt_service_jobs *jobs), void *ctx);
void pt_service_done(pt_service *sv); /* stopped */
/* Any thread, with any lock. False: no thread will do it, who polls is to. */
bool pt_service_add(pt_service *sv, pt_service_lane_name lane, pt_service_job *job);
/* Does some of what no thread will, without any lock: a lot of each lane, so that it ends whatever
 * others add meanwhile. False: there is nothing. What is left is for whoever is told of it. */
bool pt_service_help(pt_service *sv);
/* There is something for it; any lock may be held. */
bool pt_service_wants_help(pt_service *sv);
/* Until no lane has a job or runs one; without threads it does them. No job is added meanwhile, but
 * by jobs. */
void pt_service_drain(pt_service *sv);
/* Ends the threads, one caller at a time; there are no jobs. Later ones start others. */
void pt_service_stop(pt_service *sv);

#endif
