/* SPDX-License-Identifier: MIT */
/*
 * faults_strike.h - makes the n-th call fail in one of many ways, and tells the world beforehand
 * which syncs are going to fail and what depends on them; and runs a workload in which it does.
 */
#ifndef TEST_FAULTS_FAULTS_STRIKE_H
#define TEST_FAULTS_FAULTS_STRIKE_H

#include "faults/faults.h"

#define FAULTS_SLOTS_MAX 4096 /* of the log */

typedef struct faults_way {
    const char *name;
    uint32_t kinds; /* 0: the disk is full from the boundary on */
    int error;
    sim_keep keep;
    peat_rc only;
    bool gentle;  /* nothing may keep the store from working on afterwards */
    peat_rc also; /* see faults_world */
} faults_way;

/* A world and what is going to happen to it; stays where it is while armed. */
typedef struct faults_point {
    faults_world world;
    sim_fault fault; /* kinds 0: see faults_way */
    char story[200];
    unsigned long fresh; /* manifests from here on: PEAT does not speak of them; 0: none */
    bool in_use[FAULTS_SLOTS_MAX]; /* log segments with a record, or ready for one */
    uint32_t opens;                /* of the world, which `in_use` is about */
} faults_point;

void faults_arm(faults_point *p, const faults_way *way, bool sticky, uint64_t n);
/* While no thread of the store runs. */
void faults_disarm(faults_point *p);

/* --- a workload in which calls fail --- */

typedef struct faults_line {
    const faults_workload *workload;
    const faults_way *way;
    bool sticky;
    uint64_t seed;
} faults_line;

/* What the workload begins with, on a disk of its own; both to be freed. */
faults_world *faults_prepare(const faults_workload *workload, uint64_t seed);
/* How many points there are. */
uint64_t faults_count_points(const faults_line *l, const faults_world *base);
/* The n-th call fails; the disk is judged killed, cut and closed. Returns how many calls failed. */
uint64_t faults_run_point(const faults_line *l, const faults_world *base, uint64_t n);

#endif
