/* SPDX-License-Identifier: MIT */
/*
 * env_posix_memory.c - mappings, and how much memory there is for this process.
 *
 * A mapping that is large enough lies on huge pages, but for its first and its last 2 MiB: what
 * uses mappings fills them from the ends, and a huge page is resident whole as soon as a byte of it
 * is touched. So a store of a few kilobytes holds some pages of 4 KiB.
 *
 * The limit is the least of the machine's memory, of the process's own limits on its address space
 * and data, which mappings count against before they are touched, and of the cgroups this process
 * is in, each of which counts with all groups above it: version 2, version 1, or both side by side.
 * What cannot be read limits nothing.
 */
#include "env/env_posix_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* x86-64 and arm64 with 4 KiB pages */
#define HUGE_PAGE_BYTES ((size_t)2 << 20)

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- mappings ---- */

static void *map_pages(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* All of this is advice. Where huge pages are given without being asked for, the ends refuse. */
static void advise(char *p, size_t size)
{
    size_t last = (size - 1) & ~(HUGE_PAGE_BYTES - 1); /* where the last one begins */
    (void)madvise(p, HUGE_PAGE_BYTES, MADV_NOHUGEPAGE);
    if (last > HUGE_PAGE_BYTES)
        (void)madvise(p + HUGE_PAGE_BYTES, last - HUGE_PAGE_BYTES, MADV_HUGEPAGE);
    if (last != 0)
        (void)madvise(p + last, size - last, MADV_NOHUGEPAGE);
}

/* A huge page needs its alignment: map one more, give back both ends. */
static void *map_huge(size_t size)
{
    char *wide = map_pages(size + HUGE_PAGE_BYTES);
    if (wide == NULL)
        return NULL;
    size_t before = pt_round_up((uintptr_t)wide, HUGE_PAGE_BYTES) - (uintptr_t)wide;
    size_t after = HUGE_PAGE_BYTES - before;
    if (before != 0)
        (void)munmap(wide, before); /* if it stays, it costs address space only */
    if (after != 0)
        (void)munmap(wide + before + size, after);
    advise(wide + before, size);
    return wide + before;
}

void *pt_posix_map(void *ctx, size_t size)
{
    (void)ctx;
    PT_DCHECK(size > 0, "nobody asks for no memory");
    if (size > SIZE_MAX - 2 * HUGE_PAGE_BYTES)
        return NULL;
    size_t whole = pt_round_up(size, page_bytes());
    void *p = whole >= HUGE_PAGE_BYTES ? map_huge(whole) : NULL;
    return p != NULL ? p : map_pages(whole);
}

void pt_posix_unmap(void *ctx, void *p, size_t size)
{
    (void)ctx;
    if (p != NULL)
        (void)munmap(p, pt_round_up(size, page_bytes())); /* fails for a bad argument only */
}

void pt_posix_unneeded(void *ctx, void *p, size_t size)
{
    (void)ctx;
    uintptr_t begin = pt_round_up((uintptr_t)p, page_bytes());
    uintptr_t end = ((uintptr_t)p + size) & ~(uintptr_t)(page_bytes() - 1);
    if (begin < end) /* locked pages stay, and what they hold */
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}

/* As linux/mman.h since 5.14 has it; C libraries before that do not. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

void pt_posix_needed(void *ctx, void *p, size_t size)
{
    (void)ctx;
    uintptr_t begin = (uintptr_t)p & ~(uintptr_t)(page_bytes() - 1);
    size_t whole = pt_round_up((uintptr_t)p + size, page_bytes()) - begin;
    (void)madvise((void *)begin, whole, MADV_POPULATE_WRITE); /* refused: by who touches it */
}

/* ---- the limit ---- */

#define TEXT_BYTES 4096u

/* The file as a string, cut when it is longer. False: there is none. */
static bool read_text(const char *path, char text[TEXT_BYTES])
{
    int fd;
    size_t n = 0;
    if (pt_posix_open_at(AT_FDCWD, path, O_RDONLY, &fd) != 0)
        return false;
    for (ssize_t got = 1; got > 0 && n < TEXT_BYTES - 1;) {
        got = read(fd, text + n, TEXT_BYTES - 1 - n);
        if (got > 0)
            n += (size_t)got;
        else if (got < 0 && errno == EINTR)
            got = 1;
    }
    (void)close(fd); /* read only */
    text[n] = '\0';
    return true;
}

/* UINT64_MAX where there is no number, as in "max". */
static uint64_t limit_of_file(const char *root, const char *group, const char *file)
{
    char path[2 * TEXT_BYTES], text[TEXT_BYTES];
    char *end = NULL;
    int n = snprintf(path, sizeof path, "%s%s/%s", root, group, file);
    if (n < 0 || (size_t)n >= sizeof path || !read_text(path, text))
        return UINT64_MAX;
    unsigned long long limit = strtoull(text, &end, 10);
    return end == text || limit == 0 ? UINT64_MAX : (uint64_t)limit;
}

/* Of the group and those above it. In a container the path may begin above what is mounted: then
 * nothing is found until the walk comes to the root, which is the container's own group. */
static uint64_t limit_of_group(const char *root, char *io_group, const char *file)
{
    uint64_t limit = UINT64_MAX;
    for (;;) {
        limit = pt_min_u64(limit, limit_of_file(root, io_group, file));
        char *slash = strrchr(io_group, '/');
        if (slash == NULL)
            return limit;
        *slash = '\0';
    }
}

/* One line of /proc/self/cgroup: id, controllers (none: version 2), path. */
static uint64_t limit_of_line(const char *root, char *line)
{
    char mount[TEXT_BYTES];
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL)
        return UINT64_MAX;
    *group++ = '\0';
    controllers++;
    if (*controllers == '\0') {
        char again[TEXT_BYTES];
        (void)snprintf(again, sizeof again, "%s", group);
        (void)snprintf(mount, sizeof mount, "%s/unified", root); /* beside version 1 */
        uint64_t limit = limit_of_group(root, group, "memory.max");
        return pt_min_u64(limit, limit_of_group(mount, again, "memory.max"));
    }
    for (char *rest = NULL, *name = strtok_r(controllers, ",", &rest); name != NULL;
         name = strtok_r(NULL, ",", &rest))
        if (strcmp(name, "memory") == 0) {
            (void)snprintf(mount, sizeof mount, "%s/memory", root);
            return limit_of_group(mount, group, "memory.limit_in_bytes");
        }
    return UINT64_MAX;
}

uint64_t pt_posix_cgroup_limit(const char *groups_file, const char *root)
{
    char text[TEXT_BYTES];
    uint64_t limit = UINT64_MAX;
    if (!read_text(groups_file, text))
        return limit;
    for (char *rest = NULL, *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        limit = pt_min_u64(limit, limit_of_line(root, line));
    return limit;
}

/* The least of what it may map and what it may have as data. */
static uint64_t limit_of_process(void)
{
    struct rlimit r;
    uint64_t limit = UINT64_MAX;
    if (getrlimit(RLIMIT_AS, &r) == 0 && r.rlim_cur != RLIM_INFINITY)
        limit = (uint64_t)r.rlim_cur;
    if (getrlimit(RLIMIT_DATA, &r) == 0 && r.rlim_cur != RLIM_INFINITY)
        limit = pt_min_u64(limit, (uint64_t)r.rlim_cur);
    return limit;
}

uint64_t pt_posix_memory_limit(void *ctx)
{
    (void)ctx;
    long pages = sysconf(_SC_PHYS_PAGES);
    uint64_t machine = pages > 0 ? (uint64_t)pages * page_bytes() : UINT64_MAX;
    uint64_t groups = pt_posix_cgroup_limit("/proc/self/cgroup", "/sys/fs/cgroup");
    uint64_t limit = pt_min_u64(machine, pt_min_u64(limit_of_process(), groups));
    return limit == UINT64_MAX ? 0 : limit;
}
