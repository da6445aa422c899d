/* SPDX-License-Identifier: MIT */
/*
 * recover.h - the log becomes memtables again, and a new log begins.
 */
#ifndef PT_DB_RECOVER_H
#define PT_DB_RECOVER_H

#include "state/store.h"

/* With the version set open: replays the log, sets the view, the sequences, and for a writer makes
 * what was recovered durable (begin of the version set, ends of the old segments) and starts a new
 * log. */
peat_rc pt_recover(pt_store *s) PT_MUST_USE;

/* Reads the log with what the version set knows of it; pt_log_replay_done frees what was found. */
peat_rc pt_recover_replay(pt_store *s, pt_sink *sink, bool read_only, pt_log_visit_fn visit,
                          void *ctx, pt_log_replay *ret_replay) PT_MUST_USE;

#endif
