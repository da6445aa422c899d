/* SPDX-License-Identifier: MIT */
/*
 * recover.h - the log becomes memtables again, and a new log begins.
 */
#ifndef PT_DB_RECOVER_H
#define PT_DB_RECOVER_H

#include "db/store.h"

/* With the catalog open: replays the log, sets the view, the sequences, and for a writer makes what
 * was recovered durable (begin of the catalog, ends of the old segments) and starts a new log. */
peat_rc pt_recover(pt_store *s) PT_MUST_USE;

#endif
