/* SPDX-License-Identifier: MIT */
/*
 * test_poor_system.c - the real operating system, with little in it: 16 descriptors, no fallocate,
 * no huge pages, no advice, a clock that jumps, another process at the same door, and things in
 * the directory that no store puts there. Slower is fine, wrong and stuck are not.
 *
 *   N=20000 test_poor_system --campaign      so many openings in the race of two processes, the
 * rest a hundred times
 *
 * ctest: timeout=240
 */
#include "peat.h"
#include "peat_env.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define RECORDS       20000u
#define STUCK_SECONDS 200u /* a child that takes longer hangs */

static uint64_t trials, openings = 400, rounds = 1;

#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                          \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* ---- a directory, a child ---- */

static int set_up(void **state)
{
    char path[] = "/tmp/peat-poor-XXXXXX";
    *state = mkdtemp(path) != NULL ? strdup(path) : NULL;
    return *state != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", (const char *)*state);
    free(*state);
    return system(command);
}

typedef void (*child_fn)(const char *dir, uint64_t arg);

static pid_t begin_child(child_fn fn, const char *dir, uint64_t arg)
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

static void end_child(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        fail_msg("stuck");
    assert_int_equal(status, 0);
    trials++;
}

static void run_child(child_fn fn, const char *dir, uint64_t arg)
{
    end_child(begin_child(fn, dir, arg));
}

/* ---- a day in the life of a store ---- */

static peat_options small_options(const peat_host *host, const peat_test_options *test, int threads)
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

static size_t key_of(uint64_t i, char key[32])
{
    return (size_t)snprintf(key, 32, "%08" PRIx64, i * 2654435761u % 4294967296u);
}

static void read_all(peat_db *db, uint64_t version)
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

static void live(const char *dir, const peat_options *o)
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
            CHECK(peat_put(db, &w, peat_bytes(key, key_of(i, key)), peat_bytes(value, 100)) ==
                  PEAT_OK);
        }
        read_all(db, version);
        if (version == 2)
            CHECK(peat_settle(db, PEAT_WAIT_FOREVER) == PEAT_OK);
        read_all(db, version);
        CHECK(peat_check(db, NULL, NULL) == PEAT_OK);
        CHECK(peat_close(db) == PEAT_OK);
    }
}

/* ---- 16 descriptors ---- */

static void live_with_few_descriptors(const char *dir, uint64_t threads)
{
    const struct rlimit few = {.rlim_cur = 16, .rlim_max = 16};
    for (int fd = 3; fd < 1024; fd++)
        (void)close(fd);
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    peat_options o = small_options(NULL, &small_sizes, (int)threads);
    live(dir, &o);
}

static void sixteen_descriptors_are_enough(void **state)
{
    char dir[128];
    for (uint64_t i = 0; i < rounds; i++)
        for (uint64_t threads = 1; threads <= 4; threads += 3) {
            (void)snprintf(dir, sizeof dir, "%s/fd%" PRIu64 "-%" PRIu64, (char *)*state, i,
                           threads);
            run_child(live_with_few_descriptors, dir, threads);
        }
}

/* ---- a system without anything that is not needed ---- */

static int no_allocate(void *ctx, peat_env_file *file, uint64_t offset, uint64_t n)
{
    (void)ctx, (void)file, (void)offset, (void)n;
    return EOPNOTSUPP;
}

static int no_advice(void *ctx, peat_env_file *file, uint64_t offset, uint64_t n, int advice)
{
    (void)ctx, (void)file, (void)offset, (void)n, (void)advice;
    return ENOSYS;
}

static void *plain_map(void *ctx, size_t size)
{
    (void)ctx;
    void *p = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
    return p != NULL ? memset(p, 0, size) : NULL;
}

static void plain_unmap(void *ctx, void *p, size_t size)
{
    (void)ctx, (void)size;
    free(p);
}

static void plain_discard(void *ctx, void *p, size_t size)
{
    (void)ctx;
    memset(p, 0, size);
}

static void live_plainly(const char *dir, uint64_t threads)
{
    peat_env env = *peat_env_default();
    env.map = plain_map;
    env.unmap = plain_unmap;
    env.map_discard = plain_discard;
    env.file_allocate = no_allocate;
    env.file_advise = no_advice;
    env.file_store = NULL;
    env.fork_mark = NULL;
    peat_host host = {.size = sizeof host, .env = &env};
    peat_options o = small_options(&host, &small_sizes, (int)threads);
    live(dir, &o);
}

static void no_fallocate_no_huge_pages_no_advice(void **state)
{
    char dir[128];
    for (uint64_t i = 0; i < rounds; i++) {
        (void)snprintf(dir, sizeof dir, "%s/plain%" PRIu64, (char *)*state, i);
        run_child(live_plainly, dir, 2);
    }
}

/* ---- clocks ---- */

static _Atomic uint64_t clock_calls, clock_ahead;

/* Monotonic it is, as the environment promises; but it leaps by hours, as after a sleep. */
static uint64_t leaping_now(void *ctx)
{
    if (atomic_fetch_add(&clock_calls, 1) % 97 == 0)
        atomic_fetch_add(&clock_ahead, UINT64_C(3600000000000));
    return peat_env_default()->now_ns(ctx) + atomic_load(&clock_ahead);
}

/* Forward by centuries, back before 1970. */
static uint64_t jumping_wall(void *ctx)
{
    static const uint64_t times[] = {0, 1, UINT64_C(1) << 42, 5, UINT64_MAX / 2, 1700000000000};
    (void)ctx;
    return times[atomic_fetch_add(&clock_calls, 1) % 6];
}

static void live_in_jumps(const char *dir, uint64_t threads)
{
    peat_env env = *peat_env_default();
    env.now_ns = leaping_now;
    env.wall_ms = jumping_wall;
    peat_host host = {.size = sizeof host, .env = &env};
    peat_options o = small_options(&host, &small_sizes, (int)threads);
    live(dir, &o);
}

static void clocks_may_jump(void **state)
{
    char dir[128];
    for (uint64_t i = 0; i < rounds; i++)
        for (int threads = -1; threads <= 2; threads += 3) {
            (void)snprintf(dir, sizeof dir, "%s/clock%" PRIu64 "-%d", (char *)*state, i,
                           threads + 1);
            run_child(live_in_jumps, dir, (uint64_t)(int64_t)threads);
        }
}

/* ---- two processes at one door ---- */

/* Whoever is in adds one to a number, which nobody can do beside another. */
static void race(const char *dir, uint64_t count)
{
    peat_options o = small_options(NULL, NULL, PEAT_THREADS_NONE);
    peat_buf buf = PEAT_BUF_INIT;
    uint64_t done = 0, n;
    while (done < count) {
        peat_error e;
        peat_db *db = NULL;
        peat_rc rc = peat_open(dir, &o, &db, &e);
        if (rc == PEAT_BUSY)
            continue;
        if (rc != PEAT_OK)
            (void)fprintf(stderr, "%s: %s\n", peat_rc_name(rc), e.message);
        CHECK(rc == PEAT_OK);
        rc = peat_get(db, NULL, peat_str("n"), &buf);
        CHECK(rc == PEAT_OK || rc == PEAT_NOT_FOUND);
        n = 0;
        if (rc == PEAT_OK)
            memcpy(&n, buf.data, sizeof n);
        n++;
        CHECK(peat_put(db, NULL, peat_str("n"), peat_bytes(&n, sizeof n)) == PEAT_OK);
        if (done++ % 3 != 0)
            CHECK(peat_close(db) == PEAT_OK);
        else if (fork() == 0) /* one in three ends without a close: its lock goes with it */
            _exit(0);
        else
            CHECK(wait(NULL) > 0 && peat_close(db) == PEAT_OK);
    }
    peat_buf_free(&buf);
}

static void only_one_of_two_processes_gets_in(void **state)
{
    char dir[128];
    (void)snprintf(dir, sizeof dir, "%s/race", (char *)*state);
    pid_t one = begin_child(race, dir, openings / 2), two = begin_child(race, dir, openings / 2);
    end_child(one);
    end_child(two);
    peat_db *db = NULL;
    peat_buf buf = PEAT_BUF_INIT;
    uint64_t n = 0;
    assert_int_equal(peat_open(dir, NULL, &db, NULL), PEAT_OK);
    assert_int_equal(peat_get(db, NULL, peat_str("n"), &buf), PEAT_OK);
    assert_int_equal(buf.size, sizeof n);
    memcpy(&n, buf.data, sizeof n);
    assert_int_equal(n, openings / 2 * 2);
    peat_buf_free(&buf);
    assert_int_equal(peat_close(db), PEAT_OK);
    trials += openings;
}

/* ---- what others put into the directory ---- */

#define OUTSIDE "do not touch"

/* Opens, writes and reads if it opens; ends in any case. */
static void try_to_live(const char *dir, uint64_t read_only)
{
    peat_error e;
    peat_db *db = NULL;
    peat_options o = small_options(NULL, &small_sizes, PEAT_THREADS_NONE);
    o.read_only = read_only != 0;
    peat_rc rc = peat_open(dir, &o, &db, &e);
    if (rc != PEAT_OK) {
        CHECK(e.message[0] != '\0');
        return;
    }
    if (read_only == 0) {
        for (uint64_t i = 0; i < 2000; i++) {
            char key[32];
            rc = peat_put(db, NULL, peat_bytes(key, key_of(i, key)), peat_str(OUTSIDE));
            if (rc != PEAT_OK)
                break;
        }
        (void)!peat_settle(db, PEAT_WAIT_FOREVER);
    }
    (void)!peat_check(db, NULL, NULL);
    (void)!peat_close(db);
}

typedef enum planted { PLANT_LINK, PLANT_DANGLING, PLANT_FIFO, PLANT_DIR, PLANTED } planted;

static void plant(planted what, const char *path, const char *outside)
{
    (void)unlink(path);
    switch (what) {
    case PLANT_LINK:
        assert_int_equal(symlink(outside, path), 0);
        break;
    case PLANT_DANGLING:
        assert_int_equal(symlink("/tmp/peat-poor-nothing-here/x", path), 0);
        break;
    case PLANT_FIFO:
        assert_int_equal(mkfifo(path, 0600), 0);
        break;
    default:
        assert_int_equal(mkdir(path, 0700), 0);
    }
}

static void outside_is_untouched(const char *outside)
{
    char text[64] = "";
    int fd = open(outside, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, text, sizeof text - 1), sizeof OUTSIDE - 1);
    assert_string_equal(text, OUTSIDE);
    (void)close(fd);
}

static void make_outside(const char *outside)
{
    FILE *f = fopen(outside, "w");
    assert_non_null(f);
    assert_true(fputs(OUTSIDE, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void nothing_planted_is_followed(void **state)
{
    static const char *const names[] = {"PEAT",     "LOCK",     "m-000001", "m-000002", "w-000000",
                                        "w-000001", "w-000002", "t-000001", "t-000002", "reserve",
                                        "w-1",      "w-2",      "m-1",      "t-1"};
    char outside[128], dir[128], path[200];
    (void)snprintf(outside, sizeof outside, "%s/outside", (char *)*state);
    make_outside(outside);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (unsigned what = 0; what < PLANTED; what++)
            for (uint64_t old = 0; old < 2; old++) {
                (void)snprintf(dir, sizeof dir, "%s/p%zu-%u-%" PRIu64, (char *)*state, i, what,
                               old);
                if (old != 0)
                    run_child(try_to_live, dir, 0);
                else
                    assert_int_equal(mkdir(dir, 0700), 0);
                (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
                plant((planted)what, path, outside);
                run_child(try_to_live, dir, 1);
                run_child(try_to_live, dir, 0);
                outside_is_untouched(outside);
            }
}

/* Names that look like a store's and are none, and such as break careless programs: they stay. */
static void odd_names_are_left_alone(void **state)
{
    static const char *const names[] = {
        "t-",       "t--1", "t-0x10", "t-99999999999999999999999999",
        "w-1.tmp",  "m-1 ", "t-1\n",  "%s%s%n",
        "\xff\xfe", "-rf",  " ",      "t-1/../x",
        "PEAT.old", "peat", "w-+1",   "t-000001.bak"};
    char dir[128], path[256];
    peat_options o = small_options(NULL, &small_sizes, PEAT_THREADS_NONE);
    (void)snprintf(dir, sizeof dir, "%s/odd", (char *)*state);
    run_child(try_to_live, dir, 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        int fd = open(path, O_CREAT | O_WRONLY, 0600);
        if (fd < 0)
            continue; /* the one that is a path */
        (void)close(fd);
        peat_db *db = NULL;
        assert_int_equal(peat_open(dir, &o, &db, NULL), PEAT_OK);
        assert_int_equal(peat_settle(db, PEAT_WAIT_FOREVER), PEAT_OK);
        assert_int_equal(peat_close(db), PEAT_OK);
        if (access(path, F_OK) != 0)
            fail_msg("\"%s\" was removed", names[i]);
        trials++;
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    bool campaign = argc > 1 && strcmp(argv[1], "--campaign") == 0;
    const char *n = getenv("N");
    if (campaign) {
        openings = n != NULL && *n != '\0' ? strtoull(n, NULL, 10) : 20000;
        rounds = 10;
    }
    const struct CMUnitTest tests[] = {
        TEST(sixteen_descriptors_are_enough),
        TEST(no_fallocate_no_huge_pages_no_advice),
        TEST(clocks_may_jump),
        TEST(only_one_of_two_processes_gets_in),
        TEST(nothing_planted_is_followed),
        TEST(odd_names_are_left_alone),
    };
    int failed = cmocka_run_group_tests_name("poor_system", tests, NULL, NULL);
    if (campaign)
        (void)printf("%" PRIu64 " trials, %d violations; %" PRIu64 " openings in a race\n", trials,
                     failed, openings);
    return failed;
}
