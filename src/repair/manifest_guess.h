/* SPDX-License-Identifier: MIT */
/* manifest_guess.h - the state of a damaged store, as its manifest tells it. */
#ifndef PT_REPAIR_MANIFEST_GUESS_H
#define PT_REPAIR_MANIFEST_GUESS_H

#include "version/version_set.h"

/* Without a superblock (*ret_guessed) the manifest with the highest number is taken when it is
 * whole. PEAT_CORRUPT: the state cannot be told, with the place in the sink; ret_superblock is set
 * as far as it is known, its open count is 0 when it is not. */
peat_rc pt_manifest_guess(pt_version_set *c, pt_open_tables *open_tables,
                          pt_superblock *ret_superblock, bool *ret_guessed) PT_MUST_USE;

#endif
