/* SPDX-License-Identifier: MIT */
/*
 * work_open.c - how long opening takes, until the first get has been answered: after a clean
 * close, and after the process was killed with SIGKILL while its log was full.
 */
#include "run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int get_checked(pb_bench *b, void *handle, uint64_t id)
{
    char key_buf[PB_KEY_MAX + 1];
    pb_slice value;
    int rc = b->engine->get(handle, pb_key_make(&b->keys, id, key_buf), &value);
    if (rc == PB_OK && pb_value_check(&b->values, id, value, b->expect, true))
        return PB_OK;
    fprintf(stderr, "peat-bench: %s: WRONG RESULT after reopening: id %llu is %s\n",
            b->engine->name, (unsigned long long)id,
            rc == PB_OK ? "another value" : "not readable");
    return PB_ERROR;
}

static int timed_open(pb_bench *b, uint64_t id, pb_result *io_result)
{
    void *handle;
    uint64_t begun = pb_ticks(&b->clock), start = pb_now_ns();
    if (pb_store_open(b, false) != PB_OK || b->engine->handle_open(b->store, &handle) != PB_OK)
        return PB_ERROR;
    int rc = get_checked(b, handle, id);
    io_result->seconds += (double)(pb_now_ns() - start) * 1e-9;
    pb_hist_add(&io_result->hist, pb_ticks(&b->clock) - begun);
    io_result->ops++;
    b->engine->handle_close(handle);
    return rc;
}

static int reopen(pb_bench *b, const pb_workload *w, pb_result *io_result)
{
    double close_s = 0;
    for (uint64_t i = 0; i < w->param; i++) {
        uint64_t start = pb_now_ns();
        if (pb_store_close(b) != PB_OK)
            return PB_ERROR;
        close_s += (double)(pb_now_ns() - start) * 1e-9;
        if (timed_open(b, pb_mix(i) % b->records, io_result) != PB_OK)
            return PB_ERROR;
    }
    snprintf(io_result->extra, sizeof io_result->extra, ",\"open_ms\":%.2f,\"close_ms\":%.2f",
             io_result->seconds * 1e3 / (double)io_result->ops,
             close_s * 1e3 / (double)io_result->ops);
    return PB_OK;
}

/* --- after a kill --------------------------------------------------------------------------- */

static uint64_t kill_count(const pb_bench *b)
{
    uint64_t count = (b->options->kill_mib << 20) / (b->keys.size + b->values.size);
    return count < b->records ? count : b->records;
}

/* In the child: overwrite the first ids with the next generation and die without a word. */
static int write_and_die(pb_worker *w)
{
    const pb_bench *b = w->bench;
    char key_buf[PB_KEY_MAX + 1];
    uint64_t count = kill_count(b);
    pb_perm perm;
    pb_perm_init(&perm, count, 7);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t id = pb_perm_at(&perm, i);
        pb_slice key = pb_key_make(&b->keys, id, key_buf);
        if (b->engine->put(w->handle, key, pb_value_make(&b->values, id, w->gen, w->value)) !=
            PB_OK)
            return PB_ERROR;
    }
    raise(SIGKILL);
    return PB_ERROR;
}

static int spawn_writer(pb_bench *b)
{
    const pb_options *o = b->options;
    char args[11][64], *argv[16];
    int n = 0;
    snprintf(args[0], sizeof args[0], "--records=%llu", (unsigned long long)b->records);
    snprintf(args[1], sizeof args[1], "--generation=%u", b->expect.gen_max);
    snprintf(args[2], sizeof args[2], "--kill-mib=%llu", (unsigned long long)o->kill_mib);
    snprintf(args[3], sizeof args[3], "--memory=%llu", (unsigned long long)o->memory_mib);
    snprintf(args[4], sizeof args[4], "--key-size=%zu", b->keys.size);
    snprintf(args[5], sizeof args[5], "--value-size=%zu", b->values.size);
    snprintf(args[6], sizeof args[6], "--seed=%llu", (unsigned long long)o->seed);
    snprintf(args[7], sizeof args[7], "--ratio=%.9f", o->ratio);
    snprintf(args[8], sizeof args[8], "--keys=%s", b->ycsb ? "hashed" : o->keys);
    snprintf(args[9], sizeof args[9], "--engine=%s", b->engine->name);
    snprintf(args[10], sizeof args[10], "--compression=%s", o->compression);
    argv[n++] = (char *)"peat-bench";
    for (int i = 0; i < 11; i++)
        argv[n++] = args[i];
    char dir[4200];
    snprintf(dir, sizeof dir, "--dir=%s", o->dir);
    argv[n++] = dir;
    argv[n++] = (char *)"--workloads=killself";
    argv[n++] = (char *)"--use-existing";
    argv[n++] = NULL;

    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stdout))
            _exit(126);
        execv("/proc/self/exe", argv);
        _exit(127);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) ||
        WTERMSIG(status) != SIGKILL) {
        fprintf(stderr, "peat-bench: %s: the writer did not die by SIGKILL\n", b->engine->name);
        return PB_ERROR;
    }
    return PB_OK;
}

/* Every write of the child had returned, so every one must be there. */
static int check_survivors(pb_bench *b, uint64_t count)
{
    void *handle;
    pb_expect before = b->expect;
    int rc = b->engine->handle_open(b->store, &handle);
    if (rc != PB_OK)
        return rc;
    b->expect.gen_min = b->expect.gen_max;
    for (uint64_t id = 0; id < count && rc == PB_OK; id++)
        rc = get_checked(b, handle, id);
    b->engine->handle_close(handle);
    b->expect.gen_min = before.gen_min;
    return rc;
}

static int reopen_killed(pb_bench *b, const pb_workload *w, pb_result *io_result)
{
    uint64_t count = kill_count(b);
    (void)w;
    if (pb_store_close(b) != PB_OK || spawn_writer(b) != PB_OK)
        return PB_ERROR;
    b->expect.gen_max++;
    if (timed_open(b, 0, io_result) != PB_OK || check_survivors(b, count) != PB_OK)
        return PB_ERROR;
    snprintf(io_result->extra, sizeof io_result->extra,
             ",\"open_ms\":%.2f,\"written_before_kill\":%llu,\"lost\":0", io_result->seconds * 1e3,
             (unsigned long long)count);
    return PB_OK;
}

const pb_workload pb_open_workloads[] = {
    {"reopen", "close and open 5 times, up to the first get", PB_LOADED, 5, NULL, reopen},
    {"reopenkill", "the same once, after a kill; every returned write must be there", PB_LOADED, 0,
     NULL, reopen_killed},
    {"killself", NULL, PB_LOADED | PB_WRITES, 0, write_and_die, NULL},
    {.name = NULL},
};
