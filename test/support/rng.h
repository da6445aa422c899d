/* SPDX-License-Identifier: MIT */
/* rng.h - chance for tests: the same numbers for the same first state. */
#ifndef TEST_SUPPORT_RNG_H
#define TEST_SUPPORT_RNG_H

#include "base/hash.h"

typedef struct rng {
    uint64_t state;
} rng;

static inline uint64_t rng_next(rng *r)
{
    return pt_mix(r->state += 0x9e3779b97f4a7c15ULL);
}

static inline uint64_t rng_below(rng *r, uint64_t n)
{
    return rng_next(r) % n;
}

#endif
