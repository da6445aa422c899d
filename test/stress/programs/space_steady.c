/* SPDX-License-Identifier: MIT */
/*
 * space_steady.c - see space.h: loads that write and free without end. Each is judged at every
 * sample from its first write on.
 */
#include "space.h"

#include <pthread.h>
#include <sched.h>

#define SPEND_NS 50000u /* an operation, where time does not go by itself: 20,000 a second */
#define QUARTERS 4u

/* Four times in the course of a load. */
static void check_at(space *s, uint64_t i, uint64_t count)
{
    if ((i + 1) % (count / QUARTERS) == 0)
        space_check_obsolete(s);
}

/* Records in order of time, each deleted five seconds later: 2,000 of 8,000 bytes a second. */
void load_retention(space *s)
{
    enum { RATE = 2000, KEEP_S = 5, VALUE = 8000 };
    uint64_t count = s->seconds * RATE;
    space_begin(s, count, VALUE + 16);
    uint64_t begun = space_now(s);
    for (uint64_t i = 0; i < count; i++) {
        space_put(s, i, VALUE);
        if (i >= KEEP_S * RATE)
            space_delete(s, i - KEEP_S * RATE);
        if (i % 20 == 0)
            space_wait_until(s, begun + i * (S_NS / RATE));
        check_at(s, i, count);
    }
}

/* Four queues of 5,000 messages: one is pushed to the end of each, one popped from its front. */
void load_queue(space *s)
{
    enum { TOPICS = 4, DEPTH = 5000, VALUE = 1000 };
    uint64_t each = s->seconds * 10000;
    space_begin(s, TOPICS * each, VALUE + 16);
    for (uint64_t i = 0; i < each; i++) {
        for (uint64_t topic = 0; topic < TOPICS; topic++) {
            space_put(s, topic * each + i, VALUE);
            if (i >= DEPTH)
                space_delete(s, topic * each + i - DEPTH);
            space_spend(s, SPEND_NS);
        }
        check_at(s, i, each);
    }
}

/* A cache of 20,000 objects of 1,000 to 4,000 bytes by random key; the oldest, or any one, leaves
 * when another comes. */
void load_cache(space *s)
{
    enum { OBJECTS = 20000 };
    uint64_t count = OBJECTS + s->seconds * 10000, slots = 0, oldest = 0;
    static uint64_t held[OBJECTS];
    s->scattered = true;
    space_begin(s, count, 4016);
    for (uint64_t i = 0; i < count; i++) {
        if (slots == OBJECTS) {
            uint64_t out = i % 2 != 0 ? oldest++ % OBJECTS : rng_below(&s->random, OBJECTS);
            space_delete(s, held[out]);
            held[out] = i;
        } else {
            held[slots++] = i;
        }
        space_put(s, i, 1000 + (uint32_t)(rng_below(&s->random, 3000)));
        space_spend(s, SPEND_NS);
        check_at(s, i, count);
    }
}

/* Ten values of a megabyte, overwritten again and again. */
void load_large(space *s)
{
    enum { KEYS = 10, VALUE = 1000000 };
    uint64_t count = KEYS * (s->seconds < 100 ? s->seconds * 5 / 2 : 200);
    space_begin(s, KEYS, VALUE + 16);
    for (uint64_t i = 0; i < count; i++) {
        space_put(s, i % KEYS, VALUE);
        space_spend(s, 1000 * SPEND_NS);
        check_at(s, i, count);
    }
}

/* 50,000 keys, any one of them overwritten at each step. */
void load_uniform(space *s)
{
    enum { KEYS = 50000, VALUE = 1000 };
    uint64_t count = s->seconds * 30000;
    s->scattered = true;
    space_begin(s, KEYS, VALUE + 16);
    space_fill(s, 0, KEYS, VALUE);
    for (uint64_t i = 0; i < count; i++) {
        space_put(s, rng_below(&s->random, KEYS), VALUE);
        space_spend(s, SPEND_NS);
        check_at(s, i, count);
    }
}

/* ---- ranges ---- */

#define ROWS         500u
#define ROW_BYTES    1000u
#define RANGES_ALIVE 100u

typedef struct ranges {
    space *s;
    _Atomic uint64_t written, deleted; /* ranges, whole ones */
    uint64_t count;
} ranges;

/* Where the rows of a range lie: ranges that follow each other in time do not in the order of keys.
 */
static uint64_t first_row(const ranges *r, uint64_t range)
{
    return range * 7919 % r->count * ROWS;
}

static void delete_range(ranges *r, uint64_t range)
{
    for (uint64_t i = 0; i < ROWS; i++)
        space_delete(r->s, first_row(r, range) + i);
    atomic_store(&r->deleted, range + 1);
}

static void *deleter_main(void *arg)
{
    ranges *r = (ranges *)arg;
    for (uint64_t range = 0; range + RANGES_ALIVE < r->count; range++) {
        while (atomic_load(&r->written) <= range + RANGES_ALIVE)
            (void)sched_yield();
        delete_range(r, range);
    }
    return NULL;
}

static void write_ranges(ranges *r, bool delete_too)
{
    for (uint64_t range = 0; range < r->count; range++) {
        space_fill(r->s, first_row(r, range), first_row(r, range) + ROWS, ROW_BYTES);
        atomic_store(&r->written, range + 1);
        if (delete_too && range > RANGES_ALIVE)
            delete_range(r, range - RANGES_ALIVE - 1);
        while (!delete_too && range > 2 * RANGES_ALIVE &&
               atomic_load(&r->deleted) + 2 * RANGES_ALIVE < range)
            (void)sched_yield();
    }
}

/* One writes ranges of rows, another deletes the ranges of a while ago, row by row. */
void load_ranges(space *s)
{
    ranges r = {.s = s, .count = s->seconds * 40 + 1};
    pthread_t deleter;
    space_begin(s, r.count * ROWS, ROW_BYTES + 16);
    bool alone = s->threads == PEAT_THREADS_NONE;
    if (!alone && pthread_create(&deleter, NULL, deleter_main, &r) != 0)
        must(PEAT_NOMEM, "thread");
    write_ranges(&r, alone);
    if (!alone)
        (void)pthread_join(deleter, NULL);
    space_check_obsolete(s);
}
