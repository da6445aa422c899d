/* SPDX-License-Identifier: MIT */
/*
 * hash.h - the one hash of the store (XXH3, 64 bits) and the checksum bound to a place.
 *
 * A checksum is mix(hash of the bytes, file id, offset): a block read from the wrong place, or
 * from a file that was recycled, does not verify; a verified block can be copied to another place
 * without hashing its bytes again (remix the hash that was just checked).
 */
#ifndef PT_BASE_HASH_H
#define PT_BASE_HASH_H

#include "base/base.h"

uint64_t pt_hash(const void *data, size_t size);

/* murmur3's 64-bit finaliser (public domain constants): every input bit reaches every output bit */
static inline uint64_t pt_mix(uint64_t h)
{
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdULL;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53ULL;
    h ^= h >> 33;
    return h;
}

/* `file_id` is unique among all files ever made by a store; see file_id in each format. */
static inline uint64_t pt_hash_bind(uint64_t content_hash, uint64_t file_id, uint64_t offset)
{
    return pt_mix(content_hash ^ pt_mix(file_id ^ pt_mix(offset + 0x9e3779b97f4a7c15ULL)));
}

static inline uint64_t pt_checksum(const void *data, size_t size, uint64_t file_id, uint64_t offset)
{
    return pt_hash_bind(pt_hash(data, size), file_id, offset);
}

#endif
