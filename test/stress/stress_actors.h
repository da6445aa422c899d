/* SPDX-License-Identifier: MIT */
/*
 * stress_actors.h - the threads of the stress test: each does one kind of work on the open store,
 * again and again, until the arena stops. All choices come from the actor's own random state.
 */
#ifndef TEST_STRESS_STRESS_ACTORS_H
#define TEST_STRESS_STRESS_ACTORS_H

#include "stress/stress.h"

#include <pthread.h>
#include <semaphore.h>

#define STRESS_WRITERS    3u /* groups go to them by their remainder */
#define STRESS_BEAT_STEPS 1024u

/* One opening of the store. */
typedef struct stress_arena {
    stress_world *w;
    peat_db *db;
    atomic_bool stop;
    sem_t beat; /* posted after each STRESS_BEAT_STEPS steps of all actors together */
} stress_arena;

typedef struct stress_actor {
    stress_arena *a;
    unsigned number;
    rng random;
    pthread_t thread;
} stress_actor;

/* ---- what actors share ---- */

bool stress_going_on(stress_actor *t); /* counts a step; false when the arena stops */
uint64_t stress_pick(stress_actor *t, uint64_t n);
/* An error ends the program. */
void stress_must(const stress_actor *t, peat_rc rc, const char *what);
void *stress_alloc(const stress_actor *t, size_t size);
/* The version that a get shows of one member, 0 when it is not there. */
uint64_t stress_get(stress_actor *t, const peat_read_options *o, unsigned group, unsigned member,
                    peat_buf *buf, const char *where);
void stress_check_store(stress_actor *t); /* peat_check, without damage */

/* ---- thread functions: the argument is the actor ---- */

void *stress_write_all_the_time(void *arg);
void *stress_read_all_the_time(void *arg); /* returns its pins */
void *stress_scan_all_the_time(void *arg); /* returns its open iterators */
void *stress_use_snapshots(void *arg);
void *stress_keep_up(void *arg); /* flushes, merges, checks, exports ... */

/* What readers and scanners still held when the store was closed. */
void stress_drop_pins(const stress_actor *reader, void *pins);
void stress_drop_iters(const stress_actor *scanner, void *iters);

/* Closes the store while another thread is inside a call: 0 an export, 1 a compaction, 2 a look at
 * the shape. */
void stress_close_in_flight(stress_arena *a, unsigned kind);

#endif
