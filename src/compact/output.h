/* SPDX-License-Identifier: MIT */
/*
 * output.h - the new files of one unit of background work.
 *
 * Two shapes. A run: bottom tables of at most table_bytes, in key order. An upper run: tables cut
 * into pieces at partition boundaries, each piece a layer. Until the edit is installed the files
 * are orphans; pt_output_free removes them unless pt_output_keep was called.
 */
#ifndef PT_COMPACT_OUTPUT_H
#define PT_COMPACT_OUTPUT_H

#include "base/fail.h"
#include "table/table.h"
#include "version/edit.h"

/* What every unit needs; fixed while the unit runs. */
typedef struct pt_compact_context {
    const pt_env *env;
    pt_dir *dir;
    pt_sink *sink;
    uint64_t store_id;
    uint64_t edit_number;        /* of the edit that will install the files, or a later one's */
    _Atomic uint64_t *file_next; /* the store's counter of table numbers */
    uint64_t table_bytes;        /* of bottom tables */
    uint64_t entries_max;        /* of a table: its filter is built in memory; 0: any */
    uint64_t partition_bytes;    /* target */
    uint64_t upper_bytes; /* a table of a flush ends with the piece that reaches this; 0: never */
    pt_codec codec;       /* of bottom runs; upper ones have LZ4 where these have any */
    uint32_t block_bytes; /* 0: by codec; tests */
    bool beyond_memory;   /* the store does not fit the cache: a record is read by itself */
    bool bottom_filter;   /* locators will not all fit: store filters as well */
    size_t
        stream_bytes_max; /* read-ahead buffers of one merge; above it blocks are read one by one */
    const uint64_t *snapshots; /* ascending */
    size_t snapshot_count;
} pt_compact_context;

/* What of an upper run falls into one partition. */
typedef struct pt_piece {
    uint64_t partition_id; /* when it was cut; may have been split since */
    pt_slice lower,
        upper; /* that partition's range then; upper.data NULL: open. Borrowed from the version */
    uint64_t bytes; /* of its blocks; once the next one has begun or the table has ended */
    uint64_t entries, tombstones, obsolete_bytes;
    size_t table; /* of the output's, that holds it */
} pt_piece;

/* The files of a unit that has ended, as plain data; zeros: none. */
typedef struct pt_output_files {
    const pt_layer *tables; /* their table references are stand-ins that have a meta alone */
    size_t table_count;
    const pt_piece *pieces; /* of an upper run; each holds something */
    size_t piece_count;
} pt_output_files;

typedef struct pt_output pt_output;

/* seq_min and seq_max: of the inputs, before any zeroing; they go to the footers. */
peat_rc pt_output_new(const pt_compact_context *ctx, pt_run_kind kind, uint64_t seq_min,
                      uint64_t seq_max, pt_output **ret_output) PT_MUST_USE;
void pt_output_free(pt_output *o);
/* The files belong to the store now. */
void pt_output_keep(pt_output *o);

peat_rc pt_output_add(pt_output *o, const pt_entry *entry, uint64_t key_hash) PT_MUST_USE;
/* So much of the table under way is there for snapshots only. */
void pt_output_count_obsolete(pt_output *o, uint64_t bytes);
/* Ends the table under way: the next entry begins another file. For runs. */
peat_rc pt_output_end_table(pt_output *o) PT_MUST_USE;
/* Upper runs: what follows belongs to this piece. Where the table under way has upper_bytes, it
 * begins another. */
peat_rc pt_output_begin_piece(pt_output *o, const pt_piece *piece) PT_MUST_USE;
/* The piece under way, to add estimates to; NULL before the first. */
pt_piece *pt_output_piece(pt_output *o);
/* Finishes the last file and makes the names durable: one directory sync. */
peat_rc pt_output_finish(pt_output *o) PT_MUST_USE;

/* Some call has failed, so the disk that is written to is to blame, or memory. */
bool pt_output_has_failed(const pt_output *o);
/* After pt_output_finish; they are the output's. NULL: none. */
pt_output_files pt_output_get_files(const pt_output *o);
/* The table under way is as large as a bottom table should be. */
bool pt_output_table_full(const pt_output *o);
uint64_t pt_output_table_bytes(const pt_output *o); /* of the table under way, so far */
uint64_t pt_output_bytes(const pt_output *o);       /* written so far */

#endif
