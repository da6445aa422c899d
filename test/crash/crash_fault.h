/* SPDX-License-Identifier: MIT */
/*
 * crash_fault.h - a plan that is followed while calls fail, and what may be found afterwards: what
 * was acknowledged is there, what failed is there or not, whole.
 */
#ifndef TEST_CRASH_CRASH_FAULT_H
#define TEST_CRASH_CRASH_FAULT_H

#include "crash/crash.h"

#define CRASH_FAULT_COMMITS 60

typedef struct crash_fault_job {
    uint64_t seed;
    sim_fault fault;
    const char *name;
} crash_fault_job;

typedef struct crash_fault_run {
    crash_run run;
    const crash_fault_job *job;
    bool acked[CRASH_FAULT_COMMITS + 1];
    uint64_t durable;    /* the last commit that a power cut must spare */
    unsigned fault;      /* of the sim */
    uint64_t hits;       /* seen so far */
    bool reopened_badly; /* an open failed: the rest of the plan is left out */
} crash_fault_run;

typedef struct crash_reading {
    peat_rc rc;
    peat_slice value;
} crash_reading;

/* The commit whose write this is: 0 for none at all, which is right when nothing was acknowledged.
 * Allowed are the last one that must be there (acknowledged, and not after `sure`) and any later.
 */
uint64_t crash_source_of(const crash_fault_run *f, size_t rank, crash_reading found, uint64_t sure);
/* Reads all of an open store that has no faults any more. */
void crash_expect_allowed(const crash_fault_run *f, uint64_t sure, uint64_t *ret_source);

#endif
