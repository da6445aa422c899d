/* SPDX-License-Identifier: MIT */
/*
 * manifest.h - the chain of edits as durable bytes (manifest_format.md). What an edit means is
 * edit.h's matter; here it is a payload that is appended, synced, and read back in order.
 *
 * Invariants:
 * 1. The superblock names the manifest, how many of its bytes are known synced (the durable end)
 * and the checksum of the last record among them. An append is acknowledged after its durable end
 * is durable.
 * 2. So bytes before the durable end that do not verify, or are missing, are damage: PEAT_CORRUPT.
 *    What follows the durable end is a torn or unacknowledged tail: whole records count, the rest
 *    is cut.
 * 3. Nothing is appended behind a tail that was not durable: pt_manifest_begin starts a new file.
 * 4. Order of a new file: its bytes synced, directory synced, both superblock slots, old file gone.
 * 5. The superblock names a feature, durably and in both slots, before a record needs it. It never
 *    loses one.
 * One caller at a time, at every function.
 */
#ifndef PT_VERSION_MANIFEST_H
#define PT_VERSION_MANIFEST_H

#include "base/fail.h"
#include "env/env.h"
#include "version/manifest_file.h"
#include "version/superblock.h"

typedef struct pt_manifest pt_manifest;

/* A new store: manifest with one first record, then the superblock; everything synced, PEAT last.
 * The directory must be empty but for LOCK, dot files, lost+found and what a creation that was cut
 * short leaves behind (PEAT of zeros, m-000001 alone); otherwise PEAT_EXISTS for a store and
 * PEAT_NOT_STORE for anything else. The open count is 1 and edits may be
 * appended: pt_manifest_begin may follow but need not. A failure removes what was made. */
peat_rc pt_manifest_create(const pt_env *env, pt_dir *dir, pt_sink *sink, uint64_t store_id,
                           uint32_t app_id, pt_slice first_payload,
                           pt_manifest **ret_manifest) PT_MUST_USE;
/* PEAT_NOT_FOUND when there is no superblock yet (pt_manifest_create may follow), PEAT_NOT_STORE
 * when other things are there, PEAT_VERSION for a newer format, PEAT_CORRUPT when both slots are
 * damaged or PEAT is missing among a store's files. Shows every payload in order. Writes nothing; a
 * writer calls pt_manifest_begin afterwards. */
peat_rc pt_manifest_open(const pt_env *env, pt_dir *dir, pt_sink *sink, pt_manifest_visit_fn visit,
                         void *ctx, pt_manifest **ret_manifest) PT_MUST_USE;
/* open_count + 1, durable in both slots; removes left-over manifest files. When something followed
 * the durable bytes, a new file is started with `snapshot` first: the state after the payloads
 * that were shown, as one payload. PEAT_READ_ONLY when the files cannot be opened for writing. */
peat_rc pt_manifest_begin(pt_manifest *m, pt_slice snapshot) PT_MUST_USE;
/* Appends; durable on return, also the end that the superblock names. A failure after the first
 * byte was written stops the writes of the sink (never retried on that file); space and memory are
 *  taken before. */
peat_rc pt_manifest_append(pt_manifest *m, pt_slice payload) PT_MUST_USE;
/* The store uses these features from now on (feature.h): durable on return. For who appends a
 * record that needs them, before. Does nothing when they are named already. */
peat_rc pt_manifest_raise(pt_manifest *m, uint32_t features) PT_MUST_USE;
/* True when the file is over 4x `live_bytes` (and bytes_min): time for pt_manifest_rewrite. */
bool pt_manifest_wants_rewrite(const pt_manifest *m, uint64_t live_bytes, uint64_t bytes_min);
/* A new file with one record, then the superblock points to it, then the old one goes. A failure
 * before the superblock is touched leaves everything as it was. */
peat_rc pt_manifest_rewrite(pt_manifest *m, pt_slice snapshot) PT_MUST_USE;
/* Nothing is to be appended for a while: the files are closed, all of them is durable. The next
 * append or rewrite opens them again, which may fail and then changes nothing. */
void pt_manifest_rest(pt_manifest *m);
void pt_manifest_free(pt_manifest *m);

const pt_superblock *pt_manifest_superblock(const pt_manifest *m);
uint64_t pt_manifest_bytes(const pt_manifest *m);         /* current file, as allocated */
uint64_t pt_manifest_written_bytes(const pt_manifest *m); /* all, since open, superblock included */

#endif
