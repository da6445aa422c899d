/* SPDX-License-Identifier: MIT
 *
 * peat_admin.h - the upkeep of a Peat store: what a running store is asked now and then.
 *
 *   1  Progress                      4  Looking inside
 *   2  Keeping the store in shape    5  Streaming copies
 *   3  Checking and repairing        6  What the embedding brings
 *
 * peat.h is the manual to read first; what it says of every call (threads, ownership, outputs,
 * structs, codes) holds here too. It includes this header, so a program needs to name only one.
 * Programs: examples/upkeep.c, repair.c, backup.c and embedding.c.
 */
#ifndef PEAT_ADMIN_H
#define PEAT_ADMIN_H

#include "peat.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- 1  Progress ----------------------------------------------------------------------------- */

/* Long calls report their progress here, from the calling thread, at most a few times per second
 * or megabyte. phase is a static word, total is 0 while unknown. Returning false cancels: the call
 * returns PEAT_CANCELLED and the store is as valid as before. Calls on the same store are allowed
 * inside, except peat_close. A NULL peat_progress, or fn NULL, reports nothing. */
typedef struct peat_progress {
    size_t size;
    bool (*fn)(void *ctx, const char *phase, uint64_t done, uint64_t total);
    void *ctx;
} peat_progress;

/* ---- 2  Keeping the store in shape --------------------------------------------------------------
 * None of these is needed: the store looks after itself. */

/* Moves all that is in memory into tables: every write that had returned before is durable then,
 * with or without a log.
 * Returns PEAT_OK, PEAT_INVALID, PEAT_CLOSED, PEAT_READ_ONLY, PEAT_NOMEM, PEAT_FULL or PEAT_IO. */
PEAT_MUST_USE PEAT_API peat_rc peat_flush(peat_db *db);

/* Rewrites the range [lower, upper) into its densest form: one run, no deleted or overwritten
 * entries except those a snapshot needs. peat_unbounded() for both is the whole store. Reads and
 * writes go on meanwhile. A partition in which damage is met stays as it is, here and in
 * peat_settle and peat_work: it is no error of these calls; peat_db_error and the statistics tell
 * of it, and peat_check finds it.
 * Returns PEAT_OK, PEAT_CANCELLED (what was done so far stays), PEAT_INVALID, PEAT_TOO_BIG,
 * PEAT_CLOSED, PEAT_READ_ONLY, PEAT_NOMEM, PEAT_FULL or PEAT_IO. */
PEAT_MUST_USE PEAT_API peat_rc peat_compact(peat_db *db, peat_slice lower, peat_slice upper,
                                            const peat_progress *progress);

#define PEAT_WAIT_FOREVER UINT64_MAX

/* Waits until the background has nothing left to do: everything flushed and merged down to one run
 * per partition; then memory and descriptors that are not in use go back to the system. Without
 * threads it does that work itself. Writers that keep writing can keep it waiting.
 * Returns PEAT_OK, PEAT_TIMEOUT after timeout_ms (0: only asks), PEAT_INVALID, PEAT_CLOSED,
 * PEAT_READ_ONLY, PEAT_NOMEM, PEAT_FULL or PEAT_IO. */
PEAT_MUST_USE PEAT_API peat_rc peat_settle(peat_db *db, uint64_t timeout_ms);

/* Runs up to units_max units of background work in the calling thread; a unit is a flush, a merge,
 * a split or union of partitions. Meant for PEAT_THREADS_NONE, allowed always. *ret_units_done (may
 * be NULL) is set in every case; below units_max: nothing is left that is due or pays (what only a
 * long quiet settles may be left: peat_settle).
 * Returns PEAT_OK, PEAT_INVALID, PEAT_CLOSED, PEAT_READ_ONLY, PEAT_NOMEM, PEAT_FULL or PEAT_IO. */
PEAT_MUST_USE PEAT_API peat_rc peat_work(peat_db *db, size_t units_max, size_t *ret_units_done);

/* ---- 3  Checking and repairing --------------------------------------------------------------- */

/* One damaged place, handed to the callbacks of peat_check and peat_repair. */
typedef struct peat_damage {
    size_t size;
    const char *file;    /* name inside the directory of the store */
    uint64_t offset;     /* of the damaged block, record or field in the file */
    const char *message; /* one line: what was expected and what was found */
} peat_damage;

typedef struct peat_check_options {
    size_t size;
    /* Called for each damaged place; NULL: they are only counted. Returning false cancels. */
    bool (*damage_fn)(void *ctx, const peat_damage *damage);
    void *damage_ctx;
    const peat_progress *progress;
} peat_check_options;

typedef struct peat_check_report {
    size_t size;
    uint64_t files;
    uint64_t bytes;
    uint64_t blocks;
    uint64_t entries; /* all versions and tombstones in tables */
    uint64_t damages;
} peat_check_report;

/* Reads every byte of the store again, past the cache, and verifies all of it: checksums, order,
 * counts, filters, what the manifest says against what the files hold. Reads and writes go on
 * meanwhile, also on a read-only store. PEAT_CORRUPT and PEAT_CANCELLED fill ret_report too.
 * peat_open tells what keeps a store from opening.
 * Returns PEAT_OK (no damage), PEAT_CORRUPT (damage was found and reported), PEAT_CANCELLED,
 * PEAT_INVALID, PEAT_CLOSED, PEAT_IO (a file may not be read) or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_check(peat_db *db, const peat_check_options *options,
                                          peat_check_report *ret_report);

typedef struct peat_repair_options {
    size_t size;
    const peat_options *open; /* of the new store: memory, compression, host */
    bool accept_doubtful;     /* puts doubtful entries (below) into the new store as well */
    /* Called for each damaged place, and each doubtful entry in order of keys; returning false
     * cancels. NULL: they are only counted. */
    bool (*damage_fn)(void *ctx, const peat_damage *damage);
    bool (*doubtful_fn)(void *ctx, peat_slice key, peat_slice value);
    void *ctx;
    const peat_progress *progress;
} peat_repair_options;

typedef struct peat_repair_report {
    size_t size;
    uint64_t entries;             /* in the new store */
    uint64_t doubtful;            /* that were found */
    uint64_t damages;             /* damaged places */
    uint64_t lost_table_entries;  /* versions and tombstones in blocks that cannot be read */
    uint64_t lost_log_operations; /* writes that are known to have been in the log */
    bool manifest_lost;           /* nobody knows which table is newer: all entries are doubtful */
} peat_repair_report;

/* Makes a new store in to_dir, which does not lie in dir, of everything that can still be read of
 * the damaged store in dir, which is not changed: when peat_open answers PEAT_CORRUPT, or
 * peat_check finds damage and there is no better copy. Nobody may have dir open for writing: that
 * is PEAT_BUSY at once, whatever lock_wait_ms says.
 *
 * An entry is recovered when its bytes verify, and nothing that could hold a newer version or the
 * deletion of its key is lost. When something is (a block of a newer table, or the manifest that
 * knows which table is newer), the entry is doubtful: it was written once, and may have been
 * overwritten or deleted since. Doubtful entries are handed to doubtful_fn and left out of the new
 * store, unless accept_doubtful. Of a damaged log every record that verifies is recovered; the
 * writes of the others are lost, and older values of their keys stand, which the report can only
 * count. No entry is ever made up. Snapshots, old versions and statistics are not kept.
 * To put the new store in the place of the old one, rename both directories when nobody has either
 * open; why the call does not do it is told in doc/decisions/012-repair-beside.md.
 * The report is filled whatever the outcome, but with PEAT_INVALID.
 * After an error there is no new store in to_dir.
 * Returns PEAT_OK when the new store is complete and durable, however much was lost: look at the
 * report; or
 *   PEAT_NOT_FOUND    there is no dir
 *   PEAT_NOT_STORE    no file of a store is in dir, or to_dir is a file or has other things in it
 *   PEAT_EXISTS       a store is in to_dir; a damaged one, or one of another version, is
 *                     PEAT_CORRUPT, PEAT_VERSION or PEAT_UNSUPPORTED, as of peat_open
 *   PEAT_BUSY         dir is open for writing elsewhere, or to_dir is open
 *   PEAT_VERSION      dir holds a store, or a table without one, that needs another version of the
 *                     library, as of peat_open
 *   PEAT_UNSUPPORTED  it, or the new one's options, need a codec this build lacks
 *   PEAT_INVALID      to_dir is dir or lies in it, by name or by contents, or an argument makes no
 *                     sense
 *   PEAT_CANCELLED    a callback asked to stop
 *   PEAT_CORRUPT      a block that verified at first did not when it was read again
 *   PEAT_TOO_BIG      an entry is larger, with its key, than PEAT_BATCH_SIZE_MAX
 *   PEAT_READ_ONLY    the file system of to_dir is read-only
 *   PEAT_NOMEM, PEAT_FULL, PEAT_IO */
PEAT_MUST_USE PEAT_API peat_rc peat_repair(const char *dir, const char *to_dir,
                                           const peat_repair_options *options,
                                           peat_repair_report *ret_report, peat_error *ret_error);

/* ---- 4  Looking inside ----------------------------------------------------------------------- */

/* About how many entries, and how many bytes, the range [lower, upper) has, without reading it:
 * from indexes, and from the two blocks in which it begins and ends.
 *
 * The store keeps a key in layers (memory, runs not merged yet, the settled part). The count is the
 * sum over them: a key counts once in each layer that has it, overwritten or deleted or not, so
 * that settled parts, and those that were written once, are exact. The bytes are those of the
 * files, indexes and filters shared out by entries, and of keys and newest values in memory; a
 * large value is in its own range and in no other.
 *
 * The error against that sum is at most a tenth and the entries (bytes) of one block of 16 KiB; it
 * is 0 for counts but where a partition was split and not rewritten since, or while others write.
 * Takes a few reads per layer, and time in proportion to what the range has in memory: the size
 * looks at every record there, the count at one node in forty entries.
 * Return PEAT_OK, PEAT_INVALID, PEAT_TOO_BIG, PEAT_CLOSED, PEAT_IO, PEAT_CORRUPT or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_approximate_size(peat_db *db, peat_slice lower,
                                                     peat_slice upper, uint64_t *ret_bytes);
PEAT_MUST_USE PEAT_API peat_rc peat_approximate_count(peat_db *db, peat_slice lower,
                                                      peat_slice upper, uint64_t *ret_count);

/* Every counter, once: (type, name). The struct and the JSON are made from this list, in this
 * order; new ones go to the end. Counters start at 0 when the store is opened, gauges (marked =)
 * are the present state. */
#define PEAT_STATISTICS_LIST(X)                                                                    \
    X(puts)                    /* entries written, batches included */                             \
    X(deletes)                 /* tombstones written */                                            \
    X(gets)                    /* point reads */                                                   \
    X(gets_found)              /* ... that found a value */                                        \
    X(seeks)                   /* placements of iterators */                                       \
    X(batches)                 /* calls of peat_write */                                           \
    X(user_bytes_written)      /* bytes of keys and values of all writes */                        \
    X(log_bytes_written)       /* records in the log */                                            \
    X(zero_fill_bytes_written) /* preparing log segments */                                        \
    X(flush_bytes_written)     /* tables from memory */                                            \
    X(merge_bytes_written)     /* tables from tables */                                            \
    X(manifest_bytes_written)  /* manifest and superblock */                                       \
    X(bytes_read)              /* from files, by reads */                                          \
    X(merge_bytes_read)        /* from files, by merges */                                         \
    X(cache_hits)              /* blocks found in memory */                                        \
    X(cache_misses)            /* blocks read for a caller */                                      \
    X(filter_checks)           /* slices asked about a key */                                      \
    X(filter_skips)            /* ... and passed by without a read */                              \
    X(syncs)                   /* of the log */                                                    \
    X(sync_waiters)            /* writes and calls that waited for one */                          \
    X(sync_us_total)           /* time spent in syncs of the log */                                \
    X(flushes)                 /* units done, by kind */                                           \
    X(mid_merges)              /* */                                                               \
    X(bottom_merges)           /* */                                                               \
    X(appends)                 /* flushed parts that became bottom as they were */                 \
    X(partition_changes)       /* splits and unions */                                             \
    X(files_deleted)           /* */                                                               \
    X(write_delays)            /* writes that were slowed down */                                  \
    X(write_delay_us_total)    /* ... for this long together */                                    \
    X(write_waits)             /* writes that waited for memory */                                 \
    X(write_wait_us_total)     /* ... for this long together */                                    \
    X(damages)                 /* damaged places met */                                            \
    X(recovered_records)       /* log records replayed at open */                                  \
    X(recovered_bytes)         /* log bytes replayed at open */                                    \
    X(open_us)                 /* time peat_open took */                                           \
    X(memory_bytes)            /* = in use, of options.memory_bytes */                             \
    X(memtable_bytes)          /* = the one being written */                                       \
    X(immutable_memtables)     /* = waiting for their flush */                                     \
    X(cache_bytes)             /* = blocks */                                                      \
    X(metadata_bytes)          /* = indexes, filters, locators */                                  \
    X(pinned_bytes)            /* = held by pins and iterators outside the cache */                \
    X(partitions)              /* = */                                                             \
    X(slices)                  /* = runs above the bottom, all partitions */                       \
    X(tables)                  /* = table files */                                                 \
    X(entries)                 /* = in tables and memory, all versions and tombstones */           \
    X(tombstones)              /* = of these */                                                    \
    X(bottom_bytes)            /* = on disk, by layer */                                           \
    X(mid_bytes)               /* = */                                                             \
    X(fresh_bytes)             /* = */                                                             \
    X(log_bytes)               /* = segments, spares included */                                   \
    X(other_bytes)             /* = manifest, superblock, dead parts of files */                   \
    X(disk_bytes)              /* = all of these */                                                \
    X(obsolete_bytes)          /* = an estimate: overwritten or deleted, not yet merged away */    \
    X(space_debt_bytes)        /* = of these, above what space_target allows */                    \
    X(read_debt)               /* = slices a get may visit in the worst partition */               \
    X(snapshots)               /* = open */                                                        \
    X(iterators)               /* = open */                                                        \
    X(hidden_steps)            /* entries iterators visited that led to no row */                  \
    X(format_version)          /* = of the store's files */                                        \
    X(app_id)                  /* = of peat_host, when the store was made */                       \
    X(raw_bytes)               /* = keys and values in tables, before compression */               \
    X(plain_bytes)             /* = table files by codec: not compressed, */                       \
    X(lz4_bytes)               /* = */                                                             \
    X(zstd_bytes)              /* = */                                                             \
    X(queues)                  /* = open (peat_queue.h) */                                         \
    X(queues_by_ring)          /* = of these: read over a ring of the system's, */                 \
    X(queues_by_threads)       /* = or by threads; others in the caller's thread */                \
    X(queue_outstanding)       /* = operations of theirs */                                        \
    X(features)                /* = in use by the files: bit i is peat_feature_name(i)'s */        \
    X(memory_budget_bytes)     /* = options.memory_bytes, or its default */

typedef struct peat_statistics {
    size_t size;
#define PEAT_STATISTICS_FIELD(name) uint64_t name;
    PEAT_STATISTICS_LIST(PEAT_STATISTICS_FIELD)
#undef PEAT_STATISTICS_FIELD
} peat_statistics;

/* Fills ret_stats as far as its size says: the figures are read one by one, without stopping the
 * store. obsolete_bytes is known when a memtable is flushed, from filters and indexes of older
 * tables and for a sample of the keys when there are many: meant to be within a factor of two of
 * the truth. disk_bytes counts replaced files as long as a reader holds them.
 * Returns PEAT_OK, PEAT_INVALID or PEAT_CLOSED. */
PEAT_MUST_USE PEAT_API peat_rc peat_stats(peat_db *db, peat_statistics *ret_stats);

/* "long-prefix" for 0; a static string. NULL: this library knows no feature of that number. Any
 * thread, at any time. */
PEAT_API const char *peat_feature_name(unsigned i);

/* The same as a JSON object in ret_json (not terminated): {"puts":0,...}.
 * Returns PEAT_OK, PEAT_INVALID, PEAT_CLOSED or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_stats_json(peat_db *db, peat_buf *ret_json);

/* One partition: a range of keys and the layers in it, newest on top. Of a table that lies in
 * several, each has a share, so that bytes, entries and tombstones are estimates. */
typedef struct peat_partition_info {
    size_t size;
    uint64_t index; /* 0 .. count-1, in order of keys */
    uint64_t count;
    peat_slice lower; /* no key of it is smaller; data NULL for the first partition */
    uint64_t fresh_slices;
    uint64_t fresh_bytes;
    uint64_t mid_slices;
    uint64_t mid_bytes;
    uint64_t bottom_tables;
    uint64_t bottom_bytes;
    uint64_t entries; /* all versions and tombstones */
    uint64_t tombstones;
    uint64_t obsolete_bytes; /* estimated; peat_stats */
    uint64_t damages;        /* places found damaged */
} peat_partition_info;

/* Calls fn for each partition of one state of the store, in order of keys. Anything but PEAT_OK
 * from fn stops and is returned.
 * Returns PEAT_OK, PEAT_INVALID, PEAT_CLOSED, or the result of fn. */
PEAT_MUST_USE PEAT_API peat_rc
peat_shape(peat_db *db, peat_rc (*fn)(void *ctx, const peat_partition_info *partition), void *ctx);

/* ---- 5  Streaming copies ------------------------------------------------------------------------
 * An export is one state of the store, that of the moment it began, as a stream of checksummed
 * bytes for a file, pipe or socket. Reads and writes go on meanwhile. */

/* The other end of a stream takes size bytes, or gives up to size bytes: PEAT_OK with *ret_n >= 1,
 * or PEAT_END. Anything else stops the export or import and is returned by it. */
typedef peat_rc (*peat_write_fn)(void *ctx, const void *data, size_t size);
typedef peat_rc (*peat_read_fn)(void *ctx, void *buf, size_t size, size_t *ret_n);

typedef struct peat_export_options {
    size_t size;
    const peat_progress *progress; /* done and total are bytes of keys and values; total: about */
    peat_slice lower, upper;       /* only keys in [lower, upper); data NULL is unbounded */
} peat_export_options;

/* Streams the store to fn. A stream that was cut short is refused by the import.
 * Returns PEAT_OK when the last byte was taken, the result of fn, PEAT_CANCELLED, PEAT_INVALID (fn
 * said it was at an end, too), PEAT_TOO_BIG (a bound; or an entry that is larger, with its key,
 * than PEAT_BATCH_SIZE_MAX), PEAT_CLOSED, PEAT_IO, PEAT_CORRUPT or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_export(peat_db *db, const peat_export_options *options,
                                           peat_write_fn fn, void *ctx);

/* The same to fd, a file, pipe or socket that stays open and is not synced.
 * Returns PEAT_OK, PEAT_CANCELLED, PEAT_INVALID, PEAT_TOO_BIG (as above), PEAT_CLOSED, PEAT_IO or
 * PEAT_FULL (of fd, too), PEAT_CORRUPT or PEAT_NOMEM. */
PEAT_MUST_USE PEAT_API peat_rc peat_export_fd(peat_db *db, const peat_export_options *options,
                                              int fd);

/* Makes a new store in dir from a stream. options are those of peat_open, as far as they concern
 * writing (memory, compression, host). The store is not open afterwards. After an error there is no
 * new store in dir.
 * Returns PEAT_OK when the copy is complete, verified and durable, or the result of fn, or
 *   PEAT_EXISTS       a store is in dir; one that peat_open would refuse is PEAT_VERSION,
 *                     PEAT_UNSUPPORTED, or PEAT_CORRUPT
 *   PEAT_NOT_STORE    dir is a file, or holds other things
 *   PEAT_BUSY         what is in dir is open elsewhere
 *   PEAT_CORRUPT      a torn or damaged stream, or none
 *   PEAT_VERSION      a stream of a version that this library does not read
 *   PEAT_UNSUPPORTED  options.compression is not built in
 *   PEAT_INVALID      an argument makes no sense, or fn said PEAT_OK and gave nothing, or too much
 *   PEAT_READ_ONLY    the file system of dir is read-only
 *   PEAT_NOMEM, PEAT_FULL, PEAT_IO */
PEAT_MUST_USE PEAT_API peat_rc peat_import(const char *dir, const peat_options *options,
                                           peat_read_fn fn, void *ctx, peat_error *ret_error);

/* The same from fd, which stays open. Bytes behind the end of the stream are not read.
 * Returns PEAT_OK, PEAT_EXISTS, PEAT_NOT_STORE, PEAT_BUSY, PEAT_CORRUPT, PEAT_VERSION,
 * PEAT_UNSUPPORTED, PEAT_INVALID, PEAT_READ_ONLY, PEAT_NOMEM, PEAT_FULL or PEAT_IO (of fd, too). */
PEAT_MUST_USE PEAT_API peat_rc peat_import_fd(const char *dir, const peat_options *options, int fd,
                                              peat_error *ret_error);

/* ---- 6  What the embedding brings ------------------------------------------------------------ */

#define PEAT_EVENT_LIST(X)                                                                         \
    X(PEAT_EVENT_RECOVERY, 1, "recovery")   /* bytes_in: of the log; at open, before it returns */ \
    X(PEAT_EVENT_FLUSH, 2, "flush")         /* bytes_in: memory, bytes_out: tables */              \
    X(PEAT_EVENT_MERGE, 3, "merge")         /* bytes_in and bytes_out: tables */                   \
    X(PEAT_EVENT_SYNC, 4, "sync")           /* of the log; bytes_out: made durable by it */        \
    X(PEAT_EVENT_STALL, 5, "stall")         /* a write waited for memory; duration_us: so long */  \
    X(PEAT_EVENT_ERROR, 6, "error")         /* rc and message say what */                          \
    X(PEAT_EVENT_PARTITION, 7, "partition") /* partitions were split or united */

typedef enum peat_event_kind {
#define PEAT_EVENT_ENUM(name, number, text) name = number,
    PEAT_EVENT_LIST(PEAT_EVENT_ENUM)
#undef PEAT_EVENT_ENUM
} peat_event_kind;

/* "flush" for PEAT_EVENT_FLUSH; a static string for any value. Any thread, at any time. */
PEAT_API const char *peat_event_name(peat_event_kind kind);

/* Something that has just ended. */
typedef struct peat_event {
    size_t size;
    peat_event_kind kind;
    peat_rc rc; /* how it ended */
    uint64_t duration_us;
    uint64_t bytes_in; /* 0 where the list does not say what they are, and so bytes_out */
    uint64_t bytes_out;
    const char *message; /* never NULL; one line, empty when there is nothing to say */
} peat_event;

/* The struct is copied at open; what it points to must outlive the store. */
typedef struct peat_host {
    size_t size;
    /* Files, clock, memory, threads (peat_env.h); NULL is the operating system. */
    const struct peat_env *env;
    /* Called after each event by the thread where it happened, possibly by several at once. It must
     * not call peat_close, nor what may wait for it: peat_compact, _settle, _work. Be quick. */
    void (*event_fn)(void *ctx, const peat_event *event);
    void *event_ctx;
    /* Stored when the store is created; opening with another one that is not 0 is PEAT_NOT_STORE.
     * 0 does not ask. */
    uint32_t app_id;
} peat_host;

#ifdef __cplusplus
}
#endif

#endif /* PEAT_ADMIN_H */
