/* SPDX-License-Identifier: MIT */
/*
 * writer.h - the table writer inside: what table_writer.c (entries into blocks), writer_layout.c
 * (sample and decisions), writer_long.c (blocks with a long prefix), writer_keys.c (hashes for the
 * filter) and writer_sections.c (what comes behind the blocks) share.
 */
#ifndef PT_TABLE_WRITER_H
#define PT_TABLE_WRITER_H

#include "base/coding.h"
#include "base/hash.h"
#include "table/block_build.h"
#include "table/codec.h"
#include "table/index.h"
#include "table/table_meta.h"

/* One per distinct key, for filter and locator. */
typedef struct pt_writer_keys {
    uint64_t *hashes;  /* scratch memory of both */
    uint32_t *entries; /* ordinal of the key's newest version */
    size_t capacity;
    size_t count;
    bool wanted;
} pt_writer_keys;

struct pt_table_writer {
    const pt_env *env;
    pt_sink *sink;
    pt_file *file;
    pt_table_writer_options options;
    char name[PT_TABLE_NAME_SIZE];
    uint64_t file_id;
    peat_rc failed; /* the first failure, for ever */

    /* layout */
    bool sampling;
    bool aligned; /* so far every block lies at its number * 4096 */
    pt_codec codec;
    uint32_t block_bytes;
    pt_coder *coder;
    pt_bytes sample;
    uint64_t sample_entries;
    uint64_t slack_bytes;

    /* the open block */
    pt_block_builder builder;
    pt_bytes large;       /* one encoded large block, or empty */
    size_t base_size;     /* of its key, taken off the keys in the builder; 0: it stays alone */
    uint32_t block_first; /* entries before it */
    bool cut;             /* it ends here */
    pt_bytes scratch;

    pt_bytes key_min, last_key;
    uint64_t last_seq;
    pt_index_builder index;
    uint32_t block_entries_max;
    pt_writer_keys keys;
    pt_bytes out;
    uint64_t out_offset;
    pt_table_meta meta;
};

/* File offset of what is appended to `out` next. */
static inline uint64_t pt_writer_place(const pt_table_writer *w)
{
    return w->out_offset + w->out.size;
}

/* An encoded block's limit: with its checksum it still fits its frame. */
static inline size_t pt_writer_block_max(const pt_table_writer *w)
{
    return w->block_bytes - PT_BLOCK_CHECK_BYTES;
}

/* Appends the checksum of what lies in `out` from `start`, for where it will be. */
static inline PT_MUST_USE peat_rc pt_writer_checksum(pt_table_writer *w, size_t start)
{
    return pt_bytes_append_u64(&w->out, pt_checksum(w->out.data + start, w->out.size - start,
                                                    w->file_id, w->out_offset + start));
}

/* writer_keys.c: one call for each distinct key; more keys than are allowed drop them all. */
peat_rc pt_writer_note_key(pt_table_writer *w, uint64_t key_hash) PT_MUST_USE;
void pt_writer_drop_keys(pt_table_writer *w);

/* writer_layout.c */
peat_rc pt_writer_sample_add(pt_table_writer *w, const pt_entry *entry,
                             uint64_t key_hash) PT_MUST_USE;
/* The entry at the cursor, which begins at the sample's start; false at its end. */
bool pt_writer_sample_next(pt_cursor *c, pt_entry *ret_entry, uint64_t *ret_hash);
/* Of the pages, that may stay empty where a sample decides for an aligned table. What is empty is
 * no debt that a merge pays off: it comes on top of the space that is obsolete. */
#define PT_WRITER_SLACK_PERMILLE 30u
/* From what the sample holds; its entries are to be added then. */
peat_rc pt_writer_decide_layout(pt_table_writer *w) PT_MUST_USE;

/* All of a block with a long prefix but that prefix: what a frame of 16 KiB would hold. */
#define PT_WRITER_LONG_REST ((size_t)PT_BLOCK_BYTES_LARGE - PT_BLOCK_CHECK_BYTES)

/* writer_long.c: into the block that the large one at hand is, or can become. False in ret_added:
 * that block ends before this entry. */
peat_rc pt_writer_join(pt_table_writer *w, const pt_entry *entry, uint8_t tag,
                       bool *ret_added) PT_MUST_USE;
/* What its keys begin with. */
pt_slice pt_writer_base(const pt_table_writer *w);

/* writer_sections.c: index, filter, locator, footer, behind the last block. */
peat_rc pt_writer_put_sections(pt_table_writer *w) PT_MUST_USE;

#endif
