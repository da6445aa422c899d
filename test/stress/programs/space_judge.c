/* SPDX-License-Identifier: MIT */
/*
 * space_judge.c - see space.h. The bound: what the directory holds, files that were unlinked while
 * somebody keeps them open included, is at most space_target times what is live and a constant:
 *
 *   3 memtables      as tables that are being written
 *   2 x 3 memtables  their log, and as much again in segments that wait for their next use
 *   threads + 1      partitions: what a unit of work has written and not yet replaced
 *
 * and the tables that an iterator left standing stood on when it moved the last time.
 *
 * Live is what the present and every open read point see, in bytes of keys and values. A burst
 * (more freed at once than merging can follow) has some seconds, and the time a modest disk needs
 * to read and rewrite what is left at half its speed.
 */
#include "space.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BURST_NS (3 * S_NS)
/* Read and rewritten, at half speed: 100 MB a second at full. */
#define DISK_BYTES_S    (50.0 * (double)MIB)
#define VIOLATIONS_SAID 3u

void space_violation(space *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (s->violations++ < VIOLATIONS_SAID) {
        (void)printf("  %s, %" PRIu64 " MiB, %d threads: ", s->load, s->budget_bytes / MIB,
                     s->threads);
        (void)vprintf(format, args);
        (void)printf("\n");
    }
    va_end(args);
}

/* ---- what is allowed ---- */

static uint64_t max_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t memtable_bytes(const space *s)
{
    uint64_t n = s->budget_bytes / 16;
    return max_of(n < 64 * MIB ? n : 64 * MIB, s->entry_bytes_max);
}

/* As src/work/sizes.c: a 64th of the store, from 8 to 128 MiB. */
static uint64_t partition_bytes(const space *s)
{
    uint64_t n = atomic_load(&s->live_bytes) / 64;
    n = n < 8 * MIB ? 8 * MIB : n > 128 * MIB ? 128 * MIB : n;
    return max_of(n, s->entry_bytes_max);
}

uint64_t space_tables_constant(const space *s)
{
    uint64_t workers = (uint64_t)(s->threads < 0 ? 0 : s->threads == 0 ? 1 : s->threads);
    return 3 * memtable_bytes(s) + (workers + 1) * partition_bytes(s);
}

uint64_t space_constant(const space *s)
{
    return space_tables_constant(s) + 6 * memtable_bytes(s);
}

/* ---- what there is ---- */

/* The files that were counted: one that is unlinked between the two looks is met by both. */
typedef struct tally {
    ino_t *files;
    size_t count, capacity;
    uint64_t bytes;
} tally;

static void count_once(tally *t, const struct stat *st)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->files[i] == st->st_ino)
            return;
    if (t->count == t->capacity) {
        t->capacity = t->capacity != 0 ? 2 * t->capacity : 64;
        t->files = (ino_t *)realloc(t->files, t->capacity * sizeof *t->files);
        must(t->files != NULL ? PEAT_OK : PEAT_NOMEM, "a sample");
    }
    t->files[t->count++] = st->st_ino;
    t->bytes += (uint64_t)st->st_blocks * 512;
}

static void count_named(const char *dir, tally *t)
{
    struct dirent *e;
    struct stat st;
    DIR *d = opendir(dir);
    while (d != NULL && (e = readdir(d)) != NULL)
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            count_once(t, &st);
    if (d != NULL)
        (void)closedir(d);
}

/* Files of the store without a name that somebody has open. */
static void count_unnamed(const char *dir, tally *t)
{
    char path[4096];
    struct dirent *e;
    struct stat st;
    size_t prefix = strlen(dir);
    DIR *d = opendir("/proc/self/fd");
    while (d != NULL && (e = readdir(d)) != NULL) {
        ssize_t size = readlinkat(dirfd(d), e->d_name, path, sizeof path - 1);
        if (size <= (ssize_t)prefix || strncmp(path, dir, prefix) != 0)
            continue;
        if (fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0)
            count_once(t, &st);
    }
    if (d != NULL)
        (void)closedir(d);
}

uint64_t space_dir_bytes(const space *s)
{
    tally t = {0};
    count_named(s->dir, &t);
    count_unnamed(s->dir, &t);
    free(t.files);
    return t.bytes;
}

peat_statistics space_stats(space *s)
{
    peat_statistics st = {.size = sizeof st};
    must(peat_stats(s->db, &st), "stats");
    return st;
}

/* ---- samples ---- */

static uint64_t live_now(const space *s)
{
    return atomic_load(&s->live_bytes) + atomic_load(&s->held_bytes);
}

static void judge(space *s, const space_sample *now)
{
    if (now->ratio > 1.0)
        s->over_last_ns = now->at_ns;
    s->last = *now;
    if (now->at_ns < atomic_load(&s->strict_from_ns))
        return;
    if (now->ratio > s->worst.ratio)
        s->worst = *now;
    s->samples++;
    s->over += now->ratio > 1.0;
}

void space_sample_now(space *s)
{
    uint64_t before = live_now(s), constant = space_constant(s), at = space_now(s);
    uint64_t dir = space_dir_bytes(s);
    space_sample now = {.dir_bytes = dir, .live_bytes = max_of(before, live_now(s)), .at_ns = at};
    now.allowed_bytes = (uint64_t)(PEAT_SPACE_TARGET_DEFAULT * (double)now.live_bytes) + constant +
                        atomic_load(&s->standing_bytes);
    now.ratio = (double)dir / (double)now.allowed_bytes;
    judge(s, &now);
}

static void *sampler_main(void *arg)
{
    space *s = (space *)arg;
    for (uint64_t next = space_now(s); atomic_load(&s->sampling); next += SAMPLE_NS) {
        space_sample_now(s);
        uint64_t now = space_now(s);
        if (now > next + SAMPLE_NS)
            next = now - SAMPLE_NS;
        space_wait_until(s, next + SAMPLE_NS);
    }
    return NULL;
}

static pthread_t sampler; /* one load at a time */

void space_sampling_start(space *s)
{
    if (s->threads == PEAT_THREADS_NONE)
        return;
    atomic_store(&s->sampling, true);
    if (pthread_create(&sampler, NULL, sampler_main, s) != 0)
        must(PEAT_NOMEM, "thread");
}

void space_sampling_stop(space *s)
{
    if (!atomic_exchange(&s->sampling, false))
        return;
    (void)pthread_join(sampler, NULL);
}

/* ---- bursts ---- */

void space_burst_begin(space *s)
{
    atomic_store(&s->strict_from_ns, UINT64_MAX);
}

void space_burst_end(space *s)
{
    uint64_t left = live_now(s) + space_constant(s);
    double work_s = s->threads == PEAT_THREADS_NONE ? 0 : (double)left / DISK_BYTES_S;
    s->burst_ns = space_now(s);
    atomic_store(&s->strict_from_ns, s->burst_ns + BURST_NS + (uint64_t)(work_s * s->speed * 1e9));
}

void space_wait_settled(space *s, uint64_t more_ns)
{
    space_wait_until(s, atomic_load(&s->strict_from_ns) + more_ns);
}

/* ---- the estimate ---- */

void space_check_obsolete(space *s)
{
    must(peat_flush(s->db), "flush");
    uint64_t live = live_now(s), slack = space_tables_constant(s);
    peat_statistics st = space_stats(s);
    uint64_t tables = st.bottom_bytes + st.mid_bytes + st.fresh_bytes;
    uint64_t truth = tables > live ? tables - live : 0;
    if (st.obsolete_bytes > 2 * truth + slack || 2 * (st.obsolete_bytes + slack) < truth)
        space_violation(s, "obsolete_bytes %.1f MiB, in truth %.1f (%.1f in tables, %.1f live)",
                        (double)st.obsolete_bytes / (double)MIB, (double)truth / (double)MIB,
                        (double)tables / (double)MIB, (double)live / (double)MIB);
    if (truth < slack)
        return;
    double ratio = (double)st.obsolete_bytes / (double)truth;
    if (s->obsolete_high == 0 || ratio < s->obsolete_low)
        s->obsolete_low = ratio;
    if (ratio > s->obsolete_high)
        s->obsolete_high = ratio;
}
