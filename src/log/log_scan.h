/* SPDX-License-Identifier: MIT */
/*
 * log_scan.h - the records of one segment after another, for recovery. A scan stops for good at the
 * first place where no record of the segment's salt verifies; what lies behind is only looked at
 * for durable sequences, never shown. Private to log_replay.c.
 */
#ifndef PT_LOG_LOG_SCAN_H
#define PT_LOG_LOG_SCAN_H

#include "env/file_reader.h"
#include "log/log.h"
#include "log/log_format.h"

typedef struct pt_log_scan {
    const pt_env *env;
    pt_sink *sink;
    pt_log_visit_fn visit;
    void *ctx;
    pt_file_reader window;

    /* the segment */
    uint64_t slot, serial, salt;
    uint64_t limit;     /* records end at or before */
    uint64_t at;        /* where the next record should be, or where the scan stopped */
    uint64_t first_end; /* last sequence of the first whole record that ends here; 0: none */

    /* The rest of a record that began in a segment which is gone: stepped over, since whoever let
     * that segment go has the record. True before the first record of the first segment. */
    bool orphans;
    /* a record of several fragments that has no end yet */
    pt_bytes parts;
    bool pending;
    uint64_t pending_serial, pending_at, pending_seq;
    uint32_t pending_count;

    /* what was learned */
    uint64_t seq_last;    /* of the last whole record; 0: none */
    uint64_t seq_durable; /* highest seen in any header */
    bool sealed;          /* the last record is a seal */
    bool torn;            /* part of a record is at the stop, or something later behind it */
} pt_log_scan;

void pt_log_scan_init(pt_log_scan *s, const pt_env *env, pt_sink *sink, pt_log_visit_fn visit,
                      void *ctx);
void pt_log_scan_done(pt_log_scan *s);
/* The next segment, whose records lie in [header, limit). */
void pt_log_scan_segment(pt_log_scan *s, pt_file *file, uint64_t slot, uint64_t serial,
                         uint64_t salt, uint64_t limit);
/* Shows every whole record from the start of the segment to the stop. */
peat_rc pt_log_scan_run(pt_log_scan *s) PT_MUST_USE;
/* Looks for headers of this salt in [offset, limit) and takes notice of their durable sequences. */
peat_rc pt_log_scan_durable(pt_log_scan *s, uint64_t offset, uint64_t limit) PT_MUST_USE;

#endif
