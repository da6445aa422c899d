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

static peat_rc judge(const char *call, uint64_t listed, peat_rc rc)
{
    if (listed == ANY || (listed & BIT(rc)) != 0)
        return rc;
    if (rc == PEAT_FULL && (listed & BIT(PEAT_IO)) != 0 && atomic_load(&full_for_io))
        return rc;
    (void)fprintf(stderr, "%s returned %s, which its comment in the header does not list\n", call,
                  peat_rc_name(rc));
    abort();
}

#define CALL(name, parameters, arguments, listed)                                                  \
    peat_rc __real_##name parameters;                                                              \
    peat_rc __wrap_##name parameters;                                                              \
    peat_rc __wrap_##name parameters                                                               \
    {                                                                                              \
        return judge(#name, listed, __real_##name arguments);                                      \
    }
#include "result_codes_calls.h"
