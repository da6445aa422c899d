/* SPDX-License-Identifier: MIT */
/* fd_reclaim.c - see fd_reclaim.h. */
#include "env/fd_reclaim.h"

#include <errno.h>

bool pt_out_of_files(int os_errno)
{
    return os_errno == EMFILE || os_errno == ENFILE;
}

#define WAIT_NS ((uint64_t)2 * 1000 * 1000)

bool pt_fd_reclaim_wait(const pt_env *env, unsigned *io_waits)
{
    if (*io_waits == PT_FD_RECLAIM_WAITS)
        return false;
    ++*io_waits;
    env->sleep_ns(env->ctx, WAIT_NS);
    return true;
}

/* True: the call that answered `os_errno` shall be made again. */
static bool again(const pt_env *env, const pt_sink *sink, int os_errno, unsigned *io_waits)
{
    if (!pt_out_of_files(os_errno) || sink->fd_reclaim.fn == NULL)
        return false;
    return sink->fd_reclaim.fn(sink->fd_reclaim.ctx) || pt_fd_reclaim_wait(env, io_waits);
}

static void lock(pt_mutex *gate)
{
    if (gate != NULL)
        pt_mutex_lock(gate);
}

static void unlock(pt_mutex *gate)
{
    if (gate != NULL)
        pt_mutex_unlock(gate);
}

int pt_file_open(const pt_env *env, pt_dir *dir, const pt_sink *sink, const char *name,
                 unsigned flags, pt_file **ret_file)
{
    unsigned waits = 0;
    int e;
    do {
        lock(sink->fd_reclaim.gate);
        e = env->file_open(env->ctx, dir, name, flags, ret_file);
        unlock(sink->fd_reclaim.gate);
    } while (again(env, sink, e, &waits));
    return e;
}

int pt_dir_list(const pt_env *env, pt_dir *dir, const pt_sink *sink, peat_env_list_fn each,
                void *arg)
{
    unsigned waits = 0;
    int e;
    do
        e = env->dir_list(env->ctx, dir, each, arg); /* `each` may open: no gate */
    while (again(env, sink, e, &waits));
    return e;
}
