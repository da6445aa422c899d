/* SPDX-License-Identifier: MIT */
/*
 * crash_disk.h - a file system of the running kernel on a loop device, which can be cut off as by
 * a power failure: the shutdown ioctl of ext4 and XFS stops all writing at once, and what was only
 * in memory is gone with the mount.
 *
 * Everything is below a directory of mkdtemp, in a mount namespace of this process: whatever
 * happens to it, no mount and no loop device stays behind.
 */
#ifndef TEST_CRASH_CRASH_DISK_H
#define TEST_CRASH_CRASH_DISK_H

#include <stdbool.h>
#include <stdint.h>

typedef struct crash_disk_kind {
    const char *name;
    const char *type;    /* of the file system */
    const char *options; /* of the mount */
    const char *make;    /* the command that makes one, before the name of the image */
    uint64_t bytes;      /* of the image, which is sparse */
} crash_disk_kind;

/* ext4 in its three modes, and XFS. NULL behind the last. */
const crash_disk_kind *crash_disk_kind_at(unsigned i);

/* The flags of the ioctl, the same for both: everything in memory is written first; only the
 * journal is; nothing is. */
#define CRASH_DISK_CUTS 3
const char *crash_disk_cut_name(unsigned how);

typedef struct crash_disk {
    const crash_disk_kind *kind;
    char base[64], image[96], dir[96], device[32];
    int image_fd, device_fd;
    bool mounted;
} crash_disk;

/* Once, before the first disk. False, and why, where this cannot be done: not root, no loop
 * devices. */
bool crash_disk_possible(const char **ret_why);
/* False, and why, when the kernel or the system lacks this kind. */
bool crash_disk_new(crash_disk *d, const crash_disk_kind *kind, const char **ret_why);
void crash_disk_free(crash_disk *d);
void crash_disk_cut(crash_disk *d, unsigned how);
/* Unmounts and mounts again, which replays the file system's journal. */
void crash_disk_remount(crash_disk *d);

#endif
