/* SPDX-License-Identifier: MIT */
/* env.c - helpers over an environment's allocator; see env.h. */
#include "env/env.h"

#include "base/coding.h"

/* What is larger than this grows by a quarter only: half of it may stay unused otherwise. */
#define GROW_DOUBLING_BYTES ((size_t)1 << 20)

void *pt_alloc_zero(const pt_env *env, size_t size)
{
    void *p = pt_alloc(env, size);
    if (p != NULL)
        memset(p, 0, size);
    return p;
}

bool pt_grow(const pt_env *env, void *io_items, size_t *io_capacity, size_t needed,
             size_t item_bytes)
{
    if (needed <= *io_capacity)
        return true;
    size_t n = *io_capacity ? *io_capacity : 8;
    while (n < needed && n * item_bytes < GROW_DOUBLING_BYTES)
        n *= 2;
    if (n < needed)
        n = needed > n + n / 4 ? needed : n + n / 4;
    void *old;
    memcpy(&old, io_items, sizeof old);
    void *p = pt_resize(env, old, n * item_bytes);
    if (p == NULL)
        return false;
    memcpy(io_items, &p, sizeof p);
    *io_capacity = n;
    return true;
}

void *pt_scratch_alloc(const pt_env *env, size_t size)
{
    return size >= PT_SCRATCH_MAP_BYTES ? env->map(env->ctx, size) : pt_alloc(env, size);
}

void pt_scratch_free(const pt_env *env, void *p, size_t size)
{
    if (size >= PT_SCRATCH_MAP_BYTES)
        env->unmap(env->ctx, p, size);
    else
        pt_free(env, p);
}

void pt_bytes_init(pt_bytes *b, const pt_env *env)
{
    *b = (pt_bytes){.env = env};
}

void pt_bytes_done(pt_bytes *b)
{
    if (b->env != NULL)
        pt_free(b->env, b->data);
    *b = (pt_bytes){.env = b->env};
}

peat_rc pt_bytes_reserve(pt_bytes *b, size_t n)
{
    if (b->capacity - b->size >= n)
        return PEAT_OK;
    return pt_grow(b->env, &b->data, &b->capacity, b->size + n, 1) ? PEAT_OK : PEAT_NOMEM;
}

peat_rc pt_bytes_append(pt_bytes *b, const void *data, size_t n)
{
    peat_rc rc = pt_bytes_reserve(b, n);
    if (rc == PEAT_OK && n != 0) {
        memcpy(b->data + b->size, data, n);
        b->size += n;
    }
    return rc;
}

peat_rc pt_bytes_append_varint(pt_bytes *b, uint64_t v)
{
    uint8_t tmp[PT_VARINT_SIZE_MAX];
    return pt_bytes_append(b, tmp, (size_t)(pt_put_varint(tmp, v) - tmp));
}

peat_rc pt_bytes_append_u64(pt_bytes *b, uint64_t v)
{
    uint8_t tmp[8];
    pt_put_u64(tmp, v);
    return pt_bytes_append(b, tmp, sizeof tmp);
}

peat_rc pt_bytes_append_sized(pt_bytes *b, pt_slice s)
{
    peat_rc rc = pt_bytes_append_varint(b, s.size);
    return rc == PEAT_OK ? pt_bytes_append(b, s.data, s.size) : rc;
}
