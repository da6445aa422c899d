/* SPDX-License-Identifier: MIT */
/* table_salvage.h - the inside of a salvage: which blocks there are, and what is lost with others.
 */
#ifndef PT_REPAIR_TABLE_SALVAGE_H
#define PT_REPAIR_TABLE_SALVAGE_H

#include "table/table_internal.h"

typedef struct pt_salvage pt_salvage;

/* Reads all of it, past any cache. The table outlives the salvage; nobody else uses it. */
peat_rc pt_salvage_new(const pt_env *env, pt_table *t, pt_salvage **ret_salvage) PT_MUST_USE;
void pt_salvage_free(pt_salvage *s);
/* The newest version of this key that the table held may be among what is lost. */
bool pt_salvage_lost(const pt_salvage *s, pt_slice key);
/* The entries that can be read, in order: seek, first and next only. */
peat_rc pt_salvage_iter_new(pt_salvage *s, pt_iter **ret_iter) PT_MUST_USE;
/* The meta in the file's own footer. Its keys lie in io_bytes. PEAT_CORRUPT: there is none. */
peat_rc pt_salvage_footer_read(const pt_env *env, pt_file *file, pt_bytes *io_bytes,
                               pt_table_meta *ret_meta) PT_MUST_USE;

/* ---- inside ---- */

typedef struct pt_salvage_extent {
    uint64_t offset;
    size_t size;
    bool lost;
} pt_salvage_extent;

/* Keys above the first and up to the second, which lie at `at` in `bounds` one after the other. */
typedef struct pt_salvage_gap {
    size_t at, after_size, until_size;
} pt_salvage_gap;

/* A block that was read: bytes as in the file, and decoded. */
typedef struct pt_salvage_buffer {
    pt_bytes raw, decoded;
    pt_block view;
} pt_salvage_buffer;

struct pt_salvage {
    const pt_env *env;
    pt_table *t;
    pt_section_data *index; /* NULL: lost */
    bool missing;           /* the whole file */
    uint64_t end;           /* of the blocks that are there */
    uint64_t credit;        /* without the index: bytes that may still be hashed for nothing */
    uint64_t window_at;     /* and where this is from */
    pt_bytes window;
    pt_salvage_extent *extents;
    size_t count, capacity;
    pt_salvage_gap *gaps; /* without the index */
    size_t gap_count, gap_capacity;
    pt_bytes bounds;
    uint64_t entries; /* that can be read */
};

void pt_salvage_buffer_init(pt_salvage_buffer *b, const pt_env *env);
void pt_salvage_buffer_done(pt_salvage_buffer *b);
/* PEAT_CORRUPT or PEAT_IO: the block is lost. */
peat_rc pt_salvage_read(pt_salvage *s, size_t block, const pt_salvage_extent *x,
                        pt_salvage_buffer *b) PT_MUST_USE;
/* The key of an entry, whole. */
peat_rc pt_salvage_put_key(pt_bytes *key, const pt_block *v, uint32_t slot) PT_MUST_USE;

#endif
