/* SPDX-License-Identifier: MIT */
/*
 * test_first_merges.c - a store that is filled faster than it is merged, in sizes of the field:
 * its partition is cut before much lies above it, so that it is not merged as one unit beside all
 * that it replaces.
 */
#include "world/kit.h"
#include "world/random.h"

#include <pthread.h>
#include <semaphore.h>

#define ROW       1000
#define ROWS      48000
#define MEMTABLE  (2u << 20) /* of this memory */
#define PARTITION (8u << 20)

/* The store's thread stands still after the first thing it did. */
typedef struct holder {
    pthread_t writer;
    sem_t go_on;
} holder;

static void on_event(void *ctx, const peat_event *event)
{
    holder *h = ctx;
    (void)event;
    if (pthread_equal(pthread_self(), h->writer))
        return;
    while (sem_wait(&h->go_on) != 0)
        ;
    (void)sem_post(&h->go_on);
}

/* In no order; whoever puts also flushes, and nobody merges. */
static void fill(kit *k)
{
    char key[32], value[ROW];
    rng r = {.state = 5};
    for (uint64_t i = 0; i < ROWS; i++) {
        for (size_t at = 0; at + 8 <= sizeof value; at += 8) {
            uint64_t x = rng_next(&r);
            memcpy(value + at, &x, 8);
        }
        int n = snprintf(key, sizeof key, "%016" PRIx64, rng_hash(i + 1));
        assert_ok(peat_put(k->db, NULL, peat_bytes(key, (size_t)n), peat_bytes(value, ROW)));
    }
}

TEST_NEW(a_store_is_not_twice_on_disk_when_it_is_merged_the_first_time)
{
    static holder h; /* also when the test has failed */
    h.writer = pthread_self();
    uint64_t live = (uint64_t)ROWS * (ROW + 16);
    assert_int_equal(sem_init(&h.go_on, 0, 0), 0);
    k->options.memory_bytes = (size_t)32 << 20;
    k->options.threads = 1;
    k->host.event_fn = on_event;
    k->host.event_ctx = &h;
    kit_must_open(k);
    fill(k);
    uint64_t fresh = stats_of(k->db).fresh_bytes;
    sim_limit_disk(k->sim, live + live / 5 + 9 * MEMTABLE + 2 * PARTITION);
    peat_rc rc = PEAT_OK;
    for (size_t did = 1; rc == PEAT_OK && did != 0;)
        rc = peat_work(k->db, 8, &did);
    (void)sem_post(&h.go_on); /* or a failure would wait for the thread */
    assert_ok(rc);
    assert_true(fresh > live / 2 && stats_of(k->db).bottom_bytes > live - live / 10);
    sim_limit_disk(k->sim, 0);
    kit_close(k);
    (void)sem_destroy(&h.go_on);
}
