/* SPDX-License-Identifier: MIT */
/*
 * batch.h - a list of operations as one byte string: what a batch holds, what the log stores
 * (batch_format.md). Operation: kind u8, varint key size, varint value size (puts only), key
 * (internal key, with its keyspace), value.
 */
#ifndef PT_ENTRY_BATCH_H
#define PT_ENTRY_BATCH_H

#include "base/coding.h"
#include "entry/entry.h"
#include "env/env.h"

typedef struct pt_batch {
    pt_bytes bytes;
    uint32_t count;
    uint32_t deletes;   /* of these */
    uint64_t key_bytes; /* internal keys */
    uint64_t value_bytes;
} pt_batch;

void pt_batch_init(pt_batch *b, const pt_env *env);
void pt_batch_done(pt_batch *b);
void pt_batch_clear(pt_batch *b);
/* PEAT_TOO_BIG when the batch would pass PEAT_BATCH_SIZE_MAX; unchanged on any failure. Key and
 * value may be bytes that the batch holds. */
peat_rc pt_batch_put(pt_batch *b, uint32_t keyspace, pt_slice key, pt_slice value) PT_MUST_USE;
peat_rc pt_batch_delete(pt_batch *b, uint32_t keyspace, pt_slice key) PT_MUST_USE;
/* An entry as it was read, of whatever kind; its sequence is not part of the batch. */
peat_rc pt_batch_add(pt_batch *b, const pt_entry *entry) PT_MUST_USE;
/* Room for the value inside the batch, to be filled before the next call on the batch. */
peat_rc pt_batch_put_reserve(pt_batch *b, uint32_t keyspace, pt_slice key, size_t value_size,
                             uint8_t **ret_value) PT_MUST_USE;

/* Adds the operations of `from`, which may be `b` itself. */
peat_rc pt_batch_append(pt_batch *b, const pt_batch *from) PT_MUST_USE;
/* Takes off what follows the first `size` bytes; false, and nothing changed, when no operation ends
 * there. Decodes what it keeps. */
bool pt_batch_cut(pt_batch *b, size_t size) PT_MUST_USE;

/* Largest encoding of one operation's head. */
#define PT_OP_HEAD_BYTES_MAX (1 + 5 + 5 + PT_KEYSPACE_BYTES)
/* Writes kind, sizes and keyspace; the user's key and value bytes follow. Returns the end. */
uint8_t *pt_op_head(uint8_t *p, pt_kind kind, uint32_t keyspace, size_t key_size,
                    size_t value_size);

/* Decoding; pure. PEAT_END after the last, PEAT_CORRUPT for bytes that are no operation (sizes
 * beyond the limits, unknown kinds: PEAT_VERSION). ret_entry's seq is not set. */
peat_rc pt_op_next(pt_cursor *io_ops, pt_entry *ret_entry);

#endif
