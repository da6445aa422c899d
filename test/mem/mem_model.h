/* SPDX-License-Identifier: MIT */
/*
 * mem_model.h - the ways of making keys that the tests of memtables use. Failures print the seed;
 * SEED=n repeats a run.
 */
#ifndef TEST_MEM_MEM_MODEL_H
#define TEST_MEM_MEM_MODEL_H

#include "base/coding.h"
#include "base/hash.h"
#include "mem/memtable.h"
#include "world/entries.h"
#include "world/random.h"

/* Shapes of keys; each stresses another part of the order. */
typedef enum key_shape {
    KEYS_RANDOM,  /* 16 random bytes in one keyspace */
    KEYS_DECIMAL, /* 16 digits, zero-padded: long common prefix */
    KEYS_NESTED,  /* 0 to 6 bytes of a two-letter alphabet with zeros: prefixes of each other */
    KEYS_PATHS,   /* common prefixes longer than any head */
    KEYS_SPACES,  /* several keyspaces, short keys */
    KEYS_LATE_OUTSIDE, /* like decimal, but now and then a key that shares no byte with the rest */
    KEY_SHAPE_COUNT,
} key_shape;

#define MODEL_KEY_MAX 128

static inline size_t key_make(key_shape shape, rng *r, uint64_t id, uint8_t *key)
{
    pt_put_be32(key, PT_KEYSPACE_DEFAULT);
    uint8_t *p = key + PT_KEYSPACE_BYTES;
    int n = 0;
    switch (shape) {
    case KEYS_RANDOM:
        pt_put_u64(p, pt_mix(id));
        pt_put_u64(p + 8, id);
        return 20;
    case KEYS_DECIMAL:
        n = snprintf((char *)p, 100, "%016llu", (unsigned long long)id);
        break;
    case KEYS_NESTED:
        n = (int)rng_below(r, 7);
        for (int i = 0; i < n; i++)
            p[i] = (uint8_t)(rng_below(r, 3) == 0 ? 0 : 'a' + rng_below(r, 2));
        break;
    case KEYS_PATHS:
        n = snprintf((char *)p, 100, "/usr/share/doc/a-rather-long-package-name-%llu/%s%llu",
                     (unsigned long long)(id % 7), id % 3 ? "copyright/of/everything/" : "",
                     (unsigned long long)id);
        break;
    case KEYS_SPACES:
        pt_put_be32(key, (uint32_t)rng_below(r, 4) * 0x01010101u);
        n = (int)rng_below(r, 4);
        for (int i = 0; i < n; i++)
            p[i] = (uint8_t)rng_next(r);
        break;
    case KEYS_LATE_OUTSIDE:
    default:
        n = snprintf((char *)p, 100, "%016llu", (unsigned long long)id);
        if (rng_below(r, 500) == 0)
            key[rng_below(r, 12)] = (uint8_t)rng_next(r);
        break;
    }
    return PT_KEYSPACE_BYTES + (size_t)n;
}

#endif
