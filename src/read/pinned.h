/* SPDX-License-Identifier: MIT */
/* pinned.h - what a pin is made of; each holds the store until pt_read_unpin (read.h). */
#ifndef PT_READ_PINNED_H
#define PT_READ_PINNED_H

#include "read/get.h"

/* A copy, of what is in a memtable. PEAT_NOMEM. */
peat_rc pt_read_pin_copy(pt_store *s, pt_slice value, peat_pinned *ret) PT_MUST_USE;
/* Takes over the reference on the block, in which the value lies. */
void pt_read_pin_block(pt_store *s, pt_table_ref *t, pt_block_ref *held, pt_slice value,
                       peat_pinned *ret);
/* The value that a get has found, in a memtable or in the block that it holds. PEAT_NOMEM. */
peat_rc pt_read_pin_value(pt_get *g, peat_pinned *ret) PT_MUST_USE;

#endif
