/* SPDX-License-Identifier: MIT
 *
 * peat_env.h - the operating system as Peat sees it.
 *
 * An embedder that wants another allocator, clock or file system copies the struct that
 * peat_env_default() returns, replaces members, and passes it in peat_host.env (peat_admin.h).
 * Tests do the same to lose power, fill the disk and run out of memory on purpose. What an
 * environment has to keep to: doc/environment.md; a program: examples/embedding.c.
 *
 * Conventions: functions that can fail return 0 or a positive errno value. Every function may be
 * called from any thread at the same time; one peat_env_file may be read and written by several
 * threads at once as with pread and pwrite. The struct must outlive every store opened with it.
 */
#ifndef PEAT_ENV_H
#define PEAT_ENV_H

#include "peat.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct peat_env peat_env;
typedef struct peat_env_dir peat_env_dir;       /* an open directory, defined by the environment */
typedef struct peat_env_file peat_env_file;     /* an open file */
typedef struct peat_env_lock peat_env_lock;     /* a held lock on a directory's lock file */
typedef struct peat_env_thread peat_env_thread; /* a running thread */
typedef struct peat_env_ring peat_env_ring;     /* reads under way at once */

/* dir_open */
#define PEAT_ENV_DIR_CREATE 1u /* make the directory if it is missing, and sync its parent */

/* file_open: READ always; the name must be a regular file, links are not followed (ELOOP) */
#define PEAT_ENV_FILE_WRITE 1u /* also for writing */
#define PEAT_ENV_FILE_CREATE                                                                       \
    2u /* make it; EEXIST when it is there. The name is durable only after dir_sync */

/* file_advise */
#define PEAT_ENV_ADVISE_RANDOM     1
#define PEAT_ENV_ADVISE_SEQUENTIAL 2
#define PEAT_ENV_ADVISE_WILLNEED   3
#define PEAT_ENV_ADVISE_DONTNEED   4 /* clean pages of the range leave the page cache */

/* One entry of a directory. Return nonzero to stop with that errno. */
typedef int (*peat_env_list_fn)(void *arg, const char *name, bool regular_file, uint64_t size);

/* A read of a ring that has ended. */
typedef struct peat_env_completion {
    void *tag;
    int error;    /* 0, or an errno value */
    size_t bytes; /* that were read: fewer than asked for only at the end of the file */
} peat_env_completion;

struct peat_env {
    size_t size; /* sizeof(peat_env), set by who makes one; members behind it are taken as NULL */
    void *ctx;   /* given to every member */

    /* Memory. alloc returns NULL when there is none; never called with size 0. */
    void *(*alloc)(void *ctx, size_t size);
    void *(*resize)(void *ctx, void *p, size_t size); /* p may be NULL; on NULL p is unchanged */
    void (*release)(void *ctx, void *p);              /* p may be NULL */
    /* A zeroed, page-aligned mapping, touched pages only counting; huge pages are asked for when
     * `size` is worth it, but not for the first and the last of them. */
    void *(*map)(void *ctx, size_t size);
    void (*unmap)(void *ctx, void *p, size_t size);

    /* Directories. */
    int (*dir_open)(void *ctx, const char *path, unsigned flags, peat_env_dir **ret_dir);
    void (*dir_close)(void *ctx, peat_env_dir *dir);
    int (*dir_sync)(void *ctx,
                    peat_env_dir *dir); /* names created and removed so far are durable */
    int (*dir_list)(void *ctx, peat_env_dir *dir, peat_env_list_fn each, void *arg);
    int (*dir_remove)(void *ctx, peat_env_dir *dir, const char *name);
    int (*dir_delete)(void *ctx, const char *path); /* remove an empty directory */
    /* Take a lock that conflicts within and across processes. EWOULDBLOCK when it is held; then
     * `ret_holder_pid` is the holder's pid, or 0 when unknown. A shared lock opens the file for
     * reading only and never creates it. The file's content is the holder's pid in decimal. */
    int (*dir_lock)(void *ctx, peat_env_dir *dir, const char *name, bool shared,
                    peat_env_lock **ret_lock, int64_t *ret_holder_pid);
    void (*dir_unlock)(void *ctx, peat_env_lock *lock);

    /* Files. When file_open or dir_list answer EMFILE or ENFILE, files that were opened for reading
     * are closed and the call is made again. */
    int (*file_open)(void *ctx, peat_env_dir *dir, const char *name, unsigned flags,
                     peat_env_file **ret_file);
    void (*file_close)(void *ctx, peat_env_file *file);
    /* Reads up to n bytes; fewer only at the end of the file. */
    int (*file_read)(void *ctx, peat_env_file *file, uint64_t offset, void *buf, size_t n,
                     size_t *ret_n);
    /* Writes all n bytes or fails; after a failure any part of them may have been written. */
    int (*file_write)(void *ctx, peat_env_file *file, uint64_t offset, const void *buf, size_t n);
    /* As file_write for a small piece that follows the one before it, in a file whose space is
     * allocated and whose size covers it; by one thread at a time. It may be put into a mapping of
     * the file, which is quicker: seen by every later read, survives a killed process, durable with
     * file_sync. EOPNOTSUPP: nothing was done, file_write is to do it. NULL: always file_write. Who
     * replaces file_write replaces this too, or sets it to NULL. */
    int (*file_store)(void *ctx, peat_env_file *file, uint64_t offset, const void *buf, size_t n);
    int (*file_sync)(void *ctx, peat_env_file *file); /* contents and size are durable */
    int (*file_size)(void *ctx, peat_env_file *file, uint64_t *ret_size);
    int (*file_truncate)(void *ctx, peat_env_file *file, uint64_t size);
    /* Reserves space and extends the size; the range reads as zero. EOPNOTSUPP where it can't. */
    int (*file_allocate)(void *ctx, peat_env_file *file, uint64_t offset, uint64_t n);
    int (*file_advise)(void *ctx, peat_env_file *file, uint64_t offset, uint64_t n, int advice);

    /* Threads, time, chance. */
    int (*thread_start)(void *ctx, void (*run)(void *arg), void *arg, peat_env_thread **ret_thread);
    void (*thread_join)(void *ctx, peat_env_thread *thread);
    uint64_t (*now_ns)(void *ctx);  /* monotonic */
    uint64_t (*wall_ms)(void *ctx); /* milliseconds since 1970 */
    void (*sleep_ns)(void *ctx, uint64_t ns);
    int (*random)(void *ctx, void *buf, size_t n);
    int64_t (*pid)(void *ctx);
    /* A word that reads 1 in this process and 0 in children it forks; NULL where there is no such
     * thing (then pids are compared). NULL as a member means the same. */
    const uint32_t *(*fork_mark)(void *ctx);
    void (*fork_mark_free)(void *ctx, const uint32_t *mark);

    /* What this part of a mapping holds is not needed: its whole pages may go, and read as zero
     * afterwards, or as they were. NULL: they stay. */
    void (*unneeded)(void *ctx, void *p, size_t size);
    /* Bytes of memory there are for this process: the least of the machine's and of any limit it
     * runs under. 0, or NULL: not known. */
    uint64_t (*memory_limit)(void *ctx);

    /* Events. One is a descriptor that polls readable from the first event_signal until
     * event_clear, so that a program can wait for it together with other things. All five members,
     * or none; they know nothing of files. NULL: nothing is read in the background. */
    int (*event_open)(void *ctx, int *ret_event);
    void (*event_close)(void *ctx, int event);
    void (*event_signal)(void *ctx, int event);
    void (*event_clear)(void *ctx, int event);
    /* Until it is signalled: 0; ETIMEDOUT after `timeout_ns`, UINT64_MAX: never. */
    int (*event_wait)(void *ctx, int event, uint64_t timeout_ns);

    /* Rings: reads that are under way at once, for one thread at a time. All five members, or none
     * (NULL: threads call file_read instead). The default's are used only where file_read is the
     * default's own too, so that who looks at reads sees them all; who brings other rings says by
     * it that they read as file_read does.
     *
     * ring_open: for up to `depth` reads. `event`, -1 for none, is signalled whenever one has
     * ended; more often is fine. Any error means that there is no ring, as ENOSYS or EPERM. */
    int (*ring_open)(void *ctx, unsigned depth, int event, peat_env_ring **ret_ring);
    /* Waits for what has begun, whose completions are lost; what has not begun never will. */
    void (*ring_close)(void *ctx, peat_env_ring *ring);
    /* Takes a read, which begins with ring_submit at the latest. File and buffer are the ring's
     * until it has been reaped. EAGAIN: there are `depth` reads in the ring. Any other error is
     * this read's: it will not be reaped. */
    int (*ring_read)(void *ctx, peat_env_ring *ring, peat_env_file *file, uint64_t offset,
                     void *buf, size_t n, void *tag);
    /* All that were taken begin. What the system refuses is done in another way. */
    void (*ring_submit)(void *ctx, peat_env_ring *ring);
    /* Up to `max` (above 0) of those that have ended, in any order, each once; returns how many.
     * `wait`: at least one, unless none has begun. What had ended before an event_clear is found by
     * the calls after it, of which the last returns fewer than `max`. */
    size_t (*ring_reap)(void *ctx, peat_env_ring *ring, bool wait, peat_env_completion *ret_ended,
                        size_t max);

    /* This part of a mapping will be needed soon: the calling thread waits for its memory, so that
     * nobody else has to. What it holds stays, also what others write meanwhile. NULL, or where
     * the system refuses: memory comes when it is touched. */
    void (*needed)(void *ctx, void *p, size_t size);
};

/* The real operating system. Static storage, never freed. */
PEAT_API const peat_env *peat_env_default(void);

/* For peat_options.test: sizes that are normally derived from memory_bytes and the size of the
 * store. Test builds make them tiny so that a few thousand entries meet every shape. They never
 * change a result. Zero is the derived size; values too small to work are raised silently. */
typedef struct peat_test_options {
    size_t size;
    size_t memtable_bytes;
    size_t block_bytes;
    size_t partition_bytes;
    size_t table_bytes; /* a manifest is short with it, too */
    size_t segment_bytes;
} peat_test_options;

#ifdef __cplusplus
}
#endif
#endif
