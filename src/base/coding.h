/* SPDX-License-Identifier: MIT */
/*
 * coding.h - little-endian integers, varints, and the cursor that decodes hostile bytes.
 *
 * A cursor that ran past its end has failed and stays failed: every later read gives zero, so a
 * decoder reads all its fields and asks pt_cursor_ok() once. Varints are LEB128, at most 10 bytes.
 */
#ifndef PT_BASE_CODING_H
#define PT_BASE_CODING_H

#include "base/base.h"

/* A load or a store each: of shifted bytes compilers make one only where they recognise them, which
 * gcc 12 does not in a search. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define PT_CODING_LITTLE(bits, v) __builtin_bswap##bits(v)
#else
#define PT_CODING_LITTLE(bits, v) (v)
#endif

static inline void pt_put_u16(uint8_t *p, uint16_t v)
{
    v = PT_CODING_LITTLE(16, v);
    memcpy(p, &v, sizeof v);
}

static inline void pt_put_u32(uint8_t *p, uint32_t v)
{
    v = PT_CODING_LITTLE(32, v);
    memcpy(p, &v, sizeof v);
}

static inline void pt_put_u64(uint8_t *p, uint64_t v)
{
    v = PT_CODING_LITTLE(64, v);
    memcpy(p, &v, sizeof v);
}

static inline uint16_t pt_get_u16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return PT_CODING_LITTLE(16, v);
}

static inline uint32_t pt_get_u32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return PT_CODING_LITTLE(32, v);
}

static inline uint64_t pt_get_u64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return PT_CODING_LITTLE(64, v);
}

/* Big-endian, for byte-order comparisons as integers. */
static inline uint64_t pt_get_be64(const uint8_t *p)
{
    return __builtin_bswap64(pt_get_u64(p));
}

static inline void pt_put_be32(uint8_t *p, uint32_t v)
{
    pt_put_u32(p, __builtin_bswap32(v));
}

static inline uint32_t pt_get_be32(const uint8_t *p)
{
    return __builtin_bswap32(pt_get_u32(p));
}

/* The first 8 bytes of a key, zero-padded, as an integer whose order is the keys' order but for
 * ties. */
static inline uint64_t pt_key_head(const uint8_t *p, size_t n)
{
    if (PT_LIKELY(n >= 8))
        return pt_get_be64(p);
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (56 - 8 * i);
    return v;
}

/* Sequences, serials, counts of edits and of opens only grow, and at a million a second take a
 * thousand years to get here: a file that says more is damaged, and whoever counts on need not look
 * for the end. */
#define PT_STORED_NUMBER_MAX ((1ULL << 55) - 1)

#define PT_VARINT_SIZE_MAX 10

/* Returns the end of what was written. */
static inline uint8_t *pt_put_varint(uint8_t *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

typedef struct pt_cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
} pt_cursor;

static inline pt_cursor pt_cursor_of(const void *data, size_t size)
{
    const uint8_t *p = (const uint8_t *)data;
    /* no bytes may have no address: nothing is added to that */
    return (pt_cursor){.at = p, .end = size != 0 ? p + size : p, .failed = false};
}

static inline bool pt_cursor_ok(const pt_cursor *c)
{
    return !c->failed;
}

static inline size_t pt_cursor_left(const pt_cursor *c)
{
    return c->failed ? 0 : (size_t)(c->end - c->at);
}

/* The next n bytes, or a failed cursor and an empty slice. */
static inline pt_slice pt_cursor_bytes(pt_cursor *c, uint64_t n)
{
    if (c->failed || n > (uint64_t)(c->end - c->at)) {
        c->failed = true;
        return (pt_slice){0};
    }
    pt_slice s = {.data = c->at, .size = (size_t)n};
    c->at += n;
    return s;
}

static inline uint8_t pt_cursor_u8(pt_cursor *c)
{
    pt_slice s = pt_cursor_bytes(c, 1);
    return s.size ? s.data[0] : 0;
}

static inline uint32_t pt_cursor_u32(pt_cursor *c)
{
    pt_slice s = pt_cursor_bytes(c, 4);
    return s.size ? pt_get_u32(s.data) : 0;
}

static inline uint64_t pt_cursor_u64(pt_cursor *c)
{
    pt_slice s = pt_cursor_bytes(c, 8);
    return s.size ? pt_get_u64(s.data) : 0;
}

static inline uint64_t pt_cursor_varint(pt_cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = pt_cursor_u8(c);
        if (shift == 63 && b > 1)
            break;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80)
            return c->failed ? 0 : v;
    }
    c->failed = true;
    return 0;
}

/* A varint length and that many bytes. */
static inline pt_slice pt_cursor_sized(pt_cursor *c)
{
    return pt_cursor_bytes(c, pt_cursor_varint(c));
}

#endif
