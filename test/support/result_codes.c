/* SPDX-License-Identifier: MIT */
/* result_codes.c - see result_codes.h. The list is made of the headers by result_codes.py. */
#include "support/result_codes.h"

#include "peat.h"
#include "peat_queue.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define BIT(rc) (UINT64_C(1) << ((rc) + 32))
#define ANY     UINT64_MAX /* what a callback said, or another call */

static atomic_bool full_for_io;

void result_codes_expect(int os_errno)
{
    atomic_store(&full_for_io, os_errno == ENOSPC || os_errno == EDQUOT);
}

static bool is_listed(uint64_t listed, peat_rc rc)
{
    if (listed == ANY || (listed & BIT(rc)) != 0)
        return true;
    return rc == PEAT_FULL && (listed & BIT(PEAT_IO)) != 0 && atomic_load(&full_for_io);
}

static peat_rc judge(const char *call, uint64_t listed, peat_rc rc)
{
    if (is_listed(listed, rc))
        return rc;
    (void)fprintf(stderr, "%s returned %s, which its comment in the header does not list\n", call,
                  peat_rc_name(rc));
    abort();
}

#define CALL(name, parameters, arguments, listed, besides)
#define COMPLETION(kind, listed) [kind] = (listed),
static const uint64_t completions[] = {
    [0] = 0,
    [PEAT_QUEUE_SCAN + 1] = 0,
#include "result_codes_calls.h"
};
#undef CALL
#undef COMPLETION

static void judge_completion(peat_queue_kind kind, peat_rc rc)
{
    if (kind <= PEAT_QUEUE_SCAN && is_listed(completions[kind], rc))
        return;
    (void)fprintf(stderr, "an operation of kind %d ended with %s, which the header does not list\n",
                  (int)kind, peat_rc_name(rc));
    abort();
}

/* Each key of a multi-get ends as a get does. */
__attribute__((unused)) static void judge_completions(peat_rc rc, const peat_completion *done,
                                                      const size_t *count)
{
    for (size_t i = 0; rc == PEAT_OK && i < *count; i++) {
        judge_completion(done[i].kind, done[i].rc);
        for (size_t k = 0; done[i].rcs != NULL && k < done[i].n; k++)
            judge_completion(PEAT_QUEUE_GET, done[i].rcs[k]);
    }
}

#define COMPLETION(kind, listed)
#define CALL(name, parameters, arguments, listed, besides)                                         \
    peat_rc __real_##name parameters;                                                              \
    peat_rc __wrap_##name parameters;                                                              \
    peat_rc __wrap_##name parameters                                                               \
    {                                                                                              \
        peat_rc rc = judge(#name, listed, __real_##name arguments);                                \
        besides;                                                                                   \
        return rc;                                                                                 \
    }
#include "result_codes_calls.h"
