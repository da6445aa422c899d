/* SPDX-License-Identifier: MIT */
/* stored_size.h - where compressed bytes end that come without their length. */
#ifndef PT_REPAIR_STORED_SIZE_H
#define PT_REPAIR_STORED_SIZE_H

#include "table/codec.h"

/* The size of head and payload, after what they say themselves, of a block that may go on behind
 * `stored`, which has at least PT_BLOCK_HEAD_LARGE bytes. What verifies there is one. */
size_t pt_salvage_stored_size(pt_codec codec, pt_slice stored);
/* False: no large block does. The first three bytes of one are never part of a match. */
bool pt_salvage_begins_large(pt_codec codec, pt_slice stored);

#endif
