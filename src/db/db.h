/* SPDX-License-Identifier: MIT */
/*
 * db.h - the whole store: the floor that knows every room. open.c puts them together and takes them
 * apart, recover.c brings back what the log has.
 */
#ifndef PT_DB_DB_H
#define PT_DB_DB_H

#include "state/store.h"

peat_rc pt_db_open(const char *dir, const pt_env *env, const pt_settings *settings,
                   pt_store **ret_store, peat_error *ret_error);
peat_rc pt_db_close(pt_store *s);

#endif
