/* SPDX-License-Identifier: MIT */
/*
 * sim_disk.h - what a disk and a page cache hold, and what a power cut leaves of it. Used by
 * sim_env; tests talk to sim_env.h.
 *
 * A file has two contents: `live`, what reads see, and `disk`, what is durable for certain. Between
 * them lies a history: for each 512-byte sector every version written since the last sync, and
 * every size. After a cut each sector (or each group of them) is any one of its versions or the
 * durable one, and the size any of the sizes, all independently. Names likewise: created and
 * removed names are histories per name until the directory is synced.
 *
 * A shrunk file's old sectors come back only together with an old size.
 *
 * A failed sync writes some sectors and marks all of them clean (as Linux does): the rest reads
 * well as long as it is cached, but no later sync makes it durable, and dropping the cache
 * (ADVISE_DONTNEED) shows what the disk really has.
 *
 * No locking here: sim_env's mutex guards it.
 */
#ifndef TEST_SUPPORT_SIM_DISK_H
#define TEST_SUPPORT_SIM_DISK_H

#include "support/sim_env.h"
#include "world/random.h"

#define SIM_SECTOR_BYTES ((size_t)512)

typedef struct sim_version {
    uint64_t seq;
    uint64_t sector;
    bool shrink; /* made by a truncation: with it, what was there before is gone */
    uint8_t data[SIM_SECTOR_BYTES];
} sim_version;

typedef struct sim_size {
    uint64_t seq;
    uint64_t size;
} sim_size;

typedef struct sim_inode {
    struct sim_inode *next; /* of all of the disk */
    struct sim_inode *copy; /* while the disk is being copied */
    uint64_t id;
    uint32_t refs;    /* names in any state, and handles */
    uint32_t links;   /* live names */
    uint32_t handles; /* open files */
    uint32_t locks_shared, locks_exclusive;
    bool regular;
    uint8_t *live; /* whole sectors; zero beyond live_size */
    uint64_t live_size, live_capacity;
    uint8_t *disk; /* whole sectors */
    uint64_t disk_size, disk_capacity;
    sim_version *versions; /* in order of time */
    size_t version_count, version_capacity;
    sim_size *sizes; /* in order of time */
    size_t size_count, size_capacity;
    uint64_t *stale; /* sectors that a failed sync marked clean */
    size_t stale_count, stale_capacity;
} sim_inode;

typedef struct sim_name_op {
    uint64_t seq;
    sim_inode *inode; /* NULL: removed */
} sim_name_op;

typedef struct sim_name {
    char *name;
    sim_inode *live;    /* NULL: not there */
    sim_inode *durable; /* NULL: not there */
    sim_name_op *ops;
    size_t op_count, op_capacity;
} sim_name;

typedef struct sim_folder {
    struct sim_folder *next;
    char *path;
    bool live;
    uint64_t deleted_seq; /* when !live: it may come back with a power cut */
    sim_name *names;
    size_t name_count, name_capacity;
} sim_folder;

typedef struct sim_disk {
    sim_folder *folders;
    sim_inode *inodes;
    uint64_t seq;
    uint64_t inode_id;
    rng random;
} sim_disk;

/* Aborts when there is no memory. */
void *sim_grow(void *p, size_t *io_capacity, size_t needed, size_t item_bytes);
char *sim_text_copy(const char *text);

void sim_disk_init(sim_disk *disk, uint64_t seed);
void sim_disk_done(sim_disk *disk);
uint64_t sim_disk_used(const sim_disk *disk); /* in whole 4 KiB blocks */

/* NULL when there is none. A trailing slash and a leading "./" do not matter. */
sim_folder *sim_folder_find(sim_disk *disk, const char *path);
sim_folder *sim_folder_add(sim_disk *disk, const char *path);
void sim_folder_delete(sim_disk *disk, sim_folder *folder);
bool sim_folder_is_empty(const sim_folder *folder);
void sim_folder_sync(sim_disk *disk, sim_folder *folder);
/* Some names become durable, the others stay as they were. */
void sim_folder_sync_some(sim_disk *disk, sim_folder *folder, sim_keep keep);

sim_inode *sim_name_find(const sim_folder *folder, const char *name); /* the live one */
sim_inode *sim_name_create(sim_disk *disk, sim_folder *folder, const char *name);
void sim_name_remove(sim_disk *disk, sim_folder *folder, const char *name);
void sim_inode_ref(sim_inode *inode);
void sim_inode_unref(sim_disk *disk, sim_inode *inode);

void sim_inode_write(sim_disk *disk, sim_inode *inode, uint64_t offset, const void *data, size_t n);
void sim_inode_resize(sim_disk *disk, sim_inode *inode, uint64_t size);
void sim_inode_sync(sim_inode *inode);
void sim_inode_sync_failed(sim_disk *disk, sim_inode *inode, sim_keep keep);
void sim_inode_drop_cache(sim_inode *inode, uint64_t offset, uint64_t n);

/* sim_cut.c: `ret_disk` is initialised by both. */
void sim_disk_cut(const sim_disk *disk, const sim_cut *cut, sim_disk *ret_disk);
void sim_disk_copy(sim_disk *disk, sim_disk *ret_disk); /* the page cache too: a killed process */

#endif
