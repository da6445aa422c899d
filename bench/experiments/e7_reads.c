/* SPDX-License-Identifier: MIT */
/*
 * e7_reads.c - reads of one thread, 64 under way at once, by a ring, by threads, or plainly.
 *
 *   e7_reads DIR [mebibytes] [rounds] [threads] [under way]
 *
 * Makes a file of that size (2048) in DIR and reads 4 KiB at random places: 64 at a time (or less),
 * each time waiting for what has ended and replacing it. Prints reads per second, the median of the
 * rounds (5), and microseconds of processor time for each, with the file in the page cache and
 * after it was dropped from it.
 *
 * It looks inside the library, so it is built from the sources:
 *   cc -std=c11 -D_GNU_SOURCE -O3 -DNDEBUG -DPT_HAVE_URING=1 -Isrc -Iinclude \
 *      bench/experiments/e7_reads.c src/env/[star].c src/base/[star].c -luring -pthread
 */
#include "env/reads.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define UNDER_WAY_MAX 64u
#define READ_BYTES    4096u
#define ROUNDS_MAX    15u
#define WARM_READS    200000u
#define COLD_READS    20000u

static uint64_t state = 1;

static uint64_t next_random(void)
{
    uint64_t x = state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static void check(int ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "%s failed\n", what);
        exit(1);
    }
}

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int no_ring(void *ctx, unsigned depth, int event, peat_env_ring **ret_ring)
{
    (void)ctx;
    (void)depth;
    (void)event;
    (void)ret_ring;
    return ENOSYS;
}

static void add(pt_reads *r, pt_read_job *job, uint64_t pages)
{
    job->offset = next_random() % pages * READ_BYTES;
    pt_reads_add(r, job);
}

static void run(pt_reads *r, pt_read_job *jobs, unsigned under_way, uint64_t pages, unsigned count)
{
    unsigned added = under_way, ended = 0;
    for (unsigned i = 0; i < under_way; i++)
        add(r, &jobs[i], pages);
    while (ended < count) {
        pt_reads_submit(r);
        for (pt_read_job *job = pt_reads_reap(r, true), *next; job != NULL; job = next) {
            next = job->next;
            check(job->error == 0 && job->done == READ_BYTES, "a read");
            ended++;
            if (added < count) {
                add(r, job, pages);
                added++;
            }
        }
    }
}

static void fill(const peat_env *env, peat_env_file *file, uint64_t bytes)
{
    static uint64_t piece[1 << 17];
    for (uint64_t at = 0; at < bytes; at += sizeof piece) {
        for (size_t i = 0; i < PT_COUNT_OF(piece); i++)
            piece[i] = next_random();
        check(env->file_write(env->ctx, file, at, piece, sizeof piece) == 0, "write");
    }
    check(env->file_sync(env->ctx, file) == 0, "sync");
    check(env->file_advise(env->ctx, file, 0, 0, PEAT_ENV_ADVISE_RANDOM) == 0, "advice");
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void measure(const char *name, const peat_env *env, unsigned threads, unsigned under_way,
                    peat_env_file *file, uint64_t pages, unsigned rounds, bool cold)
{
    static uint8_t bufs[UNDER_WAY_MAX][READ_BYTES];
    pt_read_job jobs[UNDER_WAY_MAX];
    double rates[ROUNDS_MAX], cpu = 0;
    unsigned count = cold ? COLD_READS : WARM_READS;
    pt_reads *r = NULL;
    check(pt_reads_new(env, under_way, threads, &r) == PEAT_OK, "pt_reads_new");
    for (unsigned i = 0; i < under_way; i++)
        jobs[i] = (pt_read_job){.file = file, .buf = bufs[i], .size = READ_BYTES};
    for (unsigned i = 0; i < rounds; i++) {
        if (cold)
            check(env->file_advise(env->ctx, file, 0, 0, PEAT_ENV_ADVISE_DONTNEED) == 0, "drop");
        double begin = now_s(), used = cpu_s();
        run(r, jobs, under_way, pages, count);
        rates[i] = count / (now_s() - begin);
        cpu += (cpu_s() - used) / rounds;
    }
    qsort(rates, rounds, sizeof rates[0], compare);
    printf("%-8s %s %9.0f reads/s (%.0f to %.0f) %6.2f us of processor each, kind %d\n", name,
           cold ? "cold" : "warm", rates[rounds / 2], rates[0], rates[rounds - 1],
           cpu / count * 1e6, (int)pt_reads_kind_of(r));
    pt_reads_free(r);
}

int main(int argc, char **argv)
{
    check(argc > 1, "usage: e7_reads DIR [mebibytes] [rounds] [threads]; it");
    uint64_t bytes = (uint64_t)(argc > 2 ? atoi(argv[2]) : 2048) << 20;
    unsigned rounds = argc > 3 ? (unsigned)atoi(argv[3]) : 5;
    unsigned threads = argc > 4 ? (unsigned)atoi(argv[4]) : 4;
    unsigned under_way = argc > 5 ? (unsigned)atoi(argv[5]) : UNDER_WAY_MAX;
    check(under_way > 0 && under_way <= UNDER_WAY_MAX, "under way");
    check(bytes > 0 && rounds > 0 && rounds <= ROUNDS_MAX, "arguments");
    const peat_env *env = peat_env_default();
    peat_env without = *env;
    peat_env_dir *dir = NULL;
    peat_env_file *file = NULL;
    without.ring_open = no_ring;
    check(env->dir_open(env->ctx, argv[1], PEAT_ENV_DIR_CREATE, &dir) == 0, "dir_open");
    check(env->file_open(env->ctx, dir, "e7_reads", PEAT_ENV_FILE_CREATE | PEAT_ENV_FILE_WRITE,
                         &file) == 0,
          "file_open");
    fill(env, file, bytes);
    for (int cold = 0; cold < 2; cold++) {
        measure("ring", env, 0, under_way, file, bytes / READ_BYTES, rounds, cold);
        measure("threads", &without, threads, under_way, file, bytes / READ_BYTES, rounds, cold);
        measure("plain", &without, 0, under_way, file, bytes / READ_BYTES, rounds, cold);
    }
    env->file_close(env->ctx, file);
    check(env->dir_remove(env->ctx, dir, "e7_reads") == 0, "remove");
    env->dir_close(env->ctx, dir);
    return 0;
}
