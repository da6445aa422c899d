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

/* What a version says of its key to who looks for the value. */
typedef enum pt_resolution {
    PT_RESOLVED_MORE, /* nothing: an older version is asked */
    PT_RESOLVED_VALUE,
    PT_RESOLVED_ABSENT,
} pt_resolution;

/*
 * The meaning of kinds, all of it:
 *   name, number on disk; the answer; whether it goes when nothing older lies below it
 * Never renumber; the frequent one is asked for first. 3 to 7 are reserved: range delete 3, merge
 * operand 4, blob reference 5, put with expiry 6. A reader that meets an unknown kind reports
 * PEAT_VERSION.
 *
 * What an entry holds is pt_entry; its bytes are known to the codecs alone: operations (batch.c),
 * records of a memtable (mem/record.h), blocks (table/block.h, block_read.c, block_build.c), and
 * entry_bytes.h. Who reads, walks, merges or copies hands the entry on whole.
 */
#define PT_KINDS(KIND)                                                                             \
    KIND(PUT, 2, PT_RESOLVED_VALUE, false)                                                         \
    KIND(DELETE, 1, PT_RESOLVED_ABSENT, true)

typedef enum pt_kind {
#define PT_KIND_ENUM(name, number, answer, drops) PT_KIND_##name = (number),
    PT_KINDS(PT_KIND_ENUM)
#undef PT_KIND_ENUM
} pt_kind;

static inline bool pt_kind_known(unsigned kind)
{
#define PT_KIND_IS(name, number, answer, drops) kind == (number) ||
    return PT_KINDS(PT_KIND_IS) false;
#undef PT_KIND_IS
}

static inline pt_resolution pt_kind_resolution(pt_kind kind)
{
#define PT_KIND_RESOLUTION(name, number, answer, drops)                                            \
    if (kind == (number))                                                                          \
        return answer;
    PT_KINDS(PT_KIND_RESOLUTION)
#undef PT_KIND_RESOLUTION
    return PT_RESOLVED_MORE;
}

/* At the bottom of a store, older than every snapshot, it says no more than its absence. */
static inline bool pt_kind_drops(pt_kind kind)
{
#define PT_KIND_DROPS(name, number, answer, drops) (kind == (number) && (drops)) ||
    return PT_KINDS(PT_KIND_DROPS) false;
#undef PT_KIND_DROPS
}

typedef struct pt_entry {
    pt_slice key;
    pt_slice value;
    uint64_t seq;
    pt_kind kind;
} pt_entry;

/* To a reader at this sequence. */
static inline pt_resolution pt_entry_resolution(const pt_entry *e, uint64_t seq)
{
    return e->seq > seq ? PT_RESOLVED_MORE : pt_kind_resolution(e->kind);
}

/* Of the newest version that is seen. */
static inline bool pt_kind_has_value(pt_kind kind)
{
    return pt_kind_resolution(kind) == PT_RESOLVED_VALUE;
}

#endif
