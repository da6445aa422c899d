/* SPDX-License-Identifier: MIT */
/* budget.h - the memory of tables' sections held to its share. */
#ifndef PT_STATE_BUDGET_H
#define PT_STATE_BUDGET_H

#include "state/store.h"

/* The locators of this version, and of what it may become, do not all fit the budget. */
bool pt_budget_locators_overflow(pt_store *s, const pt_version *v);
/* Lets go of sections when there are too many, but of the index of `keep` (may be NULL). */
void pt_budget_check(pt_store *s, const pt_table *keep);
/* The same for who asks often: costs nothing while there is nothing to do. Not in an epoch. */
void pt_budget_check_soon(pt_store *s);

#endif
