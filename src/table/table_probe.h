/* SPDX-License-Identifier: MIT */
/*
 * table_probe.h - pt_table_find as a probe (entry/probe.h), with what is in memory alone:
 *   begin   filter or locator and the index's samples; asked for: their cells, the separators, the
 *           numbers of frames
 *   block   which block, and whether the key can be there; asked for: the entry, or the tags
 *   tags    (without a locator) which entry it may be; asked for: its lines
 *   entry   the key is compared, the version chosen
 */
#ifndef PT_TABLE_TABLE_PROBE_H
#define PT_TABLE_TABLE_PROBE_H

#include "entry/probe.h"
#include "table/index.h"
#include "table/locator.h"
#include "table/table.h"

typedef struct pt_table_probe {
    pt_table *t;
    pt_block_source *source;
    const struct pt_section_data *index, *locator, *filter;
    pt_locator_cells cells;
    pt_index_place place;
    uint32_t block, frame, slot;
    const uint8_t *data; /* of the block, valid inside the epoch */
    unsigned at;
} pt_table_probe;

/* Key, hash and seq_max are the same at every step. FOUND: the result's entry and block. */
pt_probe_state pt_table_probe_begin(pt_table_probe *p, pt_table *t, pt_block_source *source,
                                    pt_slice key, uint64_t key_hash);
pt_probe_state pt_table_probe_step(pt_table_probe *p, pt_slice key, uint64_t key_hash,
                                   uint64_t seq_max, pt_find_result *ret_result);

#endif
