/* SPDX-License-Identifier: MIT */
/* key_index.c - see key_index.h. */
#include "version/key_index.h"

#include "base/coding.h"

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

static uint64_t head_after(pt_slice key, size_t skip)
{
    return key.size <= skip ? 0 : pt_key_head(key.data + skip, key.size - skip);
}

peat_rc pt_key_index_init(pt_key_index *x, const pt_env *env, const pt_slice *keys, size_t count)
{
    *x = (pt_key_index){.count = count, .skip = shared_prefix(keys, count)};
    if (count == 0)
        return PEAT_OK;
    x->heads = (uint64_t *)pt_alloc(env, count * sizeof *x->heads);
    x->keys = (pt_slice *)pt_alloc(env, count * sizeof *x->keys);
    if (x->heads == NULL || x->keys == NULL) {
        pt_key_index_done(x, env);
        return PEAT_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        x->keys[i] = keys[i];
        x->heads[i] = head_after(keys[i], x->skip);
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
static int compare_prefix(const pt_key_index *x, pt_slice key)
{
    if (x->skip == 0)
        return 0;
    const uint8_t *prefix = x->keys[x->count - 1].data;
    size_t n = key.size < x->skip ? key.size : x->skip;
    int c = n ? memcmp(key.data, prefix, n) : 0;
    return c != 0 ? c : key.size < x->skip ? -1 : 0;
}

size_t pt_key_index_upper(const pt_key_index *x, pt_slice key)
{
    size_t low = 0, high = x->count;
    int c = compare_prefix(x, key);
    if (PT_UNLIKELY(c != 0)) {
        size_t open = x->count > 0 && x->keys[0].size == 0 ? 1 : 0;
        return c > 0 ? x->count : open;
    }
    uint64_t head = head_after(key, x->skip);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        bool le = x->heads[mid] < head ||
                  (x->heads[mid] == head && pt_slice_compare(x->keys[mid], key) <= 0);
        if (le)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}
