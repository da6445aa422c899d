/* SPDX-License-Identifier: MIT */
/*
 * flush.h - a memtable becomes tables: one upper run file cut at partition boundaries, and, for
 * what lies above the store's last key, bottom tables that are appended to the last partition as
 * they are (a sequential load is written once).
 */
#ifndef PT_COMPACT_FLUSH_H
#define PT_COMPACT_FLUSH_H

#include "compact/output.h"
#include "entry/iter.h"
#include "version/version.h"

typedef struct pt_flush {
    const pt_compact_context *ctx;
    const pt_version *version; /* when it ran; borrowed */
    pt_output *runs;           /* NULL: none */
    pt_output *appended;       /* NULL: none */
    uint64_t obsolete_bytes;   /* that can go now, in it and below it, estimated */
} pt_flush;

typedef struct pt_flush_input {
    pt_iter *entries; /* of the memtable, all versions */
    uint64_t seq_first, seq_last;
    uint64_t count;  /* of entries, about */
    uint64_t bytes;  /* keys and values, about */
    pt_epoch *epoch; /* for asking the layers below whether they hold a key */
} pt_flush_input;

/* I/O on immutable inputs, no locks. On failure nothing is left behind. */
peat_rc pt_flush_run(pt_flush *f, const pt_compact_context *ctx, const pt_version *version,
                     const pt_flush_input *input) PT_MUST_USE;
/* The changes that install it on `current`, which may be newer than the version it ran on.
 * may_split: no merge is at work on the last partition. */
peat_rc pt_flush_edit(const pt_flush *f, const pt_version *current, bool may_split,
                      uint64_t *io_partition_next, pt_bytes *io_edit) PT_MUST_USE;
/* The edit is durable: the files stay. */
void pt_flush_installed(pt_flush *f);
uint64_t pt_flush_bytes_written(const pt_flush *f);
void pt_flush_done(pt_flush *f);

#endif
