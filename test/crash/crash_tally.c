/* SPDX-License-Identifier: MIT */
/* crash_tally.c - what was cut and seen, in memory that the child processes share. */
#include "crash/crash_cuts.h"
#include "world/shared.h"

bool crash_set_add(uint64_t *set, size_t capacity, uint64_t hash)
{
    hash += hash == 0;
    for (size_t i = 0; i < 64; i++) {
        uint64_t *slot = &set[(hash + i) & (capacity - 1)];
        if (*slot == hash)
            return false;
        if (*slot == 0) {
            *slot = hash;
            return true;
        }
    }
    return false;
}

crash_tally *crash_tally_new(size_t images)
{
    crash_tally *t = shared_new(sizeof *t);
    for (t->capacity = 1024; t->capacity < 4 * images;)
        t->capacity *= 2;
    t->seen = shared_new(t->capacity * sizeof *t->seen);
    return t;
}

void crash_tally_free(crash_tally *t)
{
    shared_free(t->seen, t->capacity * sizeof *t->seen);
    shared_free(t, sizeof *t);
}
