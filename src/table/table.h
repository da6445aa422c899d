/* SPDX-License-Identifier: MIT */
/*
 * table.h - a sorted, immutable file of entries (table_format.md): the writer, the opened table
 * with its lookups, iterators and readers.
 *
 * A lookup never does I/O: it stops at "needs block b" or "needs section s", the caller gets it and
 * asks again. So one machine serves plain gets, multi-gets and the asynchronous interface.
 */
#ifndef PT_TABLE_TABLE_H
#define PT_TABLE_TABLE_H

#include "base/epoch.h"
#include "base/fail.h"
#include "base/sync.h"
#include "entry/block_source.h"
#include "entry/entry.h"
#include "entry/iter.h"
#include "env/env.h"

typedef enum pt_codec { PT_CODEC_NONE = 0, PT_CODEC_LZ4 = 1, PT_CODEC_ZSTD = 2 } pt_codec;
/* In the file and the manifest; never renumber. */
typedef enum pt_run_kind {
    PT_RUN_FLUSHED = 1,
    PT_RUN_INTERMEDIATE = 2,
    PT_RUN_BOTTOMMOST = 3
} pt_run_kind;

typedef enum pt_section {
    PT_SECTION_INDEX,
    PT_SECTION_FILTER,
    PT_SECTION_LOCATOR,
    PT_SECTION_RANGES, /* range tombstones: empty in format 1 */
    PT_SECTION_COUNT
} pt_section;

/* Block b lies at b * 4096; without it the index says where blocks are. */
#define PT_TABLE_ALIGNED 1u
/* Some block has a long prefix (block.h). */
#define PT_TABLE_LONG_PREFIX 2u

/* Everything the footer says. The manifest repeats its encoding, so that opening a store reads no
 * table. */
typedef struct pt_table_meta {
    uint64_t store_id, file_number;
    uint64_t file_bytes;   /* exact */
    uint64_t created_edit; /* number of the manifest edit that installs it */
    uint64_t entries, tombstones;
    uint64_t key_bytes, value_bytes;   /* raw */
    uint64_t seq_min, seq_max;         /* before zeroing */
    uint32_t block_count, block_bytes; /* logical block size: 4096 or 16384 */
    pt_run_kind run_kind;
    pt_codec codec;
    uint32_t flags; /* PT_TABLE_ALIGNED, PT_TABLE_LONG_PREFIX */
    struct {
        uint64_t offset, size; /* size 0: absent */
    } section[PT_SECTION_COUNT];
    pt_slice key_min, key_max; /* exact bounds; owned by whoever says so */
} pt_table_meta;

/* The encoded footer (same bytes in the file and in the manifest), with its checksum. */
peat_rc pt_table_meta_encode(const pt_table_meta *meta, pt_bytes *io_out) PT_MUST_USE;
/* Keys of ret_meta point into the bytes. PEAT_CORRUPT, PEAT_VERSION. */
peat_rc pt_table_meta_decode(pt_slice bytes, pt_table_meta *ret_meta) PT_MUST_USE;

#define PT_TABLE_NAME_SIZE 32
void pt_table_name(uint64_t file_number, char ret_name[PT_TABLE_NAME_SIZE]); /* t-NNNNNN */

/* ---- writing ---- */

/* What filter and locator are built from: hashes (12 bytes, in arrays that double), and the order
 * of fuse.h (37 bytes). */
#define PT_TABLE_KEY_MEMORY ((size_t)64)

typedef struct pt_table_writer pt_table_writer;

typedef struct pt_table_writer_options {
    uint64_t store_id, file_number, created_edit;
    pt_run_kind run_kind;
    pt_codec codec;
    /* 0: 4096, or 16384 in a compressed bottommost table or when records are large; which those
     * are stands in table_format.md */
    uint32_t block_bytes;
    bool packed; /* never align blocks to pages */
    /* Most reads of it will be of one record each, from the device: a page is worth more than a
     * well filled block. */
    bool single_reads;
    bool want_filter;
    bool want_locator; /* a filter in its place when it cannot be built */
    uint64_t keys_max; /* of filter and locator, PT_TABLE_KEY_MEMORY each while the table is
                              written; with more they are left out. 0: no limit */
    /* Sequences of the inputs before zeroing; the meta's range spans these and the entries'. */
    uint64_t inputs_seq_min, inputs_seq_max;
} pt_table_writer_options;

/* Creates the file (the name is durable only after the caller's directory sync). Writes in pieces
 * of 256 KiB. */
peat_rc pt_table_writer_new(const pt_env *env, pt_dir *dir, pt_sink *sink,
                            const pt_table_writer_options *options,
                            pt_table_writer **ret_writer) PT_MUST_USE;
/* In entry order (equal keys newest first). The key's hash is pt_hash of the internal key. The
 * bytes are copied. After a failure only pt_table_writer_free may follow. */
peat_rc pt_table_writer_add(pt_table_writer *w, const pt_entry *entry,
                            uint64_t key_hash) PT_MUST_USE;
/* The next entry begins a new block: a partition boundary. Returns that block's number. */
peat_rc pt_table_writer_cut(pt_table_writer *w, uint32_t *ret_block) PT_MUST_USE;
uint64_t
pt_table_writer_bytes(const pt_table_writer *w); /* of blocks so far, the open one included */
uint64_t pt_table_writer_block_begin(const pt_table_writer *w); /* where the open one begins */
uint64_t pt_table_writer_entries(const pt_table_writer *w);
/* Writes sections and footer, syncs the file. Keys of ret_meta live until the writer is freed. */
peat_rc pt_table_writer_finish(pt_table_writer *w, pt_table_meta *ret_meta) PT_MUST_USE;
/* Without finish the file stays as an orphan; removing it is the caller's. */
void pt_table_writer_free(pt_table_writer *w);

/* ---- what the tables of a store have in common ---- */

/*
 * Which of them have their file open, how many may, and how much memory their sections take.
 *
 * A table opens its file for a read that needs it and keeps it; a file that no read is using can be
 * closed at any time, and is opened again by the next read. So descriptors are a cache: at most
 * `limit` are held, the ones unused for longest go first, and when the system has none left the
 * limit is halved and what is above it is closed. While it stays quiet the limit grows again.
 *
 * When all files are in use one of them is closed to newcomers, and goes with its last read. A read
 * uses its file for one call of the environment, takes no lock and opens nothing meanwhile: so
 * waiting for it is short and cannot be waiting for oneself.
 */

/* A quarter of the usual limit of 1024 descriptors: the rest is the program's. */
#define PT_TABLE_FILES_MAX 256u
/* So many files opened without a shortage, and the limit is raised by one. */
#define PT_TABLE_FILES_CALM 256u

typedef struct pt_table_link {
    struct pt_table_link *prev, *next;
} pt_table_link;

/* Who waits for reads to end asks those to end them that read for who may not ask for long: false,
 * not all could be ended now. No lock but file_mu and the gate is held. */
typedef struct pt_table_files_hurry {
    bool (*fn)(void *ctx); /* NULL: there is nobody to be asked */
    void *ctx;
} pt_table_files_hurry;

typedef struct pt_table_files {
    pt_table_files_hurry hurry; /* fixed before first use */
    pt_mutex gate;              /* the gate of the pt_fd_reclaim */
    pt_mutex mu; /* a leaf; closing a file that was only read is all that happens under it */
    pt_cond changed;
    /* guarded by mu */
    pt_table_link ring; /* head; tables with an open file, oldest first */
    size_t open;        /* in the ring */
    size_t leaving;     /* of these: closed to newcomers */
    size_t opening;     /* on their way into the ring */
    size_t limit;       /* of open + opening; at least 1 */
    unsigned calm;      /* opened since the limit was moved */
    uint64_t closed;    /* counts */
    uint64_t changes;   /* likewise: how often `changed` was told */

    /* of sections that tables hold: loaded, and not let go since */
    _Atomic uint64_t section_bytes;
    /* of the windows of scans (read_ahead.h): held, allowed (fixed before first use); read by them
     * so far */
    _Atomic uint64_t ahead_bytes;
    uint64_t ahead_max;
    _Atomic uint64_t ahead_read;
} pt_table_files;

void pt_table_files_init(pt_table_files *files);
void pt_table_files_done(pt_table_files *files); /* no table is left */
/* Closes files that no read has used since the last such call, if none is using them now. */
void pt_table_files_rest(pt_table_files *files);
/* There is no descriptor left: closes what is idle down to half of what is open, at least one; when
 * all are in use, waits for one. False: one is open, which is kept, or none. The fn of a
 * pt_fd_reclaim. */
bool pt_table_files_relieve(void *files);

/* ---- an open table ---- */

typedef struct pt_table pt_table;

/* No I/O; the file is opened at first use. Copies the meta and its keys. One descriptor at most;
 * kept from the first read to free, unless the table joins a set. */
peat_rc pt_table_new(const pt_env *env, pt_dir *dir, pt_sink *sink, pt_epoch *epoch,
                     const pt_table_meta *meta, pt_table **ret_table) PT_MUST_USE;
void pt_table_free(pt_table *t); /* no reader is left */
/* Before first use: descriptors are shared with the set's other tables. It outlives the table. */
void pt_table_join(pt_table *t, pt_table_files *files);
const pt_table_meta *pt_table_get_meta(const pt_table *t);

/* Sections are loaded on demand and can be let go. Load: blocking, single flight, verified. */
peat_rc pt_table_load(pt_table *t, pt_section s) PT_MUST_USE;
/* The index, loaded if need be, stays until it is left: who looks again later keeps it, or the
 * indexes that others load meanwhile would push it out, each time. */
typedef struct pt_section_data pt_section_data;
peat_rc pt_table_index_keep(pt_table *t, pt_section_data **ret_kept) PT_MUST_USE;
void pt_table_index_leave(pt_section_data *kept);
/* The same in halves: where the section's bytes lie, and what was read from there, by somebody
 * else. A section that has been loaded meanwhile stays. */
void pt_table_section_extent(const pt_table *t, pt_section s, uint64_t *ret_offset,
                             size_t *ret_size);
peat_rc pt_table_take_section(pt_table *t, pt_section s, pt_slice bytes) PT_MUST_USE;
/* Exactly n bytes of the file; what the text of an error calls them. A shorter file is
 * PEAT_CORRUPT. */
peat_rc pt_table_read(pt_table *t, uint64_t offset, void *buf, size_t n,
                      const char *what) PT_MUST_USE;
/* The same in halves, for who reads by itself: the file, if it is open (open_file sees to that, but
 * for how long is not said), to be used until read_end, which says what came of it. Between the two
 * the caller waits for nothing but such reads: who opens a file may wait for them. */
peat_rc pt_table_open_file(pt_table *t) PT_MUST_USE;
bool pt_table_read_begin(pt_table *t, pt_file **ret_file);
void pt_table_read_cancel(pt_table *t); /* in the place of read_end: nothing was read */
peat_rc pt_table_read_end(pt_table *t, uint64_t offset, size_t n, const char *what, int error,
                          size_t got) PT_MUST_USE;
bool pt_table_loaded(const pt_table *t, pt_section s);
size_t pt_table_section_memory(const pt_table *t, pt_section s); /* bytes when loaded */
void pt_table_unload(pt_table *t, pt_section s);                 /* retired through the epoch */
/* Somebody reads the loaded section now, so that unloading it would free nothing. */
bool pt_table_section_shared(pt_table *t, pt_section s);

/* Denied sections are done without: never asked for, not used (under memory pressure). The index
 * cannot be denied. */
void pt_table_deny(pt_table *t, pt_section s, bool denied);

/* Block reads, for the cache's loader and the stream. Verify against place, decode. */
size_t
pt_table_block_size(pt_table *t,
                    uint32_t block); /* decoded, index loaded or aligned table; upper bound */
peat_rc pt_table_read_block(pt_table *t, uint32_t block, uint8_t *dst, size_t dst_size,
                            size_t *ret_size) PT_MUST_USE;
/* The same when somebody else has read its extent: the block as it is in the file, with its
 * checksum. Of a table whose blocks are plain (not compressed) it may lie at dst already. */
bool pt_table_blocks_are_plain(const pt_table *t);
peat_rc pt_table_take_block(pt_table *t, uint32_t block, uint64_t offset, pt_slice extent,
                            uint8_t *dst, size_t dst_size, size_t *ret_size) PT_MUST_USE;

/* ---- the blocks around one, by one read ---- */

#define PT_TABLE_AROUND_BYTES  ((size_t)64 << 10)
#define PT_TABLE_AROUND_BLOCKS 16u /* of the smallest */

typedef struct pt_table_around {
    uint32_t first, count;
    uint64_t offset[PT_TABLE_AROUND_BLOCKS];
    uint32_t size[PT_TABLE_AROUND_BLOCKS]; /* in the file, with the checksum */
    uint32_t decoded_max[PT_TABLE_AROUND_BLOCKS];
} pt_table_around;

/* The block, and those that lie beside it in the same AROUND_BYTES and fit a frame. False: it is
 * best read alone. */
bool pt_table_around_of(pt_table *t, uint32_t block, pt_table_around *ret_around);
/* Reads its blocks `from` to `to` (counted from its first) into buf, of AROUND_BYTES. False: that
 * did not go well, or the file is not open. Nothing is told of it: who needs a block reads it
 * alone, and is told then. */
bool pt_table_around_read(pt_table *t, const pt_table_around *a, uint32_t from, uint32_t to,
                          uint8_t *buf) PT_MUST_USE;
/* Verifies and decodes its i-th block, which lies at `bytes`, into dst. False as above. */
bool pt_table_around_take(pt_table *t, const pt_table_around *a, uint32_t i, const uint8_t *bytes,
                          uint8_t *dst, size_t dst_size, size_t *ret_size) PT_MUST_USE;

/* Where the file's block lies, for texts. */
uint64_t pt_table_block_offset(pt_table *t, uint32_t block);

/* ---- point lookup ---- */

typedef enum pt_find {
    PT_FIND_ABSENT, /* no version with seq <= seq_max in this table */
    PT_FIND_FOUND,
    PT_FIND_NEED_BLOCK,  /* ret->block: fetch it and call again, giving it as `held` */
    PT_FIND_NEED_SECTION /* ret->section: pt_table_load and call again */
} pt_find;

typedef struct pt_find_result {
    pt_entry entry; /* points into the block: valid while the epoch or the held ref is */
    uint32_t block; /* where it is, or what is needed */
    pt_section section;
    /* of a needed block: where its bytes lie in the file, and an upper bound when decoded */
    uint64_t extent_offset;
    size_t extent_size, decoded_max;
} pt_find_result;

/* Asks the filter alone (prefetch first for many tables): false means certainly absent; true also
 * when no filter is loaded. */
void pt_table_prefetch(const pt_table *t, uint64_t key_hash);
bool pt_table_may_contain(const pt_table *t, uint64_t key_hash);

/* What an entry takes on disk, about: the mean of a block. A large block's is that of its one
 * entry. 0 when the index is not loaded. Inside an epoch. */
uint64_t pt_table_entry_bytes(const pt_table *t, uint32_t block);
/* There are such blocks, as far as the index is loaded. Inside an epoch. */
bool pt_table_has_large(const pt_table *t);
/* The key, if the table has it, is one of those that have a large block for themselves: index,
 * filter and locator say so as far as they are loaded. Inside an epoch. */
bool pt_table_large_at(const pt_table *t, pt_slice key, uint64_t key_hash);

/* `held` (may be NULL): the block that the last call for the same key and seq_max asked for, with
 * its number; used instead of a resident one. Inside an epoch. Uses the index with the locator, or
 * else with the filter; the key of the result is the caller's. */
pt_find pt_table_find(pt_table *t, pt_block_source *source, pt_slice key, uint64_t key_hash,
                      uint64_t seq_max, uint32_t held_block, const pt_block_ref *held,
                      pt_find_result *ret_result);

/* ---- iteration ---- */

typedef struct pt_table_iter_options {
    pt_slice lower,
        upper; /* [lower, upper), internal keys, copied by the iterator; data NULL: unbounded */
    pt_fetch_hint hint;
} pt_table_iter_options;

/* Holds blocks pinned through the source; the table and the source outlive it. The index is loaded
 * when needed. */
peat_rc pt_table_iter_new(const pt_env *env, pt_table *t, pt_block_source *source,
                          const pt_table_iter_options *options, pt_iter **ret_iter) PT_MUST_USE;
/* The same iterator on another table, as if it were new: its memory serves again. After an error it
 * has left, as after this: it holds nothing but that memory, and may be reopened or done with. */
peat_rc pt_table_iter_reopen(pt_iter *it, pt_table *t, pt_block_source *source,
                             const pt_table_iter_options *options) PT_MUST_USE;
void pt_table_iter_leave(pt_iter *it);

/* A source of its own for one sequential pass past the cache, by windows that grow. A merge reads
 * 256 KiB to 1 MiB at a time and drops the pages behind it. A scan reads a quarter of what follows,
 * then all of it, asks for the next, and is refused (PEAT_UNSUPPORTED) a block that is larger. One
 * iterator at a time. */
#define PT_STREAM_SCAN_BYTES ((size_t)256 << 10)
typedef enum pt_stream_use { PT_STREAM_MERGE, PT_STREAM_SCAN } pt_stream_use;
peat_rc pt_table_stream_new(const pt_env *env, pt_table *t, pt_stream_use use,
                            pt_block_source **ret_source) PT_MUST_USE;
void pt_table_stream_free(const pt_env *env, pt_block_source *source);

/* What of the table lies below `key`: entries, and bytes of the file (its sections shared out by
 * entries). With a source the block in which the key falls is read: entries are exact then. NULL:
 * from the index, exact at block borders. Monotone in the key, either way. */
peat_rc pt_table_rank(pt_table *t, pt_block_source *source, pt_slice key, uint64_t *ret_entries,
                      uint64_t *ret_bytes) PT_MUST_USE;

/* Full verification: every block, section and footer; order of keys; every entry in filter and
 * locator. `report` is called for each damage. */
typedef void (*pt_table_damage_fn)(void *ctx, const char *file, uint64_t offset, const char *text);
peat_rc pt_table_check(pt_table *t, pt_table_damage_fn report, void *ctx,
                       uint64_t *ret_bytes_read) PT_MUST_USE;

#endif
