/* SPDX-License-Identifier: MIT */
/* env_posix_event.c - events: an eventfd each, which counts signals nobody has cleared. */
#include "env/env_posix_parts.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

int pt_posix_event_open(void *ctx, int *ret_event)
{
    (void)ctx;
    return pt_posix_open_event(ret_event);
}

void pt_posix_event_close(void *ctx, int event)
{
    (void)ctx;
    (void)close(event); /* nothing is written anywhere */
}

void pt_posix_event_signal(void *ctx, int event)
{
    uint64_t one = 1;
    ssize_t n;
    (void)ctx;
    do
        n = write(event, &one, sizeof one);
    while (n < 0 && errno == EINTR);
    /* EAGAIN: it was signalled 2^64 times, and is */
    PT_DCHECK(n == sizeof one || errno == EAGAIN, "an open event can be signalled");
}

void pt_posix_event_clear(void *ctx, int event)
{
    uint64_t count;
    ssize_t n;
    (void)ctx;
    do
        n = read(event, &count, sizeof count);
    while (n < 0 && errno == EINTR);
    PT_DCHECK(n == sizeof count || errno == EAGAIN, "an open event can be cleared");
}

static uint64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for a clock that exists */
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int pt_posix_event_wait(void *ctx, int event, uint64_t timeout_ns)
{
    struct pollfd p = {.fd = event, .events = POLLIN};
    uint64_t now = now_ns(), end = timeout_ns < UINT64_MAX - now ? now + timeout_ns : UINT64_MAX;
    (void)ctx;
    for (;;) {
        uint64_t left = end > now ? end - now : 0;
        struct timespec t = {.tv_sec = (time_t)(left / 1000000000u),
                             .tv_nsec = (long)(left % 1000000000u)};
        int n = ppoll(&p, 1, end == UINT64_MAX ? NULL : &t, NULL);
        if (n > 0)
            return 0;
        if (n == 0)
            return ETIMEDOUT;
        if (errno != EINTR)
            return errno;
        now = now_ns();
    }
}
