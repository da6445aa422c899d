/* SPDX-License-Identifier: MIT */
/* settings.h - what whoever runs a test may say: numbers in the environment, --campaign, a seed. */
#ifndef TEST_WORLD_SETTINGS_H
#define TEST_WORLD_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

/* The number in an environment variable, else `otherwise`. */
uint64_t test_number(const char *variable, uint64_t otherwise);
/* Likewise, where 0 or nothing is no limit. */
uint64_t test_limit(const char *variable);
/* SEED or PEAT_SEED of the environment, else `otherwise`. */
uint64_t test_seed(uint64_t otherwise);
/* A seed no earlier run had. */
uint64_t test_fresh_seed(void);
/* The only argument is --campaign. */
bool test_is_campaign(int argc, char **argv);
/* When a campaign ends that takes BOUND seconds, else so many; 0: when all is done. */
uint64_t test_end_ns(uint64_t seconds_otherwise);
uint64_t test_now_ns(void); /* of the system's monotonic clock */
uint64_t test_now_ms(void);

#endif
