/* SPDX-License-Identifier: MIT */
/*
 * key_index.h - a sorted array of keys, searched by 8-byte heads after their common prefix, so that
 * a lookup among a few hundred keys stays in a few cache lines and compares whole keys on ties
 * only.
 */
#ifndef PT_VERSION_KEY_INDEX_H
#define PT_VERSION_KEY_INDEX_H

#include "base/key.h"
#include "env/env.h"

typedef struct pt_key_index {
    size_t count;
    size_t skip;    /* length of the common prefix */
    uint8_t *heads; /* u64 (base/key.h) */
    pt_slice *keys; /* bytes belong to someone else */
} pt_key_index;

/* `keys` are ascending; a first key that is empty (no lower bound) does not shorten the prefix.
 * `largest`: what is looked for is mostly not above it; that has the prefix, too, so that a search
 * hardly ever ends at the prefix. */
peat_rc pt_key_index_init(pt_key_index *x, const pt_env *env, const pt_slice *keys, size_t count,
                          pt_slice largest) PT_MUST_USE;
void pt_key_index_done(pt_key_index *x, const pt_env *env);
/* For pt_key_index_upper, where it is seldom. */
size_t pt_key_index_outside(const pt_key_index *x, pt_slice key);
size_t pt_key_index_among_ties(const pt_key_index *x, pt_slice key, uint64_t head, size_t low);

/* How many keys are <= key. */
static inline size_t pt_key_index_upper(const pt_key_index *x, pt_slice key)
{
    size_t skip = x->skip;
    if (PT_UNLIKELY(key.size < skip ||
                    (skip != 0 && !pt_key_bytes_equal(key.data, x->keys[x->count - 1].data, skip))))
        return pt_key_index_outside(x, key);
    uint64_t head = pt_key_head_behind(key, skip);
    size_t low = pt_key_heads_below(x->heads, x->count, head);
    if (PT_LIKELY(low == x->count || pt_get_u64(x->heads + 8 * low) != head))
        return low;
    return pt_key_index_among_ties(x, key, head, low);
}

#endif
