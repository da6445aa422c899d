/* SPDX-License-Identifier: MIT */
/* throttle.h - what a committer owes for the debts of the background (work/debts.c), which set the
 * rate. */
#ifndef PT_WRITE_THROTTLE_H
#define PT_WRITE_THROTTLE_H

#include "state/store.h"

/* What the write of so many bytes owes now is added up; returns what is to be slept, in ns. Caller
 * holds commit_mu. */
uint64_t pt_throttle_owe(pt_store *s, uint64_t bytes);
/* Sleeps it; less when the background has caught up meanwhile. */
void pt_throttle_pay(pt_store *s, uint64_t ns);

#endif
