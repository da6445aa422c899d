/* SPDX-License-Identifier: MIT */
/*
 * key_index.h - a sorted array of keys, searched by 8-byte heads after their common prefix, so that
 * a lookup among a few hundred keys stays in a few cache lines and compares whole keys on ties
 * only.
 */
#ifndef PT_VERSION_KEY_INDEX_H
#define PT_VERSION_KEY_INDEX_H

#include "env/env.h"

typedef struct pt_key_index {
    size_t count;
    size_t skip;    /* length of the common prefix */
    uint8_t *heads; /* u64 (base/key.h) */
    pt_slice *keys; /* bytes belong to someone else */
} pt_key_index;

/* `keys` are ascending; a first key that is empty (no lower bound) does not shorten the prefix. */
peat_rc pt_key_index_init(pt_key_index *x, const pt_env *env, const pt_slice *keys,
                          size_t count) PT_MUST_USE;
void pt_key_index_done(pt_key_index *x, const pt_env *env);
/* How many keys are <= key. */
size_t pt_key_index_upper(const pt_key_index *x, pt_slice key);

#endif
