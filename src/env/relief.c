/* SPDX-License-Identifier: MIT */
/* relief.c - see relief.h. Calls are made again once more after the relief found nothing: what it
 * looked for may have been given back between the refusal and its look. */
#include "env/relief.h"

#include <errno.h>

bool pt_out_of_files(int os_errno)
{
    return os_errno == EMFILE || os_errno == ENFILE;
}

/* True: the call that answered `os_errno` shall be made again. */
static bool once_more(const pt_sink *sink, int os_errno, bool *io_last)
{
    if (!pt_out_of_files(os_errno) || sink->relief.fn == NULL || *io_last)
        return false;
    *io_last = !sink->relief.fn(sink->relief.ctx);
    return true;
}

int pt_file_open(const pt_env *env, pt_dir *dir, const pt_sink *sink, const char *name,
                 unsigned flags, pt_file **ret_file)
{
    bool last = false;
    int e;
    do
        e = env->file_open(env->ctx, dir, name, flags, ret_file);
    while (once_more(sink, e, &last));
    return e;
}

int pt_dir_list(const pt_env *env, pt_dir *dir, const pt_sink *sink, peat_env_list_fn each,
                void *arg)
{
    bool last = false;
    int e;
    do
        e = env->dir_list(env->ctx, dir, each, arg);
    while (once_more(sink, e, &last));
    return e;
}
