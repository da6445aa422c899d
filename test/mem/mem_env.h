/* SPDX-License-Identifier: MIT */
/*
 * mem_env.h - an environment with memory and nothing else, which can run out of it on request.
 * Under AddressSanitizer mappings come from the heap, so that their ends are watched.
 */
#ifndef TEST_MEM_MEM_ENV_H
#define TEST_MEM_MEM_ENV_H

#include "env/env.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define MEM_ENV_HEAP_MAPS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEM_ENV_HEAP_MAPS 1
#endif
#endif
#ifndef MEM_ENV_HEAP_MAPS
#define MEM_ENV_HEAP_MAPS 0
#endif

typedef struct mem_env {
    peat_env env;
    atomic_long allowed; /* allocations that still succeed; negative: all of them */
    atomic_long live;    /* allocations and mappings not given back */
} mem_env;

static inline bool mem_env_grant(mem_env *e)
{
    long left = atomic_load(&e->allowed);
    do {
        if (left == 0)
            return false;
    } while (left > 0 && !atomic_compare_exchange_weak(&e->allowed, &left, left - 1));
    return true;
}

static inline void *mem_env_alloc(void *ctx, size_t size)
{
    mem_env *e = ctx;
    void *p = mem_env_grant(e) ? malloc(size) : NULL;
    if (p != NULL)
        atomic_fetch_add(&e->live, 1);
    return p;
}

static inline void *mem_env_resize(void *ctx, void *p, size_t size)
{
    mem_env *e = ctx;
    void *q = mem_env_grant(e) ? realloc(p, size) : NULL;
    if (q != NULL && p == NULL)
        atomic_fetch_add(&e->live, 1);
    return q;
}

static inline void mem_env_release(void *ctx, void *p)
{
    mem_env *e = ctx;
    if (p != NULL)
        atomic_fetch_sub(&e->live, 1);
    free(p);
}

static inline void *mem_env_map(void *ctx, size_t size)
{
    mem_env *e = ctx;
    if (!mem_env_grant(e))
        return NULL;
    void *p = NULL;
    if (MEM_ENV_HEAP_MAPS) {
        if (posix_memalign(&p, 4096, size) != 0)
            return NULL;
        memset(p, 0, size);
    } else {
        p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
        if (p == MAP_FAILED)
            return NULL;
        (void)madvise(p, size, MADV_HUGEPAGE); /* a wish */
    }
    atomic_fetch_add(&e->live, 1);
    return p;
}

static inline void mem_env_unmap(void *ctx, void *p, size_t size)
{
    mem_env *e = ctx;
    atomic_fetch_sub(&e->live, 1);
    if (MEM_ENV_HEAP_MAPS)
        free(p);
    else
        (void)munmap(p, size);
}

static inline void mem_env_sleep(void *ctx, uint64_t ns)
{
    (void)ctx;
    (void)ns;
    sched_yield();
}

static inline void mem_env_init(mem_env *e)
{
    *e = (mem_env){.env = {.size = sizeof e->env,
                           .ctx = e,
                           .alloc = mem_env_alloc,
                           .resize = mem_env_resize,
                           .release = mem_env_release,
                           .map = mem_env_map,
                           .unmap = mem_env_unmap,
                           .sleep_ns = mem_env_sleep}};
    atomic_init(&e->allowed, -1);
    atomic_init(&e->live, 0);
}

#endif
