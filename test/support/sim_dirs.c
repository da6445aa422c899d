/* SPDX-License-Identifier: MIT */
/* sim_dirs.c - directories and their locks on a simulated disk; see sim_env.h. */
#include "support/sim_calls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct peat_env_lock {
    sim_inode *inode;
    bool shared;
};

/* --- directories ---------------------------------------------------------------------------- */

/* The directory that would hold `path`, when it is one of ours to check. */
static int check_parent(sim_env *sim, const char *path)
{
    char parent[512];
    (void)snprintf(parent, sizeof parent, "%s", path);
    size_t n = strlen(parent);
    while (n > 1 && parent[n - 1] == '/')
        parent[--n] = '\0';
    char *slash = strrchr(parent, '/');
    if (slash == NULL || slash == parent ||
        strncmp(parent, "./", (size_t)(slash - parent) + 1) == 0)
        return 0; /* directly in the root or the working directory, which exist */
    *slash = '\0';
    sim_folder *folder = sim_folder_find(&sim->disk, parent);
    if (folder == NULL)
        return ENOENT;
    return sim_name_find(folder, slash + 1) != NULL ? ENOTDIR : 0;
}

static int make_folder(sim_env *sim, const char *path, unsigned flags)
{
    int e = check_parent(sim, path);
    if (e != 0)
        return e;
    if (!(flags & PEAT_ENV_DIR_CREATE))
        return ENOENT;
    sim_boundary_pass(sim, SIM_DIR_OPEN, path);
    if (sim->read_only)
        return EROFS;
    (void)sim_folder_add(&sim->disk, path); /* durable: the call syncs the parent */
    return 0;
}

int sim_dir_open(void *ctx, const char *path, unsigned flags, peat_env_dir **ret_dir)
{
    sim_env *sim = ctx;
    sim_lock(sim);
    int e = sim_admit(sim, SIM_DIR_OPEN, path, NULL);
    if (e == 0)
        e = sim_admit_handle(sim);
    if (e == 0 && sim_folder_find(&sim->disk, path) == NULL)
        e = make_folder(sim, path, flags);
    if (e == 0) {
        *ret_dir = sim_new_handle(sizeof **ret_dir);
        (*ret_dir)->folder = sim_folder_find(&sim->disk, path);
        sim_count_up(&sim->dirs, 1);
    }
    sim_unlock(sim);
    return e;
}

void sim_dir_close(void *ctx, peat_env_dir *dir)
{
    sim_env *sim = ctx;
    if (dir == NULL)
        return;
    sim_count_down(&sim->dirs, 1);
    free(dir);
}

int sim_dir_sync(void *ctx, peat_env_dir *dir)
{
    sim_env *sim = ctx;
    sim_keep keep = SIM_KEEP_NONE;
    sim_lock(sim);
    sim_boundary_pass(sim, SIM_DIR_SYNC, dir->folder->path);
    int e = sim_admit(sim, SIM_DIR_SYNC, dir->folder->path, &keep);
    if (e == 0)
        sim_folder_sync(&sim->disk, dir->folder);
    else
        sim_folder_sync_some(&sim->disk, dir->folder, keep);
    sim_unlock(sim);
    return e;
}

int sim_dir_list(void *ctx, peat_env_dir *dir, peat_env_list_fn each, void *arg)
{
    sim_env *sim = ctx;
    int e = sim_admit(sim, SIM_DIR_LIST, dir->folder->path, NULL);
    return e != 0 ? e : sim_file_list(sim, dir->folder->path, each, arg);
}

int sim_dir_remove(void *ctx, peat_env_dir *dir, const char *name)
{
    sim_env *sim = ctx;
    if (!sim_is_plain_name(name))
        return EINVAL;
    sim_lock(sim);
    int e = sim_admit_change(sim, SIM_DIR_REMOVE, name, NULL);
    if (e == 0 && sim_name_find(dir->folder, name) == NULL)
        e = ENOENT;
    if (e == 0)
        sim_name_remove(&sim->disk, dir->folder, name);
    sim_unlock(sim);
    return e;
}

int sim_dir_delete(void *ctx, const char *path)
{
    sim_env *sim = ctx;
    sim_lock(sim);
    int e = sim_admit_change(sim, SIM_DIR_DELETE, path, NULL);
    sim_folder *folder = sim_folder_find(&sim->disk, path);
    if (e == 0 && folder == NULL)
        e = ENOENT;
    if (e == 0 && !sim_folder_is_empty(folder))
        e = ENOTEMPTY;
    if (e == 0)
        sim_folder_delete(&sim->disk, folder);
    sim_unlock(sim);
    return e;
}

/* --- the lock ------------------------------------------------------------------------------- */

static int find_lock_file(sim_env *sim, sim_folder *folder, const char *name, bool shared,
                          sim_inode **ret_inode)
{
    sim_inode *inode = sim_name_find(folder, name);
    if (inode == NULL && shared)
        return ENOENT;
    if (!shared && sim->read_only)
        return EROFS;
    if (inode == NULL) {
        sim_boundary_pass(sim, SIM_DIR_LOCK, name);
        inode = sim_name_create(&sim->disk, folder, name);
    }
    if (!inode->regular)
        return ELOOP;
    *ret_inode = inode;
    return 0;
}

static int64_t read_holder(const sim_inode *inode)
{
    char text[24] = {0};
    if (inode->locks_exclusive == 0 || inode->live_size >= sizeof text)
        return 0;
    memcpy(text, inode->live, (size_t)inode->live_size);
    return (int64_t)strtoll(text, NULL, 10);
}

static int take_lock(sim_env *sim, sim_inode *inode, const char *name, bool shared,
                     int64_t *ret_holder_pid)
{
    if (inode->locks_exclusive > 0 || (!shared && inode->locks_shared > 0)) {
        *ret_holder_pid = read_holder(inode);
        return EWOULDBLOCK;
    }
    if (shared) {
        inode->locks_shared++;
        return 0;
    }
    char text[24];
    int n = snprintf(text, sizeof text, "%lld\n", (long long)sim->pid);
    sim_boundary_pass(sim, SIM_DIR_LOCK, name);
    inode->locks_exclusive++;
    sim_inode_resize(&sim->disk, inode, 0);
    sim_inode_write(&sim->disk, inode, 0, text, (size_t)n);
    return 0;
}

int sim_dir_lock(void *ctx, peat_env_dir *dir, const char *name, bool shared,
                 peat_env_lock **ret_lock, int64_t *ret_holder_pid)
{
    sim_env *sim = ctx;
    sim_inode *inode = NULL;
    *ret_holder_pid = 0;
    if (!sim_is_plain_name(name))
        return EINVAL;
    sim_lock(sim);
    int e = sim_admit(sim, SIM_DIR_LOCK, name, NULL);
    if (e == 0)
        e = sim_admit_handle(sim);
    if (e == 0)
        e = find_lock_file(sim, dir->folder, name, shared, &inode);
    if (e == 0)
        e = take_lock(sim, inode, name, shared, ret_holder_pid);
    if (e == 0) {
        *ret_lock = sim_new_handle(sizeof **ret_lock);
        **ret_lock = (struct peat_env_lock){.inode = inode, .shared = shared};
        sim_inode_ref(inode);
        sim_count_up(&sim->locks, 1);
    }
    sim_unlock(sim);
    return e;
}

void sim_dir_unlock(void *ctx, peat_env_lock *lock)
{
    sim_env *sim = ctx;
    if (lock == NULL)
        return;
    sim_lock(sim);
    if (lock->shared)
        lock->inode->locks_shared--;
    else
        lock->inode->locks_exclusive--;
    sim_inode_unref(&sim->disk, lock->inode);
    sim_unlock(sim);
    sim_count_down(&sim->locks, 1);
    free(lock);
}
