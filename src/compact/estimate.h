/* SPDX-License-Identifier: MIT */
/*
 * estimate.h - does an older layer of the partition hold this key? Asked for a sample of what is
 * flushed, so that the debt of overwritten bytes is known almost without reading data: a locator or
 * filter answers. Where memory is too small for these, a few of the sample are looked up in their
 * blocks: taken for there, keys that were never written before would make a debt that is none.
 */
#ifndef PT_COMPACT_ESTIMATE_H
#define PT_COMPACT_ESTIMATE_H

#include "version/version_find.h"

/* One entry in this many is asked about; chosen by hash bits, so that overwrites of one key agree.
 */
#define PT_ESTIMATE_SAMPLE 32u
static inline bool pt_estimate_sampled(uint64_t key_hash)
{
    return (key_hash >> 40) % PT_ESTIMATE_SAMPLE == 0;
}

/* How many entries a sampled one stands for that an older layer holds; 0: this one is in none, or
 * nothing can tell. May load sections and read blocks. The version is referenced; not inside an
 * epoch. */
uint64_t pt_estimate_hidden(const pt_version *v, pt_epoch *epoch, pt_slice key, uint64_t key_hash);

#endif
