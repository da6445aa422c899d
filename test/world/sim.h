/* SPDX-License-Identifier: MIT */
/* sim.h - a simulated environment in a test program. */
#ifndef TEST_WORLD_SIM_H
#define TEST_WORLD_SIM_H

#include "support/sim_env.h"
#include "world/test.h"

/* Nothing was left open or allocated. */
static inline void sim_end(sim_env *sim)
{
    assert_true(sim_is_clean(sim));
    sim_free(sim);
}

#endif
