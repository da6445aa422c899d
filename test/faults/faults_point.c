/* SPDX-License-Identifier: MIT */
/* faults_point.c - a workload whose n-th call fails, and what is expected of its disk; see
 * faults_strike.h. */
#include "faults/faults_strike.h"

#include <inttypes.h>
#include <stdlib.h>

faults_world *faults_prepare(const faults_workload *workload, uint64_t seed)
{
    faults_world *base = malloc(sizeof *base);
    faults_init(base, sim_new(seed), "store", "copy", seed);
    base->story = workload->name;
    base->options = workload->options;
    if (workload->prepare != NULL)
        workload->prepare(base);
    return base;
}

/* What had no memory or no room goes on by itself when there is some again. */
static void expect_usable(const faults_line *l, faults_world *w)
{
    peat_rc rc = PEAT_FULL;
    if (w->db == NULL || w->open.options.read_only)
        return;
    for (unsigned i = 0; i < 100 && rc != PEAT_OK; i++) {
        rc = peat_put(w->db, NULL, peat_str("zz"), peat_str("v"));
        if (rc != PEAT_OK)
            (void)!peat_work(w->db, 10, NULL);
    }
    if (rc == PEAT_OK)
        rc = peat_delete(w->db, NULL, peat_str("zz"));
    peat_error e;
    if (rc != PEAT_OK && l->way->gentle) {
        (void)peat_db_error(w->db, &e);
        faults_wrong(w, "when nothing fails any more a write returns %s; first trouble: %s",
                     peat_rc_name(rc), e.message);
    }
}

static void judge_disks(const faults_line *l, faults_point *p, uint64_t n)
{
    faults_world *w = &p->world;
    bool threads = l->workload->options.field[MODEL_OPTION_threads] >= 0;
    bool no_log = l->workload->options.field[MODEL_OPTION_no_log] != 0;
    sim_env *killed = sim_clone_killed(w->sim);
    sim_env *cut = sim_clone_cut(w->sim, &(sim_cut){.mode = SIM_CUT_RANDOM, .seed = l->seed + n});
    faults_note(w);
    uint32_t spared = no_log ? w->book.durable : UINT32_MAX;
    sim_limit_disk(killed, 0);
    sim_limit_disk(cut, 0);
    faults_expect_copy(w, w->sim);
    faults_expect_recovered(w, killed, spared, "killed");
    faults_expect_recovered(w, cut, w->book.durable, "cut");
    sim_free(killed);
    sim_free(cut);
    if (!threads) { /* faults change while no thread runs */
        faults_disarm(p);
        expect_usable(l, w);
    }
    faults_close(w);
    faults_disarm(p);
    spared = no_log ? w->book.durable : UINT32_MAX;
    faults_expect_recovered(w, w->sim, spared, "closed");
}

uint64_t faults_run_point(const faults_line *l, const faults_world *base, uint64_t n)
{
    faults_point *p = calloc(1, sizeof *p);
    p->world = *base;
    p->world.sim = sim_clone_killed(base->sim);
    p->world.story = p->story;
    (void)snprintf(p->story, sizeof p->story,
                   "ONLY=%s WAY=%s STICKY=%d AT=%" PRIu64 " SEED=%" PRIu64, l->workload->name,
                   l->way->name, l->sticky, n, l->seed);
    faults_arm(p, l->way, l->sticky, n);
    l->workload->run(&p->world);
    uint64_t hits = p->world.hits(&p->world);
    judge_disks(l, p, n);
    sim_free(p->world.sim);
    free(p);
    return hits;
}

uint64_t faults_count_points(const faults_line *l, const faults_world *base)
{
    faults_point *p = calloc(1, sizeof *p);
    p->world = *base;
    p->world.sim = sim_clone_killed(base->sim);
    p->world.story = l->workload->name;
    faults_arm(p, l->way, l->sticky, UINT64_MAX);
    l->workload->run(&p->world);
    uint64_t n =
        l->way->kinds != 0 ? sim_count(p->world.sim, l->way->kinds) : sim_boundaries(p->world.sim);
    faults_close(&p->world);
    sim_free(p->world.sim);
    free(p);
    return n;
}
