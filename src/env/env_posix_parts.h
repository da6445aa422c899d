/* SPDX-License-Identifier: MIT */
/*
 * env_posix_parts.h - the parts of the real operating system, gathered into one table by
 * env_posix.c.
 * Included by env_posix*.c only. See peat_env.h for what each member promises.
 */
#ifndef PT_ENV_ENV_POSIX_PARTS_H
#define PT_ENV_ENV_POSIX_PARTS_H

#include "env/env.h"

#include <stdatomic.h>

struct peat_env_dir {
    int fd;
};

/* What env_posix_store.c knows of a file. Zero: nothing yet. */
typedef struct pt_posix_store {
    _Atomic unsigned syncs_begun, syncs_ended; /* counted by whoever syncs */
    unsigned syncs_seen;
    bool checked, refused; /* looked at; never to be mapped */
    bool streams;          /* the last period had enough stores */
    unsigned stores;       /* in this period, and their bytes; bytes of the last one */
    uint64_t bytes, bytes_before;
    uint64_t since_ns; /* of this period */
    uint8_t *base;     /* maps [at, at + size) of the file; NULL: nothing */
    uint64_t at, size;
    uint64_t safe_to; /* [.., safe_to) was populated in this period */
} pt_posix_store;

struct peat_env_file {
    int fd;
    pt_posix_store store;
};

/* env_posix_open.c: every descriptor of the library comes from here, but a ring's. They are closed
 * by exec, and above 2 whatever the program has closed. */
#define PT_POSIX_FIRST_FD 3
/* openat, EINTR repeated. Set only on success. */
int pt_posix_open_at(int dir_fd, const char *path, int os_flags, int *ret_fd);

/* That for a plain name and regular files only. `os_flags` as for open(2).
 * ELOOP for a link, EINVAL for anything else that is not a regular file or for a name that is a
 * path. Never hangs on a FIFO. */
int pt_posix_open_regular(int dir_fd, const char *name, int os_flags, int *ret_fd);

/* An eventfd that does not block. */
int pt_posix_open_event(int *ret_fd);

/* env_posix_memory.c */
void *pt_posix_map(void *ctx, size_t size);
void pt_posix_unmap(void *ctx, void *p, size_t size);
void pt_posix_unneeded(void *ctx, void *p, size_t size);
void pt_posix_needed(void *ctx, void *p, size_t size);
uint64_t pt_posix_memory_limit(void *ctx);
/* Of the groups listed in a file like /proc/self/cgroup, mounted below `root`; UINT64_MAX: none. */
uint64_t pt_posix_cgroup_limit(const char *groups_file, const char *root);

/* env_posix_dir.c */
int pt_posix_dir_open(void *ctx, const char *path, unsigned flags, peat_env_dir **ret_dir);
void pt_posix_dir_close(void *ctx, peat_env_dir *dir);
int pt_posix_dir_sync(void *ctx, peat_env_dir *dir);
int pt_posix_dir_list(void *ctx, peat_env_dir *dir, peat_env_list_fn each, void *arg);
int pt_posix_dir_remove(void *ctx, peat_env_dir *dir, const char *name);
int pt_posix_dir_delete(void *ctx, const char *path);
int pt_posix_dir_lock(void *ctx, peat_env_dir *dir, const char *name, bool shared,
                      peat_env_lock **ret_lock, int64_t *ret_holder_pid);
void pt_posix_dir_unlock(void *ctx, peat_env_lock *lock);

/* env_posix_file.c */
int pt_posix_file_open(void *ctx, peat_env_dir *dir, const char *name, unsigned flags,
                       peat_env_file **ret_file);
void pt_posix_file_close(void *ctx, peat_env_file *file);
int pt_posix_file_read(void *ctx, peat_env_file *file, uint64_t offset, void *buf, size_t n,
                       size_t *ret_n);
bool pt_posix_is_range(uint64_t offset, uint64_t n); /* offsets are signed in POSIX */
int pt_posix_file_write(void *ctx, peat_env_file *file, uint64_t offset, const void *buf, size_t n);
int pt_posix_file_sync(void *ctx, peat_env_file *file);
int pt_posix_file_size(void *ctx, peat_env_file *file, uint64_t *ret_size);
int pt_posix_file_truncate(void *ctx, peat_env_file *file, uint64_t size);
int pt_posix_file_allocate(void *ctx, peat_env_file *file, uint64_t offset, uint64_t n);
int pt_posix_file_advise(void *ctx, peat_env_file *file, uint64_t offset, uint64_t n, int advice);

/* env_posix_event.c */
int pt_posix_event_open(void *ctx, int *ret_event);
void pt_posix_event_close(void *ctx, int event);
void pt_posix_event_signal(void *ctx, int event);
void pt_posix_event_clear(void *ctx, int event);
int pt_posix_event_wait(void *ctx, int event, uint64_t timeout_ns);

/* env_posix_ring.c */
#ifdef PT_HAVE_URING
int pt_posix_ring_open(void *ctx, unsigned depth, int event, peat_env_ring **ret_ring);
void pt_posix_ring_close(void *ctx, peat_env_ring *ring);
int pt_posix_ring_read(void *ctx, peat_env_ring *ring, peat_env_file *file, uint64_t offset,
                       void *buf, size_t n, void *tag);
void pt_posix_ring_submit(void *ctx, peat_env_ring *ring);
size_t pt_posix_ring_reap(void *ctx, peat_env_ring *ring, bool wait, peat_env_completion *ret_ended,
                          size_t max);
#endif

/* env_posix_store.c */
int pt_posix_file_store(void *ctx, peat_env_file *file, uint64_t offset, const void *buf, size_t n);
void pt_posix_store_done(pt_posix_store *s); /* unmaps */

#endif
