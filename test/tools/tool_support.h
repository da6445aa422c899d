/* SPDX-License-Identifier: MIT
 *
 * What the tests of the command's pure parts share: bytes that meet the special ones often, and
 * the files under test that every other one needs. Included once per program.
 */
#ifndef TEST_TOOL_SUPPORT_H
#define TEST_TOOL_SUPPORT_H

#include "world/random.h"
#include "world/test.h"

#include <unistd.h>

#undef fail /* cmocka's macro; files of the command have functions of that name */

#include "tools/command_parts.h"

static const uint64_t seed = 20240607;

/* Bytes that meet the special ones often. */
static size_t random_bytes(rng *io_random, char *to, size_t max)
{
    static const char special[] = "\\\t\n\r\0x\"{};\xff\xc3\xa4";
    size_t size = rng_below(io_random, max + 1);
    for (size_t i = 0; i < size; i++) {
        uint64_t r = rng_next(io_random);
        to[i] = r % 2 == 0 ? special[r / 2 % (sizeof special - 1)] : (char)(r >> 8);
    }
    return size;
}

static void assert_bytes(peat_slice got, const void *data, size_t size)
{
    assert_int_equal(got.size, size);
    if (size > 0)
        assert_memory_equal(got.data, data, size);
}

#endif
