/* SPDX-License-Identifier: MIT */
/*
 * test_kill.c - a writing process is killed with SIGKILL, again and again, on the real disk. What
 * had returned is there; what follows is written to the same store. ctest: timeout=300
 *
 *     SEED=1 N=50 crash_test_kill
 */
#include "crash/crash.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define COMMITS    1000
#define KILLS_MANY 10

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
    for (; at < COMMITS; at++) {
        (void)!write(s->pipe[1], "c", 1);
        crash_go_on(&r, at, at + 1);
    }
    crash_close(&r);
}

/* Kills the writer once it has told of so many commits. False when it ended by itself in another
 * way than well. */
static bool kill_after(scene *s, uint64_t commits)
{
    int status = 0;
    char byte;
    assert_int_equal(pipe(s->pipe), 0);
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
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    (void)close(s->pipe[0]);
    return (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
           (WIFEXITED(status) && WEXITSTATUS(status) == 0);
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

static void everything_that_returned_survives_sigkill(void **state)
{
    (void)state;
    uint64_t seed = model_seed(model_fresh_seed()), kills = model_number("N", KILLS_MANY);
    model_random random = {seed};
    scene s = {.memory = mmap(NULL, sizeof *s.memory, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
    char report[2048];
    const char *tmp = getenv("TMPDIR");
    assert_true(s.memory != MAP_FAILED);
    (void)snprintf(s.dir, sizeof s.dir, "%.150s/peat-kill-%d", tmp ? tmp : "/tmp", (int)getpid());
    print_message("seed %" PRIu64 "\n", seed);
    crash_plan_init(&s.plan, seed, COMMITS);
    s.plan.options.field[MODEL_OPTION_no_log] = 0;
    for (uint64_t i = 0; i < kills; i++)
        assert_true(kill_after(&s, model_below(&random, 2 * COMMITS / kills)));
    if (!model_in_child(verify_end, &s, false, report, sizeof report))
        fail_msg("%s", report);
    print_message("%" PRIu64 " kills, %" PRIu64 " commits\n", kills,
                  atomic_load(&s.memory->counters[1]));
    assert_int_equal(peat_destroy(s.dir, NULL), PEAT_OK);
    crash_plan_done(&s.plan);
    assert_int_equal(munmap(s.memory, sizeof *s.memory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_that_returned_survives_sigkill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
