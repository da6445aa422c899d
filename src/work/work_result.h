/* SPDX-License-Identifier: MIT */
/* work_result.h - how units of work ended: failures with their back-off, and the rate at which data
 * is taken in. */
#ifndef PT_WORK_WORK_RESULT_H
#define PT_WORK_WORK_RESULT_H

#include "state/store.h"

/* Units that fail with PEAT_IO this many times in a row stop the writes of the store; a merge whose
 * inputs cannot be read as often only leaves its partitions alone. */
#define PT_WORK_IO_FAILURES_MAX 3u

/* PEAT_OK clears what earlier failures left. Wakes those who wait for a unit. May send an event. */
void pt_work_note_result(pt_store *s, peat_rc rc);
/* So many bytes of user data went into tables in this time. */
void pt_work_note_rate(pt_store *s, uint64_t bytes, uint64_t ns);
/* A step of a merge took so long. */
void pt_work_note_merge_time(pt_store *s, uint64_t ns);

#endif
