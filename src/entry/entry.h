/* SPDX-License-Identifier: MIT */
/*
 * entry.h - what the store is made of: a key, a kind, a sequence number and a value.
 *
 * Internal key: 4-byte big-endian keyspace id, then the user's key. Order of entries: key ascending
 * by memcmp, then sequence descending (newest first). Across runs the newer run comes first, which
 * is the same order, because runs are installed in commit order; a sequence of 0 means "older than
 * every snapshot" and is what merges write when no snapshot needs to tell versions apart.
 */
#ifndef PT_ENTRY_ENTRY_H
#define PT_ENTRY_ENTRY_H

#include "base/base.h"

#define PT_KEYSPACE_BYTES    4u
#define PT_KEYSPACE_INTERNAL 0u
#define PT_KEYSPACE_DEFAULT  1u
#define PT_KEY_BYTES_MAX     (PEAT_KEY_SIZE_MAX + PT_KEYSPACE_BYTES)
#define PT_SEQ_MAX           ((1ULL << 56) - 1)

/* On disk in every format; never renumber. 3 to 7 are reserved: range delete 3, merge operand 4,
 * blob reference 5, put with expiry 6. A reader that meets an unknown kind reports PEAT_VERSION. */
typedef enum pt_kind {
    PT_KIND_DELETE = 1,
    PT_KIND_PUT = 2,
} pt_kind;

static inline bool pt_kind_known(unsigned kind)
{
    return kind == PT_KIND_DELETE || kind == PT_KIND_PUT;
}

typedef struct pt_entry {
    pt_slice key;
    pt_slice value;
    uint64_t seq;
    pt_kind kind;
} pt_entry;

#endif
