/* SPDX-License-Identifier: MIT */
/* faults_trace.c - see faults_trace.h. */
#include "faults/faults_trace.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __x86_64__

#define THREADS_MAX 16

/* A thread stops before a call and after it, in turn. */
typedef struct thread_state {
    pid_t tid;
    bool inside;
    bool fails; /* the call under way was replaced by none */
} thread_state;

typedef struct tracer {
    faults_trace *t;
    pid_t pid;
    thread_state threads[THREADS_MAX];
} tracer;

static thread_state *state_of(tracer *r, pid_t tid)
{
    for (size_t i = 0; i < THREADS_MAX; i++)
        if (r->threads[i].tid == tid || r->threads[i].tid == 0) {
            r->threads[i].tid = tid;
            return &r->threads[i];
        }
    abort();
}

static void forget(tracer *r, pid_t tid)
{
    for (size_t i = 0; i < THREADS_MAX; i++)
        if (r->threads[i].tid == tid)
            r->threads[i] = (thread_state){.tid = -1};
}

/* Calls through which an environment works on files, and which may fail for lack of luck. */
static bool touches_files(long call)
{
    static const long calls[] = {SYS_openat,    SYS_pread64,    SYS_pwrite64,   SYS_fsync,
                                 SYS_fdatasync, SYS_fallocate,  SYS_ftruncate,  SYS_unlinkat,
                                 SYS_fstat,     SYS_newfstatat, SYS_getdents64, SYS_mkdirat,
                                 SYS_mkdir,     SYS_msync,      SYS_getrandom,  SYS_fcntl};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i] == call)
            return true;
    return false;
}

/* Of those, the ones that a signal may interrupt. */
static bool is_interruptible(long call)
{
    return call == SYS_openat || call == SYS_pread64 || call == SYS_pwrite64 || call == SYS_fsync ||
           call == SYS_fdatasync || call == SYS_fallocate || call == SYS_ftruncate ||
           call == SYS_msync || call == SYS_getrandom;
}

static bool due(const faults_trace *t, uint64_t count)
{
    return count == t->nth || (t->sticky && count > t->nth);
}

static void before_call(tracer *r, thread_state *th)
{
    faults_trace *t = r->t;
    struct user_regs_struct regs;
    t->calls++;
    if (t->act == FAULTS_TRACE_KILL) {
        if (t->calls == t->nth)
            t->killed = kill(r->pid, SIGKILL) == 0;
        return;
    }
    if (ptrace(PTRACE_GETREGS, th->tid, NULL, &regs) != 0)
        return;
    long call = (long)regs.orig_rax;
    bool transfer = call == SYS_pread64 || call == SYS_pwrite64;
    if (!touches_files(call) || (t->error == EINTR && !is_interruptible(call)))
        return;
    t->file_calls++;
    t->transfers += transfer;
    if (t->act == FAULTS_TRACE_SHORT && transfer && t->transfers == t->nth && regs.rdx > 1) {
        regs.rdx /= 2;
        (void)ptrace(PTRACE_SETREGS, th->tid, NULL, &regs);
    } else if (t->act == FAULTS_TRACE_ERROR && due(t, t->file_calls)) {
        regs.orig_rax = (unsigned long long)-1;
        th->fails = ptrace(PTRACE_SETREGS, th->tid, NULL, &regs) == 0;
        /* an interrupted call is to be made again; a sync is not */
        if (t->error != EINTR || call == SYS_fsync || call == SYS_fdatasync || call == SYS_msync)
            atomic_fetch_add(t->hits, 1);
    }
}

static void after_call(tracer *r, thread_state *th)
{
    struct user_regs_struct regs;
    if (!th->fails || ptrace(PTRACE_GETREGS, th->tid, NULL, &regs) != 0)
        return;
    th->fails = false;
    regs.rax = (unsigned long long)(long long)-r->t->error;
    (void)ptrace(PTRACE_SETREGS, th->tid, NULL, &regs);
}

/* One stop of one thread; returns the signal it goes on with. */
static int handle_stop(tracer *r, pid_t tid, int status)
{
    int signal_number = WSTOPSIG(status);
    if (signal_number == (SIGTRAP | 0x80)) {
        thread_state *th = state_of(r, tid);
        th->inside = !th->inside;
        if (th->inside)
            before_call(r, th);
        else
            after_call(r, th);
        return 0;
    }
    if (signal_number == SIGTRAP || signal_number == SIGSTOP)
        return 0; /* a new thread */
    return signal_number;
}

static void follow(tracer *r)
{
    time_t end = time(NULL) + (time_t)r->t->timeout_seconds;
    for (;;) {
        int status = 0;
        pid_t tid = waitpid(-1, &status, __WALL);
        if (tid < 0)
            return;
        if (WIFSTOPPED(status)) {
            int signal_number = handle_stop(r, tid, status);
            (void)ptrace(PTRACE_SYSCALL, tid, NULL, (void *)(intptr_t)signal_number);
        } else if (tid == r->pid) {
            r->t->status = status;
            return;
        } else {
            forget(r, tid);
        }
        if (!r->t->hung && time(NULL) >= end) {
            r->t->hung = true;
            (void)kill(r->pid, SIGKILL);
        }
    }
}

bool faults_trace_run(faults_trace *t, void (*run)(void *arg), void *arg)
{
    tracer r = {.t = t};
    int status = 0;
    (void)fflush(NULL);
    r.pid = fork();
    if (r.pid == 0) {
        (void)alarm((unsigned)t->timeout_seconds); /* also where nothing is called */
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(77);
        (void)raise(SIGSTOP);
        run(arg);
        exit(0);
    }
    if (waitpid(r.pid, &status, 0) != r.pid || !WIFSTOPPED(status))
        return false;
    (void)ptrace(PTRACE_SETOPTIONS, r.pid, NULL,
                 (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL));
    (void)ptrace(PTRACE_SYSCALL, r.pid, NULL, NULL);
    follow(&r);
    t->hung = t->hung || (WIFSIGNALED(t->status) && WTERMSIG(t->status) == SIGALRM);
    if (t->killed && WIFSIGNALED(t->status) && WTERMSIG(t->status) == SIGKILL)
        return true;
    return !t->hung && WIFEXITED(t->status) && WEXITSTATUS(t->status) == 0;
}

static void nothing(void *arg)
{
    (void)arg;
}

bool faults_trace_works(void)
{
    faults_trace t = {.act = FAULTS_TRACE_COUNT, .timeout_seconds = 60};
    return faults_trace_run(&t, nothing, NULL) && t.calls > 0;
}

#else

bool faults_trace_run(faults_trace *t, void (*run)(void *arg), void *arg)
{
    (void)t;
    (void)run;
    (void)arg;
    return false;
}

bool faults_trace_works(void)
{
    return false;
}

#endif
