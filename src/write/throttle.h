/* SPDX-License-Identifier: MIT */
/* throttle.h - how committers are slowed down: each byte owes a time, at the rate that the debts of
 * the background ask for (work/debts.c sets pt_store.throttle_ns_per_kib). */
#ifndef PT_WRITE_THROTTLE_H
#define PT_WRITE_THROTTLE_H

#include "state/store.h"

/* Adds what the write of so many bytes owes to what is owed already. Returns the ns that this
 * committer is to sleep for all of it; 0 while that is too little for a sleep. Caller holds
 * commit_mu. */
uint64_t pt_throttle_owe(pt_store *s, uint64_t bytes);
/* Sleeps so long, without a lock; less when the background has caught up meanwhile. */
void pt_throttle_pay(pt_store *s, uint64_t ns);

#endif
