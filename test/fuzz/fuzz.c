/* SPDX-License-Identifier: MIT */
/* fuzz.c - the list of targets and what they share; see fuzz.h. */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

const fuzz_target *const fuzz_targets[FUZZ_TARGETS] = {
    &fuzz_pieces, &fuzz_table, &fuzz_manifest,   &fuzz_log,
    &fuzz_stream, &fuzz_store, &fuzz_operations, &fuzz_command,
};

const fuzz_target *fuzz_find(const char *name)
{
    for (size_t i = 0; i < FUZZ_TARGETS; i++)
        if (strcmp(fuzz_targets[i]->name, name) == 0)
            return fuzz_targets[i];
    return NULL;
}

void fuzz_broken(const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "%s:%d: broken: %s\n", file, line, what);
    abort();
}

uint8_t *fuzz_copy(const uint8_t *data, size_t size)
{
    uint8_t *p = malloc(size ? size : 1);
    FUZZ_REQUIRE(p != NULL, "there is memory");
    if (size != 0)
        memcpy(p, data, size);
    return p;
}

uint64_t fuzz_touch(pt_slice bytes)
{
    volatile uint64_t sum = 0;
    for (size_t i = 0; i < bytes.size; i++)
        sum += bytes.data[i];
    return sum;
}
