/* SPDX-License-Identifier: MIT */
/* sim_tools.c - a simulated disk's files from outside; see sim_env.h. */
#include "support/sim_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Under mu. */
static sim_inode *find(sim_env *sim, const char *dir, const char *name)
{
    sim_folder *folder = sim_folder_find(&sim->disk, dir);
    sim_inode *inode = folder == NULL ? NULL : sim_name_find(folder, name);
    return inode != NULL && inode->regular ? inode : NULL;
}

/* Under mu. The folder is made when it is missing; its names so far become durable. */
static sim_inode *replace(sim_env *sim, const char *dir, const char *name)
{
    sim_folder *folder = sim_folder_find(&sim->disk, dir);
    if (folder == NULL)
        folder = sim_folder_add(&sim->disk, dir);
    if (sim_name_find(folder, name) != NULL)
        sim_name_remove(&sim->disk, folder, name);
    sim_inode *inode = sim_name_create(&sim->disk, folder, name);
    sim_folder_sync(&sim->disk, folder);
    return inode;
}

bool sim_file_exists(sim_env *sim, const char *dir, const char *name)
{
    sim_lock(sim);
    bool there = find(sim, dir, name) != NULL;
    sim_unlock(sim);
    return there;
}

uint8_t *sim_file_get(sim_env *sim, const char *dir, const char *name, size_t *ret_size)
{
    sim_lock(sim);
    sim_inode *inode = find(sim, dir, name);
    uint8_t *copy = NULL;
    if (inode != NULL) {
        size_t capacity = 0;
        copy = sim_grow(NULL, &capacity, (size_t)inode->live_size + 1, 1);
        if (inode->live_size > 0)
            memcpy(copy, inode->live, (size_t)inode->live_size);
        *ret_size = (size_t)inode->live_size;
    }
    sim_unlock(sim);
    return copy;
}

uint8_t *sim_file_bytes(sim_env *sim, const char *dir, const char *name, size_t *ret_size)
{
    sim_lock(sim);
    sim_inode *inode = find(sim, dir, name);
    sim_unlock(sim);
    *ret_size = inode != NULL ? (size_t)inode->live_size : 0;
    return inode != NULL ? inode->live : NULL;
}

void sim_file_put(sim_env *sim, const char *dir, const char *name, const void *data, size_t size)
{
    sim_lock(sim);
    sim_inode *inode = replace(sim, dir, name);
    sim_inode_write(&sim->disk, inode, 0, data, size);
    sim_inode_sync(inode);
    sim_unlock(sim);
}

bool sim_file_flip(sim_env *sim, const char *dir, const char *name, uint64_t offset, uint8_t mask)
{
    sim_lock(sim);
    sim_inode *inode = find(sim, dir, name);
    bool there = inode != NULL && offset < inode->live_size;
    if (there) {
        uint8_t byte = (uint8_t)(inode->live[offset] ^ mask);
        sim_inode_write(&sim->disk, inode, offset, &byte, 1);
        sim_inode_sync(inode);
    }
    sim_unlock(sim);
    return there;
}

bool sim_file_cut(sim_env *sim, const char *dir, const char *name, uint64_t size)
{
    sim_lock(sim);
    sim_inode *inode = find(sim, dir, name);
    bool there = inode != NULL && size <= inode->live_size;
    if (there) {
        sim_inode_resize(&sim->disk, inode, size);
        sim_inode_sync(inode);
    }
    sim_unlock(sim);
    return there;
}

bool sim_file_delete(sim_env *sim, const char *dir, const char *name)
{
    sim_lock(sim);
    bool there = find(sim, dir, name) != NULL;
    if (there) {
        sim_folder *folder = sim_folder_find(&sim->disk, dir);
        sim_name_remove(&sim->disk, folder, name);
        sim_folder_sync(&sim->disk, folder);
    }
    sim_unlock(sim);
    return there;
}

void sim_plant_link(sim_env *sim, const char *dir, const char *name)
{
    sim_lock(sim);
    replace(sim, dir, name)->regular = false;
    sim_unlock(sim);
}

typedef struct listed {
    char *name;
    bool regular;
    uint64_t size;
} listed;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const listed *)a)->name, ((const listed *)b)->name);
}

/* Under mu. A copy, because `each` may change the directory. */
static listed *list_names(const sim_folder *folder, size_t *ret_count)
{
    size_t capacity = 0, n = 0;
    listed *all = sim_grow(NULL, &capacity, folder->name_count + 1, sizeof *all);
    for (size_t i = 0; i < folder->name_count; i++) {
        const sim_inode *inode = folder->names[i].live;
        if (inode != NULL)
            all[n++] = (listed){.name = sim_text_copy(folder->names[i].name),
                                .regular = inode->regular,
                                .size = inode->live_size};
    }
    qsort(all, n, sizeof *all, by_name);
    *ret_count = n;
    return all;
}

int sim_file_list(sim_env *sim, const char *dir, peat_env_list_fn each, void *arg)
{
    sim_lock(sim);
    sim_folder *folder = sim_folder_find(&sim->disk, dir);
    size_t n = 0;
    listed *all = folder == NULL ? NULL : list_names(folder, &n);
    sim_unlock(sim);
    int e = folder == NULL ? ENOENT : 0;
    for (size_t i = 0; i < n; i++) {
        if (e == 0)
            e = each(arg, all[i].name, all[i].regular, all[i].size);
        free(all[i].name);
    }
    free(all);
    return e;
}

typedef struct saving {
    sim_env *sim;
    const char *dir;
    peat_env_dir *to;
} saving;

static int save_one(void *arg, const char *name, bool regular_file, uint64_t size)
{
    const saving *s = arg;
    const peat_env *real = peat_env_default();
    peat_env_file *file = NULL;
    size_t n = 0;
    uint8_t *data = sim_file_get(s->sim, s->dir, name, &n);
    (void)size;
    if (data == NULL || !regular_file)
        return 0;
    int e =
        real->file_open(real->ctx, s->to, name, PEAT_ENV_FILE_WRITE | PEAT_ENV_FILE_CREATE, &file);
    if (e == 0)
        e = real->file_write(real->ctx, file, 0, data, n);
    real->file_close(real->ctx, file);
    free(data);
    return e;
}

int sim_save(sim_env *sim, const char *dir, const char *real_path)
{
    const peat_env *real = peat_env_default();
    saving s = {.sim = sim, .dir = dir};
    int e = real->dir_open(real->ctx, real_path, PEAT_ENV_DIR_CREATE, &s.to);
    if (e != 0)
        return e;
    e = sim_file_list(sim, dir, save_one, &s);
    real->dir_close(real->ctx, s.to);
    return e;
}
