/* SPDX-License-Identifier: MIT */
/*
 * space_world.h - the long world of test/space: real files, and a clock of the store's own. With
 * threads it is the real one, faster by `speed`: the clock runs ahead, sleeps and timed waits are
 * as much shorter. Without threads it moves when a load says so.
 */
#ifndef SPACE_WORLD_H
#define SPACE_WORLD_H

#include "peat_env.h"
#include "space/space.h"

typedef struct space_world {
    const char *dir;
    uint64_t budget_bytes;
    int threads;
    double speed;
    peat_env env;
    peat_host host;
    peat_options options;
    uint64_t real_zero_ns;
    _Atomic uint64_t stepped_ns; /* without threads: what the clock says */
    _Atomic uint64_t written_bytes;
    _Atomic bool sampling;
} space_world;

/* Its directory, budget, threads and speed are set. */
void world_begin(space *s, space_world *w);
/* Timed waits of the store that were shortened. */
uint64_t world_waits(void);

#endif
