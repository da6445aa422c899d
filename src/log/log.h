/* SPDX-License-Identifier: MIT */
/*
 * log.h - the write-ahead log: records appended to preallocated, recycled segments (log_format.md).
 *
 * Position: a byte count over the whole life of this open store, monotone over segments. The
 * caller serialises pt_log_append (the commit lock); write, sync and the getters are thread-safe.
 * A failed write or sync stops the writes of the sink and is never retried on that file.
 */
#ifndef PT_LOG_LOG_H
#define PT_LOG_LOG_H

#include "base/fail.h"
#include "env/env.h"

typedef struct pt_log pt_log;

#define PT_LOG_NOWHERE UINT64_MAX

/* A segment as recovery and the manifest speak of it. Files are w-NNNNNN; the number is a slot that
 * is reused, the serial is never reused in the life of a store. */
typedef struct pt_log_segment {
    uint64_t slot;
    uint64_t serial;
    uint64_t salt; /* what its checksums are bound to; 0: not known */
    uint64_t end;  /* bytes of valid records, header included */
    uint64_t file_bytes;
    /* of a live one that was replayed read-only: where a copy of its header, which was on disk
     * once, is not what the other says; PT_LOG_NOWHERE */
    uint64_t header_damage;
    uint64_t first_end; /* last sequence of the first whole record that ends in it; 0: none */
} pt_log_segment;

/* What a replayed record says. */
typedef struct pt_log_record {
    uint64_t first_seq;
    uint32_t count;        /* operations; 0 for idle records, which are not shown to the visitor */
    uint64_t serial;       /* of the segment it begins in */
    uint64_t slot, offset; /* where its last fragment is, for texts */
    pt_slice payload;
} pt_log_record;

typedef peat_rc (*pt_log_visit_fn)(void *ctx, const pt_log_record *record);

typedef struct pt_log_replay {
    /* in */
    uint64_t store_id;
    uint64_t serial_min; /* segments below are dead */
    uint64_t seq_min; /* records that end at or below are known from tables: they may be missing */
    uint64_t seq_durable; /* somebody else knows that the log was synced up to here; 0: nobody */
    const pt_log_segment *ends; /* segments whose end the manifest has recorded (serial, end) */
    size_t end_count;
    bool read_only; /* write nothing, sync nothing */
    /* out; the arrays are env memory, freed by pt_log_replay_done */
    pt_log_segment *live; /* in serial order */
    size_t live_count, headers_damaged;
    pt_log_segment *dead; /* may be overwritten */
    size_t dead_count;
    uint64_t file_bytes;         /* of all of them */
    uint64_t serial_max;         /* 0: no segment seen */
    uint64_t seq_last;           /* of the last valid record; 0: none */
    uint64_t seq_durable_in_log; /* highest sequence known synced by what the log says */
    bool sealed;                 /* closed cleanly */
    uint64_t torn_serial;        /* the segment in which a torn tail was cut; 0: none */
} pt_log_replay;

/* Reads all live segments in order and shows every record once. Damage before the highest durable
 * sequence found is PEAT_CORRUPT with file and offset; after it, the log ends there. Unless
 * read_only each live segment is synced, dropped from the page cache and read again first, and a
 * copy of its header that differs from the newer one is mended. */
peat_rc pt_log_replay_run(const pt_env *env, pt_dir *dir, pt_sink *sink, pt_log_replay *io_replay,
                          pt_log_visit_fn visit, void *ctx) PT_MUST_USE;
void pt_log_replay_done(const pt_env *env, pt_log_replay *replay);
/* Shows the records that begin in live segments from this serial on once more, of a replay that
 * found no damage. Whatever is not as it was is PEAT_CORRUPT. While it runs, segments below the one
 * that the record shown begins in may be released. */
peat_rc pt_log_replay_again(const pt_env *env, pt_dir *dir, pt_sink *sink,
                            const pt_log_replay *replay, uint64_t serial_from,
                            pt_log_visit_fn visit, void *ctx) PT_MUST_USE;

typedef struct pt_log_options {
    uint64_t store_id;
    uint64_t open_count;  /* durable in the superblock before this call */
    uint64_t serial_next; /* first serial to use */
    uint64_t seq_synced;  /* all up to here is durable already (the first durable sequence) */
    uint64_t prev_serial, prev_salt, prev_end; /* last recovered segment, for the chain; 0: none */
    uint64_t segment_bytes_min;                /* 256 KiB; tests: less */
    uint64_t segment_bytes_max;                /* min(64 MiB, memtable size) */
    const pt_log_segment *spares;              /* dead segments to recycle */
    size_t spare_count;
} pt_log_options;

/* No segment is made before the first append. */
peat_rc pt_log_new(const pt_env *env, pt_dir *dir, pt_sink *sink, const pt_log_options *options,
                   pt_log **ret_log) PT_MUST_USE;
void pt_log_free(pt_log *log); /* does not sync or seal */

/* Appends one record to the buffer; nothing can fail after it but the disk itself. payload_hash is
 * pt_hash of the payload. May make or recycle a segment (then PEAT_FULL or PEAT_IO leave everything
 * as it was). Returns the position to wait for. Caller holds the commit lock. */
peat_rc pt_log_append(pt_log *log, uint64_t first_seq, uint32_t count, pt_slice payload,
                      uint64_t payload_hash, uint64_t *ret_position) PT_MUST_USE;
/* Everything up to `position` is in the operating system's hands (survives a killed process). One
 * caller writes for all that wait. */
peat_rc pt_log_write(pt_log *log, uint64_t position) PT_MUST_USE;
/* Everything up to `position` is durable. One caller syncs for all that wait. */
peat_rc pt_log_sync(pt_log *log, uint64_t position) PT_MUST_USE;

uint64_t pt_log_position(pt_log *log); /* end of the last append */
uint64_t pt_log_synced_position(pt_log *log);
/* Every sequence up to here is durable, here or in tables: the durable sequence. */
uint64_t pt_log_durable(pt_log *log);
/* No record appended from now on lies in a segment with a lower serial: the current segment's, or
 * the next one's when there is none. */
uint64_t pt_log_serial(pt_log *log);
/* Segments with a serial below may be overwritten or removed: the manifest has durably dropped
 * them. Also takes over the recovered live segments: give them once with pt_log_adopt. */
void pt_log_release(pt_log *log, uint64_t serial_min);
peat_rc pt_log_adopt(pt_log *log, const pt_log_segment *live, size_t count) PT_MUST_USE;
/* Ends the current segment: the next append begins another, and pt_log_release(pt_log_serial())
 * lets go of everything before. Caller holds the commit lock. */
void pt_log_close_segment(pt_log *log);
/* The store has settled: spare files go, but one of the smallest size, and sizes start again from
 * segment_bytes_min. */
void pt_log_trim(pt_log *log);
/* Nothing is appended for a while: the buffer's memory goes back to the system if it is empty, and
 * of files only the current segment's stays open. Caller holds the commit lock. */
void pt_log_rest(pt_log *log);
/* Makes the next segment ready once the current one is half full, so that an append does not have
 * to; background unit. */
peat_rc pt_log_prepare(pt_log *log, bool *ret_did) PT_MUST_USE;
/* The log has been quiet: one empty record carrying the durable sequence, synced. Nothing when it
 * is there. Caller holds the commit lock for append's sake. */
peat_rc pt_log_idle(pt_log *log) PT_MUST_USE;
/* Clean close: sync, seal, sync; spares shrink to one. Caller holds the commit lock. */
peat_rc pt_log_seal(pt_log *log) PT_MUST_USE;

typedef struct pt_log_stats {
    uint64_t record_bytes;
    uint64_t written_bytes; /* all that was given to files, zeros and headers included */
    uint64_t zero_bytes;    /* of which to spare later syncs the metadata */
    uint64_t writes, syncs, sync_ns;
    uint64_t disk_bytes; /* all segments, spares included */
    uint64_t segments, spares;
} pt_log_stats;
void pt_log_get_stats(pt_log *log, pt_log_stats *ret_stats);

#endif
