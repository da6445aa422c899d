/* SPDX-License-Identifier: MIT */
/*
 * env_posix_dir.c - directories and the lock of the real operating system.
 *
 * The lock is an open-file-description lock (Linux 3.15): it conflicts between two opens of one
 * process as between processes, and closing some other descriptor of the file does not drop it. A
 * forked child shares the description and so keeps the lock alive until it has closed it too; a
 * child that releases its copy does not take the parent's lock away.
 */
#include "env/env_posix_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct peat_env_lock {
    int fd;
    pid_t owner; /* who took it: only this process gives it back */
};

static int open_dir_at(int dir_fd, const char *path, int *ret_fd)
{
    return pt_posix_open_at(dir_fd, path, O_RDONLY | O_DIRECTORY, ret_fd);
}

static int sync_dir_fd(int fd)
{
    while (fsync(fd) != 0) {
        if (errno == EINVAL || errno == EROFS)
            return 0; /* a file system that has no such sync, or nothing that could be unsynced */
        if (errno != EINTR)
            return errno;
    }
    return 0;
}

/* Through "..", so that links and trailing slashes in the path do not matter. A parent that we may
 * not read is made durable together with its whole file system. */
static int sync_parent(int fd)
{
    int parent = -1;
    int e = open_dir_at(fd, "..", &parent);
    if (e == EACCES || e == EPERM)
        return syncfs(fd) == 0 ? 0 : errno;
    if (e != 0)
        return e;
    e = sync_dir_fd(parent);
    (void)close(parent); /* read only */
    return e;
}

/* The parent is synced even when the directory was there: whoever made it may have been cut off
 * before its own sync. */
int pt_posix_dir_open(void *ctx, const char *path, unsigned flags, peat_env_dir **ret_dir)
{
    (void)ctx;
    bool create = flags & PEAT_ENV_DIR_CREATE;
    peat_env_dir *dir = malloc(sizeof *dir);
    if (dir == NULL)
        return ENOMEM;
    dir->fd = -1;
    /* Only a missing directory is made: on a read-only file system mkdir answers EROFS before it
     * looks whether the name is there. */
    int e = open_dir_at(AT_FDCWD, path, &dir->fd);
    if (e == ENOENT && create) {
        e = mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : errno;
        if (e == 0)
            e = open_dir_at(AT_FDCWD, path, &dir->fd);
    }
    if (e == 0 && create)
        e = sync_parent(dir->fd);
    if (e != 0) {
        pt_posix_dir_close(ctx, dir);
        return e;
    }
    *ret_dir = dir;
    return 0;
}

void pt_posix_dir_close(void *ctx, peat_env_dir *dir)
{
    (void)ctx;
    if (dir == NULL)
        return;
    if (dir->fd >= 0)
        (void)close(dir->fd); /* read only */
    free(dir);
}

int pt_posix_dir_sync(void *ctx, peat_env_dir *dir)
{
    (void)ctx;
    return sync_dir_fd(dir->fd);
}

static int list_one(int dir_fd, const char *name, peat_env_list_fn each, void *arg)
{
    struct stat st;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : errno; /* removed meanwhile */
    bool regular = S_ISREG(st.st_mode);
    return each(arg, name, regular, regular ? (uint64_t)st.st_size : 0);
}

int pt_posix_dir_list(void *ctx, peat_env_dir *dir, peat_env_list_fn each, void *arg)
{
    (void)ctx;
    int fd = -1; /* a description of its own: the read position belongs to it */
    int e = open_dir_at(dir->fd, ".", &fd);
    if (e != 0)
        return e;
    DIR *stream = fdopendir(fd);
    if (stream == NULL) {
        e = errno;
        (void)close(fd); /* read only */
        return e;
    }
    while (e == 0) {
        errno = 0;
        struct dirent *entry = readdir(stream);
        if (entry == NULL) {
            e = errno;
            break;
        }
        e = list_one(fd, entry->d_name, each, arg);
    }
    (void)closedir(stream); /* read only */
    return e;
}

int pt_posix_dir_remove(void *ctx, peat_env_dir *dir, const char *name)
{
    (void)ctx;
    if (strchr(name, '/') != NULL)
        return EINVAL;
    return unlinkat(dir->fd, name, 0) == 0 ? 0 : errno;
}

int pt_posix_dir_delete(void *ctx, const char *path)
{
    (void)ctx;
    return rmdir(path) == 0 ? 0 : errno;
}

/* 0, EWOULDBLOCK, or another errno. */
static int lock_fd(int fd, bool shared)
{
    struct flock whole = {.l_type = shared ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
    while (fcntl(fd, F_OFD_SETLK, &whole) != 0) {
        if (errno == EAGAIN || errno == EACCES)
            return EWOULDBLOCK;
        if (errno != EINTR)
            return errno;
    }
    return 0;
}

/* The kernel does not know an open-file-description lock's process, so it is in the content; only
 * an exclusive holder has written it. */
static int64_t read_holder(int fd, bool shared)
{
    struct flock probe = {.l_type = shared ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_GETLK, &probe) != 0 || probe.l_type != F_WRLCK)
        return 0;
    char text[24];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    long long pid = strtoll(text, NULL, 10);
    return pid > 0 ? (int64_t)pid : 0;
}

/* Failures are ignored: the pid only makes a message better, and a full disk must open. */
static void write_holder(int fd, pid_t pid)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld\n", (long long)pid);
    bool cut = ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) != (ssize_t)n;
    (void)(cut && ftruncate(fd, 0) == 0);
}

/* False when the name was removed or replaced between the open and the lock. */
static bool is_still_named(int fd, int dir_fd, const char *name)
{
    struct stat mine, named;
    return fstat(fd, &mine) == 0 && fstatat(dir_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
}

/* ESTALE: the file was removed under us, try again. */
static int try_lock(int dir_fd, const char *name, bool shared, int *ret_fd, int64_t *ret_holder_pid)
{
    int fd = -1;
    int e = pt_posix_open_regular(dir_fd, name, shared ? O_RDONLY : O_RDWR | O_CREAT, &fd);
    if (e != 0)
        return e;
    e = lock_fd(fd, shared);
    if (e == EWOULDBLOCK)
        *ret_holder_pid = read_holder(fd, shared);
    if (e == 0 && !is_still_named(fd, dir_fd, name))
        e = ESTALE;
    if (e != 0) {
        (void)close(fd); /* takes a lock along; nothing was written */
        return e;
    }
    *ret_fd = fd;
    return 0;
}

int pt_posix_dir_lock(void *ctx, peat_env_dir *dir, const char *name, bool shared,
                      peat_env_lock **ret_lock, int64_t *ret_holder_pid)
{
    (void)ctx;
    *ret_holder_pid = 0;
    peat_env_lock *lock = malloc(sizeof *lock);
    if (lock == NULL)
        return ENOMEM;
    int e = ESTALE;
    for (int tries = 0; e == ESTALE && tries < 16; tries++)
        e = try_lock(dir->fd, name, shared, &lock->fd, ret_holder_pid);
    if (e != 0) {
        free(lock);
        return e;
    }
    lock->owner = getpid();
    if (!shared)
        write_holder(lock->fd, lock->owner);
    *ret_lock = lock;
    return 0;
}

void pt_posix_dir_unlock(void *ctx, peat_env_lock *lock)
{
    (void)ctx;
    if (lock == NULL)
        return;
    /* no explicit unlock: a forked child that holds a copy keeps the store locked, as promised */
    (void)close(lock->fd);
    free(lock);
}
