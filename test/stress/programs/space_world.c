/* SPDX-License-Identifier: MIT */
/* space_world.c - see space.h. */
#include "space.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POOL_BYTES (32 * MIB)
#define WORK_UNITS 64u
#define HALVED_MAX 1024u

void must(peat_rc rc, const char *what)
{
    if (rc == PEAT_OK)
        return;
    (void)fprintf(stderr, "space: %s: %s\n", what, peat_rc_name(rc));
    exit(2);
}

/* ---- time ---- */

/* The store waits on conditions by the system's clock, not by that of its environment; the linker
 * leads these calls here (--wrap). One store at a time, so one speed. */
static _Atomic double wait_speed = 1.0;
static _Atomic uint64_t waits;

static uint64_t real_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * S_NS + (uint64_t)t.tv_nsec;
}

int __real_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *t);
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *t);

int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *t)
{
    uint64_t now = real_ns(), until = (uint64_t)t->tv_sec * S_NS + (uint64_t)t->tv_nsec;
    if (until > now)
        until = now + (uint64_t)((double)(until - now) / atomic_load(&wait_speed));
    struct timespec sooner = {.tv_sec = (time_t)(until / S_NS), .tv_nsec = (long)(until % S_NS)};
    atomic_fetch_add(&waits, 1);
    return __real_pthread_cond_timedwait(c, m, &sooner);
}

uint64_t space_waits(void)
{
    return atomic_load(&waits);
}

static uint64_t env_now_ns(void *ctx)
{
    space *s = (space *)ctx;
    if (s->threads == PEAT_THREADS_NONE)
        return atomic_fetch_add(&s->stepped_ns, 1000);
    return s->real_zero_ns + (uint64_t)((double)(real_ns() - s->real_zero_ns) * s->speed);
}

static void sleep_real(uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / S_NS), .tv_nsec = (long)(ns % S_NS)};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

static void env_sleep_ns(void *ctx, uint64_t ns)
{
    space *s = (space *)ctx;
    if (s->threads == PEAT_THREADS_NONE)
        atomic_fetch_add(&s->stepped_ns, ns);
    else
        sleep_real((uint64_t)((double)ns / s->speed));
}

uint64_t space_now(space *s)
{
    return env_now_ns(s);
}

static void step_until(space *s, uint64_t ns)
{
    while (s->sample_next_ns <= ns) {
        if (atomic_load(&s->stepped_ns) < s->sample_next_ns)
            atomic_store(&s->stepped_ns, s->sample_next_ns);
        s->sample_next_ns += SAMPLE_NS;
        space_sample_now(s);
        if (s->db == NULL)
            continue;
        must(peat_work(s->db, WORK_UNITS, NULL), "work");
        space_sample_now(s);
    }
    if (atomic_load(&s->stepped_ns) < ns)
        atomic_store(&s->stepped_ns, ns);
}

void space_wait_until(space *s, uint64_t ns)
{
    if (s->threads == PEAT_THREADS_NONE) {
        step_until(s, ns);
        return;
    }
    for (uint64_t now = space_now(s); now < ns; now = space_now(s))
        env_sleep_ns(s, ns - now);
}

void space_wait(space *s, uint64_t ns)
{
    space_wait_until(s, space_now(s) + ns);
}

void space_spend(space *s, uint64_t ns)
{
    if (s->threads == PEAT_THREADS_NONE)
        space_wait(s, ns);
}

/* ---- bytes written ---- */

static int env_write(void *ctx, peat_env_file *file, uint64_t offset, const void *buf, size_t n)
{
    space *s = (space *)ctx;
    const peat_env *real = peat_env_default();
    atomic_fetch_add(&s->written_bytes, n);
    return real->file_write(real->ctx, file, offset, buf, n);
}

static void make_env(space *s)
{
    s->env = *peat_env_default(); /* its members need no ctx but fork_mark's, which may be NULL */
    s->env.ctx = s;
    s->env.now_ns = env_now_ns;
    s->env.sleep_ns = env_sleep_ns;
    s->env.file_write = env_write;
    s->env.file_store = NULL; /* or some bytes would go around env_write */
    s->host = (peat_host){.size = sizeof s->host, .env = &s->env};
    s->options = (peat_options){.size = sizeof s->options,
                                .memory_bytes = (size_t)s->budget_bytes,
                                .threads = s->threads,
                                .host = &s->host};
}

/* ---- the store ---- */

void space_open(space *s)
{
    peat_error e;
    if (peat_open(s->dir, &s->options, &s->db, &e) == PEAT_OK)
        return;
    (void)fprintf(stderr, "space: %s\n", e.message);
    exit(2);
}

void space_close(space *s)
{
    peat_db *db = s->db;
    s->db = NULL;
    must(peat_close(db), "close");
}

void space_begin(space *s, uint64_t key_count, uint64_t entry_bytes_max)
{
    atomic_store(&wait_speed, s->speed);
    s->real_zero_ns = real_ns();
    atomic_store(&s->stepped_ns, s->real_zero_ns);
    s->sample_next_ns = s->real_zero_ns + SAMPLE_NS;
    s->entry_bytes_max = entry_bytes_max;
    s->key_count = key_count;
    s->sizes = calloc(key_count, sizeof *s->sizes);
    s->pool = malloc(POOL_BYTES + entry_bytes_max);
    if (s->sizes == NULL || s->pool == NULL)
        must(PEAT_NOMEM, "begin");
    for (uint64_t at = 0; at + 8 <= POOL_BYTES + entry_bytes_max; at += 8) {
        uint64_t x = rng_hash(at + s->random.state);
        memcpy(s->pool + at, &x, 8);
    }
    make_env(s);
    space_open(s);
    space_sampling_start(s);
}

void space_end(space *s)
{
    space_sampling_stop(s);
    if (s->db != NULL)
        space_close(s);
    free(s->sizes);
    free(s->pool);
}

/* ---- keys, values, the truth ---- */

peat_slice space_key(const space *s, uint64_t number, char key[32])
{
    uint64_t n = s->scattered ? rng_hash(number + 1) : number;
    return peat_bytes(key, (size_t)snprintf(key, 32, "%016" PRIx64, n));
}

/* Between the two there is as much live as the larger of both says: a sample reads it before and
 * after it looks at the directory. */
static void account(space *s, uint64_t number, uint32_t after)
{
    uint32_t before = s->sizes[number];
    uint64_t each = 16 + s->overhead_bytes;
    s->sizes[number] = after;
    if (before != 0) {
        if (s->holding)
            atomic_fetch_add(&s->held_bytes, before + each);
        atomic_fetch_add(&s->freed_bytes, before + each);
        atomic_fetch_sub(&s->live_bytes, before + each);
    }
    if (after != 0)
        atomic_fetch_add(&s->live_bytes, after + each);
    atomic_fetch_add(&s->user_bytes, 16 + after);
}

void space_put(space *s, uint64_t number, uint32_t value_bytes)
{
    char key[32];
    uint8_t halves[HALVED_MAX];
    uint64_t at = rng_hash(number * 31 + atomic_load(&s->user_bytes)) % POOL_BYTES;
    const uint8_t *value = s->pool + at;
    if (s->halved && value_bytes <= HALVED_MAX) {
        memcpy(halves, value, value_bytes / 2);
        memcpy(halves + value_bytes / 2, value, value_bytes - value_bytes / 2);
        value = halves;
    }
    must(peat_put(s->db, NULL, space_key(s, number, key), peat_bytes(value, value_bytes)), "put");
    account(s, number, value_bytes);
}

void space_delete(space *s, uint64_t number)
{
    char key[32];
    must(peat_delete(s->db, NULL, space_key(s, number, key)), "delete");
    account(s, number, 0);
}

void space_fill(space *s, uint64_t from, uint64_t to, uint32_t value_bytes)
{
    for (uint64_t i = from; i < to; i++) {
        space_put(s, i, value_bytes);
        space_spend(s, 10000);
    }
}
