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
#ifdef PT_DEBUG
    _Atomic uint64_t owner; /* relaxed: only its holder compares it with itself */
#endif
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

/* Which thread this is, among those that live; an ended one's number may come again. */
static inline uint64_t pt_thread_self(void)
{
    return (uint64_t)(uintptr_t)pthread_self();
}

static inline void pt_mutex_set_owner(pt_mutex *m, uint64_t owner)
{
#ifdef PT_DEBUG
    atomic_store_explicit(&m->owner, owner, memory_order_relaxed);
#else
    (void)m;
    (void)owner;
#endif
}

/* By this thread. For PT_DCHECK: only debug builds know. */
static inline bool pt_mutex_held(pt_mutex *m)
{
#ifdef PT_DEBUG
    return atomic_load_explicit(&m->owner, memory_order_relaxed) == pt_thread_self();
#else
    (void)m;
    return true;
#endif
}

static inline void pt_mutex_lock(pt_mutex *m)
{
    PT_DCHECK(!pt_mutex_held(m), "I12: no thread takes a lock twice");
    int e = pthread_mutex_lock(&m->m);
    PT_ASSERT(e == 0, "a mutex can be locked");
    pt_mutex_set_owner(m, pt_thread_self());
}

/* False when somebody holds it, the caller included. */
static inline bool pt_mutex_try_lock(pt_mutex *m)
{
    bool locked = pthread_mutex_trylock(&m->m) == 0;
    if (locked)
        pt_mutex_set_owner(m, pt_thread_self());
    return locked;
}

static inline void pt_mutex_unlock(pt_mutex *m)
{
    PT_DCHECK(pt_mutex_held(m), "a lock is given back by who holds it");
    pt_mutex_set_owner(m, 0);
    int e = pthread_mutex_unlock(&m->m);
    PT_ASSERT(e == 0, "a mutex that is held can be unlocked");
}

static inline void pt_cond_wait(pt_cond *c, pt_mutex *m)
{
    PT_DCHECK(pt_mutex_held(m), "who waits holds the lock of what is waited for");
    pt_mutex_set_owner(m, 0);
    int e = pthread_cond_wait(&c->c, &m->m);
    PT_ASSERT(e == 0, "a condition can be waited for");
    pt_mutex_set_owner(m, pt_thread_self());
}

static inline void pt_cond_broadcast(pt_cond *c)
{
    (void)pthread_cond_broadcast(&c->c); /* never fails for an initialised condition */
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
