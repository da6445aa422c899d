/* SPDX-License-Identifier: MIT */
/* settings.c - see settings.h. */
#include "world/settings.h"

#include "world/random.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t test_number(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != NULL && *text != '\0' ? strtoull(text, NULL, 0) : otherwise;
}

uint64_t test_limit(const char *variable)
{
    uint64_t n = test_number(variable, 0);
    return n != 0 ? n : UINT64_MAX;
}

uint64_t test_seed(uint64_t otherwise)
{
    return test_number("SEED", test_number("PEAT_SEED", otherwise));
}

uint64_t test_fresh_seed(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint64_t x = (uint64_t)now.tv_nsec ^ ((uint64_t)now.tv_sec << 20) ^ (uint64_t)getpid();
    return rng_hash(x) % 1000000000u;
}

bool test_is_campaign(int argc, char **argv)
{
    return argc == 2 && strcmp(argv[1], "--campaign") == 0;
}

uint64_t test_end_ns(uint64_t seconds_otherwise)
{
    uint64_t seconds = test_number("BOUND", seconds_otherwise);
    return seconds != 0 ? test_now_ns() + seconds * 1000000000u : UINT64_MAX;
}

uint64_t test_now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t test_now_ms(void)
{
    return test_now_ns() / 1000000u;
}
