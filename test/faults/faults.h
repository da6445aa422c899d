/* SPDX-License-Identifier: MIT */
/*
 * faults.h - a store that is used while calls of its environment fail, and a book of what was
 * written to it. The book knows for each key which writes may be read: the last that was
 * acknowledged, or a later one that was not.
 *
 * A workload is a function that calls the operations below one after the other; each of them
 * judges what it gets at once. Whatever is wrong ends the process with FAULTS_EXIT_WRONG and one
 * line on `report`. Operations on a store that did not open do nothing.
 */
#ifndef TEST_FAULTS_FAULTS_H
#define TEST_FAULTS_FAULTS_H

#include "model/model.h"
#include "support/sim_env.h"

#include <stdatomic.h>

#define FAULTS_KEYS       32
#define FAULTS_WRITES_MAX 3000
#define FAULTS_EXIT_WRONG MODEL_EXIT_MISMATCH

typedef struct faults_write {
    uint32_t commit;   /* from 1 */
    model_value value; /* its seed is the number of the write, from 1 */
    uint16_t key;
    bool deleted;
} faults_write;

/* Plain data: copied as it is. */
typedef struct faults_book {
    uint32_t commits, writes;
    uint32_t durable; /* the last commit that a power cut must spare */
    bool acked[FAULTS_WRITES_MAX + 1];
    faults_write write[FAULTS_WRITES_MAX];
} faults_book;

typedef struct faults_world {
    faults_book book;
    const char *story; /* what fails, for the report */
    FILE *report;
    sim_env *sim;               /* NULL: the real disk */
    const char *dir, *copy_dir; /* the second is what is imported to */
    model_options options;
    model_open open;
    peat_db *db;
    peat_snapshot *snapshot;
    uint32_t snapshot_commits; /* of the book when it was taken */
    uint32_t copy_commits;     /* likewise, when the copy began */
    peat_rc only;              /* no other error is right; PEAT_OK: any that a disk may cause */
    peat_rc also;              /* right as well; PEAT_OK: none */
    bool must_refuse;          /* a vital sync failed: no write until reopen */
    bool copy_made;            /* the import returned PEAT_OK */
    /* Set by whoever makes calls fail, before they do; the first is not set for the real disk,
     * which loses nothing. */
    _Atomic bool disk_full;    /* no call of its own fails */
    _Atomic bool struck_sync;  /* of a file's contents: what was not durable may be lost */
    _Atomic bool struck_vital; /* the same, of the log, the manifest or PEAT, since `opens` */
    _Atomic uint32_t opens;    /* counted before each: segments in use are others from then on */
    rng random;
    uint64_t (*hits)(const struct faults_world *w); /* calls that failed so far */
    unsigned fault;                                 /* of the sim */
} faults_world;

void faults_wrong(const faults_world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));
/* An empty store in `dir`, not opened. `env` of the sim, or the system's. */
void faults_init(faults_world *w, sim_env *sim, const char *dir, const char *copy_dir,
                 uint64_t seed);

void faults_open(faults_world *w);
void faults_open_read_only(faults_world *w);
void faults_close(faults_world *w);
void faults_put(faults_world *w, unsigned key, uint32_t size, bool sync);
void faults_delete(faults_world *w, unsigned key, bool sync);
/* Puts of `count` keys from `key` on and deletes of every fifth, as one. */
void faults_batch(faults_world *w, unsigned key, unsigned count, uint32_t size, bool sync);
void faults_sync(faults_world *w);
void faults_await_sync(faults_world *w); /* that of the interval, by a thread of the store */
void faults_flush(faults_world *w);
void faults_compact(faults_world *w);
void faults_settle(faults_world *w);
void faults_work(faults_world *w, unsigned units);
void faults_check(faults_world *w);
void faults_stats(faults_world *w);
/* Gets, pins and scans in both directions. */
void faults_read(faults_world *w);
void faults_snapshot(faults_world *w); /* taken, or let go */
void faults_copy(faults_world *w);     /* export and import */
/* Reads and writes by a queue, many under way. */
void faults_queue(faults_world *w);

/* --- afterwards --- */

/* Takes in what struck since the last operation: threads may have met it. */
void faults_note(faults_world *w);

/* Opens what is in the directory again and again without faults: what is allowed is there, stays
 * there, also over power cuts when there is a sim, and the store takes writes. Acknowledged commits
 * up to `sure` must be there. */
void faults_expect_recovered(const faults_world *w, sim_env *sim, uint32_t sure, const char *how);
/* What was imported is whole, or not there. */
void faults_expect_copy(const faults_world *w, sim_env *sim);

/* For faults_recovered.c: the write behind what was found, as its number + 1; 0 for none. Fails
 * when it is older than the last one that was acknowledged. Commits after `limit` do not count. */
uint32_t faults_source(const faults_world *w, unsigned key, const peat_slice *value,
                       uint32_t limit);
peat_slice faults_key(const faults_world *w, unsigned key);
/* For faults_queue.c: a write that is a commit of its own, or one more of the last commit. */
model_value faults_note_write(faults_world *w, unsigned key, uint32_t size, bool deleted);
model_value faults_note_item(faults_world *w, unsigned key, uint32_t size);
/* For the operations: what one may return when calls fail. True: it did what it should. */
bool faults_judge(const faults_world *w, peat_rc rc, const char *call);

/* --- workloads --- */

typedef void (*faults_step_fn)(faults_world *w);
typedef struct faults_workload {
    const char *name;
    model_options options;
    faults_step_fn prepare; /* NULL: an empty directory; nothing fails in it */
    faults_step_fn run;
} faults_workload;

size_t faults_workload_count(void);
const faults_workload *faults_workload_at(size_t i);

#endif
