/* SPDX-License-Identifier: MIT */
/*
 * estimate.h - does an older layer of the partition hold this key? Asked for a sample of what is
 * flushed, so that the debt of overwritten bytes is known without reading data: a locator or filter
 * answers.
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

/* True when a layer probably holds the key; false also when nothing can tell. May load sections.
 * The version is referenced; not inside an epoch. */
bool pt_estimate_exists(const pt_version *v, pt_epoch *epoch, pt_slice key, uint64_t key_hash);

#endif
