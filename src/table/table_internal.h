/* SPDX-License-Identifier: MIT */
/*
 * table_internal.h - the opened table inside: its file (table_files.c), its sections
 * (table_section.c), its blocks as they lie on disk (table_file.c).
 *
 * Sections are immutable once published in `section[]`. A reader inside an epoch loads the pointer;
 * a reader that does I/O in between holds a counted reference. Letting go unlinks the pointer and
 * retires the table's own reference through the epoch.
 */
#ifndef PT_TABLE_TABLE_INTERNAL_H
#define PT_TABLE_TABLE_INTERNAL_H

#include "base/hash.h"
#include "table/block.h"
#include "table/codec.h"
#include "table/filter.h"
#include "table/index.h"
#include "table/locator.h"
#include "table/table.h"
#include "table/table_meta.h"

struct pt_section_data {
    pt_retired retired;
    atomic_uint refs; /* the table's and those of iterators and reads */
    const pt_env *env;
    uint8_t *memory;
    uint8_t *bytes; /* in it */
    size_t size;
    size_t mapped; /* bytes of a mapping; 0: from the heap */
    union {
        pt_index index;
        pt_filter filter;
        pt_locator locator;
    } view;
};

struct pt_table {
    /* hot in lookups; fixed but for the atomics */
    _Atomic(pt_section_data *) section[PT_SECTION_COUNT]; /* written under mu */
    atomic_bool denied[PT_SECTION_COUNT];
    _Atomic uint64_t layout; /* layout_hint.h */
    uint32_t block_count;
    uint32_t block_bytes;
    bool aligned;
    bool long_prefix; /* some blocks have one; in others it is damage */
    pt_codec codec;
    /* fixed */
    uint64_t file_id;
    uint64_t blocks_end;
    const pt_env *env;
    pt_dir *dir;
    pt_sink *sink;
    pt_epoch *epoch;
    pt_table_meta meta; /* its keys lie behind the struct */
    char name[PT_TABLE_NAME_SIZE];
    pt_mutex load_mu;          /* one loader of sections at a time */
    pt_mutex mu;               /* section pointers against their counts */
    _Atomic(pt_coder *) coder; /* a decoder nobody is using */
    /* the file, when it is open; table_files.c */
    pt_mutex file_mu; /* one opener at a time */
    pt_file *file;
    _Atomic uint32_t file_state;
    atomic_bool file_used; /* since it was last looked at for closing */
    pt_table_files *files; /* fixed before first use; NULL: the file stays open */
    pt_table_link files_link;
};

/* The file for one call of the environment; opened when it is not open. The caller neither waits
 * nor pins again, not even this table, before it unpins. */
peat_rc pt_table_pin(pt_table *t, pt_file **ret_file) PT_MUST_USE;
void pt_table_unpin(pt_table *t);
/* Does nothing when the file is not open. */
void pt_table_advise(pt_table *t, uint64_t offset, uint64_t size, int advice);
/* For pt_table_free. */
void pt_table_drop_file(pt_table *t);
void pt_table_drop_sections(pt_table *t);

/* A counted reference; loads the section when it is not there. */
peat_rc pt_table_section_hold(pt_table *t, pt_section s, pt_section_data **ret_data) PT_MUST_USE;
void pt_section_unref(pt_section_data *data);
/* Reads and verifies a section without publishing it. */
peat_rc pt_table_section_read(pt_table *t, pt_section s, pt_section_data **ret_data) PT_MUST_USE;

static inline pt_section_data *pt_table_section_peek(const pt_table *t, pt_section s)
{
    /* pairs with the release in publish(): a section is complete before it is seen */
    return atomic_load_explicit(&t->section[s], memory_order_acquire);
}

/* Where block b lies, checksum included. `index` may be NULL for aligned tables. */
void pt_table_extent(const pt_table *t, const pt_index *index, uint32_t block, uint64_t *ret_offset,
                     size_t *ret_size);
/* Largest decoded size of the block. */
size_t pt_table_decoded_max(const pt_table *t, const pt_index *index, uint32_t block);
/* Verifies an extent that was read and decodes it into dst; uncompressed bytes stay where they are.
 * ret_block is as long as the block's own head says. */
peat_rc pt_table_decode(pt_table *t, uint32_t block, uint64_t offset, pt_slice extent, uint8_t *dst,
                        size_t dst_size, pt_slice *ret_block) PT_MUST_USE;
/* The same without the checksum, which the caller has verified and left out of `stored`. */
peat_rc pt_table_decode_sound(pt_table *t, uint32_t block, uint64_t offset, pt_slice stored,
                              uint8_t *dst, size_t dst_size, pt_slice *ret_block) PT_MUST_USE;

#endif
