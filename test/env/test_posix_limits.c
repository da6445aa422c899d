/* SPDX-License-Identifier: MIT */
/*
 * test_posix_limits.c - how much memory there is: the files of cgroups of both versions, in a tree
 * that the test makes; and mappings that hold what was touched and no more.
 */
#include "env/env_posix_parts.h"
#include "world/temp_dir.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)

static void put_file(const char *root, const char *name, const char *text)
{
    char path[512], command[600];
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    (void)snprintf(command, sizeof command, "mkdir -p '%s'", path);
    assert_int_equal(system(command), 0);
    *slash = '/';
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static uint64_t limit_with(const char *root, const char *groups)
{
    char path[512];
    put_file(root, "groups", groups);
    (void)snprintf(path, sizeof path, "%s/groups", root);
    return pt_posix_cgroup_limit(path, root);
}

TEST_IN_DIR(version_2_counts_with_all_groups_above)
{
    assert_true(limit_with(root, "0::/a/b/c\n") == UINT64_MAX);
    put_file(root, "a/b/c/memory.max", "max\n");
    assert_true(limit_with(root, "0::/a/b/c\n") == UINT64_MAX);
    put_file(root, "a/memory.max", "536870912\n");
    assert_true(limit_with(root, "0::/a/b/c\n") == 512 * MIB);
    put_file(root, "a/b/c/memory.max", "268435456\n");
    assert_true(limit_with(root, "0::/a/b/c\n") == 256 * MIB);
    assert_true(limit_with(root, "0::/a\n") == 512 * MIB);
    assert_true(limit_with(root, "0::/\n") == UINT64_MAX);
    put_file(root, "memory.max", "104857600\n"); /* a container sees its own group as the root */
    assert_true(limit_with(root, "0::/\n") == 100 * MIB);
    assert_true(limit_with(root, "0::/not/mounted/here\n") == 100 * MIB);
}

TEST_IN_DIR(version_1_is_below_its_controller)
{
    const char *groups = "12:cpuset:/\n5:memory,hugetlb:/jobs/7\n1:name=systemd:/init.scope\n";
    put_file(root, "memory/jobs/7/memory.limit_in_bytes", "314572800\n");
    put_file(root, "memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_true(limit_with(root, groups) == 300 * MIB);
    put_file(root, "memory/jobs/memory.limit_in_bytes", "209715200\n");
    assert_true(limit_with(root, groups) == 200 * MIB);
    /* both at once */
    put_file(root, "unified/x/memory.max", "62914560\n");
    assert_true(limit_with(root, "5:memory:/jobs/7\n0::/x\n") == 60 * MIB);
}

TEST_IN_DIR(what_is_no_list_of_groups_limits_nothing)
{
    static const char *const texts[] = {
        "", "\n", ":", "::", "0:", "0::", "0:memory", "x:memory:", "5:memory:/", "0::../../.."};
    put_file(root, "memory.max", "-\n");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_true(limit_with(root, texts[i]) == UINT64_MAX);
    put_file(root, "memory.max", "0\n");
    assert_true(limit_with(root, "0::/\n") == UINT64_MAX);
    assert_true(pt_posix_cgroup_limit("/there/is/no/such/file", root) == UINT64_MAX);
    char *deep = malloc(6000); /* longer than a path may be: cut, and not found */
    memset(deep, 'd', 6000);
    memcpy(deep, "0::/", 4);
    deep[5999] = '\0';
    assert_true(limit_with(root, deep) == UINT64_MAX);
    free(deep);
}

TEST(this_machine_has_memory)
{
    const peat_env *env = peat_env_default();
    uint64_t limit = env->memory_limit(env->ctx);
    assert_true(limit > 16 * MIB);
    assert_true(limit <= (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
}

TEST(a_limit_of_the_process_is_a_limit_of_its_memory)
{
    const peat_env *env = peat_env_default();
    uint64_t before = env->memory_limit(env->ctx);
    for (int data = 0; data < 2; data++) {
        struct rlimit was, less;
        assert_int_equal(data ? getrlimit(RLIMIT_DATA, &was) : getrlimit(RLIMIT_AS, &was), 0);
        less = (struct rlimit){before / 2, was.rlim_max};
        assert_int_equal(data ? setrlimit(RLIMIT_DATA, &less) : setrlimit(RLIMIT_AS, &less), 0);
        uint64_t limit = env->memory_limit(env->ctx);
        assert_int_equal(data ? setrlimit(RLIMIT_DATA, &was) : setrlimit(RLIMIT_AS, &was), 0);
        assert_true(limit == before / 2);
    }
    assert_true(env->memory_limit(env->ctx) == before);
}

static size_t resident(char *p, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = size / page, pages = 0;
    unsigned char *there = malloc(n);
    assert_int_equal(mincore(p, size, there), 0);
    for (size_t i = 0; i < n; i++)
        pages += there[i] & 1;
    free(there);
    return pages * page;
}

TEST(the_ends_of_a_mapping_are_small_pages)
{
    const peat_env *env = peat_env_default();
    static const size_t mib[] = {2, 3, 4, 5, 6, 16};
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < sizeof mib / sizeof *mib; i++) {
        size_t size = mib[i] * MIB;
        char *p = env->map(env->ctx, size);
        p[0] = p[size - 1] = 1;
        assert_true(resident(p, size) <= 2 * page);
        memset(p, 7, size);
        assert_true(resident(p, size) == size);
        env->unneeded(env->ctx, p + 1, size - 2); /* whole pages inside */
        assert_true(resident(p, size) <= 2 * page);
        assert_true(p[0] == 7 && p[size - 1] == 7 && p[size / 2] == 0);
        env->unneeded(env->ctx, p + 1, 10);
        assert_true(p[0] == 7);
        env->unmap(env->ctx, p, size);
    }
}
