/* SPDX-License-Identifier: MIT */
/* crash_cuts.c - see crash_cuts.h. */
#include "crash/crash_cuts.h"

#include "base/hash.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUBSET_ITEMS  4   /* so few unsynced things are lost in every combination */
#define NAMES_EACH    8   /* names lost one by one at a boundary */
#define DEEP_ONE_IN   24  /* images that are cut again */
#define DEEPER_ONE_IN 48  /* of those that come out of that, once more */
#define PLAN_SECONDS  900 /* on a busy machine, niced */
#define COLLECT_MAX   24  /* cuts during one recovery */
#define VISITED_BITS  19
#define KILLED        SIM_CUT_MODE_COUNT

/* --- images ----------------------------------------------------------------------------------- */

typedef struct cuts {
    const crash_job *job;
    crash_tally *tally;
    rng random;
    uint64_t *visited; /* images with their bounds */
} cuts;

/* A disk after a cut, and what it must show. */
typedef struct image {
    sim_env *sim;
    const crash_plan *plan;
    uint64_t low, high; /* the commits one of whose states is there */
    uint64_t durable;   /* what another cut must spare */
    uint64_t copies, copy_at;
    bool copy_whole;
    bool killed; /* no power cut: what was not synced may still be lost */
    unsigned depth;
    char story[400];
} image;

/* Where the power may fail: under a run, or in the recovery of an image. */
typedef struct site {
    cuts *c;
    const crash_run *run;
    unsigned depth; /* of the images made here */
    bool rewriting; /* the manifest; under the lock of the disk */
    _Atomic int mode;
    image *collected; /* SITE_COLLECT: verified later */
    size_t count;
} site;

/* The hook stays as it is as long as a store's threads run; this is what changes. */
enum { SITE_OFF, SITE_COLLECT, SITE_VERIFY };

/* No cut is being made any more when this returns. */
static void switch_off(site *s)
{
    atomic_store(&s->mode, SITE_OFF);
    (void)sim_boundaries(s->run->sim); /* takes the lock that a cut is made under */
}

static void verify(cuts *c, image *im);

static uint64_t chance(cuts *c, uint64_t one_in)
{
    return rng_below(&c->random, one_in) == 0;
}

static void tell(const site *s, const sim_boundary *b, const sim_cut *cut, image *io)
{
    (void)snprintf(io->story, sizeof io->story,
                   "%.160s%scut %u at boundary %" PRIu64 " (%s %s), %s %" PRIx64 "/%u",
                   s->run->story, s->run->story[0] ? "; " : "", s->depth, b->index,
                   sim_kind_name(b->kind), b->name,
                   cut->mode == KILLED ? "killed" : sim_cut_mode_name(cut->mode), cut->seed,
                   cut->sector_bytes);
}

static bool is_new(cuts *c, const image *im)
{
    uint64_t hash = sim_image_hash(im->sim);
    crash_tally *t = c->tally;
    t->cuts++;
    if (crash_set_add(t->seen, t->capacity, hash))
        t->images++;
    hash = pt_mix(hash ^ pt_mix(im->plan->hash[im->low]) ^ pt_mix(pt_mix(im->high)));
    return crash_set_add(c->visited, (size_t)1 << VISITED_BITS, pt_mix(hash ^ im->depth));
}

/* In a process of its own, whose failure is counted and told and no more. */
static void verify_apart(cuts *c, image *im)
{
    int status = 0;
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        crash_job job = *c->job;
        job.report = stdout;
        c->job = &job;
        verify(c, im);
        _Exit(0);
    }
    (void)waitpid(pid, &status, 0);
    c->tally->at_depth[1]++;
    c->tally->broken += status != 0;
    sim_free(im->sim);
}

static void offer(site *s, sim_env *sim, const sim_boundary *b, sim_cut cut)
{
    const crash_run *run = s->run;
    bool killed = cut.mode == KILLED;
    image im = {.sim = killed ? sim_clone_killed(sim) : sim_clone_cut(sim, &cut),
                .plan = run->plan,
                .durable = atomic_load(run->durable),
                .high = atomic_load(run->begun),
                .copies = atomic_load(&run->copies),
                .copy_at = atomic_load(&run->copy_at),
                .copy_whole = atomic_load(&run->copy_whole),
                .killed = killed,
                .depth = s->depth};
    im.low = killed && !run->open.options.no_log ? atomic_load(run->returned) : im.durable;
    s->c->tally->killed += killed;
    if (!killed && !is_new(s->c, &im)) {
        sim_free(im.sim);
        return;
    }
    tell(s, b, &cut, &im);
    int mode = atomic_load(&s->mode); /* perhaps switched off since the boundary was met */
    if (s->c->job->garbage)
        verify_apart(s->c, &im);
    else if (mode == SITE_VERIFY)
        verify(s->c, &im);
    else if (mode == SITE_COLLECT && s->count < COLLECT_MAX)
        s->collected[s->count++] = im;
    else
        sim_free(im.sim);
}

/* --- which cuts ------------------------------------------------------------------------------- */

static sim_cut some_cut(cuts *c, sim_cut_mode mode, uint32_t sector)
{
    return (sim_cut){.mode = mode, .seed = rng_next(&c->random), .sector_bytes = sector};
}

/* Every combination of a few things, or each alone lost and alone kept, for some of many. */
static void cut_items(site *s, sim_env *sim, const sim_boundary *b, uint32_t sector)
{
    size_t names, items = sim_cut_items(sim, sector, &names);
    if (items <= SUBSET_ITEMS) {
        for (uint64_t seed = 0; seed >> items == 0; seed++)
            offer(s, sim, b, (sim_cut){SIM_CUT_SUBSET, seed, sector});
        return;
    }
    offer(s, sim, b, (sim_cut){SIM_CUT_LOST, 0, sector});
    offer(s, sim, b, (sim_cut){SIM_CUT_KEPT, 0, sector});
    for (unsigned i = 0; i < 4; i++) {
        uint64_t item = rng_below(&s->c->random, items);
        offer(s, sim, b, (sim_cut){SIM_CUT_BUT_ONE, item, sector});
        offer(s, sim, b, (sim_cut){SIM_CUT_ONLY_ONE, item, sector});
    }
    for (uint64_t name = 0; name < names && name < NAMES_EACH; name++)
        offer(s, sim, b, (sim_cut){SIM_CUT_BUT_NAME, name, sector});
    for (unsigned i = 0; i < 3; i++) {
        offer(s, sim, b, some_cut(s->c, SIM_CUT_PREFIX, sector));
        offer(s, sim, b, some_cut(s->c, SIM_CUT_RANDOM, 512));
        offer(s, sim, b, some_cut(s->c, SIM_CUT_RANDOM, 4096));
    }
}

/* From the next manifest's name to the end of the one before: rare, and so always cut. */
static bool is_rewriting(site *s, const sim_boundary *b)
{
    bool manifest = strncmp(b->name, "m-", 2) == 0;
    bool begins = manifest && b->kind == SIM_FILE_CREATE && strcmp(b->name, "m-000001") != 0;
    bool was = s->rewriting;
    s->rewriting = begins || (was && !(manifest && b->kind == SIM_DIR_REMOVE));
    s->c->tally->rewrites += begins;
    return was || begins;
}

/* An import or a repair is under way. */
static bool is_copying(const crash_run *r)
{
    return atomic_load(&r->copies) != 0 && !atomic_load(&r->copy_whole);
}

static void cut_here(void *arg, sim_env *sim, const sim_boundary *b)
{
    static const sim_cut_mode some[] = {SIM_CUT_RANDOM, SIM_CUT_PREFIX, SIM_CUT_LOST,
                                        SIM_CUT_KEPT,   SIM_CUT_SUBSET, KILLED};
    site *s = arg;
    cuts *c = s->c;
    bool chosen =
        s->depth > 1 || is_rewriting(s, b) || is_copying(s->run) || chance(c, c->job->one_in);
    if (atomic_load(&s->mode) == SITE_OFF || !chosen)
        return;
    uint32_t sector = chance(c, 2) ? 512 : 4096;
    if (c->job->garbage) {
        for (unsigned i = 0; i < 6; i++)
            offer(s, sim, b, some_cut(c, SIM_CUT_GARBAGE, sector));
        return;
    }
    if (s->depth == 1)
        cut_items(s, sim, b, sector);
    if (s->depth == 1 && chance(c, 4))
        offer(s, sim, b, some_cut(c, KILLED, sector));
    if (s->depth > 1) {
        offer(s, sim, b, some_cut(c, some[rng_below(&c->random, 6)], sector));
        offer(s, sim, b, some_cut(c, SIM_CUT_RANDOM, sector));
    }
}

/* --- what an image must show ------------------------------------------------------------------ */

static void verify_read_only(cuts *c, crash_run *r, const image *im)
{
    uint64_t changes = sim_count(r->sim, SIM_CHANGES);
    crash_open(r, true);
    (void)crash_identify(r, im->low, im->high);
    if (r->db != NULL) {
        crash_check(r);
        crash_close(r);
    }
    if (sim_count(r->sim, SIM_CHANGES) != changes)
        crash_fail(r, "a read-only open changed something on disk");
    c->tally->read_only++;
}

static void verify_copy(cuts *c, const crash_run *r, const image *im)
{
    crash_identify_copy(r, im->copies, im->copy_at, im->copy_whole);
    c->tally->copies++;
}

/* Opens the store, and says which state came back. What the cuts in between left must show the
 * same; after a kill they may take what was not synced. */
static uint64_t recover(site *s, crash_run *r, const image *im, bool deep)
{
    if (deep) {
        s->collected = malloc(COLLECT_MAX * sizeof *s->collected);
        atomic_store(&s->mode, SITE_COLLECT);
    }
    crash_open(r, false);
    switch_off(s);
    uint64_t at = crash_identify(r, im->low, im->high);
    for (size_t i = 0; i < s->count; i++) {
        image *later = &s->collected[i];
        later->low = later->durable = im->killed ? im->durable : at;
        later->high = at;
        later->copies = 0;
        verify(s->c, later);
    }
    free(s->collected);
    return at;
}

static void recover_again(cuts *c, const crash_run *r, uint64_t at)
{
    crash_run again;
    crash_run_init(&again, r->plan, sim_clone_killed(r->sim), r->report);
    (void)snprintf(again.story, sizeof again.story, "%.450s; recovered again", r->story);
    crash_open(&again, false);
    (void)crash_identify(&again, at, at);
    crash_close(&again);
    sim_free(again.sim);
    c->tally->twice++;
}

/* Other commits than those that were lost. */
static void write_on(site *s, crash_run *r, uint64_t at, bool deep)
{
    cuts *c = s->c;
    const crash_plan *before = r->plan;
    crash_plan branch;
    size_t more = deep ? 4 : c->job->go_on != 0 ? c->job->go_on : 1;
    crash_plan_branch(&branch, before, crash_load_afterwards(), at, more, rng_next(&c->random));
    for (int i = 0; i < 3; i++)
        atomic_store(&r->counters[i], at);
    r->plan = &branch;
    if (deep)
        atomic_store(&s->mode, SITE_VERIFY);
    crash_go_on(r, at, at + more);
    switch_off(s);
    (void)crash_identify(r, at + more, at + more);
    if (chance(c, 8))
        crash_check(r);
    crash_close(r);
    if (chance(c, 4)) {
        crash_open(r, false);
        (void)crash_identify(r, at + more, at + more);
        crash_close(r);
    }
    r->plan = before;
    crash_plan_done(&branch);
}

static void verify(cuts *c, image *im)
{
    crash_run r;
    bool deep = im->depth < CRASH_DEPTH && !c->job->garbage &&
                chance(c, im->depth == 1 ? DEEP_ONE_IN : DEEPER_ONE_IN);
    c->tally->at_depth[im->depth]++;
    crash_run_init(&r, im->plan, im->sim, c->job->report);
    (void)snprintf(r.story, sizeof r.story, "%s, allowed are commits %" PRIu64 " to %" PRIu64,
                   im->story, im->low, im->high);
    if (im->copies != 0 && (!im->copy_whole || chance(c, 2)))
        verify_copy(c, &r, im);
    if (chance(c, 8))
        verify_read_only(c, &r, im);
    atomic_store(r.begun, im->high); /* until it is known which of the states came back */
    atomic_store(r.returned, im->low);
    atomic_store(r.durable, im->durable);
    site below = {.c = c, .run = &r, .depth = im->depth + 1};
    sim_hook_set(im->sim, cut_here, &below);
    uint64_t at = recover(&below, &r, im, deep);
    if (chance(c, 4))
        recover_again(c, &r, at);
    write_on(&below, &r, at, deep);
    sim_hook_set(im->sim, NULL, NULL);
    if (!sim_is_clean(im->sim))
        crash_fail(&r, "something was left open or allocated");
    sim_free(im->sim);
}

/* --- a plan --- */

void crash_cut_plan(void *arg, FILE *report)
{
    static const size_t splits[] = {0, 0, 4096, 512, 700};
    crash_job job = *(const crash_job *)arg;
    crash_plan plan;
    crash_run r;
    job.report = report;
    (void)alarm(PLAN_SECONDS);
    /* a clone comes and goes in microseconds: its memory is kept, not mapped anew */
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
    cuts c = {.job = &job, .tally = job.tally, .random = {job.seed * 31 + 7}};
    site everywhere = {.c = &c, .run = &r, .depth = 1};
    c.visited = calloc((size_t)1 << VISITED_BITS, sizeof *c.visited);
    crash_plan_init_load(&plan, job.load, job.seed, job.commits);
    sim_env *sim = sim_new(job.seed);
    sim_split_writes(sim, splits[rng_below(&c.random, job.load->huge != 0 ? 3 : 5)]);
    if (rng_below(&c.random, 2) == 0) /* then what is never the same twice is so by counting */
        sim_fix_random(sim);
    crash_run_init(&r, &plan, sim, report);
    /* with garbage not before there is a store: nothing is lost then */
    atomic_store(&everywhere.mode, job.garbage ? SITE_OFF : SITE_VERIFY);
    sim_hook_set(sim, cut_here, &everywhere);
    crash_open(&r, false);
    atomic_store(&everywhere.mode, SITE_VERIFY);
    crash_go_on(&r, 0, job.commits);
    crash_close(&r);
    sim_hook_set(sim, NULL, NULL);
    crash_open(&r, false);
    (void)crash_identify(&r, job.commits, job.commits);
    crash_check(&r);
    crash_close(&r);
    if (!sim_is_clean(sim))
        crash_fail(&r, "something was left open or allocated");
    job.tally->boundaries += sim_boundaries(sim);
    job.tally->commits += job.commits;
    job.tally->plans++;
    sim_free(sim);
    crash_plan_done(&plan);
    free(c.visited);
}
