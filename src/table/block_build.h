/* SPDX-License-Identifier: MIT */
/*
 * block_build.h - entries of one block, held until its exact size is known.
 *
 * Raw keys and values go into two arenas; the common prefix is taken off when the block is encoded.
 * The size after each addition is exact, so a block is filled to its last byte.
 */
#ifndef PT_TABLE_BLOCK_BUILD_H
#define PT_TABLE_BLOCK_BUILD_H

#include "env/env.h"
#include "table/block.h"

typedef struct pt_block_builder {
    const pt_env *env;
    size_t size_max; /* of the encoded block */
    pt_bytes keys, values;
    uint8_t *tags, *kinds;           /* arrays of PT_BLOCK_ENTRIES_MAX */
    uint32_t *key_ends, *value_ends; /* in keys, values */
    uint64_t *seqs;
    uint32_t count;
    size_t prefix_size; /* common to all keys so far */
    size_t size;        /* encoded */
    bool fixed_keys, fixed_values, has_kinds, has_seq;
    uint64_t seq_min, seq_max;
} pt_block_builder;

peat_rc pt_block_builder_init(pt_block_builder *b, const pt_env *env) PT_MUST_USE;
void pt_block_builder_done(pt_block_builder *b);
void pt_block_builder_clear(pt_block_builder *b, size_t size_max);

/* False in ret_added: the block is full (or, when empty, the entry needs a large block). */
peat_rc pt_block_builder_add(pt_block_builder *b, const pt_entry *entry, uint8_t tag,
                             bool *ret_added) PT_MUST_USE;
/* Writes b->size bytes. The builder is not empty. */
void pt_block_builder_encode(const pt_block_builder *b, bool continues, uint8_t *dst);

/* A block with a long prefix: the builder holds keys without the first base.size bytes, which are
 * those of `base`. Its size, and its bytes. */
size_t pt_block_long_size(const pt_block_builder *b, pt_slice base);
void pt_block_encode_long(const pt_block_builder *b, pt_slice base, bool continues, uint8_t *dst);

/* Appends a large block of one entry. */
peat_rc pt_block_encode_large(const pt_entry *entry, uint8_t tag, pt_bytes *io_out) PT_MUST_USE;
size_t pt_block_common_prefix(pt_slice a, pt_slice b);

#endif
