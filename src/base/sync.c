/* SPDX-License-Identifier: MIT */
/* sync.c - see sync.h. */
#include "base/sync.h"

#include <errno.h>
#include <time.h>

void pt_mutex_init(pt_mutex *m)
{
    int e = pthread_mutex_init(&m->m, NULL);
    PT_ASSERT(e == 0, "default attributes cannot fail");
    pt_mutex_set_owner(m, 0);
}

void pt_mutex_done(pt_mutex *m)
{
    int e = pthread_mutex_destroy(&m->m);
    PT_ASSERT(e == 0, "nobody holds a mutex that goes");
}

void pt_cond_init(pt_cond *c)
{
    pthread_condattr_t attr;
    int e = pthread_condattr_init(&attr);
    PT_ASSERT(e == 0, "default attributes cannot fail");
    e = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    PT_ASSERT(e == 0, "there is a monotonic clock");
    e = pthread_cond_init(&c->c, &attr);
    PT_ASSERT(e == 0, "default attributes cannot fail");
    (void)pthread_condattr_destroy(&attr); /* only fails for a bad argument */
}

void pt_cond_done(pt_cond *c)
{
    int e = pthread_cond_destroy(&c->c);
    PT_ASSERT(e == 0, "nobody waits for a condition that goes");
}

bool pt_cond_wait_for(pt_cond *c, pt_mutex *m, uint64_t timeout_ns)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
    uint64_t ns = (uint64_t)t.tv_nsec + timeout_ns % 1000000000ULL;
    t.tv_sec += (time_t)(timeout_ns / 1000000000ULL + ns / 1000000000ULL);
    t.tv_nsec = (long)(ns % 1000000000ULL);
    PT_DCHECK(pt_mutex_held(m), "who waits holds the lock of what is waited for");
    pt_mutex_set_owner(m, 0);
    int e = pthread_cond_timedwait(&c->c, &m->m, &t);
    PT_ASSERT(e == 0 || e == ETIMEDOUT, "a condition can be waited for");
    pt_mutex_set_owner(m, pt_thread_self());
    return e == 0;
}
