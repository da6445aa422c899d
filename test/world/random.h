/* SPDX-License-Identifier: MIT */
/* random.h - chance for tests (splitmix64): the same numbers for the same first state, and any
 * first state is as good as another. Asks for nothing but the C library. */
#ifndef TEST_WORLD_RANDOM_H
#define TEST_WORLD_RANDOM_H

#include <stdint.h>

typedef struct rng {
    uint64_t state;
} rng;

/* A number that looks like chance and follows from x. */
static inline uint64_t rng_hash(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline uint64_t rng_next(rng *r)
{
    uint64_t x = r->state;
    r->state += UINT64_C(0x9e3779b97f4a7c15);
    return rng_hash(x);
}

/* 0 .. limit - 1; limit 0 counts as 1. */
static inline uint64_t rng_below(rng *r, uint64_t limit)
{
    return limit == 0 ? 0 : rng_next(r) % limit;
}

#endif
