/* SPDX-License-Identifier: MIT */
/*
 * env.h - short names for the environment's members. Nothing else in the library talks to the
 * operating system or the allocator. Floor 0.
 */
#ifndef PT_ENV_ENV_H
#define PT_ENV_ENV_H

#include "base/base.h"
#include "peat_env.h"

typedef peat_env pt_env;
typedef peat_env_dir pt_dir;
typedef peat_env_file pt_file;

static inline void *pt_alloc(const pt_env *env, size_t size)
{
    return env->alloc(env->ctx, size ? size : 1);
}

void *pt_alloc_zero(const pt_env *env, size_t size);

static inline void *pt_resize(const pt_env *env, void *p, size_t size)
{
    return env->resize(env->ctx, p, size ? size : 1);
}

static inline void pt_free(const pt_env *env, void *p)
{
    env->release(env->ctx, p);
}

/* Members that came later: an environment made for an older header ends before them. */
#define PT_ENV_HAS(env, member)                                                                    \
    ((env)->size >= offsetof(pt_env, member) + sizeof(env)->member && (env)->member != NULL)

/* Whole pages in this part of a mapping may go; they read as zero or as they were. */
static inline void pt_unneeded(const pt_env *env, void *p, size_t size)
{
    if (size != 0 && PT_ENV_HAS(env, unneeded))
        env->unneeded(env->ctx, p, size);
}

/* The memory of this part of a mapping comes now. Only where the environment has it. */
static inline void pt_needed(const pt_env *env, void *p, size_t size)
{
    PT_DCHECK(size != 0 && PT_ENV_HAS(env, needed), "asked for where it can be had");
    env->needed(env->ctx, p, size);
}

/* Bytes of memory for this process; 0: not known. */
static inline uint64_t pt_memory_limit(const pt_env *env)
{
    return PT_ENV_HAS(env, memory_limit) ? env->memory_limit(env->ctx) : 0;
}

/* Grows the array *io_items of *io_capacity elements so that it holds `needed`; doubling, while
 * it is small. False when there is no memory: the array is unchanged. */
bool pt_grow(const pt_env *env, void *io_items, size_t *io_capacity, size_t needed,
             size_t item_bytes);

/* Memory for the time of one call or one file, which may be large: from PT_SCRATCH_MAP_BYTES on a
 * mapping of its own, so that the heap is left without holes that nobody fills. Not zeroed. NULL:
 * there is none. Free: NULL is fine; size as it was asked for. */
#define PT_SCRATCH_MAP_BYTES ((size_t)256 << 10)
void *pt_scratch_alloc(const pt_env *env, size_t size);
void pt_scratch_free(const pt_env *env, void *p, size_t size);

/* A growing byte string on the environment's heap. */
typedef struct pt_bytes {
    const pt_env *env;
    uint8_t *data;
    size_t size;
    size_t capacity;
} pt_bytes;

static inline pt_slice pt_bytes_slice(const pt_bytes *b)
{
    return pt_slice_of(b->data, b->size);
}

void pt_bytes_init(pt_bytes *b, const pt_env *env);
void pt_bytes_done(pt_bytes *b);
/* Room for n more bytes at data + size, without changing size. PEAT_NOMEM: unchanged. */
peat_rc pt_bytes_reserve(pt_bytes *b, size_t n) PT_MUST_USE;
peat_rc pt_bytes_append(pt_bytes *b, const void *data, size_t n) PT_MUST_USE;
peat_rc pt_bytes_append_varint(pt_bytes *b, uint64_t v) PT_MUST_USE;
peat_rc pt_bytes_append_u64(pt_bytes *b, uint64_t v) PT_MUST_USE;
/* A varint length, then the bytes; pt_cursor_sized reads it. */
peat_rc pt_bytes_append_sized(pt_bytes *b, pt_slice s) PT_MUST_USE;

#endif
