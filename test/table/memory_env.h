/* SPDX-License-Identifier: MIT */
/*
 * memory_env.h - an environment whose one directory is memory: tests flip, cut and count in it.
 * Allocations come from the heap, so that sanitizers see them; the n-th call can be made to fail.
 */
#ifndef PT_TEST_TABLE_MEMORY_ENV_H
#define PT_TEST_TABLE_MEMORY_ENV_H

#include "env/env.h"

#include <errno.h>
#include <stdlib.h>

#define MEMORY_FILES 64

typedef struct memory_file {
    char name[32];
    uint8_t *data;
    size_t size, capacity;
    bool used;
} memory_file;

typedef struct memory_env {
    pt_env env;
    memory_file files[MEMORY_FILES];
    _Atomic uint64_t reads, open_files;
    _Atomic int64_t blocks;                    /* allocations not given back */
    _Atomic int64_t fail_alloc_at, fail_io_at; /* counts down; fails when it reaches 0; -1: never */
} memory_env;

static bool memory_env_alloc_fails(memory_env *m)
{
    return m->fail_alloc_at >= 0 && m->fail_alloc_at-- == 0;
}

static int memory_env_io_fails(memory_env *m)
{
    return m->fail_io_at >= 0 && m->fail_io_at-- == 0 ? EIO : 0;
}

static void *memory_env_alloc(void *ctx, size_t size)
{
    memory_env *m = ctx;
    if (memory_env_alloc_fails(m))
        return NULL;
    m->blocks++;
    return malloc(size);
}

static void *memory_env_resize(void *ctx, void *p, size_t size)
{
    memory_env *m = ctx;
    if (memory_env_alloc_fails(m))
        return NULL;
    m->blocks += p == NULL;
    return realloc(p, size);
}

static void memory_env_release(void *ctx, void *p)
{
    memory_env *m = ctx;
    m->blocks -= p != NULL;
    free(p);
}

static void *memory_env_map(void *ctx, size_t size)
{
    memory_env *m = ctx;
    if (memory_env_alloc_fails(m))
        return NULL;
    m->blocks++;
    return calloc(1, size);
}

static void memory_env_unmap(void *ctx, void *p, size_t size)
{
    (void)size;
    memory_env_release(ctx, p);
}

static memory_file *memory_env_find(memory_env *m, const char *name)
{
    for (int i = 0; i < MEMORY_FILES; i++) {
        if (m->files[i].used && strcmp(m->files[i].name, name) == 0)
            return &m->files[i];
    }
    return NULL;
}

static int memory_env_open(void *ctx, pt_dir *dir, const char *name, unsigned flags,
                           pt_file **ret_file)
{
    memory_env *m = ctx;
    (void)dir;
    memory_file *f = memory_env_find(m, name);
    if (memory_env_io_fails(m))
        return EIO;
    if (flags & PEAT_ENV_FILE_CREATE) {
        if (f != NULL)
            return EEXIST;
        for (int i = 0; i < MEMORY_FILES && f == NULL; i++)
            f = m->files[i].used ? NULL : &m->files[i];
        if (f == NULL)
            return ENFILE;
        *f = (memory_file){.used = true};
        size_t n = strlen(name);
        if (n >= sizeof f->name)
            return ENAMETOOLONG;
        memcpy(f->name, name, n + 1);
    }
    if (f == NULL)
        return ENOENT;
    m->open_files++;
    *ret_file = (pt_file *)(void *)f;
    return 0;
}

static void memory_env_close(void *ctx, pt_file *file)
{
    (void)file;
    ((memory_env *)ctx)->open_files--;
}

static int memory_env_read(void *ctx, pt_file *file, uint64_t offset, void *buf, size_t n,
                           size_t *ret_n)
{
    memory_env *m = ctx;
    memory_file *f = (memory_file *)(void *)file;
    if (memory_env_io_fails(m))
        return EIO;
    m->reads++;
    size_t have = offset < f->size ? f->size - (size_t)offset : 0;
    *ret_n = n < have ? n : have;
    if (*ret_n != 0)
        memcpy(buf, f->data + offset, *ret_n);
    return 0;
}

static int memory_env_write(void *ctx, pt_file *file, uint64_t offset, const void *buf, size_t n)
{
    memory_env *m = ctx;
    memory_file *f = (memory_file *)(void *)file;
    if (memory_env_io_fails(m))
        return EIO;
    size_t end = (size_t)offset + n;
    if (end > f->capacity) {
        size_t capacity = end * 2;
        uint8_t *p = realloc(f->data, capacity);
        if (p == NULL)
            return ENOSPC;
        memset(p + f->size, 0, capacity - f->size);
        f->data = p;
        f->capacity = capacity;
    }
    memcpy(f->data + offset, buf, n);
    f->size = end > f->size ? end : f->size;
    return 0;
}

static int memory_env_sync(void *ctx, pt_file *file)
{
    (void)file;
    return memory_env_io_fails(ctx);
}

static int memory_env_size(void *ctx, pt_file *file, uint64_t *ret_size)
{
    (void)ctx;
    *ret_size = ((memory_file *)(void *)file)->size;
    return 0;
}

static int memory_env_advise(void *ctx, pt_file *file, uint64_t offset, uint64_t n, int advice)
{
    (void)ctx, (void)file, (void)offset, (void)n, (void)advice;
    return 0;
}

static inline void memory_env_init(memory_env *m)
{
    memset(m, 0, sizeof *m);
    m->fail_alloc_at = m->fail_io_at = -1;
    m->env = (pt_env){.size = sizeof m->env,
                      .ctx = m,
                      .alloc = memory_env_alloc,
                      .resize = memory_env_resize,
                      .release = memory_env_release,
                      .map = memory_env_map,
                      .unmap = memory_env_unmap,
                      .file_open = memory_env_open,
                      .file_close = memory_env_close,
                      .file_read = memory_env_read,
                      .file_write = memory_env_write,
                      .file_sync = memory_env_sync,
                      .file_size = memory_env_size,
                      .file_advise = memory_env_advise};
}

static inline void memory_env_remove(memory_env *m, const char *name)
{
    memory_file *f = memory_env_find(m, name);
    if (f != NULL) {
        free(f->data);
        *f = (memory_file){0};
    }
}

static inline void memory_env_done(memory_env *m)
{
    for (int i = 0; i < MEMORY_FILES; i++)
        free(m->files[i].data);
}

#endif
