/* SPDX-License-Identifier: MIT */
/*
 * durable.h - what the disk is known to hold: syncs of the log, and what the manifest hears of
 * them, so that nobody loses synced records with the newest segment without noticing.
 */
#ifndef PT_STATE_DURABLE_H
#define PT_STATE_DURABLE_H

#include "state/store.h"

/* The log up to this position; what nobody waits for is not counted as waited for. */
peat_rc pt_durable_sync(pt_store *s, uint64_t position, bool waited_for) PT_MUST_USE;
/* Writes down in the manifest how far the log is synced; once for each segment, or `always`. */
peat_rc pt_durable_note(pt_store *s, bool always) PT_MUST_USE;
/* An edit of nothing but the state. Caller holds install_mu. */
peat_rc pt_durable_commit_state(pt_store *s, pt_state *state) PT_MUST_USE;
/* The store that was being made is complete. */
peat_rc pt_durable_finish(pt_store *s) PT_MUST_USE;

#endif
