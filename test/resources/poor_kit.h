/* SPDX-License-Identifier: MIT */
/* poor_kit.h - a directory for each test, children that must end, and a store of tiny sizes that is
 * written, read and judged. Included by one .c file of a program. */
#ifndef TEST_RESOURCES_POOR_KIT_H
#define TEST_RESOURCES_POOR_KIT_H

#include "peat_env.h"
#include "world/sanitizer.h"
#include "world/settings.h"
#include "world/temp_dir.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORDS       TEST_SAMPLE(20000u, 20000u, 6000u)
#define STUCK_SECONDS 900u /* a child that takes longer hangs; a busy disk takes minutes */

static uint64_t trials;

#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                          \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* ---- a directory, a child ---- */

typedef void (*child_fn)(const char *dir, uint64_t arg);

static inline pid_t begin_child(child_fn fn, const char *dir, uint64_t arg)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(STUCK_SECONDS);
        fn(dir, arg);
        _exit(0);
    }
    assert_true(pid > 0);
    return pid;
}

static inline void end_child(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        fail_msg("stuck");
    assert_int_equal(status, 0);
    trials++;
}

static inline void run_child(child_fn fn, const char *dir, uint64_t arg)
{
    end_child(begin_child(fn, dir, arg));
}

/* ---- a day in the life of a store ---- */

static inline peat_options small_options(const peat_host *host, const peat_test_options *test,
                                         int threads)
{
    return (peat_options){.size = sizeof(peat_options),
                          .threads = threads,
                          .memory_bytes = (size_t)8 << 20,
                          .host = host,
                          .test = test};
}

static const peat_test_options small_sizes = {.size = sizeof small_sizes,
                                              .memtable_bytes = 64 << 10,
                                              .partition_bytes = 64 << 10,
                                              .table_bytes = 16 << 10,
                                              .segment_bytes = 32 << 10};

static inline size_t key_of(uint64_t i, char key[32])
{
    return (size_t)snprintf(key, 32, "%08" PRIx64, i * 2654435761u % 4294967296u);
}

static inline void read_all(peat_db *db, uint64_t version)
{
    peat_iter *it = NULL;
    peat_buf buf = PEAT_BUF_INIT;
    uint64_t n = 0;
    CHECK(peat_iter_open(db, NULL, &it) == PEAT_OK);
    while (peat_iter_next(it) == PEAT_OK) {
        CHECK(peat_iter_value(it).size == 100 &&
              *(const uint8_t *)peat_iter_value(it).data == version);
        n++;
    }
    peat_iter_close(it);
    CHECK(n == RECORDS);
    for (uint64_t i = 0; i < RECORDS; i += 37) {
        char key[32];
        CHECK(peat_get(db, NULL, peat_bytes(key, key_of(i, key)), &buf) == PEAT_OK);
        CHECK(buf.size == 100 && *(const uint8_t *)buf.data == version);
    }
    peat_buf_free(&buf);
}

static inline void live(const char *dir, const peat_options *o)
{
    peat_error e;
    peat_db *db = NULL;
    uint8_t value[100];
    for (uint64_t version = 1; version <= 2; version++) {
        if (peat_open(dir, o, &db, &e) != PEAT_OK) {
            (void)fprintf(stderr, "%s\n", e.message);
            _exit(1);
        }
        memset(value, (int)version, sizeof value);
        for (uint64_t i = 0; i < RECORDS; i++) {
            char key[32];
            peat_write_options w = {.size = sizeof w, .sync = i % 1000 == 0};
            if (peat_put(db, &w, peat_bytes(key, key_of(i, key)), peat_bytes(value, 100)) !=
                PEAT_OK) {
                (void)peat_call_error(db, &e);
                (void)fprintf(stderr, "put %" PRIu64 ": %s\n", i, e.message);
                _exit(1);
            }
        }
        read_all(db, version);
        if (version == 2)
            CHECK(peat_settle(db, PEAT_WAIT_FOREVER) == PEAT_OK);
        read_all(db, version);
        CHECK(peat_check(db, NULL, NULL) == PEAT_OK);
        CHECK(peat_close(db) == PEAT_OK);
    }
}

/* What main returns; a campaign ends with a proof's last line. */
static inline int run_poor(bool campaign)
{
    int failed = test_run_all();
    if (campaign)
        (void)printf("%" PRIu64 " trials, %d violations\n", trials, failed);
    return failed;
}

#endif
