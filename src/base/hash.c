/* SPDX-License-Identifier: MIT */
/* hash.c - XXH3 inlined from the system's header; see hash.h. */
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t pt_hash(const void *data, size_t size)
{
    return XXH3_64bits(data, size);
}
