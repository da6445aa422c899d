/* SPDX-License-Identifier: MIT */
/*
 * edit.h - what a manifest payload says (edit_format.md): a list of changes to the state.
 *
 * Encoding appends items; decoding walks them. The running store and recovery apply the same bytes
 * with the same code (version_set.c), so that what is reopened is what was running.
 */
#ifndef PT_VERSION_EDIT_H
#define PT_VERSION_EDIT_H

#include "base/coding.h"
#include "log/log.h"
#include "version/partition.h"

/* On disk; never renumber. */
typedef enum pt_edit_tag {
    PT_EDIT_TABLE = 1,     /* a table file exists from now on: its footer */
    PT_EDIT_PARTITION = 2, /* a partition as a whole, new or replaced */
    PT_EDIT_DROP_PARTITION = 3,
    PT_EDIT_PUSH = 4,       /* one upper run more on top of a partition */
    PT_EDIT_STATE = 5,      /* numbers that only grow */
    PT_EDIT_LOG_ENDS = 6,   /* where recovered log segments end; replaces the last list */
    PT_EDIT_DURABLE = 7,    /* the log is synced up to a sequence; part of the state before it */
    PT_EDIT_UNFINISHED = 8, /* the store is still being made; part of the state before it */
} pt_edit_tag;

/* Numbers of the whole store. */
typedef struct pt_state {
    uint64_t seq_flushed;    /* all sequences up to here are in tables */
    uint64_t log_serial_min; /* older segments are not needed */
    uint64_t file_next;      /* table numbers are never reused */
    uint64_t partition_next;
    uint64_t edit_number; /* of the last edit */
    uint64_t seq_durable; /* the log was synced up to here, when this was written */
    bool unfinished;      /* an import that has not ended: not to be opened */
} pt_state;

typedef pt_log_segment pt_log_end; /* its slot, serial, end and file_bytes are kept */

/* A layer as the file says it. */
typedef struct pt_layer_record {
    uint64_t file_number, bytes, entries, tombstones, obsolete_bytes;
} pt_layer_record;

typedef struct pt_edit_item {
    pt_edit_tag tag;
    pt_slice table_meta;   /* TABLE */
    uint64_t partition_id; /* PARTITION, DROP_PARTITION, PUSH */
    pt_slice lower;        /* PARTITION */
    uint64_t run_count, bottom_count;
    pt_cursor layers;      /* PARTITION: upper runs, then bottom; pt_layer_decode reads them */
    pt_layer_record layer; /* PUSH */
    pt_state state;        /* STATE */
    uint64_t seq_durable;  /* PROMISE */
    uint64_t end_count;    /* LOG_ENDS */
    pt_cursor ends;
} pt_edit_item;

peat_rc pt_edit_add_table(pt_bytes *io_edit, const pt_table_meta *meta) PT_MUST_USE;
peat_rc pt_edit_add_partition(pt_bytes *io_edit, uint64_t id, pt_slice lower, const pt_layer *runs,
                              size_t run_count, const pt_layer *bottom,
                              size_t bottom_count) PT_MUST_USE;
peat_rc pt_edit_drop_partition(pt_bytes *io_edit, uint64_t id) PT_MUST_USE;
peat_rc pt_edit_push(pt_bytes *io_edit, uint64_t partition_id, const pt_layer *layer) PT_MUST_USE;
peat_rc pt_edit_state(pt_bytes *io_edit, const pt_state *state) PT_MUST_USE;
peat_rc pt_edit_log_ends(pt_bytes *io_edit, const pt_log_end *ends, size_t count) PT_MUST_USE;

/* PEAT_END after the last item; PEAT_CORRUPT for bytes that are none. Counts are checked against
 * the bytes that are there. */
peat_rc pt_edit_next(pt_cursor *io_edit, pt_edit_item *ret_item) PT_MUST_USE;
pt_layer_record pt_layer_decode(pt_cursor *io_layers);
pt_log_end pt_log_end_decode(pt_cursor *io_ends);

#endif
