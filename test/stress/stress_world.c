/* SPDX-License-Identifier: MIT */
/* stress_world.c - see stress.h. */
#include "stress/stress.h"
#include "world/scan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void stress_fail(const stress_world *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fprintf(stderr, "stress: ");
    (void)vfprintf(stderr, format, args);
    (void)fprintf(stderr, "\nrerun: SEED=%" PRIu64 " tests/stress_test_stress\n", w->seed);
    va_end(args);
    abort();
}

static uint64_t fate(const stress_world *w, unsigned group, unsigned member, uint64_t version)
{
    return rng_hash(w->seed ^ rng_hash(version * 4096 + group) ^ member);
}

/* Members of one group lie far apart. */
static uint32_t number_of(unsigned group, unsigned member)
{
    return member * STRESS_ALL + group;
}

size_t stress_key(unsigned group, unsigned member, char ret_key[ROWS_KEY_MAX])
{
    return rows_key(number_of(group, member), ret_key);
}

bool stress_is_delete(const stress_world *w, unsigned group, unsigned member, uint64_t version)
{
    return fate(w, group, member, version) % 8 == 0;
}

/* As its values know it. */
static uint64_t name_of(const stress_world *w, unsigned group, unsigned member)
{
    return rng_hash(w->seed) ^ number_of(group, member);
}

uint64_t stress_check_value(const stress_world *w, unsigned group, unsigned member,
                            peat_slice value, const char *where)
{
    uint64_t version = rows_value_id(name_of(w, group, member), value, STRESS_VALUE_MAX);
    if (version == 0)
        stress_fail(w, "%s: group %u member %u: torn or foreign value of %zu bytes", where, group,
                    member, value.size);
    return version;
}

bool stress_write(stress_world *w, peat_db *db, peat_batch *batch, unsigned group, bool sync,
                  uint8_t *scratch, peat_rc *ret_rc)
{
    peat_write_options options = {.size = sizeof options, .sync = sync};
    uint64_t version = atomic_load(&w->started[group]) + 1;
    unsigned n = stress_members(group);
    char key[ROWS_KEY_MAX];
    peat_rc rc = PEAT_OK;
    atomic_store(&w->started[group], version);
    peat_batch_clear(batch);
    for (unsigned m = 0; m < n && rc == PEAT_OK; m++) {
        peat_slice k = peat_bytes(key, stress_key(group, m, key));
        bool gone = stress_is_delete(w, group, m, version);
        uint64_t name = name_of(w, group, m);
        size_t size = gone ? 0 : rows_value(name, version, STRESS_VALUE_MAX, scratch);
        if (n == 1)
            rc = gone ? peat_delete(db, &options, k)
                      : peat_put(db, &options, k, peat_bytes(scratch, size));
        else
            rc = gone ? peat_batch_delete(batch, k)
                      : peat_batch_put(batch, k, peat_bytes(scratch, size));
    }
    if (rc == PEAT_OK && n > 1)
        rc = peat_write(db, &options, batch);
    *ret_rc = rc;
    if (rc == PEAT_OK)
        atomic_store(&w->acked[group], version);
    return rc == PEAT_OK;
}

/* Whether `version` of the group explains what was seen: seen[m] is a version, 0 for "not there",
 * UINT64_MAX for a member that was not looked at. */
static bool explains(const stress_world *w, unsigned group, const uint64_t *seen, uint64_t version)
{
    for (unsigned m = 0; m < stress_members(group); m++) {
        bool absent = version == 0 || stress_is_delete(w, group, m, version);
        if (seen[m] != UINT64_MAX && seen[m] != (absent ? 0 : version))
            return false;
    }
    return true;
}

void stress_check_group(const stress_world *w, unsigned group, const uint64_t *versions,
                        uint64_t low, uint64_t high, const char *where)
{
    char text[256];
    size_t n = 0;
    for (uint64_t v = low; v <= high; v++)
        if (explains(w, group, versions, v))
            return;
    for (unsigned m = 0; m < stress_members(group); m++)
        n += (size_t)snprintf(text + n, sizeof text - n, " %" PRId64, (int64_t)versions[m]);
    stress_fail(w, "%s: group %u: expected one version of %" PRIu64 "..%" PRIu64 ", found%s", where,
                group, low, high, text);
}

void stress_check_point(const stress_world *w, unsigned group, unsigned member, uint64_t version,
                        uint64_t low, uint64_t high, const char *where)
{
    uint64_t seen[STRESS_MEMBERS];
    for (unsigned m = 0; m < STRESS_MEMBERS; m++)
        seen[m] = m == member ? version : UINT64_MAX;
    stress_check_group(w, group, seen, low, high, where);
}

void stress_low(const stress_world *w, stress_bounds *ret)
{
    for (unsigned g = 0; g < STRESS_ALL; g++)
        ret->low[g] = atomic_load(&w->acked[g]);
}

void stress_high(const stress_world *w, stress_bounds *ret)
{
    for (unsigned g = 0; g < STRESS_ALL; g++)
        ret->high[g] = atomic_load(&w->started[g]);
}

/* ---- scans ---- */

typedef struct scan_state {
    const stress_world *w;
    uint64_t seen[STRESS_ALL][STRESS_MEMBERS];
    uint64_t hash;
} scan_state;

static void see(void *arg, peat_slice key, peat_slice value)
{
    scan_state *s = arg;
    uint32_t number;
    if (!rows_parse_key(key, &number))
        stress_fail(s->w, "scan: a key of %zu bytes that nobody wrote", key.size);
    unsigned group = number % STRESS_ALL, member = number / STRESS_ALL;
    if (member >= stress_members(group))
        stress_fail(s->w, "scan: key %" PRIu32 " is nobody's", number);
    uint64_t version = stress_check_value(s->w, group, member, value, "scan");
    s->seen[group][member] = version;
    s->hash += rng_hash(version ^ rng_hash(number));
}

uint64_t stress_check_scan(const stress_world *w, peat_iter *it, unsigned way,
                           const stress_bounds *b)
{
    scan_state *s = (scan_state *)calloc(1, sizeof *s);
    if (s == NULL)
        stress_fail(w, "no memory for the test itself");
    s->w = w;
    peat_rc rc = scan_rows(it, (scan_way)way, see, s);
    if (rc == PEAT_INVALID)
        stress_fail(w, "scan: a key is out of order");
    if (rc != PEAT_END)
        stress_fail(w, "scan: %s", peat_rc_name(rc));
    for (unsigned g = 0; g < STRESS_ALL; g++)
        stress_check_group(w, g, s->seen[g], b->low[g], b->high[g], "scan");
    uint64_t hash = s->hash;
    free(s);
    return hash;
}
