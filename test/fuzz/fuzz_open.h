/* SPDX-License-Identifier: MIT */
/* fuzz_open.h - how targets open a store: in the simulated environment, without threads, tiny. */
#ifndef TEST_FUZZ_FUZZ_OPEN_H
#define TEST_FUZZ_FUZZ_OPEN_H

#include "support/sim_env.h"

/* memory_bytes below, and what a store needs besides; a declared length that is believed passes it
 * at once. */
#define FUZZ_STORE_BYTES_MAX ((uint64_t)32 << 20)

typedef struct fuzz_options {
    peat_options options;
    peat_host host;
    peat_test_options test;
} fuzz_options;

static inline void fuzz_options_make(fuzz_options *o, const struct peat_env *env)
{
    *o = (fuzz_options){
        .host = {.size = sizeof(peat_host), .env = env},
        .test = {.size = sizeof(peat_test_options), .segment_bytes = 8192},
        .options = {.size = sizeof(peat_options),
                    .memory_bytes = PEAT_MEMORY_BYTES_MIN,
                    .threads = PEAT_THREADS_NONE},
    };
    o->options.host = &o->host;
    o->options.test = &o->test;
}

#endif
