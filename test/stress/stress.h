/* SPDX-License-Identifier: MIT */
/*
 * stress.h - what the threads of the stress test know about the store.
 *
 * A world has GROUPS groups of MEMBERS keys. A group has one writer at a time, which writes its
 * versions 1, 2, 3 ... in order, each as one batch over all members (groups of one member: as a
 * put or delete). What a version makes of a member, a value or its absence, is a pure function of
 * (seed, group, member, version). `started` is raised before a version is written and `acked`
 * after, so a read that begins after acked = a and ends before started = b must show one version in
 * [a, b]; anything else is stale, torn or invented. All members of a group seen at one point of the
 * order of writing show the same version.
 */
#ifndef TEST_STRESS_STRESS_H
#define TEST_STRESS_STRESS_H

#include "world/random.h"
#include "world/rows.h"
#include "world/settings.h"

#include <stdatomic.h>

#define STRESS_GROUPS    160u
#define STRESS_SINGLES   600u /* groups of one member, behind the others */
#define STRESS_MEMBERS   6u
#define STRESS_ALL       (STRESS_GROUPS + STRESS_SINGLES)
#define STRESS_VALUE_MAX ((size_t)40000)

typedef struct stress_world {
    uint64_t seed;
    _Atomic uint64_t started[STRESS_ALL], acked[STRESS_ALL];
    _Atomic uint64_t steps; /* of all threads */
} stress_world;

/* What was seen, or must have been seen, of one group: the bounds before a read. */
typedef struct stress_bounds {
    uint64_t low[STRESS_ALL], high[STRESS_ALL];
} stress_bounds;

static inline unsigned stress_members(unsigned group)
{
    return group < STRESS_GROUPS ? STRESS_MEMBERS : 1;
}

size_t stress_key(unsigned group, unsigned member, char ret_key[ROWS_KEY_MAX]);
bool stress_is_delete(const stress_world *w, unsigned group, unsigned member, uint64_t version);
/* The version a value was written by; ends the program when it is not whole. */
uint64_t stress_check_value(const stress_world *w, unsigned group, unsigned member,
                            peat_slice value, const char *where);

/* Writes the next version of the group. False: the store refused it with `*ret_rc`. */
bool stress_write(stress_world *w, peat_db *db, peat_batch *batch, unsigned group, bool sync,
                  uint8_t *scratch, peat_rc *ret_rc);

/* What one member showed: version 0 is "not there". */
void stress_check_point(const stress_world *w, unsigned group, unsigned member, uint64_t version,
                        uint64_t low, uint64_t high, const char *where);
/* What all members of a group showed at one point; returns the version, or the lowest possible. */
void stress_check_group(const stress_world *w, unsigned group, const uint64_t *versions,
                        uint64_t low, uint64_t high, const char *where);

void stress_low(const stress_world *w, stress_bounds *ret);
void stress_high(const stress_world *w, stress_bounds *ret);

/* Prints the message with the seed and ends the program. */
_Noreturn void stress_fail(const stress_world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A whole scan in the direction, checked against the bounds: order, values, nothing missing,
 * groups whole. Returns a hash of all rows, the same in both directions. `way`: 0 steps forward,
 * 1 back, 2 fills forward, 3 back. */
uint64_t stress_check_scan(const stress_world *w, peat_iter *it, unsigned way,
                           const stress_bounds *b);

#endif
