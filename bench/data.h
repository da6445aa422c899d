/* SPDX-License-Identifier: MIT */
/*
 * data.h - which keys and values are written, in which order, and how a value that was read is
 * recognised as right.
 *
 * A record is a number, its id. The key is the id in one of three formats:
 *   decimal  16 digits, zero-padded (as LevelDB's db_bench); key order is id order
 *   binary   8 bytes big-endian, then '0' (as RocksDB's db_bench); key order is id order
 *   hashed   8 bytes of a mixed id, 8 bytes of the id: random looking keys (YCSB's order)
 * Longer keys are filled up with '0' at the end. An absent key is a present one plus a '.', so it
 * falls between two present keys.
 *
 * A value is bound to (id, generation): 4 bytes generation, 4 bytes check of id and generation,
 * then a piece of a pseudo-random pool chosen by both. A reader who knows the id can tell a value
 * of another key, of an older generation than allowed, a damaged or cut one.
 */
#ifndef BENCH_DATA_H
#define BENCH_DATA_H

#include "engine.h"

#include <string.h>

#define PB_KEY_MIN   16
#define PB_KEY_MAX   64
#define PB_VALUE_MIN 8

/* splitmix64's finaliser: every bit of x reaches every bit of the result. */
static inline uint64_t pb_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

typedef struct pb_rng {
    uint64_t state;
} pb_rng;

static inline uint64_t pb_rng_next(pb_rng *rng)
{
    return pb_mix(rng->state += 0x9e3779b97f4a7c15u);
}

static inline uint64_t pb_scale(uint64_t random, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)random * n) >> 64);
}

static inline uint64_t pb_rng_below(pb_rng *rng, uint64_t n)
{
    return pb_scale(pb_rng_next(rng), n);
}

/* A fixed permutation of [0, n): a mixer on the next power of two, walked until it lands inside
 * (fewer than two steps on average). Each id comes up exactly once. */
typedef struct pb_perm {
    uint64_t n;
    uint64_t mask;
    unsigned shift;
    uint64_t add;
    uint64_t mul[3]; /* odd, hence invertible */
} pb_perm;

void pb_perm_init(pb_perm *perm, uint64_t n, uint64_t seed);

static inline uint64_t pb_perm_at(const pb_perm *perm, uint64_t i)
{
    do {
        i = (i * perm->mul[0] + perm->add) & perm->mask;
        i ^= i >> perm->shift;
        i = (i * perm->mul[1]) & perm->mask;
        i ^= i >> perm->shift;
        i = (i * perm->mul[2]) & perm->mask;
        i ^= i >> perm->shift;
    } while (i >= perm->n);
    return i;
}

/* Zipfian ranks in [0, n), rank 0 the most frequent: Gray et al. 1994, as YCSB uses it. */
typedef struct pb_zipf {
    uint64_t n;
    double alpha, zeta_n, eta, half_pow;
} pb_zipf;

void pb_zipf_init(pb_zipf *zipf, uint64_t n, double theta);
uint64_t pb_zipf_next(const pb_zipf *zipf, pb_rng *rng);

typedef enum pb_key_format { PB_KEY_DECIMAL, PB_KEY_BINARY, PB_KEY_HASHED } pb_key_format;

typedef struct pb_keys {
    pb_key_format format;
    size_t size;
} pb_keys;

pb_slice pb_key_make(const pb_keys *keys, uint64_t id, char buf[PB_KEY_MAX + 1]);
pb_slice pb_key_make_absent(const pb_keys *keys, uint64_t id, char buf[PB_KEY_MAX + 1]);
uint64_t pb_key_id(const pb_keys *keys, pb_slice key); /* UINT64_MAX: not one of ours */

typedef struct pb_values {
    size_t size;
    size_t piece; /* pool pieces start at multiples of this */
    uint64_t pieces;
    char *pool;
} pb_values;

/* ratio: the part of a value that a compressor cannot remove. */
int pb_values_init(pb_values *values, size_t size, double ratio, uint64_t seed);
void pb_values_done(pb_values *values);
pb_slice pb_value_make(const pb_values *values, uint64_t id, uint32_t gen, char *buf);

typedef struct pb_expect {
    uint32_t gen_min, gen_max; /* generations a reader may see now */
} pb_expect;

#define PB_VALUE_HEAD 8

static inline uint64_t pb_value_bind(uint64_t id, uint32_t gen)
{
    return pb_mix(id * 0x9e3779b97f4a7c15u + gen);
}

static inline const char *pb_value_body(const pb_values *values, uint64_t bound)
{
    return values->pool + pb_scale(bound, values->pieces) * values->piece;
}

/* Before many values are checked: the check need not wait for what they are compared with. */
static inline void pb_value_expect(const pb_values *values, uint64_t id, pb_expect expect)
{
    const char *body = pb_value_body(values, pb_value_bind(id, expect.gen_max));
    for (size_t at = 0; at < values->size; at += 64)
        __builtin_prefetch(body + at);
}

/* Every byte (full), or size, generation, check and the last 8 bytes. In the header because a scan
 * has some 20 ns per row, and the check must not be what is measured. */
static inline bool pb_value_check(const pb_values *values, uint64_t id, pb_slice value,
                                  pb_expect expect, bool full)
{
    uint32_t gen, check;
    uint64_t have, want;
    if (value.size != values->size)
        return false;
    memcpy(&gen, value.data, 4);
    memcpy(&check, value.data + 4, 4);
    uint64_t bound = pb_value_bind(id, gen);
    if (check != (uint32_t)bound || gen < expect.gen_min || gen > expect.gen_max)
        return false;
    size_t rest = value.size - PB_VALUE_HEAD;
    const char *data = value.data + PB_VALUE_HEAD, *body = pb_value_body(values, bound);
    if (full || rest < 8)
        return memcmp(data, body, rest) == 0;
    memcpy(&have, data + rest - 8, 8);
    memcpy(&want, body + rest - 8, 8);
    return have == want;
}

#endif
