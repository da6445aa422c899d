/* SPDX-License-Identifier: MIT */
/*
 * fd_reclaim.h - the environment's calls that need a descriptor of their own. When there is none
 * left (EMFILE, ENFILE) the sink's reclaim gives some back, and the call is made again. Where there
 * are none to give back, what holds them is mostly about to let them go: outputs of merges, a
 * segment of the log or a manifest that takes the place of another. So it is tried for a while.
 */
#ifndef PT_ENV_FD_RECLAIM_H
#define PT_ENV_FD_RECLAIM_H

#include "base/fail.h"
#include "env/env.h"

/* So often, 2 ms apart: a merge that ends syncs its output before it lets go. */
#define PT_FD_RECLAIM_WAITS 1000u

/* The reclaim has found nothing, *io_waits times so far. Waits; false: that was often enough. */
bool pt_fd_reclaim_wait(const pt_env *env, unsigned *io_waits);

/* True when the system or the process has no descriptor left. */
bool pt_out_of_files(int os_errno);

/* As env->file_open. */
int pt_file_open(const pt_env *env, pt_dir *dir, const pt_sink *sink, const char *name,
                 unsigned flags, pt_file **ret_file) PT_MUST_USE;
/* As env->dir_list, which opens before it calls `each` for the first time. */
int pt_dir_list(const pt_env *env, pt_dir *dir, const pt_sink *sink, peat_env_list_fn each,
                void *arg) PT_MUST_USE;

#endif
