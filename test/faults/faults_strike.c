/* SPDX-License-Identifier: MIT */
/* faults_strike.c - see faults_strike.h. */
#include "faults/faults_strike.h"

#include <stdlib.h>
#include <string.h>

static unsigned long number_of(const char *name)
{
    return strtoul(name + 2, NULL, 10); /* "w-000001" */
}

static bool *find_slot(faults_point *p, const char *name)
{
    unsigned long n = number_of(name);
    if (n >= FAULTS_SLOTS_MAX)
        abort();
    return &p->in_use[n];
}

/* A segment counts from the header on that this open store wrote: a new or a spare one whose sync
 * fails is not used. A manifest counts when PEAT speaks of it. */
static void follow_files(faults_point *p, const sim_boundary *b)
{
    uint32_t opens = p->world.opens;
    if (p->opens != opens)
        memset(p->in_use, 0, sizeof p->in_use);
    p->opens = opens;
    if (b->kind != SIM_FILE_CREATE && b->kind != SIM_FILE_WRITE)
        return;
    bool created = b->kind == SIM_FILE_CREATE;
    if (b->name[0] == 'w') {
        *find_slot(p, b->name) = !created;
    } else if (b->name[0] == 'm' && created) {
        if (p->fresh == 0)
            p->fresh = number_of(b->name);
    } else if (strcmp(b->name, "PEAT") == 0 && !created) {
        p->fresh = 0;
    }
}

/* Writes are refused after it has failed. */
static bool is_vital(faults_point *p, const char *name)
{
    if (name[0] == 'w')
        return *find_slot(p, name);
    bool fresh = p->fresh != 0 && number_of(name) >= p->fresh;
    return strcmp(name, "PEAT") == 0 || (name[0] == 'm' && !fresh);
}

/* Before a sync that is going to fail: tells the world which. */
static void foresee(faults_point *p, sim_env *sim, const sim_boundary *b)
{
    uint64_t nth = sim_count(sim, p->fault.kinds) + 1;
    follow_files(p, b);
    if (b->kind != SIM_FILE_SYNC || !(p->fault.kinds & SIM_BIT(SIM_FILE_SYNC)) ||
        !(nth == p->fault.at || (p->fault.sticky && nth > p->fault.at)))
        return;
    if (is_vital(p, b->name))
        p->world.struck_vital = true;
    p->world.struck_sync = true; /* last: whoever sees it sees both */
}

static void each_boundary(void *arg, sim_env *sim, const sim_boundary *b)
{
    faults_point *p = arg;
    if (p->fault.kinds != 0) {
        foresee(p, sim, b);
    } else if (b->index + 1 == p->fault.at) {
        sim_limit_disk(sim, sim_disk_bytes(sim));
        p->world.disk_full = true;
    }
}

static uint64_t full_hits(const faults_world *w)
{
    return w->disk_full;
}

static uint64_t sim_hits(const faults_world *w)
{
    return sim_fault_hits(w->sim, w->fault);
}

void faults_arm(faults_point *p, const faults_way *y, bool sticky, uint64_t n)
{
    p->world.hits = y->kinds != 0 ? sim_hits : full_hits;
    p->fault = (sim_fault){
        .kinds = y->kinds, .at = n, .error = y->error, .sticky = sticky, .keep = y->keep};
    if (y->kinds != 0)
        p->world.fault = sim_fault_add(p->world.sim, p->fault);
    p->world.only = y->only;
    p->world.also = y->also;
    sim_hook_set(p->world.sim, each_boundary, p);
}

void faults_disarm(faults_point *p)
{
    sim_faults_clear(p->world.sim);
    sim_hook_set(p->world.sim, NULL, NULL);
    sim_limit_disk(p->world.sim, 0);
}
