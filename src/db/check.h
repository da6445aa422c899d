/* SPDX-License-Identifier: MIT */
/* check.h - full verification of what is on disk. */
#ifndef PT_DB_CHECK_H
#define PT_DB_CHECK_H

#include "state/store.h"

peat_rc pt_check_store(pt_store *s, const peat_check_options *options,
                       peat_check_report *ret_report) PT_MUST_USE;

#endif
