/* SPDX-License-Identifier: MIT */
/* model_dir.c - the folders of stores on a real disk, or in memory that looks like one. */
#include "model/model.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY_DISK "/dev/shm"

static const char *place(bool in_memory)
{
    const char *tmp = getenv("TMPDIR");
    return in_memory && access(MEMORY_DISK, W_OK) == 0 ? MEMORY_DISK : tmp ? tmp : "/tmp";
}

void model_dir_name(bool in_memory, int pid, char *ret_name, size_t capacity)
{
    (void)snprintf(ret_name, capacity, "%.180s/peat-model-%d", place(in_memory), pid);
}

/* Calls `each` for every regular file; false when one call or the listing failed. */
static bool for_files(const char *dir, bool (*each)(int dir_fd, const char *name, int arg), int arg)
{
    DIR *d = opendir(dir);
    bool ok = d != NULL;
    for (const struct dirent *e; ok && (e = readdir(d)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            ok = each(dirfd(d), e->d_name, arg);
    if (d != NULL)
        (void)closedir(d);
    return ok;
}

static bool copy_file(int dir_fd, const char *name, int to_dir)
{
    uint8_t bytes[65536];
    ssize_t n = -1;
    int from = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW);
    int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (from >= 0 && to >= 0)
        while ((n = read(from, bytes, sizeof bytes)) > 0)
            if (write(to, bytes, (size_t)n) != n)
                break;
    (void)close(from);
    (void)close(to);
    return n == 0;
}

bool model_dir_copy(const char *from, const char *to)
{
    int fd = mkdir(to, 0700) == 0 ? open(to, O_RDONLY | O_DIRECTORY) : -1;
    bool ok = fd >= 0 && for_files(from, copy_file, fd);
    (void)close(fd);
    return ok;
}

static bool remove_file(int dir_fd, const char *name, int unused)
{
    (void)unused;
    return unlinkat(dir_fd, name, 0) == 0;
}

void model_dir_remove(const char *dir)
{
    (void)for_files(dir, remove_file, 0);
    (void)rmdir(dir);
}

void model_dir_sweep(int pid)
{
    for (int in_memory = 0; in_memory < 2; in_memory++) {
        char begin[256], path[512];
        DIR *d = opendir(place(in_memory));
        (void)snprintf(begin, sizeof begin, "peat-model-%d-", pid);
        for (const struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
            if (strncmp(e->d_name, begin, strlen(begin)) != 0)
                continue;
            (void)snprintf(path, sizeof path, "%.200s/%s", place(in_memory), e->d_name);
            model_dir_remove(path);
        }
        if (d != NULL)
            (void)closedir(d);
    }
}
