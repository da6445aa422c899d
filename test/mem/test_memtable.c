/* SPDX-License-Identifier: MIT */
/* test_memtable.c - one thread, random operations: the memtable agrees with a sorted array. */
#include "mem/mem_fixture.h"

static void run_shape(key_shape shape, bool ascending, size_t count, uint64_t id_max)
{
    fixture f;
    fixture_init(&f, (size_t)32 << 20, shape);
    uint64_t batch[8];
    for (size_t done = 0; done < count;) {
        /* Sequences of a batch arrive in any order, as from writers side by side. */
        size_t n = 1 + rng_below(&f.rng, 8);
        for (size_t i = 0; i < n; i++)
            batch[i] = f.next_seq++;
        for (size_t i = n; i-- > 0; done++) {
            size_t pick = rng_below(&f.rng, i + 1);
            uint64_t seq = batch[pick];
            batch[pick] = batch[i];
            add_random(&f, shape, ascending ? done : rng_below(&f.rng, id_max), seq);
        }
        if (done % 4096 < n || done < 40)
            must_agree(&f, shape, id_max);
    }
    must_agree(&f, shape, id_max);
    fixture_done(&f);
}

TEST_LINE(TEST, random_keys_match_a_sorted_array, run_shape(KEYS_RANDOM, false, 20000, 15000))
TEST_LINE(TEST, decimal_keys_match_a_sorted_array, run_shape(KEYS_DECIMAL, false, 20000, 1000000))
TEST_LINE(TEST, ascending_keys_match_a_sorted_array, run_shape(KEYS_DECIMAL, true, 20000, 20000))
TEST_LINE(TEST, prefixes_of_each_other_match_a_sorted_array,
          run_shape(KEYS_NESTED, false, 15000, 1))
TEST_LINE(TEST, paths_match_a_sorted_array, run_shape(KEYS_PATHS, false, 20000, 10000000))
TEST_LINE(TEST, several_keyspaces_match_a_sorted_array, run_shape(KEYS_SPACES, false, 20000, 1))
TEST_LINE(TEST, late_keys_outside_match_a_sorted_array,
          run_shape(KEYS_LATE_OUTSIDE, false, 20000, 1000000))
TEST_LINE(TEST, ascending_keys_outside_match_a_sorted_array,
          run_shape(KEYS_LATE_OUTSIDE, true, 20000, 20000))
