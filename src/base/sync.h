/* SPDX-License-Identifier: MIT */
/*
 * sync.h - mutex and condition, the only place that names pthreads.
 * Initialisation with default attributes cannot fail on the supported systems; asserted.
 */
#ifndef PT_BASE_SYNC_H
#define PT_BASE_SYNC_H

#include "base/base.h"

#include <pthread.h>

typedef struct pt_mutex {
    pthread_mutex_t m;
} pt_mutex;

typedef struct pt_cond {
    pthread_cond_t c;
} pt_cond;

void pt_mutex_init(pt_mutex *m);
void pt_mutex_done(pt_mutex *m);
void pt_cond_init(pt_cond *c);
void pt_cond_done(pt_cond *c);
/* Waits at most `timeout_ns` by the monotonic clock; false on time-out. */
bool pt_cond_wait_for(pt_cond *c, pt_mutex *m, uint64_t timeout_ns);

static inline void pt_mutex_lock(pt_mutex *m)
{
    int e = pthread_mutex_lock(&m->m);
    PT_ASSERT(e == 0);
}

/* False when somebody holds it, the caller included. */
static inline bool pt_mutex_try_lock(pt_mutex *m)
{
    return pthread_mutex_trylock(&m->m) == 0;
}

static inline void pt_mutex_unlock(pt_mutex *m)
{
    int e = pthread_mutex_unlock(&m->m);
    PT_ASSERT(e == 0);
}

static inline void pt_cond_wait(pt_cond *c, pt_mutex *m)
{
    int e = pthread_cond_wait(&c->c, &m->m);
    PT_ASSERT(e == 0);
}

static inline void pt_cond_broadcast(pt_cond *c)
{
    (void)pthread_cond_broadcast(&c->c); /* never fails for an initialised condition */
}

/* Which thread this is, among those that live; an ended one's number may come again. */
static inline uint64_t pt_thread_self(void)
{
    return (uint64_t)(uintptr_t)pthread_self();
}

/* A number that is the same for one thread and usually differs between threads, for choosing among
 * slots. Spread over the upper bits: stacks lie at even distances, and a multiplication by the
 * golden ratio keeps evenly spaced numbers apart. */
static inline uint64_t pt_thread_hint(void)
{
    return (uint64_t)((uintptr_t)pthread_self() >> 12) * 0x9e3779b97f4a7c15ULL;
}

/* A short pause inside a spin: tells the core that another thread is awaited. */
static inline void pt_spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

#endif
