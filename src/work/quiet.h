/* SPDX-License-Identifier: MIT */
/*
 * quiet.h - what a store does when nobody hurries it: it flushes a memtable that is not full, and
 * merges more than is due. Bounded, so that small writes on a large store do not rewrite it for
 * ever:
 *   merges    of a partition may write 8 bytes for each byte of what was written to it or can be
 *             freed in it (compact/pick.c); what is due is done in any case
 *   credit    of bytes: grows with what is written, and by a trickle, up to 4 MiB. So a small store
 *             settles at once whatever was written
 *   patience  when nothing was written for a minute, everything may be settled, once. A write that
 *             comes then doubles it, up to an hour; much writing makes it a minute again.
 */
#ifndef PT_WORK_QUIET_H
#define PT_WORK_QUIET_H

#include "work/work.h"

void pt_quiet_init(pt_store *s);

/* Takes the rate of writing. *ret_change_ns: so long until it may be another, if nobody writes;
 * UINT64_MAX when it is still. */
pt_quiet_tempo pt_quiet_look(pt_store *s, uint64_t *ret_change_ns);

/* Switches to a new memtable when the active one hides much, or has waited long enough; the flush
 * of the old one is due then. Returns the time until this is to be called again; 0: it has
 * switched; UINT64_MAX: there is nothing to switch for. */
uint64_t pt_quiet_rotate(pt_store *s);
/* A flush of so much has found that it hides so many bytes of tables: from that follows how far
 * guesses are to be trusted. */
void pt_quiet_found(pt_store *s, uint64_t mem_entries, uint64_t mem_bytes, uint64_t hidden_bytes);

/* What a merge may write now that nothing else allows; UINT64_MAX when patience is at its end. */
uint64_t pt_quiet_allowance(pt_store *s);
/* Such a merge will write so many bytes, about. */
void pt_quiet_spend(pt_store *s, double bytes);
/* How long until patience is at its end, 0: it is. */
uint64_t pt_quiet_patience_left(pt_store *s);

#endif
