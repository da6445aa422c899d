/* SPDX-License-Identifier: MIT */
/*
 * test_poor_system.c - the real operating system, with little in it: 16 descriptors, no fallocate,
 * no huge pages, no advice, a clock that jumps. Slower is fine, wrong and stuck are not.
 *
 *   test_poor_system --campaign      five times
 *
 * ctest: timeout=1000
 */
#include "resources/poor_kit.h"

static uint64_t rounds;

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

TEST_IN_DIR(sixteen_descriptors_are_enough)
{
    char dir[128];
    for (uint64_t i = 0; i < rounds; i++)
        for (uint64_t threads = 1; threads <= 4; threads += 3) {
            (void)snprintf(dir, sizeof dir, "%s/fd%" PRIu64 "-%" PRIu64, root, i, threads);
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

static void live_plainly(const char *dir, uint64_t threads)
{
    peat_env env = *peat_env_default();
    env.map = plain_map;
    env.unmap = plain_unmap;
    env.file_allocate = no_allocate;
    env.file_advise = no_advice;
    env.file_store = NULL;
    env.fork_mark = NULL;
    peat_host host = {.size = sizeof host, .env = &env};
    peat_options o = small_options(&host, &small_sizes, (int)threads);
    live(dir, &o);
}

TEST_IN_DIR(no_fallocate_no_huge_pages_no_advice)
{
    char dir[128];
    for (uint64_t i = 0; i < rounds; i++) {
        (void)snprintf(dir, sizeof dir, "%s/plain%" PRIu64, root, i);
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

TEST_IN_DIR(clocks_may_jump)
{
    char dir[128];
    for (uint64_t i = 0; i < rounds; i++)
        for (int threads = -1; threads <= 2; threads += 3) {
            (void)snprintf(dir, sizeof dir, "%s/clock%" PRIu64 "-%d", root, i, threads + 1);
            run_child(live_in_jumps, dir, (uint64_t)(int64_t)threads);
        }
}

int main(int argc, char **argv)
{
    bool campaign = test_is_campaign(argc, argv);
    rounds = campaign ? 5 : 1;
    return run_poor(campaign);
}
