/* SPDX-License-Identifier: MIT */
/* key_index.c - see key_index.h. */
#include "version/key_index.h"

#include "base/key.h"

static size_t common_prefix(pt_slice a, pt_slice b)
{
    size_t n = a.size < b.size ? a.size : b.size;
    size_t i = 0;
    while (i < n && a.data[i] == b.data[i])
        i++;
    return i;
}

/* Ascending keys: the prefix common to the first and the last is common to all. */
static size_t shared_prefix(const pt_slice *keys, size_t count)
{
    size_t first = count > 0 && keys[0].size == 0 ? 1 : 0;
    return count < first + 2 ? 0 : common_prefix(keys[first], keys[count - 1]);
}

peat_rc pt_key_index_init(pt_key_index *x, const pt_env *env, const pt_slice *keys, size_t count)
{
    *x = (pt_key_index){.count = count, .skip = shared_prefix(keys, count)};
    if (count == 0)
        return PEAT_OK;
    x->heads = (uint8_t *)pt_alloc(env, count * 8);
    x->keys = (pt_slice *)pt_alloc(env, count * sizeof *x->keys);
    if (x->heads == NULL || x->keys == NULL) {
        pt_key_index_done(x, env);
        return PEAT_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        x->keys[i] = keys[i];
        pt_put_u64(x->heads + 8 * i, pt_key_head_behind(keys[i], x->skip));
    }
    return PEAT_OK;
}

void pt_key_index_done(pt_key_index *x, const pt_env *env)
{
    pt_free(env, x->heads);
    pt_free(env, x->keys);
    *x = (pt_key_index){0};
}

/* -1, 0, 1: the key's first bytes against the common prefix. */
static inline int compare_prefix(const pt_key_index *x, pt_slice key)
{
    if (x->skip == 0)
        return 0;
    const uint8_t *prefix = x->keys[x->count - 1].data;
    if (PT_LIKELY(key.size >= x->skip && pt_key_bytes_equal(key.data, prefix, x->skip)))
        return 0;
    return pt_slice_compare(key, pt_slice_of(prefix, x->skip));
}

/* `low` heads are below that of the key; those that are equal leave it to the whole keys. */
static size_t among_ties(const pt_key_index *x, pt_slice key, uint64_t head, size_t low)
{
    size_t high = x->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (pt_get_u64(x->heads + 8 * mid) == head && pt_slice_compare(x->keys[mid], key) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

size_t pt_key_index_upper(const pt_key_index *x, pt_slice key)
{
    int c = compare_prefix(x, key);
    if (PT_UNLIKELY(c != 0)) {
        size_t open = x->count > 0 && x->keys[0].size == 0 ? 1 : 0;
        return c > 0 ? x->count : open;
    }
    uint64_t head = pt_key_head_behind(key, x->skip);
    size_t low = pt_key_heads_below(x->heads, x->count, head);
    if (PT_LIKELY(low == x->count || pt_get_u64(x->heads + 8 * low) != head))
        return low;
    return among_ties(x, key, head, low);
}
