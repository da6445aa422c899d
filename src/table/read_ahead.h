/* SPDX-License-Identifier: MIT */
/*
 * read_ahead.h - where a walk over a table takes its blocks from: the cache, or, once it has gone
 * through many, one behind the other, a window of its own (table_stream.c) that reads many at once.
 *
 * Ranges that fit a window live in the cache like single blocks. What a longer scan meets passes
 * the cache by: filling frames costs more than reading ahead does, and would drive out what is
 * asked for again. Windows of all walks together are bounded (pt_table_files.ahead_max); without
 * one, and for what a window could not get, there is the cache, so that errors are the cache's.
 */
#ifndef PT_TABLE_READ_AHEAD_H
#define PT_TABLE_READ_AHEAD_H

#include "table/table_internal.h"

typedef struct pt_read_ahead {
    pt_table *table;
    pt_block_source *cache;
    pt_fetch_hint hint;
    pt_block_source *window; /* NULL: none */
    bool off;                /* not wanted, no room, or the window failed */
    uint32_t last, run;      /* the block fetched last; how many before it, one behind the other */
} pt_read_ahead;

void pt_read_ahead_init(pt_read_ahead *a, pt_table *t, pt_block_source *cache, pt_fetch_hint hint);
void pt_read_ahead_done(pt_read_ahead *a);
/* A fetch of `cache` with the above. The ref is good until the next fetch at the least; it goes
 * back to *ret_from. */
peat_rc pt_read_ahead_fetch(pt_read_ahead *a, uint32_t block, pt_block_ref *ret_block,
                            pt_block_source **ret_from) PT_MUST_USE;

#endif
