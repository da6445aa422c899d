/* SPDX-License-Identifier: MIT */
/*
 * feature.h - what a store of format 2 uses beyond format 1, by name (manifest_format.md,
 * "Features"). A name is in the superblock before the first byte that needs it belongs to the
 * store, and stays there.
 */
#ifndef PT_VERSION_FEATURE_H
#define PT_VERSION_FEATURE_H

#include "table/table.h"

#define PT_FEATURE_NAME_MAX 31u

/* One bit each; the number of the bit is the library's own, only the name is on disk. */
#define PT_FEATURE_LONG_PREFIX 1u /* tables with PT_TABLE_LONG_PREFIX */

/* Of bit `i`; NULL: there is no such feature. */
const char *pt_feature_name(unsigned i);
/* What a library has to know to read this table. */
uint32_t pt_feature_of_table(const pt_table_meta *meta);

/* Names as they lie in the superblock: each with its length before it, a zero behind the last. */
void pt_feature_encode(uint32_t features, uint8_t *dst, size_t room);
/* False for bytes that are no such list. ret_unknown: the first name that this library does not
 * know, or an empty string. */
bool pt_feature_decode(const uint8_t *data, size_t size, uint32_t *ret_features,
                       char ret_unknown[PT_FEATURE_NAME_MAX + 1]) PT_MUST_USE;

#endif
