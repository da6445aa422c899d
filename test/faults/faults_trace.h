/* SPDX-License-Identifier: MIT */
/*
 * faults_trace.h - runs something in a child whose system calls are counted (ptrace), and kills it
 * before the n-th, or makes the n-th that touches files fail. x86-64 only: elsewhere and where
 * ptrace is forbidden, faults_trace_works is false.
 */
#ifndef TEST_FAULTS_FAULTS_TRACE_H
#define TEST_FAULTS_FAULTS_TRACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum faults_trace_act {
    FAULTS_TRACE_COUNT,
    FAULTS_TRACE_KILL,  /* SIGKILL before the n-th system call of any kind */
    FAULTS_TRACE_ERROR, /* the n-th call on files does nothing and answers `error` */
    FAULTS_TRACE_SHORT  /* the n-th read or write is of half its length */
} faults_trace_act;

typedef struct faults_trace {
    faults_trace_act act;
    uint64_t nth; /* from 1 */
    bool sticky;  /* all later ones too; not for SHORT */
    int error;
    uint64_t timeout_seconds;
    _Atomic uint64_t *hits; /* shared with the child: calls that failed so far */
    /* results */
    uint64_t calls, file_calls, transfers; /* seen: all, on files, reads and writes */
    bool killed;                           /* by FAULTS_TRACE_KILL */
    bool hung;
    int status; /* as of waitpid */
} faults_trace;

bool faults_trace_works(void);
/* `run` in a child, whose threads are followed. False when the child ended in another way than by
 * returning or by being killed as asked. */
bool faults_trace_run(faults_trace *t, void (*run)(void *arg), void *arg);

#endif
