/* SPDX-License-Identifier: MIT */
/*
 * table_files.h - what the tables of a store have in common: which of them have their file open,
 * how many may, and how much memory their sections take.
 *
 * A table opens its file for a read that needs it and keeps it; a file that no read is using can be
 * closed at any time, and is opened again by the next read. So descriptors are a cache: at most
 * `limit` are held, the ones unused for longest go first, and when the system has none left the
 * limit is halved and what is above it is closed. While it stays quiet the limit grows again.
 *
 * When all files are in use one of them is closed to newcomers, and goes with its last read. A read
 * uses its file for one call of the environment, takes no lock and opens nothing meanwhile: so
 * waiting for it is short and cannot be waiting for oneself.
 */
#ifndef PT_TABLE_TABLE_FILES_H
#define PT_TABLE_TABLE_FILES_H

#include "base/sync.h"

/* A quarter of the usual limit of 1024 descriptors: the rest is the program's. */
#define PT_TABLE_FILES_MAX 256u
/* So many files opened without a shortage, and the limit is raised by one. */
#define PT_TABLE_FILES_CALM 256u

typedef struct pt_table_link {
    struct pt_table_link *prev, *next;
} pt_table_link;

typedef struct pt_table_files {
    pt_mutex gate; /* the gate of the pt_fd_reclaim */
    pt_mutex mu;   /* a leaf; closing a file that was only read is all that happens under it */
    pt_cond changed;
    /* guarded by mu */
    pt_table_link ring; /* head; tables with an open file, oldest first */
    size_t open;        /* in the ring */
    size_t leaving;     /* of these: closed to newcomers */
    size_t opening;     /* on their way into the ring */
    size_t limit;       /* of open + opening; at least 1 */
    unsigned calm;      /* opened since the limit was moved */
    uint64_t closed;    /* counts */

    /* of sections that tables hold: loaded, and not let go since */
    _Atomic uint64_t section_bytes;
    /* of the windows of scans (read_ahead.h): held, allowed (fixed before first use); read by them
     * so far */
    _Atomic uint64_t ahead_bytes;
    uint64_t ahead_max;
    _Atomic uint64_t ahead_read;
} pt_table_files;

void pt_table_files_init(pt_table_files *files);
void pt_table_files_done(pt_table_files *files); /* no table is left */
/* Closes files that no read has used since the last such call, if none is using them now. */
void pt_table_files_rest(pt_table_files *files);
/* There is no descriptor left: closes what is idle down to half of what is open, at least one; when
 * all are in use, waits for one. False: one is open, which is kept, or none. The fn of a
 * pt_fd_reclaim. */
bool pt_table_files_relieve(void *files);

#endif
