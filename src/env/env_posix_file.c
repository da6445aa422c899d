/* SPDX-License-Identifier: MIT */
/*
 * env_posix_file.c - files of the real operating system.
 *
 * Invariants: a name is resolved against a held directory, is never followed through a link, and is
 * a regular file. EINTR and short counts end here. A failed sync is never repeated: the kernel may
 * have dropped the dirty pages, and a second sync would answer 0 for data that is gone.
 */
#include "env/env_posix_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 8, "files beyond 2 GiB");

static bool is_plain_name(const char *name)
{
    return name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

/* O_NONBLOCK served the open only; with it io_uring may answer EAGAIN for a regular file. */
static int require_regular(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return errno;
    if (!S_ISREG(st.st_mode))
        return EINVAL;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0)
        return errno;
    return 0;
}

int pt_posix_open_regular(int dir_fd, const char *name, int os_flags, int *ret_fd)
{
    if (!is_plain_name(name))
        return EINVAL;
    int fd = -1;
    int e = pt_posix_open_at(dir_fd, name, os_flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, &fd);
    if (e != 0)
        return e;
    e = require_regular(fd);
    if (e != 0) {
        (void)close(fd); /* nothing was written */
        return e;
    }
    *ret_fd = fd;
    return 0;
}

int pt_posix_file_open(void *ctx, peat_env_dir *dir, const char *name, unsigned flags,
                       peat_env_file **ret_file)
{
    (void)ctx;
    int os_flags = (flags & PEAT_ENV_FILE_WRITE) ? O_RDWR : O_RDONLY;
    if (flags & PEAT_ENV_FILE_CREATE)
        os_flags |= O_CREAT | O_EXCL;
    /* first the memory: a created file could not be taken back for certain */
    peat_env_file *file = calloc(1, sizeof *file);
    if (file == NULL)
        return ENOMEM;
    int e = pt_posix_open_regular(dir->fd, name, os_flags, &file->fd);
    if (e != 0) {
        free(file);
        return e;
    }
    *ret_file = file;
    return 0;
}

void pt_posix_file_close(void *ctx, peat_env_file *file)
{
    (void)ctx;
    if (file == NULL)
        return;
    pt_posix_store_done(&file->store);
    (void)close(file->fd); /* what had to be durable was synced before */
    free(file);
}

bool pt_posix_is_range(uint64_t offset, uint64_t n)
{
    return offset <= INT64_MAX && n <= INT64_MAX - offset;
}

int pt_posix_file_read(void *ctx, peat_env_file *file, uint64_t offset, void *buf, size_t n,
                       size_t *ret_n)
{
    (void)ctx;
    if (!pt_posix_is_range(offset, n))
        return EINVAL;
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(file->fd, (char *)buf + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *ret_n = done;
    return 0;
}

int pt_posix_file_write(void *ctx, peat_env_file *file, uint64_t offset, const void *buf, size_t n)
{
    (void)ctx;
    if (!pt_posix_is_range(offset, n))
        return EFBIG;
    size_t done = 0;
    while (done < n) {
        ssize_t put = pwrite(file->fd, (const char *)buf + done, n - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return errno;
        if (put == 0)
            return EIO; /* no progress and no reason: do not spin */
        done += (size_t)put;
    }
    return 0;
}

int pt_posix_file_sync(void *ctx, peat_env_file *file)
{
    (void)ctx;
    int e;
    /* pairs with is_stream: pages that a sync cleans are not stored to */
    atomic_fetch_add(&file->store.syncs_begun, 1);
    do /* covers the size: the metadata needed to read the data back; mapped stores too */
        e = fdatasync(file->fd) == 0 ? 0 : errno;
    while (e == EINTR);
    atomic_fetch_add(&file->store.syncs_ended, 1);
    return e;
}

int pt_posix_file_size(void *ctx, peat_env_file *file, uint64_t *ret_size)
{
    (void)ctx;
    struct stat st;
    if (fstat(file->fd, &st) != 0)
        return errno;
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

int pt_posix_file_truncate(void *ctx, peat_env_file *file, uint64_t size)
{
    (void)ctx;
    if (!pt_posix_is_range(size, 0))
        return EFBIG;
    while (ftruncate(file->fd, (off_t)size) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

/* The system call, never posix_fallocate: glibc's emulation writes a byte per block, which takes as
 * long as the data itself and races with writers. */
int pt_posix_file_allocate(void *ctx, peat_env_file *file, uint64_t offset, uint64_t n)
{
    (void)ctx;
    if (!pt_posix_is_range(offset, n))
        return EFBIG;
    if (n == 0)
        return 0;
    while (fallocate(file->fd, 0, (off_t)offset, (off_t)n) != 0) {
        if (errno == ENOSYS)
            return EOPNOTSUPP;
        if (errno != EINTR)
            return errno;
    }
    return 0;
}

int pt_posix_file_advise(void *ctx, peat_env_file *file, uint64_t offset, uint64_t n, int advice)
{
    static const int os_advice[] = {
        [PEAT_ENV_ADVISE_RANDOM] = POSIX_FADV_RANDOM,
        [PEAT_ENV_ADVISE_SEQUENTIAL] = POSIX_FADV_SEQUENTIAL,
        [PEAT_ENV_ADVISE_WILLNEED] = POSIX_FADV_WILLNEED,
        [PEAT_ENV_ADVISE_DONTNEED] = POSIX_FADV_DONTNEED,
    };
    (void)ctx;
    if (advice < PEAT_ENV_ADVISE_RANDOM || advice > PEAT_ENV_ADVISE_DONTNEED ||
        !pt_posix_is_range(offset, n))
        return EINVAL;
    return posix_fadvise(file->fd, (off_t)offset, (off_t)n, os_advice[advice]);
}
