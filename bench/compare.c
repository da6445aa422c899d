/* SPDX-License-Identifier: MIT */
/*
 * compare.c - interleaved runs.
 *
 * A figure drifts with the machine, so engines take turns: round 1 a b, round 2 b a, and so on,
 * each run a fresh process (this program again, with --engine). The ratio is taken within a round
 * and its median over the rounds is reported beside the medians of the rates.
 */
#include "compare.h"
#include "engine.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENGINES_MAX   8
#define WORKLOADS_MAX 64
#define ROUNDS_MAX    99

typedef struct table {
    size_t engines, workloads;
    char engine[ENGINES_MAX][32];
    char workload[WORKLOADS_MAX][32];
    double rate[ENGINES_MAX][WORKLOADS_MAX][ROUNDS_MAX];
} table;

static size_t split(const char *list, char ret_names[ENGINES_MAX][32])
{
    size_t count = 0;
    while (*list && count < ENGINES_MAX) {
        size_t size = strcspn(list, ",");
        snprintf(ret_names[count++], 32, "%.*s", (int)size, list);
        list += size + (list[size] == ',');
    }
    return count;
}

/* The same command line for one engine: what comes later on it counts. */
static pid_t spawn(int argc, char **argv, const char *engine, bool to_pipe, FILE **ret_from)
{
    char engine_arg[64];
    int fds[2] = {-1, -1};
    char **args = calloc((size_t)argc + 6, sizeof *args);
    if (!args || (to_pipe && pipe(fds) != 0))
        abort();
    memcpy(args, argv, (size_t)argc * sizeof *args);
    snprintf(engine_arg, sizeof engine_arg, "--engine=%s", engine);
    args[argc] = engine_arg;
    args[argc + 1] = (char *)"--compare=";
    if (to_pipe) {
        args[argc + 2] = (char *)"--output=json";
        args[argc + 3] = (char *)"--json=";
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (to_pipe && dup2(fds[1], STDOUT_FILENO) < 0)
            _exit(126);
        execv("/proc/self/exe", args);
        _exit(127);
    }
    free(args);
    if (to_pipe) {
        close(fds[1]);
        *ret_from = fdopen(fds[0], "r");
    }
    return pid;
}

static int wait_for(pid_t pid)
{
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return 3;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

/* Our own lines, so a search for the member's name is enough. */
static bool member(const char *line, const char *name, char *ret_text, size_t text_size)
{
    char find[64];
    snprintf(find, sizeof find, "\"%s\":", name);
    const char *at = strstr(line, find);
    if (!at)
        return false;
    at += strlen(find) + (at[strlen(find)] == '"');
    snprintf(ret_text, text_size, "%.*s", (int)strcspn(at, "\",}"), at);
    return true;
}

static size_t workload_index(table *t, const char *name)
{
    size_t i = 0;
    while (i < t->workloads && strcmp(t->workload[i], name) != 0)
        i++;
    if (i == WORKLOADS_MAX)
        return i;
    if (i == t->workloads)
        snprintf(t->workload[t->workloads++], 32, "%.31s", name);
    return i;
}

static void take_line(table *t, size_t engine, size_t round, const char *line)
{
    char name[32], rate[32];
    if (!member(line, "workload", name, sizeof name) ||
        !member(line, "ops_per_s", rate, sizeof rate))
        return;
    size_t w = workload_index(t, name);
    if (w < WORKLOADS_MAX)
        t->rate[engine][w][round] = strtod(rate, NULL);
    fprintf(stderr, "round %zu  %-11s %-17s %12s op/s\n", round + 1, t->engine[engine], name, rate);
}

static int run_one(table *t, const pb_options *o, size_t engine, size_t round, int argc,
                   char **argv)
{
    char line[8192];
    FILE *from = NULL;
    pid_t pid = spawn(argc, argv, t->engine[engine], true, &from);
    while (from && fgets(line, sizeof line, from)) {
        line[strcspn(line, "\n")] = '\0';
        take_line(t, engine, round, line);
        pb_report_append(o, line);
        if (!pb_report_as_table(o))
            printf("%s\n", line);
    }
    if (from)
        fclose(from);
    return wait_for(pid);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, size_t count)
{
    double sorted[ROUNDS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (values[i] > 0)
            sorted[n++] = values[i];
    if (n == 0)
        return 0;
    qsort(sorted, n, sizeof *sorted, by_size);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

typedef struct ratio {
    double low, median, high;
} ratio;

static ratio compute_ratio(const table *t, size_t engine, size_t workload, size_t rounds)
{
    double each[ROUNDS_MAX] = {0};
    ratio r = {0};
    for (size_t i = 0; i < rounds; i++) {
        double base = t->rate[engine][workload][i];
        each[i] = base > 0 ? t->rate[0][workload][i] / base : 0;
        if (each[i] > 0 && (r.low <= 0 || each[i] < r.low))
            r.low = each[i];
        if (each[i] > r.high)
            r.high = each[i];
    }
    r.median = median(each, rounds);
    return r;
}

static void print_ratio(const table *t, const pb_options *o, size_t workload, size_t engine)
{
    char line[512];
    ratio r = compute_ratio(t, engine, workload, o->pairs);
    double ours = median(t->rate[0][workload], o->pairs);
    double theirs = median(t->rate[engine][workload], o->pairs);
    if (r.median <= 0)
        return;
    snprintf(line, sizeof line,
             "{\"compare\":\"%s\",\"with\":\"%s\",\"workload\":\"%s\",\"rounds\":%llu,"
             "\"ops_per_s\":%.0f,\"with_ops_per_s\":%.0f,\"ratio\":%.3f,\"ratio_low\":%.3f,"
             "\"ratio_high\":%.3f}",
             t->engine[0], t->engine[engine], t->workload[workload], (unsigned long long)o->pairs,
             ours, theirs, r.median, r.low, r.high);
    pb_report_append(o, line);
    if (pb_report_as_table(o))
        printf("%-17s %-11s %12.0f  %-11s %12.0f  %6.2fx  (%.2f to %.2f)\n", t->workload[workload],
               t->engine[0], ours, t->engine[engine], theirs, r.median, r.low, r.high);
    else
        printf("%s\n", line);
}

int pb_compare(const pb_options *o, int argc, char **argv)
{
    int rc = 0;
    table *t = calloc(1, sizeof *t);
    if (!t || o->pairs < 1 || o->pairs > ROUNDS_MAX) {
        fprintf(stderr, "peat-bench: --pairs must be 1 to %d\n", ROUNDS_MAX);
        free(t);
        return 2;
    }
    t->engines = split(o->compare, t->engine);
    for (size_t round = 0; round < o->pairs && rc == 0; round++)
        for (size_t i = 0; i < t->engines && rc == 0; i++)
            rc = run_one(t, o, round % 2 ? t->engines - 1 - i : i, round, argc, argv);
    for (size_t w = 0; w < t->workloads; w++)
        for (size_t e = 1; e < t->engines; e++)
            print_ratio(t, o, w, e);
    free(t);
    return rc;
}

int pb_run_each(const pb_options *o, int argc, char **argv)
{
    char names[ENGINES_MAX][32];
    size_t count = split(o->engines, names);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = wait_for(spawn(argc, argv, names[i], false, NULL));
    return rc;
}
