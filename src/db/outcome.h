/* SPDX-License-Identifier: MIT */
/* outcome.h - see outcome.c. */
#ifndef PT_DB_OUTCOME_H
#define PT_DB_OUTCOME_H

#include "db/store.h"

/* PEAT_OK clears what earlier failures left. Wakes those who wait for a unit. */
void pt_note_result(pt_store *s, peat_rc rc);
/* So many bytes of user data went into tables in this time. */
void pt_note_rate(pt_store *s, uint64_t bytes, uint64_t ns);

#endif
