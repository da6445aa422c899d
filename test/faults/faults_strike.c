/* SPDX-License-Identifier: MIT */
/* faults_strike.c - see faults_strike.h. */
#include "faults/faults_strike.h"

#include <string.h>

static char *find_fresh(faults_point *p, const char *name)
{
    for (size_t i = 0; i < FAULTS_FRESH_MAX; i++)
        if (strcmp(p->fresh[i], name) == 0)
            return p->fresh[i];
    return NULL;
}

/* A segment counts from its header on, a manifest when PEAT speaks of it. */
static void follow_files(faults_point *p, const sim_boundary *b)
{
    if (b->kind == SIM_FILE_CREATE && (b->name[0] == 'w' || b->name[0] == 'm')) {
        char *slot = find_fresh(p, "");
        if (slot != NULL)
            (void)snprintf(slot, 16, "%s", b->name);
    } else if (b->kind == SIM_FILE_WRITE && b->name[0] == 'w') {
        char *slot = find_fresh(p, b->name);
        if (slot != NULL)
            slot[0] = '\0';
    } else if (b->kind == SIM_FILE_WRITE && strcmp(b->name, "PEAT") == 0) {
        for (size_t i = 0; i < FAULTS_FRESH_MAX; i++)
            if (p->fresh[i][0] == 'm')
                p->fresh[i][0] = '\0';
    }
}

/* Before a sync that is going to fail: tells the world which. */
static void foresee(faults_point *p, sim_env *sim, const sim_boundary *b)
{
    uint64_t nth = sim_count(sim, p->fault.kinds) + 1;
    follow_files(p, b);
    if (b->kind != SIM_FILE_SYNC || !(p->fault.kinds & SIM_BIT(SIM_FILE_SYNC)) ||
        !(nth == p->fault.at || (p->fault.sticky && nth > p->fault.at)))
        return;
    p->world.struck_sync = true;
    if (find_fresh(p, b->name) != NULL)
        return;
    if (b->name[0] == 'w')
        p->world.struck_log = true;
    else if (b->name[0] == 'm' || strcmp(b->name, "PEAT") == 0)
        p->world.struck_vital = true;
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
    sim_hook_set(p->world.sim, each_boundary, p);
}

void faults_disarm(faults_point *p)
{
    sim_faults_clear(p->world.sim);
    sim_hook_set(p->world.sim, NULL, NULL);
    sim_limit_disk(p->world.sim, 0);
}
