/* SPDX-License-Identifier: MIT */
/*
 * manifest_file.h - the bytes of m-NNNNNN: header, records, and the walk over them
 * (manifest_format.md). For manifest.c, the version set and repair.
 */
#ifndef PT_VERSION_MANIFEST_FILE_H
#define PT_VERSION_MANIFEST_FILE_H

#include "env/file_reader.h"
#include "version/superblock.h"

#define PT_MANIFEST_HEADER_BYTES 48u
#define PT_MANIFEST_RECORD_BYTES 20u /* before the payload */

typedef peat_rc (*pt_manifest_visit_fn)(void *ctx, pt_slice payload);

/* Where the walk has arrived; also what the next record is written with. */
typedef struct pt_manifest_place {
    uint64_t file_id; /* the header's checksum: every record is bound to it */
    uint64_t chain;   /* checksum of the last record, at first file_id */
    uint64_t end;     /* offset after it */
} pt_manifest_place;

void pt_manifest_header_encode(const pt_superblock *sb, uint64_t number, uint64_t random,
                               uint8_t ret_header[PT_MANIFEST_HEADER_BYTES],
                               pt_manifest_place *ret_place);
/* Appends header and payload to `out` and moves the place behind them. */
peat_rc pt_manifest_record_encode(pt_slice payload, pt_bytes *out,
                                  pt_manifest_place *io_place) PT_MUST_USE;

/* Walks the file that `sb` names. Damage before the durable end is PEAT_CORRUPT. Sets where the
 * whole records end, the file's size, and whether anything but zeros follows the durable end. */
peat_rc pt_manifest_walk(const pt_env *env, pt_sink *sink, pt_file *file, const pt_superblock *sb,
                         pt_manifest_visit_fn visit, void *ctx, pt_manifest_place *ret_place,
                         uint64_t *ret_file_bytes, bool *ret_tail) PT_MUST_USE;

#endif
