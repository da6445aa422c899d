/* SPDX-License-Identifier: MIT */
/*
 * budget.h - how the memory is divided while the store is open. Tables' sections (indexes, filters,
 * locators) are held to their share, settings.metadata_bytes; what they do not use of it is the
 * cache's. So is, while the store rests, what writing and merging take (settings.writing_bytes) but
 * for one memtable: the next writes need no more, and the next flush or merge takes the rest back.
 */
#ifndef PT_STATE_BUDGET_H
#define PT_STATE_BUDGET_H

#include "state/store.h"

/* After open, and when a store has come to rest, or does no longer. Not in an epoch. */
void pt_budget_divide(pt_store *s);
void pt_budget_lend(pt_store *s);
/* Costs nothing when nothing was lent; else some milliseconds. */
void pt_budget_take_back(pt_store *s);

/* The locators of this version would take more than half of the budget: then bottommost tables get
 * filters beside them, which are smaller. */
bool pt_budget_locators_overflow(pt_store *s, const pt_version *v);
/* Lets go of sections when there are too many; never of the index of `keep` (may be NULL). Does
 * nothing while another thread is at it. Not in an epoch. */
void pt_budget_check(pt_store *s, const pt_table *keep);
/* The same for who asks often: costs nothing while there is nothing to do. Not in an epoch. */
void pt_budget_check_soon(pt_store *s);

#endif
