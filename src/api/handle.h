/* SPDX-License-Identifier: MIT */
/*
 * handle.h - public types and what stands behind them. The api floor checks arguments and turns
 * public types into internal ones; nothing else happens here.
 */
#ifndef PT_API_HANDLE_H
#define PT_API_HANDLE_H

#include "read/read.h"
#include "read/scan.h"
#include "state/store.h"
#include "entry/batch.h"
#include "write/write.h"

struct peat_db {
    pt_store *store;
    uint32_t keyspace;
};

struct peat_batch {
    const pt_env *env;
    pt_batch ops;
    /* of the last call that failed (peat_batch_error): PEAT_OK, or why. Static texts */
    peat_rc failed;
    const char *failed_call, *failed_why;
};

struct peat_snapshot {
    pt_store *store;
    pt_snapshot_link link;
};

struct peat_iter {
    const pt_env *env;
    pt_store *store; /* held by the scan */
    pt_scan *scan;
    uint32_t keyspace;
    bool of_snapshot, no_cache_fill;
    bool back; /* of the last movement */
};

/* As peat_open; a store that is made by it is `unfinished` (store.h). */
peat_rc pt_api_open(const char *dir, const peat_options *options, bool unfinished, peat_db **ret_db,
                    peat_error *ret_error) PT_MUST_USE;

/* pt_store_call_begin on its store; PEAT_OK, or PEAT_INVALID for NULL, or PEAT_CLOSED. */
peat_rc pt_api_begin(peat_db *db) PT_MUST_USE;

/* Ends the call; an error is kept for peat_call_error. Returns rc. */
peat_rc pt_api_end(pt_store *s, peat_rc rc);

/* Refuses what a call was given, with a text for peat_call_error ("CALL: WHY"); before the call
 * begins. Returns rc. */
peat_rc pt_api_refuse(pt_store *s, peat_rc rc, const char *call, const char *why);
#define PT_API_WHY_OPTIONS "options: size is none that this library knows"
/* PEAT_INVALID, PEAT_TOO_BIG: named and kept likewise. */
peat_rc pt_api_refuse_bytes(pt_store *s, const char *call, const char *name, peat_slice bytes,
                            size_t size_max);
static inline peat_rc pt_api_check_bytes(pt_store *s, const char *call, const char *name,
                                         peat_slice bytes, size_t size_max)
{
    bool good = (bytes.data != NULL || bytes.size == 0) && bytes.size <= size_max;
    return PT_LIKELY(good) ? PEAT_OK : pt_api_refuse_bytes(s, call, name, bytes, size_max);
}

/* The snapshot is another store's: it has outlived its own, or it is a mistake. */
peat_rc pt_api_refuse_snapshot(pt_store *s, const char *call, const peat_snapshot *snapshot);

/* PEAT_INVALID, PEAT_CLOSED: named and kept likewise. */
peat_rc pt_api_read_options(pt_store *s, const char *call, const peat_read_options *options,
                            pt_read_options *ret) PT_MUST_USE;
/* As an iterator would be opened. PEAT_INVALID, PEAT_TOO_BIG, PEAT_CLOSED, PEAT_NOMEM. */
peat_rc pt_api_open_scan(const peat_db *db, const char *call, const peat_iter_options *options,
                         pt_scan **ret_scan) PT_MUST_USE;
pt_write_request pt_api_write_request(const pt_batch *ops, bool sync);

/* An internal key: on the stack when short. */
typedef struct pt_api_key {
    const pt_env *env;
    uint8_t *data;
    size_t size;
    uint8_t inline_bytes[252];
} pt_api_key;

/* The key was checked. PEAT_NOMEM. */
peat_rc pt_api_key_init(pt_api_key *b, const pt_env *env, uint32_t keyspace,
                        peat_slice key) PT_MUST_USE;
void pt_api_key_done(pt_api_key *b);
static inline pt_slice pt_api_key_slice(const pt_api_key *b)
{
    return pt_slice_of(b->data, b->size);
}

/* Fills ret_error, which may be NULL; the code's own text where `why` is NULL. Returns
 * the code. */
peat_rc pt_api_say(peat_error *ret_error, peat_rc rc, const char *why);

/* What a call that was given `dir` ends with: only here ret_error is written, because dir may be
 * text that lies in it. */
peat_rc pt_api_answer(peat_rc rc, const peat_error *error, peat_error *ret_error);

/* Options structs begin with their size: between the first version's and this library's. */
bool pt_api_options_valid(const void *options, size_t known_size, size_t first_size);
/* A copy as large as this library knows it; what the caller's lacks is zero. */
void pt_api_options_copy(const void *options, void *ret_copy, size_t known_size);

/* Fills a caller's struct, which may be NULL, as far as its own size says; `report` is as large as
 * this library knows it. */
void pt_api_report_copy(const void *report, size_t known_size, void *ret_report);

/* No bound, no prefix: nothing, or a string that is NULL (peat_str). */
static inline bool pt_api_slice_absent(peat_slice s)
{
    return s.data == NULL && (s.size == 0 || s.size == SIZE_MAX);
}

peat_rc pt_api_check_range(pt_store *s, const char *call, peat_slice lower,
                           peat_slice upper) PT_MUST_USE;

/* Lower and upper bound of a range of user keys, as internal keys. They were checked. PEAT_NOMEM.
 */
typedef struct pt_api_range {
    pt_api_key lower, upper;
} pt_api_range;
peat_rc pt_api_range_init(pt_api_range *r, const pt_env *env, uint32_t keyspace, peat_slice lower,
                          peat_slice upper) PT_MUST_USE;
void pt_api_range_done(pt_api_range *r);

#endif
