/* SPDX-License-Identifier: MIT */
/*
 * env_posix_store.c - small appends by storing into a mapping of the file: a hundredth of the price
 * of a system call (decision 006).
 *
 * A store into a mapped page may raise SIGBUS where a write would return an error. It does so when
 * the kernel has to ask the file system again: for a page that is not in memory, or that was
 * cleaned and is to be dirtied. So bytes are stored only into pages that MADV_POPULATE_WRITE, which
 * reports failure, has made present and writable
 * - in a file whose space is allocated, on a file system that overwrites in place (and so needs
 *   nothing from a full disk to dirty a page again);
 * - since the last sync of the file, none of which is running;
 * - less than STREAM_NS ago, which is far below the age at which the kernel cleans pages by itself.
 * Everything else is EOPNOTSUPP, and the caller's file_write gets the bytes or the error.
 *
 * One thread at a time stores; `syncs_begun` and `syncs_ended` are what other threads touch.
 */
#include "env/env_posix_parts.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; EINVAL before */
#endif
/* linux/magic.h, which a C library need not come with */
#define EXT4_MAGIC  0xEF53u
#define XFS_MAGIC   0x58465342u
#define TMPFS_MAGIC 0x01021994u

#define STORE_MAX_BYTES ((size_t)4096) /* beyond, one write costs no more per byte */
#define STREAM_NS       ((uint64_t)8000000)
#define STREAM_STORES   32u /* in STREAM_NS: fewer, and populating would cost more than it saves */
#define MAPPED_BYTES    ((uint64_t)1 << 20)
#define AHEAD_BYTES     ((uint64_t)128 << 10) /* at most; no more than the last period used */

/* Six nanoseconds; as coarse as the kernel's tick, which is enough. */
static uint64_t coarse_now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &t); /* cannot fail for a clock that exists */
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool overwrites_in_place(int fd)
{
    struct statfs fs;
    if (fstatfs(fd, &fs) != 0)
        return false;
    uint32_t magic = (uint32_t)fs.f_type;
    return magic == EXT4_MAGIC || magic == XFS_MAGIC || magic == TMPFS_MAGIC;
}

void pt_posix_store_done(pt_posix_store *s)
{
    if (s->base != NULL)
        (void)munmap(s->base, (size_t)s->size); /* cannot fail for a mapping of ours */
    s->base = NULL;
    s->size = 0;
    s->safe_to = 0;
}

static bool map_at(peat_env_file *file, uint64_t offset)
{
    pt_posix_store *s = &file->store;
    struct stat st;
    pt_posix_store_done(s);
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t at = offset - offset % page;
    if (fstat(file->fd, &st) != 0 || (uint64_t)st.st_size <= at)
        return false;
    uint64_t size = pt_min_u64(MAPPED_BYTES, (uint64_t)st.st_size - at);
    void *base = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, (off_t)at);
    if (base == MAP_FAILED)
        return false;
    (void)madvise(base, (size_t)size, MADV_DONTFORK); /* a child has no business with it */
    /* No readahead by faults: it would make large folios, and each page of such a one that becomes
     * writable costs a walk over all its blocks. */
    (void)madvise(base, (size_t)size, MADV_RANDOM);
    s->base = base;
    s->at = at;
    s->size = size;
    return true;
}

/* Makes pages from `offset` on present and writable; false, with nothing mapped, when that fails.
 */
static bool populate(peat_env_file *file, uint64_t offset, size_t n)
{
    pt_posix_store *s = &file->store;
    uint64_t end = offset + n;
    if (s->base == NULL || offset < s->at || end > s->at + s->size)
        if (!map_at(file, offset) || end > s->at + s->size)
            return false;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t from = (offset - s->at) / page * page;
    uint64_t ahead = pt_round_up(pt_min_u64(s->bytes_before, AHEAD_BYTES), page);
    uint64_t to = pt_min_u64(pt_round_up(end - s->at, page) + ahead, s->size);
    int e;
    do
        e = madvise(s->base + from, (size_t)(to - from), MADV_POPULATE_WRITE) == 0 ? 0 : errno;
    while (e == EINTR);
    if (e != 0) {
        s->refused = s->refused || e == EINVAL;
        pt_posix_store_done(s);
        return false;
    }
    s->safe_to = s->at + to;
    return true;
}

/* True while appends come so quickly, in time and between syncs, that populating for them pays. */
static bool is_stream(pt_posix_store *s, size_t n)
{
    uint64_t now = coarse_now_ns();
    unsigned begun = atomic_load_explicit(&s->syncs_begun, memory_order_acquire);
    if (PT_UNLIKELY(begun != s->syncs_seen || now - s->since_ns >= STREAM_NS)) {
        s->streams = s->stores >= STREAM_STORES;
        s->syncs_seen = begun;
        s->bytes_before = s->bytes;
        s->stores = 0;
        s->bytes = 0;
        s->since_ns = now;
        s->safe_to = 0;
    }
    s->stores++;
    s->bytes += n;
    return s->streams && atomic_load_explicit(&s->syncs_ended, memory_order_acquire) == begun;
}

int pt_posix_file_store(void *ctx, peat_env_file *file, uint64_t offset, const void *buf, size_t n)
{
    pt_posix_store *s = &file->store;
    (void)ctx;
    if (n > STORE_MAX_BYTES || s->refused || !is_stream(s, n))
        return EOPNOTSUPP;
    if (!s->checked) {
        s->checked = true;
        s->refused = !overwrites_in_place(file->fd);
    }
    if (s->refused)
        return EOPNOTSUPP;
    if (PT_UNLIKELY(offset < s->at || offset + n > s->safe_to) && !populate(file, offset, n)) {
        s->streams = false;
        return EOPNOTSUPP;
    }
    memcpy(s->base + (offset - s->at), buf, n);
    return 0;
}
