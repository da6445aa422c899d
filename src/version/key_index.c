/* SPDX-License-Identifier: MIT */
/* key_index.c - see key_index.h. */
#include "version/key_index.h"

static size_t common_prefix(pt_slice a, pt_slice b)
{
    size_t n = a.size < b.size ? a.size : b.size;
    size_t i = 0;
    while (i < n && a.data[i] == b.data[i])
        i++;
    return i;
}

/* Ascending keys: the prefix common to the first and the largest is common to all. */
static size_t shared_prefix(const pt_slice *keys, size_t count, pt_slice largest)
{
    size_t first = count > 0 && keys[0].size == 0 ? 1 : 0;
    return count == first || pt_slice_equal(keys[first], largest)
               ? 0
               : common_prefix(keys[first], largest);
}

peat_rc pt_key_index_init(pt_key_index *x, const pt_env *env, const pt_slice *keys, size_t count,
                          pt_slice largest)
{
    *x = (pt_key_index){.count = count, .skip = shared_prefix(keys, count, largest)};
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

/* The key has another prefix than the keys have. */
size_t pt_key_index_outside(const pt_key_index *x, pt_slice key)
{
    pt_slice prefix = pt_slice_of(x->keys[x->count - 1].data, x->skip);
    size_t open = x->keys[0].size == 0 ? 1 : 0;
    return pt_slice_compare(key, prefix) > 0 ? x->count : open;
}

/* `low` heads are below that of the key; those that are equal leave it to the whole keys. */
size_t pt_key_index_among_ties(const pt_key_index *x, pt_slice key, uint64_t head, size_t low)
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
