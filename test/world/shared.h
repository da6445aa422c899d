/* SPDX-License-Identifier: MIT */
/* shared.h - memory of zeros that a process shares with the children it forks from then on. */
#ifndef TEST_WORLD_SHARED_H
#define TEST_WORLD_SHARED_H

#include <stdlib.h>
#include <sys/mman.h>

static inline void *shared_new(size_t size)
{
    void *p =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        abort();
    return p;
}

static inline void shared_free(void *p, size_t size)
{
    (void)munmap(p, size); /* fails for bad arguments only */
}

#endif
