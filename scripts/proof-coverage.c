/* SPDX-License-Identifier: MIT */
/*
 * proof-coverage.c - linked into test programs by proof-coverage.py, so that every process of a
 * proof writes what it ran: a child that leaves by _exit, and one that its parent kills. The kill
 * becomes a signal upon which the child writes its profile and then kills itself. Only with
 * PROOF_COVERAGE_KILLS, which is not for those who kill by ptrace.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>

void __gcov_dump(void);
void __real__exit(int status) __attribute__((noreturn));
int __real_kill(pid_t pid, int number);
void __wrap__exit(int status) __attribute__((noreturn));
int __wrap_kill(pid_t pid, int number);

static int kills_are_soft(void)
{
    return getenv("PROOF_COVERAGE_KILLS") != NULL;
}

void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}

int __wrap_kill(pid_t pid, int number)
{
    return __real_kill(pid, number == SIGKILL && kills_are_soft() ? SIGUSR2 : number);
}

static void die(int number)
{
    (void)number;
    __gcov_dump();
    (void)raise(SIGKILL);
}

__attribute__((constructor)) static void listen(void)
{
    if (kills_are_soft())
        (void)signal(SIGUSR2, die);
}
