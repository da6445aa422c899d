/* SPDX-License-Identifier: MIT */
/*
 * space_steady.c - see space.h: loads that write and free without end. Each is judged at every
 * sample from its first write on.
 */
#include "space/space.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define QUARTERS 4u

/* Four times in the course of a load. */
static void check_at(space *s, uint64_t i)
{
    if ((i + 1) % (s->size.count / QUARTERS) == 0)
        space_check_obsolete(s);
}

/* Records in order of time, each deleted a while later. They come as they come: there are pauses
 * also where time goes by itself. */
void load_retention(space *s)
{
    const space_size *z = &s->size;
    space_begin(s, z->count, z->value_bytes + KEY_BYTES);
    uint64_t begun = world_now(s);
    for (uint64_t i = 0; i < z->count; i++) {
        space_put(s, i, z->value_bytes);
        if (i >= z->alive)
            space_delete(s, i - z->alive);
        if (i % 20 == 0)
            space_wait_until(s, begun + i * z->spend_ns);
        check_at(s, i);
    }
}

/* Four queues: one is pushed to the end of each, one popped from its front. */
void load_queue(space *s)
{
    enum { TOPICS = 4 };
    const space_size *z = &s->size;
    space_begin(s, TOPICS * z->count, z->value_bytes + KEY_BYTES);
    for (uint64_t i = 0; i < z->count; i++) {
        for (uint64_t topic = 0; topic < TOPICS; topic++) {
            space_put(s, topic * z->count + i, z->value_bytes);
            if (i >= z->alive)
                space_delete(s, topic * z->count + i - z->alive);
            space_spend(s, z->spend_ns);
        }
        check_at(s, i);
    }
}

/* A cache of objects of some size up to the largest, by random key; the oldest, or any one, leaves
 * when another comes. */
void load_cache(space *s)
{
    const space_size *z = &s->size;
    uint64_t slots = 0, oldest = 0, *held = calloc(z->alive, sizeof *held);
    uint32_t least = z->value_bytes / 8;
    s->scattered = true;
    space_begin(s, z->count, z->value_bytes + KEY_BYTES);
    for (uint64_t i = 0; i < z->count; i++) {
        if (slots == z->alive) {
            uint64_t out = i % 2 != 0 ? oldest++ % slots : rng_below(&s->random, slots);
            space_delete(s, held[out]);
            held[out] = i;
        } else {
            held[slots++] = i;
        }
        space_put(s, i, least + (uint32_t)(rng_below(&s->random, z->value_bytes - least)));
        space_spend(s, z->spend_ns);
        check_at(s, i);
    }
    free(held);
}

/* A few large values, overwritten again and again. */
void load_large(space *s)
{
    const space_size *z = &s->size;
    space_begin(s, z->alive, z->value_bytes + KEY_BYTES);
    for (uint64_t i = 0; i < z->count; i++) {
        space_put(s, i % z->alive, z->value_bytes);
        space_spend(s, z->spend_ns);
        check_at(s, i);
    }
}

/* Any one of the keys is overwritten at each step. */
void load_uniform(space *s)
{
    const space_size *z = &s->size;
    s->scattered = true;
    space_begin(s, z->alive, z->value_bytes + KEY_BYTES);
    space_fill(s, 0, z->alive, z->value_bytes);
    for (uint64_t i = 0; i < z->count; i++) {
        space_put(s, rng_below(&s->random, z->alive), z->value_bytes);
        space_spend(s, z->spend_ns);
        check_at(s, i);
    }
}

/* Small values and large ones, of which each overwrites another's kind. */
void load_sizes(space *s)
{
    const space_size *z = &s->size;
    space_begin(s, z->alive, z->value_bytes + KEY_BYTES);
    for (uint64_t i = 0; i < z->count; i++) {
        uint64_t key = rng_below(&s->random, z->alive);
        space_put(s, key, s->sizes[key] > 20 ? 20 : z->value_bytes);
        space_spend(s, z->spend_ns);
        check_at(s, i);
    }
}

/* ---- ranges ---- */

#define ROWS 100u

typedef struct ranges {
    space *s;
    _Atomic uint64_t written, deleted; /* ranges, whole ones */
    uint64_t count, alive;
} ranges;

/* Where the rows of a range lie: ranges that follow each other in time do not in the order of keys.
 */
static uint64_t first_row(const ranges *r, uint64_t range)
{
    return range * 7919 % r->count * ROWS;
}

static void delete_range(ranges *r, uint64_t range)
{
    for (uint64_t i = 0; i < ROWS; i++) {
        space_delete(r->s, first_row(r, range) + i);
        space_spend(r->s, r->s->size.spend_ns);
    }
    atomic_store(&r->deleted, range + 1);
}

static void *deleter_main(void *arg)
{
    ranges *r = (ranges *)arg;
    for (uint64_t range = 0; range + r->alive < r->count; range++) {
        while (atomic_load(&r->written) <= range + r->alive)
            (void)sched_yield();
        delete_range(r, range);
    }
    return NULL;
}

static void write_ranges(ranges *r, bool delete_too)
{
    for (uint64_t range = 0; range < r->count; range++) {
        space_fill(r->s, first_row(r, range), first_row(r, range) + ROWS, r->s->size.value_bytes);
        atomic_store(&r->written, range + 1);
        if (delete_too && range > r->alive)
            delete_range(r, range - r->alive - 1);
        while (!delete_too && range > 2 * r->alive &&
               atomic_load(&r->deleted) + 2 * r->alive < range)
            (void)sched_yield();
    }
}

/* One writes ranges of rows, another deletes the ranges of a while ago, row by row. */
void load_ranges(space *s)
{
    ranges r = {.s = s, .count = s->size.count, .alive = s->size.alive};
    pthread_t deleter;
    space_begin(s, r.count * ROWS, s->size.value_bytes + KEY_BYTES);
    bool alone = s->workers == 0;
    if (!alone && pthread_create(&deleter, NULL, deleter_main, &r) != 0)
        must(PEAT_NOMEM, "thread");
    write_ranges(&r, alone);
    if (!alone)
        (void)pthread_join(deleter, NULL);
    space_check_obsolete(s);
}
