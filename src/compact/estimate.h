/* SPDX-License-Identifier: MIT */
/*
 * estimate.h - how many bytes of older layers does what is flushed hide? So that the space which
 * overwriting and deleting frees is known as soon as there is a table to say so.
 *
 * An entry is charged with what it hides, which is the mean entry of the block where filter or
 * locator and index say that its key is; a tombstone of 20 bytes may hide 10 MB. Asked for
 *   every entry    that is large or lies where an older table has a large one: few of these decide
 *   a sample       of the others, by hash bits, so that overwrites of one key agree; all of them
 *                  when there are few
 * Hardly a block is read for it: of what filters claim, some is looked up, and the rest is believed
 * in the same measure. Where no filter is in memory, a few of the sample are looked up.
 */
#ifndef PT_COMPACT_ESTIMATE_H
#define PT_COMPACT_ESTIMATE_H

#include "version/version_find.h"

typedef struct pt_estimate {
    const pt_version *version;
    pt_epoch *epoch;
    uint32_t sample; /* one in so many is asked for; a power of two */
    bool any_large;  /* some table has large entries, as far as indexes are loaded */
    uint64_t claims; /* by filters, so far */
    /* of these, looked up in their blocks; and found to be there, and no tombstone */
    double looked_up_bytes, confirmed_bytes;
} pt_estimate;

/* The version is referenced and outlives it. `entries`: of what will be asked about, about. */
void pt_estimate_init(pt_estimate *e, const pt_version *v, pt_epoch *epoch, uint64_t entries);
/* Bytes on disk that the entry, and those that it stands for, hide in the version; 0: it stands for
 * none, hides nothing, or nothing can tell. May load sections and read blocks. Not inside an epoch.
 */
uint64_t pt_estimate_hidden(pt_estimate *e, const pt_entry *entry, uint64_t key_hash);

#endif
