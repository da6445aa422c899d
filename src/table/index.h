/* SPDX-License-Identifier: MIT */
/*
 * index.h - the block index (table_format.md, "Index"): one separator per block, where blocks lie,
 * how many entries precede them.
 *
 * Separator s(b): last key of b <= s(b) < first key of b + 1 (equal to both when one key's versions
 * go over the border); the last block's is its last key. All begin with the prefix common to the
 * table's keys; behind it, 8 bytes are the "head", an integer; what is left is the tail.
 */
#ifndef PT_TABLE_INDEX_H
#define PT_TABLE_INDEX_H

#include "base/key.h"
#include "env/env.h"

/* ---- built by the writer ---- */

typedef struct pt_index_builder {
    const pt_env *env;
    pt_bytes separators; /* varint-sized strings in order */
    uint64_t *offsets;
    uint32_t *entries; /* before each block */
    uint32_t *large;   /* pairs (block, decoded size) */
    size_t offsets_capacity, entries_capacity, large_capacity;
    uint32_t count, large_count;
} pt_index_builder;

void pt_index_builder_init(pt_index_builder *b, const pt_env *env);
void pt_index_builder_done(pt_index_builder *b);
/* A block ends: `next` is the first key of the next block (data NULL: none). `large_size`: decoded
 * size of a large block, else 0. */
peat_rc pt_index_builder_add(pt_index_builder *b, uint64_t offset, uint32_t entries_before,
                             pt_slice last, const pt_slice *next, uint32_t large_size) PT_MUST_USE;
/* Appends the section. `extents`: write where blocks lie. */
peat_rc pt_index_builder_finish(const pt_index_builder *b, pt_slice key_min, pt_slice key_max,
                                uint64_t blocks_end, uint32_t entries, bool extents,
                                pt_bytes *io_out) PT_MUST_USE;

/* ---- read ---- */

typedef struct pt_index {
    uint32_t count;
    uint32_t large_count;
    pt_slice prefix;
    const uint8_t *heads;     /* u64 */
    const uint8_t *offsets;   /* u64, count + 1; NULL: aligned */
    const uint8_t *entries;   /* u32, count + 1 */
    const uint8_t *sizes;     /* u8: real bytes of the head */
    const uint8_t *tail_ends; /* u32; NULL: no tails */
    const uint8_t *tails;
    const uint8_t *large;   /* u32 pairs */
    const uint8_t *samples; /* every PT_INDEX_STRIDE-th head, made when the section is loaded */
    uint32_t sample_count;
} pt_index;

/* A sample and the heads up to the next one take one cache line, when the section lies so in memory
 * (pt_index_heads_at): a search touches the few lines of the samples, which stay near, and then
 * this one. */
#define PT_INDEX_STRIDE     8u
#define PT_INDEX_LINE_BYTES 64u

/* Where the heads begin in a section of a table with these keys. For no more than where it is put:
 * a hostile file may say what it likes. */
size_t pt_index_heads_at(pt_slice key_min, pt_slice key_max);

/* Memory that pt_index_view needs for the samples of an index, aligned to 8 bytes. */
static inline size_t pt_index_samples_size(uint32_t block_count)
{
    return ((size_t)block_count / PT_INDEX_STRIDE + 1) * 8;
}

/* Verifies the structure of a section's bytes and makes a view. Returns NULL or what is wrong. */
const char *pt_index_view(pt_index *ret_index, pt_slice bytes, uint32_t block_count,
                          uint64_t entries, uint64_t blocks_end, uint64_t *samples);

/* The first block with key <= separator: where the newest version of key is, if anywhere. `count`
 * when the key is above all. */
uint32_t pt_index_search(const pt_index *x, pt_slice key);
/* The same in two steps, for who asks for the lines in between: heads [from, from +
 * PT_INDEX_STRIDE) are looked at by the second, in all but rare cases. */
typedef struct pt_index_place {
    uint64_t head;
    uint32_t sample, from;
    bool decided; /* `from` is the answer */
} pt_index_place;
pt_index_place pt_index_narrow(const pt_index *x, pt_slice key);
uint32_t pt_index_settle(const pt_index *x, pt_slice key, const pt_index_place *place);
static inline void pt_index_prefetch(const pt_index *x, const pt_index_place *place)
{
    PT_PREFETCH(x->heads + (size_t)place->from * 8);
}
/* Offset of a block, or of the end of blocks (block == count). Needs extents. */
static inline uint64_t pt_index_offset(const pt_index *x, uint32_t block)
{
    return pt_get_u64(x->offsets + (size_t)block * 8);
}
static inline uint32_t pt_index_entries_before(const pt_index *x, uint32_t block)
{
    return pt_get_u32(x->entries + (size_t)block * 4);
}
/* Decoded size of a large block; 0 for others. */
uint32_t pt_index_large_size(const pt_index *x, uint32_t block);
/* Where in block b's span of heads the key lies, in 1/65536. */
uint32_t pt_index_position(const pt_index *x, uint32_t block, pt_slice key);

#endif
