/* SPDX-License-Identifier: MIT */
/* destroy.h - removing a store. */
#ifndef PT_DB_DESTROY_H
#define PT_DB_DESTROY_H

#include "env/env.h"

peat_rc pt_destroy_store(const char *dir, const pt_env *env, peat_error *ret_error);

#endif
