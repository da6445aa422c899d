/* SPDX-License-Identifier: MIT */
/*
 * key.h - what every lookup does with keys, without a call and with few branches: keys are short,
 * and a lookup in memory is hardly more than comparisons.
 *
 * A head is 8 bytes of a key behind a prefix that it has in common with others, as an integer
 * (pt_key_head). Arrays of heads are of 8 bytes each, little-endian, ascending.
 */
#ifndef PT_BASE_KEY_H
#define PT_BASE_KEY_H

#include "base/coding.h"

/* The head behind `skip` bytes; zeros where the key has ended. */
static inline uint64_t pt_key_head_behind(pt_slice key, size_t skip)
{
    size_t left = key.size > skip ? key.size - skip : 0;
    if (left >= 8 || left == 0)
        return left == 0 ? 0 : pt_get_be64(key.data + skip);
    if (key.size >= 8) /* its last 8 bytes, without what lies before */
        return pt_get_be64(key.data + key.size - 8) << (8 * (8 - left));
    return pt_key_head(key.data + skip, left);
}

/* How many of n heads are below `head`: no step has a branch that could go wrong. */
static inline size_t pt_key_heads_below(const uint8_t *heads, size_t n, uint64_t head)
{
    const uint8_t *at = heads; /* the answer is in [at, at + n] */
    while (n > 1) {
        size_t half = n / 2;
        const uint8_t *behind = at + 8 * half;
        at = pt_get_u64(behind - 8) < head ? behind : at;
        n -= half;
    }
    return (size_t)(at - heads) / 8 + (n != 0 && pt_get_u64(at) < head);
}

/* The same of exactly 7. */
#define PT_KEY_HEADS_FEW 7u
static inline size_t pt_key_heads_below_few(const uint8_t *heads, uint64_t head)
{
    size_t at = pt_get_u64(heads + (size_t)8 * 3) < head ? 4 : 0;
    at += pt_get_u64(heads + (at + 1) * 8) < head ? 2 : 0;
    return at + (pt_get_u64(heads + at * 8) < head);
}

/* As memcmp(a, b, n) == 0. The last loads lie over those before them: no loop over single bytes. */
static inline bool pt_key_bytes_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
    if (n >= 8) {
        uint64_t differ =
            (pt_get_u64(a) ^ pt_get_u64(b)) | (pt_get_u64(a + n - 8) ^ pt_get_u64(b + n - 8));
        for (size_t i = 8; PT_UNLIKELY(i + 8 < n); i += 8)
            differ |= pt_get_u64(a + i) ^ pt_get_u64(b + i);
        return differ == 0;
    }
    if (n >= 4)
        return pt_get_u32(a) == pt_get_u32(b) && pt_get_u32(a + n - 4) == pt_get_u32(b + n - 4);
    return n == 0 || (a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1]);
}

/* memcpy for a few bytes, not known before, where a call would be most of the cost. */
static inline void pt_key_copy(uint8_t *dst, const uint8_t *src, size_t n)
{
    if (PT_UNLIKELY(n > 32)) {
        memcpy(dst, src, n);
    } else if (n >= 16) {
        memcpy(dst, src, 16);
        memcpy(dst + n - 16, src + n - 16, 16);
    } else if (n >= 8) {
        memcpy(dst, src, 8);
        memcpy(dst + n - 8, src + n - 8, 8);
    } else if (n >= 4) {
        memcpy(dst, src, 4);
        memcpy(dst + n - 4, src + n - 4, 4);
    } else {
        for (size_t i = 0; i < n; i++)
            dst[i] = src[i];
    }
}

/* As pt_slice_compare. */
static inline int pt_key_compare(pt_slice a, pt_slice b)
{
    size_t n = a.size < b.size ? a.size : b.size, i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t x = pt_get_be64(a.data + i), y = pt_get_be64(b.data + i);
        if (x != y)
            return x < y ? -1 : 1;
    }
    for (; i < n; i++)
        if (a.data[i] != b.data[i])
            return a.data[i] < b.data[i] ? -1 : 1;
    return a.size < b.size ? -1 : a.size > b.size;
}

#endif
