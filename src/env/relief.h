/* SPDX-License-Identifier: MIT */
/*
 * relief.h - the environment's calls that need a descriptor of their own. When there is none left
 * (EMFILE, ENFILE) the sink's relief gives some back, and the call is made again.
 */
#ifndef PT_ENV_RELIEF_H
#define PT_ENV_RELIEF_H

#include "base/fail.h"
#include "env/env.h"

/* True when the system or the process has no descriptor left. */
bool pt_out_of_files(int os_errno);

/* As env->file_open. */
int pt_file_open(const pt_env *env, pt_dir *dir, const pt_sink *sink, const char *name,
                 unsigned flags, pt_file **ret_file) PT_MUST_USE;
/* As env->dir_list, which opens before it calls `each` for the first time. */
int pt_dir_list(const pt_env *env, pt_dir *dir, const pt_sink *sink, peat_env_list_fn each,
                void *arg) PT_MUST_USE;

#endif
