/* SPDX-License-Identifier: MIT */
/*
 * handle.h - public types and what stands behind them. The api floor checks arguments and turns
 * public types into internal ones; nothing else happens here.
 */
#ifndef PT_API_HANDLE_H
#define PT_API_HANDLE_H

#include "db/scan.h"
#include "db/store.h"
#include "entry/batch.h"

struct peat_db {
    pt_store *store;
    uint32_t keyspace;
};

struct peat_batch {
    const pt_env *env;
    pt_batch ops;
};

struct peat_snapshot {
    pt_store *store;
    pt_snapshot_link link;
};

struct peat_iter {
    const pt_env *env;
    pt_scan *scan;
    uint32_t keyspace;
};

/* As peat_open; a store that is made by it is `unfinished` (store.h). */
peat_rc pt_db_open(const char *dir, const peat_options *options, bool unfinished, peat_db **ret_db,
                   peat_error *ret_error) PT_MUST_USE;

/* pt_call_begin on its store; PEAT_OK, or PEAT_INVALID for NULL, or PEAT_CLOSED. */
peat_rc pt_db_begin(peat_db *db) PT_MUST_USE;

/* What using it with another store's handle means: it has outlived its own, or it is a mistake. */
peat_rc pt_snapshot_mismatch(const peat_snapshot *snapshot);

/* An internal key: on the stack when short. */
typedef struct pt_key_buf {
    const pt_env *env;
    uint8_t *data;
    size_t size;
    uint8_t inline_bytes[252];
} pt_key_buf;

peat_rc pt_key_buf_init(pt_key_buf *b, const pt_env *env, uint32_t keyspace,
                        peat_slice key) PT_MUST_USE;
void pt_key_buf_done(pt_key_buf *b);
static inline pt_slice pt_key_buf_slice(const pt_key_buf *b)
{
    return pt_slice_of(b->data, b->size);
}

/* data NULL with a size is nonsense. */
static inline bool pt_slice_valid(peat_slice s)
{
    return s.data != NULL || s.size == 0;
}

/* Fills ret_error, which may be NULL; the code's own text where `why` is NULL. Returns
 * the code. */
peat_rc pt_say(peat_error *ret_error, peat_rc rc, const char *why);

/* What a call that was given `dir` ends with: only here ret_error is written, because dir may be
 * text that lies in it. */
peat_rc pt_answer(peat_rc rc, const peat_error *error, peat_error *ret_error);

/* Options structs begin with their size: between the first version's and this library's. */
bool pt_options_valid(const void *options, size_t known_size, size_t first_size);
/* A copy as large as this library knows it; what the caller's lacks is zero. */
void pt_options_copy(const void *options, void *ret_copy, size_t known_size);

/* Fills a caller's struct, which may be NULL, as far as its own size says; `report` is as large as
 * this library knows it. */
void pt_report_copy(const void *report, size_t known_size, void *ret_report);

/* Lower and upper bound of a range of user keys, as internal keys: data NULL is unbounded. */
typedef struct pt_range_buf {
    pt_key_buf lower, upper;
} pt_range_buf;
peat_rc pt_range_buf_init(pt_range_buf *r, const pt_env *env, uint32_t keyspace, peat_slice lower,
                          peat_slice upper) PT_MUST_USE;
void pt_range_buf_done(pt_range_buf *r);

#endif
