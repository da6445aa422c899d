/* SPDX-License-Identifier: MIT */
/*
 * base.h - what every file of the library may count on: codes, slices, assertions, TRY.
 * Floor 0. No state.
 */
#ifndef PT_BASE_BASE_H
#define PT_BASE_BASE_H

/* Before anything is included: no other message comes first. Offsets, sequences and sizes of 64
 * bits are loaded, stored and mapped at once everywhere. */
#if !defined(__SIZEOF_POINTER__) || __SIZEOF_POINTER__ != 8
#error "Peat is for 64-bit systems only: pointers and size_t have 8 bytes"
#endif

#include "peat.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PT_LIKELY(x)    __builtin_expect(!!(x), 1)
#define PT_UNLIKELY(x)  __builtin_expect(!!(x), 0)
#define PT_MUST_USE     __attribute__((warn_unused_result))
#define PT_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define PT_PREFETCH(p)  pt_prefetch(p)

/* The program is wrong: stop before it writes something wrong. `must`, a literal, is what must
 * hold; it begins with the number of the invariant in doc/invariants.md that it quotes, if it does.
 * PT_ASSERT is always on, so keep it cheap; where a get, a put or a step of an iterator comes by,
 * and where looking costs more than a comparison, PT_DCHECK, which is on in debug and sanitizer
 * builds only. Bytes that come from a disk are judged, never asserted about. */
#define PT_ASSERT(x, must) ((void)(PT_LIKELY(x) ? 0 : (pt_assert_failed(PT_HERE must "\n"), 0)))
#ifdef PT_DEBUG
#define PT_DCHECK(x, must) PT_ASSERT(x, must)
#else
#define PT_DCHECK(x, must) ((void)(0 && (x)), (void)sizeof("" must))
#endif
#define PT_HERE          "peat: " __FILE__ ":" PT_DIGITS(__LINE__) ": "
#define PT_DIGITS(line)  PT_DIGITS_(line)
#define PT_DIGITS_(line) #line

/* env_posix.c: writes the line to standard error and aborts. */
void pt_assert_failed(const char *line) __attribute__((noreturn, cold));

/* The only macro that jumps: on anything but PEAT_OK go to `out:` with the code in `rc`. */
#define TRY(x)                                                                                     \
    do {                                                                                           \
        rc = (x);                                                                                  \
        if (PT_UNLIKELY(rc != PEAT_OK))                                                            \
            goto out;                                                                              \
    } while (0)

#define PT_COUNT_OF(a)                  (sizeof(a) / sizeof((a)[0]))
#define PT_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* The line is asked for. The empty statement is there for GCC, which takes a function that does
 * nothing but prefetch for one without effect, and drops calls of it. */
static inline void pt_prefetch(const void *p)
{
    __builtin_prefetch(p, 0, 3);
    __asm__ volatile("");
}

/* Bytes owned by someone else. */
typedef struct pt_slice {
    const uint8_t *data;
    size_t size;
} pt_slice;

static inline pt_slice pt_slice_of(const void *data, size_t size)
{
    return (pt_slice){.data = (const uint8_t *)data, .size = size};
}

/* memcmp order; a prefix sorts first. */
static inline int pt_slice_compare(pt_slice a, pt_slice b)
{
    size_t n = a.size < b.size ? a.size : b.size;
    int c = n ? memcmp(a.data, b.data, n) : 0;
    if (c != 0)
        return c;
    return a.size < b.size ? -1 : a.size > b.size;
}

static inline bool pt_slice_equal(pt_slice a, pt_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* The tighter of two bounds; no data: none. */
static inline pt_slice pt_lower_tighter(pt_slice a, pt_slice b)
{
    return a.data == NULL || (b.data != NULL && pt_slice_compare(b, a) > 0) ? b : a;
}

static inline pt_slice pt_upper_tighter(pt_slice a, pt_slice b)
{
    return a.data == NULL || (b.data != NULL && pt_slice_compare(b, a) < 0) ? b : a;
}

static inline uint64_t pt_min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t pt_max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* `n` up to the next multiple of `unit`, a power of two. */
static inline uint64_t pt_round_up(uint64_t n, uint64_t unit)
{
    return (n + unit - 1) & ~(unit - 1);
}

#endif
