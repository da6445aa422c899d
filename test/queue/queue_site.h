/* SPDX-License-Identifier: MIT */
/*
 * queue_site.h - one queue on one store, in each of the ways in which a queue reads: in the thread
 * of who polls, over a simulated ring, by threads, over the system's ring.
 */
#ifndef TEST_QUEUE_QUEUE_SITE_H
#define TEST_QUEUE_QUEUE_SITE_H

#include "peat_queue.h"
#include "world/kit.h"
#include "world/temp_dir.h"

typedef enum way { BY_CALLER, BY_SIM_RING, BY_THREADS, BY_RING, WAYS } way;

typedef struct site {
    way way;
    kit k;
    peat_env env;
    void *dir;
    char path[300];
    peat_queue *queue;
    int fd; /* -1: not asked for */
    peat_completion done[512];
    size_t n;
} site;

static inline int no_ring(void *ctx, unsigned depth, int event, peat_env_ring **ret_ring)
{
    (void)ctx, (void)depth, (void)event, (void)ret_ring;
    return EPERM;
}

static inline void open_store(site *t)
{
    kit *k = &t->k;
    if (t->way <= BY_SIM_RING) {
        kit_must_open(k);
        return;
    }
    k->options.host = &k->host;
    k->options.test = &k->test;
    assert_ok(peat_open(t->path, &k->options, &k->db, &k->error));
}

static inline void site_begin(site *t, way w)
{
    *t = (site){.way = w, .fd = -1};
    kit *k = &t->k;
    kit_begin(k, sim_new(sim_seed(5)));
    make_tiny(k);
    k->options.memory_bytes = PEAT_MEMORY_BYTES_MIN;
    sim_rings(k->sim, w == BY_SIM_RING);
    if (w >= BY_THREADS) {
        assert_int_equal(temp_dir_new(&t->dir), 0);
        (void)snprintf(t->path, sizeof t->path, "%s/s", (const char *)t->dir);
        t->env = *peat_env_default();
        if (w == BY_THREADS)
            t->env.ring_open = no_ring;
        k->host.env = &t->env;
        k->options.threads = 0;
    }
    open_store(t);
}

static inline void queue_open(site *t, size_t depth, size_t bytes)
{
    peat_queue_options options = {.size = sizeof options, .depth = depth, .bytes = bytes};
    assert_ok(peat_queue_open(t->k.db, &options, &t->queue));
}

static inline void reopen(site *t)
{
    kit_close(&t->k);
    open_store(t);
}

static inline void site_end(site *t)
{
    peat_queue_close(t->queue);
    peat_buf_free(&t->k.buf);
    if (t->k.db != NULL)
        kit_close(&t->k);
    sim_end(t->k.sim);
    if (t->dir != NULL)
        assert_int_equal(temp_dir_end(&t->dir), 0);
}

/* In every way. */
#define TEST_WAYS(name)                                                                            \
    static void name(site *t);                                                                     \
    TEST(name##_each_way)                                                                          \
    {                                                                                              \
        for (way w = 0; w < WAYS; w++) {                                                           \
            site t;                                                                                \
            site_begin(&t, w);                                                                     \
            name(&t);                                                                              \
            site_end(&t);                                                                          \
        }                                                                                          \
    }                                                                                              \
    static void name(site *t)

/* The next ones; at least one. */
static inline size_t poll_some(site *t, size_t n)
{
    assert_ok(peat_queue_poll(t->queue, t->done, n, PEAT_QUEUE_WAIT, &t->n));
    assert_in_range(t->n, 1, n);
    return t->n;
}

/* The one that is outstanding. */
static inline const peat_completion *poll_one(site *t, uint64_t tag)
{
    assert_int_equal(peat_queue_outstanding(t->queue), 1);
    (void)poll_some(t, 2);
    assert_int_equal(t->n, 1);
    assert_int_equal(t->done[0].tag, tag);
    assert_int_equal(peat_queue_outstanding(t->queue), 0);
    return &t->done[0];
}

/* ---- many keys ---- */

enum { KEYS = 3000 };

static inline size_t value_size(int i)
{
    return i % 61 == 3 ? 30000 : i % 13 == 1 ? 2000 : 60;
}

static inline void put_numbers(site *t)
{
    char *value = malloc(40000);
    for (int i = 0; i < KEYS; i++) {
        memset(value, 'a' + i % 26, value_size(i));
        assert_ok(peat_put(t->k.db, NULL, nth_key(i), peat_bytes(value, value_size(i))));
    }
    free(value);
    assert_ok(peat_settle(t->k.db, 60000));
}

/* A queue on a store of them that has just been opened: nothing is in memory. */
static inline void begin_numbers(site *t, size_t depth, size_t bytes)
{
    put_numbers(t);
    reopen(t);
    queue_open(t, depth, bytes);
}

static inline void check_number(peat_rc rc, peat_slice value, int i)
{
    if (i >= KEYS) {
        assert_int_equal(rc, PEAT_NOT_FOUND);
        return;
    }
    assert_ok(rc);
    assert_int_equal(value.size, value_size(i));
    for (size_t b = 0; b < value.size; b += 59)
        assert_int_equal(((const char *)value.data)[b], 'a' + i % 26);
}

#endif
