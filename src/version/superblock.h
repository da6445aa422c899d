/* SPDX-License-Identifier: MIT */
/*
 * superblock.h - the file PEAT: what a store is, how often it was opened, where its manifest is and
 * how much of it is synced (manifest_format.md).
 *
 * Two slots, a write goes to the older one, so the newest slot is never overwritten and a torn
 * write costs nothing. What must survive the loss of any one slot (open count, manifest number) is
 * written twice; a durable end is written once: the older slot then names an earlier end, which is
 * safe. Only manifest.c uses this file. One caller at a time.
 */
#ifndef PT_VERSION_SUPERBLOCK_H
#define PT_VERSION_SUPERBLOCK_H

#include "base/fail.h"
#include "env/env.h"

#define PT_SUPERBLOCK_NAME       "PEAT"
#define PT_SUPERBLOCK_SLOTS      2u
#define PT_SUPERBLOCK_SLOT_BYTES 4096u /* no sector holds two slots */
#define PT_SUPERBLOCK_FILE_BYTES (PT_SUPERBLOCK_SLOTS * PT_SUPERBLOCK_SLOT_BYTES)

#define PT_FORMAT_FIRST   1u /* of a store that uses no feature */
#define PT_FORMAT_VERSION 2u /* the highest that is read: of one that does */

typedef struct pt_superblock {
    uint64_t store_id;   /* random */
    uint64_t open_count; /* opens for writing so far */
    uint64_t manifest_number;
    uint64_t manifest_end;   /* bytes of it known to be synced */
    uint64_t manifest_chain; /* checksum of the last record among them */
    uint64_t generation;     /* of the slot; generation % 2 is where it lies */
    uint32_t format_version;
    uint32_t app_id;
    uint32_t features;      /* in use (feature.h); some exactly in format 2 */
    uint32_t damaged_slots; /* bit per slot that did not verify; not stored */
} pt_superblock;

void pt_superblock_encode(const pt_superblock *sb, uint8_t ret_slot[PT_SUPERBLOCK_SLOT_BYTES]);
/* False when the bytes are not a valid slot `slot`. Version and features are not judged, nor are
 * the latter read. */
bool pt_superblock_decode(const uint8_t *data, size_t size, unsigned slot,
                          pt_superblock *ret_superblock);

/* The newest valid slot. Codes as pt_manifest_open; PEAT_VERSION tells a feature or a version. */
peat_rc pt_superblock_read(const pt_env *env, pt_dir *dir, pt_sink *sink,
                           pt_superblock *ret_superblock) PT_MUST_USE;
/* Writes and syncs the next `copies` generations. On failure the file must not be used again. */
peat_rc pt_superblock_write(const pt_env *env, pt_file *file, pt_sink *sink, unsigned copies,
                            pt_superblock *io_superblock) PT_MUST_USE;
/* May a new store be made here? See pt_manifest_create. */
peat_rc pt_superblock_check_fresh(const pt_env *env, pt_dir *dir, pt_sink *sink) PT_MUST_USE;

#endif
