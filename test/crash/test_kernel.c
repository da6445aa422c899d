/* SPDX-License-Identifier: MIT */
/*
 * test_kernel.c - a store on file systems of the running kernel that are cut off under load. After
 * each cut the file system is mounted again and the store opened: all that was acknowledged as
 * durable is there, the rest is a prefix of the commit order, and what is written next is another
 * branch of commits, so that nothing of the lost future can come back unseen. The process under
 * load never dies by a signal: a mapped file that can no longer be written answers with one. ctest:
 * timeout=300 serial
 *
 *     SEED=1 N=2000 BOUND=3600 crash_test_kernel --campaign
 *
 * KIND= takes one kind of file system only. Where it cannot run it says so and ends with 77.
 */
#include "crash/crash.h"
#include "crash/crash_disk.h"
#include "world/shared.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CUTS_SHORT    6    /* per kind, in the ordinary test */
#define CUTS_PER_DISK 40   /* then another file system and other options */
#define COMMITS       150  /* of a branch */
#define COMMITS_MAX   2000 /* of a store */
#define HANG_SECONDS  200

/* Seen by the process under load and the one that cuts. */
typedef struct shared {
    _Atomic uint64_t counters[3];
    _Atomic uint64_t opened; /* one more than the commit that the store came back to; 0: not yet */
    atomic_bool cutting;
} shared;

typedef struct scene {
    crash_disk disk;
    shared *memory;
    crash_plan first; /* owns the keys of all branches */
    crash_plan plan;
    uint64_t seed, cut;
    rng random;
    int pipe[2]; /* a byte when the store is open, and after each commit */
    char dir[120];
} scene;

typedef struct tally {
    uint64_t cuts, violations, signals, in_recovery, errors_met, closed;
} tally;

static uint64_t branch_seed(const scene *s)
{
    return s->seed * 1000003 + s->cut;
}

static void join_shared(crash_run *r, const scene *s)
{
    crash_run_init(r, &s->plan, NULL, stderr);
    r->dir = s->dir;
    r->begun = &s->memory->counters[0];
    r->returned = &s->memory->counters[1];
    r->durable = &s->memory->counters[2];
    r->cut = &s->memory->cutting;
    (void)snprintf(r->story, sizeof r->story, "%s, cut %" PRIu64, s->disk.kind->name, s->cut);
}

/* Finds out where the plan stands, tells, and goes on elsewhere until it is cut off or done. */
static void work(const scene *s)
{
    crash_run r;
    crash_plan branch;
    join_shared(&r, s);
    crash_open(&r, false);
    uint64_t at = crash_identify(&r, atomic_load(r.durable), atomic_load(r.begun));
    if (s->cut % 16 == 0 && !atomic_load(r.cut))
        crash_check(&r);
    crash_plan_branch(&branch, &s->plan, crash_load_of("mixed"), at, COMMITS, branch_seed(s));
    r.plan = &branch;
    for (int i = 0; i < 3; i++)
        atomic_store(i == 0 ? r.begun : i == 1 ? r.returned : r.durable, at);
    atomic_store(&s->memory->opened, at + 1);
    for (uint64_t to = at; to < branch.commit_count; to++) {
        (void)!write(s->pipe[1], "c", 1);
        crash_go_on(&r, to, to + 1);
    }
    crash_close(&r);
    atomic_store(r.durable, branch.commit_count);
}

/* Waits for so many bytes of the child, then a moment shorter than a commit takes. */
static void wait_for(scene *s, uint64_t commits)
{
    char byte;
    uint64_t ns = rng_below(&s->random, 400000);
    while (commits-- > 0 && read(s->pipe[0], &byte, 1) == 1)
        continue;
    for (uint64_t begin = test_now_ns(); test_now_ns() - begin < ns;)
        continue;
}

static void judge(const scene *s, int status, const char *how, tally *t)
{
    t->cuts++;
    t->in_recovery += atomic_load(&s->memory->opened) == 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == CRASH_EXIT_CUT)
        t->errors_met++;
    else if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        t->closed++;
    else {
        t->violations++;
        t->signals += WIFSIGNALED(status);
        (void)printf("%s, cut %" PRIu64 " (%s), seed %" PRIu64 ": the process under load %s %d\n"
                     "rerun (another moment): SEED=%" PRIu64
                     " KIND=%s N=200 crash_test_kernel --campaign\n",
                     s->disk.kind->name, s->cut, how, s->seed,
                     WIFSIGNALED(status) ? "died by signal" : "ended with",
                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), s->seed,
                     s->disk.kind->name);
    }
    (void)fflush(stdout);
}

/* What both sides know of the next life: the same branch. */
static void follow(scene *s)
{
    uint64_t opened = atomic_load(&s->memory->opened);
    crash_plan next;
    if (opened == 0)
        return;
    crash_plan_branch(&next, &s->plan, crash_load_of("mixed"), opened - 1, COMMITS, branch_seed(s));
    crash_plan_done(&s->plan);
    s->plan = next;
}

static void cut_once(scene *s, unsigned how, tally *t)
{
    int status = 0;
    uint64_t commits = rng_below(&s->random, 5) == 0 ? 0 : 1 + rng_below(&s->random, 30);
    atomic_store(&s->memory->opened, 0);
    atomic_store(&s->memory->cutting, false);
    if (pipe(s->pipe) != 0)
        abort();
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(HANG_SECONDS);
        (void)close(s->pipe[0]);
        work(s);
        _Exit(0);
    }
    (void)close(s->pipe[1]);
    wait_for(s, commits);
    atomic_store(&s->memory->cutting, true);
    crash_disk_cut(&s->disk, how);
    (void)waitpid(pid, &status, 0);
    (void)close(s->pipe[0]);
    judge(s, status, crash_disk_cut_name(how), t);
    crash_disk_remount(&s->disk);
    follow(s);
}

static void plan_anew(scene *s, uint64_t number)
{
    crash_plan_init(&s->first, s->seed * 7919 + number, 1);
    s->first.commit_count = 0;
    crash_plan_branch(&s->plan, &s->first, crash_load_of("mixed"), 0, 0, 0);
    for (int i = 0; i < 3; i++)
        atomic_store(&s->memory->counters[i], 0);
    (void)snprintf(s->dir, sizeof s->dir, "%s/store-%" PRIu64, s->disk.dir, number);
}

/* False, and why, when this kind cannot be had. */
static bool cut_one_disk(scene *s, const crash_disk_kind *kind, uint64_t cuts, tally *t,
                         const char **ret_why)
{
    uint64_t stores = 0;
    if (!crash_disk_new(&s->disk, kind, ret_why))
        return false;
    plan_anew(s, stores);
    for (uint64_t i = 0; i < cuts && t->violations == 0; i++, s->cut++) {
        cut_once(s, (unsigned)rng_below(&s->random, CRASH_DISK_CUTS), t);
        if (s->plan.commit_count < COMMITS_MAX)
            continue;
        crash_plan_done(&s->plan);
        crash_plan_done(&s->first);
        plan_anew(s, ++stores);
    }
    crash_plan_done(&s->plan);
    crash_plan_done(&s->first);
    crash_disk_free(&s->disk);
    return true;
}

static void print_line(const tally *t, const char *kinds)
{
    (void)printf("%" PRIu64 " trials, %" PRIu64 " violations; cuts of%s; %" PRIu64
                 " before the open had returned, %" PRIu64 " met by a call, %" PRIu64
                 " after a clean close; deaths by a signal: %" PRIu64 "\n",
                 t->cuts, t->violations, kinds, t->in_recovery, t->errors_met, t->closed,
                 t->signals);
    (void)fflush(stdout);
}

/* Rounds over all kinds until N cuts were made or BOUND seconds have passed. */
static int run(uint64_t cuts, uint64_t per_disk)
{
    scene s = {.seed = test_seed(test_fresh_seed()), .memory = shared_new(sizeof *s.memory)};
    const char *why, *only = getenv("KIND");
    char names[200] = "";
    uint64_t end_ns = test_end_ns(3600);
    tally t = {0};
    bool any = true;
    s.random.state = s.seed;
    for (unsigned round = 0; any && t.cuts < cuts && t.violations == 0 && test_now_ns() < end_ns;
         round++)
        for (unsigned k = any = 0; crash_disk_kind_at(k) != NULL && t.violations == 0; k++) {
            const crash_disk_kind *kind = crash_disk_kind_at(k);
            if ((only != NULL && strcmp(only, kind->name) != 0) || test_now_ns() >= end_ns)
                continue;
            bool had = cut_one_disk(&s, kind, per_disk, &t, &why);
            any = any || had;
            if (round == 0 && had)
                (void)snprintf(names + strlen(names), sizeof names - strlen(names), " %s",
                               kind->name);
            if (round == 0 && !had)
                (void)printf("%s: not tested: %s\n", kind->name, why);
        }
    if (t.cuts == 0) {
        (void)printf("skipped: no file system could be made and mounted\n");
        return 77;
    }
    print_line(&t, names);
    return t.violations != 0;
}

int main(int argc, char **argv)
{
    const char *why;
    if (!crash_disk_possible(&why)) {
        (void)printf("%s\n", why);
        return 77;
    }
    if (test_is_campaign(argc, argv))
        return run(test_number("N", 2000), CUTS_PER_DISK);
    return run(1, CUTS_SHORT);
}
