/* SPDX-License-Identifier: MIT */
/*
 * e4_log.c - the log as stores into a mapped file, or as writes.
 *
 *   e4_log DIR [appends] [rounds]
 *
 * Prints, medians of the rounds:
 *   append  nanoseconds (wall and processor time) per record of 128 bytes, over files of 64 MiB
 * that are preallocated ("new") or were written before ("recycled"), while another thread syncs
 * every 100 ms: mapped with MADV_POPULATE_WRITE one MiB ahead; written one record per call, and
 * eight; with page faults and bytes sent to the device per sync; log     the same by the library's
 * log, appends alone, and append + write by 1 and 2 threads; sync    microseconds of fdatasync
 * after one record, on a growing, preallocated, zero-filled and recycled file, and by the library's
 * log with 1, 4 and 16 threads.
 *
 * It looks inside the library, so it is built from the sources:
 *   cc -std=c11 -D_GNU_SOURCE -O3 -DNDEBUG -Isrc -Iinclude bench/experiments/e4_log.c \
 *      src/log/[star].c src/env/[star].c src/base/[star].c -pthread
 */
#include "base/hash.h"
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES     ((size_t)64 << 20)
#define POPULATE_BYTES ((size_t)1 << 20)
#define RECORD_BYTES   160u /* header and 128 bytes */
#define FILES          3u
#define ROUNDS_MAX     15u
#define SYNCS          300u

static void check(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, compare);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static double device_bytes(void)
{
    char line[128];
    double bytes = 0;
    FILE *f = fopen("/proc/self/io", "r");
    check(f != NULL, "/proc/self/io");
    while (fgets(line, sizeof line, f) != NULL)
        (void)sscanf(line, "write_bytes: %lf", &bytes);
    fclose(f);
    return bytes;
}

static double faults(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_minflt + u.ru_majflt);
}

/* --- the raw ways --- */

typedef struct bench {
    const char *dir;
    size_t appends;
    int fds[FILES];
    uint8_t *maps[FILES];
    _Atomic int current;
    _Atomic bool stop;
    _Atomic uint64_t syncs;
} bench;

static void open_files(bench *b, bool written)
{
    static uint8_t zeros[64 << 10]; /* larger writes leave large folios, which slow small writes */
    char path[4096];
    for (unsigned i = 0; i < FILES; i++) {
        (void)snprintf(path, sizeof path, "%s/e4-%u", b->dir, i);
        (void)unlink(path);
        b->fds[i] = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
        check(b->fds[i] >= 0, path);
        check(posix_fallocate(b->fds[i], 0, (off_t)FILE_BYTES) == 0, "fallocate");
        for (size_t at = 0; written && at < FILE_BYTES; at += sizeof zeros)
            check(pwrite(b->fds[i], zeros, sizeof zeros, (off_t)at) == (ssize_t)sizeof zeros,
                  "fill");
        check(fsync(b->fds[i]) == 0, "fsync");
        b->maps[i] = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, b->fds[i], 0);
        check(b->maps[i] != MAP_FAILED, "mmap");
    }
}

static void close_files(bench *b)
{
    char path[4096];
    for (unsigned i = 0; i < FILES; i++) {
        munmap(b->maps[i], FILE_BYTES);
        close(b->fds[i]);
        (void)snprintf(path, sizeof path, "%s/e4-%u", b->dir, i);
        (void)unlink(path);
    }
}

static void *sync_now_and_then(void *arg)
{
    bench *b = arg;
    while (!b->stop) {
        struct timespec pause = {.tv_nsec = 100000000};
        nanosleep(&pause, NULL);
        check(fdatasync(b->fds[b->current]) == 0, "fdatasync");
        b->syncs++;
    }
    return NULL;
}

enum way { MAPPED, WRITTEN, WRITTEN_8 };

static void append_all(bench *b, enum way way)
{
    static uint8_t record[8 * RECORD_BYTES];
    size_t group = way == WRITTEN_8 ? 8 : 1, at = 0, populated = 0;
    unsigned file = 0;
    for (size_t i = 0; i < b->appends; i += group) {
        size_t n = group * RECORD_BYTES;
        if (at + n > FILE_BYTES) {
            file = (file + 1) % FILES;
            at = populated = 0;
            b->current = (int)file;
        }
        memcpy(record, &i, sizeof i);
        if (way == MAPPED) {
            if (at + n > populated) {
                size_t ahead = FILE_BYTES - populated;
                ahead = ahead < POPULATE_BYTES ? ahead : POPULATE_BYTES;
                check(madvise(b->maps[file] + populated, ahead, MADV_POPULATE_WRITE) == 0,
                      "MADV_POPULATE_WRITE");
                populated += ahead;
            }
            memcpy(b->maps[file] + at, record, n);
        } else {
            check(pwrite(b->fds[file], record, n, (off_t)at) == (ssize_t)n, "pwrite");
        }
        at += n;
    }
}

static void raw_appends(bench *b, unsigned rounds, enum way way, bool recycled, const char *name)
{
    double wall[ROUNDS_MAX], cpu[ROUNDS_MAX], fault[ROUNDS_MAX], bytes[ROUNDS_MAX];
    for (unsigned r = 0; r < rounds; r++) {
        pthread_t syncer;
        open_files(b, recycled);
        b->stop = false;
        b->syncs = 0;
        b->current = 0;
        double f = faults(), d = device_bytes();
        check(pthread_create(&syncer, NULL, sync_now_and_then, b) == 0, "thread");
        double w = seconds(CLOCK_MONOTONIC), c = seconds(CLOCK_THREAD_CPUTIME_ID);
        append_all(b, way);
        cpu[r] = (seconds(CLOCK_THREAD_CPUTIME_ID) - c) * 1e9 / (double)b->appends;
        wall[r] = (seconds(CLOCK_MONOTONIC) - w) * 1e9 / (double)b->appends;
        b->stop = true;
        pthread_join(syncer, NULL);
        double syncs = b->syncs != 0 ? (double)b->syncs : 1;
        fault[r] = (faults() - f) / syncs;
        bytes[r] = (device_bytes() - d) / ((double)b->appends * RECORD_BYTES);
        close_files(b);
    }
    printf("append %-22s %-8s wall %6.0f ns  cpu %6.0f ns  faults per sync %7.0f  device bytes "
           "per log byte %.2f\n",
           name, recycled ? "recycled" : "new", median(wall, rounds), median(cpu, rounds),
           median(fault, rounds), median(bytes, rounds));
}

/* --- syncs of one record --- */

enum file_kind { GROWING, PREALLOCATED, ZEROED, RECYCLED, FILE_KINDS };

static double one_sync_round(const char *dir, enum file_kind kind)
{
    static const uint8_t record[RECORD_BYTES] = {1};
    static uint8_t fill[1 << 20];
    static double us[SYNCS];
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/e4-sync", dir);
    (void)unlink(path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    check(fd >= 0, path);
    if (kind != GROWING)
        check(posix_fallocate(fd, 0, sizeof fill) == 0, "fallocate");
    memset(fill, kind == RECYCLED ? 7 : 0, sizeof fill);
    if (kind == ZEROED || kind == RECYCLED)
        check(pwrite(fd, fill, sizeof fill, 0) == (ssize_t)sizeof fill, "fill");
    check(fsync(fd) == 0, "fsync");
    for (unsigned i = 0; i < SYNCS; i++) {
        double t = seconds(CLOCK_MONOTONIC);
        check(pwrite(fd, record, sizeof record, (off_t)(i * sizeof record)) > 0, "pwrite");
        check(fdatasync(fd) == 0, "fdatasync");
        us[i] = (seconds(CLOCK_MONOTONIC) - t) * 1e6;
    }
    close(fd);
    (void)unlink(path);
    return median(us, SYNCS);
}

static void raw_syncs(const char *dir, unsigned rounds)
{
    static const char *const names[] = {"growing", "preallocated", "zero-filled", "recycled"};
    static double us[FILE_KINDS][ROUNDS_MAX];
    for (unsigned r = 0; r < rounds; r++) /* in turn, so that all meet the same disturbance */
        for (int kind = 0; kind < FILE_KINDS; kind++)
            us[kind][r] = one_sync_round(dir, (enum file_kind)kind);
    for (int kind = 0; kind < FILE_KINDS; kind++)
        printf("sync   %-22s %6.0f us\n", names[kind], median(us[kind], rounds));
}

/* --- the library's log --- */

enum log_way { APPEND_ONLY, APPEND_WRITE, APPEND_SYNC };

typedef struct log_bench {
    pt_log *log;
    pt_mutex commit;
    uint64_t seq;
    size_t per_thread;
    enum log_way way;
} log_bench;

static void *log_member(void *arg)
{
    log_bench *b = arg;
    uint8_t payload[128] = {0};
    for (size_t i = 0; i < b->per_thread; i++) {
        uint64_t position = 0;
        memcpy(payload, &i, sizeof i);
        uint64_t hash = pt_hash(payload, sizeof payload);
        pt_mutex_lock(&b->commit);
        peat_rc rc = pt_log_append(b->log, b->seq + 1, 1, pt_slice_of(payload, sizeof payload),
                                   hash, &position);
        b->seq++;
        if (i % 65536 == 65535) /* as if memtables were flushed: segments are recycled */
            pt_log_release(b->log, pt_log_serial(b->log));
        pt_mutex_unlock(&b->commit);
        if (rc == PEAT_OK && b->way == APPEND_WRITE)
            rc = pt_log_write(b->log, position);
        if (rc == PEAT_OK && b->way == APPEND_SYNC)
            rc = pt_log_sync(b->log, position);
        check(rc == PEAT_OK, "log");
    }
    return NULL;
}

static int remove_name(void *arg, const char *name, bool regular_file, uint64_t size)
{
    const peat_env *env = peat_env_default();
    (void)size;
    return regular_file ? env->dir_remove(env->ctx, arg, name) : 0;
}

static double log_round(const char *dir, size_t appends, unsigned threads, enum log_way way)
{
    const peat_env *env = peat_env_default();
    char path[4096];
    pt_dir *d = NULL;
    pt_sink sink;
    pthread_t ids[16];
    log_bench b = {.per_thread = appends / threads, .way = way};
    pt_log_options options = {.store_id = 1,
                              .open_count = 1,
                              .serial_next = 1,
                              .segment_bytes_min = 256 << 10,
                              .segment_bytes_max = FILE_BYTES};
    (void)snprintf(path, sizeof path, "%s/e4-log", dir);
    check(env->dir_open(env->ctx, path, PEAT_ENV_DIR_CREATE, &d) == 0, path);
    pt_sink_init(&sink);
    pt_mutex_init(&b.commit);
    check(pt_log_new(env, d, &sink, &options, &b.log) == PEAT_OK, "log");
    double t = seconds(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < threads; i++)
        check(pthread_create(&ids[i], NULL, log_member, &b) == 0, "thread");
    for (unsigned i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    t = seconds(CLOCK_MONOTONIC) - t;
    pt_log_free(b.log);
    check(env->dir_list(env->ctx, d, remove_name, d) == 0, "clean");
    env->dir_close(env->ctx, d);
    (void)rmdir(path);
    return t / (double)appends;
}

static void library(const char *dir, size_t appends, unsigned rounds)
{
    static const struct {
        const char *name;
        unsigned threads, divisor;
        enum log_way way;
        double unit;
    } rows[] = {{"log    append only, 1 thread", 1, 1, APPEND_ONLY, 1e9},
                {"log    append + write, 1 thread", 1, 1, APPEND_WRITE, 1e9},
                {"log    append + write, 2 threads", 2, 1, APPEND_WRITE, 1e9},
                {"sync   append + sync, 1 thread", 1, 1000, APPEND_SYNC, 1e6},
                {"sync   append + sync, 4 threads", 4, 500, APPEND_SYNC, 1e6},
                {"sync   append + sync, 16 threads", 16, 250, APPEND_SYNC, 1e6}};
    static double v[PT_COUNT_OF(rows)][ROUNDS_MAX];
    for (unsigned r = 0; r < rounds; r++)
        for (size_t i = 0; i < PT_COUNT_OF(rows); i++)
            v[i][r] = log_round(dir, appends / rows[i].divisor, rows[i].threads, rows[i].way) *
                      rows[i].unit;
    for (size_t i = 0; i < PT_COUNT_OF(rows); i++)
        printf("%-34s %6.0f %s per record\n", rows[i].name, median(v[i], rounds),
               rows[i].unit > 1e8 ? "ns" : "us");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: e4_log DIR [appends] [rounds]\n");
        return 2;
    }
    bench b = {.dir = argv[1], .appends = argc > 2 ? strtoul(argv[2], NULL, 10) : 2000000};
    unsigned rounds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 5;
    rounds = rounds == 0 || rounds > ROUNDS_MAX ? 5 : rounds;
    for (int recycled = 0; recycled < 2; recycled++) {
        raw_appends(&b, rounds, MAPPED, recycled, "mapped");
        raw_appends(&b, rounds, WRITTEN, recycled, "written");
        raw_appends(&b, rounds, WRITTEN_8, recycled, "written, groups of 8");
    }
    library(b.dir, b.appends, rounds);
    raw_syncs(b.dir, rounds);
    return 0;
}
