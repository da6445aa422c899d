/* SPDX-License-Identifier: MIT */
/*
 * heap_env.h - the memory members of an environment for unit tests: counts what is held and fails
 * the N-th allocation on request. The members that do I/O are absent: calling one crashes the test.
 */
#ifndef TEST_ENTRY_HEAP_ENV_H
#define TEST_ENTRY_HEAP_ENV_H

#include "env/env.h"
#include "world/random.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

typedef struct heap_env {
    pt_env env;
    atomic_long held;    /* allocations and mappings not yet given back */
    atomic_long calls;   /* allocations asked for */
    atomic_long fail_at; /* this call fails, counted from 1; 0: none */
} heap_env;

static bool heap_env_refuses(heap_env *h)
{
    return atomic_fetch_add(&h->calls, 1) + 1 == atomic_load(&h->fail_at);
}

static void *heap_env_alloc(void *ctx, size_t size)
{
    heap_env *h = ctx;
    void *p = heap_env_refuses(h) ? NULL : malloc(size);
    if (p != NULL)
        atomic_fetch_add(&h->held, 1);
    return p;
}

/* It always moves, and overwrites what it leaves behind. */
static void *heap_env_resize(void *ctx, void *p, size_t size)
{
    heap_env *h = ctx;
    void *q = heap_env_refuses(h) ? NULL : malloc(size);
    if (q != NULL && p == NULL)
        atomic_fetch_add(&h->held, 1);
    if (q == NULL || p == NULL)
        return q;
    size_t old = malloc_usable_size(p);
    memcpy(q, p, old < size ? old : size);
    memset(p, 0xdd, old);
    free(p);
    return q;
}

static void heap_env_release(void *ctx, void *p)
{
    heap_env *h = ctx;
    if (p != NULL)
        atomic_fetch_sub(&h->held, 1);
    free(p);
}

static void *heap_env_map(void *ctx, size_t size)
{
    heap_env *h = ctx;
    if (heap_env_refuses(h))
        return NULL;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    atomic_fetch_add(&h->held, 1);
    return p;
}

static void heap_env_unmap(void *ctx, void *p, size_t size)
{
    heap_env *h = ctx;
    if (p == NULL)
        return;
    atomic_fetch_sub(&h->held, 1);
    if (munmap(p, size) != 0)
        abort();
}

static inline void heap_env_init(heap_env *h)
{
    memset(h, 0, sizeof *h);
    h->env = (pt_env){.size = sizeof(pt_env),
                      .ctx = h,
                      .alloc = heap_env_alloc,
                      .resize = heap_env_resize,
                      .release = heap_env_release,
                      .map = heap_env_map,
                      .unmap = heap_env_unmap};
}

#endif
