/* SPDX-License-Identifier: MIT */
/* sim_files.c - files on a simulated disk; see sim_env.h. */
#include "support/sim_calls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct peat_env_file {
    sim_inode *inode;
    bool writable;
    _Atomic unsigned held; /* by reads of rings */
    char name[64];
};

void sim_file_hold(peat_env_file *file)
{
    atomic_fetch_add_explicit(&file->held, 1, memory_order_relaxed);
}

void sim_file_let_go(peat_env_file *file)
{
    atomic_fetch_sub_explicit(&file->held, 1, memory_order_relaxed);
}

/* --- files ---------------------------------------------------------------------------------- */

static int find_or_create(sim_env *sim, sim_folder *folder, const char *name, unsigned flags,
                          sim_inode **ret_inode)
{
    sim_inode *inode = sim_name_find(folder, name);
    if (flags & PEAT_ENV_FILE_CREATE) {
        if (inode != NULL)
            return EEXIST;
        inode = sim_name_create(&sim->disk, folder, name);
    }
    if (inode == NULL)
        return ENOENT;
    if (!inode->regular)
        return ELOOP;
    if ((flags & PEAT_ENV_FILE_WRITE) && sim->read_only)
        return EROFS;
    *ret_inode = inode;
    return 0;
}

int sim_file_open(void *ctx, peat_env_dir *dir, const char *name, unsigned flags,
                  peat_env_file **ret_file)
{
    sim_env *sim = ctx;
    sim_inode *inode = NULL;
    if (!sim_is_plain_name(name))
        return EINVAL;
    sim_lock(sim);
    int e = (flags & PEAT_ENV_FILE_CREATE) ? sim_admit_change(sim, SIM_FILE_CREATE, name, NULL)
                                           : sim_admit(sim, SIM_FILE_OPEN, name, NULL);
    if (e == 0)
        e = sim_admit_handle(sim);
    if (e == 0)
        e = find_or_create(sim, dir->folder, name, flags, &inode);
    if (e == 0) {
        peat_env_file *file = sim_new_handle(sizeof *file);
        *file = (struct peat_env_file){.inode = inode, .writable = flags & PEAT_ENV_FILE_WRITE};
        (void)snprintf(file->name, sizeof file->name, "%s", name);
        sim_inode_ref(inode);
        inode->handles++;
        sim_count_up(&sim->files, 1);
        *ret_file = file;
    }
    sim_unlock(sim);
    return e;
}

void sim_file_close(void *ctx, peat_env_file *file)
{
    sim_env *sim = ctx;
    if (file == NULL)
        return;
    if (atomic_load_explicit(&file->held, memory_order_relaxed) != 0) {
        (void)fprintf(stderr, "sim: %s is closed while a ring reads it\n", file->name);
        abort();
    }
    sim_lock(sim);
    file->inode->handles--;
    sim_inode_unref(&sim->disk, file->inode);
    sim_unlock(sim);
    sim_count_down(&sim->files, 1);
    free(file);
}

int sim_file_read(void *ctx, peat_env_file *file, uint64_t offset, void *buf, size_t n,
                  size_t *ret_n)
{
    sim_env *sim = ctx;
    sim_lock(sim);
    int e = sim_admit(sim, SIM_FILE_READ, file->name, NULL);
    if (e == 0) {
        uint64_t size = file->inode->live_size;
        uint64_t left = offset < size ? size - offset : 0;
        size_t got = left < n ? (size_t)left : n;
        if (got > 0)
            memcpy(buf, file->inode->live + offset, got);
        *ret_n = got;
    }
    sim_unlock(sim);
    return e;
}

/* How many of `n` bytes at `offset` the disk has room for. */
static size_t room_for(sim_env *sim, const sim_inode *inode, uint64_t offset, size_t n)
{
    uint64_t allocated = (inode->live_size + 4095) / 4096 * 4096;
    uint64_t end = offset + n;
    if (sim->disk_limit == 0 || end <= allocated)
        return n;
    uint64_t used = sim_disk_used(&sim->disk);
    uint64_t left = used < sim->disk_limit ? (sim->disk_limit - used) / 4096 * 4096 : 0;
    if (end <= allocated + left)
        return n;
    return allocated + left > offset ? (size_t)(allocated + left - offset) : 0;
}

static size_t kept_of(sim_env *sim, size_t n, sim_keep keep)
{
    if (keep == SIM_KEEP_SOME)
        return (size_t)(rng_next(&sim->disk.random) % (n + 1));
    return keep == SIM_KEEP_ALL ? n : 0;
}

static void write_pieces(sim_env *sim, peat_env_file *file, uint64_t offset, const uint8_t *p,
                         size_t n)
{
    size_t piece = sim->split_bytes != 0 ? sim->split_bytes : n;
    for (size_t done = 0; done < n; done += piece) {
        if (done > 0)
            sim_boundary_pass(sim, SIM_FILE_WRITE, file->name);
        size_t now = n - done < piece ? n - done : piece;
        sim_inode_write(&sim->disk, file->inode, offset + done, p + done, now);
    }
}

int sim_file_write(void *ctx, peat_env_file *file, uint64_t offset, const void *buf, size_t n)
{
    sim_env *sim = ctx;
    sim_keep keep = SIM_KEEP_NONE;
    sim_lock(sim);
    int e = file->writable ? sim_admit_change(sim, SIM_FILE_WRITE, file->name, &keep) : EBADF;
    size_t written = e == 0 ? n : kept_of(sim, n, keep);
    size_t room = room_for(sim, file->inode, offset, written);
    if (room < written) {
        written = room;
        e = e == 0 ? ENOSPC : e;
    }
    write_pieces(sim, file, offset, buf, written);
    sim_unlock(sim);
    return e;
}

/* Under mu. A processor that is stopped has stored any part of it. */
static int store(sim_env *sim, peat_env_file *file, uint64_t offset, const uint8_t *p, size_t n)
{
    if (rng_next(&sim->disk.random) % 4 == 0)
        return EOPNOTSUPP;
    int e = sim_admit_change(sim, SIM_FILE_STORE, file->name, NULL);
    if (e != 0)
        return e;
    if (!file->writable || offset + n > file->inode->live_size) {
        (void)fprintf(stderr, "sim: a store that would end a program with SIGBUS\n");
        abort();
    }
    size_t first = (size_t)(rng_next(&sim->disk.random) % (n + 1));
    sim_inode_write(&sim->disk, file->inode, offset, p, first);
    sim_boundary_pass(sim, SIM_FILE_STORE, file->name);
    sim_inode_write(&sim->disk, file->inode, offset + first, p + first, n - first);
    return 0;
}

int sim_file_store(void *ctx, peat_env_file *file, uint64_t offset, const void *buf, size_t n)
{
    sim_env *sim = ctx;
    sim_lock(sim);
    int e = sim->stores ? store(sim, file, offset, buf, n) : EOPNOTSUPP;
    sim_unlock(sim);
    return e;
}

int sim_file_sync(void *ctx, peat_env_file *file)
{
    sim_env *sim = ctx;
    sim_keep keep = SIM_KEEP_NONE;
    sim_lock(sim);
    sim_boundary_pass(sim, SIM_FILE_SYNC, file->name);
    int e = sim_admit(sim, SIM_FILE_SYNC, file->name, &keep);
    if (e == 0)
        sim_inode_sync(file->inode);
    else
        sim_inode_sync_failed(&sim->disk, file->inode, keep);
    sim_unlock(sim);
    return e;
}

int sim_file_size(void *ctx, peat_env_file *file, uint64_t *ret_size)
{
    sim_env *sim = ctx;
    sim_lock(sim);
    int e = sim_admit(sim, SIM_FILE_SIZE, file->name, NULL);
    if (e == 0)
        *ret_size = file->inode->live_size;
    sim_unlock(sim);
    return e;
}

int sim_file_truncate(void *ctx, peat_env_file *file, uint64_t size)
{
    sim_env *sim = ctx;
    sim_lock(sim);
    int e = file->writable ? sim_admit_change(sim, SIM_FILE_TRUNCATE, file->name, NULL) : EINVAL;
    if (e == 0)
        sim_inode_resize(&sim->disk, file->inode, size);
    sim_unlock(sim);
    return e;
}

int sim_file_allocate(void *ctx, peat_env_file *file, uint64_t offset, uint64_t n)
{
    sim_env *sim = ctx;
    sim_lock(sim);
    int e = file->writable ? sim_admit_change(sim, SIM_FILE_ALLOCATE, file->name, NULL) : EBADF;
    if (e == 0 && room_for(sim, file->inode, offset, (size_t)n) < n)
        e = ENOSPC;
    if (e == 0 && offset + n > file->inode->live_size)
        sim_inode_resize(&sim->disk, file->inode, offset + n);
    sim_unlock(sim);
    return e;
}

int sim_file_advise(void *ctx, peat_env_file *file, uint64_t offset, uint64_t n, int advice)
{
    sim_env *sim = ctx;
    sim_lock(sim);
    int e = sim_admit(sim, SIM_FILE_ADVISE, file->name, NULL);
    if (e == 0 && advice == PEAT_ENV_ADVISE_DONTNEED)
        sim_inode_drop_cache(file->inode, offset, n);
    sim_unlock(sim);
    return e;
}
