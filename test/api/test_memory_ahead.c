/* SPDX-License-Identifier: MIT */
/*
 * test_memory_ahead.c - while the cache of a store grows, its thread asks for memory before readers
 * need it, and gives back what they do not come to. A store without threads is as it was.
 *
 * ctest: timeout=120
 */
#include "peat.h"
#include "peat_admin.h"
#include "peat_env.h"
#include "world/temp_dir.h"

#include <pthread.h>
#include <time.h>

#define KEYS        40000u
#define VALUE_BYTES 1000u

typedef struct watched {
    peat_env env;
    const peat_env *real;
    pthread_t reader;
    pthread_mutex_t mu;
    pthread_cond_t changed;
    const char *begin, *end; /* what was asked for, from the first to the last of it */
    size_t needed_bytes;
    unsigned given_back; /* calls that touch it */
    bool by_reader;
} watched;

static void watch_needed(void *ctx, void *p, size_t size)
{
    watched *w = ctx;
    w->real->needed(w->real->ctx, p, size);
    pthread_mutex_lock(&w->mu);
    if (w->needed_bytes == 0)
        w->begin = p;
    w->end = (const char *)p + size;
    w->needed_bytes += size;
    w->by_reader = w->by_reader || pthread_equal(pthread_self(), w->reader);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->mu);
}

static void watch_unneeded(void *ctx, void *p, size_t size)
{
    watched *w = ctx;
    w->real->unneeded(w->real->ctx, p, size);
    pthread_mutex_lock(&w->mu);
    bool touches = (const char *)p < w->end && (const char *)p + size > w->begin;
    w->given_back += w->needed_bytes != 0 && touches;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->mu);
}

static peat_db *open_at(watched *w, const char *dir, int threads)
{
    peat_error error;
    peat_db *db = NULL;
    peat_host host = {.size = sizeof host, .env = &w->env};
    peat_options options = {.size = sizeof options,
                            .threads = threads,
                            .memory_bytes = (uint64_t)256 << 20,
                            .compression = PEAT_COMPRESSION_NONE,
                            .host = &host};
    if (peat_open(dir, &options, &db, &error) != PEAT_OK)
        fail_msg("%s", error.message);
    return db;
}

static void fill(watched *w, const char *dir)
{
    peat_db *db = open_at(w, dir, PEAT_THREADS_NONE);
    static char value[VALUE_BYTES];
    char key[16];
    for (unsigned i = 0; i < KEYS; i++) {
        (void)snprintf(key, sizeof key, "%08u", i);
        memset(value, 'a' + (int)(i % 26), sizeof value);
        assert_ok(peat_put(db, NULL, peat_str(key), peat_bytes(value, sizeof value)));
    }
    assert_ok(peat_settle(db, PEAT_WAIT_FOREVER));
    assert_ok(peat_close(db));
}

static void init(watched *w, const char *dir)
{
    memset(w, 0, sizeof *w);
    w->real = peat_env_default();
    w->env = *w->real;
    w->env.size = sizeof w->env;
    w->env.ctx = w;
    w->reader = pthread_self();
    pthread_mutex_init(&w->mu, NULL);
    pthread_cond_init(&w->changed, NULL);
    fill(w, dir);
    w->env.needed = watch_needed;
    w->env.unneeded = watch_unneeded;
}

static void read_some(peat_db *db, unsigned from, unsigned to)
{
    char key[16];
    peat_buf buf = PEAT_BUF_INIT;
    for (unsigned i = from; i < to; i++) {
        (void)snprintf(key, sizeof key, "%08u", i);
        assert_ok(peat_get(db, NULL, peat_str(key), &buf));
        assert_int_equal(buf.size, VALUE_BYTES);
        assert_int_equal(((const char *)buf.data)[VALUE_BYTES - 1], 'a' + (int)(i % 26));
    }
    peat_buf_free(&buf);
}

/* A tenth of a second for the thread, which is to come within one. */
static bool was_asked(watched *w)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 100 * 1000 * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int e = 0;
    pthread_mutex_lock(&w->mu);
    while (w->needed_bytes == 0 && e == 0)
        e = pthread_cond_timedwait(&w->changed, &w->mu, &until);
    bool asked = w->needed_bytes != 0;
    pthread_mutex_unlock(&w->mu);
    return asked;
}

TEST_IN_DIR(the_thread_asks_for_memory_ahead_of_readers_and_gives_it_back)
{
    static watched w;
    init(&w, root);
    peat_db *db = open_at(&w, root, 1);
    unsigned at = 4000; /* beyond the first two MiB */
    read_some(db, 0, at);
    while (!was_asked(&w)) {
        assert_true(at < KEYS);
        read_some(db, at, at + 1000);
        at += 1000;
    }
    pthread_mutex_lock(&w.mu);
    assert_false(w.by_reader);
    while (w.given_back == 0)
        pthread_cond_wait(&w.changed, &w.mu);
    pthread_mutex_unlock(&w.mu);
    read_some(db, 0, KEYS); /* what went back comes again */
    assert_ok(peat_close(db));
}

TEST_IN_DIR(without_threads_nobody_asks)
{
    static watched w;
    init(&w, root);
    peat_db *db = open_at(&w, root, PEAT_THREADS_NONE);
    read_some(db, 0, KEYS);
    assert_int_equal(w.needed_bytes, 0);
    assert_ok(peat_settle(db, PEAT_WAIT_FOREVER));
    assert_int_equal(w.needed_bytes, 0);
    assert_ok(peat_close(db));
}
