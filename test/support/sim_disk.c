/* SPDX-License-Identifier: MIT */
/* sim_disk.c - contents, names and their histories; see sim_disk.h. */
#include "support/sim_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *sim_grow(void *p, size_t *io_capacity, size_t needed, size_t item_bytes)
{
    if (needed <= *io_capacity)
        return p;
    size_t n = *io_capacity ? *io_capacity : 8;
    while (n < needed)
        n *= 2;
    p = realloc(p, n * item_bytes);
    if (p == NULL) {
        (void)fprintf(stderr, "sim: no memory for the simulated disk\n");
        abort();
    }
    *io_capacity = n;
    return p;
}

char *sim_text_copy(const char *text)
{
    size_t capacity = 0, n = strlen(text) + 1;
    char *p = sim_grow(NULL, &capacity, n, 1);
    memcpy(p, text, n);
    return p;
}

/* --- inodes --------------------------------------------------------------------------------- */

void sim_inode_ref(sim_inode *inode)
{
    if (inode != NULL)
        inode->refs++;
}

void sim_inode_unref(sim_disk *disk, sim_inode *inode)
{
    if (inode == NULL || --inode->refs > 0)
        return;
    sim_inode **at = &disk->inodes;
    while (*at != inode)
        at = &(*at)->next;
    *at = inode->next;
    free(inode->live);
    free(inode->disk);
    free(inode->versions);
    free(inode->sizes);
    free(inode->stale);
    free(inode);
}

/* Room for `size` bytes in whole sectors; the new ones are zero. */
static void reach(uint8_t **io_data, uint64_t *io_capacity, uint64_t size)
{
    uint64_t old = *io_capacity;
    size_t capacity = (size_t)old;
    uint64_t whole = (size + SIM_SECTOR_BYTES - 1) / SIM_SECTOR_BYTES * SIM_SECTOR_BYTES;
    if (whole <= old)
        return;
    /* sim_grow begins with 8 and doubles: whole sectors */
    *io_data = sim_grow(*io_data, &capacity, whole < 4096 ? 4096 : (size_t)whole, 1);
    memset(*io_data + old, 0, capacity - (size_t)old);
    *io_capacity = capacity;
}

static void push_version(sim_inode *inode, uint64_t seq, uint64_t sector, bool shrink)
{
    inode->versions = sim_grow(inode->versions, &inode->version_capacity, inode->version_count + 1,
                               sizeof *inode->versions);
    sim_version *v = &inode->versions[inode->version_count++];
    v->seq = seq;
    v->sector = sector;
    v->shrink = shrink;
    memcpy(v->data, inode->live + sector * SIM_SECTOR_BYTES, SIM_SECTOR_BYTES);
    for (size_t i = 0; i < inode->stale_count; i++)
        if (inode->stale[i] == sector)
            inode->stale[i--] = inode->stale[--inode->stale_count]; /* dirty again as a whole */
}

static void push_size(sim_disk *disk, sim_inode *inode, uint64_t size)
{
    inode->sizes =
        sim_grow(inode->sizes, &inode->size_capacity, inode->size_count + 1, sizeof *inode->sizes);
    inode->sizes[inode->size_count++] = (sim_size){.seq = ++disk->seq, .size = size};
    inode->live_size = size;
}

void sim_inode_write(sim_disk *disk, sim_inode *inode, uint64_t offset, const void *data, size_t n)
{
    if (n == 0)
        return;
    reach(&inode->live, &inode->live_capacity, offset + n);
    /* the size comes first, so that a moment in between shows it without the data */
    if (offset + n > inode->live_size)
        push_size(disk, inode, offset + n);
    memcpy(inode->live + offset, data, n);
    for (uint64_t s = offset / SIM_SECTOR_BYTES; s * SIM_SECTOR_BYTES < offset + n; s++)
        push_version(inode, ++disk->seq, s, false);
}

void sim_inode_resize(sim_disk *disk, sim_inode *inode, uint64_t size)
{
    uint64_t old = inode->live_size;
    if (size == old)
        return;
    reach(&inode->live, &inode->live_capacity, size);
    push_size(disk, inode, size);
    if (size > old)
        return;
    memset(inode->live + size, 0, (size_t)(old - size));
    for (uint64_t s = size / SIM_SECTOR_BYTES; s * SIM_SECTOR_BYTES < old; s++)
        push_version(inode, disk->seq, s, true); /* one moment with the size */
    ;
}

static void apply(sim_inode *inode, const sim_version *v)
{
    uint64_t at = v->sector * SIM_SECTOR_BYTES;
    reach(&inode->disk, &inode->disk_capacity, at + SIM_SECTOR_BYTES);
    memcpy(inode->disk + at, v->data, SIM_SECTOR_BYTES);
}

static void settle_size(sim_inode *inode)
{
    inode->disk_size = inode->live_size;
    inode->size_count = 0;
    reach(&inode->disk, &inode->disk_capacity, inode->disk_size);
}

void sim_inode_sync(sim_inode *inode)
{
    for (size_t i = 0; i < inode->version_count; i++)
        apply(inode, &inode->versions[i]);
    inode->version_count = 0;
    settle_size(inode);
}

static bool is_newest(const sim_inode *inode, size_t at)
{
    for (size_t i = at + 1; i < inode->version_count; i++)
        if (inode->versions[i].sector == inode->versions[at].sector)
            return false;
    return true;
}

static bool chance(sim_disk *disk, sim_keep keep)
{
    return keep == SIM_KEEP_ALL || (keep == SIM_KEEP_SOME && (rng_next(&disk->random) & 1));
}

/* Sizes are the journal's matter: they stay unsynced and a later sync takes them along; but a
 * shrunk file's size goes with its sectors. */
void sim_inode_sync_failed(sim_disk *disk, sim_inode *inode, sim_keep keep)
{
    bool shrunk = false;
    for (size_t i = 0; i < inode->version_count; i++) {
        sim_version *v = &inode->versions[i];
        shrunk = shrunk || v->shrink;
        if (!v->shrink && !is_newest(inode, i))
            continue;
        if (v->shrink || chance(disk, keep)) {
            apply(inode, v);
            continue;
        }
        inode->stale = sim_grow(inode->stale, &inode->stale_capacity, inode->stale_count + 1,
                                sizeof *inode->stale);
        inode->stale[inode->stale_count++] = v->sector;
    }
    inode->version_count = 0;
    if (shrunk)
        settle_size(inode);
}

void sim_inode_drop_cache(sim_inode *inode, uint64_t offset, uint64_t n)
{
    uint64_t end = n == 0 || n > UINT64_MAX - offset ? UINT64_MAX : offset + n;
    for (size_t i = 0; i < inode->stale_count; i++) {
        uint64_t at = inode->stale[i] * SIM_SECTOR_BYTES;
        if (at + SIM_SECTOR_BYTES <= offset || at >= end)
            continue;
        reach(&inode->disk, &inode->disk_capacity, at + SIM_SECTOR_BYTES);
        memcpy(inode->live + at, inode->disk + at, SIM_SECTOR_BYTES);
        if (at + SIM_SECTOR_BYTES > inode->live_size) { /* zero beyond the end */
            uint64_t from = inode->live_size > at ? inode->live_size : at;
            memset(inode->live + from, 0, (size_t)(at + SIM_SECTOR_BYTES - from));
        }
        inode->stale[i--] = inode->stale[--inode->stale_count];
    }
}

/* --- names ---------------------------------------------------------------------------------- */

static sim_name *name_slot(const sim_folder *folder, const char *name)
{
    for (size_t i = 0; i < folder->name_count; i++)
        if (strcmp(folder->names[i].name, name) == 0)
            return &folder->names[i];
    return NULL;
}

sim_inode *sim_name_find(const sim_folder *folder, const char *name)
{
    sim_name *slot = name_slot(folder, name);
    return slot == NULL ? NULL : slot->live;
}

static void push_op(sim_disk *disk, sim_name *slot, sim_inode *inode)
{
    slot->ops = sim_grow(slot->ops, &slot->op_capacity, slot->op_count + 1, sizeof *slot->ops);
    slot->ops[slot->op_count++] = (sim_name_op){.seq = ++disk->seq, .inode = inode};
    sim_inode_ref(inode);
    sim_inode_ref(inode); /* the live name's */
    if (slot->live != NULL) {
        slot->live->links--;
        sim_inode_unref(disk, slot->live);
    }
    slot->live = inode;
    if (inode != NULL)
        inode->links++;
}

sim_inode *sim_name_create(sim_disk *disk, sim_folder *folder, const char *name)
{
    sim_name *slot = name_slot(folder, name);
    if (slot == NULL) {
        folder->names = sim_grow(folder->names, &folder->name_capacity, folder->name_count + 1,
                                 sizeof *folder->names);
        slot = &folder->names[folder->name_count++];
        *slot = (sim_name){.name = sim_text_copy(name)};
    }
    size_t one = 0;
    sim_inode *inode = sim_grow(NULL, &one, sizeof *inode, 1);
    *inode = (sim_inode){.next = disk->inodes, .id = ++disk->inode_id, .regular = true};
    disk->inodes = inode;
    push_op(disk, slot, inode);
    return inode;
}

void sim_name_remove(sim_disk *disk, sim_folder *folder, const char *name)
{
    push_op(disk, name_slot(folder, name), NULL);
}

static void name_settle(sim_disk *disk, sim_name *slot)
{
    sim_inode_ref(slot->live);
    sim_inode_unref(disk, slot->durable);
    slot->durable = slot->live;
    for (size_t i = 0; i < slot->op_count; i++)
        sim_inode_unref(disk, slot->ops[i].inode);
    slot->op_count = 0;
}

static void name_done(sim_disk *disk, sim_name *slot)
{
    if (slot->live != NULL)
        slot->live->links--;
    sim_inode_unref(disk, slot->live);
    slot->live = NULL;
    name_settle(disk, slot);
    free(slot->ops);
    free(slot->name);
}

/* --- folders -------------------------------------------------------------------------------- */

static const char *skip_dot(const char *path)
{
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    return path;
}

static size_t path_size(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    return n;
}

static sim_folder *find_any(sim_disk *disk, const char *path)
{
    path = skip_dot(path);
    size_t n = path_size(path);
    for (sim_folder *f = disk->folders; f != NULL; f = f->next)
        if (strlen(f->path) == n && memcmp(f->path, path, n) == 0)
            return f;
    return NULL;
}

sim_folder *sim_folder_find(sim_disk *disk, const char *path)
{
    sim_folder *f = find_any(disk, path);
    return f != NULL && f->live ? f : NULL;
}

static void drop_names(sim_disk *disk, sim_folder *folder)
{
    for (size_t i = 0; i < folder->name_count; i++)
        name_done(disk, &folder->names[i]);
    folder->name_count = 0;
}

/* A folder in the place of a deleted one is another folder: nothing of the old comes back. */
sim_folder *sim_folder_add(sim_disk *disk, const char *path)
{
    sim_folder *f = find_any(disk, path);
    if (f == NULL) {
        size_t one = 0;
        f = sim_grow(NULL, &one, sizeof *f, 1);
        *f = (sim_folder){.next = disk->folders, .path = sim_text_copy(skip_dot(path))};
        f->path[path_size(f->path)] = '\0';
        disk->folders = f;
    }
    drop_names(disk, f);
    f->live = true;
    return f;
}

void sim_folder_delete(sim_disk *disk, sim_folder *folder)
{
    folder->live = false;
    folder->deleted_seq = ++disk->seq;
}

bool sim_folder_is_empty(const sim_folder *folder)
{
    for (size_t i = 0; i < folder->name_count; i++)
        if (folder->names[i].live != NULL)
            return false;
    return true;
}

/* Stores never use a name twice: thousands that are gone would be searched for ever. */
static void drop_gone(sim_disk *disk, sim_folder *folder)
{
    size_t left = 0;
    for (size_t i = 0; i < folder->name_count; i++) {
        sim_name *slot = &folder->names[i];
        if (slot->live == NULL && slot->durable == NULL && slot->op_count == 0)
            name_done(disk, slot);
        else
            folder->names[left++] = *slot;
    }
    folder->name_count = left;
}

void sim_folder_sync_some(sim_disk *disk, sim_folder *folder, sim_keep keep)
{
    for (size_t i = 0; i < folder->name_count; i++)
        if (folder->names[i].op_count > 0 && chance(disk, keep))
            name_settle(disk, &folder->names[i]);
    drop_gone(disk, folder);
}

void sim_folder_sync(sim_disk *disk, sim_folder *folder)
{
    sim_folder_sync_some(disk, folder, SIM_KEEP_ALL);
}

void sim_disk_init(sim_disk *disk, uint64_t seed)
{
    *disk = (sim_disk){.random = {seed}};
}

void sim_disk_done(sim_disk *disk)
{
    while (disk->folders != NULL) {
        sim_folder *f = disk->folders;
        disk->folders = f->next;
        drop_names(disk, f);
        free(f->names);
        free(f->path);
        free(f);
    }
}

uint64_t sim_disk_used(const sim_disk *disk)
{
    uint64_t used = 0;
    for (const sim_inode *i = disk->inodes; i != NULL; i = i->next)
        if (i->links > 0 || i->handles > 0)
            used += (i->live_size + 4095) / 4096 * 4096;
    return used;
}
