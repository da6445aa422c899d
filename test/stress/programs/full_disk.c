/* SPDX-License-Identifier: MIT */
/*
 * full_disk.c - a store on a file system that is full.
 *
 *   full_disk MOUNT SEED BALLAST_KIB
 *
 * MOUNT is an empty file system of a few dozen MiB. Takes BALLAST_KIB of it away, writes until
 * PEAT_FULL, and expects: reads answer rightly; deletes succeed or fail cleanly; the store closes
 * and opens again while the disk is full; when the ballast is removed writes succeed again in the
 * same open store; nothing that was acknowledged is lost, and what was refused changes nothing.
 * Exit code 0, or 1 with a line that says what was expected and found.
 */
#include "peat.h"
#include "peat_env.h"
#include "world/random.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEYS      60000u
#define VALUE_MAX ((size_t)9000)
/* Writes resume by themselves: the background tries again within seconds. */
#define RESUME_MS 20000u

typedef struct disk {
    char store[512], ballast[512];
    uint64_t seed;
    rng random;
    peat_db *db;
    peat_options options;
    uint32_t versions[KEYS]; /* 0: not there */
    uint32_t newest;
    uint64_t puts;
} disk;

static _Noreturn void fail(const disk *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static _Noreturn void fail(const disk *d, const char *format, ...)
{
    va_list args;
    peat_error e = {0};
    if (d->db != NULL)
        (void)peat_db_error(d->db, &e);
    va_start(args, format);
    (void)fprintf(stderr, "full_disk: seed %" PRIu64 ", after %" PRIu64 " puts: ", d->seed,
                  d->puts);
    (void)vfprintf(stderr, format, args);
    (void)fprintf(stderr, " (first trouble: %s)\n", e.message);
    va_end(args);
    exit(1);
}

static size_t make_value(const disk *d, unsigned key, uint32_t version, uint8_t *value)
{
    uint64_t x = rng_hash(d->seed ^ ((uint64_t)key << 32 | version));
    size_t n = 8 + x % (x % 16 == 0 ? VALUE_MAX - 8 : 600);
    for (size_t i = 0; i < n;
         i++, x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407))
        value[i] = (uint8_t)(x >> 56);
    return n;
}

static peat_slice make_key(unsigned key, char text[16])
{
    return peat_bytes(text, (size_t)snprintf(text, 16, "%05u", key * 7919u % 65536u));
}

static peat_rc put(disk *d, unsigned key)
{
    uint8_t value[VALUE_MAX];
    char text[16];
    size_t n = make_value(d, key, d->newest + 1, value);
    peat_write_options o = {.size = sizeof o, .sync = rng_below(&d->random, 200) == 0};
    peat_rc rc = peat_put(d->db, &o, make_key(key, text), peat_bytes(value, n));
    if (rc == PEAT_OK) {
        d->versions[key] = ++d->newest;
        d->puts++;
    } else if (rc != PEAT_FULL) {
        fail(d, "put: %s", peat_rc_name(rc));
    }
    return rc;
}

static void fill(disk *d, uint64_t puts_max)
{
    for (uint64_t n = 0; n < puts_max; n++)
        if (put(d, (unsigned)rng_below(&d->random, KEYS)) == PEAT_FULL)
            return;
    if (puts_max == UINT64_MAX)
        fail(d, "the disk was never full");
}

static void verify(disk *d, const char *when)
{
    uint8_t value[VALUE_MAX];
    char text[16];
    peat_buf buf = PEAT_BUF_INIT;
    uint64_t there = 0, rows = 0;
    for (unsigned k = 0; k < KEYS; k++) {
        peat_rc rc = peat_get(d->db, NULL, make_key(k, text), &buf);
        if (rc != (d->versions[k] != 0 ? PEAT_OK : PEAT_NOT_FOUND))
            fail(d, "%s: key %u of version %" PRIu32 ": %s", when, k, d->versions[k],
                 peat_rc_name(rc));
        if (rc != PEAT_OK)
            continue;
        there++;
        size_t n = make_value(d, k, d->versions[k], value);
        if (n != buf.size || memcmp(value, buf.data, n) != 0)
            fail(d, "%s: key %u: not its version %" PRIu32, when, k, d->versions[k]);
    }
    peat_buf_free(&buf);
    peat_iter *it = NULL;
    peat_rc rc = peat_iter_open(d->db, NULL, &it);
    if (rc == PEAT_OK)
        while ((rc = peat_iter_next(it)) == PEAT_OK)
            rows++;
    peat_iter_close(it);
    if (rc != PEAT_END || rows != there)
        fail(d, "%s: scan: %s, %" PRIu64 " rows of %" PRIu64, when, peat_rc_name(rc), rows, there);
}

static void erase_some(disk *d)
{
    char text[16];
    unsigned refused = 0;
    for (unsigned i = 0; i < 300; i++) {
        unsigned k = (unsigned)rng_below(&d->random, KEYS);
        peat_rc rc = peat_delete(d->db, NULL, make_key(k, text));
        if (rc == PEAT_OK)
            d->versions[k] = 0;
        else if (rc == PEAT_FULL)
            refused++;
        else
            fail(d, "delete: %s", peat_rc_name(rc));
    }
    (void)printf(" deletes refused %u/300", refused);
}

static void make_ballast(disk *d, uint64_t kib)
{
    static char block[1024];
    int fd = open(d->ballast, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        fail(d, "ballast: %s", strerror(errno));
    for (uint64_t i = 0; i < kib && write(fd, block, sizeof block) == (ssize_t)sizeof block; i++)
        ;
    (void)close(fd);
}

static void open_store(disk *d, const char *when)
{
    peat_error e;
    peat_rc rc = peat_open(d->store, &d->options, &d->db, &e);
    if (rc != PEAT_OK)
        fail(d, "%s: open: %s: %s", when, peat_rc_name(rc), e.message);
}

static void close_store(disk *d, const char *when)
{
    peat_rc rc = peat_close(d->db);
    d->db = NULL;
    if (rc != PEAT_OK && rc != PEAT_FULL)
        fail(d, "%s: close: %s", when, peat_rc_name(rc));
    (void)printf(" %s:%s", when, peat_rc_name(rc));
}

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* By itself: nothing is called but what is refused. */
static void resume(disk *d)
{
    uint64_t begin = now_ms(), good = 0;
    while (good < 2000) {
        if (put(d, (unsigned)rng_below(&d->random, KEYS)) == PEAT_OK) {
            good++;
            continue;
        }
        if (now_ms() - begin > RESUME_MS)
            fail(d, "writes do not resume");
        (void)sched_yield();
    }
    (void)printf(" resumed in %" PRIu64 " ms", now_ms() - begin);
}

/* On the full disk: again until nothing more goes in, with work asked for in between. */
static void press_on(disk *d)
{
    for (unsigned i = 0; i < 3; i++) {
        peat_rc rc = i == 0   ? peat_flush(d->db)
                     : i == 1 ? peat_settle(d->db, 300)
                              : peat_compact(d->db, peat_unbounded(), peat_unbounded(), NULL);
        if (rc < 0 && rc != PEAT_FULL)
            fail(d, "upkeep %u on a full disk: %s", i, peat_rc_name(rc));
        (void)printf(" upkeep%u:%s", i, peat_rc_name(rc));
        fill(d, 20000);
    }
}

int main(int argc, char **argv)
{
    peat_test_options test = {.size = sizeof test, .segment_bytes = 131072};
    disk *d = (disk *)calloc(1, sizeof *d);
    if (argc != 4 || d == NULL) {
        (void)fprintf(stderr, "usage: full_disk MOUNT SEED BALLAST_KIB\n");
        return 2;
    }
    (void)snprintf(d->store, sizeof d->store, "%s/store", argv[1]);
    (void)snprintf(d->ballast, sizeof d->ballast, "%s/ballast", argv[1]);
    d->seed = strtoull(argv[2], NULL, 10);
    d->random.state = d->seed;
    d->options = (peat_options){.size = sizeof d->options, .test = &test};
    d->options.memory_bytes = PEAT_MEMORY_BYTES_MIN << rng_below(&d->random, 4);
    d->options.threads = rng_below(&d->random, 3) == 0 ? PEAT_THREADS_NONE : 1;
    test.partition_bytes = (size_t)256 << (10 + rng_below(&d->random, 4));
    (void)printf("seed %" PRIu64 " threads %d memory %zu MiB:", d->seed, d->options.threads,
                 d->options.memory_bytes >> 20);
    open_store(d, "at first");
    fill(d, rng_below(&d->random, 3000));
    make_ballast(d, strtoull(argv[3], NULL, 10));
    fill(d, UINT64_MAX);
    verify(d, "full");
    erase_some(d);
    verify(d, "after deletes");
    press_on(d);
    verify(d, "after upkeep");
    if (rng_below(&d->random, 2) == 0) {
        close_store(d, "closed full");
        open_store(d, "while full");
        verify(d, "reopened full");
        fill(d, 5000);
    }
    (void)unlink(d->ballast);
    resume(d);
    verify(d, "resumed");
    close_store(d, "closed");
    open_store(d, "at last");
    verify(d, "reopened");
    if (peat_check(d->db, NULL, NULL) != PEAT_OK)
        fail(d, "check finds damage");
    close_store(d, "closed");
    (void)printf("\n");
    free(d);
    return 0;
}
