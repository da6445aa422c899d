/* SPDX-License-Identifier: MIT */
/* proc.c - reading /proc and walking the store's folder. */
#include "proc.h"
#include "clock.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static uint64_t field(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

static void slurp(const char *path, char *buf, size_t buf_size)
{
    size_t got = 0;
    FILE *f = fopen(path, "r");
    if (f) {
        got = fread(buf, 1, buf_size - 1, f);
        fclose(f);
    }
    buf[got] = '\0';
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

void pb_usage_read(pb_usage *ret_usage)
{
    char text[1024];
    struct rusage ru;
    slurp("/proc/self/io", text, sizeof text);
    getrusage(RUSAGE_SELF, &ru);
    ret_usage->user_s = seconds(ru.ru_utime);
    ret_usage->sys_s = seconds(ru.ru_stime);
    ret_usage->submitted_bytes = field(text, "wchar:");
    ret_usage->dirtied_bytes = field(text, "\nwrite_bytes:");
    ret_usage->read_bytes = field(text, "\nread_bytes:");
}

void pb_memory_read(pb_memory *ret_memory)
{
    char text[4096];
    slurp("/proc/self/status", text, sizeof text);
    ret_memory->anon_bytes = field(text, "RssAnon:") * 1024;
    ret_memory->file_bytes = (field(text, "RssFile:") + field(text, "RssShmem:")) * 1024;
    ret_memory->peak_bytes = field(text, "VmHWM:") * 1024;
}

/* nftw has no room for a context: the sum of the walk in progress. Only the main thread walks. */
static uint64_t walk_bytes;

static int add_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)path, (void)ftw;
    if (type == FTW_F)
        walk_bytes += (uint64_t)st->st_blocks * 512;
    return 0;
}

uint64_t pb_disk_bytes(const char *dir)
{
    walk_bytes = 0;
    (void)nftw(dir, add_file, 16, FTW_PHYS); /* a file that vanishes meanwhile counts as nothing */
    return walk_bytes;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

int pb_remove_tree(const char *dir)
{
    if (access(dir, F_OK) != 0)
        return 0;
    return nftw(dir, remove_entry, 16, FTW_PHYS | FTW_DEPTH);
}

int pb_make_dirs(const char *dir)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s", dir) >= (int)sizeof path)
        return -1;
    for (char *p = path + 1; *p; p++)
        if (*p == '/') {
            *p = '\0';
            if (mkdir(path, 0777) != 0 && errno != EEXIST)
                return -1;
            *p = '/';
        }
    return mkdir(path, 0777) != 0 && errno != EEXIST ? -1 : 0;
}

bool pb_wait_quiet(unsigned quiet_ms, unsigned timeout_s)
{
    uint64_t deadline = pb_now_ns() + (uint64_t)timeout_s * 1000000000u;
    struct timespec pause = {quiet_ms / 1000, (long)(quiet_ms % 1000) * 1000000};
    pb_usage before, after;
    do {
        pb_usage_read(&before);
        nanosleep(&pause, NULL);
        pb_usage_read(&after);
        double cpu = after.user_s + after.sys_s - before.user_s - before.sys_s;
        if (after.submitted_bytes == before.submitted_bytes && cpu < quiet_ms * 1e-5)
            return true;
    } while (pb_now_ns() < deadline);
    return false;
}
