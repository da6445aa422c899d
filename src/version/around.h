/* SPDX-License-Identifier: MIT */
/*
 * around.h - a get that finds its block missing brings the blocks around it as well, by the same
 * read, while the cache has frames that hold nothing: a store that fits the memory is warm after a
 * sixteenth of the reads. What nobody asked for comes without credit and is the first to go.
 */
#ifndef PT_VERSION_AROUND_H
#define PT_VERSION_AROUND_H

#include "version/open_tables.h"

/* A fetch (entry/block_source.h) for who wants one key. Whatever goes wrong with the blocks around
 * leaves it as if they had not been thought of. */
peat_rc pt_around_fetch(pt_table_ref *t, uint32_t block, pt_block_ref *ret_ref) PT_MUST_USE;

#endif
