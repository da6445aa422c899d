/* SPDX-License-Identifier: MIT */
/*
 * log_internal.h - what the files of src/log share: the log's struct, its roles, its segments.
 *
 *   log.c          append, and the calls of log.h that are made of it
 *   log_large.c    append of what is too large to be copied
 *   log_write.c    the write and the sync role: buffer -> file -> disk
 *   log_segment.c  making and beginning segment files
 *   log_release.c  letting go of them: release, trim
 *   log_spare.c    what becomes of their files: kept for new ones, or removed
 *   log_header.c   a header, and its copy, in a file
 *   log_replay.c   recovery: which segments are live, in which order, where the log ends
 *   log_scan.c     recovery: records of one segment
 *
 * Positions. Every byte of every segment of this open store has a position; a segment covers
 * [base, end), its header included, and begins where the one before it ended. The buffer is a ring
 * indexed by position.  synced <= written <= tail,  tail - written <= ring_bytes.
 *
 * Who may touch what:
 * - the appender (the caller's commit lock) owns tail, cur, last and what is grouped with them;
 * - the write role owns write_seg and moves `written`; it is held for one batch of file writes;
 * - the sync role owns sync_seg and moves `synced`; it is held across a file sync. Order of taking:
 *   sync role, write role, mu. make_mu is taken first of all, by the appender or pt_log_prepare;
 * - mu guards the lists of segments and spares.
 */
#ifndef PT_LOG_LOG_INTERNAL_H
#define PT_LOG_LOG_INTERNAL_H

#include "base/sync.h"
#include "log/log.h"
#include "log/log_format.h"

#define PT_LOG_RING_BYTES ((uint64_t)256 << 10)
#define PT_LOG_DIRECT_MIN ((uint64_t)32 << 10) /* larger records are not copied into the ring */
#define PT_LOG_SPARES_MAX 2u
#define PT_LOG_NEVER      UINT64_MAX
/* Larger writes leave folios in the page cache that make later small writes into them 2.5 times as
 * dear (ext4, kernel 6.18; decision 004). */
#define PT_LOG_WRITE_MAX ((size_t)64 << 10)
/* A write into a page that is not in memory waits for the disk; so a recycled file is read ahead of
 * the tail. */
#define PT_LOG_READ_AHEAD  ((uint64_t)256 << 10)
#define PT_LOG_ZERO_AHEAD  ((uint64_t)256 << 10)
#define PT_LOG_ZERO_MARGIN ((uint64_t)32 << 10)
/* A group larger than this pays for its metadata by itself: no zero-filling for it. */
#define PT_LOG_ZERO_GROUP_MAX ((uint64_t)64 << 10)

/* One thread at a time; whoever waits learns of progress or inherits the role. */
typedef struct pt_log_role {
    atomic_int busy;
    atomic_int waiters; /* pairs with busy: a leaver stores busy and loads waiters, a waiter stores
                           waiters and loads busy, both seq_cst */
    pt_mutex mu;
    pt_cond changed;
} pt_log_role;

typedef struct pt_log_seg pt_log_seg;
struct pt_log_seg {
    /* fixed once begun */
    uint64_t slot, serial, salt, file_bytes, base;
    uint64_t random;
    /* Open from the making to the last sync, after which the sync role closes it: nobody writes to
     * a finished segment. NULL then, and for the origin. */
    pt_file *file;
    bool kept; /* guarded by mu: the slot is this segment's; false for an anchor of the list */
    /* set once by the appender, `next` before `end` */
    _Atomic(pt_log_seg *) next;
    _Atomic uint64_t end;  /* position; PT_LOG_NEVER while it is the current one */
    uint64_t zeroed_to;    /* write role: the file has blocks with contents up to here */
    uint64_t asked_to;     /* write role: old contents up to here are in memory, or asked for */
    pt_log_seg *made_next; /* whoever made it: a list of what is not begun */
};

/* A file that no live record needs. */
typedef struct pt_log_spare {
    uint64_t slot, file_bytes, zeroed_to;
    bool durable; /* name and size are known to be on disk */
} pt_log_spare;

struct pt_log {
    /* fixed after pt_log_new */
    const pt_env *env;
    pt_dir *dir;
    pt_sink *sink;
    uint64_t store_id, open_count;
    uint64_t segment_bytes_min, segment_bytes_max;
    uint64_t direct_min;
    uint8_t *ring;

    /* appender */
    pt_log_seg *cur;       /* NULL: the next append begins a segment */
    pt_log_seg *last;      /* cur, or the newest one there was; at first the origin */
    uint64_t limit;        /* position where records of cur must end, the reserve left out */
    uint64_t seq_last;     /* of the last append */
    uint64_t mark_end;     /* tail after the last idle record or seal */
    uint64_t written_seen; /* a lower bound of `written` */
    uint64_t prev_serial, prev_salt, prev_end; /* for the next segment's header */
    _Atomic uint64_t serial_next;

    /* appender -> write role: tail is stored after the ring's bytes; tail_seq after tail, and
     * loaded before it, so that a sequence is never ahead of its bytes */
    _Atomic uint64_t tail;
    _Atomic uint64_t tail_seq;
    _Atomic uint64_t serial_now; /* of cur; 0: none */
    _Atomic uint64_t prepare_at; /* position from which the next segment should be ready */

    uint8_t apart[64]; /* the appender's words and the writer's on lines of their own */
    pt_log_role write_role;
    _Atomic uint64_t written;
    pt_log_seg *write_seg;
    pt_log_role sync_role;
    _Atomic uint64_t synced;
    _Atomic uint64_t synced_seq; /* the durable sequence */
    pt_log_seg *sync_seg;

    pt_mutex make_mu;
    pt_log_seg *ready;  /* guarded by make_mu: made, not begun */
    uint64_t size_next; /* guarded by make_mu */
    uint64_t slot_next; /* guarded by make_mu */

    pt_mutex mu;
    pt_log_seg *first;   /* guarded by mu: oldest of the list that ends with `last` */
    pt_log_segment *old; /* guarded by mu: recovered segments, serial order */
    size_t old_count, old_capacity;
    pt_log_spare *spares; /* guarded by mu */
    size_t spare_count, spare_capacity;

    /* relaxed counters: of the appender, of the write role, of the sync role, of anyone */
    _Atomic uint64_t record_bytes;
    _Atomic uint64_t written_bytes, writes, zero_bytes;
    _Atomic uint64_t syncs, sync_ns;
    _Atomic uint64_t made_bytes, disk_bytes; /* made_bytes: headers and zeros of new files */
};

static inline void pt_log_count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* The same for a counter that one owner at a time moves: no locked instruction. */
static inline void pt_log_count_owned(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* A record of the sequence that comes next, with the durable sequence of this moment. */
static inline pt_log_record_header pt_log_record_header_of(pt_log *log, pt_log_kind kind,
                                                           uint64_t first_seq, uint32_t count)
{
    uint64_t gap = first_seq - atomic_load_explicit(&log->synced_seq, memory_order_acquire);
    PT_DCHECK(gap >= 1 && gap <= first_seq,
              "I8: what is synced was appended: a record comes behind the durable sequence");
    return (pt_log_record_header){
        .kind = kind,
        .count = count,
        .durable_gap = gap <= PT_LOG_DURABLE_GAP_MAX ? (uint32_t)gap : 0,
        .first_seq = first_seq,
    };
}

/* The bytes are there: let the write role see them. */
static inline void pt_log_publish(pt_log *log, uint64_t tail, uint64_t seq_last)
{
    PT_DCHECK(seq_last >= log->seq_last, "I2: the log has its records in order of sequence");
    PT_DCHECK(tail > atomic_load(&log->tail), "I2: the log grows at its tail");
    log->seq_last = seq_last;
    atomic_store_explicit(&log->tail, tail, memory_order_release);
    /* after tail: pairs with sync_group, which loads it before tail */
    atomic_store_explicit(&log->tail_seq, seq_last, memory_order_release);
}

/* Bytes that records may still take of the current segment. */
static inline uint64_t pt_log_room_at(const pt_log *log, uint64_t tail)
{
    return log->cur != NULL && log->limit > tail ? log->limit - tail : 0;
}

/* log_large.c; as pt_log_append */
peat_rc pt_log_append_large(pt_log *log, uint64_t first_seq, uint32_t count, pt_slice payload,
                            uint64_t payload_hash, uint64_t *ret_position) PT_MUST_USE;

/* log_write.c */
void pt_log_role_init(pt_log_role *role);
void pt_log_role_done(pt_log_role *role);
/* Takes the role, or returns false when `*reached` has come to `target`. */
bool pt_log_role_enter(pt_log_role *role, _Atomic uint64_t *reached, uint64_t target,
                       unsigned spins);
void pt_log_role_leave(pt_log_role *role);
/* Write role held: everything up to the tail goes to the files. */
peat_rc pt_log_write_out(pt_log *log) PT_MUST_USE;
/* Write role held: one write to a segment; a failure stops the writes. */
peat_rc pt_log_write_at(pt_log *log, pt_log_seg *seg, uint64_t offset, const void *data,
                        size_t n) PT_MUST_USE;

/* log_segment.c */
/* A segment that can be begun: file, size and name are durable. On failure nothing has changed. */
peat_rc pt_log_seg_make(pt_log *log, pt_log_seg **ret_seg) PT_MUST_USE;
/* Hands a made one back. */
void pt_log_seg_unmake(pt_log *log, pt_log_seg *seg);
/* Appender: ends the current segment at `tail`, writes the headers of `seg` and makes it current.
 * On failure nothing has changed, and `seg` is the one that the next pt_log_seg_make gives. */
peat_rc pt_log_seg_begin(pt_log *log, pt_log_seg *seg, uint64_t tail) PT_MUST_USE;
/* The one that is ready becomes a spare: its file is closed. */
void pt_log_ready_rest(pt_log *log);
/* A made segment that is not used: closed and removed. */
void pt_log_seg_drop(pt_log *log, pt_log_seg *seg);

/* log_spare.c */
void pt_log_remove_slot(pt_log *log, uint64_t slot, uint64_t file_bytes);
/* The smallest spare of at least `bytes`. */
bool pt_log_spare_take(pt_log *log, uint64_t bytes, pt_log_spare *ret_spare);
/* Takes over a file that may be overwritten: kept as a spare or removed. */
void pt_log_spare_add(pt_log *log, pt_log_spare spare);
/* Payload bytes that the largest record in a segment of this size may have. */
static inline uint64_t pt_log_capacity(uint64_t file_bytes)
{
    PT_ASSERT(file_bytes > 2 * PT_LOG_SEGMENT_HEADER + PT_LOG_RESERVE, "a segment holds something");
    return file_bytes - 2 * PT_LOG_SEGMENT_HEADER - PT_LOG_RESERVE;
}

#endif
