/* SPDX-License-Identifier: MIT */
/* data.c - making and checking keys and values. */
#include "data.h"

#include <math.h>
#include <stdlib.h>

/* --- order ---------------------------------------------------------------------------------- */

void pb_perm_init(pb_perm *perm, uint64_t n, uint64_t seed)
{
    pb_rng rng = {seed};
    unsigned bits = 2;
    while (bits < 63 && (1ull << bits) < n)
        bits++;
    perm->n = n;
    perm->mask = (1ull << bits) - 1;
    perm->shift = bits / 2;
    perm->add = pb_rng_next(&rng);
    for (int i = 0; i < 3; i++)
        perm->mul[i] = pb_rng_next(&rng) | 1;
}

static double zeta(uint64_t n, double theta)
{
    /* The head exactly, the tail by its integral: 1e6 terms leave an error below 1e-6. */
    enum { EXACT = 1000000 };
    double sum = 0;
    uint64_t head = n < EXACT ? n : EXACT;
    for (uint64_t i = 1; i <= head; i++)
        sum += pow(1.0 / (double)i, theta);
    if (n > head)
        sum += (pow((double)n + 0.5, 1 - theta) - pow((double)head + 0.5, 1 - theta)) / (1 - theta);
    return sum;
}

void pb_zipf_init(pb_zipf *zipf, uint64_t n, double theta)
{
    zipf->n = n;
    zipf->alpha = 1 / (1 - theta);
    zipf->zeta_n = zeta(n, theta);
    zipf->eta = (1 - pow(2.0 / (double)n, 1 - theta)) / (1 - zeta(2, theta) / zipf->zeta_n);
    zipf->half_pow = 1 + pow(0.5, theta);
}

uint64_t pb_zipf_next(const pb_zipf *zipf, pb_rng *rng)
{
    double u = (double)(pb_rng_next(rng) >> 11) * 0x1p-53, uz = u * zipf->zeta_n;
    if (uz < 1)
        return 0;
    if (uz < zipf->half_pow)
        return 1;
    uint64_t rank = (uint64_t)((double)zipf->n * pow(zipf->eta * u - zipf->eta + 1, zipf->alpha));
    return rank < zipf->n ? rank : zipf->n - 1;
}

/* --- keys ----------------------------------------------------------------------------------- */

static void put_be64(char *at, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(at, &v, 8);
}

static uint64_t get_be64(const char *at)
{
    uint64_t v;
    memcpy(&v, at, 8);
    return __builtin_bswap64(v);
}

/* Eight digits at once: halves, then pairs, then digits, each lane multiplied by a reciprocal. */
static void put_digits8(char *at, uint32_t v)
{
    uint64_t x = v / 10000 | (uint64_t)(v % 10000) << 32;
    uint64_t q = ((x * 10486) >> 20) & 0x0000007f0000007fu; /* lane / 100 */
    x = q | (x - 100 * q) << 16;
    q = ((x * 103) >> 10) & 0x000f000f000f000fu; /* lane / 10 */
    x = (q | (x - 10 * q) << 8) | 0x3030303030303030u;
    memcpy(at, &x, 8);
}

pb_slice pb_key_make(const pb_keys *keys, uint64_t id, char buf[PB_KEY_MAX + 1])
{
    switch (keys->format) {
    case PB_KEY_DECIMAL:
        put_digits8(buf, (uint32_t)(id / 100000000u));
        put_digits8(buf + 8, (uint32_t)(id % 100000000u));
        break;
    case PB_KEY_BINARY:
        put_be64(buf, id);
        memset(buf + 8, '0', 8);
        break;
    case PB_KEY_HASHED:
        put_be64(buf, pb_mix(id + 1));
        put_be64(buf + 8, id);
        break;
    }
    if (keys->size > PB_KEY_MIN)
        memset(buf + PB_KEY_MIN, '0', keys->size - PB_KEY_MIN);
    return (pb_slice){buf, keys->size};
}

pb_slice pb_key_make_absent(const pb_keys *keys, uint64_t id, char buf[PB_KEY_MAX + 1])
{
    pb_slice key = pb_key_make(keys, id, buf);
    buf[key.size++] = '.';
    return key;
}

static uint64_t parse_digits(const char *at)
{
    uint64_t v = 0;
    for (int i = 0; i < PB_KEY_MIN; i++) {
        unsigned digit = (unsigned)(unsigned char)at[i] - '0';
        if (digit > 9)
            return UINT64_MAX;
        v = v * 10 + digit;
    }
    return v;
}

uint64_t pb_key_id(const pb_keys *keys, pb_slice key)
{
    char again[PB_KEY_MAX + 1];
    uint64_t id = UINT64_MAX;
    if (key.size != keys->size)
        return UINT64_MAX;
    if (keys->format == PB_KEY_DECIMAL)
        id = parse_digits(key.data);
    else
        id = get_be64(key.data + (keys->format == PB_KEY_HASHED ? 8 : 0));
    if (id == UINT64_MAX)
        return id;
    pb_key_make(keys, id, again);
    return memcmp(again, key.data, key.size) == 0 ? id : UINT64_MAX;
}

/* --- values --------------------------------------------------------------------------------- */

#define PIECE_SIZE 100 /* as db_bench: repeats lie within 100 bytes of each other */

static char *pool_new(size_t pool_size, size_t piece, size_t unique, uint64_t seed)
{
    pb_rng rng = {seed};
    char *pool = malloc(pool_size);
    if (!pool)
        return NULL;
    for (size_t i = 0; i < pool_size; i++)
        pool[i] = i % piece < unique ? (char)pb_rng_next(&rng) : pool[i - unique];
    return pool;
}

int pb_values_init(pb_values *values, size_t size, double ratio, uint64_t seed)
{
    /* The pool of small values stays in the second level cache, so that checking them does not
     * cost the engine its own cache lines; larger values need more pieces to stay distinct. */
    size_t pool_size = size <= 256 ? (size_t)1 << 20 : (size_t)8 << 20;
    size_t piece = size - PB_VALUE_HEAD < PIECE_SIZE ? size - PB_VALUE_HEAD : PIECE_SIZE;
    double head_share = size < 2 * PIECE_SIZE ? PB_VALUE_HEAD : 0; /* the head does not compress */
    double unique = ratio * (double)piece + ratio * head_share - head_share;
    if (piece == 0)
        piece = 1;
    values->size = size;
    values->piece = piece;
    values->pieces = pool_size / piece;
    size_t keep = unique < 1 ? 1 : unique > (double)piece ? piece : (size_t)unique;
    values->pool = pool_new(pool_size + size, piece, keep, seed);
    return values->pool ? PB_OK : PB_ERROR;
}

void pb_values_done(pb_values *values)
{
    free(values->pool);
    values->pool = NULL;
}

pb_slice pb_value_make(const pb_values *values, uint64_t id, uint32_t gen, char *buf)
{
    uint64_t bound = pb_value_bind(id, gen);
    uint32_t check = (uint32_t)bound;
    memcpy(buf, &gen, 4);
    memcpy(buf + 4, &check, 4);
    memcpy(buf + PB_VALUE_HEAD, pb_value_body(values, bound), values->size - PB_VALUE_HEAD);
    return (pb_slice){buf, values->size};
}
