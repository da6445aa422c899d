/* SPDX-License-Identifier: MIT */
/*
 * version_gc.h - which entries a flush or merge keeps.
 *
 * Snapshots cut the sequence numbers into stripes; readers tell apart only versions of different
 * stripes, so of one key the newest of each stripe is kept. In the oldest stripe sequences need not
 * be told apart any more and become 0; there a tombstone goes as well when nothing older lies
 * below.
 */
#ifndef PT_COMPACT_VERSION_GC_H
#define PT_COMPACT_VERSION_GC_H

#include "entry/entry.h"
#include "env/env.h"

typedef struct pt_version_gc {
    const uint64_t *snapshots; /* ascending */
    size_t snapshot_count;
    bool bottom;  /* nothing older lies below what is merged */
    pt_bytes key; /* of the last entry seen */
    bool has_key;
    bool needed_by_snapshot; /* the last entry was kept for a snapshot only */
    bool same_key;           /* the last entry had the key of the one before */
    size_t stripe;           /* of the last entry seen */
    uint64_t dropped_bytes;
} pt_version_gc;

void pt_version_gc_init(pt_version_gc *p, const pt_env *env, const uint64_t *snapshots,
                        size_t count, bool bottom);
void pt_version_gc_done(pt_version_gc *p);
/* Entries in entry order: PEAT_CORRUPT when this one goes before the last, as those of a damaged
 * table may. Sets *ret_keep and may zero the entry's sequence. */
peat_rc pt_version_gc_entry(pt_version_gc *p, pt_entry *io_entry, bool *ret_keep) PT_MUST_USE;

#endif
