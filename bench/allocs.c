/* SPDX-License-Identifier: MIT */
/*
 * allocs.c - counting calls to the allocator. The only file with global state: an interposed
 * malloc has nowhere else to keep it. Counters are relaxed: they are read when the workers stand.
 */
#include "allocs.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(SANITIZED)

static atomic_bool counting;
static atomic_uint_fast64_t foreground_calls, background_calls, asked_bytes;
static _Thread_local bool in_foreground;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *p);

static inline void count(size_t size)
{
    if (!atomic_load_explicit(&counting, memory_order_relaxed))
        return;
    atomic_fetch_add_explicit(in_foreground ? &foreground_calls : &background_calls, 1,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&asked_bytes, size, memory_order_relaxed);
}

void *malloc(size_t size)
{
    count(size);
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    count(n * size);
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    count(size);
    return __libc_realloc(old, size);
}

void *memalign(size_t align, size_t size)
{
    count(size);
    return __libc_memalign(align, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    return memalign(align, size);
}

int posix_memalign(void **ret_p, size_t align, size_t size)
{
    void *p = memalign(align, size);
    if (!p)
        return ENOMEM;
    *ret_p = p;
    return 0;
}

void free(void *p)
{
    __libc_free(p);
}

bool pb_allocs_available(void)
{
    return true;
}

void pb_allocs_start(void)
{
    foreground_calls = background_calls = asked_bytes = 0;
    counting = true;
}

void pb_allocs_stop(pb_allocs *ret_seen)
{
    counting = false;
    *ret_seen = (pb_allocs){foreground_calls, background_calls, asked_bytes};
}

void pb_allocs_mine(bool foreground)
{
    in_foreground = foreground;
}

#else

bool pb_allocs_available(void)
{
    return false;
}

void pb_allocs_start(void)
{
}

void pb_allocs_stop(pb_allocs *ret_seen)
{
    *ret_seen = (pb_allocs){0};
}

void pb_allocs_mine(bool foreground)
{
    (void)foreground;
}

#endif
