/* SPDX-License-Identifier: MIT */
/*
 * sim_state.h - the inside of a sim_env, shared by sim_env.c (control), sim_calls.c, sim_dirs.c,
 * sim_files.c and sim_rings.c (the members of peat_env) and sim_tools.c (files from outside).
 */
#ifndef TEST_SUPPORT_SIM_STATE_H
#define TEST_SUPPORT_SIM_STATE_H

#include "support/sim_disk.h"
#include "world/sanitizer.h"

#include <pthread.h>
#include <stdatomic.h>

#define SIM_ADDRESSES_WATCHED TEST_SAMPLE(false, true, false)

typedef struct sim_fault_state {
    sim_fault plan;
    _Atomic uint64_t seen; /* matching calls */
    _Atomic uint64_t hits;
} sim_fault_state;

struct sim_env {
    peat_env env;
    sim_fault_state faults[SIM_FAULTS_MAX]; /* set before the count says so */
    atomic_uint fault_count;
    /* set while no other thread runs */
    sim_hook_fn hook;
    void *hook_arg;
    uint64_t disk_limit, file_limit;
    size_t split_bytes;
    bool read_only;
    bool stores, rings_on, fixed_random, heap_maps;
    int64_t pid;
    char story[512];
    /* guarded by mu, which the hook's own calls take again */
    pthread_mutex_t mu;
    sim_disk disk;
    rng random;
    uint64_t boundaries;
    rng ring_random; /* so that rings take nothing from what others draw */
    /* any thread */
    _Atomic uint64_t calls[SIM_KIND_COUNT];
    _Atomic uint64_t now_ns, wall_ahead_ms;
    _Atomic uint64_t real_ns; /* the real clock at the last look with threads; 0: none yet */
    _Atomic uint64_t allocations, maps, dirs, files, locks, threads, events, rings;
    _Atomic uint64_t bytes, bytes_peak, needed;
};

void sim_lock(sim_env *sim);
void sim_unlock(sim_env *sim);
/* Counts the call and asks the fault plan: 0 or the errno to answer. `ret_keep` may be NULL. */
int sim_admit(sim_env *sim, sim_kind kind, const char *name, sim_keep *ret_keep);
/* Something on disk is about to change: the hook's moment. Under mu. */
void sim_boundary_pass(sim_env *sim, sim_kind kind, const char *name);
void sim_members(peat_env *ret_env); /* sim_calls.c */

#endif
