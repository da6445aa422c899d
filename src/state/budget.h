/* SPDX-License-Identifier: MIT */
/* budget.h - the memory of tables' sections (indexes, filters, locators) is held to its share,
 * settings.metadata_bytes. */
#ifndef PT_STATE_BUDGET_H
#define PT_STATE_BUDGET_H

#include "state/store.h"

/* The locators of this version would take more than half of the budget: then bottommost tables get
 * filters beside them, which are smaller. */
bool pt_budget_locators_overflow(pt_store *s, const pt_version *v);
/* Lets go of sections when there are too many; never of the index of `keep` (may be NULL). Does
 * nothing while another thread is at it. Not in an epoch. */
void pt_budget_check(pt_store *s, const pt_table *keep);
/* The same for who asks often: costs nothing while there is nothing to do. Not in an epoch. */
void pt_budget_check_soon(pt_store *s);

#endif
