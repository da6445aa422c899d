/* SPDX-License-Identifier: MIT */
/*
 * gather.h - gets that need bytes of files, many under way in one thread (get.h): what they need is
 * gathered, read together, handed out. A block that several of them want is read once, and so is
 * one that another thread reads already.
 *
 *   pt_gather_init(&g, ...);
 *   while (pt_gather_has_room(&g)) pt_gather_add(&g, number, key);
 *   while ((f = pt_gather_next(&g, wait)) != NULL) {
 *       f->state: FOUND, ABSENT (in an epoch), FAILED
 *       pt_gather_end(&g, f);                  and others are added
 *   }
 *   pt_gather_done(&g);
 *
 * Rules, so that nobody waits for who waits for him:
 *   1  it waits for another thread's block only when it leads none
 *   2  while its reads are under way it waits for nothing else: who has to close a file to open
 *      another waits for them (table/table_files.c). So what takes a lock that is held while files
 *      are opened, sections, and what is read without help, large blocks, comes when none is
 */
#ifndef PT_READ_GATHER_H
#define PT_READ_GATHER_H

#include "read/get.h"
#include "state/reads_pool.h"

#define PT_GATHER_GETS PT_READS_POOL_DEPTH

typedef struct pt_gather_get {
    pt_get get;
    pt_get_state state;
    size_t number; /* the caller's */
    struct pt_gather_get *next;
    pt_get_wanted wanted; /* of one that NEEDS */
    uint8_t key[];        /* internal */
} pt_gather_get;

typedef struct pt_gather_list {
    pt_gather_get *first, **end;
    size_t count;
} pt_gather_list;

typedef struct pt_gather {
    pt_store *s;
    const pt_read_options *options;
    pt_view *view;
    uint64_t seq;
    uint32_t keyspace;
    pt_reads *reads;         /* NULL until two blocks are needed at once */
    size_t count, count_max; /* gets that were added and have not ended */
    size_t reading;          /* reads under way */
    size_t bytes, bytes_max; /* of memory: gets, and what reads read into */
    pt_gather_list ready;    /* to be stepped */
    pt_gather_list wanting;  /* they lead a block that is to be read */
    pt_gather_list alone;    /* they need what is read by itself, see rule 2 */
    pt_gather_list waiting;  /* for what another one reads: of this thread, or another thread */
} pt_gather;

/* The view and the options are the caller's until done. */
void pt_gather_init(pt_gather *g, pt_store *s, const pt_read_options *options, pt_view *view,
                    uint64_t seq, uint32_t keyspace);
void pt_gather_done(pt_gather *g); /* all have ended */
bool pt_gather_has_room(const pt_gather *g);
/* The key is not in the view's memtables. PEAT_NOMEM. */
peat_rc pt_gather_add(pt_gather *g, size_t number, peat_slice key) PT_MUST_USE;
/* One that has ended. Without wait, NULL: none has, and reads are under way for what could be
 * gathered. With wait, NULL: there is none any more. */
pt_gather_get *pt_gather_next(pt_gather *g, bool wait);
void pt_gather_end(pt_gather *g, pt_gather_get *f);

#endif
