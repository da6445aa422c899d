/* SPDX-License-Identifier: MIT */
/* model_child.c - a script in a child process, and the shrinking of one that fails. */
#include "model/model.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A script takes a second or two; one that hangs is a failure with a name. Sanitizers are slow. */
#define HANG_SECONDS    240
#define HANG_OPERATIONS 50 /* in a long one: so many a second at least */
/* While shrinking, where a hang is tried again and again, and all of that together. */
#define HANG_SECONDS_SHRINKING 20
#define SHRINK_SECONDS         120

static void child(model_child_fn run, void *arg, bool quiet, unsigned seconds, int pipe_fd)
{
    FILE *report = fdopen(pipe_fd, "w");
    if (quiet) {
        int null_fd = open("/dev/null", O_WRONLY);
        (void)dup2(null_fd, STDERR_FILENO);
        (void)dup2(null_fd, STDOUT_FILENO);
    }
    (void)alarm(seconds);
    run(arg, report);
    (void)fclose(report);
    exit(0);
}

static void read_report(int fd, char *ret_report, size_t capacity)
{
    size_t size = 0;
    ssize_t n;
    while (size + 1 < capacity && (n = read(fd, ret_report + size, capacity - 1 - size)) > 0)
        size += (size_t)n;
    ret_report[size] = '\0';
    (void)close(fd);
}

static bool run_for(unsigned seconds, model_child_fn run, void *arg, bool quiet, char *ret_report,
                    size_t capacity)
{
    int fds[2], status = 0;
    (void)fflush(NULL);
    if (pipe(fds) != 0)
        abort();
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(fds[0]);
        child(run, arg, quiet, seconds, fds[1]);
    }
    (void)close(fds[1]);
    read_report(fds[0], ret_report, capacity);
    (void)waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    model_dir_sweep(pid);
    if (ret_report[0] == '\0' && WIFSIGNALED(status))
        (void)snprintf(ret_report, capacity, "%s (signal %d)\n",
                       WTERMSIG(status) == SIGALRM ? "it hangs" : "it crashed", WTERMSIG(status));
    else if (ret_report[0] == '\0')
        (void)snprintf(ret_report, capacity, "it ended with status %d\n", WEXITSTATUS(status));
    return false;
}

bool model_in_child(model_child_fn run, void *arg, bool quiet, char *ret_report, size_t capacity)
{
    return run_for(quiet ? HANG_SECONDS_SHRINKING : HANG_SECONDS, run, arg, quiet, ret_report,
                   capacity);
}

static void run_script(void *arg, FILE *report)
{
    uint64_t operations = 0, option_sets = 0;
    model_run(arg, report, &operations, &option_sets);
    (void)fprintf(report, "%llu %llu", (unsigned long long)operations,
                  (unsigned long long)option_sets);
}

bool model_try(const model_script *s, bool quiet, model_result *ret_result)
{
    model_script script = *s; /* the child only reads it */
    *ret_result = (model_result){0};
    unsigned seconds =
        quiet ? HANG_SECONDS_SHRINKING : HANG_SECONDS + (unsigned)(s->count / HANG_OPERATIONS);
    ret_result->ok =
        run_for(seconds, run_script, &script, quiet, ret_result->report, sizeof ret_result->report);
    if (ret_result->ok)
        (void)sscanf(ret_result->report, "%" SCNu64 " %" SCNu64, &ret_result->operations,
                     &ret_result->option_sets);
    return ret_result->ok;
}

/* --- shrinking --- */

typedef struct shrinker {
    model_script *script;
    model_result *result;
    unsigned tries; /* left */
    time_t end;     /* no more tries after that */
} shrinker;

/* Takes over `candidate` when it fails too. */
static bool accept(shrinker *h, model_script *candidate)
{
    model_result result;
    if (time(NULL) >= h->end)
        h->tries = 0;
    if (h->tries == 0 || model_try(candidate, true, &result)) {
        h->tries -= h->tries > 0;
        model_script_done(candidate);
        return false;
    }
    h->tries--;
    model_script_done(h->script);
    *h->script = *candidate;
    *h->result = result;
    return true;
}

/* Without [from, from + n). The first operation opens the store and stays. */
static bool drop_part(shrinker *h, size_t from, size_t n)
{
    model_script candidate;
    size_t count = h->script->count;
    bool *keep = malloc(count * sizeof *keep);
    for (size_t i = 0; i < count; i++)
        keep[i] = i == 0 || i < from || i >= from + n;
    model_script_pick(h->script, keep, &candidate);
    free(keep);
    return accept(h, &candidate);
}

static void drop_parts(shrinker *h)
{
    for (size_t n = h->script->count / 2; n >= 1 && h->tries > 0; n /= 2)
        for (size_t end = h->script->count; end > 1 && h->tries > 0;) {
            size_t from = end > n + 1 ? end - n : 1;
            (void)drop_part(h, from, end - from);
            end = from;
        }
}

/* A copy with one number changed. */
static bool try_number(shrinker *h, size_t op, int64_t *(*number)(model_op *, int), int which,
                       int64_t value)
{
    model_script candidate;
    bool *keep = malloc(h->script->count * sizeof *keep);
    memset(keep, 1, h->script->count * sizeof *keep);
    int64_t *now = number(&h->script->ops[op], which);
    bool same = now == NULL || *now == value;
    if (!same) {
        model_script_pick(h->script, keep, &candidate);
        *number(&candidate.ops[op], which) = value;
    }
    free(keep);
    return !same && accept(h, &candidate);
}

static int64_t *option_number(model_op *op, int which)
{
    return op->options ? &op->options->field[which] : NULL;
}

static int64_t *count_number(model_op *op, int which)
{
    (void)which;
    return op->kind == MODEL_load || op->kind == MODEL_wipe ? &op->n : NULL;
}

static void simplify(shrinker *h)
{
    for (size_t op = 0; op < h->script->count && h->tries > 0; op++) {
        for (int i = 0; i < MODEL_OPTION_COUNT && h->tries > 0; i++)
            (void)try_number(h, op, option_number, i, model_option_simplest((model_option)i));
        const int64_t *n = count_number(&h->script->ops[op], 0);
        while (n != NULL && *n > 1 && try_number(h, op, count_number, 0, *n / 2))
            n = count_number(&h->script->ops[op], 0);
    }
}

void model_shrink(model_script *io_script, model_result *io_result, unsigned tries)
{
    shrinker h = {io_script, io_result, tries, time(NULL) + SHRINK_SECONDS};
    size_t before;
    do {
        before = h.script->count;
        drop_parts(&h);
    } while (h.script->count < before && h.tries > 0);
    simplify(&h);
    drop_parts(&h);
}
