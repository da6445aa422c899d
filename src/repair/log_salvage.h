/* SPDX-License-Identifier: MIT */
/* log_salvage.h - every record that can be read of a damaged log. */
#ifndef PT_REPAIR_LOG_SALVAGE_H
#define PT_REPAIR_LOG_SALVAGE_H

#include "log/log.h"
#include "version/edit.h"

typedef struct pt_log_salvage {
    /* in */
    uint64_t store_id;                         /* 0: of any store */
    uint64_t open_count;                       /* the last open for writing; 0: not known */
    uint64_t serial_min, seq_min, seq_durable; /* as in pt_log_replay */
    const pt_log_end *ends;
    size_t end_count;
    pt_log_visit_fn visit;
    void *visit_ctx;
    /* out */
    uint64_t lost; /* sequences above seq_min that are known to have been there */
} pt_log_salvage;

typedef void (*pt_log_salvage_damage_fn)(void *ctx, const char *file, uint64_t offset,
                                         const char *text);

/* Shows every record that verifies, in order, also behind damage, which is reported. Writes
 * nothing. */
peat_rc pt_log_salvage_run(const pt_env *env, pt_dir *dir, pt_sink *sink, pt_log_salvage *io,
                           pt_log_salvage_damage_fn report, void *ctx) PT_MUST_USE;

#endif
