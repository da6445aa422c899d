/* SPDX-License-Identifier: MIT
 *
 * peat_key.h - keys made of numbers and strings, such that the order of the bytes is theirs.
 *
 * A store orders keys as memcmp does; numbers as a program holds them, or in digits, come out in
 * another order, and of two strings side by side nobody can tell where the first one ends. The
 * functions here write elements so that of two keys with the same kinds of elements the one whose
 * first different element is smaller has the smaller bytes, and read them back. No allocation, no
 * call of the library. How to choose keys: doc/keys.md; a program: examples/keys.c.
 *
 *   element   bytes                                                       in the order of
 *   u32, u64  4 or 8, big-endian                                          the numbers
 *   i64       8: the sign bit inverted, then as u64                       the numbers
 *   double    8: IEEE 754, all bits inverted when negative, else the      the numbers, see below
 *             sign bit alone; then as u64
 *   bytes     as they are, but each zero byte as 00 ff; then 00 00        memcmp, a string before
 *                                                                         those it begins
 *   tail      as they are: the last element, or a fixed first one         memcmp
 *
 * Doubles are in the total order of IEEE 754: -NaN, -infinity, ..., -0, +0, ..., infinity, +NaN.
 * All bits come back. -0 and +0 are two keys, and so are NaNs of different bits: a program that
 * does not want this adds 0.0 to a number (which makes +0 of -0) and refuses NaN before. What kinds
 * the elements have is not in the bytes: a program knows it.
 *
 * Every key has one form: bytes that can be read as elements are those that writing the elements
 * gives. Elements in front, whole, are a prefix of all keys that begin with them, and of no others:
 * they are the `prefix` of an iterator. (Encodings that keep the order are an old idea; that of
 * escaping zero bytes as 00 ff is from the tuple layer of FoundationDB, whose bytes are others.)
 */
#ifndef PEAT_KEY_H
#define PEAT_KEY_H

#include "peat.h"

#include <float.h>
#include <string.h>

#if FLT_RADIX != 2 || DBL_MANT_DIG != 53 || DBL_MAX_EXP != 1024
#error "peat_key.h: double is not the 64-bit format of IEEE 754"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Writing ------------------------------------------------------------------------------------
 * A key grows in memory of the caller's. Numbers take 4 or 8 bytes, bytes at most twice their size
 * and 2. What does not fit fails, once and for good: the slice is then {NULL, 1}, which every call
 * refuses with PEAT_INVALID, so that nothing need be looked at before. */

typedef struct peat_key {
    unsigned char *data;
    size_t size, room;
} peat_key;

/* An empty key with `room` bytes at buffer to grow in. (The store's limit: PEAT_KEY_SIZE_MAX.) */
static inline peat_key peat_key_in(void *buffer, size_t room)
{
    peat_key key = {(unsigned char *)buffer, 0, buffer != NULL ? room : 0};
    return key;
}

/* The key, good as long as its memory; {NULL, 1} when something did not fit. */
static inline peat_slice peat_key_slice(const peat_key *key)
{
    return peat_bytes(key->data, key->size);
}

/* Room for n > 0 more bytes, or NULL and a key that has failed. For the functions below. */
static inline unsigned char *peat_key_more(peat_key *key, size_t n)
{
    unsigned char *at;
    if (key->size > key->room || n > key->room - key->size) {
        key->data = NULL;
        key->size = 1;
        key->room = 0; /* nothing fits any more */
        return NULL;
    }
    at = key->data + key->size;
    key->size += n;
    return at;
}

/* The lowest `size` bytes of n, the highest of these first. */
static inline void peat_key_add_big(peat_key *key, uint64_t n, size_t size)
{
    unsigned char *at = peat_key_more(key, size);
    for (; at != NULL && size > 0; n >>= 8)
        at[--size] = (unsigned char)(n & 0xff);
}

static inline void peat_key_add_u32(peat_key *key, uint32_t n)
{
    peat_key_add_big(key, n, 4);
}

static inline void peat_key_add_u64(peat_key *key, uint64_t n)
{
    peat_key_add_big(key, n, 8);
}

static inline void peat_key_add_i64(peat_key *key, int64_t n)
{
    peat_key_add_big(key, (uint64_t)n ^ (uint64_t)1 << 63, 8);
}

static inline void peat_key_add_double(peat_key *key, double number)
{
    uint64_t n;
    memcpy(&n, &number, sizeof n);
    peat_key_add_big(key, n >> 63 ? ~n : n | (uint64_t)1 << 63, 8);
}

/* A slice with data NULL and size > 0 is no string: the key fails. */
static inline void peat_key_add_tail(peat_key *key, peat_slice bytes)
{
    size_t n = bytes.data != NULL ? bytes.size : (size_t)-1;
    unsigned char *at = bytes.size > 0 ? peat_key_more(key, n) : NULL;
    if (at != NULL)
        memcpy(at, bytes.data, bytes.size);
}

static inline void peat_key_add_bytes(peat_key *key, peat_slice bytes)
{
    const unsigned char *from = (const unsigned char *)bytes.data;
    size_t i, zeros = 0, n = from != NULL ? bytes.size : 0;
    unsigned char *at;
    for (i = 0; i < n; i++)
        zeros += from[i] == 0;
    at = peat_key_more(key, n == bytes.size ? n + zeros + 2 : (size_t)-1);
    if (at == NULL)
        return;
    for (i = 0; i < n; i++) {
        *at++ = from[i];
        if (from[i] == 0)
            *at++ = 0xff;
    }
    at[0] = at[1] = 0;
}

/* ---- Reading ------------------------------------------------------------------------------------
 * Elements are taken in the order in which they were added, by the functions of their kinds. Any
 * bytes may be read: the first element that is not there, is cut, or has no such form, fails, and
 * so does every later one; what they return is 0 or empty. Look at peat_key_done at the end. */

typedef struct peat_key_reader {
    const unsigned char *at;
    size_t left;
    bool failed;
} peat_key_reader;

static inline peat_key_reader peat_key_read(peat_slice key)
{
    bool refused = key.data == NULL && key.size > 0;
    peat_key_reader reader = {(const unsigned char *)key.data, refused ? 0 : key.size, refused};
    return reader;
}

/* Whether all elements were there, and nothing comes behind them. */
static inline bool peat_key_done(const peat_key_reader *reader)
{
    return !reader->failed && reader->left == 0;
}

static inline void peat_key_fail(peat_key_reader *reader)
{
    reader->at = NULL;
    reader->left = 0;
    reader->failed = true;
}

static inline uint64_t peat_key_take_big(peat_key_reader *reader, size_t size)
{
    uint64_t n = 0;
    if (size > reader->left)
        peat_key_fail(reader);
    else
        for (reader->left -= size; size > 0; size--)
            n = n << 8 | *reader->at++;
    return n;
}

static inline uint32_t peat_key_take_u32(peat_key_reader *reader)
{
    return (uint32_t)peat_key_take_big(reader, 4);
}

static inline uint64_t peat_key_take_u64(peat_key_reader *reader)
{
    return peat_key_take_big(reader, 8);
}

static inline int64_t peat_key_take_i64(peat_key_reader *reader)
{
    uint64_t n = peat_key_take_big(reader, 8) ^ (uint64_t)1 << 63;
    int64_t number;
    memcpy(&number, &n, sizeof number); /* two's complement, which a conversion need not keep */
    return reader->failed ? 0 : number;
}

static inline double peat_key_take_double(peat_key_reader *reader)
{
    uint64_t n = peat_key_take_big(reader, 8);
    double number;
    n = n >> 63 ? n ^ (uint64_t)1 << 63 : ~n;
    memcpy(&number, &n, sizeof number);
    return reader->failed ? 0 : number;
}

/* Copies the bytes into buffer and returns how many; more than room fails. Room for as many as the
 * key has is always enough. After a failure the buffer may hold some of them. */
static inline size_t peat_key_take_bytes(peat_key_reader *reader, void *buffer, size_t room)
{
    unsigned char *to = (unsigned char *)buffer;
    size_t i, n = 0;
    for (i = 0; i < reader->left; i++) {
        unsigned char byte = reader->at[i];
        if (byte == 0) {
            unsigned char next = ++i < reader->left ? reader->at[i] : 1;
            if (next == 0) {
                reader->at += i + 1;
                reader->left -= i + 1;
                return n;
            }
            if (next != 0xff)
                break;
        }
        if (n == room)
            break;
        to[n++] = byte;
    }
    peat_key_fail(reader);
    return 0;
}

/* All that is left, in the memory of the key. */
static inline peat_slice peat_key_take_tail(peat_key_reader *reader)
{
    peat_slice tail = peat_bytes(reader->at, reader->left);
    reader->left = 0;
    return tail;
}

#ifdef __cplusplus
}
#endif

#endif /* PEAT_KEY_H */
