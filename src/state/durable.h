/* SPDX-License-Identifier: MIT */
/*
 * durable.h - what the disk is known to hold: syncs of the log, and what the manifest hears of
 * them, so that nobody loses synced records with the newest segment without noticing.
 */
#ifndef PT_STATE_DURABLE_H
#define PT_STATE_DURABLE_H

#include "state/store.h"

/* Syncs the log up to this position, which no sequence up to `seq` lies behind, and tells the
 * manifest once for each segment. `waited_for`: a caller of the library waits (a figure of the
 * statistics). Without install_mu. */
peat_rc pt_durable_sync(pt_store *s, uint64_t position, uint64_t seq, bool waited_for) PT_MUST_USE;
/* Writes down in the manifest how far the log is synced, if it has not yet heard of the present
 * segment, or `always`. Nothing when tables hold all of that already. Takes install_mu. */
peat_rc pt_durable_note(pt_store *s, bool always) PT_MUST_USE;
/* An edit of nothing but the state. Caller holds install_mu. */
peat_rc pt_durable_commit_state(pt_store *s, pt_state *state) PT_MUST_USE;
/* The store that was being made is complete: from now on it can be opened. */
peat_rc pt_durable_finish(pt_store *s) PT_MUST_USE;

#endif
