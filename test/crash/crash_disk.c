/* SPDX-License-Identifier: MIT */
/* crash_disk.c - see crash_disk.h. */
#include "crash/crash_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* _IOR('X', 125, uint32_t): EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN, whose headers are not always
 * installed */
#define SHUTDOWN _IOR('X', 125, uint32_t)

static const crash_disk_kind kinds[] = {
    {"ext4-ordered", "ext4", "data=ordered", "mkfs.ext4 -q -F", 64u << 20},
    {"ext4-writeback", "ext4", "data=writeback", "mkfs.ext4 -q -F", 64u << 20},
    {"ext4-journal", "ext4", "data=journal", "mkfs.ext4 -q -F", 64u << 20},
    {"xfs", "xfs", "", "mkfs.xfs -q -f", 320u << 20}, /* the least that mkfs.xfs takes is 300 MB */
};

const crash_disk_kind *crash_disk_kind_at(unsigned i)
{
    return i < sizeof kinds / sizeof *kinds ? &kinds[i] : NULL;
}

const char *crash_disk_cut_name(unsigned how)
{
    static const char *const names[CRASH_DISK_CUTS] = {"default", "logflush", "nologflush"};
    return names[how];
}

/* A step that cannot fail where the steps before it did not. */
static void must(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "crash disk: %s: %s\n", what, strerror(errno));
    exit(1);
}

bool crash_disk_possible(const char **ret_why)
{
    *ret_why = "skipped: only root may mount";
    if (geteuid() != 0)
        return false;
    *ret_why = "skipped: there is no /dev/loop-control";
    if (access("/dev/loop-control", R_OK | W_OK) != 0)
        return false;
    *ret_why = "skipped: no mount namespace of its own";
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool attach(crash_disk *d)
{
    struct loop_info64 info = {.lo_flags = LO_FLAGS_AUTOCLEAR};
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), number = -1;
    for (int tries = 0; tries < 20; tries++) { /* another process may take the free one first */
        number = ioctl(control, LOOP_CTL_GET_FREE);
        (void)snprintf(d->device, sizeof d->device, "/dev/loop%d", number);
        d->device_fd = number < 0 ? -1 : open(d->device, O_RDWR | O_CLOEXEC);
        if (d->device_fd >= 0 && ioctl(d->device_fd, LOOP_SET_FD, d->image_fd) == 0)
            break;
        if (d->device_fd >= 0)
            (void)close(d->device_fd);
        d->device_fd = -1;
    }
    (void)close(control);
    if (d->device_fd < 0)
        return false;
    must(ioctl(d->device_fd, LOOP_SET_STATUS64, &info) == 0, "the loop device's flags");
    return true;
}

static bool mount_it(crash_disk *d)
{
    d->mounted = mount(d->device, d->dir, d->kind->type, 0, d->kind->options) == 0;
    return d->mounted;
}

static void unmount_it(crash_disk *d)
{
    if (d->mounted)
        must(umount(d->dir) == 0, "unmounting");
    d->mounted = false;
}

static bool prepare(crash_disk *d, const char **ret_why)
{
    char command[200];
    *ret_why = "no room for its image";
    d->image_fd = open(d->image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (d->image_fd < 0 || ftruncate(d->image_fd, (off_t)d->kind->bytes) != 0)
        return false;
    *ret_why = "the command that makes it is not installed, or fails";
    (void)snprintf(command, sizeof command, "%s '%s' >/dev/null 2>&1", d->kind->make, d->image);
    if (system(command) != 0)
        return false;
    *ret_why = "no free loop device";
    if (!attach(d))
        return false;
    *ret_why = "the kernel does not mount it";
    return mount_it(d);
}

bool crash_disk_new(crash_disk *d, const crash_disk_kind *kind, const char **ret_why)
{
    const char *tmp = getenv("TMPDIR");
    *d = (crash_disk){.kind = kind, .image_fd = -1, .device_fd = -1};
    (void)snprintf(d->base, sizeof d->base, "%.40s/peat-kernel-XXXXXX", tmp ? tmp : "/tmp");
    must(mkdtemp(d->base) != NULL, "a directory of its own");
    (void)snprintf(d->image, sizeof d->image, "%s/image", d->base);
    (void)snprintf(d->dir, sizeof d->dir, "%s/mnt", d->base);
    must(mkdir(d->dir, 0700) == 0, "a mount point");
    if (prepare(d, ret_why))
        return true;
    crash_disk_free(d);
    return false;
}

void crash_disk_free(crash_disk *d)
{
    unmount_it(d);
    if (d->device_fd >= 0)
        (void)close(d->device_fd); /* the last user: the device clears itself */
    if (d->image_fd >= 0)
        (void)close(d->image_fd);
    (void)unlink(d->image);
    (void)rmdir(d->dir);
    (void)rmdir(d->base);
}

void crash_disk_cut(crash_disk *d, unsigned how)
{
    uint32_t flag = how;
    int fd = open(d->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(fd >= 0 && ioctl(fd, SHUTDOWN, &flag) == 0, "the shutdown ioctl");
    (void)close(fd);
}

void crash_disk_remount(crash_disk *d)
{
    unmount_it(d);
    must(mount_it(d), "mounting again");
}
