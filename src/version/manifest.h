/* SPDX-License-Identifier: MIT */
/*
 * manifest.h - the superblock and the chain of edits, as durable bytes (manifest_format.md). What
 * an edit means is edit.h's matter; here it is a payload that is appended, synced, and read back in
 * order.
 *
 * PEAT (superblock): two slots >= 4 KiB apart, written in turn: magic, format version, store id,
 * app id, open count, number of the current manifest file, slot generation, checksum. m-NNNNNN:
 * header, then records: length, checksum bound to place and to the previous record's (a chain),
 * payload. A torn, unsynced tail is a torn tail; damage before the last synced record is
 * PEAT_CORRUPT. One caller at a time.
 */
#ifndef PT_VERSION_MANIFEST_H
#define PT_VERSION_MANIFEST_H

#include "base/fail.h"
#include "env/env.h"

typedef struct pt_manifest pt_manifest;

typedef peat_rc (*pt_manifest_visit_fn)(void *ctx, pt_slice payload);

typedef struct pt_superblock {
    uint64_t store_id;   /* random */
    uint64_t open_count; /* opens for writing so far */
    uint64_t manifest_number;
    uint32_t format_version;
    uint32_t app_id;
} pt_superblock;

#define PT_FORMAT_VERSION 1u

/* A new store in an empty directory: superblock, manifest with one first record; everything synced,
 * names last. */
peat_rc pt_manifest_create(const pt_env *env, pt_dir *dir, pt_sink *sink, uint64_t store_id,
                           uint32_t app_id, pt_slice first_payload,
                           pt_manifest **ret_manifest) PT_MUST_USE;
/* PEAT_NOT_STORE when there is no superblock (names what is there), PEAT_VERSION for a newer
 * format, PEAT_CORRUPT when both slots are damaged. Shows every payload in order. Writes nothing; a
 * writer calls pt_manifest_begin afterwards. */
peat_rc pt_manifest_open(const pt_env *env, pt_dir *dir, pt_sink *sink, pt_manifest_visit_fn visit,
                         void *ctx, pt_manifest **ret_manifest) PT_MUST_USE;
/* open_count + 1, durable; cuts a torn tail (by starting a new manifest file when there was one).
 * `snapshot` is the whole state as one payload, for the case that a new file is needed. */
peat_rc pt_manifest_begin(pt_manifest *m, pt_slice snapshot) PT_MUST_USE;
/* Appends and syncs. A failure fences the sink (never retried on that file), except PEAT_FULL
 * before anything was written. */
peat_rc pt_manifest_append(pt_manifest *m, pt_slice payload) PT_MUST_USE;
/* True when the file is over 4x `live_bytes` (and 64 KiB): time for pt_manifest_rewrite. */
bool pt_manifest_wants_rewrite(const pt_manifest *m, uint64_t live_bytes);
/* A new file with one record, then the superblock points to it, then the old one goes. */
peat_rc pt_manifest_rewrite(pt_manifest *m, pt_slice snapshot) PT_MUST_USE;
void pt_manifest_free(pt_manifest *m);

const pt_superblock *pt_manifest_superblock(const pt_manifest *m);
uint64_t pt_manifest_bytes(const pt_manifest *m);         /* current file */
uint64_t pt_manifest_written_bytes(const pt_manifest *m); /* all, since open, superblock included */

#endif
