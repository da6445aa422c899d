/* SPDX-License-Identifier: MIT */
/* stats.h - looking inside: counters, the shape, and estimates from indexes. */
#ifndef PT_DB_STATS_H
#define PT_DB_STATS_H

#include "db/store.h"

peat_rc pt_store_stats(pt_store *s, peat_statistics *ret_stats) PT_MUST_USE;
peat_rc pt_store_shape(pt_store *s, peat_rc (*fn)(void *, const peat_partition_info *),
                       void *ctx) PT_MUST_USE;
/* Internal keys, [lower, upper). */
peat_rc pt_store_approximate(pt_store *s, pt_slice lower, pt_slice upper, uint64_t *ret_entries,
                             uint64_t *ret_bytes) PT_MUST_USE;

#endif
