/* SPDX-License-Identifier: MIT */
/* work_result.h - see work_result.c. */
#ifndef PT_WORK_WORK_RESULT_H
#define PT_WORK_WORK_RESULT_H

#include "state/store.h"

/* A table write that fails with EIO this many times in a row stops the writes of the store; a merge
 * whose inputs cannot be read as often leaves its partitions alone. */
#define PT_WORK_IO_FAILURES_MAX 3u

/* PEAT_OK clears what earlier failures left. Wakes those who wait for a unit. */
void pt_work_note_result(pt_store *s, peat_rc rc);
/* So many bytes of user data went into tables in this time. */
void pt_work_note_rate(pt_store *s, uint64_t bytes, uint64_t ns);
/* A step of a merge took so long. */
void pt_work_note_merge_time(pt_store *s, uint64_t ns);

#endif
