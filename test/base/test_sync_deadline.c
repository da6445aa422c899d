/* SPDX-License-Identifier: MIT */
/*
 * test_sync_deadline.c - the moment at which a timed wait ends, without waiting for it.
 *
 * The program defines the clock and the wait itself, in front of the C library's: the clock stands
 * still and the wait only tells which moment it was given.
 */
#include "base/sync.h"
#include "world/test.h"

#include <time.h>

static struct timespec now, deadline;
static clockid_t asked;

int clock_gettime(clockid_t clock_id, struct timespec *t)
{
    asked = clock_id;
    *t = now;
    return 0;
}

int pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *t)
{
    (void)c;
    (void)m;
    deadline = *t;
    return ETIMEDOUT;
}

TEST(the_deadline_is_now_plus_the_timeout)
{
    static const struct {
        struct timespec now;
        uint64_t timeout_ns;
        struct timespec deadline;
    } cases[] = {
        {{5, 0}, 0, {5, 0}},
        {{5, 999999999}, 0, {5, 999999999}},
        {{5, 999999998}, 1, {5, 999999999}},
        {{5, 999999999}, 1, {6, 0}},
        {{5, 999999999}, 999999999, {6, 999999998}},
        {{5, 999999999}, 1999999999, {7, 999999998}},
        {{5, 1}, 3600000000000, {3605, 1}},
    };
    pt_mutex m;
    pt_cond c;
    pt_mutex_init(&m);
    pt_cond_init(&c);
    pt_mutex_lock(&m);
    for (size_t i = 0; i < PT_COUNT_OF(cases); i++) {
        now = cases[i].now;
        asked = CLOCK_REALTIME;
        assert_false(pt_cond_wait_for(&c, &m, cases[i].timeout_ns));
        assert_int_equal(deadline.tv_sec, cases[i].deadline.tv_sec);
        assert_int_equal(deadline.tv_nsec, cases[i].deadline.tv_nsec);
        assert_int_equal(asked, CLOCK_MONOTONIC);
    }
    pt_mutex_unlock(&m);
    pt_cond_done(&c);
    pt_mutex_done(&m);
}
