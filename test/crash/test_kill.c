/* SPDX-License-Identifier: MIT */
/*
 * test_kill.c - a writing process is killed with SIGKILL, again and again, on the real disk. What
 * had returned is there; what follows is written to the same store. ctest: timeout=300
 *
 *     SEED=1 N=50 crash_test_kill
 *     SEED=1 N=20000 BOUND=600 crash_test_kill --campaign     store after store
 */
#include "crash/crash.h"
#include "world/shared.h"
#include "world/test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMMITS    1000
#define KILLS_MANY 10
#define PIECE      12 /* commits through a queue between two waits for all of them */
/* A life of the campaign's: so many commits at most, then so many nanoseconds. */
#define LIFE_COMMITS 50
#define LIFE_NS      400000
/* Or a kill while the store is opened, which takes about as long. */
#define OPENING_NS 3000000

/* Seen by writer and killer. */
typedef struct shared {
    _Atomic uint64_t counters[3];
} shared;

typedef struct scene {
    crash_plan plan;
    shared *memory;
    int pipe[2]; /* the writer sends a byte when it is open and after each commit */
    char dir[200];
} scene;

static void join_shared(crash_run *r, const scene *s, FILE *report)
{
    crash_run_init(r, &s->plan, NULL, report);
    r->dir = s->dir;
    r->begun = &s->memory->counters[0];
    r->returned = &s->memory->counters[1];
    r->durable = &s->memory->counters[2];
}

/* Finds out where the plan stands, tells, and goes on until killed or done. */
static void write_on(void *arg, FILE *report)
{
    const scene *s = arg;
    crash_run r;
    join_shared(&r, s, report);
    uint64_t low = atomic_load(r.returned), high = atomic_load(r.begun);
    crash_open(&r, false);
    uint64_t at = crash_identify(&r, low, high);
    atomic_store(r.begun, at);
    atomic_store(r.returned, at);
    /* of a queue's commits some are outstanding when it is killed */
    uint64_t piece = s->plan.load->queue ? PIECE : 1;
    for (; at < COMMITS; at += piece) {
        piece = piece < COMMITS - at ? piece : COMMITS - at;
        for (uint64_t i = 0; i < piece; i++)
            (void)!write(s->pipe[1], "c", 1);
        crash_go_on(&r, at, at + piece);
    }
    crash_close(&r);
}

typedef enum life_end { LIFE_KILLED, LIFE_DONE, LIFE_WRONG } life_end;

/* Kills the writer once it has told of so many commits and so long a time has passed. */
static life_end kill_after(scene *s, uint64_t commits, uint64_t ns)
{
    int status = 0;
    char byte;
    if (pipe(s->pipe) != 0)
        abort();
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(240);
        (void)close(s->pipe[0]);
        write_on(s, stderr);
        exit(0);
    }
    (void)close(s->pipe[1]);
    while (commits-- > 0 && read(s->pipe[0], &byte, 1) == 1)
        continue;
    for (uint64_t end = test_now_ns() + ns; ns != 0 && test_now_ns() < end;)
        continue;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    (void)close(s->pipe[0]);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return LIFE_KILLED;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? LIFE_DONE : LIFE_WRONG;
}

static void verify_end(void *arg, FILE *report)
{
    const scene *s = arg;
    crash_run r;
    join_shared(&r, s, report);
    crash_open(&r, false);
    (void)crash_identify(&r, atomic_load(r.returned), atomic_load(r.begun));
    crash_check(&r);
    crash_close(&r);
}

static void scene_init(scene *s, const crash_load *load, uint64_t seed)
{
    const char *tmp = getenv("TMPDIR");
    *s = (scene){.memory = shared_new(sizeof *s->memory)};
    (void)snprintf(s->dir, sizeof s->dir, "%.150s/peat-kill-%d", tmp ? tmp : "/tmp", (int)getpid());
    crash_plan_init_load(&s->plan, load, seed, COMMITS);
    s->plan.options.field[MODEL_OPTION_no_log] = 0;
}

static void scene_done(scene *s)
{
    if (peat_destroy(s->dir, NULL) != PEAT_OK)
        (void)fprintf(stderr, "%s stays\n", s->dir);
    crash_plan_done(&s->plan);
    shared_free(s->memory, sizeof *s->memory);
}

static void kill_many(const crash_load *load)
{
    uint64_t seed = test_seed(test_fresh_seed()), kills = test_number("N", KILLS_MANY);
    rng random = {seed};
    char report[2048];
    scene s;
    print_message("seed %" PRIu64 "\n", seed);
    scene_init(&s, load, seed);
    for (uint64_t i = 0; i < kills; i++)
        assert_true(kill_after(&s, rng_below(&random, 2 * COMMITS / kills), 0) != LIFE_WRONG);
    if (!model_in_child(verify_end, &s, false, report, sizeof report))
        fail_msg("%s", report);
    print_message("%" PRIu64 " kills, %" PRIu64 " commits\n", kills,
                  atomic_load(&s.memory->counters[1]));
    scene_done(&s);
}

TEST_LINE(TEST, everything_that_returned_survives_sigkill, kill_many(crash_load_of("any")))
TEST_LINE(TEST, everything_a_queue_has_told_of_survives_sigkill,
          kill_many(crash_load_of("queue_threads")))

/* --- a campaign --- */

typedef struct campaign {
    uint64_t kills, kills_max, commits, stores;
    uint64_t end_ns; /* UINT64_MAX: none */
    unsigned violations;
} campaign;

static bool goes_on(const campaign *c)
{
    return c->kills < c->kills_max && test_now_ns() < c->end_ns && c->violations == 0;
}

/* One store, until its plan has been followed to the end. */
static void run_store(campaign *c, uint64_t seed)
{
    rng random = {seed ^ 0x6b696c6c};
    char report[2048] = "";
    scene s;
    life_end end = LIFE_KILLED;
    scene_init(&s, crash_load_of(seed % 3 == 0 ? "queue_threads" : "any"), seed);
    while (end == LIFE_KILLED && goes_on(c)) {
        bool opening = rng_below(&random, 4) == 0;
        uint64_t commits = opening ? 0 : 1 + rng_below(&random, LIFE_COMMITS);
        end = kill_after(&s, commits, rng_below(&random, opening ? OPENING_NS : LIFE_NS));
        c->kills += end == LIFE_KILLED;
    }
    if (end == LIFE_WRONG || !model_in_child(verify_end, &s, false, report, sizeof report)) {
        (void)fprintf(stderr, "%s\nSEED=%" PRIu64 " crash_test_kill --campaign; left in %s\n",
                      report, seed, s.dir);
        c->violations++;
        return;
    }
    c->commits += atomic_load(&s.memory->counters[1]);
    c->stores++;
    scene_done(&s);
}

TEST_CAMPAIGN
{
    uint64_t seed = test_seed(1), n = test_number("N", 0);
    campaign c = {.kills_max = n != 0 ? n : 20000, .end_ns = test_end_ns(0)};
    for (; goes_on(&c); seed++)
        run_store(&c, seed);
    print_message("%" PRIu64 " trials, %u violations; kills at random times, %" PRIu64
                  " stores, %" PRIu64 " commits\n",
                  c.kills, c.violations, c.stores, c.commits);
    return c.violations != 0;
}
