/* SPDX-License-Identifier: MIT */
/* approximate.h - how many entries and bytes a range has, without reading it. */
#ifndef PT_READ_APPROXIMATE_H
#define PT_READ_APPROXIMATE_H

#include "state/store.h"

/* [lower, upper) of internal keys. Either output may be NULL. A read error, PEAT_CLOSED. */
peat_rc pt_approximate(pt_store *s, pt_slice lower, pt_slice upper, uint64_t *ret_entries,
                       uint64_t *ret_bytes) PT_MUST_USE;

#endif
