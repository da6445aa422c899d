/* SPDX-License-Identifier: MIT */
/* test_posix_memory.c - memory, threads and clocks of the real environment. */
#include "env/posix_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

#define MIB ((size_t)1 << 20)

static bool is_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != 0)
            return false;
    return true;
}

TEST_F(mappings_are_zeroed_aligned_and_reach_their_end)
{
    static const size_t sizes[] = {1, 4096, 4097, 2 * MIB - 1, 2 * MIB, 2 * MIB + 1, 9 * MIB + 777};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *p = f->env->map(f->env->ctx, sizes[i]);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 4096, 0);
        if (sizes[i] >= 2 * MIB)
            assert_int_equal((uintptr_t)p % (2 * MIB), 0);
        assert_true(is_zero(p, sizes[i]));
        memset(p, 7, sizes[i]);
        f->env->unmap(f->env->ctx, p, sizes[i]);
    }
    f->env->unmap(f->env->ctx, NULL, 10);
}

static size_t mapped_bytes(void)
{
    size_t pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%zu", &pages), 1);
    (void)fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Both ends of the over-wide mapping and the mapping itself are given back. */
TEST_F(nothing_stays_mapped)
{
    unsigned char in_core[1];
    size_t before = mapped_bytes();
    for (int i = 0; i < 20; i++) {
        size_t size = 3 * MIB + 4096 * (size_t)i;
        char *p = f->env->map(f->env->ctx, size);
        assert_non_null(p);
        assert_int_equal(mincore(p, 4096, in_core), 0);
        f->env->unmap(f->env->ctx, p, size);
        assert_int_equal(mincore(p, 4096, in_core), -1);
        assert_int_equal(mincore(p + size - 4096, 4096, in_core), -1);
    }
    assert_in_range(mapped_bytes(), 0, before + MIB); /* 20 forgotten ends would be far more */
    assert_null(f->env->map(f->env->ctx, SIZE_MAX));
    assert_null(f->env->map(f->env->ctx, SIZE_MAX / 2));
}

TEST_F(allocations_keep_their_bytes_when_resized)
{
    char *p = f->env->resize(f->env->ctx, NULL, 6);
    assert_non_null(p);
    memcpy(p, "hello", 6);
    p = f->env->resize(f->env->ctx, p, 100000);
    assert_non_null(p);
    assert_string_equal(p, "hello");
    f->env->release(f->env->ctx, p);
    f->env->release(f->env->ctx, NULL);
    p = f->env->alloc(f->env->ctx, 1);
    assert_non_null(p);
    f->env->release(f->env->ctx, p);
}

typedef struct thread_report {
    sigset_t blocked;
    pthread_t self;
} thread_report;

static void report(void *arg)
{
    thread_report *r = arg;
    (void)pthread_sigmask(SIG_BLOCK, NULL, &r->blocked);
    r->self = pthread_self();
}

TEST_F(threads_run_elsewhere_and_leave_signals_to_the_program)
{
    peat_env_thread *thread = NULL;
    thread_report r;
    sigset_t before, after;
    memset(&r, 0, sizeof r);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &before);
    assert_int_equal(f->env->thread_start(f->env->ctx, report, &r, &thread), 0);
    f->env->thread_join(f->env->ctx, thread);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &after);
    assert_false(pthread_equal(r.self, pthread_self()));
    static const int signals[] = {SIGINT, SIGTERM, SIGALRM, SIGCHLD, SIGUSR1};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        assert_true(sigismember(&r.blocked, signals[i]));
        assert_int_equal(sigismember(&after, signals[i]), sigismember(&before, signals[i]));
    }
    f->env->thread_join(f->env->ctx, NULL);
}

static uint64_t system_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

TEST_F(clocks_and_pid_are_the_systems)
{
    struct timespec t;
    uint64_t last = f->env->now_ns(f->env->ctx);
    for (int i = 0; i < 1000; i++) {
        uint64_t now = f->env->now_ns(f->env->ctx);
        assert_true(now >= last);
        last = now;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    assert_true(last <= (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec);
    uint64_t before = system_ms(), wall = f->env->wall_ms(f->env->ctx);
    assert_in_range(wall, before, system_ms());
    assert_int_equal(f->env->pid(f->env->ctx), getpid());
}
