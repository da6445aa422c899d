/* SPDX-License-Identifier: MIT */
/* env_posix_fd.c - see fd.h. */
#include "env/fd.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* A descriptor that does not block now will be ready later. */
static int wait_ready(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, -1) < 0 && errno != EINTR ? errno : 0;
}

int pt_fd_write(int fd, const void *data, size_t size)
{
    const uint8_t *p = (const uint8_t *)data;
    while (size > 0) {
        ssize_t n = write(fd, p, size);
        int e = n >= 0 || errno == EINTR ? 0 : errno;
        if (e == EAGAIN)
            e = wait_ready(fd, POLLOUT);
        if (e != 0)
            return e;
        if (n > 0) {
            p += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

int pt_fd_read(int fd, void *buf, size_t size, size_t *ret_n)
{
    for (;;) {
        ssize_t n = read(fd, buf, size);
        if (n >= 0) {
            *ret_n = (size_t)n;
            return 0;
        }
        int e = errno == EINTR ? 0 : errno;
        if (e == EAGAIN)
            e = wait_ready(fd, POLLIN);
        if (e != 0)
            return e;
    }
}
