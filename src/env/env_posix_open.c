/* SPDX-License-Identifier: MIT */
/*
 * env_posix_open.c - the one place where a descriptor of the library begins, but a
 * ring's (env_posix_ring.c), to which nothing can be written.
 *
 * Invariant: none of them is 0, 1 or 2. A program that has closed its standard descriptors gets one
 * of these from the next open, and whatever it, or a library in it, prints later would be written
 * over a file of the store.
 *
 * The system hands out the lowest number that is free, so
 * 1  free numbers that low are taken by copies of the directory, which nobody can write to;
 * 2  the file is opened above them;
 * 3  the copies are closed.
 * Between threads of ours that do this at once, and with a program that closes its own descriptors
 * meanwhile, 2 may still get a low number: then it is moved, and was low for that moment. So is an
 * event always: what is printed to one meanwhile is at worst a signal for nothing.
 */
#include "env/env_posix_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct held {
    int fds[PT_POSIX_FIRST_FD];
    unsigned count;
} held;

static bool is_same(int fd, int dir_fd)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && fstat(dir_fd, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

/* Not what the program has put in the place of a copy meanwhile, and not `opened`, which got there
 * because the program has closed one. */
static void let_go(const held *h, int dir_fd, int opened)
{
    for (unsigned i = 0; i < h->count; i++)
        if (h->fds[i] != opened && is_same(h->fds[i], dir_fd))
            (void)close(h->fds[i]); /* a copy of a directory */
}

/* 0, or an errno; what is held then is the caller's to let go all the same. */
static int hold_low(int dir_fd, held *h)
{
    h->count = 0;
    while (h->count < PT_POSIX_FIRST_FD) {
        int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            return errno;
        if (fd >= PT_POSIX_FIRST_FD) {
            (void)close(fd); /* as above */
            return 0;
        }
        h->fds[h->count++] = fd;
    }
    return 0;
}

static int move_up(int fd, int *ret_fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, PT_POSIX_FIRST_FD);
    /* EINVAL: the limit of the process is below PT_POSIX_FIRST_FD */
    int e = high >= 0 ? 0 : errno == EINVAL ? EMFILE : errno;
    (void)close(fd); /* nothing was written */
    if (e == 0)
        *ret_fd = high;
    return e;
}

static int open_low(int dir_fd, const char *path, int os_flags, int *ret_fd)
{
    int fd;
    do
        fd = openat(dir_fd, path, os_flags | O_CLOEXEC, 0666);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return errno;
    *ret_fd = fd;
    return 0;
}

int pt_posix_open_at(int dir_fd, const char *path, int os_flags, int *ret_fd)
{
    held h = {.count = 0};
    int fd = -1;
    /* AT_FDCWD is no descriptor; what is opened with it is read only */
    PT_ASSERT(dir_fd != AT_FDCWD || (os_flags & O_ACCMODE) == O_RDONLY,
              "files are written in a directory that is open");
    int e = dir_fd == AT_FDCWD ? 0 : hold_low(dir_fd, &h);
    if (e == 0)
        e = open_low(dir_fd, path, os_flags, &fd);
    let_go(&h, dir_fd, fd);
    if (e == 0 && fd < PT_POSIX_FIRST_FD) {
        e = move_up(fd, &fd);
        if (e != 0 && (os_flags & O_EXCL) != 0)
            (void)unlinkat(dir_fd, path, 0); /* if it stays, the next try answers EEXIST */
    }
    if (e == 0)
        *ret_fd = fd;
    return e;
}

int pt_posix_open_event(int *ret_fd)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return errno;
    if (fd < PT_POSIX_FIRST_FD)
        return move_up(fd, ret_fd);
    *ret_fd = fd;
    return 0;
}
