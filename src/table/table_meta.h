/* SPDX-License-Identifier: MIT */
/* table_meta.h - what the table module alone knows about the footer. */
#ifndef PT_TABLE_TABLE_META_H
#define PT_TABLE_TABLE_META_H

#include "base/coding.h"
#include "table/block.h"
#include "table/table.h"

#define PT_TABLE_MAGIC         0x314c424154544550ULL /* "PETTABL1" */
#define PT_TABLE_TRAILER_BYTES 20u                   /* meta size u32, magic u64, checksum u64 */
#define PT_TABLE_META_PLACE    UINT64_MAX /* the meta's checksum is bound to the file only */

/* Unique among all tables: what checksums are bound to. */
uint64_t pt_table_file_id(uint64_t store_id, uint64_t file_number);

/* The meta and the trailer behind it, for a footer at `offset`. */
peat_rc pt_table_footer_encode(const pt_table_meta *meta, uint64_t offset,
                               pt_bytes *io_out) PT_MUST_USE;

#endif
