/* SPDX-License-Identifier: MIT */
/*
 * destroy.c - see destroy.h. The superblock goes last, so that a removal that was cut short still
 * is a store to be removed; files that no store makes are left alone.
 */
#include "db/destroy.h"

#include <errno.h>
#include <stdio.h>

#include "base/fail.h"
#include "base/file_name.h"

typedef struct names {
    const pt_env *env;
    char (*items)[PT_FILE_NAME_SIZE];
    size_t count, capacity;
    bool superblock, foreign;
    bool nomem;
} names;

static int visit(void *arg, const char *name, bool regular_file, uint64_t size)
{
    names *n = (names *)arg;
    (void)size;
    if (strcmp(name, "PEAT") == 0 && regular_file) {
        n->superblock = true;
    } else if (pt_file_name_is_store(name) && regular_file) {
        if (!pt_grow(n->env, &n->items, &n->capacity, n->count + 1, sizeof *n->items))
            return ENOMEM;
        (void)snprintf(n->items[n->count++], PT_FILE_NAME_SIZE, "%s", name);
    } else if (strcmp(name, "LOCK") != 0) {
        n->foreign = true;
    }
    return 0;
}

static int remove_all(const pt_env *env, pt_dir *dir, const names *n)
{
    int e = 0;
    for (size_t i = 0; i < n->count && e == 0; i++)
        e = env->dir_remove(env->ctx, dir, n->items[i]);
    if (e == 0)
        e = env->dir_sync(env->ctx, dir);
    if (e == 0 && n->superblock)
        e = env->dir_remove(env->ctx, dir, "PEAT");
    if (e == 0)
        e = env->dir_remove(env->ctx, dir, "LOCK");
    if (e == 0)
        e = env->dir_sync(env->ctx, dir);
    return e;
}

static peat_rc destroy(const char *path, const pt_env *env, pt_sink *sink, names *n)
{
    pt_dir *dir = NULL;
    peat_env_lock *lock = NULL;
    int64_t pid = 0;
    peat_rc rc = PEAT_OK;
    int e = env->dir_open(env->ctx, path, 0, &dir);
    if (e == ENOENT)
        return pt_fail(sink, PEAT_NOT_FOUND, "there is nothing here");
    if (e == ENOTDIR)
        return pt_fail(sink, PEAT_NOT_STORE, "not a directory, so not a store");
    if (e == 0)
        e = env->dir_list(env->ctx, dir, visit, n);
    if (e == 0 && !n->superblock)
        TRY(pt_fail(sink, PEAT_NOT_STORE, "not a store: there is no PEAT file"));
    if (e == 0)
        e = env->dir_lock(env->ctx, dir, "LOCK", false, &lock, &pid);
    if (e == EWOULDBLOCK || e == EAGAIN)
        TRY(pt_fail(sink, PEAT_BUSY, "the store is open in process %" PRId64, pid));
    if (e == 0)
        e = remove_all(env, dir, n);
    if (e != 0)
        rc = pt_fail_os(sink, e, "removing the store");
out:
    if (lock != NULL)
        env->dir_unlock(env->ctx, lock);
    if (dir != NULL)
        env->dir_close(env->ctx, dir);
    if (rc == PEAT_OK && !n->foreign)
        (void)env->dir_delete(env->ctx, path); /* stays when something came into it meanwhile */
    return rc;
}

peat_rc pt_destroy_store(const char *dir, const pt_env *env, peat_error *ret_error)
{
    pt_sink sink;
    names n = {.env = env};
    pt_sink_init(&sink);
    peat_rc rc = destroy(dir, env, &sink, &n);
    rc = pt_sink_describe(&sink, rc, dir, ret_error);
    pt_free(env, n.items);
    pt_sink_done(&sink);
    return rc;
}
