/* SPDX-License-Identifier: MIT */
/* libfuzzer.c - one fuzzer: FUZZ_TARGET is the name of its target. */
#include "fuzz/fuzz.h"

#include <stdlib.h>

#ifndef FUZZ_TARGET /* the ordinary build compiles this file and links it nowhere */
#define FUZZ_TARGET pieces
#endif
#define JOIN(a, b)       a##b
#define NAME_OF(target)  JOIN(fuzz_, target)
#define TARGET_OF(named) NAME_OF(named)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void fuzz_exit(int status) __attribute__((noreturn));

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)TARGET_OF(FUZZ_TARGET).run(data, size);
    return 0;
}

/* The oracle ends the process when an answer is wrong (_Exit in its own programs, this one here):
 * a fuzzer must hear of it. */
void fuzz_exit(int status)
{
    (void)status;
    abort();
}
