/* SPDX-License-Identifier: MIT */
/* stats.h - looking inside: counters and the shape. */
#ifndef PT_DB_STATS_H
#define PT_DB_STATS_H

#include "state/store.h"

peat_rc pt_stats_take(pt_store *s, peat_statistics *ret_stats) PT_MUST_USE;
peat_rc pt_stats_shape(pt_store *s, peat_rc (*fn)(void *, const peat_partition_info *),
                       void *ctx) PT_MUST_USE;

#endif
