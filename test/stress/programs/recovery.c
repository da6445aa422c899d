/* SPDX-License-Identifier: MIT */
/*
 * recovery.c - how long an open takes that finds a long log, and how much memory.
 *
 *   recovery DIR LOG_MIB VALUE_BYTES MEMORY_MIB
 *
 * A child writes entries until the log holds LOG_MIB, nothing of it in tables (memtables are of
 * 1 GiB, by a test option, and no flush comes to its end), and kills itself. Then the store is
 * opened with MEMORY_MIB, 0 for the default; every entry that was written is there. Prints one
 * line.
 */
#include "peat.h"
#include "peat_env.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VALUE_MAX ((size_t)65536)

static uint8_t value[VALUE_MAX];

static void must(peat_rc rc, const char *what)
{
    if (rc == PEAT_OK)
        return;
    (void)fprintf(stderr, "recovery: %s: %s\n", what, peat_rc_name(rc));
    exit(2);
}

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* In no order. */
static peat_slice key_of(uint64_t i, char key[17])
{
    (void)snprintf(key, 17, "%016" PRIx64, i * 0x9e3779b97f4a7c15);
    return peat_bytes(key, 16);
}

static peat_statistics stats_of(peat_db *db)
{
    peat_statistics s = PEAT_INIT(peat_statistics);
    must(peat_stats(db, &s), "stats");
    return s;
}

#define TABLE_WRITE_BYTES ((size_t)200 << 10)

static pthread_t writer;

/* A table that the background begins never comes about: it writes large pieces, the log none. */
static int write_no_table(void *ctx, peat_env_file *file, uint64_t offset, const void *p, size_t n)
{
    while (n >= TABLE_WRITE_BYTES && !pthread_equal(pthread_self(), writer))
        (void)pause();
    const peat_env *real = peat_env_default();
    (void)ctx;
    return real->file_write(real->ctx, file, offset, p, n);
}

static void write_log(const char *dir, uint64_t log_bytes, size_t size, uint64_t *written)
{
    peat_env env = *peat_env_default();
    env.file_write = write_no_table;
    peat_host host = {.size = sizeof host, .env = &env};
    peat_test_options test = {.size = sizeof test, .memtable_bytes = (size_t)1 << 30};
    peat_options options = {.size = sizeof options,
                            .memory_bytes = (size_t)4 << 30,
                            .threads = 1,
                            .host = &host,
                            .test = &test};
    peat_db *db = NULL;
    char key[17];
    writer = pthread_self();
    must(peat_open(dir, &options, &db, NULL), "open");
    uint64_t n = 0;
    while (n % 4096 != 0 || stats_of(db).log_bytes_written < log_bytes) {
        memcpy(value, &n, sizeof n);
        must(peat_put(db, NULL, key_of(n++, key), peat_bytes(value, size)), "put");
    }
    if (stats_of(db).flushes != 0)
        must(PEAT_BUDGET, "a log without tables");
    *written = n;
    (void)raise(SIGKILL);
}

static uint64_t resident_most_kib(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    unsigned long long kib = 0;
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "VmHWM: %llu", &kib) == 1)
            break;
    if (f != NULL)
        (void)fclose(f);
    return kib;
}

static void expect_all(peat_db *db, uint64_t written)
{
    char key[17];
    peat_buf buf = PEAT_BUF_INIT;
    for (uint64_t i = 0; i < written; i += i + 101 < written ? 101 : 1) {
        must(peat_get(db, NULL, key_of(i, key), &buf), "get");
        if (memcmp(buf.data, &i, sizeof i) != 0)
            must(PEAT_CORRUPT, "value");
    }
    peat_buf_free(&buf);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        (void)fprintf(stderr, "usage: recovery DIR LOG_MIB VALUE_BYTES MEMORY_MIB\n");
        return 2;
    }
    size_t size = strtoull(argv[3], NULL, 10);
    peat_options options = {.size = sizeof options,
                            .memory_bytes = (size_t)strtoull(argv[4], NULL, 10) << 20};
    uint64_t *written = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (written == MAP_FAILED || size < sizeof *written || size > VALUE_MAX)
        return 2;
    for (size_t i = 0; i < VALUE_MAX; i++)
        value[i] = (uint8_t)(i * i >> 3);
    pid_t child = fork();
    if (child == 0)
        write_log(argv[1], strtoull(argv[2], NULL, 10) << 20, size, written);
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFSIGNALED(status))
        return 2;
    peat_db *db = NULL;
    double begun = now_s();
    must(peat_open(argv[1], &options, &db, NULL), "open again");
    double took = now_s() - begun;
    peat_statistics s = stats_of(db);
    uint64_t most = resident_most_kib();
    expect_all(db, *written);
    (void)printf("log of %s MiB, %" PRIu64 " entries of %zu bytes, memory %s MiB: open %.2f s, "
                 "%" PRIu64 " flushes, resident at most %.1f MiB\n",
                 argv[2], *written, size, strcmp(argv[4], "0") == 0 ? "256 (default)" : argv[4],
                 took, s.flushes, (double)most / 1024);
    return peat_close(db) != PEAT_OK;
}
